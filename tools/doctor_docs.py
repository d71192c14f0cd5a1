#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes the derived parts of docs/user/campaign-doctor.md.

What stands between the marks comes from the command itself: commands, options, exit codes,
and the keys of its configuration file.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from common import CHECKOUT
from common.writer import Writer
from typer.main import get_command

from campaign_doctor.cli import app
from campaign_doctor.configuration import Settings
from campaign_doctor.outcome import WORST_FIRST, ExitCode

FILE = CHECKOUT / "docs" / "user" / "campaign-doctor.md"
MARK = re.compile(r"(<!-- derived: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, in the order of --help."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def derived() -> dict[str, str]:
    """The derived parts by name."""
    known = dict(commands(get_command(app)))
    counts = Counter(option.name for each in known.values() for option in _options(each))
    shared = {name for name, count in counts.items() if count > 2}
    return {
        "commands": "\n".join(_command(name, each, shared) for name, each in known.items()),
        "options": _table(_once(known.values(), shared)),
        "codes": "\n".join(f"| {code.value} | {code.meaning} |" for code in ExitCode),
        "order": ", ".join(str(code.value) for code in WORST_FIRST),
        "keys": ", ".join(f"`{name}`" for name in Settings.model_fields),
    }


def page(text: str) -> str:
    """The page with its derived parts as they are now."""
    parts = derived()
    return MARK.sub(lambda found: f"{found[1]}{parts[found[2]]}\n{found[3]}", text)


def _once(known: Iterable[Any], names: set[str]) -> list[Any]:
    """These options, as the first command that takes one describes it."""
    found: dict[str, Any] = {}
    for command in known:
        for option in _options(command):
            if option.name in names:
                found.setdefault(option.name, option)
    return list(found.values())


def _command(name: str, command: Any, shared: set[str]) -> str:
    arguments = [f" {each.metavar}" for each in command.params
                 if each.param_type_name == "argument"]
    own = [option for option in _options(command) if option.name not in shared]
    common = [f"`{option.opts[0]}`" for option in _options(command) if option.name in shared]
    examples = [line.strip() for line in (command.epilog or "").split("\n\n")[1:]]
    lines = [f"### {name}", "", str(command.help), "",
             f"    campaign-doctor {name}{''.join(arguments)} [OPTIONS]", ""]
    if own:
        lines += [_table(own), ""]
    if common:
        lines += [f"Common options: {', '.join(common)}.", ""]
    lines += [f"    $ {example}" for example in examples]
    return "\n".join([*lines, ""])


def _options(command: Any) -> list[Any]:
    return [each for each in command.params
            if each.param_type_name == "option" and each.name != "help"]


def _table(options: Iterable[Any]) -> str:
    rows = ["| option | meaning | environment |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{each}`" for each in [*option.opts, *option.secondary_opts])
        metavar = f" {option.metavar}" if option.metavar else ""
        text = str(option.help).replace("|", "\\|")
        variable = f"`{option.envvar}`" if option.envvar else ""
        rows.append(f"| {names}{metavar} | {text} | {variable} |")
    return "\n".join(rows)


WRITER = Writer(__doc__, lambda: {FILE: page(FILE.read_text(encoding="utf-8"))})

if __name__ == "__main__":
    sys.exit(WRITER.main())
