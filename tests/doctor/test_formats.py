"""Each format, read by a real consumer of it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DECLARED,
    MODULES,
)
from campaign_doctor import modules as known
from campaign_doctor.formats import FILES, RENDERERS, nagios, sarif, table
from campaign_doctor.history import compare
from campaign_doctor.model import Report
from campaign_doctor.options import FORMATS
from campaign_doctor.shared import openmetrics
from doctor import samples
from doctor.samples import Json, finding, host, module, report, unreachable

HOSTILE = 'a|b "c" \\ \x1b[31m\n# EOF\x00\N{RIGHT-TO-LEFT OVERRIDE}{}é\udce4'


def hostile() -> Report:
    return Report.of(report(
        host(HOSTILE, verdict="down", findings=[
            finding("mta.hung", id=f"mta.hung@prod#{HOSTILE}", title=HOSTILE, summary=HOSTILE,
                    fix=HOSTILE, reason=HOSTILE, evidence={HOSTILE: HOSTILE}),
        ], unseen=[{"probe": "http", "kind": "failed", "message": HOSTILE}]),
        host("app2", verdict="unknown", status="failed", error=HOSTILE),
    ))


CROSS = "\N{MULTIPLICATION SIGN}"
REPORTS = {
    "ill": lambda: Report.of(samples.ill()),
    "healthy": lambda: Report.of(report(host())),
    "empty": lambda: Report.of(report()),
    "hostile": hostile,
}


@pytest.fixture(params=REPORTS)
def any_report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]()


# -- JSON -------------------------------------------------------------------------------------


def test_json_is_the_report() -> None:
    assert json.loads(RENDERERS["json"](Report.of(samples.ill()))) == samples.ill()


@pytest.mark.parametrize("name", RENDERERS)
def test_every_format_can_be_written(name: str, any_report: Report) -> None:
    text = RENDERERS[name](any_report)
    assert text.endswith("\n")
    text.encode("utf-8")


# -- Nagios: the rules of the plugin development guidelines ---------------------------------------

LABEL = r"(?:[^'= ]+|'(?:[^'=]|'')+')"
NUMBER = r"-?[0-9.]+"
RANGE = rf"@?(?:(?:{NUMBER}|~):)?(?:{NUMBER})?"
DATUM = rf"{LABEL}={NUMBER}(?:s|us|ms|%|B|KB|MB|TB|c)?" + rf"(?:;{RANGE})?" * 2 + \
    rf"(?:;(?:{NUMBER})?)?" * 2
LINE = re.compile(
    rf"CAMPAIGN (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| ({DATUM}(?: {DATUM})*)\n"
)


def test_nagios_is_one_line_with_performance_data(any_report: Report) -> None:
    match = LINE.fullmatch(nagios.render(any_report))
    assert match, nagios.render(any_report)
    assert match[1] == nagios.state(any_report).name
    assert len(match[0].partition(" | ")[0]) <= 240


def test_nagios_says_what_is_wrong() -> None:
    assert nagios.render(Report.of(samples.ill())) == (
        "CAMPAIGN CRITICAL - 3 hosts: 1 down, 1 unreachable, 1 healthy; app2 stat@prod: Title of"
        " stat.not_running; app2 host: Title of host.disk_filling"
        " | healthy=1;;;0;3 degraded=0;;;0;3 down=1;;;0;3 unknown=0;;;0;3 unreachable=1;;;0;3"
        " failed=0;;;0;3 not_installed=0;;;0;3 critical=2;;0;0 warning=1;0;;0"
        " worst_score=30;;;0;100"
        " repaired=0;;;0 done=0;;;0 unproved=0;;;0 not_repaired=0;;;0 refused=0;;;0\n"
    )


@pytest.mark.parametrize(
    ("hosts", "more", "state"),
    [
        ([host()], {}, nagios.State.OK),
        ([host(findings=[finding("a.b", severity="info")])], {}, nagios.State.OK),
        ([host(verdict="degraded", findings=[finding("a.b", severity="warning")])], {},
         nagios.State.WARNING),
        ([host(findings=[finding("a.b")])], {}, nagios.State.CRITICAL),
        ([host(verdict="down")], {}, nagios.State.CRITICAL),
        ([host()], {"not_repaired": 1}, nagios.State.CRITICAL),
        ([host(), unreachable("b")], {}, nagios.State.UNKNOWN),
        ([host(verdict="unknown")], {}, nagios.State.UNKNOWN),
        ([host(status="not_installed", verdict="unknown")], {}, nagios.State.UNKNOWN),
        ([], {}, nagios.State.UNKNOWN),
        ([unreachable("b"), host(findings=[finding("a.b")])], {}, nagios.State.CRITICAL),
    ],
)
def test_nagios_states(hosts: list[Json], more: Json, state: nagios.State) -> None:
    data = report(*hosts)
    data["summary"].update(more)
    assert nagios.state(Report.of(data)) is state
    assert [each.value for each in nagios.State] == [0, 1, 2, 3]


# -- OpenMetrics ----------------------------------------------------------------------------------


def families(text: str) -> dict[str, Any]:
    parsed = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return {family.name: family for family in parsed}


def samples_of(text: str, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(s.labels.values()): s.value for s in families(text)[name].samples}


def older_format(text: str) -> list[Any]:
    return list(text_string_to_metric_families(text))


def test_openmetrics_is_valid_in_both_formats(any_report: Report) -> None:
    """The textfile collector of node_exporter reads the older one."""
    memory = openmetrics.carried(openmetrics.NOTHING, any_report)
    text = openmetrics.render(any_report, memory)
    new = {(s.name, tuple(sorted(s.labels.items()))): (s.value, s.timestamp)
           for family in families(text).values() for s in family.samples}
    old = {(s.name, tuple(sorted(s.labels.items()))): (s.value, s.timestamp)
           for family in older_format(text) for s in family.samples}
    assert new == old
    assert len(new) == sum(1 for line in text.splitlines() if not line.startswith("#"))
    assert {timestamp for _, timestamp in new.values()} == {None}
    kinds = {family.name: family.type for family in families(text).values()}
    assert kinds == {family.name: family.kind for family in openmetrics.FAMILIES}
    assert text.endswith("# EOF\n")


def test_openmetrics_values() -> None:
    text = openmetrics.render(Report.of(samples.ill()))
    assert samples_of(text, "campaign_host_score") == {("app1",): 100, ("app2",): 30}
    verdicts = samples_of(text, "campaign_module_verdict")
    assert verdicts[("app2", "stat", "prod")] == 3
    assert verdicts[("app2", "mta", "prod")] == 2
    assert verdicts[("app1", "mta", "prod")] == 0
    status = samples_of(text, "campaign_host_status")
    assert {key for key, value in status.items() if value} == {
        ("app1", "diagnosed"), ("app2", "diagnosed"), ("app3", "unreachable")
    }
    assert samples_of(text, "campaign_findings")[("app2", "critical")] == 2
    assert ("app3", "critical") not in samples_of(text, "campaign_findings")
    found = families(text)["campaign_finding"].samples
    assert [(s.labels["key"], s.labels["root"]) for s in found] == [
        ("stat.not_running", "true"), ("mta.stat_unreachable", "false"),
        ("host.disk_filling", "true"),
    ]
    assert samples_of(text, "campaign_module_memory_bytes")[("app1", "mta", "prod")] == 12.5 * 2**20
    assert samples_of(text, "campaign_report_timestamp_seconds") == {(): 1763894405.0}


def repaired(name: str = "app1", *results: str, **more: Any) -> Report:
    return Report.of(report(
        host(name, actions=[action(result, because=[f"mta.hung@{number}"])
                            for number, result in enumerate(results)]), **more,
    ))


def test_openmetrics_counts_repairs_of_all_runs() -> None:
    memory = openmetrics.NOTHING
    for run in (repaired("app1", "repaired", "repaired", "skipped"), repaired("app2", "not_repaired"),
                repaired("app1", "repaired"), repaired("app1", "repaired", check=True)):
        memory = openmetrics.carried(memory, run)
    text = openmetrics.render(Report.of(report(host())), memory)
    assert samples_of(text, "campaign_repair_steps") == {
        ("app1", "restart", "repaired"): 3, ("app2", "restart", "not_repaired"): 1,
    }
    assert samples_of(openmetrics.render(Report.of(report(host()))), "campaign_repair_steps") == {}


def seen(text: str) -> dict[tuple[str, ...], float]:
    return samples_of(text, "campaign_root_first_seen_timestamp_seconds")


def test_openmetrics_a_root_keeps_the_time_at_which_it_was_first_seen() -> None:
    def after(memory: openmetrics.Memory, minute: int, *hosts: Json) -> openmetrics.Memory:
        return openmetrics.carried(memory, Report.of(
            report(*hosts, finished=f"2025-11-23T10:{minute:02}:00Z")))

    hung = host(findings=[finding("mta.hung"), finding("stat.slow", severity="info")])
    first = after(openmetrics.NOTHING, 0, hung)
    began = 1763892000.0
    assert first.since == {("app1", "mta.hung@prod"): began}
    assert after(first, 5, hung).since == first.since
    assert after(first, 5, unreachable("app1")).since == first.since, "not seen is not gone"
    others = host(modules=[module("wfserver")])
    assert after(first, 5, others).since == first.since, "a look at other modules does not say"
    gone = after(first, 5, host())
    assert gone.since == {}
    assert after(gone, 10, hung).since == {("app1", "mta.hung@prod"): began + 600}
    text = openmetrics.render(Report.of(report(hung)), first)
    assert seen(text) == {("app1", "mta.hung@prod"): began}
    assert seen(openmetrics.render(Report.of(report(host("app2"))), first)) == {}


def test_openmetrics_what_is_carried_on_can_be_read_again(any_report: Report) -> None:
    memory = openmetrics.carried(openmetrics.NOTHING, any_report)
    memory = openmetrics.carried(memory, repaired('a"\\n}\n{', "repaired", "done"))
    memory = memory._replace(since={
        (name.replace("\udce4", "?"), identity.replace("\udce4", "?")): at
        for (name, identity), at in memory.since.items()
    })
    assert openmetrics.remembered(openmetrics.as_text(memory)) == memory
    assert openmetrics.remembered(openmetrics.render(any_report, memory)).steps == memory.steps
    assert openmetrics.remembered("garbage\ncampaign_repair_steps_total{x} 1\n") == ({}, {})


def test_openmetrics_has_the_run_and_its_hosts() -> None:
    text = openmetrics.render(Report.of(samples.ill()))
    assert samples_of(text, "campaign_run_duration_seconds") == {(): 5}
    assert samples_of(text, "campaign_hosts") == {
        ("diagnosed",): 2, ("unreachable",): 1, ("failed",): 0, ("not_installed",): 0}
    for family in families(text).values():
        labels = {each.name: each.labels for each in openmetrics.FAMILIES}[family.name]
        assert all(tuple(sample.labels) == labels for sample in family.samples), family.name


def test_openmetrics_keeps_odd_names() -> None:
    text = openmetrics.render(hostile())
    names = {labels[0] for labels in samples_of(text, "campaign_host_score")}
    assert HOSTILE.replace("\udce4", "?") in names


# -- SARIF ----------------------------------------------------------------------------------------


def test_sarif_is_as_the_standard_says(any_report: Report) -> None:
    text = sarif.render(any_report)
    Sarif.model_validate_json(text)
    (run,) = json.loads(text)["runs"]
    assert len(run["results"]) == sum(1 for _ in any_report.findings())
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])


def test_sarif_model_is_strict() -> None:
    """The consumer itself: it refuses what the standard does not have."""
    log = json.loads(sarif.render(Report.of(samples.ill())))
    log["runs"][0]["results"][0]["levle"] = "error"
    with pytest.raises(ValidationError, match="levle"):
        Sarif.model_validate(log)


def test_sarif_values() -> None:
    (run,) = json.loads(sarif.render(Report.of(samples.ill())))["runs"]
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("stat.not_running", "error")
    assert first["message"]["text"] == "Summary of stat.not_running.\nFix: nlserver start stat@prod"
    place = first["locations"][0]["logicalLocations"][0]
    assert (place["name"], place["fullyQualifiedName"]) == ("stat@prod", "app2/stat@prod")
    assert "baselineState" not in first
    rule = run["tool"]["driver"]["rules"][0]
    assert rule["shortDescription"]["text"] == "stat does not run", "as the catalogue has it"
    assert rule["helpUri"].startswith("https://experienceleague.adobe.com/")
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]
    assert notes == ["app3: unreachable: timed out"]


def test_sarif_compares_with_an_earlier_run() -> None:
    old = report(host(findings=[finding("mta.hung"), finding("stat.hung", severity="warning")]))
    new = report(host(findings=[finding("stat.hung"), finding("web.hung")]))
    found = compare(Report.of(old), Report.of(new)).model_dump(mode="json")
    text = sarif.render(Report.of({**new, "changes": found}))
    states = {result["ruleId"]: result["baselineState"]
              for result in json.loads(text)["runs"][0]["results"]}
    assert states == {"stat.hung": "updated", "web.hung": "new", "mta.hung": "absent"}
    Sarif.model_validate_json(text)


# -- The terminal ---------------------------------------------------------------------------------


def action(result: str, **more: Any) -> Json:
    return {
        "module": "wfserver", "instance": "prod", "remedy": "restart", "rung": "restart",
        "subject": None, "because": ["wfserver.hung@prod"], "result": result, "reason": "Why.",
        "command": [["nlserver", "restart", "wfserver@prod"]], "guard": None,
        "before": {"state": "hung", "pid": 100}, "after": {"state": "running", "pid": 100},
        "seconds": 4.0, "evidence": None, **more,
    }


def shown(data: Json, width: int = 120) -> str:
    return table.as_text(Report.of(data), width)


def test_table_of_hosts_by_modules() -> None:
    brief, _blank, rest = shown(samples.ill()).partition("\n\n")
    assert [line.split() for line in brief.splitlines()] == [
        ["CRITICAL", "stat@prod", "app2", "Title", "of", "stat.not_running"],
        ["WARNING", "host", "app2", "Title", "of", "host.disk_filling"],
    ]
    lines = rest.splitlines()
    assert lines[0].split() == ["Host", "Score", "watchdog", "stat", "mta", "wfserver"]
    assert lines[1].split() == ["app1", "✓", "healthy", "100", "A", "✓", "✓", "✓"]
    assert lines[2].split() == ["app2", CROSS, "down", "30", "F", "✓", CROSS, "!"]
    assert lines[3].split() == ["app3", "unreachable"]
    assert "UNREACHABLE app3: timed out" in lines
    assert lines[-1] == (
        "3 hosts: 1 healthy, 1 down, 1 unreachable; 2 critical findings, 1 warning, 2 root causes."
    )


@pytest.mark.parametrize("width", [80, 120, 200])
def test_table_begins_with_the_worst_cause(width: int) -> None:
    mild = host("app1", findings=[finding("host.disk_filling", "default", "warning")])
    grave = host("app2", findings=[finding("mta.hung", title="mta is hung " + "and " * 40)])
    lines = shown(report(mild, grave), width).splitlines()
    assert lines[0].startswith("CRITICAL mta@prod app2 mta is hung"), lines
    assert max(map(len, lines[:lines.index("")])) <= width


def test_table_a_host_with_a_critical_finding_is_not_yellow() -> None:
    colours = {}
    for severity in ("critical", "warning"):
        ill = host(verdict="degraded", modules=[module("mta", verdict="degraded")],
                   findings=[finding("mta.hung", severity=severity)])
        text = table.as_text(Report.of(report(ill)), colour=True)
        (line,) = [each for each in text.splitlines() if "degraded" in each and "app1" in each]
        colours[severity] = re.findall(r"\x1b\[([0-9;]*)m!", line)
    assert colours == {"critical": ["1;31", "1;31"], "warning": ["33", "33"]}


def test_table_times_have_the_local_one_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        fix = "grep '2026-11-29 23:30:00 UTC' log"
        ill = Report.of(report(host(findings=[
            finding("mta.hung", summary="Hung since 2026-11-29 23:30:00 UTC.", fix=fix),
        ])))
        text = table.as_text(ill)
        assert "Hung since 2026-11-29 23:30:00 UTC (2026-11-30 00:30:00 CET)." in text
        assert f"{fix}\n" in text, "a command stays as it is"
        assert "Hung since 2026-11-29 23:30:00 UTC.\n" in table.as_text(ill, utc=True)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_table_on_a_narrow_terminal() -> None:
    modules = [module(name) for name in MODULES]
    modules[3]["verdict"] = "down"
    lines = shown(report(host(modules=modules, verdict="down")), 60).splitlines()
    assert lines[0].split() == [
        "app1", CROSS, "down", "100", "A", CROSS, "mta", "✓", "10", "healthy"
    ]
    assert max(map(len, lines)) <= 80


LONG = "Failed to connect to the host via ssh: " + "kex_exchange_identification: reset " * 9


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("modules", [["wfserver"], MODULES], ids=["one", "all"])
def test_table_a_long_error_leaves_the_names_where_they_are(
    width: int, modules: list[str]
) -> None:
    name = "marketing-app1.example.com"
    dark = unreachable("gone.example.com") | {"error": LONG}
    lines = shown(report(host(name, modules=[module(each) for each in modules]), dark),
                  width).splitlines()
    rows = [line.split()[0] for line in lines[:lines.index("")] if line[:1].isalpha()]
    assert rows in ([name, "gone.example.com"], ["Host", name, "gone.example.com"]), lines
    assert " ".join(LONG.split()) in " ".join(" ".join(lines).split()), "in full, below the table"


def test_table_hosts_that_say_the_same_share_a_line_with_what_to_do() -> None:
    refused = "Unknown instance 'prdo': this server has default, prod."
    dark = [host(f"app{n}", status="failed", verdict="unknown", error=refused, modules=[])
            for n in range(3)]
    empty = host("web9", status="not_installed", verdict="unknown", error="no Campaign at /opt")
    lines = shown(report(*dark, empty, unreachable("app8"))).splitlines()
    assert [line for line in lines if refused in line] == [f"NOT DIAGNOSED app0, app1, app2: {refused}"]
    assert "   Name one of those that the server has." in lines
    assert any("--limit 'all:!web9'" in line for line in lines)
    assert any("ansible_host" in line for line in lines), "timed out"


def test_table_names_instances_where_there_are_several() -> None:
    several = host(instances=["a", "b"], modules=[
        module("watchdog", "default"), module("mta", "a"), module("mta", "b", "down")])
    text = shown(report(several))
    assert "✓ a" in text
    assert f"{CROSS} b" in text


def test_table_of_many_hosts_names_those_that_are_not_healthy() -> None:
    fleet = [host(f"app{n}") for n in range(50)] + [host("bad", verdict="degraded")]
    text = shown(report(*fleet))
    assert "bad" in text
    assert "and 50 healthy hosts" in text
    assert "app7" not in text


def test_table_causes_and_what_they_explain() -> None:
    data = samples.ill()
    chain = data["hosts"][1]["findings"]
    chain.append(finding("mta.spool_stuck", severity="warning", caused_by_ids=[chain[1]["id"]]))
    data["roots"][0]["explains"].append({"host": "app2", "id": "mta.spool_stuck@prod"})
    text = shown(data)
    assert "1. CRITICAL app2 stat@prod: Title of stat.not_running" in text
    tree = [line.rstrip() for line in text.splitlines() if "──" in line]
    assert tree == [
        "   └── mta@prod: Title of mta.stat_unreachable",
        "       └── mta@prod: Title of mta.spool_stuck",
    ]
    assert "Fix, on app2:" in text


def test_table_an_explained_finding_names_its_workflow() -> None:
    cause = finding("wfserver.hung")
    effect = finding("wfserver.workflow_stuck", severity="warning", caused_by_ids=[cause["id"]],
                     id="wfserver.workflow_stuck@prod#WKF42")
    assert "Title of wfserver.workflow_stuck (WKF42)" in shown(report(host(findings=[cause, effect])))


def test_table_a_fix_a_look_and_advice_are_three_things() -> None:
    def told(fix: str, **more: Any) -> list[str]:
        text = shown(report(host(findings=[finding("mta.hung", fix=fix, **more)])))
        return [line.strip() for line in text.splitlines()]

    lines = told("nlserver start mta@prod  # at night", automatic=True)
    assert lines[lines.index("Fix, on app1:") + 1] == "nlserver start mta@prod"
    assert "Advice    at night" in lines
    assert "1. CRITICAL app1 mta@prod: Title of mta.hung (automatic repair)" in lines
    lines = told("grep -c error mta.log")
    assert "Look, on app1:" in lines and "Fix, on app1:" not in lines
    assert "1. CRITICAL app1 mta@prod: Title of mta.hung (needs an operator)" in lines
    lines = told("# ask the database administrator")
    assert "Advice    ask the database administrator" in lines
    assert not [line for line in lines if line.endswith(", on app1:")]


def test_table_evidence_does_not_repeat_the_sentence() -> None:
    ill = finding("mta.hung", summary="mta (pid 612) holds /var/x since 10 s.",
                  evidence={"pid": 612, "path": "/var/x", "port": 61})
    text = shown(report(host(findings=[ill])))
    assert "Evidence  port 61\n" in text, text


def test_table_never_cuts_a_command() -> None:
    command = "su - neolane -c '" + "x" * 200 + "'"
    source = "https://experienceleague.adobe.com/" + "y" * 200
    text = shown(report(host(findings=[finding("mta.hung", fix=command, source=source)])), 80)
    assert f"     {command}\n" in text
    assert f"{source}\n" in text
    assert not any(line.endswith(" ") for line in text.splitlines() if line.startswith("   "))


def test_table_repairs_with_before_and_after() -> None:
    data = report(host(actions=[
        action("repaired"), action("not_repaired", because=["mta.hung@prod"], left="unknown"),
    ]))
    text = shown(data)
    heads = [line for line in text.splitlines() if "app1 wfserver@prod: restart, 4.0 s" in line]
    assert [line.partition(" app1")[0] for line in heads] == ["NOT REPAIRED", "repaired"]
    assert "Command   nlserver restart wfserver@prod" in text
    assert re.search(r"state +hung +→ +running", text)
    assert "pid" not in text, "only what changed"
    assert "Left      unknown: check it by hand" in text


def test_table_plan() -> None:
    step = {"order": 1, "module": "mta", "instance": "prod", "remedy": "restart",
            "title": "Restart mta", "keys": ["mta.hung"], "command": "nlserver restart mta@prod",
            "cancels": "deliveries stop"}
    text = shown(report(host("a", plan=[step]), host("b", plan=[step])))
    assert "1. 2 hosts mta@prod: Restart mta" in text
    assert "Affects   deliveries stop" in text
    assert "Command   nlserver restart mta@prod" in text


def test_table_changes() -> None:
    old = report(host("a"), host("gone"))
    new = report(host("a", findings=[finding("mta.hung")]))
    found = compare(Report.of(old), Report.of(new)).model_dump(mode="json")
    text = shown({**new, "changes": found})
    assert "Changes since 2025-11-23 10:40:05 UTC" in text
    assert "not in this run: gone" in text
    assert "new    a mta@prod: Title of mta.hung" in text


def test_table_shows_text_of_hosts_as_text() -> None:
    text = table.as_text(hostile())
    assert not set("\x1b\x00\N{RIGHT-TO-LEFT OVERRIDE}") & set(text)
    marked = shown(report(host("[bold]x[/bold]", findings=[finding("mta.hung", title="[red]y")])))
    assert "[bold]x[/bold]" in marked
    assert "[red]y" in marked


def test_table_says_the_same_without_colour() -> None:
    coloured = table.as_text(Report.of(samples.ill()), 120, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(samples.ill())


def test_every_format_has_a_file_and_is_offered() -> None:
    assert set(FILES) == set(FORMATS) == {"table", "html", "junit", *RENDERERS}


def test_table_knows_the_modules() -> None:
    assert known.columns() == {each.name: each.column for each in DECLARED}


def test_openmetrics_a_budget_that_is_not_known_is_absent() -> None:
    known = {**module("mta"), "restart_budget_left": 0}
    text = openmetrics.render(Report.of(report(host(modules=[known, module("web")]))))
    assert samples_of(text, "campaign_restart_budget_left") == {("app1", "mta", "prod"): 0}
