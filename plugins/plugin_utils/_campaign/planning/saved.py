# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A plan in a file: its shape, and what a file may hold that an operator has edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.model import HOST
from . import ladder
from .ladder import REMEDIES

SCHEMA = 1
Json = dict[str, Any]


class InvalidPlan(ValueError):
    """A plan that cannot be applied at all: no plan, expired, or of another kind."""


_PLAN = {"schema": int, "made_at": str, "expires_at": str, "run": str, "hosts": list}
_HOST = {"name": str, "fingerprint": dict, "steps": list, "left": list, "notes": list}
_STEP = {
    "order": int, "module": str, "instance": str, "role": str, "remedy": str, "rungs": list,
    "rungs_for": dict, "because": list, "keys": list, "severity": str, "title": str,
    "verify": list, "asks": bool,
    "limit": (str, type(None)), "subject": (str, type(None)), "command": (str, type(None)),
    "cancels": (str, type(None)), "afterwards": (str, type(None)),
    "not_after": (str, type(None)),
}
_LEFT = {
    "id": str, "key": str, "module": str, "instance": str, "severity": str, "why": str,
    "reason": str, "until": (str, type(None)),
}


def parse(data: Any) -> Json:
    """The plan in what was read from a file; a person may have taken out hosts or steps.

    Nothing may be put in: the steps keep to what is documented for their findings.
    """
    if not isinstance(data, Mapping) or "hosts" not in data or "schema" not in data:
        raise InvalidPlan("this is not a plan of campaign_plan")
    if data["schema"] != SCHEMA:
        raise InvalidPlan(f"the plan has schema {data['schema']!r}; this collection reads {SCHEMA}")
    _shape("the plan", data, _PLAN)
    epoch(data["made_at"])
    epoch(data["expires_at"])
    for host in data["hosts"]:
        _shape("a host", host, _HOST)
        _shape(host["name"], host["fingerprint"], {"findings": list, "processes": dict})
        for entry in host["left"]:
            _shape(f"what is left on {host['name']}", entry, _LEFT)
        for step in host["steps"]:
            _shape(f"a step of {host['name']}", step, _STEP)
            _documented(host, step)
    return dict(data)


def _shape(what: str, data: Any, keys: Mapping[str, Any]) -> None:
    if not isinstance(data, Mapping):
        raise InvalidPlan(f"the plan is damaged: {what} is {data!r}")
    for key, kind in keys.items():
        if key not in data or not isinstance(data[key], kind):
            raise InvalidPlan(f"the plan is damaged: {what} has {key} {data.get(key)!r}")


def _documented(host: Mapping[str, Any], step: Mapping[str, Any]) -> None:
    """The step does what the catalogue and the ladder know for its findings, and no more."""
    where = f"step {step['order']} of {host['name']}"
    keys, module = step["keys"], step["module"]
    words = [*keys, *step["rungs"], *step["because"], *step["verify"]]
    if not keys or not all(isinstance(word, str) for word in words):
        raise InvalidPlan(f"{where} is damaged")
    problems = [BY_KEY[key] for key in keys if key in BY_KEY]
    if len(problems) < len(keys):
        raise InvalidPlan(f"{where}: {', '.join(keys)} are not all finding keys of the catalogue")
    remedies = {problem.key: problem.remedy for problem in problems if problem.remedy}
    known = {rung for key, remedy in remedies.items() for rung in ladder.rungs(key, remedy)}
    if step["remedy"] not in remedies.values() or step["rungs"][:1] != [step["remedy"]]:
        raise InvalidPlan(f"{where}: {step['remedy']} is not documented for {', '.join(keys)}")
    for rung in step["rungs"]:
        if rung not in known or not isinstance(step["rungs_for"].get(rung), list):
            raise InvalidPlan(f"{where}: {rung} is not documented for {', '.join(keys)}")
    ids = [parts(id) for id in step["because"]]
    if {key for key, _instance, _subject in ids} != set(keys) or not (
        set(step["because"]) <= set(host["fingerprint"]["findings"])
    ):
        raise InvalidPlan(f"{where}: its findings are not the ones that the plan was made for")
    about = {
        (BY_KEY[key].module, DEFAULT if key.startswith(f"{HOST}.") else instance)
        for key, instance, _subject in ids
    }
    subjects = {subject for _key, _instance, subject in ids}
    several = step.get("instances", [step["instance"]])
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several) or (
        set(several) != {step["instance"]} and not REMEDIES[step["remedy"]].shared
    ):
        raise InvalidPlan(f"{where} is damaged")
    places = {(module, instance) for instance in {step["instance"], *several}}
    if not places <= about or step["role"] != ladder.ROLES[module] or (
        step["subject"] is not None and step["subject"] not in subjects
    ):
        what = f"{module}@{step['instance']}"
        raise InvalidPlan(f"{where}: {what} is not what its findings are about")
    if step["afterwards"] not in (None, ladder.AFTERWARDS.get(module)):
        raise InvalidPlan(f"{where}: {step['afterwards']} is not what follows its ladder")


def parts(id: str) -> tuple[str, str, str]:
    """Key, instance and subject of a finding's id."""
    key, _at, rest = id.partition("@")
    instance, _hash, subject = rest.partition("#")
    return key, instance, subject


def iso(moment: float) -> str:
    """An epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """The other way round. Raises InvalidPlan."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise InvalidPlan(f"the plan is damaged: {text!r} is not a time") from None
    return moment.replace(tzinfo=timezone.utc).timestamp()
