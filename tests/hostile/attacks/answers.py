"""What nlserver answers, what processes call themselves, and what pid files say."""

from __future__ import annotations

import os

from hostile.attacks.files import NAMED, STAYS
from hostile.table import ACCOUNT_PROBES, attack
from hostile.world import PDUMP, Outcome, Tree

NLSERVER = "What nlserver answers"
ONLY_ITS_OWN = "its own probes fail in time; all others answer, and nothing is left behind"
NLSERVER_PROBES = ("pdump", "missing")


@attack(
    NLSERVER,
    "it hangs and ignores every signal that can be ignored",
    ONLY_ITS_OWN,
    blind=NLSERVER_PROBES,
    seconds=4.0,
)
def nlserver_hangs(tree: Tree) -> None:
    tree.nlserver_does("trap '' TERM INT HUP PIPE; while :; do /bin/sleep 60; done")


@attack(NLSERVER, "it writes without end", ONLY_ITS_OWN, blind=NLSERVER_PROBES)
def nlserver_floods(tree: Tree) -> None:
    tree.nlserver_does("exec /usr/bin/yes 'mta@prod (1) - 9.2 Mb'")


@attack(
    NLSERVER, "it writes without end on its error output", ONLY_ITS_OWN, blind=NLSERVER_PROBES
)
def nlserver_floods_errors(tree: Tree) -> None:
    tree.nlserver_does("exec /usr/bin/yes 'error' >&2")


@attack(NLSERVER, "it answers a byte now and then", ONLY_ITS_OWN, blind=NLSERVER_PROBES)
def nlserver_is_slow(tree: Tree) -> None:
    tree.nlserver_does("while :; do printf x; /bin/sleep 0.05; done")


@attack(NLSERVER, "it answers 1 MB of random bytes", ONLY_ITS_OWN, blind=NLSERVER_PROBES)
def nlserver_is_binary(tree: Tree) -> None:
    tree.nlserver_does("exec /usr/bin/head -c 1000000 /dev/urandom")


@attack(NLSERVER, "it answers one line of 1 MB", ONLY_ITS_OWN, blind=NLSERVER_PROBES)
def nlserver_answers_one_line(tree: Tree) -> None:
    tree.nlserver_does("/usr/bin/head -c 1000000 /dev/zero | /usr/bin/tr '\\0' x")


@attack(
    NLSERVER,
    "it answers lines on which a pattern could take quadratic time (blanks, digits, dashes,"
    " brackets)",
    "the parser stays linear: all probes answer",
    blind=NLSERVER_PROBES,
)
def nlserver_answers_for_patterns(tree: Tree) -> None:
    lines = [
        "mta@prod (1) - " + "1 " * 100000 + "!",
        "-" * 200000 + "x",
        "(build" * 30000,
        "12:00:01 > " + "(" * 100000,
        "a" * 200000 + "@" + "b." * 50000,
        "mta@prod (" + "1" * 200000 + ") - 1 M",
        " " * 200000 + "x",
    ]
    tree.answer_pdump("\n".join(lines) + "\n")


@attack(
    NLSERVER,
    "it tells of 20,000 modules, of pids such as 0, 1 and 10^18, and of names with `$(…)` and"
    " control characters",
    "the answer is bounded and clean",
    blind=NLSERVER_PROBES,
)
def nlserver_tells_of_thousands(tree: Tree) -> None:
    lines = [f"mta@i{number} ({number % 3}) - 9.2 Mb\n" for number in range(20000)]
    lines.append(f"mta@prod ({10**18}) - 9e999 Mb\nwfserver@$(id) (1) - \x1b[2J Mb\n\x1b[31mx\n")
    tree.answer_pdump(PDUMP + "".join(lines))


@attack(
    NLSERVER,
    "it leaves a process in a session of its own that holds its output open",
    "the answer does not wait for it",
    blind=NLSERVER_PROBES,
)
def nlserver_leaves_a_process(tree: Tree) -> None:
    tree.nlserver_does("/usr/bin/setsid /bin/sleep 60 & /bin/echo done")


@attack(
    NLSERVER,
    "it halts, then kills, the process that started it, and its own group",
    "root's process is not reached, and answers",
    blind=ACCOUNT_PROBES,
)
def nlserver_kills_its_parent(tree: Tree) -> None:
    tree.nlserver_does("kill -STOP $PPID; kill -KILL $PPID; kill -KILL 0")


