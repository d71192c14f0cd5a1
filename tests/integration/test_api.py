"""The server's API, seen from outside: what diagnosis leaves behind, who asks, the remedies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import tls

from campaign_lab.layout import LAB_PASSWORD
from integration.harness import CHECKOUT, Lab, Run, playbook, wait_until

TOKEN = re.compile(r"___[0-9A-F]{32}|@[0-9a-f]{32}")
START = CHECKOUT / "playbooks" / "start_workflow.yml"
IMPORT = CHECKOUT / "playbooks" / "relaunch_import.yml"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab for tests that change the database; each heals what it broke."""
    started = Lab(tmp_path_factory.mktemp("api"))
    try:
        started.up()
        imported = started.home() / "var" / "prod" / "import"
        wait_until(lambda: any(imported.glob("contacts_import*.done")), 60)
        yield started
    finally:
        started.down()


def sessions(lab: Lab) -> list[str]:
    """The sessions that the server has open, by its own files."""
    folder = lab.home() / "var" / ".lab" / "sessions"
    return sorted(path.name for path in folder.iterdir())


def run(lab: Lab, name: Path, report_dir: Path, *arguments: str, **variables: Any) -> Run:
    done = playbook(
        name, *arguments, report_dir=report_dir, env=lab.env, variables=variables, timeout=300
    )
    assert TOKEN.search(done.output) is None, "a token was shown"
    return done


def tomcat(lab: Lab) -> tuple[str, int]:
    """Where the API of the lab's server answers."""
    (credentials,) = lab.variables()["campaign_api"]
    url = urlsplit(credentials["url"])
    assert url.hostname and url.port
    return url.hostname, url.port


def finding(run: Run, key: str) -> dict[str, Any]:
    """The one finding of a key."""
    (found,) = [each for each in run.findings("app1") if each["key"] == key]
    return found


def test_a_session_is_opened_and_closed_and_nothing_of_it_shown(
    lab: Lab, report_dir: Path
) -> None:
    before = lab.nlserver("pdump", "-who").output.count("remediation")
    done = lab.diagnose(report_dir, "-vvv")
    assert done.code == 0, str(done)
    assert TOKEN.search(done.output) is None
    for path in report_dir.rglob("*"):
        assert not path.is_file() or not TOKEN.search(path.read_text(errors="replace"))
    assert done.host("app1")["unseen"] == []
    assert sessions(lab) == []
    assert lab.nlserver("pdump", "-who").output.count("remediation") == before == 0


def test_without_credentials_it_is_said_once(lab: Lab, report_dir: Path) -> None:
    done = lab.diagnose(report_dir, variables={"campaign_api": []})
    assert done.code == 0, str(done)
    (unseen,) = done.host("app1")["unseen"]
    assert (unseen["probe"], unseen["kind"]) == ("api", "skipped")
    words = " ".join(done.output.split())
    assert words.count("campaign_api has no credentials, so workflows") == 1, str(done)
    assert done.findings("app1") == []
    assert {module["verdict"] for module in done.host("app1")["modules"]} <= {
        "healthy", "not_expected"
    }


def test_the_controller_can_ask(own: Lab, report_dir: Path) -> None:
    own.ctl("break", "workflow_paused")
    done = own.diagnose(report_dir, variables={"campaign_api_from": "controller"})
    own.ctl("heal", "workflow_paused")
    assert finding(done, "wfserver.workflow_paused")["instance"] == "prod", str(done)
    assert sessions(own) == []


