"""What nlserver says on the console, for the tests of the lab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

MODULES = ["syslogd@default", "trackinglogd@default", "web@default", "stat@prod", "mta@prod",
           "inMail@prod", "wfserver@prod"]
HEADER = re.compile(r"\d\d:\d\d:\d\d >   Application server for Adobe Campaign Classic \(7\.\S* "
                    r"build \d+@\w+\) of \d\d/\d\d/\d{4}$")
TASK = re.compile(r"(\w+(?:@\w+)?) \((\d+)\) - \d+\.\d MB$")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t\d+\t[0-9A-F]{8}\t[123]\t"
                  r"(info|warning|error)\t\w+\t[^\t\n]*$")

Eventually = Callable[..., Any]


def tasks(lab: Any, **where: str) -> dict[str, int]:
    """pdump's lines: name -> pid."""
    lines = lab.nlserver("pdump", **where).stdout.splitlines()
    assert HEADER.match(lines[0]), lines[0]
    found = [TASK.match(line) for line in lines[1:] if line != "No tasks"]
    assert all(found), lines
    return {match[1]: int(match[2]) for match in found if match}


def permanent(lab: Any, **where: str) -> dict[str, int]:
    """pdump without the utilities, which come and go."""
    utilities = ("tracking@", "export@", "import@")
    return {name: pid for name, pid in tasks(lab, **where).items()
            if not name.startswith(utilities)}


def edit(path: Path, old: str, new: str) -> None:
    """Change a configuration file; the text to change must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
