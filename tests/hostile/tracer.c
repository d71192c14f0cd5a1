/* Preloaded into root's own processes: notes each path that they open, change or run.
 *
 * One line each in TRACE: "<uid> <call> <marked> <path>". <uid> is 0 as long as the process could be
 * root again. <marked> is 1 if a program was started with
 * the variable HOSTILE, which the account's env.sh exports: the account's environment went along.
 * Calls through the C library are seen, which is all that Python makes. With DELAY each change waits so
 * many milliseconds, so that whoever wants to be faster is.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int rights(void)
{
    uid_t real, effective, saved;

    getresuid(&real, &effective, &saved);
    return real && effective && saved ? (int)effective : 0;
}

static void note(const char *call, int folder, const char *path, char *const *variables)
{
    char line[2 * PATH_MAX + 64], where[PATH_MAX] = "", link[64];
    const char *file = getenv("TRACE");
    const char *delay = getenv("DELAY");
    int marked = 0, trace, length;
    ssize_t size;

    if (delay && !strcmp(call, "change"))
        usleep(1000 * atoi(delay));
    if (!file || !path)
        return;
    for (; variables && *variables; variables++)
        marked |= !strncmp(*variables, "HOSTILE=", 8);
    if (path[0] != '/') {
        if (folder == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        size = syscall(SYS_readlinkat, AT_FDCWD, link, where, sizeof where - 2);
        if (size > 0)
            where[size] = '/', where[size + 1] = 0;
    }
    length = snprintf(line, sizeof line, "%d %s %d %s%s\n", rights(), call, marked, where, path);
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    trace = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (trace >= 0) {
        if (write(trace, line, length) < 0) {}
        close(trace);
    }
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags)
    note("open", AT_FDCWD, path, NULL);
    return NEXT(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    MODE(flags)
    note("open", AT_FDCWD, path, NULL);
    return NEXT(open64)(path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...)
{
    MODE(flags)
    note("open", folder, path, NULL);
    return NEXT(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...)
{
    MODE(flags)
    note("open", folder, path, NULL);
    return NEXT(openat64)(folder, path, flags, mode);
}
FILE *fopen(const char *path, const char *mode)
{
    note("open", AT_FDCWD, path, NULL);
    return NEXT(fopen)(path, mode);
}
FILE *fopen64(const char *path, const char *mode)
{
    note("open", AT_FDCWD, path, NULL);
    return NEXT(fopen64)(path, mode);
}
DIR *opendir(const char *path)
{
    note("open", AT_FDCWD, path, NULL);
    return NEXT(opendir)(path);
}

int chdir(const char *path)
{
    note("chdir", AT_FDCWD, path, NULL);
    return NEXT(chdir)(path);
}
int chown(const char *path, uid_t owner, gid_t group)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(chown)(path, owner, group);
}
int lchown(const char *path, uid_t owner, gid_t group)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(lchown)(path, owner, group);
}
int fchownat(int folder, const char *path, uid_t owner, gid_t group, int flags)
{
    note("change", folder, path, NULL);
    return NEXT(fchownat)(folder, path, owner, group, flags);
}
int chmod(const char *path, mode_t mode)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(chmod)(path, mode);
}
int fchmodat(int folder, const char *path, mode_t mode, int flags)
{
    note("change", folder, path, NULL);
    return NEXT(fchmodat)(folder, path, mode, flags);
}
int mkdir(const char *path, mode_t mode)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(mkdir)(path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode)
{
    note("change", folder, path, NULL);
    return NEXT(mkdirat)(folder, path, mode);
}
int rmdir(const char *path)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(rmdir)(path);
}
int unlink(const char *path)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(unlink)(path);
}
int unlinkat(int folder, const char *path, int flags)
{
    note("change", folder, path, NULL);
    return NEXT(unlinkat)(folder, path, flags);
}
int rename(const char *from, const char *to)
{
    note("change", AT_FDCWD, from, NULL);
    note("change", AT_FDCWD, to, NULL);
    return NEXT(rename)(from, to);
}
int renameat(int old, const char *from, int new, const char *to)
{
    note("change", old, from, NULL);
    note("change", new, to, NULL);
    return NEXT(renameat)(old, from, new, to);
}
int symlink(const char *to, const char *path)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(symlink)(to, path);
}
int truncate(const char *path, off_t size)
{
    note("change", AT_FDCWD, path, NULL);
    return NEXT(truncate)(path, size);
}

int execve(const char *path, char *const words[], char *const variables[])
{
    note("run", AT_FDCWD, path, variables);
    return NEXT(execve)(path, words, variables);
}
int execv(const char *path, char *const words[])
{
    note("run", AT_FDCWD, path, environ);
    return NEXT(execv)(path, words);
}
int execvp(const char *path, char *const words[])
{
    note("run", AT_FDCWD, path, environ);
    return NEXT(execvp)(path, words);
}
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const words[], char *const variables[])
{
    note("run", AT_FDCWD, path, variables);
    return NEXT(posix_spawn)(pid, path, actions, attributes, words, variables);
}
int posix_spawnp(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const words[], char *const variables[])
{
    note("run", AT_FDCWD, path, variables);
    return NEXT(posix_spawnp)(pid, path, actions, attributes, words, variables);
}