@pytest.mark.parametrize(("url", "key"), [
    ("http://127.0.0.1:1", "web.api_unreachable"),
    ("http://no-such-host.invalid", "web.api_unreachable"),
    ("ftp://nowhere", "web.api_no_answer"),
])
def test_a_wrong_url_is_a_finding_and_the_rest_is_complete(
    lab: Lab, report_dir: Path, url: str, key: str
) -> None:
    (credentials,) = lab.variables()["campaign_api"]
    done = lab.diagnose(report_dir, variables={"campaign_api": [{**credentials, "url": url}]})
    assert done.code == 0, str(done)
    assert [each["key"] for each in done.findings("app1")] == [key], str(done)
    assert len(done.host("app1")["modules"]) == 11


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate, and its key."""
    return tls.certificate(tmp_path_factory.mktemp("tls"))


def over_tls(lab: Lab, report_dir: Path, url: str, **variables: str) -> Run:
    """A diagnosis that asks the API at another URL."""
    (credentials,) = lab.variables()["campaign_api"]
    wanted = {"campaign_api": [{**credentials, "url": url}], **variables}
    done = lab.diagnose(report_dir, variables=wanted)
    assert done.code == 0, str(done)
    return done


def test_a_certificate_that_nobody_vouches_for_is_a_finding(
    lab: Lab, report_dir: Path, pair: tuple[Path, Path]
) -> None:
    with tls.in_front_of(*tomcat(lab), *pair) as url:
        refused = over_tls(lab, report_dir / "refused", url)
        trusted = over_tls(lab, report_dir / "trusted", url, campaign_api_ca_path=str(pair[0]))
    assert [each["key"] for each in refused.findings("app1")] == ["web.api_tls"], str(refused)
    assert "certificate" in finding(refused, "web.api_tls")["summary"]
    assert trusted.findings("app1") == [], str(trusted)
    assert trusted.host("app1")["unseen"] == []


def test_a_certificate_of_the_client_is_shown(
    lab: Lab, report_dir: Path, pair: tuple[Path, Path]
) -> None:
    trust = {"campaign_api_ca_path": str(pair[0])}
    shown = {"campaign_api_client_cert": str(pair[0]), "campaign_api_client_key": str(pair[1])}
    with tls.in_front_of(*tomcat(lab), *pair, client_authority=pair[0]) as url:
        without = over_tls(lab, report_dir / "without", url, **trust)
        whole = over_tls(lab, report_dir / "whole", url, **trust, **shown)
    assert [each["key"] for each in without.findings("app1")] == ["web.api_tls"], str(without)
    assert whole.findings("app1") == [], str(whole)
    assert whole.host("app1")["unseen"] == []


def test_a_failed_workflow_is_started_in_the_targeted_way(own: Lab, report_dir: Path) -> None:
    own.ctl("break", "technical_workflow_failed")
    asked = {"campaign_workflow": "deliverabilityUpdate"}
    check = run(own, START, report_dir, "--check", "--diff", **asked)
    (announced,) = check.host("app1")["actions"]
    assert announced["result"] == "skipped", str(check)
    assert finding(run(own, CHECKOUT / "playbooks" / "diagnose.yml", report_dir),
                   "wfserver.technical_workflow_failed")

    done = run(own, START, report_dir, **asked)
    (action,) = done.host("app1")["actions"]
    assert (done.code, action["result"]) == (0, "done"), str(done)
    assert action["command"] == announced["command"] == [
        ["xtk:workflow#Start", "deliverabilityUpdate"],
        ["xtk:workflow#Wakeup", "deliverabilityUpdate"],
    ]
    assert (action["before"]["failed"], action["after"]["failed"]) == (True, False)
    assert action["after"]["last_start_at"] > (action["before"]["last_start_at"] or 0)
    lines = (own.home().parent / "remediation" / "ledger.jsonl").read_text().splitlines()
    mine = [line for line in map(json.loads, lines) if line.get("workflow")]
    assert [line["event"] for line in mine] == ["begun", "ended"]
    assert sessions(own) == []
    own.ctl("heal", "technical_workflow_failed")


def test_from_the_controller_the_guards_are_still_the_hosts(own: Lab, report_dir: Path) -> None:
    own.ctl("break", "technical_workflow_failed")
    done = run(own, START, report_dir, campaign_workflow="deliverabilityUpdate",
               campaign_api_from="controller")
    (action,) = done.host("app1")["actions"]
    assert (done.code, action["result"]) == (0, "done"), str(done)
    assert action["evidence"]
    assert not (own.home().parent / "remediation" / "lock").exists()
    own.ctl("heal", "technical_workflow_failed")


def test_the_sites_own_workflow_is_refused_unless_it_is_listed(
    own: Lab, report_dir: Path
) -> None:
    own.ctl("break", "workflow_paused")
    refused = run(own, START, report_dir, campaign_workflow="welcomeMail")
    (action,) = refused.host("app1")["actions"]
    assert (action["result"], action["guard"]) == ("refused", "workflow"), str(refused)
    assert "campaign_restartable_workflows" in action["reason"]
    done = run(own, START, report_dir, campaign_workflow="welcomeMail",
               campaign_restartable_workflows=["welcomeMail"])
    assert done.host("app1")["actions"][0]["result"] == "done", str(done)
    own.ctl("heal", "workflow_paused")


def test_an_import_is_not_launched_while_there_are_duplicates(own: Lab, report_dir: Path) -> None:
    asked = {"campaign_job": "contacts_import", "campaign_mode": "full",
             "campaign_operator": "paul.roux"}
    own.ctl("break", "import_duplicates")
    for where in ("target", "controller"):
        refused = run(own, IMPORT, report_dir, campaign_api_from=where, **asked)
        (action,) = refused.host("app1")["actions"]
        assert (action["result"], action["guard"]) == ("refused", "duplicates"), str(refused)
        assert re.search(r"\d+ values of email occur more than once, such as \w\*\*\*\(\d+\)",
                         action["reason"]), action["reason"]
        assert "@example.com" not in refused.output
    own.ctl("heal", "import_duplicates")
    done = run(own, IMPORT, report_dir, **asked)
    assert done.host("app1")["actions"][0]["result"] == "done", str(done)
    assert sessions(own) == []


def test_the_lab_has_a_password_to_give_away(lab: Lab) -> None:
    assert lab.variables()["campaign_api"][0]["password"] == LAB_PASSWORD
