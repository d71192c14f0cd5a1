# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes the plan of a run from the diagnoses of all hosts, or takes one and says what holds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# Here and not in a function: so they are loaded once, before Ansible forks.
from ..modules.campaign_plan import DOCUMENTATION
from ..plugin_utils._campaign.ansible import confirmations, mute_file
from ..plugin_utils._campaign.ansible.changing import record
from ..plugin_utils._campaign.ansible.documentation import arguments, options_of
from ..plugin_utils._campaign.ansible.plan_files import given, written
from ..plugin_utils._campaign.ansible.variables import PREFIX, raw_variables, with_variables
from ..plugin_utils._campaign.ansible.version import collection_version
from ..plugin_utils._campaign.diagnosis.causes import across_hosts, addresses_of
from ..plugin_utils._campaign.diagnosis.records import Diagnosis
from ..plugin_utils._campaign.planning import approval, ladder, saved as saved_plan
from ..plugin_utils._campaign.planning.admit import admit, check_time
from ..plugin_utils._campaign.planning.brakes import OPTIONS as BRAKES, Brakes, same_for_all
from ..plugin_utils._campaign.planning.handed_on import handed_on
from ..plugin_utils._campaign.planning.make import make
from ..plugin_utils._campaign.planning.mute_memory import marked
from ..plugin_utils._campaign.planning.policy import OPTIONS, InvalidPolicy, Policy
from ..plugin_utils._campaign.planning.records import AtWork, Plan, Work
from ..plugin_utils._campaign.planning.waves import arranged
from ..plugin_utils._campaign.report.build import InvalidReport, diagnosis_of, load
from ..plugin_utils._campaign.snapshot import reader

Json = dict[str, Any]

ARGUMENTS = arguments(options_of(DOCUMENTATION))
NEW_SECONDS = 24 * 3600  # for which a finding is new
OWN_GROUPS = ("campaign_planned", "campaign_wave_", "campaign_deferred")


class ActionModule(ActionBase):
    """Needs no connection: everything is in the variables of the hosts."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make or read the plan, ask what is to be asked, and write the plan if requested."""
        result: Json = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        result.update(changed=False)
        try:
            read = given(options, variables)
            if options["required"] and not read:
                raise saved_plan.InvalidPlan(
                    "campaign_plan_required is true, and no plan is given (campaign_plan_data,"
                    " campaign_plan_file)"
                )
            hosts = Hosts(options, variables)
            if options["validate_only"]:
                policies = hosts.policies()
                same_for_all(hosts.brakes()).minimums(hosts.groups())
                if read:
                    validate(read, policies, time.time())
                return result
            result.update(self._planned(read, hosts, options))
        except (InvalidPolicy, saved_plan.InvalidPlan) as error:
            raise AnsibleActionFail(str(error)) from None
        return result

    def _planned(self, read: Plan | None, hosts: Hosts, options: Mapping[str, Any]) -> Json:
        """The plan, with what else is returned."""
        now = time.time()
        diagnoses = hosts.diagnoses()
        policies, work = hosts.policies(), hosts.work()
        warnings: list[str] = []
        if any(policy.mutes for policy in policies.values()):
            file = mute_file.path_of(options["mute_memory"], None, hosts.variables, self._templar)
            policies = with_memory(policies, file, now, warnings)
        if read:
            plan = admit(read, diagnoses, policies, now=now, work=work)
        else:
            person = with_variables({}, ["who"], hosts.variables, self._templar)
            plan = make(
                diagnoses,
                policies,
                now=now,
                run=options["run"] or run_id(now),
                collection=collection_version(),
                valid_minutes=options["valid_minutes"],
                exhausted=hosts.exhausted(),
                work=work,
            )
            who = options["who"] or person.get("who") or record({}, hosts.variables)["who"]
            plan = replace(plan, made_by=who)
        if not options["plan_only"]:
            plan = approval.enforced(plan, policies)
        plan = arranged(
            plan, across_hosts(diagnoses), same_for_all(hosts.brakes()), hosts.groups(),
            known_before(self._previous(options, hosts), now),
        )
        data = plan.as_dict()
        return {
            "plan": data,
            "at": now,
            "read": read is not None,
            "approved": approval.in_words(plan),
            "steps": {host["name"]: host["steps"] for host in data["hosts"]},
            "fleet": data["fleet"],
            "waves": {host.name: host.wave for host in plan.hosts if host.wave},
            "summary": summary(plan),
            "file": written(options["plan_file"], data),
            "ansible_stats": statistics(plan, read),
            **({"warnings": warnings} if warnings else {}),
            **self._asked(plan, options),
        }

    def _previous(self, options: Mapping[str, Any], hosts: Hosts) -> str:
        variable = with_variables({}, ["report_previous"], hosts.variables, self._templar)
        return str(options["previous"] or variable.get("report_previous") or "")

    def _asked(self, plan: Plan, options: Mapping[str, Any]) -> Json:
        """What the operator confirmed of the steps that ask."""
        if options["plan_only"] or self._task.check_mode:
            return {"confirmed": {}, "unconfirmed": ""}
        asking = [(host.name, step) for host in plan.hosts for step in host.steps if step.asks]
        confirmed, why = confirmations.ask(asking, options["ask_seconds"])
        return {"confirmed": confirmed, "unconfirmed": why}


