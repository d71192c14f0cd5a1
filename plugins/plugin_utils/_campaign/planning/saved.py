# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A plan in a file: its shape, and what a file may hold that an operator has edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import DEFAULT

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.model import HOST
from ..diagnosis.records import Record
from ..snapshot.reader import ABSENT, fields_of
from . import ladder
from .digest import digest
from .ladder import REMEDIES
from .records import SCHEMA, Fingerprint, HostPlan, Plan, Step, Unplanned


class InvalidPlan(ValueError):
    """A plan that cannot be applied at all: no plan, expired, or of another kind."""


def parse(data: object) -> Plan:
    """The plan from a file; an operator may have removed hosts or steps.

    Nothing may be added: the steps must be documented for their findings.
    """
    if not isinstance(data, Mapping) or "hosts" not in data or "schema" not in data:
        raise InvalidPlan("this is not a plan that campaign_plan made")
    if data["schema"] != SCHEMA:
        raise InvalidPlan(f"the plan has schema {data['schema']!r}; this collection reads {SCHEMA}")
    _shape("the plan", data, Plan)
    epoch(data["made_at"])
    epoch(data["expires_at"])
    if data.get("approval") is not None:
        _approved(data, data["approval"])
    for host in data["hosts"]:
        _shape("a host", host, HostPlan)
        _shape(host["name"], host["fingerprint"], Fingerprint)
        for entry in host["left"]:
            _shape(f"a remaining finding of {host['name']}", entry, Unplanned)
        for step in host["steps"]:
            _shape(f"a step of {host['name']}", step, Step)
    plan = Plan.of(data)
    for known in plan.hosts:
        for each in known.steps:
            _documented(known, each)
    return plan


def _approved(data: Mapping[str, Any], approval: Any) -> None:
    """The plan is the one that was approved."""
    epoch(approval["at"])
    try:
        same = digest(data) == approval["sha256"]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidPlan("the plan is damaged: its hosts and steps cannot be read") from None
    if not same:
        raise InvalidPlan(
            f"the plan was changed after {approval['by']} approved it at {approval['at']}: have it"
            " approved again (campaign-doctor approve)"
        )


def _shape(what: str, data: object, kind: type[Record]) -> None:
    """Each key exists with its type; a key that can be null may be missing."""
    if not isinstance(data, Mapping):
        raise InvalidPlan(f"the plan is damaged: {what} is {data!r}")
    nullable = {entry.name for entry in fields(kind) if entry.default is None}
    for entry in fields_of(kind):
        value = data.get(entry.key)
        if value is None and entry.name in nullable:
            continue
        found = ABSENT if value is None else entry.read(value)
        dropped = isinstance(found, tuple) and len(found) < len(list(value or ()))
        if found is ABSENT or dropped:
            raise InvalidPlan(f"the plan is damaged: {what} has {entry.key} {value!r}")


def _documented(host: HostPlan, step: Step) -> None:
    """The step does what the catalogue and the ladder know for its findings, and no more."""
    where = f"step {step.order} of {host.name}"
    keys, module = step.keys, step.module
    if not keys:
        raise InvalidPlan(f"{where} is damaged")
    problems = [BY_KEY[key] for key in keys if key in BY_KEY]
    if len(problems) < len(keys):
        raise InvalidPlan(f"{where}: {', '.join(keys)} are not all finding keys of the catalogue")
    remedies = {problem.key: problem.remedy for problem in problems if problem.remedy}
    known = {rung for key, remedy in remedies.items() for rung in ladder.rungs(key, remedy)}
    if step.remedy not in remedies.values() or step.rungs[:1] != (step.remedy,):
        raise InvalidPlan(f"{where}: {step.remedy} is not documented for {', '.join(keys)}")
    for rung in step.rungs:
        if rung not in known or not isinstance(step.rungs_for.get(rung), list):
            raise InvalidPlan(f"{where}: {rung} is not documented for {', '.join(keys)}")
    ids = [parts(id) for id in step.because]
    if {key for key, _instance, _subject in ids} != set(keys) or not (
        set(step.because) <= set(host.fingerprint.findings)
    ):
        raise InvalidPlan(f"{where}: its findings are not the ones that the plan was made for")
    about = {
        (BY_KEY[key].module, DEFAULT if key.startswith(f"{HOST}.") else instance)
        for key, instance, _subject in ids
    }
    subjects = {subject for _key, _instance, subject in ids}
    several = {step.instance, *step.all_instances}
    if several != {step.instance} and not REMEDIES[step.remedy].shared:
        raise InvalidPlan(f"{where} is damaged")
    module_ids = {(module, instance) for instance in several}
    if not module_ids <= about or step.role != ladder.ROLES[module] or (
        step.subject is not None and step.subject not in subjects
    ):
        what = f"{module}@{step.instance}"
        raise InvalidPlan(f"{where}: its findings are not about {what}")
    if step.afterwards not in (None, ladder.AFTERWARDS.get(module)):
        raise InvalidPlan(f"{where}: {step.afterwards} is not the documented end of its ladder")


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
