"""Where a run is, told from its events, and what a person sees of it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from campaign_doctor import live, modules, progress
from campaign_doctor.formats import table
from campaign_doctor.live import Lines, LiveTable, Quiet
from campaign_doctor.model import Report
from campaign_doctor.progress import Progress
from doctor import samples
from doctor.events import (
    BACK,
    BEGINS,
    DECIDED,
    PLANNED,
    PROOF,
    ROLES,
    START,
    WHOLE,
    Json,
    at_step,
    diagnosis,
    event,
    ok,
    play,
    started,
    step,
)
from integration.harness import CHECKOUT


def tasks(path: str) -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = yaml.safe_load((CHECKOUT / path).read_text())
    return loaded


def test_what_is_known_of_the_playbooks_is_so() -> None:
    plays = [each["name"] for each in tasks("playbooks/remediate.yml")]
    assert [name for name in plays if str(name).startswith(progress.DIAGNOSING)] == [
        "Diagnose", "Diagnose again"]
    module = (CHECKOUT / "plugins/modules/campaign_module.py").read_text()
    found = re.search(r'\bwait=dict\(type="float", default=(\d+)\)', module)
    assert found and float(found[1]) == progress.SETTLE_SECONDS


def test_a_diagnosis_from_waiting_to_its_verdicts() -> None:
    seen = Progress()
    seen.event(play("Diagnose"), 0)
    seen.play_started(["app1", "app2", "app3", "app4"], {})
    assert seen.count("waiting") == 4
    for name in ("app1", "app2", "app3"):
        seen.event(started(name, WHOLE), 1)
    assert [host.name for host in seen.pending] == ["app1", "app2", "app3"]
    verdicts = {"mta@prod": "healthy", "mta@prod2": "down", "web@default": "healthy"}
    seen.event(ok("app1", WHOLE, diagnosis=diagnosis(verdicts, "critical", "warning")), 2)
    seen.event(event("runner_on_unreachable", "app2", WHOLE, res={"msg": "no\nroute"}), 3)
    seen.event(event("runner_on_failed", "app3", WHOLE, res={"msg": "Task failed: bad"}), 3)
    app1 = seen.hosts["app1"]
    assert (app1.state, app1.verdict("mta"), app1.verdict("web")) == (
        "diagnosed", "down", "healthy")
    assert (app1.critical, app1.warnings, app1.verdict("stat")) == (1, 1, None)
    assert [seen.hosts[name].state for name in ("app2", "app3", "app4")] == [
        "unreachable", "failed", "waiting"]
    assert live.result(seen.hosts["app2"]) == "unreachable: no route"
    assert live.result(seen.hosts["app3"]) == "no diagnosis: bad"
    assert live.headline(seen, 65, 65) == (
        "Diagnose: 3 of 4 hosts · 1 unreachable · 1 without a diagnosis · 1:05")
    assert seen.pending == [] and seen.changing == []


TWO = [step("Start stat@prod"), step("Restart mta@prod")]


def repairing() -> Progress:
    seen = Progress()
    seen.event(play("Repair"), 0)
    seen.play_started(["app1"], {"app1": None})
    first = diagnosis({"stat@prod": "down", "mta@prod": "down"}, "critical")
    seen.event(ok("app1", WHOLE, diagnosis=first), 1)
    seen.event(ok("app1", PLANNED, steps={"app1": TWO, "app2": []}), 2)
    return seen


def begins(number: int) -> Json:
    """A step of the two begins."""
    return ok("app1", BEGINS if number == 1 else DECIDED, **at_step(number, *TWO))


def test_a_repair_step_by_step() -> None:
    seen = repairing()
    app1 = seen.hosts["app1"]
    assert (seen.changing, seen.changed, seen.steps) == ([], [], (0, 2))
    seen.event(begins(1), 3)
    assert (seen.changing, seen.steps, app1.title) == (["app1"], (0, 2), "Start stat@prod")
    seen.event(started("app1", START), 4)
    assert live.activity(app1, seen, 9) == "start, then it must stay up for 30 s · 5 s"
    seen.play_started(["app1"], {"app1": 2.0})
    assert "stay up for 2 s" in live.activity(app1, seen, 9)
    seen.event(ok("app1", START, changed=True), 10)
    seen.event(started("app1", PROOF), 11)
    assert live.activity(app1, seen, 12) == "proof · 1 s"
    seen.event(ok("app1", PROOF, diagnosis=diagnosis({"stat@prod": "healthy"})), 13)
    assert (app1.verdict("stat"), app1.verdict("mta")) == ("healthy", "down")
    seen.event(begins(2), 14)
    assert (seen.steps, app1.title) == ((1, 2), "Restart mta@prod")
    seen.event(ok("app1", BACK), 15)
    assert (seen.changing, seen.changed, seen.steps) == ([], ["app1"], (2, 2))
    seen.event(play("Diagnose again"), 16)
    assert app1.state == "waiting" and app1.verdict("stat") == "healthy"


REMEDIES = sorted(
    path for path in CHECKOUT.glob("roles/*/tasks/*.yml")
    if path.parts[-3] != "campaign"
    and path.stem not in ("main", "diagnose", "restart_instance")
)


@pytest.mark.parametrize("path", REMEDIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_every_remedy_is_told_from_its_first_task_to_its_proof(path: Path) -> None:
    """Whatever modules it is made of."""
    seen = repairing()
    app1 = seen.hosts["app1"]
    seen.event(begins(1), 3)
    news = []
    for number, each in enumerate(yaml.safe_load(path.read_text())):
        action = next(key for key in each if "." in key or key == "block")
        task = {"task": each["name"], "task_path": f"/c{path}:{number}", "task_action": action}
        if seen.event(started("app1", task), 4 + number):
            news.append(app1.settles)
        assert live.activity(app1, seen, 4 + number).partition(",")[0].partition(" ·")[0] == (
            path.stem.replace("_", " "))
        seen.event(ok("app1", task), 4.5 + number)
    assert seen.pending == [app1] and app1.since == 4
    assert len(news) == len({*news}), "the same is told twice"
    seen.event(started("app1", PROOF), 20)
    assert live.activity(app1, seen, 21) == "proof · 1 s"


def test_an_order_without_a_step_is_told() -> None:
    """check_syslogd and stop are tasks of roles/campaign."""
    seen = Progress()
    task = {"task": "x", "task_path": f"{ROLES}/campaign/tasks/stop.yml:3",
            "task_action": "campaign.remediation.campaign_module"}
    seen.event(started("app1", task), 1)
    assert live.activity(seen.hosts["app1"], seen, 2) == "stop · 1 s"
    assert seen.changing == ["app1"]


def shown(kind: type[Quiet], width: int, height: int,
          work: Callable[[Quiet], None], **options: object) -> str:
    """What stands on a terminal of that size after this work."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, height=height, force_terminal=kind is LiveTable,
                      color_system=None)
    watcher = kind(console, clock=lambda: 100.0)
    work(watcher)
    watcher.tick()
    if isinstance(watcher, LiveTable):
        console.print(watcher.render())
    return screen.getvalue()