class Hosts:
    """The hosts that are planned for, by their variables."""

    def __init__(self, options: Mapping[str, Any], variables: dict[str, Any]) -> None:
        self.variables = variables
        self._options = options
        self._hostvars: Any = variables.get("hostvars") or {}
        names = options["hosts"]
        if names is None:
            names = variables.get("ansible_play_hosts_all") or []
        self._raw = {str(name): raw_variables(variables, str(name)) for name in names}

    def diagnoses(self) -> list[Diagnosis]:
        """What was found on each."""
        return [
            diagnosis_of(name, raw.get(self._options["variable"]), addresses_of(raw))
            for name, raw in self._raw.items()
        ]

    def policies(self) -> dict[str, Policy]:
        """The policy of each."""
        return {
            name: policy_of(name, self._options, self._hostvars, raw)
            for name, raw in self._raw.items()
        }

    def brakes(self) -> dict[str, Brakes]:
        """The brakes that each has; they must be the same."""
        return {
            name: brakes_of(name, self._options, self._hostvars, raw)
            for name, raw in self._raw.items()
        }

    def groups(self) -> dict[str, frozenset[str]]:
        """The hosts of each group of the inventory, those of the playbooks' own left out."""
        return {
            str(name): frozenset(map(str, hosts))
            for name, hosts in (self.variables.get("groups") or {}).items()
            if name != "ungrouped" and not str(name).startswith(OWN_GROUPS)
        }

    def exhausted(self) -> dict[str, frozenset[str]]:
        """What this run has tried on each in vain."""
        variable = self._options["actions_variable"]
        return {name: tried(raw.get(variable)) for name, raw in self._raw.items()}

    def work(self) -> dict[str, AtWork]:
        """What each has in flight."""
        variable = self._options["work_variable"]
        return {name: in_flight(raw.get(variable)) for name, raw in self._raw.items()}


def with_memory(
    policies: Mapping[str, Policy], file: Path, now: float, warnings: list[str]
) -> dict[str, Policy]:
    """The policies without the mutes whose findings had gone."""
    try:
        memory = mute_file.load(file)
    except mute_file.Unusable as error:
        warnings.append(f"Mutes end at their date only: {error} (campaign_mute_memory).")
        return dict(policies)
    return {
        name: replace(policy, mutes=marked(policy.mutes, memory.of_host(name), now))
        for name, policy in policies.items()
    }


