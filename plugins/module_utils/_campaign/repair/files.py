# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that a remedy changes: the account's by its child, root's own as root."""

import os
import stat

from ..account import probes, tree
from ..errors import ProbeError
from ..host import proc
from ..record.store import StoreError, walk
from . import guard

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

    from ..account.probes import Server
    from ..snapshot.probes import Context

    Entry = Dict[str, Any]


class NotChanged(Exception):
    """Why nothing was changed."""


def _context(options: "Entry") -> "Context":
    """The installation, with the limits of a diagnosis."""
    more = dict((name, entry.get("default")) for name, entry in guard.argument_spec().items())
    return guard.open_context(dict(more, **options))


def move_tmp(options: "Entry", apply: bool) -> "Entry":
    """Move TMPDIR to the device of the spools."""
    context = _context(options)

    def work(server: "Server") -> "Entry":
        probes.read_installation(server)
        server.choose([])
        return tree.move_tmp(server, probes.spools(server), apply)

    told: "Entry" = context.ask(work, shape=tree.MOVED, ready=False)
    if told["site"]:
        raise NotChanged(
            "%s already sets TMPDIR (line %d: %s) and was not changed. Change that line to: %s"
            % (told["script"], told["site"]["number"], told["site"]["line"], told["line"])
        )
    if told["other"]:
        raise NotChanged(
            "%s is not on the same device as %s, so nothing was changed. In %s, set TMPDIR to a"
            " directory on that device."
            % (
                told["path"],
                " and ".join("%s (%s)" % (o["path"], o["instance"]) for o in told["other"]),
                told["script"],
            )
        )
    added = "".join(command[1] + "\n" for command in told["commands"] if command[0] == tree.SCRIPT)
    return {
        "changed": told["changed"],
        "commands": told["commands"],
        "msg": "TMPDIR is %s%s." % (told["path"], "" if told["changed"] else " already"),
        "diff": {"before_header": told["script"], "after_header": told["script"],
                 "before": "", "after": added},
    }  # fmt: skip


def remove_pid_file(options: "Entry", apply: bool) -> "Entry":
    """Remove a pid file that names a process other than a watchdog."""
    context = _context(options)
    path = options["pid_file"]
    if not path:
        path = context.service()["pid_file"]
    blank = {"changed": False, "commands": [], "diff": {"before": "", "after": ""}}
    if not path:
        return dict(blank, msg="The server's unit names no pid file.")
    found = context.ask(lambda dummy: tree.remove_pid_file(path, None, False), shape=tree.REMOVED)
    if not found["exists"]:
        return dict(blank, msg="%s does not exist." % path)
    pid = found["pid"]
    watchdog = proc.watchdog(pid)["matches"]
    if watchdog is None:
        raise NotChanged(
            "%s names process %d, whose command line cannot be read: it is unknown whether it is a"
            " watchdog." % (path, pid)
        )
    if watchdog:
        return dict(blank, msg="%s names a running watchdog (pid %d)." % (path, pid))
    try:
        told = context.ask(lambda dummy: tree.remove_pid_file(path, pid, apply), shape=tree.REMOVED)
        removed = told["changed"]
    except ProbeError as error:
        if error.kind != "denied" or os.geteuid() != 0:
            raise
        removed = _remove_as_root(path, apply)
    text = "%s names %s, which is not a watchdog" % (path, "no process" if pid is None else pid)
    return {
        "changed": removed,
        "commands": [["rm", path]] if removed else [],
        "msg": "%s: %s." % (text, "removed" if removed else "not removed, because the file changed"
                                                            " meanwhile"),
        "diff": {"before": path + "\n" if removed else "", "after": ""},
    }


def _remove_as_root(path: str, apply: bool) -> bool:
    """A file that the account may not remove, in a folder that only root can change."""
    try:
        descriptor = walk(os.path.dirname(path))
    except StoreError as error:
        raise NotChanged(str(error).partition(" Choose")[0]) from None
    except OSError as error:
        raise NotChanged("%s: %s." % (path, error.strerror)) from None
    try:
        name = os.path.basename(path)
        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise NotChanged("%s is not a regular file and was not removed." % path)
        if apply:
            os.unlink(name, dir_fd=descriptor)
    except OSError as error:
        raise NotChanged("%s: %s." % (path, error.strerror)) from None
    finally:
        os.close(descriptor)
    return True