@attack(
    NLSERVER,
    "it looks for files that it was left open, and for secrets in what it was given",
    "it gets its three standard files and the account's environment, and nothing else",
)
def nlserver_looks_around(tree: Tree) -> None:
    found = tree.baits / "found"
    tree.nlserver_does(
        f"( for fd in /proc/self/fd/*; do readlink $fd; done; /usr/bin/env; cat /proc/self/status"
        f" ; cat /proc/$PPID/environ; cat /proc/$PPID/mem) > {found} 2>/dev/null\ncat"
        f" <<'END'\n{PDUMP}END"
    )


@nlserver_looks_around.judged
def _it_got_nothing(tree: Tree, outcome: Outcome) -> None:
    found = (tree.baits / "found").read_text(errors="replace")
    assert "ROOT_SECRET" not in found
    assert tree.world.canaries.secret not in found
    uid, gid = tree.world.account.pw_uid, tree.world.account.pw_gid
    for name, number in (("Uid", uid), ("Gid", gid)):
        assert f"{name}:\t{number}\t{number}\t{number}\t{number}\n" in found
    assert "CapEff:\t0000000000000000" in found
    assert str(tree.world.canaries.folder) not in found


@attack(
    NLSERVER,
    "it is ended by a signal, or by 255 and an error of 1 MB",
    ONLY_ITS_OWN,
    blind=NLSERVER_PROBES,
)
def nlserver_fails(tree: Tree) -> None:
    tree.nlserver_does("/usr/bin/head -c 1000000 /dev/urandom >&2; exit 255")


PROCESSES = "Processes and pid files"


def lies(tree: Tree) -> None:
    folder = tree.home / "lie"
    os.chdir(folder)
    words = [
        b"/usr/bin/nlserver",
        b"mta",
        b"-instance:prod\n\x1b[2J",
        b"-password:\xff",
        b"$(touch x)",
        b"x" * 100000,
    ]
    os.execve("/bin/sh", words, {})


@attack(
    PROCESSES,
    "a process calls itself nlserver mta, with control characters, bytes that are not UTF-8 and"
    " 100 KB of arguments",
    "the answer is clean and bounded",
    meanwhile=lies,
)
def process_that_lies(tree: Tree) -> None:
    folder = tree.home / "lie"
    folder.mkdir()
    (folder / "mta").write_text("printf ') R 1 1 (' > /proc/self/comm; /bin/sleep 60; :\n")


@process_that_lies.judged
def _it_is_told(tree: Tree, outcome: Outcome) -> None:
    told = outcome.data("processes")["modules"]
    assert [process["name"] for process in told] == ["mta"]
    assert len(outcome.output) < 200_000


@attack(
    PROCESSES,
    "the pid file is a link to root's private file",
    STAYS,
    options=lambda tree: {"pid_file": str(tree.var / "nlserver.pid")},
    blind=("storage",),
)
def pid_file_is_a_link(tree: Tree) -> None:
    tree.swap(tree.var / "nlserver.pid", tree.world.canaries.log)


@attack(
    PROCESSES,
    "the pid file is a FIFO",
    NAMED,
    blind=("storage",),
    options=lambda tree: {"pid_file": str(tree.var / "nlserver.pid")},
)
def pid_file_is_a_fifo(tree: Tree) -> None:
    tree.fifo(tree.var / "nlserver.pid")


@attack(
    PROCESSES,
    "the pid file says 1, the pid of init",
    "it is reported as not a watchdog's",
    options=lambda tree: {"pid_file": str(tree.var / "nlserver.pid")},
)
def pid_file_says_init(tree: Tree) -> None:
    (tree.var / "nlserver.pid").write_text("1\n")


@pid_file_says_init.judged
def _no_watchdog(tree: Tree, outcome: Outcome) -> None:
    assert outcome.data("storage")["pid_file"]["matches"] is False


@attack(
    PROCESSES,
    "declared files of the site below the home (quotas, results, rejects) are FIFOs and links"
    " to root's private file",
    STAYS,
    blind=("storage", "jobs"),
    options=lambda tree: {
        "quota_files": [str(tree.conf / "quota.conf")],
        "jobs": [
            {
                "name": "contacts",
                "kind": "import",
                "instance": "prod",
                "result": str(tree.var / "prod/import/*.done"),
                "rejects": str(tree.var / "prod/import/rejects*"),
            }
        ],
    },
)
def declared_files(tree: Tree) -> None:
    tree.swap(tree.conf / "quota.conf", tree.world.canaries.log)
    folder = tree.var / "prod" / "import"
    tree.fifo(folder / "rejects1")
    tree.swap(folder / "x.done", tree.world.canaries.log)
