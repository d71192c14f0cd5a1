# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The ansible-playbook process that a task belongs to, and whether another one still lives.

By it the lock of a host knows its run (module_utils/_campaign/record/lock.py).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import proc
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import lock

Json = dict[str, Any]


def main_process() -> int:
    """The process id of ansible-playbook: tasks run in its children."""
    parent = multiprocessing.parent_process()
    return os.getpid() if parent is None or parent.pid is None else parent.pid


def start_of(pid: int) -> int | None:
    """When a process began, in ticks since the boot; None if that cannot be seen."""
    return proc.start_of(pid)


def identity() -> Json | None:
    """This ansible-playbook, uniquely identified; None if that is impossible."""
    pid = main_process()
    start = start_of(pid)
    boot = lock.boot()
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
    if start is None or not boot:
        return None
    return {
        "host": platform.node(), "boot": boot, "space": space, "pid": pid, "start": start,
    }  # fmt: skip


def run_name(me: Mapping[str, Any]) -> str:
    """One name for all that this ansible-playbook does, on every host."""
    ticks = os.sysconf("SC_CLK_TCK")
    began = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + me["start"] / ticks
    text = " ".join(str(me[name]) for name in lock.CONTROLLER)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began))
    return f"{stamp}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def lives(pid: int, start: int) -> bool:
    """Is that process still there? One that may not be looked at counts as living."""
    found = start_of(pid)
    if found is not None:
        return found == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def judged(me: Mapping[str, Any] | None, holder: object) -> tuple[str, bool] | None:
    """The process of the run that has a host, if it is one of this machine, and whether it exists.

    The host only names the process; whether it exists is checked here.
    """
    theirs: Any = holder.get("controller") if isinstance(holder, dict) else None
    if not lock.is_controller(theirs):
        return None
    if not lock.same_place(theirs, me):
        return None
    pid, start = int(theirs["pid"]), int(theirs["start"])
    token = lock.token({"pid": pid, "start": start})
    return (token, lives(pid, start)) if 0 < pid < 2**31 else None
