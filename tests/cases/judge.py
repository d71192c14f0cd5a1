"""What must be said, compared with what is said. Each difference is one line.

A finding that the case does not name may be there if it is of severity info or explained by one
that the case names: whether another one is true, nobody can see from here, and on a server that is
healthy but for what the case says, it counts as false.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    MODULES,
    UTILITIES,
    is_product,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.ladder import (
    REMEDIES,
)
from cases.form import Case, CaseError, Expect, Found

Finding = Mapping[str, Any]
Plan = Mapping[str, Any]

# Remedies that begin a module's process anew. What stops something else besides stands apart.
WITH_RESTART = frozenset(name for name, remedy in REMEDIES.items() if remedy.cuts_off)
RESTARTS = WITH_RESTART - {"free_port", "move_tmp", "rebuild_shared_memory"}
STARTS = frozenset({"start", "start_service"})
STARTS_WORK = frozenset({"start_workflow", "relaunch", "consolidate"})
VERBS: dict[str, frozenset[str]] = {
    "restart": WITH_RESTART, "stop": WITH_RESTART, "kill": frozenset({"kill_and_start"}),
    "start": STARTS | STARTS_WORK | WITH_RESTART, "relaunch": frozenset({"relaunch"}),
    "reload": frozenset({"reload"}),
}  # fmt: skip
_SAID = re.compile(r"\b(?:re-?)?start(?:s|ed|ing)?\b", re.I)
_RESTART = re.compile(r"\bre-?start", re.I)
_STEP = re.compile(
    r"\s*(?P<module>\w+)(?:@(?P<instance>[\w.-]+))?\s*:\s*(?P<remedy>\w+)")
_CLAUSE = re.compile(
    r"\bno\s+(?P<verb>[a-z_]+)"
    r"(?:\s+(?:of|for)\s+(?P<what>.+?))?"
    r"(?=\s+(?:before|until|unless|while|as long as|after|because)\b|[;,.]|\s+and\s+no\s|$)",
    re.I,
)


def differences(
    case: Case, diagnosis: Mapping[str, Any], plan: Plan, orders: Iterable[str] = ()
) -> list[str]:
    """All of them; none if the case holds."""
    found: list[str] = [f"the diagnosis gave an order: {order}" for order in orders]
    if diagnosis.get("error"):
        found.append(f"there is no diagnosis: {diagnosis['error']}")
    findings: list[Finding] = list(diagnosis["findings"])
    named, missing = _named(case, findings, plan)
    found += missing
    found += _false(case.expect, findings)
    found += _unseen(case.expect, diagnosis)
    found += _unexpected(named, findings, case.expect.not_found)
    found += plan_differences(case.expect.plan, plan)
    return found


# --------------------------------------------------------------------------------- found


def _named(
    case: Case, findings: Sequence[Finding], plan: Plan
) -> tuple[dict[str, Finding], list[str]]:
    """The findings that the case names, by id, and what is wrong with them."""
    named: dict[str, Finding] = {}
    wrong: list[str] = []
    others = [*case.expect.not_found, *(each.key for each in case.expect.found if each.key)]
    for wanted in sorted(case.expect.found, key=lambda each: each.key is None):
        matches = [
            finding for finding in findings
            if _is(finding, wanted.key)
            or (wanted.key is None and not any(_is(finding, key) for key in others))
        ]
        judged = [(_wrong(wanted, finding, case.module, plan), finding) for finding in matches]
        judged.sort(key=lambda each: (len(each[0]), -_alike(wanted, each[1])))
        if not judged or (wanted.key is None and not _likely(wanted, *judged[0])):
            name = wanted.key or "a finding"
            near = f"; nearest is {judged[0][1]['id']}: {judged[0][0][0]}" if judged else ""
            wrong.append(f"not found: {name}: {wanted.about}{near}")
            continue
        problems, finding = judged[0]
        named[finding["id"]] = finding
        wrong += [f"{finding['id']}: {problem}" for problem in problems]
        if wanted.key:
            # The same may be found of several instances, of which one is as it must be.
            named.update((other["id"], other) for _problems, other in judged)
        else:
            named.update((other["id"], other) for problems, other in judged if not problems)
    return named, wrong


def _is(finding: Finding, id: str | None) -> bool:
    """Whether an id means the finding: key, key@instance, or all of its id."""
    return id is not None and (
        id in (finding["key"], finding["id"]) or finding["id"].startswith(f"{id}#"))


def _likely(wanted: Found, problems: Sequence[str], finding: Finding) -> bool:
    """Whether a finding that has no key in the case is the one that it means: it says all the
    words, whatever else is wrong with it; or, where the case asks for none, it is alike.
    """
    if wanted.must_mention:
        return not any(problem.startswith("does not mention") for problem in problems)
    return not problems and _alike(wanted, finding) >= 2


def _wrong(wanted: Found, finding: Finding, module: str, plan: Plan) -> list[str]:
    """What a finding lacks of what must be said."""
    problems = []
    text = said(finding)
    absent = [word for word in wanted.must_mention if not mentions(text, word)]
    if absent:
        problems.append(f"does not mention {', '.join(absent)}")
    if finding["severity"] != wanted.severity:
        problems.append(f"severity is {finding['severity']}, not {wanted.severity}")
    problems += _restart(wanted.restart, finding, module, plan)
    return problems


def said(finding: Finding) -> str:
    """All that a person reads of a finding."""
    evidence = finding.get("evidence") or {}
    words = [finding["title"], finding["summary"], finding.get("reason") or "",
             finding.get("fix") or ""]  # fmt: skip
    words += [f"{value}" for value in evidence.values() if value is not None]
    return "\n".join(words)


def mentions(text: str, word: str) -> bool:
    """Whether a word stands in a text; a number not as a part of another one."""
    if re.fullmatch(r"[\d.:]*\d", word):
        return re.search(rf"(?<![\d.])0*{re.escape(word)}(?!\d)", text) is not None
    return word.lower() in text.lower()


def _alike(wanted: Found, finding: Finding) -> int:
    """How many words a finding shares with what it is to be about."""
    def words(text: str) -> set[str]:
        return {word for word in re.findall(r"[a-z]{4,}", text.lower())}

    return len(words(wanted.about) & words(said(finding)))


def _restart(wanted: str | None, finding: Finding, module: str, plan: Plan) -> list[str]:
    """What must be said about restarting the module that the case is about."""
    if wanted is None:
        return []
    remedy = finding.get("remedy")
    rungs = {
        rung for step in plan["steps"] for rung, ids in step["rungs_for"].items()
        if finding["id"] in ids and step["module"] == (finding["module"] if module == "host" else
                                                       module)
    }  # fmt: skip
    words = "\n".join([finding["title"], finding["summary"], finding.get("reason") or ""])
    told = _SAID.search(words) or _RESTART.search(finding.get("fix") or "")
    if wanted == "helps":
        helps = remedy in WITH_RESTART | STARTS or "restart_helps" in finding["key"]
        return [] if helps else ["does not say that a restart helps"]
    if remedy in RESTARTS or (rungs & RESTARTS and remedy not in WITH_RESTART):
        return [f"answers with {remedy or ', '.join(sorted(rungs))}, though a restart is useless"]
    if remedy is None and not told:
        return ["does not say that a restart is useless"]
    return []


# ----------------------------------------------------------------------- not found, beside


def _false(expect: Expect, findings: Iterable[Finding]) -> list[str]:
    return [
        f"false: {finding['id']} ({finding['severity']}): {finding['summary']}"
        for finding in findings if any(_is(finding, id) for id in expect.not_found)
    ]  # fmt: skip


def _unseen(expect: Expect, diagnosis: Mapping[str, Any]) -> list[str]:
    """Where nothing is to be found, that nothing is found must not come from not looking."""
    return [] if expect.found else [
        f"not seen: {failure['probe']}: {failure['message']}"
        for failure in diagnosis.get("unseen") or () if failure["kind"] != "skipped"
    ]


def _unexpected(
    named: Mapping[str, Finding], findings: Sequence[Finding], false: Sequence[str]
) -> list[str]:
    """Findings that are neither named, nor of severity info, nor explained by one that is."""
    by_id = {finding["id"]: finding for finding in findings}

    def explained(finding: Finding, seen: frozenset[str] = frozenset()) -> bool:
        causes = [id for id in finding.get("caused_by_ids") or () if id not in seen]
        return any(
            id in named or (id in by_id and explained(by_id[id], seen | {id})) for id in causes
        )

    return [
        f"not expected: {finding['id']} ({finding['severity']}): {finding['summary']}"
        for finding in findings
        if finding["id"] not in named and finding["severity"] != "info"
        and not explained(finding) and not any(_is(finding, id) for id in false)
    ]  # fmt: skip


# ---------------------------------------------------------------------------------- plan


def plan_differences(wanted: str | tuple[str, ...] | None, plan: Plan) -> list[str]:
    """What is planned and may not be, or is not planned."""
    steps = list(plan["steps"])
    if wanted is None:
        return []
    if isinstance(wanted, tuple):
        return _only(wanted, steps)
    if wanted.strip().lower().rstrip(".") in ("none", "nothing"):
        return [f"planned, though nothing may be: {_named_step(step)}" for step in steps]
    found = []
    for verb, targets in prohibitions(wanted):
        for step in steps:
            done = sorted(set(step["rungs"]) & remedies_of(verb))
            if done and _concerns(step, done, targets):
                found.append(f"planned: {_named_step(step)}, though the case says: {wanted}")
    return list(dict.fromkeys(found))


def _named_step(step: Mapping[str, Any]) -> str:
    rungs = ", then ".join(step["rungs"])
    return f"{step['module']}@{step['instance']}: {rungs} (for {', '.join(step['because'])})"


def _only(wanted: Sequence[str], steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every step is one that may be, and there is one if some may be."""
    allowed = []
    for text in wanted:
        found = _STEP.match(text)
        if not found or found["remedy"] not in REMEDIES or (
            found["module"] not in (*MODULES, "host")):
            raise CaseError(f"expect.plan: {text!r} is not 'module: remedy'")
        allowed.append((found["module"], found["instance"], found["remedy"]))
    wrong = [
        f"planned: {_named_step(step)}, which the case does not allow" for step in steps
        if not any(
            (module, remedy) == (step["module"], step["remedy"])
            and instance in (None, step["instance"])
            for module, instance, remedy in allowed)
    ]  # fmt: skip
    if wanted and not steps:
        wrong.append(f"nothing is planned, not even {' or '.join(wanted)}")
    return wrong


