"""What a run is compared with: the last complete diagnosis of each host of the same inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaign_doctor import baseline
from campaign_doctor.history import History, compare
from campaign_doctor.model import Report
from doctor import samples
from doctor.replay import Replay
from doctor.samples import Json, finding, host, report, unreachable

HUNG = finding("mta.hung")
ONLY = ("--module", "inMail")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db", print)


def add(history: History, *hosts: Json, code: int = 1, inventory: str = "lab", limit: str = "",
        scope: str = "") -> int:
    number = history.add(report(*hosts), "diagnose", code, inventory=inventory, limit=limit,
                         scope=scope)
    assert number is not None
    return number


def found(history: History, limit: str = "", scope: str = "") -> dict[str, tuple[str, list[str]]]:
    """Name to status and findings of what is compared with."""
    base = baseline.find(history, "lab", limit, scope)
    if base is None:
        return {}
    return {each.name: (each.status, [one.key for one in each.findings]) for each in base.hosts}


ILL = ("diagnosed", ["mta.hung"])
WELL: tuple[str, list[str]] = ("diagnosed", [])


def test_there_is_none_at_first(history: History) -> None:
    assert found(history) == {}
    add(history, host("app1"), inventory="elsewhere")
    assert found(history) == {}


def test_an_interrupted_run_is_none(history: History) -> None:
    add(history, host("app1", findings=[HUNG]))
    add(history, host("app1"), code=130)
    assert found(history) == {"app1": ILL}


def test_a_host_that_could_not_be_diagnosed_keeps_its_former_diagnosis(history: History) -> None:
    add(history, host("app1", findings=[HUNG]), host("app2"))
    add(history, unreachable("app1"), host("app2", findings=[HUNG]))
    assert found(history) == {"app1": ILL, "app2": ILL}
    back = Report.of(report(host("app1", findings=[HUNG]), host("app2", findings=[HUNG])))
    base = baseline.find(history, "lab", "", "")
    assert base is not None and not compare(base, back), "nothing is new"


def test_a_host_without_any_diagnosis_is_as_it_was(history: History) -> None:
    add(history, host("app1"), unreachable("app2"))
    assert found(history) == {"app1": WELL, "app2": ("unreachable", [])}


def test_a_look_at_some_modules_is_none_but_for_the_same_modules(history: History) -> None:
    add(history, host("app1", findings=[HUNG]))
    add(history, host("app1"), scope="inMail")
    assert found(history) == {"app1": ILL}
    assert found(history, scope="inMail") == {"app1": WELL}


def test_a_host_that_left_the_inventory_is_missed_once(history: History) -> None:
    add(history, host("app1"), host("app2"))
    assert sorted(found(history)) == ["app1", "app2"]
    add(history, host("app1"))
    assert sorted(found(history)) == ["app1"]


def test_a_limit_takes_from_the_runs_of_all_hosts(history: History) -> None:
    add(history, host("app1", findings=[HUNG]), host("app2"))
    assert found(history, limit="app1") == {"app1": ILL}
    add(history, host("app1"), limit="app1")
    assert found(history, limit="app1") == {"app1": WELL}
    assert found(history) == {"app1": WELL, "app2": WELL}, "the latest diagnosis of each"


def test_watching_a_host_that_goes_and_comes_is_told_once_each() -> None:
    ill, dark = Report.of(report(host("app1", findings=[HUNG]))), Report.of(report(unreachable("app1")))
    merged = baseline.merged(ill, dark)
    assert compare(merged, dark).hosts.lost == ("app1",)
    again = baseline.since_then(compare(merged, dark), {"app1"}, dark)
    assert again.hosts.lost == ()
    back = baseline.since_then(compare(merged, ill), {"app1"}, ill)
    assert (back.hosts.back, back.new, back.gone) == (("app1",), (), ())


def test_runs_of_other_inventories_are_not_compared_unless_told(replay: Replay) -> None:
    replay.can("healthy", "stopped")
    history = History(replay.history, print)
    for inventory in ("/a/hosts.yml", "/b/hosts.yml"):
        history.add(samples.ill(), "diagnose", 1, inventory=inventory)
    done = replay.run("compare", "1", "2")
    assert done.code == 5 and "/a/hosts.yml" in done.err and "--any-inventory" in done.err, str(done)
    assert replay.run("compare", "1", "2", "--any-inventory").code == 0


def test_the_history_says_of_what_and_by_whom(replay: Replay) -> None:
    replay.can("stopped", "planned")
    replay.env["SUDO_USER"] = "anna"
    assert replay.doctor("diagnose", *ONLY).code == 1
    assert replay.doctor("plan", *ONLY).code == 1
    for columns in ("80", "200"):
        listed = replay.run("history", env={"COLUMNS": columns}).out
        for word in ("diagnose", "plan", "anna", "app1", "modules)"):
            assert word in listed, listed
        assert max(map(len, listed.splitlines())) <= int(columns), listed
