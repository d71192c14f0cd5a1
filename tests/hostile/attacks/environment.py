"""The environment that env.sh and customer.sh give."""

from __future__ import annotations

from hostile.table import ACCOUNT_PROBES, attack
from hostile.world import Outcome, Tree

PROGRAMS = (
    "setpriv",
    "su",
    "sudo",
    "runuser",
    "id",
    "ipcs",
    "systemctl",
    "python3",
    "gdb",
    "nlserver",
    "ldconfig",
    "chown",
    "mkdir",
    "ps",
    "ip",
    "ss",
)
SHELLS = ("sh", "bash", "env", "cat", "printf", "test")

ENVIRONMENT = "The environment (env.sh, customer.sh)"
AS_ACCOUNT = "nothing is run or loaded but as the account"


@attack(
    ENVIRONMENT,
    "`PATH` begins with a folder of programs named setpriv, su, sudo, systemctl …",
    AS_ACCOUNT,
)
def fake_programs(tree: Tree) -> None:
    for name in PROGRAMS:
        tree.program(tree.baits / "bin" / name)
    tree.export(f"export PATH={tree.baits}/bin:$PATH")


@attack(
    ENVIRONMENT,
    "`PATH` leads only to programs named sh, bash, env and cat",
    AS_ACCOUNT,
    blind=ACCOUNT_PROBES,
)
def fake_shells(tree: Tree) -> None:
    for name in (*SHELLS, *PROGRAMS):
        tree.program(tree.baits / "bin" / name)
    tree.export(f"export PATH={tree.baits}/bin")


@attack(ENVIRONMENT, "`LD_PRELOAD` names a library", AS_ACCOUNT)
def preloaded_library(tree: Tree) -> None:
    tree.export(f"export LD_PRELOAD={tree.library('preload.so')}")


@attack(
    ENVIRONMENT,
    "`LD_LIBRARY_PATH` leads to a library named as one that setpriv loads",
    AS_ACCOUNT,
)
def library_path(tree: Tree) -> None:
    tree.export(f"export LD_LIBRARY_PATH={tree.library('lib/libcap-ng.so.0').parent}")


@attack(ENVIRONMENT, "`LD_AUDIT` names a library", AS_ACCOUNT)
def audit_library(tree: Tree) -> None:
    tree.export(f"export LD_AUDIT={tree.library('audit.so')}")


@attack(ENVIRONMENT, "`BASH_ENV` and `ENV` name a script", AS_ACCOUNT)
def shell_startup(tree: Tree) -> None:
    script = tree.script(tree.baits / "startup", tree.note())
    tree.export(f"export BASH_ENV={script} ENV={script}")


@attack(ENVIRONMENT, "`SHELLOPTS=xtrace` with a command in `PS4`", AS_ACCOUNT)
def traced_shell(tree: Tree) -> None:
    script = tree.script(tree.baits / "prompt", tree.note())
    tree.export(f"export PS4='$({script})'")
    tree.export("export SHELLOPTS=xtrace BASHOPTS=expand_aliases")


@attack(
    ENVIRONMENT,
    "Functions of a shell under the names of commands (`BASH_FUNC_env%%`)",
    AS_ACCOUNT,
    blind=ACCOUNT_PROBES,
)
def shell_functions(tree: Tree) -> None:
    body = "() { %s; }" % tree.note()
    words = " ".join(f"'BASH_FUNC_{name}%%={body}'" for name in ("env", "setpriv", "sh", "cat"))
    tree.export(f"/usr/bin/env {words} /usr/bin/env -0 >&10 && exit")


@attack(
    ENVIRONMENT,
    "`PYTHONPATH` leads to a `sitecustomize.py` and to modules of the standard library;"
    " `PYTHONSTARTUP`",
    AS_ACCOUNT,
)
def python_path(tree: Tree) -> None:
    folder = tree.baits / "python"
    folder.mkdir()
    for name in ("sitecustomize", "json", "os", "pwd"):
        (folder / f"{name}.py").write_text(
            "import posix\n"
            f"file = posix.open({str(tree.world.record)!r}, posix.O_WRONLY | posix.O_APPEND)\n"
            f"posix.write(file, b'%d {folder}/{name}.py python\\n' % posix.geteuid())\n"
        )
    tree.export(f"export PYTHONPATH={folder} PYTHONSTARTUP={folder}/sitecustomize.py")


@attack(ENVIRONMENT, "`PYTHONHOME` leads to a standard library of the account's", AS_ACCOUNT)
def python_home(tree: Tree) -> None:
    python_path.prepare(tree)
    tree.export(f"export PYTHONHOME={tree.baits}/python")


@attack(
    ENVIRONMENT,
    "`GCONV_PATH` leads to a character set with code in it, `LC_ALL` and"
    " `PYTHONIOENCODING` name it",
    AS_ACCOUNT,
)
def character_set(tree: Tree) -> None:
    library = tree.library("gconv/bait.so")
    (library.parent / "gconv-modules").write_text(
        "module BAIT// INTERNAL bait 1\nmodule INTERNAL BAIT// bait 1\n"
    )
    tree.export(f"export GCONV_PATH={library.parent} LC_ALL=xx.BAIT PYTHONIOENCODING=BAIT")


