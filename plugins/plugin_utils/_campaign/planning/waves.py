# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""From the plans of the hosts to the plan of the fleet: storms are held, and hosts go in waves.

Pure: the same plans, diagnoses and brakes give the same waves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..diagnosis.catalogue import BY_KEY
from ..diagnosis.records import Diagnosis, Finding
from .brakes import STORM_HOSTS, Brakes
from .ladder import REMEDIES
from .make import unplanned_for
from .policy import Refusal
from .records import FleetPlan, Guarded, HostPlan, Plan, Step, Storm, Trial, Wave
from .saved import parts

Groups = Mapping[str, Collection[str]]
Answer = tuple[str, str]  # a remedy to a finding key: what a canary tries


def arranged(
    plan: Plan,
    diagnoses: Iterable[Diagnosis],
    brakes: Brakes,
    groups: Groups,
    known: Mapping[str, Collection[str]] | None = None,
) -> Plan:
    """The plan with its brakes.

    `groups`: those of the inventory. `known`: by host the ids of findings that an earlier run had found;
    a host that is not in it has only new ones.
    """
    seen = {diagnosis.name: diagnosis for diagnosis in diagnoses}
    storms = find_storms(plan.hosts, seen, brakes, groups, known or {})
    hosts = [held(host, storms) for host in plan.hosts]
    fleet = _Fleet(hosts, seen, brakes, groups)
    waves = fleet.waves()
    number = {name: n for n, wave in enumerate(waves, 1) for name in wave.hosts}
    return replace(
        plan,
        hosts=tuple(
            replace(fleet.host(host), wave=number.get(host.name)) for host in hosts
        ),
        fleet=FleetPlan(
            waves=tuple(waves),
            storms=storms,
            batch=fleet.batch,
            max_failures=brakes.failures(len(number)),
            groups=tuple(fleet.groups.values()),
            trials=fleet.trials(),
        ),
    )


# --- storms -------------------------------------------------------------------------------------


def find_storms(
    hosts: Sequence[HostPlan],
    seen: Mapping[str, Diagnosis],
    brakes: Brakes,
    groups: Groups,
    known: Mapping[str, Collection[str]],
) -> tuple[Storm, ...]:
    """Roots that are new on so many hosts of a group that their cause is hardly on the hosts."""
    by_key: dict[str, set[str]] = {}
    for host in hosts:
        for step in host.steps:
            for id in step.because:
                if id not in known.get(host.name, ()):
                    by_key.setdefault(parts(id)[0], set()).add(host.name)
    looked_at = {name for name, diagnosis in seen.items() if not diagnosis.error}
    storms = []
    for key, hit in sorted(by_key.items()):
        found = []
        for group, members in groups.items():
            present = looked_at.intersection(members)
            there = hit & present
            if len(there) >= STORM_HOSTS and 100 * len(there) > brakes.storm_percent * len(present):
                found.append((-len(there), len(present), group, there))
        if found:
            _many, of, group, there = min(found, key=lambda each: each[:3])
            storms.append(Storm(
                key=key, title=BY_KEY[key].title if key in BY_KEY else key, group=group,
                hosts=tuple(sorted(there)), diagnosed=of, accepted=brakes.accepts(key),
            ))
    return tuple(storms)


def held(host: HostPlan, storms: Iterable[Storm]) -> HostPlan:
    """The host's plan, in which the steps for a storm that was not accepted say so."""
    reasons = {storm.key: storm.reason for storm in storms if not storm.accepted}
    steps = tuple(
        replace(step, held=next(
            (reasons[key] for key in step.keys if key in reasons and not finishes(step)), None
        ))
        for step in host.steps
    )
    return replace(host, steps=steps)


def finishes(step: Step) -> bool:
    """Whether it ends what a cut repair has begun: no brake keeps that back."""
    return step.remedy in REMEDIES and REMEDIES[step.remedy].finishes


# --- waves --------------------------------------------------------------------------------------


def answers_of(step: Step) -> set[Answer]:
    """What the step is the test of."""
    return set() if step.held or finishes(step) else {(step.remedy, key) for key in step.keys}


