#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Write what is derived from the declarations of modules and remedies.

Modules and probes are declared in module_utils/_campaign/names.py, remedies in planning/ladder.py. From
there come the choices of options in DOCUMENTATION, which Ansible reads as text; the modules that
playbooks take; the modules in README.md and docs/user/report.md; the start order and the two tables of
docs/user/plan.md; and the table of remedies in each role's README.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

from common import CHECKOUT
from common.writer import Writer

import roles
from ansible_collections.campaign.remediation.plugins.module_utils._campaign import names
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import ladder

PAGE = "docs/user/plan.md"
REPORT = "docs/user/report.md"
VARIABLES = "roles/campaign/vars/main.yml"
# The text between two of these, by the name of what is written there.
MARK = "<!-- {}: written by tools/declared_docs.py -->"
# Files in which an option has all modules as choices.
CHOICES = (
    "plugins/doc_fragments/snapshot.py", "plugins/modules/campaign_guard.py",
    "plugins/modules/campaign_module.py",
)
PERMANENT = [each.name for each in names.DECLARED if each.runs != names.UTILITY]
# An operator can order actions for these modules.
KINDS = {
    "all": list(names.MODULES),
    "permanent": PERMANENT,
    "supervised": [name for name in PERMANENT if name != "watchdog"],
}


def files() -> dict[str, Callable[[str], str]]:
    """The files by their path in the checkout, each with what makes its new text of the old one."""
    return {
        PAGE: page,
        VARIABLES: variables,
        REPORT: report,
        "README.md": title,
        **dict.fromkeys(CHOICES, choices),
        **{f"roles/{role}/README.md": readme(role) for role in roles.ROLES},
    }


def page(text: str) -> str:
    """docs/user/plan.md."""
    order = textwrap.fill(
        f"the machine, {', '.join(names.MODULES)}.", 100, initial_indent="  ",
        subsequent_indent="  ",
    )
    text = replaced(r"(\*\*start order\*\*:)[^.]*\.", rf"\1\n{order}", text)
    text = between(text, "remedies", ["", *remedies(), ""])
    return between(text, "ladders", ["", *ladders(), ""])


def remedies() -> list[str]:
    """The table of remedies, from mild to strong."""
    rows = ["| remedy | level | what it does | interrupts |", "|---|---|---|---|"]
    for remedy in ladder.REMEDIES.values():
        title = remedy.title.format(
            target="the module", module="", subject=f"the {remedy.subject_fact}", instance="the instance"
        )
        title = " ".join(title.split())
        cut = "whole service" if remedy.host_wide else "yes" if remedy.cuts_off else "no"
        rows.append(f"| `{remedy.name}` | {remedy.level} | {title} | {cut} |")
    return rows


def ladders() -> list[str]:
    """The table of ladders, by their first rung."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for problem in CATALOGUE:
        if problem.remedy:
            groups.setdefault(ladder.rungs(problem.key, problem.remedy), []).append(problem.key)
    rows = ["| finding | ladder |", "|---|---|"]
    for rungs, keys in sorted(groups.items(), key=lambda item: (ladder.RANK[item[0][0]], item[0])):
        climb = " → ".join(f"`{rung}`" for rung in rungs)
        rows.append(f"| {', '.join(sorted(_grouped(keys)))} | {climb} → an operator |")
    return rows


def _grouped(keys: list[str]) -> set[str]:
    """Findings that more than two modules share stand once."""
    shared = [key.partition(".")[2] for key in keys]
    return {
        f"`*.{name}`" if shared.count(name) > 2 else f"`{key}`"
        for key, name in zip(keys, shared, strict=True)
    }


def report(text: str) -> str:
    """docs/user/report.md."""
    *others, last = [f"`{name}`" for name in names.MODULES]
    found = f"{', '.join(others)} or {last}"
    return replaced(r"(?<=^\| `module` \| text \| )`watchdog`[^|]*(?= \|$)", found, text)


def title(text: str) -> str:
    """README.md says in its first lines what is looked at."""
    return replaced(r"(?<=\()watchdog,[^)]*(?=\),)", ", ".join(names.MODULES), text)


def readme(role: str) -> Callable[[str], str]:
    """What writes the table of remedies of a role."""
    module = roles.ROLES[role]
    words = {
        "module": module,
        "reload": names.RELOADS.get(module, ""),
        "lost": ladder.WORK[module],
    }
    rows = ["", "| remedy | what it does | what it risks |", "|---|---|---|"]
    for remedy in map(ladder.REMEDIES.__getitem__, roles.remedies_of(role)):
        risks = remedy.risks or ("{lost}" if remedy.cuts_off else "nothing")
        rows.append(f"| `{remedy.name}` | {remedy.does} | {risks} |".format(**words))
    return lambda text: between(text, "remedies", [*rows, ""])


def choices(text: str) -> str:
    """The modules, and the probes, as choices of an option in a DOCUMENTATION."""
    text = _choices(text, "modules?", names.MODULES)
    return _choices(text, "probes", names.PROBES) if "\n  probes:\n" in text else text


def _choices(text: str, option: str, known: Iterable[str]) -> str:
    lines = "".join(f"      - {name}\n" for name in known)
    before = rf"(^  {option}:\n(?:    .*\n)*?    choices:\n(?:      - \"\"\n)?)"
    return replaced(rf"{before}(?:      - \w+\n)+", rf"\1{lines}", text)


def variables(text: str) -> str:
    """The modules by what may be ordered for them."""
    lines = [f"  {kind}: [{', '.join(known)}]" for kind, known in KINDS.items()]
    comment = "# {}: written by tools/declared_docs.py"
    return between(text, "modules", ["_campaign_modules_of:", *lines], comment)


def replaced(pattern: str, new: str, text: str) -> str:
    """The text with the single match of the pattern replaced."""
    text, count = re.subn(f"(?m){pattern}", new, text)
    if count != 1:
        raise LookupError(f"{count} places like {pattern}")
    return text


def between(text: str, name: str, lines: Iterable[str], mark: str = MARK) -> str:
    """The text with these lines between the two marks of this name."""
    mark = mark.format(name)
    if text.count(mark) != 2:
        raise LookupError(f"not twice: {mark}")
    before, _, after = text.split(mark)
    return f"{before}{mark}\n" + "".join(f"{line}\n" for line in lines) + f"{mark}{after}"


def written() -> dict[Path, str]:
    """Their new texts."""
    paths = {CHECKOUT / name: write for name, write in files().items()}
    return {path: write(path.read_text(encoding="utf-8")) for path, write in paths.items()}


WRITER = Writer(__doc__, written)

if __name__ == "__main__":
    sys.exit(WRITER.main())