def remedies_of(verb: str) -> frozenset[str]:
    """The remedies that do what a word says."""
    if verb in REMEDIES:
        return VERBS.get(verb, frozenset({verb}))
    return VERBS[verb]


def prohibitions(sentence: str) -> list[tuple[str, tuple[str, ...]]]:
    """(what, of what) of `no restart of mta or stat; no start of operationMgt before …`.

    An empty tuple: of anything. Raises CaseError for a sentence that says none of it.
    """
    found = []
    for clause in _CLAUSE.finditer(sentence):
        verb = clause["verb"].lower()
        verb = verb if verb in VERBS or verb in REMEDIES else verb.rstrip("s")
        if verb not in VERBS and verb not in REMEDIES:
            raise CaseError(f"expect.plan: {verb!r} in {sentence!r} is nothing that can be planned")
        found.append((verb, _targets(clause["what"] or "")))
    # `no start and no restart of any module`: the first is of what the last is of.
    for number in range(len(found) - 2, -1, -1):
        if not found[number][1] and re.search(
            rf"no\s+{found[number][0]}s?\s+(?:and|or)\s+no\s", sentence, re.I):
            found[number] = (found[number][0], found[number + 1][1])
    if not found:
        raise CaseError(f"expect.plan: {sentence!r} is not understood")
    return found