def stops(step: Step) -> bool:
    """Whether a module may be stopped for the step."""
    return not step.held and any(
        REMEDIES[rung].cuts_off for rung in step.rungs if rung in REMEDIES
    )


def counted(name: str) -> list[tuple[int, str]]:
    """What sorts host names by their numbers: app2 before app10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def is_healthy(diagnosis: Diagnosis | None) -> bool:
    """Whether the host is known to do its work: no module is down, and none was not seen.

    What is only degraded works until its repair stops it.
    """
    return (
        diagnosis is not None
        and not diagnosis.error
        and bool(diagnosis.modules)
        and all(module.verdict not in ("down", "unknown") for module in diagnosis.modules)
        and not any(map(_down, diagnosis.findings))
    )


def _down(finding: Finding) -> bool:
    return finding.key in BY_KEY and BY_KEY[finding.key].down


def mends(diagnosis: Diagnosis, steps: Iterable[Step]) -> bool:
    """Whether the host will be healthy if its steps help."""
    answered = {id for step in steps if not step.held for id in step.because}
    return (
        not diagnosis.error
        and all(module.verdict != "unknown" for module in diagnosis.modules)
        and all(
            finding.id in answered or finding.caused_by_ids
            for finding in diagnosis.findings if _down(finding)
        )
    )


@dataclass
class _Group:
    """A group that must keep so many healthy hosts, while waves are put together."""

    about: Guarded
    healthy: set[str]

    def room(self) -> int:
        """How many of them may be stopped at once."""
        return len(self.healthy) - self.about.minimum


class _Fleet:
    """The hosts with steps, as they are put into waves. Ask for the waves first."""

    def __init__(
        self, hosts: Sequence[HostPlan], seen: Mapping[str, Diagnosis], brakes: Brakes, groups: Groups
    ) -> None:
        self._brakes = brakes
        self._seen = seen
        self._steps = {host.name: host.steps for host in hosts if host.steps}
        self._answers = {
            name: set().union(*map(answers_of, steps)) for name, steps in self._steps.items()
        }
        self._healthy = {name for name, diagnosis in seen.items() if is_healthy(diagnosis)}
        mending = {
            name for name, steps in self._steps.items() if name in seen and mends(seen[name], steps)
        }
        self.groups = {
            name: Guarded(
                name=name, minimum=minimum, hosts=tuple(sorted(groups[name])),
                healthy=tuple(sorted(self._healthy.intersection(groups[name]))),
                mends=tuple(sorted(mending.intersection(groups[name]))),
            )
            for name, minimum in brakes.minimums(groups).items()
        }
        self.batch = brakes.first_batch(len(self._steps))
        self._canaries = self._chosen()
        self._refused: dict[str, str] = {}

    def _chosen(self) -> dict[Answer, list[str]]:
        """For each answer that many hosts wait for, those that try it first.

        The canaries of an answer are the first of its hosts in the order in which canaries are chosen: so no
        host ever waits for one that waits for it.
        """
        waiting: dict[Answer, list[str]] = {}
        for name in sorted(self._answers):
            for answer in self._answers[name]:
                waiting.setdefault(answer, []).append(name)
        many = {
            answer: names for answer, names in waiting.items()
            if self._brakes.canary and len(names) > max(self._brakes.canary_from, self._brakes.canary)
        }
        chosen: list[str] = []
        canaries = {}
        for answer in sorted(many, key=lambda each: (-len(many[each]), each)):
            names = many[answer]
            before = [name for name in chosen if name in names][: self._brakes.canary]
            # Those with the fewest further answers, so that they say something about this one.
            fresh = sorted(
                set(names) - set(before), key=lambda name: (len(self._answers[name]), counted(name))
            )
            picked = [*before, *fresh][: self._brakes.canary]
            chosen += [name for name in picked if name not in chosen]
            canaries[answer] = picked
        return canaries

    def _leaders(self, name: str) -> set[str]:
        """The canaries that a host waits for."""
        return {
            leader
            for answer in self._answers[name]
            if name not in self._canaries.get(answer, [name])
            for leader in self._canaries[answer]
        }

    def waves(self) -> list[Wave]:
        """The waves; a host that must not be stopped is in the last if anything remains to do."""
        at_once = self._brakes.at_once(len(self._steps))
        leaders = {name: self._leaders(name) for name in self._steps}
        canaries = {name for names in self._canaries.values() for name in names}
        remaining = sorted(
            self._steps,
            key=lambda name: (name not in canaries, bool(leaders[name]), counted(name)),
        )
        guarded = [_Group(each, set(each.healthy)) for each in self.groups.values()]
        size, placed, waves = self.batch, set[str](), list[Wave]()
        while remaining:
            wave: list[str] = []
            following, room = 0, {group.about.name: group.room() for group in guarded}
            for name in remaining:
                follows = bool(leaders[name])
                if len(wave) >= at_once or not leaders[name] <= placed or (follows and following >= size):
                    continue
                if not self._fits(name, guarded, room):
                    continue
                wave.append(name)
                following += follows
            if not wave:
                self._refuse(remaining, guarded, leaders)
                wave = [name for name in remaining if not all(map(stops, self._steps[name]))]
                remaining = []
            if not wave:
                break
            waves.append(Wave(
                hosts=tuple(wave), canaries=tuple(name for name in wave if name in canaries),
                follow=tuple(name for name in wave if leaders[name]),
            ))
            size = size * 2 if following >= size else size
            placed.update(wave)
            remaining = [name for name in remaining if name not in placed]
            for group in guarded:  # as if it helped; the run looks again
                group.healthy.update(set(wave).intersection(group.about.mends))
        return waves

    def _fits(self, name: str, guarded: Iterable[_Group], room: dict[str, int]) -> bool:
        """Whether the host may be stopped beside the others of the wave."""
        if name not in self._healthy or not any(map(stops, self._steps[name])):
            return True
        mine = [group.about.name for group in guarded if name in group.about.hosts]
        if any(room[group] < 1 for group in mine):
            return False
        for group in mine:
            room[group] -= 1
        return True

    def _refuse(
        self, names: Iterable[str], guarded: Sequence[_Group], leaders: Mapping[str, set[str]]
    ) -> None:
        for name in names:
            full = [group for group in guarded if name in group.about.hosts and group.room() < 1]
            self._refused[name] = (
                short_of(full[0].about, self._seen)
                if full and not leaders[name] & set(self._refused)
                else "the host that must try it first cannot be repaired now (campaign_min_healthy)"
            )

    def trials(self) -> tuple[Trial, ...]:
        """What canaries try."""
        return tuple(
            Trial(remedy=remedy, key=key, canaries=tuple(names))
            for (remedy, key), names in sorted(self._canaries.items())
        )

    def host(self, host: HostPlan) -> HostPlan:
        """The host's plan: without the steps that campaign_min_healthy leaves no room for."""
        canary = {answer for answer, names in self._canaries.items() if host.name in names}
        reason = self._refused.get(host.name)
        kept = [step for step in host.steps if not (reason and stops(step))]
        findings = {
            finding.id: finding
            for finding in (self._seen[host.name].findings if reason else ())
        }
        return replace(
            host,
            steps=tuple(
                replace(step, order=order, canary=True if answers_of(step) & canary else None)
                for order, step in enumerate(kept, 1)
            ),
            left=(*host.left, *(
                unplanned_for(findings[id], Refusal("min_healthy", reason))
                for step in host.steps if reason and stops(step)
                for id in step.because if id in findings
            )),
        )


def short_of(group: Guarded, looked_at: Collection[str]) -> str:
    """Why no host of a group may be stopped."""
    unseen = [name for name in group.hosts if name not in looked_at]
    text = (
        f"campaign_min_healthy wants {group.minimum} healthy hosts in {group.name}, and only"
        f" {len(group.healthy)} of {len(group.hosts)} are known to be"
    )
    return f"{text}; {len(unseen)} of them were not looked at" if unseen else text
