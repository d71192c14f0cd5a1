"""The commands without a terminal: what they do, say and return. What is only said of a run is said
of a saved one, without a server.
"""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from doctor.harness import FAST, SECONDS, UNREACHABLE, Done, Person, Said, Site, until
from doctor.replay import Json, Replay, saved
from integration.harness import BIN, CHECKOUT, run

STOPPED = "module_stopped_by_hand:inMail"
COLLECTIONS = CHECKOUT / "playbooks" / "collections"
ONLY = ("--module", "inMail")  # what else the lab's logs still hold is of no interest


@pytest.fixture
def broken(site: Site) -> Site:
    """inMail does not run."""
    site.breaks(STOPPED)
    return site


def runs(site: Site) -> bool:
    return "inMail@prod" in site.lab.nlserver("pdump").output


# -- diagnose -------------------------------------------------------------------------------------

def test_healthy_is_0(replay: Replay) -> None:
    replay.can("healthy")
    done = replay.doctor("diagnose", *ONLY)
    assert done.code == 0, str(done)
    assert "app1" in done.out and "healthy" in done.out, str(done)
    assert "PLAY" not in done.out + done.err, "nothing of Ansible's own output"
    assert "app1: healthy" in done.err, "a line for each host"


def test_findings_are_1_and_the_cause_is_told_on_stdout(broken: Site) -> None:
    """The working directory does not matter and gets nothing."""
    done = broken.doctor("diagnose", *ONLY, "--quiet")
    assert done.code == 1, str(done)
    assert "inMail.not_running" in done.out and "nlserver start inMail@prod" in done.out
    assert done.err == "", str(done)
    assert list(broken.work.iterdir()) == []


def test_verbose_passes_ansibles_own_output_through(replay: Replay) -> None:
    replay.can("healthy")
    done = replay.doctor("diagnose", *ONLY, "-v")
    assert done.code == 0 and "TASK [Take a snapshot and diagnose it]" in done.err, str(done)
    assert "PLAY RECAP" in done.err and "PLAY" not in done.out


def test_only_the_instance_that_was_asked_for(site: Site) -> None:
    done = site.doctor("diagnose", "--instance", "prod", "--module", "mta", "-f", "json", "-q")
    modules = json.loads(done.out)["hosts"][0]["modules"]
    assert [(each["module"], each["instance"]) for each in modules] == [("mta", "prod")]


def test_reports_go_where_they_are_wanted(replay: Replay) -> None:
    replay.can("stopped")
    out = replay.work / "new" / "out"
    done = replay.doctor("diagnose", *ONLY, "--output", out, "--format", "openmetrics")
    assert done.code == 1 and done.out == "", str(done)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["campaign.prom", "junit.xml", "report.html", "report.json"]
    assert json.loads((out / "report.json").read_text())["summary"]["critical"] == 1
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in out.iterdir()}
    assert modes.pop("campaign.prom") == "0o644", "node_exporter is somebody else"
    assert set(modes.values()) == {"0o600"}, modes


@pytest.mark.parametrize("name", ["json", "html", "junit", "nagios", "openmetrics", "sarif"])
def test_every_format_comes_on_stdout_alone(replay: Replay, name: str) -> None:
    replay.can("stopped")
    done = replay.doctor("diagnose", *ONLY, "--format", name)
    assert done.code == (2 if name == "nagios" else 1), str(done)
    begins = {"json": "{", "html": "<!doctype html", "junit": "<?xml", "sarif": "{",
              "nagios": "campaign critical", "openmetrics": "# help"}
    assert done.out.lower().startswith(begins[name]), str(done)


# -- hosts that give no answer, and input that is wrong ------------------------------------------

def test_an_unreachable_host_is_4_and_hides_nothing(replay: Replay) -> None:
    replay.can("one_unreachable", "all_unreachable")
    done = replay.doctor("diagnose", *ONLY)
    assert done.code == 4, str(done)
    assert "inMail.not_running" in done.out and "gone" in done.out, str(done)
    assert "gone: unreachable: " in done.err, str(done)
    only = replay.doctor("diagnose", "--limit", "gone", "-q", "-f", "nagios")
    assert only.code == 3 and only.out.startswith("CAMPAIGN UNKNOWN"), str(only)


