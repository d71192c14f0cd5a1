# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text in, data out: what the commands of the server and of the system print."""

import re

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    MODULES,
    OTHER_MODULES,
    clean,
    number,
)

_STAMP = re.compile(r"^\d{1,2}:\d\d:\d\d\s*>\s*")
_TASK = re.compile(
    r"^([A-Za-z]\w*)(?:@([\w.-]+))?\s*\((\d+)\)\s*-\s*([\d.,\u00a0 ]+?)\s*([A-Za-z]*)$"
)
_BUILD = re.compile(r"\(([^()]*\bbuild\b[^()]*|\d+\.[^()]*)\)", re.I)
_NOTHING = re.compile(r"^(no tasks?|aucune t)", re.I)
_SECTION = re.compile(r"-{8,}\s*$")
_NAME = re.compile(r"^([A-Za-z]\w*)(?:@([\w.-]+))?$")
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")")
BYTE = 1 / 1048576.0  # B, o
_MEGABYTES = {"K": 1 / 1024.0, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024, "": 1.0}


def decode(data):
    """Text of a command or file in an encoding that nobody tells."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("iso-8859-15")


def pdump(text):
    """The running modules, in any of the forms that builds and languages give them."""
    header = build = None
    tasks, strange = [], []
    for line in map(str.strip, text.splitlines()):
        body = _STAMP.sub("", line).strip()
        if not body or _NOTHING.match(body):
            continue
        if _SECTION.search(body):  # pdump -who: operators and connection pools follow
            break
        found = _TASK.match(body)
        if found:
            module, instance, pid, amount, unit = found.groups()
            tasks.append(
                {
                    "module": module,
                    "instance": instance or DEFAULT,
                    "pid": int(pid),
                    "memory_mb": _megabytes(amount, unit[:1].upper()),
                }
            )
        elif header is None and (body != line or _BUILD.search(body)) and not tasks:
            header = clean(body, 200)
            found = _BUILD.search(body)
            build = found.group(1).strip() if found else None
        elif len(strange) < 20:
            strange.append(clean(line, 300))
    return {"build": build, "header": header, "tasks": tasks, "unrecognised": strange}


def _megabytes(amount, unit):
    amount = re.sub(r"[^\d.,]", "", amount)
    if "," in amount and "." in amount:
        amount = amount.replace(",", "" if amount.rfind(".") > amount.rfind(",") else ".")
    try:
        return round(float(amount.replace(",", ".")) * _MEGABYTES.get(unit, BYTE), 3)
    except ValueError:
        return None


def missing(text):
    """What `nlserver monitor -missing` lists: one module a line."""
    known = MODULES + OTHER_MODULES
    modules = []
    for line in text.splitlines():
        found = _NAME.match(_STAMP.sub("", line.strip()).strip())
        if found and found.group(1) in known:
            modules.append({"module": found.group(1), "instance": found.group(2) or DEFAULT})
    return {"modules": modules}


def environment(data):
    """The variables that `env -0` prints."""
    variables = {}
    for entry in data.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name:
            variables[name.decode("utf-8", "surrogateescape")] = value.decode(
                "utf-8", "surrogateescape"
            )
    return variables


def units(text):
    """Blocks of `systemctl show`: one mapping a unit."""
    blocks = []
    for block in text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if values:
            blocks.append(values)
    return blocks


def fields(text):
    """`Name:  12 kB` lines: name to integer."""
    values = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and words and number(words[0]) is not None:
            values[name.strip()] = int(words[0])
    return values


def redir(text):
    """The attributes that /r/test answers, None if the answer is another."""
    found = re.search(r"<redir\b([^>]*)", text)
    if not found:
        return None
    attributes = dict((m[0], m[1] or m[2]) for m in _ATTRIBUTE.findall(found.group(1)))
    return dict(
        (name, clean(attributes.get(name, ""), 80) or None)
        for name in ("build", "status", "instance")
    )
