"""How a module includes rules that it shares with others."""

from __future__ import annotations

import pytest
from unit.plugin_utils.builder import healthy

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.model import (
    WARNING,
    Evidence,
    Facts,
    advice,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.rules import (
    Catalogue,
    Inclusion,
    SharedRules,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.records import (
    ModuleInstance,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.server import (
    Server,
)

ENTRY = {
    "title": "MODULE is slow", "severity": WARNING, "summary": "MODULE takes {seconds} s.",
    "source": "modules", "needs": (), "remedy": "restart", "fix": advice("restart it"),
    "causes": ("MODULE.hung", "host.disk_full"),
}


def included(module: str, rules: SharedRules, **causes: tuple[str, ...]) -> Catalogue:
    catalogue = Catalogue(module)
    catalogue.include(rules, **causes)
    return catalogue


@pytest.fixture
def rules() -> SharedRules:
    return SharedRules()


@pytest.fixture
def server() -> Server:
    return Server(healthy())


def test_texts_and_causes_name_the_module_that_includes_the_rule(rules: SharedRules) -> None:
    @rules.problem(**ENTRY)
    def slow(server: Server, module: str) -> list[Evidence]:
        return []

    for module in ("mta", "stat"):
        (problem,) = included(module, rules)
        assert problem.key == f"{module}.slow"
        assert problem.title == f"{module} is slow"
        assert problem.summary == f"{module} takes {{seconds}} s."
        assert problem.causes == (f"{module}.hung", "host.disk_full")


def test_what_differs_for_a_module_holds_for_it_alone(rules: SharedRules) -> None:
    by_module = {"mta": {"remedy": None, "reason": "MODULE sends"}}

    @rules.problem(**ENTRY, by_module=by_module)
    def slow(server: Server, module: str) -> list[Evidence]:
        return []

    (mta,), (stat,) = included("mta", rules), included("stat", rules)
    assert (mta.remedy, mta.reason) == (None, "mta sends")
    assert (stat.remedy, stat.reason) == ("restart", None)


def test_a_module_has_causes_of_its_own(rules: SharedRules) -> None:
    def causes(own: Inclusion) -> tuple[str, ...]:
        return ("MODULE.hung", *own.causes_of_stop, *own.causes_of_errors)

    @rules.problem(**{**ENTRY, "causes": causes})
    def slow(server: Server, module: str) -> list[Evidence]:
        return []

    (mta,) = included("mta", rules, causes_of_stop=("mta.port",), causes_of_errors=("mta.relay",))
    assert mta.causes == ("mta.hung", "mta.port", "mta.relay")


def test_a_rule_is_told_the_module(rules: SharedRules, server: Server) -> None:
    @rules.problem(**ENTRY)
    def slow(server: Server, module: str) -> list[Evidence]:
        return [Evidence({"module": module})]

    both = [included(module, rules) for module in ("mta", "stat")]
    assert [evidence.facts for (one,) in both for evidence in one.find(server)] == [
        {"module": "mta"}, {"module": "stat"},
    ]


def test_a_rule_per_instance_looks_at_each(rules: SharedRules, server: Server) -> None:
    @rules.per_instance(**ENTRY)
    def slow(server: Server, module: ModuleInstance) -> Facts:
        return {"label": module.label}

    (wfserver,) = included("wfserver", rules)
    found = [(evidence.instance, evidence.facts["label"]) for evidence in wfserver.find(server)]
    assert found == [(module.instance, module.label) for module in server.instances_of("wfserver")]
    assert found
