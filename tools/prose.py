#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Look for wording that does not read as an operator would say it, in all that users read.

That is: the texts in Python that are not docstrings (catalogue, messages, documentation of modules),
names, messages and descriptions in YAML, the meanings of log lines, the changelog, and the pages without
their code. Each line names a place, a phrase and what to write instead; docs/user/glossary.md has the
terms.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from common import CHECKOUT
from common.command_line import Parser

# What reads as translated, and what to write instead.
PHRASES = {
    r"(?:is|are) to (?:be|do|give|go|have|hold|restart|run|show|start|stop|use)": "should …",
    r"(?<=\. )That are": "These are …",
    r"stands? (?:in|before|behind|beside)": "is in, is before …",
    r"lies? (?:in|on|under)": "is in, is on …",
    r"(?:a|each|one) person(?:'s)?|somebody": "an operator, you",
    r"nobody (?:gets|knows|looks|says|uses|is there)": "the passive, or what is unknown",
    r"in hand": "in progress",
    r"(?:is|was|be|what is|nothing is) at work": "in progress, running",
    r"(?:is|are|was|were) told": "is reported, is shown",
    r"runs since": "has been running since",
    r"(?<!there )(?:is|are|was) no (?!longer|more|other|matter|need)(?=[a-z])": "is not a …",
    r"(?:is|are) none of": "is not one of",
    r"anew": "again",
    r"by (?:its|their) records?": "according to the database",
    r"in vain": "without success",
    r"not to be seen": "not visible, not checked",
    r"(?:could not be|must be|was) looked at": "could not be checked, check …",
    r"(?:web server|what is) in front": "front-end web server",
    r"(?:site's|person's) decision": "your site decides",
    r"(?:is|are) not Campaign's": "is not part of Campaign",
    r"cut(?:s)? off": "interrupt",
    r"may not (?:read|write|start)": "cannot …",
    r"any more": "no longer …",
    r"again and again": "repeatedly",
    r"(?:errors|lines) of .{1,20} kinds": "{count:# error} ({kinds:# kind})",
    r"(?:take|takes|took|taken) (?:this|the|a|that) (?:host|lock) over": "take over the host",
    r"it said(?=:)": "Output: …",
    r"wait for its end": "wait until it ends",
    r"(?:go|goes|going|went) on without": "continue without",
    r"make room": "free disk space",
    r"known are": "valid …: …",
    r"(?:only goes|does not go|goes only) with": "needs …, cannot be combined with …",
    r"(?:comes?|came) to (?:its|an|a good) end": "finish, succeed",
    r"(?:it is|was|were|is) put back|could not be put back": "restore",
    r"(?:is|are|was) there and": "exists but …",
    r"(?:was|were|had been) cut": "was interrupted",
    r"(?:its|their) (?:own )?word|a word of the site": "permission, declaration",
    r"another account than": "an account other than",
}
# How a task's name begins that says what is seen or thought instead of what is done.
TASKS = {
    r"See (?:that|whether|what|who|which|how)": "Check …, Find …, List …",
    r"(?:Do it|Have |Judge|Keep those|Look|Say|Take (?!a snapshot)|Tell|Note)": "name the action",
}
_PHRASES = [(re.compile(rf"\b(?:{old})\b", re.I), new) for old, new in PHRASES.items()]
_TASKS = [(re.compile(rf"{old}"), new) for old, new in TASKS.items()]
_TASK_FOLDERS = ("roles", "playbooks", "molecule")
_SAID = ("name", "description", "short_description", "msg", "fail_msg", "prompt", "title")
_CODE = re.compile(r"^```.*?^```|^ {4,}\S.*?$|`[^`\n]*`|<!--.*?-->", re.M | re.S)
_LINK = re.compile(r"\]\([^)]*\)")

Text = tuple[int, str]


def in_python(source: str) -> Iterator[Text]:
    """The strings that are not docstrings."""
    tree = ast.parse(source)
    skipped = {
        id(node.value) for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def in_yaml(source: str) -> Iterator[Text]:
    """Names, messages and descriptions."""

    def said(data: Any, key: str = "") -> Iterator[str]:
        if isinstance(data, dict):
            for name, value in data.items():
                yield from said(value, str(name))
        elif isinstance(data, list):
            for value in data:
                yield from said(value, key)
        elif isinstance(data, str) and key in _SAID:
            yield data

    for text in said(yaml.safe_load(source)):
        first = text.split("\n")[0][:40]
        before = source.partition(first)[0]
        yield before.count("\n") + 1, text


def in_page(source: str) -> Iterator[Text]:
    """A page without its code and addresses."""
    blank = _CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    yield 1, _LINK.sub("]", blank)


def in_table(source: str) -> Iterator[Text]:
    """The table of log lines: what is said of them."""
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith(("meaning = ", "action = ", "harmless = ")):
            yield number, line


def texts() -> Iterator[tuple[Path, Iterator[Text]]]:
    """All that users read, by file."""
    for folder in ("plugins", "campaign_doctor"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            yield path, in_python(path.read_text(encoding="utf-8"))
    for folder in _TASK_FOLDERS:
        for path in sorted((CHECKOUT / folder).rglob("*.yml")):
            if "collections" not in path.parts:
                yield path, in_yaml(path.read_text(encoding="utf-8"))
    pages = [CHECKOUT / "README.md", CHECKOUT / "SECURITY.md", *(CHECKOUT / "docs").rglob("*.md"),
             *(CHECKOUT / "roles").glob("*/README.md"),
             *(CHECKOUT / "changelogs" / "fragments").glob("*.yml")]  # fmt: skip
    for path in sorted(pages):
        yield path, in_page(path.read_text(encoding="utf-8"))
    path = CHECKOUT / "plugins/plugin_utils/_campaign/diagnosis/errors.ini"
    yield path, in_table(path.read_text(encoding="utf-8"))


def faults_of(text: str) -> Iterator[tuple[int, str, str]]:
    """Line within the text, phrase, and what to write instead."""
    flat = re.sub(r"\s", " ", text)
    for pattern, better in _PHRASES:
        for found in pattern.finditer(flat):
            yield text[: found.start()].count("\n"), found[0], better


def main() -> int:
    """1 if anything is found."""
    Parser(__doc__).parse_args()
    count = 0
    for path, held in texts():
        tasks = path.relative_to(CHECKOUT).parts[0] in _TASK_FOLDERS and path.suffix == ".yml"
        for line, text in held:
            faults = list(faults_of(text))
            if tasks:
                faults += [(0, text, better) for pattern, better in _TASKS if pattern.match(text)]
            for below, phrase, better in faults:
                count += 1
                print(f"{path.relative_to(CHECKOUT)}:{line + below}: {phrase!r}: {better}")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
