"""Links, files that are none, and names."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from hostile.attacks.environment import AS_ACCOUNT
from hostile.table import ACCOUNT_PROBES, EVIDENCE, attack
from hostile.world import Tree

LINKS = "Links"
STAYS = "nothing of root's is read or changed through it"


@attack(
    LINKS,
    "`conf` is a link to root's private folder with a serverConf.xml",
    STAYS,
    blind=("configuration",),
)
def conf_is_a_link(tree: Tree) -> None:
    tree.swap(tree.conf, tree.world.canaries.private)


@attack(
    LINKS,
    "`serverConf.xml` and an instance's file are links to root's private files",
    STAYS,
    blind=("configuration",),
)
def conf_files_are_links(tree: Tree) -> None:
    tree.swap(tree.conf / "serverConf.xml", tree.world.canaries.conf)
    tree.swap(tree.conf / "config-prod.xml", "/etc/shadow")


@attack(
    LINKS,
    "`serverConf.xml` is a link to `/dev/zero`, an instance's file one to `/dev/stdin`, others"
    " to `/proc/self/fd/0` and `/dev/tty` (device nodes of its own an account cannot make)",
    "the probe names them and ends in time",
    blind=("configuration",),
)
def conf_files_are_devices(tree: Tree) -> None:
    for name, device in (
        ("serverConf", "/dev/zero"),
        ("config-prod", "/dev/stdin"),
        ("config-a", "/proc/self/fd/0"),
        ("config-b", "/dev/tty"),
    ):
        tree.swap(tree.conf / f"{name}.xml", device)


@attack(
    LINKS, "`var` is a link to root's private folder", STAYS, blind=("logs", "storage", "jobs")
)
def var_is_a_link(tree: Tree) -> None:
    tree.swap(tree.var, tree.world.canaries.private)


@attack(
    LINKS,
    "an instance's folder, its `log` and its spool are links to root's private folder",
    STAYS,
    blind=("logs", "storage", "jobs"),
)
def instance_is_a_link(tree: Tree) -> None:
    tree.swap(tree.var / "prod", tree.world.canaries.private)
    tree.swap(tree.var / "default" / "log", tree.world.canaries.private)


@attack(
    LINKS,
    "a log is a link to root's private file, another to `/etc/shadow`",
    STAYS,
    blind=("logs",),
)
def log_is_a_link(tree: Tree) -> None:
    tree.swap(tree.log, tree.world.canaries.log)
    tree.swap(tree.logs / "wfserver.log", "/etc/shadow")


@attack(
    LINKS,
    "logs are links to `/proc/self/environ`, `/proc/self/mem`, `/proc/1/environ`,"
    " `/proc/kmsg` and `/proc/self/fd/1`",
    "what root's process holds does not come out",
    blind=("logs",),
)
def logs_are_links_to_proc(tree: Tree) -> None:
    for name, target in (
        ("mta", "self/environ"),
        ("stat", "self/mem"),
        ("wfserver", "1/environ"),
        ("inMail", "kmsg"),
        ("own", "self/fd/1"),
    ):
        tree.swap(tree.logs / f"{name}.log", "/proc/" + target)


@attack(
    LINKS,
    "a log is a hard link to a file of root's that everybody may write (the kernel refuses"
    " others)",
    "its owner, mode and contents stay",
    EVIDENCE,
)
def log_is_a_hard_link(tree: Tree) -> None:
    tree.log.unlink()
    os.link(tree.world.canaries.common, tree.log)


@attack(
    LINKS,
    "links lead in a circle: `var/prod` to itself, a log to its folder, 45 links in a chain",
    "the probes name them",
    blind=("logs", "storage", "jobs"),
)
def circular_links(tree: Tree) -> None:
    tree.swap(tree.var / "prod", "prod")
    folder = tree.var / "default" / "log"
    tree.swap(folder / "web.log", ".")
    for number in range(45):
        (folder / f"chain{number}.log").symlink_to(f"chain{number + 1}.log")


@attack(
    LINKS,
    "`bin` and `bin/nlserver` are links to folders and programs of root's",
    AS_ACCOUNT,
    blind=("pdump", "missing"),
)
def nlserver_is_a_link(tree: Tree) -> None:
    tree.swap(tree.nlserver, "/usr/bin/id")


@attack(
    LINKS,
    "`env.sh` is a link to root's private file, `customer.sh` a link to itself",
    STAYS,
    blind=ACCOUNT_PROBES,
)
def env_sh_is_a_link(tree: Tree) -> None:
    tree.swap(tree.home / "customer.sh", "customer.sh")
    tree.swap(tree.home / "env.sh", tree.world.canaries.log)


FILES = "Special and huge files, and names"
NAMED = "the probe names it and does not wait; all else answers"


@attack(FILES, "a log is a FIFO, another a socket, a third a folder", NAMED, blind=("logs",))
def special_logs(tree: Tree) -> None:
    tree.fifo(tree.log)
    tree.fifo(tree.logs / "wfserver.log")
    (tree.logs / "stat.log").mkdir()
    os.chdir(tree.logs)
    socket.socket(socket.AF_UNIX).bind("inMail.log")


@attack(
    FILES,
    "a configuration file, `env.sh` and `customer.sh` are FIFOs",
    NAMED,
    blind=ACCOUNT_PROBES,
    seconds=4.0,
)
def special_configuration(tree: Tree) -> None:
    tree.fifo(tree.conf / "config-prod.xml")
    tree.fifo(tree.conf / "config-other.xml")
    tree.fifo(tree.home / "customer.sh")


@attack(FILES, "`bin/nlserver` is a FIFO", NAMED, blind=("pdump", "missing"))
def nlserver_is_a_fifo(tree: Tree) -> None:
    tree.fifo(tree.nlserver)
    tree.nlserver.chmod(0o777)


@attack(
    FILES,
    "a log is a sparse file of 1 TB, another one line of 20 MB, a third bytes that are not text",
    "the answer is in time and bounded",
)
def huge_logs(tree: Tree) -> None:
    with tree.log.open("r+b") as stream:
        stream.truncate(2**40)
    (tree.logs / "wfserver.log").write_bytes(b"x" * (20 << 20))
    (tree.logs / "stat.log").write_bytes(bytes(range(256)) * 4000)


@attack(
    FILES,
    "a log grows without end while it is read",
    "the answer is in time and bounded",
    meanwhile=lambda tree: _append(tree.log, tree.line("failed")),
)
def growing_log(tree: Tree) -> None:
    tree.log.write_text(tree.line("failed") * 1000)


def _append(path: Path, text: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and path.stat().st_size < 200 << 20:
        with path.open("a") as stream:
            stream.write(text * 1000)
        time.sleep(0.002)


@attack(
    FILES,
    "configuration files with a newline, a control sequence, `$(…)`, a leading dash or"
    " bytes that are not UTF-8 in their names",
    "the host is seen all the same",
    blind=("configuration",),
)
def names_of_instances(tree: Tree) -> None:
    folder = os.fsencode(tree.conf)
    text = (tree.conf / "config-prod.xml").read_bytes()
    for name in (
        b"bad\xff",
        b"a\nb",
        b"\x1b[2Jx",
        b"$(touch x)",
        b"-rf",
        b" ",
        b"x" * 240,
        b"..",
        b"\xe2\x80\xaex",
    ):
        with open(folder + b"/config-" + name + b".xml", "wb") as stream:
            stream.write(text)


@attack(
    FILES,
    "the same in the names of logs, of core files and of folders below `var`",
    "the host is seen all the same",
    blind=("logs", "storage"),
)
def names_of_logs(tree: Tree) -> None:
    for name in (b"bad\xff", b"a\nb", b"\x1b[2Jx", b"$(touch x)", b"-rf", b" ", b"x" * 240):
        path = os.fsencode(tree.logs) + b"/" + name
        with open(path + b".log", "wb") as stream:
            stream.write(tree.line("failed").encode())
        os.mkdir(path)
        with open(os.fsencode(tree.var) + b"/core." + name[:9] + b"1", "wb") as stream:
            stream.write(b"x")


@attack(FILES, "3,000 instances", "the answer is in time and bounded", blind=ACCOUNT_PROBES)
def thousands_of_instances(tree: Tree) -> None:
    text = (tree.conf / "config-prod.xml").read_text()
    for number in range(3000):
        (tree.conf / f"config-i{number:04}.xml").write_text(text)


@attack(
    FILES,
    "20,000 logs of one instance and 20,000 files in its spool",
    "the answer is in time and bounded",
    blind=("logs", "storage"),
)
def thousands_of_files(tree: Tree) -> None:
    for folder, suffix in ((tree.logs, ".log"), (tree.var / "prod" / "mta", "")):
        folder.mkdir(exist_ok=True)
        for number in range(20000):
            os.close(os.open(f"{folder}/x{number}{suffix}", os.O_WRONLY | os.O_CREAT))


@attack(
    FILES,
    "the spool has folders in folders, 2,000 deep and paths beyond 5 KB",
    "the answer is in time and bounded",
    blind=("storage",),
)
def deep_folders(tree: Tree) -> None:
    os.makedirs(tree.var / "prod" / "mta")
    os.chdir(tree.var / "prod" / "mta")
    for _number in range(2000):
        os.mkdir("deeper")
        os.chdir("deeper")


@attack(
    FILES,
    "the working path of mta is `/`, its own root or a way out (`../../..`)",
    "the count ends in time",
    blind=("storage",),
)
def spool_is_everything(tree: Tree) -> None:
    for instance, path in (
        ("prod", "/"),
        ("two", "../../../../../../.."),
        ("three", "/proc/self/root"),
    ):
        (tree.conf / f"config-{instance}.xml").write_text(
            f'<serverconf><shared><mta workingPath="{path}"/></shared></serverconf>'
        )