@attack(
    ENVIRONMENT,
    "`LOCPATH`, `NLSPATH`, `TZ`, `TERMINFO`, `MALLOC_*` and `RESOLV_HOST_CONF` name"
    " root's private file",
    "its contents do not come out",
)
def named_private_file(tree: Tree) -> None:
    secret = tree.world.canaries.log
    tree.export(f"export LOCPATH={secret.parent} NLSPATH={secret} TZ=:{secret} TERMINFO={secret}")
    tree.export(f"export RESOLV_HOST_CONF={secret} HOSTALIASES={secret} MALLOC_CHECK_=3")


@attack(
    ENVIRONMENT,
    "`PERL5LIB`, `PERL5OPT`, `NODE_OPTIONS`, `RUBYOPT`, `GIT_SSH_COMMAND`, `PAGER`,"
    " `EDITOR`, `SYSTEMD_PAGER` and `LESSOPEN` name code",
    AS_ACCOUNT,
)
def other_languages(tree: Tree) -> None:
    script = tree.script(tree.baits / "code", tree.note())
    for name in ("PAGER", "EDITOR", "SYSTEMD_PAGER", "LESSOPEN", "GIT_SSH_COMMAND"):
        tree.export(f"export {name}={script}")
    tree.export(f"export PERL5LIB={script.parent} PERL5OPT=-Mbait RUBYOPT=-r{script}")
    tree.export(f"export NODE_OPTIONS=--require={script}")


@attack(
    ENVIRONMENT,
    "`IFS` is changed, `HOME`, `LOGNAME`, `SUDO_USER` and `SSH_CLIENT` lie",
    AS_ACCOUNT,
)
def lies_about_the_account(tree: Tree) -> None:
    tree.export(
        "export IFS=/. HOME=/root LOGNAME=root USER=root SUDO_USER=root SSH_CLIENT='1 2 3'"
    )


@attack(ENVIRONMENT, "`customer.sh` runs commands", "they run as the account, and nothing else")
def commands_in_customer_sh(tree: Tree) -> None:
    tree.export(tree.note())


@commands_in_customer_sh.judged
def _they_were_run(tree: Tree, outcome: Outcome) -> None:
    assert outcome.data("environment")["var_dir"] == str(tree.var)


@attack(ENVIRONMENT, "`env.sh` never ends", "its own probes fail in time", blind=ACCOUNT_PROBES)
def endless_env_sh(tree: Tree) -> None:
    tree.export("trap '' TERM INT HUP; while :; do /bin/sleep 60; done")


@attack(
    ENVIRONMENT,
    "`env.sh` writes without end",
    "its own probes fail in time",
    blind=ACCOUNT_PROBES,
)
def flooding_env_sh(tree: Tree) -> None:
    tree.export("exec /usr/bin/yes X=1 >&3 3>&1")
    (tree.home / "env.sh").write_text("exec 1>&3 3>&1 2>/dev/null || :\nexec /usr/bin/yes X=1\n")


@attack(
    ENVIRONMENT,
    "`env.sh` leaves a process that holds its output open",
    "the answer does not wait for it, and it is ended",
    blind=ACCOUNT_PROBES,
)
def env_sh_leaves_a_process(tree: Tree) -> None:
    tree.export("(trap '' HUP TERM; exec /bin/sleep 60) &")


@attack(
    ENVIRONMENT,
    "`env.sh` ends the shell, and gives values of 5 MB, newlines, bytes that are not"
    " UTF-8, and names such as `LC_ALL`",
    "no value breaks the answer",
    blind=ACCOUNT_PROBES,
)
def strange_values(tree: Tree) -> None:
    with (tree.home / "customer.sh").open("wb") as stream:
        stream.write(b"export JDK_HOME='/opt/\xff\xfe\n\x1b[2J'\nexport LC_ALL=tr_TR.UTF-8\n")
        stream.write(b"export TMPDIR='/tmp/\xe2\x80\xae/\x07'\n")
        stream.write(b"X=x; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do X=$X$X; done\n")
        stream.write(b"export A=$X B=$X\n")


@attack(
    ENVIRONMENT,
    "`XTK_VAR_DIR` is root's private folder, laid out as an instance's",
    "its contents do not come out",
    blind=("logs", "storage", "jobs"),
)
def var_dir_is_private(tree: Tree) -> None:
    tree.export(f"export XTK_VAR_DIR={tree.world.canaries.private} TMPDIR=/root")


@attack(
    ENVIRONMENT,
    "`XTK_VAR_DIR` is `/proc/self/root`, `TMPDIR` is `/proc/self/fd`",
    "no other probe is disturbed",
    blind=("logs", "storage", "jobs"),
)
def var_dir_is_proc(tree: Tree) -> None:
    tree.export("export XTK_VAR_DIR=/proc/self/root TMPDIR=/proc/self/fd")


@attack(
    ENVIRONMENT,
    "`XTK_VAR_DIR` is not a path (a newline, `-rf`, bytes that are not UTF-8)",
    "no other probe is disturbed",
    blind=("logs", "storage", "jobs"),
)
def var_dir_is_no_path(tree: Tree) -> None:
    with (tree.home / "customer.sh").open("wb") as stream:
        stream.write(b"export XTK_VAR_DIR='-rf\n\xff\xfe'\n")
