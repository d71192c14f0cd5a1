/* Notes who runs this program or loads this library: "<uid> <file> <program>", one line each.
 *
 * <uid> is 0 as long as the process could be root again. It is what the account puts in root's way: under the name of a program that root may look for, or
 * as a library that a variable makes the loader take in. The record can be written by everybody.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int rights(void)
{
    uid_t real, effective, saved;

    getresuid(&real, &effective, &saved);
    return real && effective && saved ? (int)effective : 0;
}

static void note(const char *file)
{
    char program[PATH_MAX] = "?";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    int record = open(RECORD, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (length > 0)
        program[length] = 0;
    if (record >= 0) {
        dprintf(record, "%d %s %s\n", rights(), file ? file : program, program);
        close(record);
    }
}

#ifdef PROGRAM
int main(void)
{
    note(NULL);
    return 0;
}
#else
__attribute__((constructor)) static void loaded(void)
{
    Dl_info about;

    note(dladdr((void *)loaded, &about) ? about.dli_fname : "?");
}

unsigned int la_version(unsigned int version) { return version; } /* LD_AUDIT */
void gconv_init(void) {}                                          /* GCONV_PATH */
void gconv(void) {}

/* As libcap-ng.so.0, which setpriv loads: LD_LIBRARY_PATH. */
#define NOTHING(name) int name(void) { return 0; }
NOTHING(capng_apply)
NOTHING(capng_capability_to_name)
NOTHING(capng_change_id)
NOTHING(capng_clear)
NOTHING(capng_get_caps_process)
NOTHING(capng_have_capabilities)
NOTHING(capng_have_capability)
NOTHING(capng_lock)
NOTHING(capng_name_to_capability)
NOTHING(capng_setpid)
NOTHING(capng_update)
#endif
