# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a function becomes an entry of the catalogue: a module's own rules, and those it includes.

The name of the function is the name of the problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..snapshot.records import ModuleInstance
from ..snapshot.server import Server
from .model import Evidence, Facts, Judge, Problem

MODULE = "MODULE"  # in the texts and causes of a shared rule: the module that includes it
TEXTS = ("title", "summary", "reason")

InstanceJudge = Callable[[Server, ModuleInstance], Facts | Evidence | None]
ModuleJudge = Callable[[Server, str], Iterable[Evidence]]


def on_each_instance(judge: InstanceJudge, server: Server, name: str) -> Iterator[Evidence]:
    """What a rule finds that looks at a module on one instance after the other."""
    for module in server.instances_of(name):
        shown = judge(server, module)
        if isinstance(shown, Evidence):
            yield replace(shown, instance=module.instance)
        elif shown is not None:
            yield Evidence(shown, module.instance)


@dataclass(frozen=True)
class Inclusion:
    """Which module includes shared rules, and the causes that it has beside the shared ones."""

    module: str
    causes_of_stop: tuple[str, ...] = ()
    causes_of_errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class SharedRule:
    """A rule that several modules include.

    `entry` is as for a rule of one module; its `causes` may be a function of the inclusion.
    `by_module` is what differs for some modules.
    """

    name: str
    judge: ModuleJudge
    entry: dict[str, Any]
    by_module: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find_in(self, module: str) -> Judge:
        """The rule for one module."""
        return lambda server: self.judge(server, module)

    def entry_of(self, inclusion: Inclusion) -> dict[str, Any]:
        """The entry of a module that includes the rule."""
        module = inclusion.module
        entry = {**self.entry, **self.by_module.get(module, {})}
        if callable(causes := entry.get("causes")):
            entry["causes"] = causes(inclusion)
        causes = tuple(cause.replace(MODULE, module) for cause in entry.get("causes", ()))
        texts = {name: entry[name].replace(MODULE, module) for name in TEXTS if entry.get(name)}
        return {**entry, **texts, "causes": causes}


class SharedRules:
    """Rules for modules to include; the decorators below enter functions into them."""

    def __init__(self) -> None:
        self._rules: list[SharedRule] = []

    def __iter__(self) -> Iterator[SharedRule]:
        return iter(self._rules)

    def enter(self, name: str, judge: ModuleJudge, entry: dict[str, Any]) -> None:
        """Enter a rule under a name."""
        by_module = entry.pop("by_module", {})
        self._rules.append(SharedRule(name, judge, entry, by_module))

    def problem(self, **entry: Any) -> Callable[[ModuleJudge], ModuleJudge]:
        """Register a function for the whole server; it also gets the module."""

        def enter(judge: ModuleJudge) -> ModuleJudge:
            self.enter(judge.__name__, judge, entry)
            return judge

        return enter

    def per_instance(self, **entry: Any) -> Callable[[InstanceJudge], InstanceJudge]:
        """Enter a function that looks at the module on one instance after the other."""

        def enter(judge: InstanceJudge) -> InstanceJudge:
            self.enter(judge.__name__, partial(on_each_instance, judge), entry)
            return judge

        return enter


class Catalogue:
    """The problems of one Campaign module; the decorators below enter functions into it."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.problems)

    def enter(self, name: str, find: Judge, **entry: Any) -> None:
        """Enter a problem under a name."""
        self.problems.append(Problem(module=self.module, name=name, find=find, **entry))

    def problem(self, **entry: Any) -> Callable[[Judge], Judge]:
        """Enter a function that looks at the whole server."""

        def enter(find: Judge) -> Judge:
            self.enter(find.__name__, find, **entry)
            return find

        return enter

    def per_instance(self, **entry: Any) -> Callable[[InstanceJudge], InstanceJudge]:
        """Enter a function that looks at this module on one instance after the other."""

        def enter(judge: InstanceJudge) -> InstanceJudge:
            find = partial(on_each_instance, judge, name=self.module)
            self.enter(judge.__name__, find, **entry)
            return judge

        return enter

    def include(
        self,
        *shared: SharedRules,
        causes_of_stop: tuple[str, ...] = (),
        causes_of_errors: tuple[str, ...] = (),
    ) -> None:
        """Enter shared rules.

        `causes_of_stop`: what, beside the shared causes, keeps the module from running.
        `causes_of_errors`: what, beside those, makes it log errors or answer late.
        """
        inclusion = Inclusion(self.module, causes_of_stop, causes_of_errors)
        for rule in (rule for rules in shared for rule in rules):
            self.enter(rule.name, rule.find_in(self.module), **rule.entry_of(inclusion))
