"""A lab whose folder is deleted while it runs: nothing of it stays, seen from outside."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.harness import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10
FAULTS = (
    # Processes outside the home, halted ones, jobs, commands that hang, memory, a mount.
    ("app1", "tmp_other_device"), ("app1", "syslogd_port_taken"), ("app1", "machine_zombies"),
    ("app1", "module_hung:wfserver"),
    ("app2", "export_running_too_long"), ("app2", "trace_left_on"),
    ("app2", "shared_memory_left"), ("app2", "disk_full"), ("app2", "nlserver_hangs"),
)  # fmt: skip


def processes_of(root: Path) -> dict[tuple[int, str], str]:
    """Pid and start of each process that works below the folder or names it; its command line."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = str((entry / "cwd").readlink())
            command = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and (f"{where}/".startswith(f"{root}/") or f"{root}" in command):
            found[int(entry.name), fields[19]] = f"{command} in {where}"
    return found


def kept_by_the_system(lab: Any) -> list[str]:
    """Shared memory and semaphores with keys of the lab's servers; mounts below its folder."""
    keys = {key for server in lab.servers.values() for key in server.shared_memory_keys}
    mounts = Path("/proc/mounts").read_text().splitlines()
    found = [line for line in mounts if f"{lab.root}" in line]
    for kind in ("shm", "sem", "msg"):
        lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
        found += [line for line in lines if int(line.split()[0]) & 0xFFFFFFFF in keys]
    return found


def delete(root: Path) -> None:
    """As a person would; a mount below it stays, and says so."""
    subprocess.run(["rm", "-rf", str(root)], capture_output=True, check=False, timeout=30)


def test_all_of_a_deleted_lab_ends(empty_lab: Callable[..., Any]) -> None:
    lab = empty_lab()
    lab.labctl("up", "--server", "app1", "--server", "app2")
    for server, fault in FAULTS:
        lab.labctl("break", fault, "--server", server)
    hanging = subprocess.Popen([lab.servers["app2"].home.join("bin/nlserver"), "pdump"],
                               cwd="/", **owner_of(lab.home))
    before, servers = processes_of(lab.root), lab.servers
    folders = [Path(server.other_device) for server in servers.values()]
    kept = kept_by_the_system(lab)
    shown = " ".join(before.values())
    for name in ("peers.py", "helpers.py", "wfserver", "export", "front", "bin/nlserver pdump"):
        assert name in shown, shown
    assert len(kept) >= 5, kept
    assert any(folder.exists() for folder in folders)

    lab_as_it_was = type("Lab", (), {"servers": servers, "root": lab.root})
    delete(lab.root)
    deadline = time.monotonic() + SECONDS
    while (processes_of(lab.root) or kept_by_the_system(lab_as_it_was)) \
            and time.monotonic() < deadline:
        hanging.poll()
        time.sleep(0.1)
    assert processes_of(lab.root) == {}
    assert kept_by_the_system(lab_as_it_was) == []
    assert not any(folder.exists() for folder in folders)
    assert hanging.wait(1) != 0
    delete(lab.root)  # what the mount held
    assert not lab.root.exists(), list(lab.root.rglob("*"))


def test_a_lab_is_made_anew_where_one_was_just_deleted(empty_lab: Callable[..., Any]) -> None:
    """The ports are the same: those that hold them end first."""
    lab = empty_lab()
    lab.labctl("up")
    before = processes_of(lab.root)
    delete(lab.root)
    lab.labctl("up")
    assert not set(before) & set(processes_of(lab.root))
    assert lab.labctl("status").returncode == 0