def test_repairing_the_one_does_not_hide_the_other(broken: Site) -> None:
    hosts = broken.inventory({"app1": broken.variables(), "gone": UNREACHABLE})
    done = broken.run("remediate", "-i", hosts, *ONLY, *FAST, "--yes")
    assert done.code == 4 and runs(broken), str(done)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-i", "nowhere.yml"], "nowhere.yml"),
        (["-i", "malformed.yml"], "flow node"),
        (["-i", "script"], "no servers today"),
        (["-i", "good.yml", "--limit", "nobody"], "no hosts"),
        (["-i", "good.yml", "-e", "campaign_hosts=nobody"], "no host matches"),
        (["-i", "good.yml", "--become-password-file", "nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_what_cannot_run_is_5_and_says_why(tmp_path: Path, words: list[str], told: str) -> None:
    person = Person(tmp_path)
    (person.work / "good.yml").write_text(json.dumps({"all": {"hosts": {"app1": {}}}}))
    (person.work / "malformed.yml").write_text("all:\n  hosts: [\n")
    script = person.work / "script"
    script.write_text("#!/bin/sh\necho 'no servers today' >&2\nexit 1\n")
    script.chmod(0o755)
    said_to_be_wrong(person.run("diagnose", *words), told)


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--instance", "prdo"], "prdo"), (["-e", "campaign_timeout=soon"], "soon")],
    ids=["instance", "option"],
)
def test_what_a_diagnosis_refuses_is_5(replay: Replay, words: list[str], told: str) -> None:
    replay.can("wrong_instance", "wrong_option")
    said_to_be_wrong(replay.doctor("diagnose", *words), told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-e", "{broken"], "-e takes"),
        (["-e", "nonsense"], "-e takes"),
        (["-e", "@nowhere.yml"], "nowhere.yml"),
        (["--format", "jsn"], "'jsn' is not a format. Did you mean json?"),
        (["--module", "webb"], "'webb' is not a Campaign module. Did you mean web?"),
        (["--module", "postfix"], "'postfix' is not a Campaign module. There are: watchdog, "),
        (["-e", '{"campaign_modules": ["inmail"]}'], "Did you mean inMail?"),
        (["-e", '{"campaign_thresholds": {"disk_waring_percent": 1}}'],
         "'disk_waring_percent' is not a threshold. Did you mean disk_warning_percent?"),
        (["-e", "campaign_hmoe=/opt"], "no variable campaign_hmoe. Did you mean campaign_home?"),
        (["--no-such-option"], "--no-such-option"),
        (["--ask-become-pass"], "terminal"),
        (["--forks", "0"], "forks"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_5(replay: Replay, words: list[str], told: str) -> None:
    done = replay.doctor("diagnose", *words)
    said_to_be_wrong(done._replace(err=unboxed(done.err)), told)
    assert replay.calls == [], "Ansible was started"


def unboxed(text: str) -> str:
    """Without the frame and the line breaks of an error of the command line."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize(("settings", "told"), [
    ('module = "wfservr"\n', "'wfservr' is not a Campaign module. Did you mean wfserver?"),
    ("[extra_vars]\ncampaign_stop_fil = 1\n", "Did you mean campaign_stop_file?"),
    ("[extra_vars.campaign_thresholds]\nzombis = 1\n", "Did you mean zombies?"),
])  # fmt: skip
def test_wrong_names_in_the_settings_are_refused_too(
    replay: Replay, settings: str, told: str
) -> None:
    (replay.work / "campaign-doctor.toml").write_text(settings)
    said_to_be_wrong(replay.doctor("diagnose"), told)
    assert replay.calls == [], "Ansible was started"


def test_wrong_names_in_a_file_of_variables_and_a_site_s_own_variables(replay: Replay) -> None:
    replay.can("healthy")
    path = replay.work / "vars.yml"
    path.write_text("campaign_wiat: 3\n")
    said_to_be_wrong(replay.doctor("diagnose", "-e", f"@{path}"), "Did you mean campaign_wait?")
    path.write_text("campaign_our_region: north\nsecret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n")
    assert "Did you mean" not in replay.doctor("diagnose", *ONLY, "-e", f"@{path}").err
    assert len(replay.calls) == 1


def said_to_be_wrong(done: Done, told: str) -> None:
    assert done.code == 5, str(done)
    assert told in done.err + done.out, str(done)
    assert "defect" not in done.err, str(done)


def test_without_ansible_or_a_collection_it_says_so(tmp_path: Path) -> None:
    """The package alone, elsewhere: neither a checkout nor the collection."""
    person = Person(tmp_path)
    package = person.folder / "alone"
    package.mkdir()
    (package / "campaign_doctor").symlink_to(CHECKOUT / "campaign_doctor")
    copied = run(["cp", "-rL", CHECKOUT / "campaign_doctor", package / "copy"])
    assert copied.code == 0
    (package / "campaign_doctor").unlink()
    (package / "copy").rename(package / "campaign_doctor")
    env = {**person.env, "PYTHONPATH": str(package)}
    done = run([BIN / "python", "-P", "-m", "campaign_doctor", "diagnose", "-i", "x,"],
               cwd=person.work, env=env)
    assert done.code == 5 and "campaign.remediation.diagnose" in done.output, str(done)


# -- plan and remediate ---------------------------------------------------------------------------

def test_a_plan_is_shown_saved_and_applied(broken: Site) -> None:
    plan = broken.work / "plan.json"
    done = broken.doctor("plan", *ONLY, "--save", plan)
    assert done.code == 1 and not runs(broken), str(done)
    assert "start inMail@prod" in done.out and f"Plan saved: {plan}" in done.err, str(done)
    assert oct(plan.stat().st_mode & 0o777) == "0o600"
    applied = broken.doctor("remediate", "--plan", plan, "--yes", *ONLY, *FAST)
    assert applied.code == 0 and runs(broken), str(applied)
    assert broken.report()["hosts"][0]["actions"][0]["result"] == "repaired"
    again = broken.doctor("remediate", "--plan", plan, "--yes", *ONLY, *FAST)
    assert again.code == 0, str(again)
    assert [a for a in broken.report()["hosts"][0]["actions"] if a["result"] == "repaired"] == []


def test_remediate_repairs_and_proves(replay: Replay) -> None:
    replay.can("planned_repaired")
    done = replay.doctor("remediate", "--yes", *ONLY, *FAST)
    assert done.code == 0, str(done)
    assert "repaired" in done.out, str(done)
    assert "step 1 of 1, Start inMail@prod: start, then it must stay up for 1 s" in done.err, \
        str(done)
    replay.can("nothing_to_repair")
    second = replay.doctor("remediate", "--yes", *ONLY, *FAST)
    assert second.code == 0 and "repaired" not in second.out, str(second)


def test_check_changes_nothing_and_asks_nobody(replay: Replay) -> None:
    replay.can("checked")
    done = replay.doctor("remediate", "--check", *ONLY, *FAST)
    assert done.code == 1, str(done)
    assert "inMail" in done.out, str(done)
    assert [call["check"] for call in replay.calls] == [True]
    (action,) = replay.report()["hosts"][0]["actions"]
    assert action["result"] == "skipped", action


def test_without_a_terminal_and_without_yes_nothing_is_changed(replay: Replay) -> None:
    for words in (["remediate"], ["precision raise", "inMail@prod"],
                  ["relaunch export", "contacts_export", "--full", "--operator", "anna.berg"]):
        done = replay.doctor(*words)
        assert done.code == 5 and "--yes" in done.err, str(done)
    assert replay.calls == [], "Ansible was started"
    assert "runs are" not in replay.run("history").err


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), ("{", "is not a plan"), ("[]", "is not a plan"),
     ('{"hosts": [{"name": "app1"}]}', "is not a plan")],
)
def test_a_plan_that_is_none(replay: Replay, content: str | None, told: str) -> None:
    path = replay.work / "plan.json"
    if content is not None:
        path.write_text(content)
    done = replay.doctor("remediate", "--plan", path, "--yes")
    assert done.code == 5 and told in done.err, str(done)
    assert replay.calls == [], "Ansible was started"


@pytest.mark.parametrize(
    ("content", "told"),
    [({"schema": 1, "hosts": []}, "plan"),
     ({**saved("planned")["plan"], "made_at": "2020-01-01T00:00:00Z",
       "expires_at": "2020-01-01T01:00:00Z"}, "expired")],
    ids=["incomplete", "expired"],
)
def test_a_plan_that_is_not_valid_is_refused(broken: Site, content: Json, told: str) -> None:
    path = broken.work / "plan.json"
    path.write_text(json.dumps(content))
    done = broken.doctor("remediate", "--plan", path, "--yes", *ONLY)
    assert done.code == 5 and told in done.err and not runs(broken), str(done)


def test_a_policy_that_asks_is_answered_by_the_one_yes(broken: Site) -> None:
    """Nobody sits at Ansible's own prompt: it would wait for ever."""
    done = broken.doctor("remediate", "--yes", *ONLY, *FAST, "-e", '{"campaign_ask": true}')
    assert done.code == 0 and runs(broken), str(done)


def test_a_repair_in_vain_with_the_state_kept_is_2(replay: Replay) -> None:
    replay.can("repaired_in_vain")
    done = replay.doctor("remediate", "--yes", "--module", "mta", *FAST)
    assert done.code == 2, str(done)
    lefts = [each["left"] for each in replay.report()["hosts"][0]["actions"]]
    assert set(lefts) == {"as_before"}, lefts


def test_a_repair_in_vain_with_another_state_is_3(replay: Replay) -> None:
    replay.can("launched_in_vain")
    done = replay.doctor("relaunch export", "contacts_export", "--full", "--operator", "anna.berg",
                         "--yes", *FAST)
    (action,) = replay.report()["hosts"][0]["actions"]
    assert (action["result"], action["left"]) == ("not_repaired", "changed"), action
    assert done.code == 3, str(done)


def test_evidence_is_brought_to_the_output(site: Site) -> None:
    site.breaks("module_hung:inMail")
    done = site.doctor("remediate", "--yes", *ONLY, *FAST, "--output", site.work / "out")
    assert done.code == 0, str(done)
    assert list((site.work / "out" / "evidence" / "app1").iterdir()), str(done)


# -- orders ---------------------------------------------------------------------------------------

def test_precision_up_and_down_again(site: Site) -> None:
    up = site.doctor("precision raise", "inMail@prod", "--filters", "pop3,inmail", "--for", "15m",
                     "--yes", *FAST)
    assert up.code == 0, str(up)
    assert "-tracefilter:inmail,pop3" in commands(site), str(up)
    down = site.doctor("precision restore", "inMail@prod", "--yes", *FAST)
    assert down.code == 0, str(down)
    assert "-tracefilter:inmail" not in commands(site)


def commands(site: Site) -> str:
    """Process ids and command lines of the modules of this server, without what comes and goes."""
    found = []
    for pid in map(int, re.findall(r"\((\d+)\)", site.lab.nlserver("pdump").output)):
        with suppress(psutil.NoSuchProcess):
            words = psutil.Process(pid).cmdline()
            if not set(words) & {"runwf", "mtachild", "tracking", "export", "import"}:
                found.append(f"{pid} {' '.join(words)}")
    return "\n".join(sorted(found))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["precision raise", "mta@", "--yes"], "MODULE@INSTANCE"),
        (["precision raise", "wfservr@prod", "--yes"], "Did you mean wfserver?"),
        (["precision raise", "mta@prod", "--for", "soon", "--yes"], "soon"),
        (["relaunch export", "contacts_export", "--delta", "--yes"], "--operator"),
        (["relaunch export", "contacts_export", "--operator", "anna.berg", "--yes"], "--delta"),
    ],
    ids=lambda value: " ".join(value[1:3]) if isinstance(value, list) else "",
)
def test_an_order_that_cannot_be_meant_is_5(replay: Replay, words: list[str], told: str) -> None:
    done = replay.doctor(*words)
    assert done.code == 5 and told in done.err + done.out, str(done)
    assert replay.calls == [], "Ansible was started"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["precision raise", "mta@elsewhere", "--yes"], "elsewhere"),
        (["relaunch export", "no_such_job", "--delta", "--operator", "anna.berg", "--yes"],
         "no_such_job"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_an_order_that_is_refused_is_5(replay: Replay, words: list[str], told: str) -> None:
    replay.can("no_such_instance", "no_such_job")
    done = replay.doctor(*words)
    assert done.code == 5 and told in done.err + done.out, str(done)


def test_an_import_that_may_make_duplicates_is_5(site: Site) -> None:
    """Without the API nobody has looked for them."""
    done = site.doctor("relaunch import", "contacts_import", "--delta", "--operator", "paul.roux",
                       "--yes", "-e", '{"campaign_api": []}')
    assert done.code == 5 and "duplicates" in done.err + done.out, str(done)


def test_a_job_is_launched_again(site: Site) -> None:
    done = site.doctor("relaunch export", "contacts_export", "--full", "--operator", "anna.berg",
                       "--yes", *FAST)
    assert done.code == 0, str(done)
    launched = site.doctor(
        "relaunch import", "contacts_import", "--full", "--operator", "paul.roux",
        "--no-duplicates-confirmed-by", "paul.roux", "--yes", *FAST)
    assert launched.code == 0, str(launched)


def test_an_order_in_check_mode_does_nothing(site: Site) -> None:
    before = commands(site)
    done = site.doctor("precision raise", "inMail@prod", "--check", *FAST)
    assert "inMail" in before
    assert done.code == 0 and commands(site) == before, str(done)


# -- what is kept ---------------------------------------------------------------------------------

def test_history_show_and_compare(replay: Replay) -> None:
    assert "No run is kept" in replay.run("history").err
    replay.can("stopped", "planned_repaired")
    assert replay.doctor("diagnose", *ONLY).code == 1
    assert replay.doctor("remediate", "--yes", *ONLY, *FAST).code == 0
    listed = replay.run("history").out.splitlines()
    assert len(listed) == 3 and "repair" in listed[1] and "diagnose" in listed[2], listed
    person = Person(replay.folder)  # with the real Ansible
    first = person.run("show", "1")
    assert first.code == 1 and "inMail.not_running" in first.out, str(first)
    page = person.run("show", "1", "--format", "html")
    assert page.out.lower().startswith("<!doctype html"), str(page)[:300]
    changes = replay.run("compare", "last~1", "last")
    assert changes.code == 0 and "fixed" in changes.out and "inMail" in changes.out, str(changes)
    back = replay.run("compare", "last", "last~1")
    assert back.code == 1 and "new" in back.out, str(back)
    for words in (["show", "77"], ["compare", "last", "77"]):
        unknown = replay.run(*words)
        assert unknown.code == 5 and "77" in unknown.err, str(unknown)


def test_replay_needs_no_server(site: Site) -> None:
    module = "campaign.remediation.campaign_diagnose"
    taken = run([BIN / "ansible", "app1", "-i", CHECKOUT / "inventories" / "lab", "-m", module,
                 "-a", "return_snapshot=true", "-t", site.work],
                env={**site.env, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})
    assert taken.code == 0, str(taken)
    (site.work / "app1").rename(site.work / "monday.json")
    done = site.run("replay", "monday.json", "--format", "json")
    assert [host["name"] for host in json.loads(done.out)["hosts"]] == ["monday"], str(done)
    (site.work / "no.json").write_text("{}")
    assert site.run("replay", "no.json").code == 5
    missing = site.run("replay", "nowhere.json")
    assert missing.code == 5 and "nowhere.json" in missing.err, str(missing)


@pytest.mark.parametrize("name", ["wfserver.hung", "WFSERVER.HUNG", "not_running"])
def test_explain_needs_nothing(replay: Replay, name: str) -> None:
    done = replay.run("explain", name)
    assert done.code == 0 and "https://experienceleague.adobe.com" in done.out, str(done)


def test_explain_knows_what_is_meant(replay: Replay) -> None:
    done = replay.run("explain", "wfserver.hang")
    assert done.code == 5 and "wfserver.hung" in done.err, str(done)


# -- watch ----------------------------------------------------------------------------------------

def test_watch_tells_only_what_changed(replay: Replay) -> None:
    replay.can("healthy")
    out = replay.work / "out"
    process = replay.start("watch", "--every", "0.2s", "-i", "app1,", *ONLY, "-q", "-o", out)
    with Said(process) as said:
        said.lines(1)  # how it is
        replay.can("stopped")
        said.lines(2)
        looked = len(replay.calls)
        until(SECONDS, lambda: len(replay.calls) > looked + 2)  # nothing new meanwhile
        replay.can("healthy")
        lines = said.lines(3)
        process.terminate()
        told = said.end()
    assert "1 host: 1 healthy" in lines[0], told
    assert "new: CRITICAL app1 inMail@prod" in lines[1], told
    assert "fixed: CRITICAL app1 inMail@prod" in lines[2], told
    assert process.returncode == 0 and "Watching has ended" in told, told
    assert len(told.strip().splitlines()) == 4, told
    assert len(replay.run("history").out.splitlines()) == 4, "what did not change is not kept"
    assert {path.name for path in out.iterdir()} >= {"report.json", "campaign.prom"}
    replay.nothing_left(told)


def test_watch_tells_systemd_that_it_is_alive(replay: Replay) -> None:
    replay.can("healthy")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(replay.tmp / "notify"))
        heard.settimeout(SECONDS)
        replay.env["NOTIFY_SOCKET"] = str(replay.tmp / "notify")
        process = replay.start("watch", "--every", "0.2s", "-i", "app1,", *ONLY, "-q")
        with Said(process) as said:
            told = [heard.recv(1000).decode() for _ in range(4)]
            process.terminate()
            said.end()
            while (last := heard.recv(1000).decode()) != "STOPPING=1":
                assert last.startswith("WATCHDOG=1"), last
    assert told[:2] == ["READY=1", "WATCHDOG=1\nSTATUS=diagnosing"]
    assert told[2].startswith("WATCHDOG=1\nSTATUS=1 host: 1 healthy")
    assert told[3] == told[1], "the next round has begun"


def test_watch_survives_a_run_that_fails(replay: Replay) -> None:
    process = replay.start("watch", "--every", "0.2s", "-i", "app1,", *ONLY, "-q")
    with Said(process) as said:
        (first,) = said.lines(1)
        assert "no diagnosis" in first and "Trying again" in first, first
        replay.can("healthy")
        said.until("1 host: 1 healthy")
        process.terminate()
        told = said.end()
    assert process.returncode == 0, told
