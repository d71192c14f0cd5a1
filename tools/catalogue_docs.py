#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes docs/user/problems.md from the catalogue.

With --data it prints the catalogue for `campaign-doctor`, which imports no plugin: hatch_build.py
packs that as catalogue.json.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from common import CHECKOUT
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DECLARED,
    PER_INSTANCE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.site_variables import (
    VARIABLES,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import (
    explained,
    sources,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.knowledge import (
    MEANINGS,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.model import (
    Problem,
    general,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.rules import (
    MODULE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import ladder
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)

FILE = CHECKOUT / "docs" / "user" / "problems.md"
SUBJECTS = {"relaunch": "NAME", "start_workflow": "the workflow"}
HEADING = """\
# The catalogue of problems

What `campaign_diagnose` can find. Written by `tools/catalogue_docs.py`: change the files in
`plugins/plugin_utils/_campaign/diagnosis/problems/` and run it again.

A finding that another one explains names it (`caused_by`); only roots are repaired. **Remedy**
is the task file of the role that applies the documented fix; where there is none, the entry
says why. **Needs** are the probes without which the problem is not judged; `tasks` is the sight
of the running modules, by `processes` or else by `pdump`.
"""


def page() -> str:
    """The whole document."""
    return "\n".join([HEADING, *_common(), *_modules(), *_errors(), *_thresholds()])


def _shared() -> dict[str, list[Problem]]:
    """Problems that several modules have in the same words, by name."""
    names: dict[tuple[str, str], list[Problem]] = {}
    for problem in CATALOGUE:
        names.setdefault((problem.name, _any_module(problem)), []).append(problem)
    return {name: held for (name, _), held in names.items() if len(held) > 3}


def _any_module(problem: Problem) -> str:
    """The title as all modules have it."""
    return re.sub(rf"\b{problem.module}\b", MODULE, problem.title)


def _common() -> Iterator[str]:
    yield "## Every module\n"
    yield "`MODULE` stands for any of the modules named.\n"
    for name, held in _shared().items():
        answers: dict[str, list[Problem]] = {}
        for problem in held:
            answers.setdefault(_answer(problem), []).append(problem)
        usual, *others = sorted(answers.values(), key=len, reverse=True)
        modules = ", ".join(problem.module for problem in held)
        more = [f"{', '.join(p.module for p in other)}: {_answer(other[0])}" for other in others]
        yield from _entry(usual[0], f"MODULE.{name}", [*more, f"Modules: {modules}."], causes=False)


def _modules() -> Iterator[str]:
    shared = _shared()
    for module, problems in groupby(CATALOGUE, key=lambda problem: problem.module):
        yield f"## {module}\n"
        for problem in problems:
            if problem not in shared.get(problem.name, ()):
                yield from _entry(problem, problem.key, [])


def _entry(problem: Problem, key: str, more: list[str], causes: bool = True) -> Iterator[str]:
    yield f"### {key}\n"
    title = _any_module(problem) if key.startswith(MODULE) else problem.title
    lines = [f"**{title}** ({problem.severity.value}). {_answer(problem)}", *more]
    if problem.proof_condition:
        missing = problem.proof_condition.missing.replace("{target}", problem.module)
        lines.append(f"A repair is not proved while {missing}.")
    if problem.needs:
        lines.append(f"Needs: {', '.join(problem.needs)}.")
    if problem.causes and causes:
        lines.append(f"Can be caused by: {', '.join(f'`{c}`' for c in problem.causes)}.")
    names = re.findall(r"\w+", more[-1])[1:] if more else [problem.module]
    pages = [f"[{name}](findings/{name}.{problem.name}.md)" for name in names]
    lines.append(f"[Source]({sources.url(problem.source)}). Explained: {', '.join(pages)}.")
    yield "\n".join(lines) + "\n"


def _answer(problem: Problem) -> str:
    if problem.remedy:
        return f"Remedy: `{problem.remedy}`."
    return f"No automatic remedy: {_plain(problem.reason or '')}."


def _plain(text: str) -> str:
    return text.replace("{", "<").replace("}", ">").replace("<", "`<").replace(">", ">`")


def _errors() -> Iterator[str]:
    yield "## Error codes and log lines\n"
    yield "What the lines of the logs mean: [errors.md](errors.md).\n"


def _thresholds() -> Iterator[str]:
    yield "## Thresholds\n"
    yield "Changed by name with `campaign_thresholds`.\n"
    yield "| name | value | what | from |\n|---|---|---|---|"
    values = dict(Thresholds().values())
    for name, (meaning, source) in Thresholds.origins().items():
        yield f"| `{name}` | {values[name]:g} | {meaning} | {source} |"


def data() -> dict[str, Any]:
    """The same for a program."""
    return {
        "modules": [
            {"name": each.name, "column": each.column, "per_instance": each.name in PER_INSTANCE}
            for each in DECLARED
        ],
        "variables": sorted(VARIABLES),
        "thresholds": sorted(dict(Thresholds().values())),
        "problems": [_problem(problem) for problem in CATALOGUE],
        "remedies": [
            {
                "name": remedy.name,
                "title": remedy.title.format(
                    target="the module", module="the job", instance="the instance",
                    subject=SUBJECTS.get(remedy.name, ""),
                ),
                "does": remedy.does.replace("`", "").format(reload="config", module="the module"),
                "risks": _risk(remedy),
                "level": remedy.level,
                "then": list(remedy.then),
            }
            for remedy in ladder.REMEDIES.values()
        ],
        "terms": [dataclasses.asdict(term) for term in explained.terms()],
        "codes": [
            {
                "code": row.code,
                "lines": [
                    {"codes": sorted(each.codes), "words": list(each.words)}
                    for each in row.alternatives
                ],
                "modules": list(row.modules),
                "meaning": row.text,
                "restart": row.restart.value,
                "who": row.who,
                "action": row.action,
                "harmless": row.harmless or None,
                "problem": row.problem or None,
                "source": [sources.shown(source) for source in row.sources],
            }
            for row in MEANINGS
        ],
    }


def _risk(remedy: ladder.Remedy) -> str:
    """What may be lost."""
    lost = "running work of the module is interrupted"
    return remedy.risks.replace("`", "").format(lost=lost) or (lost if remedy.cuts_off else "nothing")


def _problem(problem: Problem) -> dict[str, Any]:
    """One entry; values of the host are in angle brackets."""
    rungs = ladder.rungs(problem.key, problem.remedy) if problem.remedy else ()
    return {
        "key": problem.key,
        "module": problem.module,
        "title": problem.title,
        "severity": problem.severity.value,
        **dataclasses.asdict(explained.explained(problem)),
        # A rule that all modules share names causes that a utility cannot have.
        "causes": [key for key in problem.causes if key in BY_KEY],
        "needs": list(problem.needs),
        "remedies": [
            {
                "name": rung,
                "title": ladder.REMEDIES[rung].title.format(
                    target=problem.module, module=problem.module, instance="the instance",
                    subject=SUBJECTS.get(rung, ""),
                ),
                "cancels": ladder.cancels(rung, problem.module),
            }
            for rung in rungs
        ],
        "reason": None if problem.reason is None else general(problem.reason),
        "fix": [{"who": step.who, "text": general(step.template)} for step in problem.fix.steps],
        "source": sources.url(problem.source),
    }


WRITER = Writer(__doc__, lambda: {FILE: page() + "\n"})

if __name__ == "__main__":
    if sys.argv[1:] == ["--data"]:
        print(json.dumps(data(), indent=1, ensure_ascii=False))
        sys.exit()
    sys.exit(WRITER.main())
