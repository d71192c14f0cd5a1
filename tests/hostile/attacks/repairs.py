"""Repairs, jobs and check mode."""

from __future__ import annotations

from hostile.attacks.answers import lies, process_that_lies
from hostile.attacks.environment import AS_ACCOUNT, fake_programs
from hostile.attacks.files import STAYS
from hostile.attacks.state import exchange, state_files_are_links, state_is_a_link
from hostile.table import CHECK, JOB, MOVE_TMP, PID_FILE, RESTART, attack
from hostile.world import PDUMP, Outcome, Tree

REPAIRS = "Repairs"
ENDS = "it is reported as failed in the time of the command, and nothing is left behind"


@attack(REPAIRS, "`nlserver restart` writes without end", ENDS, RESTART)
def restart_floods(tree: Tree) -> None:
    size = tree.baits / "size"
    tree.nlserver_does(
        f"[ $1 = pdump ] && exit; /usr/bin/yes &\n/bin/sleep 1; stat -L -c %s /proc/$$/fd/1 >"
        f" {size}; wait"
    )


@restart_floods.judged
def _the_disk_did_not_fill_up(tree: Tree, outcome: Outcome) -> None:
    assert outcome.answer["failed"]
    assert len(outcome.output) < 100_000
    size = tree.baits / "size"
    assert not size.exists() or int(size.read_text()) < 1 << 20, (
        "what it writes goes to a file of root's"
    )


@attack(REPAIRS, "`nlserver restart` hangs and ignores signals", ENDS, RESTART)
def restart_hangs(tree: Tree) -> None:
    tree.nlserver_does(
        "[ $1 = pdump ] && exit; trap '' TERM INT HUP; while :; do /bin/sleep 60; done"
    )


@attack(
    REPAIRS,
    "`nlserver` runs its baits in a repair: `PATH`, `LD_PRELOAD`, `LD_AUDIT`, `BASH_ENV`",
    AS_ACCOUNT,
    RESTART,
)
def restart_with_environment(tree: Tree) -> None:
    fake_programs.prepare(tree)
    script = tree.script(tree.baits / "startup", tree.note())
    tree.export(
        f"export LD_PRELOAD={tree.library('preload.so')} LD_AUDIT={tree.library('audit.so')}"
    )
    tree.export(f"export BASH_ENV={script} ENV={script}")
    tree.nlserver_does(tree.note())


@attack(
    REPAIRS,
    "the same in check mode, with evidence asked for",
    "nothing is changed or run but as the account",
    CHECK,
)
def check_mode_with_environment(tree: Tree) -> None:
    restart_with_environment.prepare(tree)
    state_is_a_link.prepare(tree)


@attack(
    REPAIRS,
    "the process to be restarted is another's: a `pdump` that names root's pids and a process"
    " that calls itself mta",
    "no process of root's is signalled",
    RESTART,
    meanwhile=lies,
)
def restart_of_a_lie(tree: Tree) -> None:
    process_that_lies.prepare(tree)
    tree.answer_pdump(PDUMP + "mta@prod (1) - 9.2 Mb\n")


@attack(REPAIRS, "an export's log, result and record are links to root's files", STAYS, JOB)
def job_through_links(tree: Tree) -> None:
    tree.swap(tree.logs / "export.log", tree.world.canaries.log)
    tree.swap(tree.var / "prod" / "export", tree.world.canaries.private)
    state_files_are_links.prepare(tree)


@attack(
    REPAIRS,
    "an export writes without end",
    "what is kept of it is limited, and the job is reported as failed",
    JOB,
)
def job_floods(tree: Tree) -> None:
    size = tree.baits / "size"
    tree.nlserver_does(
        "[ $1 = pdump ] && exit; trap '' XFSZ PIPE; timeout 1 /usr/bin/yes;"
        f" stat -L -c %s /proc/$$/fd/1 > {size}; exit 3"
    )


@job_floods.judged
def _what_is_kept_is_bounded(tree: Tree, outcome: Outcome) -> None:
    assert outcome.answer["failed"]
    size = tree.baits / "size"
    assert not size.exists() or int(size.read_text()) < 16 << 20, "its output fills the disk"


FILES = "Files that a repair changes"
OWN_ONLY = "it is done with the account's rights, or refused in a line"


@attack(
    FILES, "`var/tmp` is a link to root's folder, or to root's private file", OWN_ONLY, MOVE_TMP
)
def tmp_is_a_link(tree: Tree) -> None:
    tree.swap(tree.var / "tmp", tree.world.canaries.directory)


@attack(
    FILES, "`customer.sh` is a link to a file of root's that all may read", OWN_ONLY, MOVE_TMP
)
def customer_sh_is_a_link(tree: Tree) -> None:
    tree.swap(tree.home / "customer.sh", tree.world.canaries.directory / "customer.sh")


@attack(FILES, "`customer.sh` is a link to root's private file", OWN_ONLY, MOVE_TMP)
def customer_sh_is_private(tree: Tree) -> None:
    tree.swap(tree.home / "customer.sh", tree.world.canaries.log)


@attack(FILES, "`customer.sh` is a FIFO, which env.sh does not read", OWN_ONLY, MOVE_TMP)
def customer_sh_is_a_fifo(tree: Tree) -> None:
    (tree.home / "env.sh").write_text("export HOSTILE=1\n")
    tree.fifo(tree.home / "customer.sh")


@attack(FILES, "`customer.sh` has 50 MB and lines without an end", OWN_ONLY, MOVE_TMP)
def customer_sh_is_huge(tree: Tree) -> None:
    (tree.home / "env.sh").write_text("export HOSTILE=1\n")
    (tree.home / "customer.sh").write_text("#" * (50 << 20) + "\nexport TMPDIR" + " " * 100000)


@attack(FILES, "`XTK_VAR_DIR` is root's folder", OWN_ONLY, MOVE_TMP)
def tmp_in_roots_folder(tree: Tree) -> None:
    tree.export(f"export XTK_VAR_DIR={tree.world.canaries.directory}")


@attack(
    FILES,
    "the folder of the pid file is a link to root's folder, with a file of that name",
    OWN_ONLY,
    PID_FILE,
    options=lambda tree: {"pid_file": str(tree.root / "run" / "nlserver.pid")},
)
def pid_folder_is_a_link(tree: Tree) -> None:
    (tree.root / "run").symlink_to(tree.world.canaries.directory)


@attack(
    FILES,
    "the folder of the pid file becomes that link while the file is removed",
    OWN_ONLY,
    PID_FILE,
    options=lambda tree: {"pid_file": str(tree.root / "run" / "nlserver.pid")},
    meanwhile=lambda tree: exchange(tree.root / "run"),
    delayed=True,
)
def pid_folder_is_exchanged(tree: Tree) -> None:
    (tree.root / "run").mkdir()
    (tree.root / "run" / "nlserver.pid").write_text("999999999\n")


@attack(
    FILES,
    "the pid file is a folder with a link to root's folder in it",
    OWN_ONLY,
    PID_FILE,
    options=lambda tree: {"pid_file": str(tree.root / "nlserver.pid")},
)
def pid_file_is_a_folder(tree: Tree) -> None:
    (tree.root / "nlserver.pid").mkdir()
    (tree.root / "nlserver.pid" / "x").symlink_to(tree.world.canaries.directory)