def _targets(what: str) -> tuple[str, ...]:
    words = re.split(r"\s*,\s*|\s+(?:or|and|nor)\s+", what.strip())
    names = []
    for word in words:
        word = re.sub(r"^(?:the|a|an|any|every|each)\s+", "", word.strip(), flags=re.I)
        if re.fullmatch(r"(?:campaign\s+)?modules?|anything|(?:campaign\s+)?process(?:es)?|", word,
                        re.I):  # fmt: skip
            return ()
        names.append(re.sub(r"\s+(?:workflow|module|process|job)s?$", "", word, flags=re.I)
                     + ("#" if re.search(r"\s+(?:workflow|job)s?$", word, re.I) else ""))
    return tuple(names)


def _concerns(step: Mapping[str, Any], done: Iterable[str], targets: Sequence[str]) -> bool:
    """Whether a step does that to one of these: a module, or a workflow or job by its name."""
    to_module = set(done) - STARTS_WORK
    wide = any(REMEDIES[remedy].host_wide for remedy in to_module) or (
        step["module"] == "watchdog" and bool(to_module & WITH_RESTART))
    if not targets:
        return bool(to_module)
    for target in targets:
        name, _at, instance = target.rstrip("#").partition("@")
        here = name == step["module"] and instance in ("", step["instance"])
        if target.endswith("#") or not is_product(name):
            if (step.get("subject") or "").lower() == name.lower() or (here and not to_module):
                return True
        elif (here and (to_module or name in UTILITIES)) or (to_module and wide):
            return True
    return False
