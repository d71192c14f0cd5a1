"""contrib/prometheus, grafana, nagios and zabbix, read by promtool, Grafana's model, Nagios and Zabbix."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import metrics
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from unit.contrib import tools

from campaign_doctor.model import Report
from campaign_doctor.shared import openmetrics
from doctor import samples

PROMETHEUS = tools.CONTRIB / "prometheus"
RULES, TESTS = PROMETHEUS / "campaign.rules.yml", PROMETHEUS / "campaign.test.yml"
DASHBOARD = tools.CONTRIB / "grafana" / "campaign.json"
NAGIOS = tools.CONTRIB / "nagios" / "campaign.cfg"
ZABBIX = tools.CONTRIB / "zabbix" / "campaign.yaml"
LABELS = {family.sample: set(family.labels) for family in openmetrics.FAMILIES}
METRIC = re.compile(r"(?<![\w:])(campaign_\w+)(?:\{([^}]*)\})?")


def wrong(text: str) -> list[str]:
    """What a text names that is no metric or no label of it."""
    found = []
    for name, given in METRIC.findall(text):
        labels = set(re.findall(r"(\w+) *(?:=~|!~|!=|=)", given))
        if not labels <= LABELS.get(name, set()) or name not in LABELS:
            found.append(f"{name}{{{given}}}")
    return found


@pytest.fixture
def promtool() -> Path:
    return tools.fetched("prometheus", "usr/bin/promtool")


def test_prometheus_takes_the_rules(promtool: Path) -> None:
    code, said = tools.run(promtool, "check", "rules", RULES)
    assert code == 0, said
    assert "SUCCESS" in said


def test_the_rules_alert_when_they_should(promtool: Path, tmp_path: Path) -> None:
    code, said = tools.run(promtool, "test", "rules", TESTS, cwd=PROMETHEUS)
    assert code == 0, said
    (tmp_path / TESTS.name).write_text(TESTS.read_text())
    (tmp_path / RULES.name).write_text(RULES.read_text().replace("> 1200", "> 12000"))
    assert tools.run(promtool, "test", "rules", TESTS.name, cwd=tmp_path)[0] == 1, "it would fail"


def test_each_alert_is_tested_and_rules_name_metrics_that_there_are() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert wrong(RULES.read_text()) == []
    tested = {case["alertname"] for test in yaml.safe_load(TESTS.read_text())["tests"]
              for case in test.get("alert_rule_test", ()) if case.get("exp_alerts")}
    assert {rule["alert"] for rule in rules if "alert" in rule} == tested
    assert wrong(TESTS.read_text()) == []


def test_promtool_takes_what_is_written(promtool: Path, tmp_path: Path) -> None:
    data = samples.ill()
    data["hosts"][0]["actions"] = [
        {"module": "mta", "instance": "prod", "remedy": "restart", "result": "repaired"}]
    report = Report.of(data)
    text = openmetrics.render(report, openmetrics.carried(openmetrics.NOTHING, report))
    (tmp_path / "text").write_text(text)
    script = '"$0" check metrics < "$1"'
    _code, said = tools.run("sh", "-c", script, promtool, tmp_path / "text")
    # In the older format, which this reads, a counter has the name of its sample, ending and all.
    assert said == "campaign_repair_steps_total no help text\n"


def test_grafana_knows_all_of_the_dashboard() -> None:
    register_default_plugins()
    data = json.loads(DASHBOARD.read_text())
    read = json.loads(json.dumps(Dashboard.from_json(data), cls=JSONEncoder))

    def lost(before: Any, after: Any, way: str = "") -> list[str]:
        if isinstance(before, dict):
            return [each for key, value in before.items()
                    for each in (lost(value, after.get(key), f"{way}.{key}") if isinstance(after, dict)
                                 else [way])]
        if isinstance(before, list):
            return [each for number, value in enumerate(before)
                    for each in lost(value, after[number], f"{way}[{number}]")]
        return [] if before == after else [f"{way}: {before!r}, {after!r}"]

    assert lost(data, read) == []
    data["panels"][0]["titel"] = "x"
    assert lost(data, read) == [".panels[0].titel: 'x', None"], "it would be told"


def test_each_metric_has_a_panel_within_the_grid() -> None:
    data = json.loads(DASHBOARD.read_text())
    assert data == metrics.dashboard()
    assert [panel["title"] for panel in data["panels"]] == list(LABELS)
    assert len({panel["id"] for panel in data["panels"]}) == len(LABELS)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in data["panels"]}
    assert len(places) == len(LABELS)
    assert wrong(" ".join(target["expr"] for panel in data["panels"] for target in panel["targets"])) == []


def test_the_queries_are_promql(promtool: Path, tmp_path: Path) -> None:
    queries = {target["expr"] for panel in metrics.dashboard()["panels"] for target in panel["targets"]}
    rules = [{"record": f"x:{number}", "expr": query} for number, query in enumerate(sorted(queries))]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]}))
    code, said = tools.run(promtool, "check", "rules", file)
    assert code == 0, said


SITE = """
define timeperiod {
    timeperiod_name 24x7
    alias           always
    monday          00:00-24:00
}
define command {
    command_name notify
    command_line /bin/true
}
define contact {
    contact_name                  admin
    host_notification_period      24x7
    service_notification_period   24x7
    host_notification_commands    notify
    service_notification_commands notify
    host_notification_options     d
    service_notification_options  c
}
define contactgroup {
    contactgroup_name admins
    alias             admins
    members           admin
}
define host {
    host_name           app1
    address             127.0.0.1
    hostgroups          campaign-servers
    max_check_attempts  1
    check_period        24x7
    notification_period 24x7
    contact_groups      admins
}
"""


def test_nagios_takes_the_definitions(tmp_path: Path) -> None:
    program = tools.fetched("nagios4-core", "usr/sbin/nagios4")
    (tmp_path / "site.cfg").write_text(SITE)
    settings = "".join(f"{name}={tmp_path}/{name}\n" for name in (
        "log_file", "object_cache_file", "status_file", "state_retention_file", "temp_file"))
    (tmp_path / "nagios.cfg").write_text(
        f"cfg_file={tmp_path}/site.cfg\ncfg_file={NAGIOS}\n{settings}"
        f"check_result_path={tmp_path}\ntemp_path={tmp_path}\nservice_check_timeout=600\n"
        f"nagios_user={os.geteuid()}\nnagios_group={os.getegid()}\n")
    code, said = tools.run(program, "-v", tmp_path / "nagios.cfg")
    assert code == 0, said
    assert "Checked 1 services." in said and "Total Errors:   0" in said


def zabbix_items() -> list[dict[str, Any]]:
    (template,) = yaml.safe_load(ZABBIX.read_text())["zabbix_export"]["templates"]
    rules = template["discovery_rules"]
    return [*template["items"], *rules, *(each for rule in rules for each in rule["item_prototypes"])]


def test_zabbix_imports_the_template(tmp_path: Path) -> None:
    php = tools.installed("php", "php-cli")
    frontend = tools.fetched("zabbix-frontend-php", "usr/share/zabbix")
    script = Path(__file__).with_name("zabbix_import.php")
    code, said = tools.run(php, script, frontend, ZABBIX)
    assert (code, said) == (0, "1 templates\n7 expressions\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text(ZABBIX.read_text().replace("DEPENDENT", "INDEPENDENT", 1))
    assert "unexpected constant" in tools.run(php, script, frontend, broken)[1], "it would say so"


def test_zabbix_items_read_metrics_that_there_are() -> None:
    patterns = [step["parameters"][0] for item in zabbix_items() for step in item.get("preprocessing", ())]
    assert len(patterns) > 10
    assert wrong(" ".join(patterns)) == []
    keys = [item["key"] for item in zabbix_items()]
    assert len(keys) == len(set(keys))
    text = ZABBIX.read_text()
    for key in re.findall(r"/(campaign\.[\w.]+)", text):
        assert any(each.startswith(key) for each in keys), key
