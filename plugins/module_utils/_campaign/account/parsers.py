# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text in, data out: what the commands of the server and of the system print."""

import re
import string

from ..names import DEFAULT, MODULES, OTHER_MODULES
from ..text import clean

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    Entry = Dict[str, Any]

_STAMP = re.compile(r"^\d{1,2}:\d\d:\d\d\s*>\s*")
_TASK = re.compile(r"^([A-Za-z]\w*)(?:@([\w.-]+))?\s*\((\d{1,10})\)\s*-\s*(\S.*)$")
_AMOUNT = re.compile(r"^[\d.,\u00a0 ]{1,40}$")
_BUILD = re.compile(r"\bbuild\b|^\d+\.", re.I)
_NOTHING = re.compile(r"^(no tasks?|aucune t)", re.I)
_SECTION = "--------"
TASKS = 2000
_LETTERS = string.ascii_letters
_NAME = re.compile(r"^([A-Za-z]\w*)(?:@([\w.-]+))?$")
BYTE = 1 / 1048576.0  # B, o
_MEGABYTES = {"K": 1 / 1024.0, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024, "": 1.0}


def pdump(text: str) -> "Entry":
    """The running modules, in any of the forms that builds and languages give them."""
    header: "Optional[str]" = None
    build: "Optional[str]" = None
    tasks: "List[Entry]" = []
    strange: "List[str]" = []
    for line in map(str.strip, text.splitlines()):
        body = _STAMP.sub("", line).strip()
        if not body or _NOTHING.match(body):
            continue
        if body.endswith(_SECTION):  # pdump -who: operators and connection pools follow
            break
        task = _task(body)
        if task:
            if len(tasks) < TASKS:
                tasks.append(task)
        elif header is None and (body != line or _build(body)) and not tasks:
            header = clean(body, 200)
            build = _build(body)
        elif len(strange) < 20:
            strange.append(clean(line, 300))
    return {"build": build, "header": header, "tasks": tasks, "unrecognised": strange}


def _task(body: str) -> "Optional[Entry]":
    """One running module, None if the line is about something else."""
    found = _TASK.match(body)
    if not found:
        return None
    module, instance, pid, rest = found.groups()
    amount = rest.rstrip(_LETTERS)
    if not _AMOUNT.match(amount):
        return None
    return {
        "module": clean(module, 80),
        "instance": clean(instance or DEFAULT, 80),
        "pid": int(pid),
        "memory_mb": _megabytes(amount, rest[len(amount) :][:1].upper()),
    }


def _build(body: str) -> "Optional[str]":
    """The build in brackets; newer builds have the date there, too."""
    for part in body[:2000].split("(")[1:]:
        inside, bracket, dummy = part.partition(")")
        if bracket and _BUILD.search(inside):
            return clean(inside.partition(" of ")[0].strip(), 200)
    return None


def _megabytes(amount: str, unit: str) -> "Optional[float]":
    amount = re.sub(r"[^\d.,]", "", amount)
    if "," in amount and "." in amount:
        amount = amount.replace(",", "" if amount.rfind(".") > amount.rfind(",") else ".")
    try:
        return round(float(amount.replace(",", ".")) * _MEGABYTES.get(unit, BYTE), 3)
    except ValueError:
        return None


def missing(text: str) -> "Entry":
    """What `nlserver monitor -missing` lists: one module a line."""
    known = MODULES + OTHER_MODULES
    modules = []
    for line in text.splitlines():
        found = _NAME.match(_STAMP.sub("", line.strip()).strip())
        if found and found.group(1) in known:
            modules.append({"module": found.group(1), "instance": found.group(2) or DEFAULT})
    return {"modules": modules[:TASKS]}


def environment(data: bytes) -> "Dict[str, str]":
    """The variables that `env -0` prints."""
    variables = {}
    for entry in data.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name:
            variables[name.decode("utf-8", "surrogateescape")] = value.decode(
                "utf-8", "surrogateescape"
            )
    return variables
