# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The units and scripts that start Campaign and its front-end web server on this machine."""

import os
import re
import stat

from ..errors import ProbeError
from ..text import clean, decode, number

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, List

    from ..command import Runner

    Entry = Dict[str, Any]

TEXT_LIMIT = 64 * 1024
UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,PIDFile"
JOURNAL_LINES = 30
# The time, the host, the program with its process, and what it said.
_JOURNAL = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) \S{1,255} ([^\s:\[]{1,80})(?:\[\d{1,10}\])?: (.*)")
NO_WAY: "Entry" = {"unit": None, "active": False, "init_script": None}
STANDARD_HOME = "/usr/local/neolane/nl6"
INIT_SCRIPTS = ("/etc/init.d/nlserver6", "/etc/init.d/nlserver")


def units(text: str) -> "List[Dict[str, str]]":
    """Blocks of `systemctl show`: one mapping a unit."""
    blocks = []
    for block in text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if values:
            blocks.append(values)
    return blocks


def read_service(options: "Entry", runner: "Runner", limit: float) -> "Entry":
    """The server's unit, and that of the front-end web server of it."""
    unit = options["service"]
    front = options["front_service"]
    names = [name if "." in name else name + ".service" for name in (unit, front) if name]
    script = next((path for path in INIT_SCRIPTS if os.path.exists(path)), None)
    data: "Entry" = {
        "manager": "init" if script else "none",
        "unit": unit,
        "load_state": None,
        "active_state": None,
        "sub_state": None,
        "enabled": None,
        "main_pid": None,
        "pid_file": None,
        "init_script": script,
        "front": None,
        "journal": [],
    }
    if not os.path.isdir("/run/systemd/system"):
        return data
    data["manager"] = "systemd"
    try:
        result = runner.run(
            ["systemctl", "show", "--no-pager", "-p", UNIT_PROPERTIES] + names,
            limit,
        )
    except ProbeError as error:
        error.data = data
        raise
    blocks = units(decode(result.out))
    if result.return_code or len(blocks) != len(names):
        text = clean(decode(result.err).strip(), 200)
        raise ProbeError("failed", "systemctl show: " + (text or "no answer"), data)
    data.update(_unit(blocks[0]))
    data["main_pid"] = number(blocks[0].get("MainPID"), 0) or None
    data["pid_file"] = blocks[0].get("PIDFile") or None
    if front:
        data["front"] = dict(_unit(blocks[1]), unit=front)
    if data["load_state"] == "loaded" and data["active_state"] != "active":
        data["journal"] = journal(runner, names[0], limit)
    return data


def journal(runner: "Runner", unit: str, limit: float) -> "List[Entry]":
    """The last lines of a unit's journal; none if they cannot be read. Only for a unit that does
    not run: they may say why, and searching a large journal takes time.
    """
    command = ["journalctl", "--no-pager", "-q", "-n", str(JOURNAL_LINES), "-o", "short-unix"]
    try:
        text = decode(runner.run(command + ["-u", unit], limit).out)
    except ProbeError:
        return []
    found = [_JOURNAL.match(line) for line in text.split("\n")[-JOURNAL_LINES - 1 :]]
    return [
        {"at": float(line.group(1)), "source": clean(line.group(2), 80),
         "text": clean(line.group(3), 300)}
        for line in found if line
    ]  # fmt: skip


def _unit(values: "Dict[str, str]") -> "Entry":
    state = values.get("UnitFileState")
    return {
        "load_state": values.get("LoadState") or None,
        "active_state": values.get("ActiveState") or None,
        "sub_state": values.get("SubState") or None,
        "enabled": state.startswith("enabled") if state else None,
    }


class NotRoots(Exception):
    """A file that root must not run, as another account can write it."""


def text_of_unit(runner: "Runner", unit: str, limit: float) -> str:
    """Its unit file with drop-ins; empty if it cannot be read."""
    try:
        return decode(runner.run(["systemctl", "cat", "--no-pager", unit], limit).out)
    except ProbeError:
        return ""


def text_of_script(path: str) -> str:
    """The beginning of an init script. Raises NotRoots if another account than root can change it,
    or one of the folders above it: then it is not run.
    """
    real = os.path.realpath(path)
    place = real
    while True:
        status = os.stat(place)
        if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise NotRoots(
                "%s is not run as root: an account other than root can change %s. Make root its"
                " owner and remove write access for others (chown root, chmod go-w), or set the"
                " option service to ''." % (path, place)
            )
        if place == "/":
            break
        place = os.path.dirname(place)
    try:
        with open(real, "rb") as stream:
            return decode(stream.read(TEXT_LIMIT))
    except OSError:
        return ""


def way(options: "Entry", home: str, runner: "Runner", limit: float, data: "Entry") -> "Entry":
    """By what the watchdog is started here, of what read_service found: its unit, its init script,
    or neither: then by nlserver itself. A unit or script of another home is not this one's.

    Raises NotRoots for a script that root must not run.
    """
    if os.geteuid() != 0 or not options["service"]:
        return dict(NO_WAY)
    places = {options["home"].rstrip("/"), home}

    def named(text: "Callable[[], str]") -> bool:
        """The vendor's home needs no naming: the vendor's unit is made for it."""
        if STANDARD_HOME in places:
            return True
        said = text()
        return any(place in said for place in places)

    unit, script = data["unit"], data["init_script"]
    if data["load_state"] == "loaded" and named(lambda: text_of_unit(runner, unit, limit)):
        return dict(NO_WAY, unit=unit, active=data["active_state"] == "active")
    if script:
        text = text_of_script(script)
        if named(lambda: text):
            return dict(NO_WAY, init_script=script)
    return dict(NO_WAY)
