#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes the argument specification beside each playbook: NAME.meta.yml.

Which variables a playbook takes is read from its head and from what it looks up; what is an option of
a module has its type and its words from there, the others from the head. A playbook that only
imports another one takes what that one takes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from common import CHECKOUT, site_variables
from common.writer import Writer

Json = dict[str, Any]

IMPORTED = re.compile(r"import_playbook: campaign\.remediation\.(\w+)$", re.MULTILINE)
# A paragraph of a head: names, and what is said of them until the next names or an empty line.
ENTRY = re.compile(r"^#   (campaign_\w+(?:, campaign_\w+)*) *(.*(?:\n#      +\S.*)*)$", re.MULTILINE)
MODULE = "campaign.remediation."
HANDED = re.compile(r"\{\{ (campaign_\w+) \|")
MARKUP = re.compile(r"[CVOM]\(([^()]*)\)")
COMMAND = re.compile(r"^#   (ansible-(?:playbook|rulebook) .*)$", re.MULTILINE)
RAW = {"campaign_plan_data", "campaign_serial", "campaign_snapshot_file"}


def playbooks() -> list[Path]:
    """Those of the collection and of its patterns."""
    found = [*CHECKOUT.glob("playbooks/*.yml"), *CHECKOUT.glob("extensions/patterns/*/playbooks/*.yml")]
    return sorted(path for path in found if not path.name.endswith(".meta.yml"))


def options_of(path: Path) -> Json:
    """What a playbook takes."""
    text = path.read_text(encoding="utf-8")
    head = _head(text)
    told = _told(head)
    known = {**site_variables.shared_options(), **dict(_handed(yaml.safe_load(text)))}
    names = {*site_variables.TAKEN.findall(text), *told}
    found: Json = {}
    for imported in IMPORTED.findall(text):
        found |= options_of(CHECKOUT / "playbooks" / f"{imported}.yml")
    for name in names - set(found):
        found[name] = _of_module(known[name]) if name in known else _own(name, text, told)
    return dict(sorted(found.items()))


def _handed(node: Any) -> Iterator[tuple[str, Json]]:
    """Variables that a task hands to a module of the collection, with the module's option."""
    if isinstance(node, list):
        for each in node:
            yield from _handed(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if str(key).startswith(MODULE) and isinstance(value, dict):
                options = site_variables.documented(key.removeprefix(MODULE))
                for option, given in value.items():
                    if variable := HANDED.match(str(given)):
                        yield variable[1], options[option]
            yield from _handed(value)


def _of_module(option: Json) -> Json:
    fields = ("type", "elements", "choices", "default")
    words = option["description"]
    text = words if isinstance(words, str) else " ".join(words)
    kept = {field: option[field] for field in fields if field in option}
    return {**kept, "description": MARKUP.sub(r"\1", text)}


def _own(name: str, text: str, told: dict[str, str]) -> Json:
    """What is a playbook's own: of its head, and of how it is looked up."""
    flag = re.search(rf"\b{name} \| default\((?:true|false)\)", text)
    kind = "raw" if name in RAW else "bool" if flag else "str"
    words = told.get(name) or "The pattern of hosts."
    required: Json = {"required": True} if f"{name} | mandatory(" in text else {}
    return {"type": kind, **required, "description": f"{words[0].upper()}{words[1:].rstrip('.')}."}


def _head(text: str) -> str:
    return "".join(line for line in text.split("\n- name:")[0].splitlines(True) if line.startswith("#"))


def _told(head: str) -> dict[str, str]:
    """What the head says of each variable."""
    return {
        name: " ".join(words.replace("\n#", " ").split())
        for names, words in ENTRY.findall(head) for name in names.split(", ") if words.strip()
    }


def specification(path: Path) -> str:
    """The text of the file."""
    head = _head(path.read_text(encoding="utf-8"))
    about = " ".join(head.split("\n#\n")[0].replace("#", " ").split())
    short = about.split(". ")[0].rstrip(".")
    lines = COMMAND.findall(head) or [f"ansible-playbook {path.name} -i hosts.yml"]
    return "---\n# Written by tools/playbook_specs.py.\n" + site_variables.dump({
        "short_description": short,
        "description": about,
        "argument_specs": {path.stem: {
            "short_description": short,
            "options": options_of(path),
            "examples": "\n".join(" ".join(line.split()) for line in lines),
        }},
    }, site_variables.WIDTH)


def written() -> dict[Path, str]:
    """A file for each playbook."""
    return {path.with_suffix(".meta.yml"): specification(path) for path in playbooks()}


WRITER = Writer(__doc__, written)

if __name__ == "__main__":
    sys.exit(WRITER.main())