def fleet(watcher: Quiet) -> None:
    names = [f"app{number}" for number in range(1, 101)]
    watcher.event(play("Diagnose"))
    watcher.play_started(names, {})
    for name in names[:90]:
        watcher.event(started(name, WHOLE))
    for name in names[:80]:
        verdict = "down" if name == "app77" else "healthy"
        watcher.event(ok(name, WHOLE, diagnosis=diagnosis({"mta@prod": verdict})))
    watcher.event(event("runner_on_unreachable", "app90", WHOLE, res={"msg": "timed out"}))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50), (60, 12)])
def test_the_table_fits_the_terminal(width: int, height: int) -> None:
    lines = shown(LiveTable, width, height, fleet).splitlines()
    assert len(lines) <= height, "it would scroll"
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for told in ("81 of 100 hosts", "9 pend", "1 unreachable", "app90"):
        assert told in text, text
    if height > 20:
        assert "app77" in text, "trouble is not hidden by what is fine"
        assert "more:" in text, text


def test_lines_tell_each_host_once_and_who_is_pending() -> None:
    def work(watcher: Quiet) -> None:
        fleet(watcher)
        assert isinstance(watcher, Lines)
        watcher.tick()
        watcher.told_at -= live.NEWS_SECONDS

    lines = shown(Lines, 80, 24, work).splitlines()
    assert len([line for line in lines if " app90: " in line]) == 1
    assert any("app77: down" in line for line in lines), lines
    assert any("9 pending: app81 0 s, app82 0 s, app83 0 s, …" in line for line in lines), lines


def test_lines_tell_what_was_when_it_happened() -> None:
    """A busy machine may bring all of a step's events at once."""
    def work(watcher: Quiet) -> None:
        watcher.progress = repairing()
        watcher.play_started([], {"app1": 2.0})
        for each in (begins(1), started("app1", START),
                     ok("app1", START, changed=True), started("app1", PROOF),
                     ok("app1", PROOF, diagnosis=diagnosis({"stat@prod": "healthy"})),
                     begins(2), ok("app1", BACK)):
            watcher.event(each)

    said = [line.partition(" ")[2] for line in shown(Lines, 120, 24, work).splitlines()]
    assert said == [
        "app1: step 1 of 2, Start stat@prod",
        "app1: step 1 of 2, Start stat@prod: start, then it must stay up for 2 s",
        "app1: step 2 of 2, Restart mta@prod",
    ]


def test_names_from_hosts_are_no_markup() -> None:
    def work(watcher: Quiet) -> None:
        watcher.event(play("Diagnose"))
        watcher.event(event("runner_on_unreachable", "[red]x", WHOLE, res={"msg": "[/bold] no"}))

    for kind in (LiveTable, Lines):
        assert "[red]x" in shown(kind, 100, 24, work)
        assert "[/bold] no" in shown(kind, 100, 24, work)


def test_the_events_that_are_used_are_those_of_the_roles() -> None:
    """The paths and actions in events.py, held against the files."""
    for known in (WHOLE, PLANNED, BEGINS, DECIDED, START, PROOF, BACK):
        path = str(known["task_path"]).rpartition(":")[0]
        path = path.rpartition("/remediation/")[2].removeprefix("/c/")
        text = (CHECKOUT / path).read_text()
        task = text.partition(f"- name: {known['task']}\n")[2]
        assert task.lstrip().startswith(f"{known['task_action']}:"), known


@pytest.mark.parametrize("width", [120, 200])
def test_the_live_table_has_the_columns_of_the_result(width: int) -> None:
    all_modules = [{"module": name, "instance": "default", "state": "running", "verdict": "healthy"}
                   for name in modules.names()]  # fmt: skip
    result = Report.of(samples.report(samples.host(modules=all_modules)))
    heads = []
    for shown in (LiveTable(Console(width=width)).render(), table.hosts(result)):
        console = Console(file=io.StringIO(), width=width)
        console.print(shown)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        heads.append(next(line.split() for line in text.splitlines() if line.startswith("Host")))
    assert heads[0] == heads[1] == ["Host", "Score", *modules.names()]
