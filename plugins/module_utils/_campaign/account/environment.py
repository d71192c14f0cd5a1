# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The environment in which the server's programs run: env.sh, which reads customer.sh."""

import os
import re

from ..errors import ProbeError
from ..text import clean, decode
from . import parsers
from .files import regular

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Dict, Optional

    from ..command import Runner

SCRIPTS = ("customer.sh", "env.sh")
LIMIT = 256 * 1024
# Standard error is kept: a shell says there in which line it gave up.
SHELL = '. "$1" >/dev/null; exec env -0'
_GAVE_UP = re.compile(r"syntax error|unexpected|unterminated|not found|cannot open|denied", re.I)
# dash: `sh: 3: /home/customer.sh: Syntax error: …`
# bash: `/home/customer.sh: line 3: syntax error …`
_DASH = re.compile(r"[^:\s]+: (\d{1,6}): (/[^:]+): (\S.*)")
_BASH = re.compile(r"(?:[^:\s]+: )?(/[^:]+): line (\d{1,6}): (\S.*)")
_ENDS = re.compile(r"^\s{0,80}(?:exit|exec)(?:\s|;|$)")


def read(runner: "Runner", home: str, limit: float, shell: str = SHELL) -> "Dict[str, str]":
    """Its variables. Raises ProbeError, with the line where that is known."""
    script = os.path.join(home, "env.sh")
    try:
        result = runner.run(["sh", "-c", shell, "sh", script], limit)
    except ProbeError as error:
        if error.kind != "timeout":
            raise
        text = (
            "%s or customer.sh did not finish within %g s: it is waiting for something"
            % (script, limit)
        )
        raise ProbeError("timeout", text) from None
    variables = parsers.environment(result.out)
    if result.return_code or not variables:
        raise ProbeError("failed", _why(home, result.return_code, decode(result.err)))
    return variables


def _why(home: str, code: int, said: str) -> str:
    """What the shell says, or where the script ends it."""
    lines = [clean(line, 200) for line in said.strip().splitlines()[:200]]
    telling = [line for line in lines if _GAVE_UP.search(line)] or lines[-1:]
    text = "%s/env.sh ended with %d" % (home, code)
    if telling:
        return "%s: %s" % (text, _with_line(telling[0]))
    ends = [place for place in (_end_of(home, name) for name in SCRIPTS) if place]
    return "%s before it reached its end%s" % (text, ": " + ends[0] if ends else "")


def _with_line(said: str) -> str:
    """What a shell says, with file and line in one form."""
    found = _DASH.match(said)
    if found:
        return "%s, line %s: %s" % (found.group(2), found.group(1), found.group(3))
    found = _BASH.match(said)
    return "%s, line %s: %s" % found.groups() if found else said


def _end_of(home: str, name: str) -> "Optional[str]":
    """The line of a script that ends the shell, None if none does so plainly."""
    path = os.path.join(home, name)
    try:
        with regular(path) as stream:
            text = decode(stream.read(LIMIT))
    except OSError:
        return None
    for number, line in enumerate(text.splitlines(), 1):
        if _ENDS.match(line[:200]):
            return "%s, line %d: %s" % (path, number, clean(line.strip(), 80))
    return None