def validate(plan: Plan, policies: Mapping[str, Policy], now: float) -> None:
    """Raises InvalidPlan for a plan that no host may be asked for."""
    check_time(plan, now)
    for name in [host.name for host in plan.hosts if host.steps and host.name in policies]:
        if reason := approval.missing(plan, policies[name]):
            raise saved_plan.InvalidPlan(f"{name}: {reason}")


def statistics(plan: Plan, read: Plan | None) -> Json:
    """What an automation controller shows of the job, and hands on to the next one."""
    numbers = summary(plan)
    verdict = "planned" if numbers["steps"] else "refused" if numbers["refused"] else "nothing to do"
    data: Json = {"campaign_plan_summary": numbers, "campaign_plan_verdict": verdict}
    if read is None:  # else the job before has handed it on
        data["campaign_plan_data"] = handed_on(plan)
    return {"data": data, "per_host": False, "aggregate": False}


def known_before(path: str, now: float) -> dict[str, frozenset[str]]:
    """By host the findings of an earlier report. None if that is not old enough: what began lately has
    been found by the last run, too. And none if it cannot be read, which the report says.
    """
    if not path:
        return {}
    try:
        report = load(Path(path))
    except InvalidReport:
        return {}
    if report.finished > saved_plan.iso(now - NEW_SECONDS):
        return {}
    return {host.name: frozenset(each.id for each in host.findings) for host in report.hosts}


def brakes_of(name: str, options: Mapping[str, Any], hostvars: Any, raw: Mapping[str, Any]) -> Brakes:
    """The brakes that a host has; they must be the same on all."""
    try:
        return Brakes.of(chosen(BRAKES, name, options, hostvars, raw))
    except InvalidPolicy as error:
        raise InvalidPolicy(f"{name}: {error}") from None


def chosen(
    names: Iterable[str], host: str, options: Mapping[str, Any], hostvars: Any, raw: Mapping[str, Any]
) -> Json:
    """Options of the task, and for each that is left out the host's own variable."""
    found: Json = {option: options[option] for option in names}
    own = [option for option in names if found[option] is None and PREFIX + option in raw]
    if own:
        templated = hostvars[host]
        found.update({option: templated[PREFIX + option] for option in own})
    return found


def policy_of(
    name: str, options: Mapping[str, Any], hostvars: Any, raw: Mapping[str, Any]
) -> Policy:
    """A host's policy: an option of the task holds for all, else its own variable."""
    try:
        policy = Policy.of(chosen(OPTIONS, name, options, hostvars, raw))
        return replace(policy, declared=declared(name, hostvars, raw))
    except InvalidPolicy as error:
        raise InvalidPolicy(f"{name}: {error}") from None


def declared(name: str, hostvars: Any, raw: Mapping[str, Any]) -> Json:
    """What the site declares for guards; the plan names what is missing."""
    names = [each for each in ladder.DECLARATIONS if PREFIX + each in raw]
    return {each: hostvars[name][PREFIX + each] for each in names}


def tried(actions: Any) -> frozenset[str]:
    """Ids of the findings that this run has tried to repair in vain."""
    done = actions if isinstance(actions, (list, tuple)) else ()
    return frozenset(
        str(id)
        for action in done
        if isinstance(action, Mapping) and action.get("result") == "not_repaired"
        for id in action.get("because") or ()
    )


def in_flight(registered: Any) -> AtWork:
    """The work that campaign_guard has found on a host; None if it did not run or failed."""
    work = registered.get("work") if isinstance(registered, Mapping) else None
    if not isinstance(work, (list, tuple)):
        return None
    found = (reader.read(Work, each) for each in work)
    return tuple(each for each in found if each is not reader.ABSENT)


def run_id(now: float) -> str:
    """A name for a run that no other run has."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(3).hex()}"


def summary(plan: Plan) -> dict[str, int]:
    """How much a plan holds."""
    hosts = plan.hosts
    return {
        "hosts": len(hosts),
        "steps": sum(len(host.steps) for host in hosts),
        "left": sum(len(host.left) for host in hosts),
        "refused": sum(host.refused is not None for host in hosts),
    }
