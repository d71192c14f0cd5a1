# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ending a process that holds a port, and never another one that has reused its number."""

import os
import signal

from ..host import proc

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Optional

    Entry = Dict[str, Any]

CLOCK_SECONDS = 1.0  # the boot time is in whole seconds


class NotEnded(Exception):
    """Why the process was not ended."""


def end_holder(options: "Entry", apply: bool) -> "Entry":
    """End this process if it still is the one that held the port."""
    pid, port, proto = options["pid"], options["port"], options["proto"]
    where = "%d/%s" % (port, proto)
    if pid <= 1:
        raise NotEnded("Process %d must not be ended." % pid)
    handle = _handle(pid)
    try:
        start = proc.start_of(pid)
        if start is None or not _holds(pid, port, proto):
            return _unchanged("Process %d no longer holds %s." % (pid, where))
        _same(options, start)
        if apply:
            # Without a handle the number could still be given away between these two lines.
            if proc.start_of(pid) != start:
                return _unchanged("Process %d has already ended." % pid)
            _terminate(pid, handle)
    except ProcessLookupError:
        return _unchanged("Process %d has already ended." % pid)
    except PermissionError:
        raise NotEnded("This account is not permitted to end process %d." % pid) from None
    finally:
        if handle is not None:
            os.close(handle)
    text = "SIGTERM was sent to process %d, which held %s." % (pid, where)
    return {"changed": True, "commands": [["kill", str(pid)]], "msg": text}


def _unchanged(text: str) -> "Entry":
    return {"changed": False, "commands": [], "msg": text}


def _handle(pid: int) -> "Optional[int]":
    """A pidfd of the process; None where the kernel or Python has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _terminate(pid: int, handle: "Optional[int]") -> None:
    if handle is not None:
        getattr(signal, "pidfd_send_signal")(handle, signal.SIGTERM)  # noqa: B009 (not in 3.6)
    else:
        os.kill(pid, signal.SIGTERM)


def _holds(pid: int, port: int, proto: str) -> bool:
    found = proc.listening(proto, [port], proc.READINGS)
    inodes = [entry["inode"] for entry in found if entry["inode"]]
    return bool(inodes and proc.holders(inodes, [pid]))


def _same(options: "Entry", start: int) -> None:
    """Raises unless the process has the name that was found, and was there at that time."""
    pid = options["pid"]
    try:
        name, instance, _rest, _precision, product = proc.describe_arguments(proc.command_line(pid))
    except TimeoutError:
        raise NotEnded(
            "The command line of process %d cannot be read: it was not ended." % pid
        ) from None
    except OSError:
        raise ProcessLookupError from None
    command = "nlserver %s@%s" % (name, instance) if product else name
    if command != options["holder"]:
        raise NotEnded(
            "Process %d is now %s, not %s: it was not ended." % (pid, command, options["holder"])
        )
    boot = proc.boot_time()
    began = boot is not None and boot + start / float(os.sysconf("SC_CLK_TCK"))
    if began and options["found_at"] and began > options["found_at"] + CLOCK_SECONDS:
        raise NotEnded(
            "Process %d started after the port was checked: it was not ended." % pid
        )
