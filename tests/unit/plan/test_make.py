"""Steps: which, in which order, merged how; what is left; what must always hold."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from unit.plan.builder import (
    ILL,
    NOW,
    Json,
    admit,
    finding,
    left,
    make,
    plan_of,
    saved,
    server,
    steps,
    typed,
)

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import SHARED
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
    ORDER,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
    Module,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    ladder,
    saved as saved_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.admit import (
    admit as admit_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    WHYS,
    fingerprint,
    make as make_plan,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Policy,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.records import (
    Step,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.server import (
    PERMANENT,
)

# --- one server -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([], []),
        (["wfserver.not_running@prod"], ["1 wfserver@prod start"]),
        # start order, the machine first, instances beside each other
        (
            ["wfserver.not_running@prod2", "wfserver.not_running@prod", "mta.hung@prod",
             "host.configuration_changed@prod#config-prod.xml", "syslogd.wrong_port@default"],
            ["1 host@default reload", "2 syslogd@default restart", "3 mta@prod kill_and_start",
             "4 wfserver@prod start", "5 wfserver@prod2 start"],
        ),
        # several findings of one module: the mildest remedy that covers them
        (["wfserver.memory_alert@prod", "wfserver.file_handles@prod"], ["1 wfserver@prod restart"]),
        (["wfserver.memory_alert@prod", "wfserver.hung@prod"], ["1 wfserver@prod kill_and_start"]),
        (["stat.quotas_not_loaded@prod", "stat.memory_alert@prod"], ["1 stat@prod restart"]),
        (
            ["mta.log_precision_raised@prod", "mta.restart_missed@prod"],
            ["1 mta@prod restore_log_precision"],
        ),
        (["mta.temporary_device@prod", "mta.restart_missed@prod"], ["1 mta@prod move_tmp"]),
        # what all instances share is changed once, and covers each of them
        (
            ["mta.temporary_device@prod2", "mta.temporary_device@prod", "mta.restart_missed@prod2",
             "mta.restart_missed@prod3"],
            ["1 mta@prod move_tmp", "2 mta@prod3 restart"],
        ),
        (
            ["syslogd.port_taken@default", "syslogd.wrong_port@default"],
            ["1 syslogd@default free_port"],
        ),
        # where none covers the other, both, the milder first
        (
            ["mta.temporary_device@prod", "mta.hung@prod"],
            ["1 mta@prod move_tmp", "2 mta@prod kill_and_start"],
        ),
        # what touches no process stands beside what does
        (
            ["watchdog.service_not_enabled@default", "watchdog.nothing_runs@default"],
            ["1 watchdog@default enable_service", "2 watchdog@default start_service"],
        ),
        (
            ["web.front_down@default", "web.session_error@default"],
            ["1 web@default start_front_end", "2 web@default restart"],
        ),
        # the machine is one
        (
            ["host.configuration_changed@default#serverConf.xml",
             "host.configuration_changed@prod#config-prod.xml"],
            ["1 host@default reload"],
        ),
        # a file of an instance: what can reloads, the others read it when they start
        (
            ["host.configuration_changed@prod#config-prod.xml", "wfserver.configuration_stale@prod",
             "stat.configuration_stale@prod"],
            ["1 host@default reload", "2 stat@prod restart", "3 wfserver@prod restart"],
        ),
        # jobs are apart
        (
            ["export.failed@prod#a", "export.stale@prod#a", "export.stale@prod#b",
             "import.failed@prod#a"],
            ["1 export@prod relaunch", "2 export@prod relaunch", "3 import@prod relaunch"],
        ),
        # what stops the whole service comes first, and makes restarts needless
        (
            ["wfserver.memory_alert@prod", "mta.not_running@prod", "web.hung@default",
             "trackinglogd.too_many_segments@default", "export.stale@prod#a",
             "host.configuration_changed@default#serverConf.xml"],
            ["1 trackinglogd@default rebuild_shared_memory", "2 web@default kill_and_start",
             "3 export@prod relaunch"],
        ),
        (
            ["trackinglogd.shared_memory_stale@default", "watchdog.shared_memory_version@default"],
            ["1 watchdog@default rebuild_shared_memory"],
        ),
    ],
)
def test_steps(findings: list[str], expected: list[str]) -> None:
    host = plan_of(*findings)
    assert steps(host) == expected
    assert host["left"] == []
    answered = [id for step in host["steps"] for id in step["because"]]
    assert sorted(answered) == sorted(findings)


def test_a_step_says_all_that_a_person_and_a_playbook_need() -> None:
    (step,) = plan_of("wfserver.memory_alert@prod", "wfserver.restart_missed@prod")["steps"]
    assert step == {
        "order": 1, "module": "wfserver", "instance": "prod", "role": "wfserver",
        "remedy": "restart", "rungs": ["restart", "kill_and_start"],
        "rungs_for": {
            "restart": ["wfserver.memory_alert@prod", "wfserver.restart_missed@prod"],
            "kill_and_start": ["wfserver.memory_alert@prod", "wfserver.restart_missed@prod"],
        },
        "limit": None,
        "because": ["wfserver.memory_alert@prod", "wfserver.restart_missed@prod"],
        "keys": ["wfserver.memory_alert", "wfserver.restart_missed"],
        "severity": "critical", "title": "Restart wfserver@prod",
        "command": "what an operator types for wfserver.memory_alert@prod",
        "subject": None, "cancels": ladder.WORK["wfserver"], "verify": ["wfserver"],
        "afterwards": "raise_log_precision", "not_after": None, "asks": False,
        "commands": None, "refused_unless": None,
        "work": None,
    }


WORK: list[Json] = [
    {"kind": "workflow", "what": "nightly", "module": "wfserver", "instance": "prod", "pid": 1},
    {"kind": "workflow", "what": "hourly", "module": "wfserver", "instance": "prod2", "pid": 2},
    {"kind": "job", "what": "contacts", "module": "export", "instance": "prod", "pid": 3},
    {"kind": "session", "what": "anna", "module": "web", "instance": "prod", "from": "10.0.0.1"},
]


@pytest.mark.parametrize(
    ("ill", "cut_off"),
    [
        ("wfserver.memory_alert@prod", ["nightly"]),
        ("web.session_error@default", ["anna"]),
        ("mta.memory_alert@prod", []),
        ("mta.temporary_device@prod2", []),
        ("wfserver.not_running@prod", []),  # a start ends nothing
        ("watchdog.memory_alert@default", ["nightly", "hourly", "contacts", "anna"]),
        ("trackinglogd.too_many_segments@default", ["nightly", "hourly", "contacts", "anna"]),
    ],
)
def test_a_step_lists_the_work_that_it_would_cut_off(ill: str, cut_off: list[str]) -> None:
    (step,) = make(server(ill), work={"app1": WORK})["hosts"][0]["steps"]
    assert [each["what"] for each in step["work"]] == cut_off
    (unseen,) = make(server(ill))["hosts"][0]["steps"]
    assert unseen["work"] == ([] if unseen["remedy"] == "start" else None)


def test_a_step_for_several_instances_names_each_and_cuts_off_the_work_of_each() -> None:
    both = ("mta.temporary_device@prod2", "mta.temporary_device@prod")
    mine = [{"kind": "delivery", "what": name, "module": "mta", "instance": name}
            for name in ("prod", "prod2", "prod3")]  # fmt: skip
    host = make(server(*both), work={"app1": mine})["hosts"][0]
    (step,) = host["steps"]
    assert (step["instance"], step["instances"]) == ("prod", ["prod", "prod2"])
    assert "mta@prod and mta@prod2" in step["title"]
    assert [each["what"] for each in step["work"]] == ["prod", "prod2"]
    modules = tuple(
        Module(module="mta", instance=name, state="running", verdict="healthy", pid=number)
        for number, name in enumerate(("prod", "prod2", "prod3"))
    )
    seen = Diagnosis(name="app1", modules=modules)
    processes = fingerprint(seen, [Step.of(step)]).processes
    assert processes == {"mta@prod": "running 0", "mta@prod2": "running 1"}


@pytest.mark.parametrize(("instances", "message"), [
    (["prod", "prod2", "prod3"], "its findings are not about"), ("prod", "is damaged"),
    ([1], "is damaged"),
])  # fmt: skip
def test_instances_that_were_put_into_a_plan(instances: Any, message: str) -> None:
    plan = json.loads(json.dumps(make(server("mta.temporary_device@prod",
                                             "mta.temporary_device@prod2"))))  # fmt: skip
    assert saved_plan.parse(plan)
    plan["hosts"][0]["steps"][0]["instances"] = instances
    with pytest.raises(saved_plan.InvalidPlan, match=message):
        saved_plan.parse(plan)
    other = json.loads(json.dumps(make(server("mta.hung@prod", "mta.hung@prod2"))))
    other["hosts"][0]["steps"][0]["instances"] = ["prod", "prod2"]
    with pytest.raises(saved_plan.InvalidPlan, match="is damaged"):
        saved_plan.parse(other)


def test_the_command_is_that_of_the_remedy_chosen() -> None:
    (step,) = plan_of("wfserver.memory_alert@prod", "wfserver.hung@prod")["steps"]
    assert step["command"] == "what an operator types for wfserver.hung@prod"


def test_a_rung_is_documented_for_the_finding_that_is_still_there() -> None:
    (step,) = plan_of("stat.quotas_not_loaded@prod", "stat.configuration_stale@prod")["steps"]
    assert step["rungs_for"] == {
        "restart": ["stat.configuration_stale@prod", "stat.quotas_not_loaded@prod"],
        "kill_and_start": ["stat.configuration_stale@prod"],
    }


def test_a_host_wide_step_is_verified_on_all_modules() -> None:
    (step,) = plan_of("trackinglogd.too_many_segments@default", "mta.not_running@prod")["steps"]
    assert (step["verify"], step["cancels"]) == ([], ladder.ALL_WORK)


def test_a_job_s_step_names_the_job() -> None:
    (step,) = plan_of("import.failed@prod#contacts")["steps"]
    assert (step["subject"], step["role"]) == ("contacts", "import")
    assert "contacts" in step["title"]


@pytest.mark.parametrize(
    ("module", "role"), [("inMail.hung@prod", "inmail"), ("mta.hung@prod", "mta"),
                         ("host.configuration_changed@default#serverConf.xml", "watchdog")],
)
def test_roles(module: str, role: str) -> None:
    (step,) = plan_of(module)["steps"]
    assert step["role"] == role


# --- what is left -----------------------------------------------------------------------------


def test_only_roots_are_repaired() -> None:
    root = finding("stat.not_running@prod")
    effect = finding("mta.not_running@prod", caused_by=["stat.not_running@prod"])
    host = plan_of(effect, root)
    assert steps(host) == ["1 stat@prod start"]
    assert left(host) == {"mta.not_running@prod": "caused_by"}
    assert "stat.not_running@prod" in host["left"][0]["reason"]


def test_a_root_without_a_remedy_says_why() -> None:
    host = plan_of("host.disk_full@default#/")
    (entry,) = host["left"]
    assert (entry["why"], entry["reason"]) == (
        "no_automatic_remedy", "you decide what can be deleted"
    )


def test_what_is_for_information_is_not_listed() -> None:
    host = plan_of("host.load_rising@default")
    assert (host["steps"], host["left"]) == ([], [])


def test_a_cause_on_another_host() -> None:
    far = finding(
        "mta.stat_unreachable@prod", stat_local=False, stat_host="app2", stat_addresses=""
    )
    first, second = make(server(far), server("stat.not_running@prod", name="app2"))["hosts"]
    assert left(first) == {"mta.stat_unreachable@prod": "caused_by"}
    assert "app2:stat.not_running@prod" in first["left"][0]["reason"]
    assert steps(second) == ["1 stat@prod start"]


def test_what_was_tried_in_vain_is_for_a_person() -> None:
    ill = "wfserver.memory_alert@prod"
    plan = make_plan(
        typed(server(ill)), {}, now=NOW, run="r", collection="1", exhausted={"app1": [ill]}
    )
    (entry,) = plan.hosts[0].left
    assert entry.why == "ladder_exhausted"
    assert entry.reason.endswith("restart, kill_and_start")


def test_a_host_without_a_diagnosis_is_there_with_its_error() -> None:
    silent = {"name": "app9", "reachable": False, "error": "no route", "modules": [],
              "findings": []}
    (host,) = make(silent)["hosts"]
    assert (host["error"], host["steps"], host["left"]) == ("no route", [], [])


def test_each_host_has_its_own_policy() -> None:
    servers = [server("mta.hung@prod", name=name) for name in ("b", "a")]
    policies = {"a": Policy.of({"modules_excluded": ["mta"]})}
    plan = make_plan(typed(*servers), policies, now=NOW, run="r", collection="1")
    first, second = plan.hosts
    assert (first.name, len(first.steps), second.name, len(second.steps)) == ("a", 0, "b", 1)


# --- a fleet ----------------------------------------------------------------------------------


def test_five_hundred_hosts_are_quick() -> None:
    night = [{"from": "22:00", "to": "05:00", "remedies": ["restart"]}]
    fleet = [server(*ILL, "web.hung@default", name=f"app{n:03}") for n in range(500)]
    policies = {host["name"]: Policy.of({"windows": night}) for host in fleet}
    begun = time.process_time()
    plan = make_plan(typed(*fleet), policies, now=NOW, run="r", collection="1")
    admit_plan(saved_plan.parse(plan.as_dict()), typed(*fleet), policies, now=NOW)
    assert time.process_time() - begun < 4
    assert len(plan.hosts) == 500


# --- what must always hold --------------------------------------------------------------------


@st.composite
def diagnoses(draw: Any) -> Json:
    """Any findings of the catalogue, some of them explained by earlier ones."""
    problems = draw(st.lists(st.sampled_from(CATALOGUE), max_size=12, unique=True))
    findings: list[Json] = []
    for problem in problems:
        shared = problem.module in (*SHARED, "host")
        instance = "default" if shared else draw(st.sampled_from(["prod", "prod2"]))
        subject = "#job" if problem.remedy == "relaunch" else ""
        causes = draw(st.lists(st.sampled_from(findings), max_size=2)) if findings else []
        ids = [cause["id"] for cause in causes]
        findings.append(finding(f"{problem.key}@{instance}{subject}", caused_by=ids))
    return server(*findings, instances=("prod", "prod2"))


policies = st.fixed_dictionaries(
    {},
    optional={
        "remedies_allowed": st.lists(st.sampled_from(list(ladder.REMEDIES)), max_size=6),
        "remedies_denied": st.lists(st.sampled_from(list(ladder.REMEDIES)), max_size=3),
        "modules_excluded": st.lists(st.sampled_from([*PERMANENT, "mta@prod2"]), max_size=2),
        "highest_rung": st.sampled_from(ladder.HIGHEST),
        "windows": st.just([{"from": "22:00", "to": "05:00", "remedies": ["restart"]}]),
        "muted": st.just([{"key": "mta.hung", "until": "2026-01-01", "reason": "known"}]),
    },
)


@settings(max_examples=120, deadline=None)
@given(diagnoses(), policies)
def test_invariants(diagnosis: Json, options: Json) -> None:
    policy = Policy.of(options)
    (host,) = make(diagnosis, **options)["hosts"]
    findings = {each["id"]: each for each in diagnosis["findings"]}
    answered = [id for step in host["steps"] for id in step["because"]]
    # a finding is in one place, and what matters is in one
    assert len(set(answered)) == len(answered)
    assert not set(answered) & set(left(host))
    for id, each in findings.items():
        if each["severity"] != "info":
            assert (id in answered) != (id in left(host))
    assert all(entry["reason"] and entry["why"] in WHYS for entry in host["left"])
    # no step for what another finding explains
    assert not any(findings[id]["caused_by_ids"] for id in answered)
    # order: the whole service, then the start order
    places = [(not ladder.REMEDIES[s["remedy"]].host_wide, ORDER[s["module"]])
              for s in host["steps"]]
    assert places == sorted(places)
    assert [step["order"] for step in host["steps"]] == list(range(1, len(places) + 1))
    for step in host["steps"]:
        # the remedy and every rung are documented, allowed, and climb
        documented = {
            rung for id in step["because"]
            for rung in ladder.rungs(findings[id]["key"], findings[id]["remedy"])
        }
        assert set(step["rungs"]) <= documented
        levels = [ladder.REMEDIES[rung].level for rung in step["rungs"]]
        assert levels == sorted(levels) and step["rungs"][0] == step["remedy"]
        assert not policy.denied & set(step["rungs"])
        asked = {rung for rung in step["rungs"] if not ladder.REMEDIES[rung].finishes}
        assert not policy.allowed or policy.allowed >= asked
        assert not policy.excludes(step["module"], step["instance"])
        assert all(
            ladder.covers(step["remedy"], findings[id]["remedy"]) for id in step["because"]
        )
    # the same again, whatever the order of the findings, and through the file
    shuffled = {**diagnosis, "findings": diagnosis["findings"][::-1]}
    assert make(shuffled, **options)["hosts"][0]["steps"] == host["steps"]
    plan = saved(diagnosis, **options)
    assert admit(plan, diagnosis, **options)[0]["steps"] == host["steps"]
