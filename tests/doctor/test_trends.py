"""What the history says of a longer time, and of what happened to one host."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from campaign_doctor import incident, trends, trends_view
from campaign_doctor.errors import DoctorError
from campaign_doctor.history import History
from campaign_doctor.outcome import ExitCode
from campaign_doctor.shared.words import iso
from campaign_doctor.trends import Trend, Trends
from doctor.samples import Json, finding, host, module, report, unreachable

MINUTE = 60.0
NOW = float(int(time.time()))
BEGAN = NOW - 100 * MINUTE
HUNG = "mta.hung@prod"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db", pytest.fail)


def kept(history: History, minute: float, *hosts: Json, code: int = 0, **more: Any) -> None:
    at = iso(BEGAN + minute * MINUTE)
    history.add(report(*hosts, started=at, finished=at, **more), "diagnose", code)


def ill(name: str = "app1", **more: Any) -> Json:
    modules = [module("watchdog", "default"), module("mta", verdict="down")]
    return host(name, findings=[finding("mta.hung")], modules=modules, **more)


def well(name: str = "app1", **more: Any) -> Json:
    return host(name, modules=[module("watchdog", "default"), module("mta")], **more)


def repair(result: str = "repaired", remedy: str = "restart") -> Json:
    return {"module": "mta", "instance": "prod", "remedy": remedy, "result": result,
            "because": [HUNG], "reason": "anna's session s3cret"}


def told(history: History, valid: float = 15 * MINUTE) -> Trends:
    return trends.of_history(history, BEGAN, NOW, valid)


def only(found: Trends) -> Trend:
    (trend,) = found.findings
    return trend


# -- findings -------------------------------------------------------------------------------------


def test_how_often_how_long_and_what_helped(history: History) -> None:
    kept(history, 0, ill())
    kept(history, 5, ill())
    kept(history, 10, well(actions=[repair()]))
    kept(history, 20, ill())
    kept(history, 30, ill(actions=[repair("not_repaired", "kill_and_start")]))
    kept(history, 50, well())
    trend = only(told(history))
    assert (trend.times, trend.came_back, trend.since) == (2, 1, None)
    assert trend.seconds == [10 * MINUTE, 30 * MINUTE]
    assert trend.helped == {"restart": 1, trends.NO_REPAIR: 1}
    assert trend.did_not_help == {"kill_and_start": 1}
    assert (trend.key, trend.title) == ("mta.hung", "Title of mta.hung")


def test_what_one_run_found_and_repaired_counts(history: History) -> None:
    kept(history, 0, well(actions=[repair()]))
    trend = only(told(history))
    assert (trend.times, trend.since, trend.helped) == (1, None, {"restart": 1})


@pytest.mark.parametrize(
    ("later", "code"),
    [
        (unreachable("app1"), 0),
        (host(modules=[module("wfserver")]), 0),
        (host("app2"), 0),
        (well(), 130),
    ],
    ids=["unreachable", "other modules", "another host", "interrupted"],
)
def test_what_was_not_seen_has_not_gone(history: History, later: Json, code: int) -> None:
    kept(history, 0, ill())
    kept(history, 5, later, code=code)
    trend = only(told(history))
    assert (trend.since, trend.seconds, trend.times) == (BEGAN, [], 1)


def test_remarks_are_no_trend(history: History) -> None:
    kept(history, 0, host(findings=[finding("host.core_file", severity="info")]))
    assert told(history).findings == []


# -- availability ---------------------------------------------------------------------------------


def test_a_time_without_a_diagnosis_is_unknown(history: History) -> None:
    kept(history, 10, well())
    kept(history, 20, ill())
    kept(history, 25, well())
    kept(history, 30, unreachable("app1"))
    kept(history, 40, well())
    seconds = told(history).modules["app1", "mta", "prod"]
    assert seconds == {
        "healthy": (10 + 5 + 15) * MINUTE, "degraded": 0, "down": 5 * MINUTE,
        "unknown": (10 + 10 + 45) * MINUTE,
    }
    assert trends.availability(seconds) == pytest.approx(30 / 35)
    assert sum(seconds.values()) == 100 * MINUTE


def test_nothing_known_is_not_available(history: History) -> None:
    kept(history, 0, host(modules=[module("mta", verdict="unknown")]))
    found = told(history)
    (row,) = found.as_json()["modules"]
    assert row["availability"] is None and row["unknown_seconds"] == 100 * MINUTE
    out = io.StringIO()
    trends_view.show(Console(file=out, width=120), found)
    assert out.getvalue().splitlines()[-1].split()[:2] == ["mta@prod", "unknown"]


def test_a_module_that_should_not_run_is_not_missed(history: History) -> None:
    kept(history, 0, well())
    kept(history, 10, host(modules=[module("watchdog", "default"), module("mta", verdict="not_expected")]))
    seconds = told(history).modules["app1", "mta", "prod"]
    assert seconds == {"healthy": 10 * MINUTE, "degraded": 0, "down": 0, "unknown": 75 * MINUTE}


def test_a_look_at_other_modules_says_nothing_of_this_one(history: History) -> None:
    kept(history, 0, well())
    kept(history, 5, host(modules=[module("wfserver", verdict="down")]))
    assert told(history).modules["app1", "mta", "prod"]["healthy"] == 15 * MINUTE


def test_the_tables_and_the_json_say_the_same(history: History) -> None:
    kept(history, 0, ill())
    kept(history, 60, well(actions=[repair()]))
    kept(history, 70, ill())
    found = told(history, 3600)
    out = io.StringIO()
    trends_view.show(Console(file=out, width=160), found)
    text = " ".join(out.getvalue().split())
    assert "3 runs from" in text
    assert f"2 app1 {HUNG} open 1 h restart" in text
    data = json.loads(json.dumps(found.as_json()))
    (trend,) = data["findings"]
    assert trend["open"] and trend["came_back"] == 1 and trend["seconds_to_repair"] == [3600]
    down = next(each for each in data["modules"] if each["module"] == "mta")
    assert down["down_seconds"] == 90 * MINUTE and down["availability"] == pytest.approx(0.1)


# -- an incident ----------------------------------------------------------------------------------

LEDGER = [
    "No run holds the lock of this host.",
    "The last lines of the ledger (/var/lib/campaign_remediation/x):",
    f"{iso(BEGAN - 3600)} r0 begun wfserver@prod start",
    f"{iso(BEGAN + 60)} r1 begun mta@prod restart anna was here",
    f"{iso(BEGAN + 90)} r1 ended mta@prod restart failed mta of anna did not start: password s3cret",
    f"{iso(BEGAN + 95)} r1 ended host@default done Nobody is told of anna.",
]


def written(history: History, monkeypatch: pytest.MonkeyPatch, ledger: list[str] | None) -> tuple[int, str]:
    answers = {} if ledger is None else {"app1": {"text": ledger}}
    result = SimpleNamespace(ended=SimpleNamespace(answers=answers))
    monkeypatch.setattr(incident, "answers", lambda _doctor: result)
    code = ExitCode.HEALTHY if ledger else ExitCode.UNREACHABLE
    monkeypatch.setattr(incident, "failures", lambda _doctor, _result: code)
    doctor = SimpleNamespace(history=history, out=Console(file=io.StringIO()))
    given = incident.show(doctor, "app1", 200 * MINUTE)  # type: ignore[arg-type]
    return given, doctor.out.file.getvalue()


def test_a_page_of_what_happened(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(history, 0, well())
    kept(history, 5, ill(), host("app2"))
    kept(history, 10, unreachable("app1"))
    kept(history, 15, unreachable("app1"))
    kept(history, 20, well(actions=[repair()]))
    code, page = written(history, monkeypatch, LEDGER)
    assert code == 0
    lines = page.splitlines()
    assert lines[0] == "# Incident on app1"
    events = [line.partition("run ")[2] for line in lines if ", run " in line]
    assert events == [
        "1: nothing was wrong",
        "2: new: critical `mta.hung` on mta@prod",
        "3: no diagnosis (unreachable): unknown from here on",
        "5: restart of mta@prod: **repaired**",
        "5: diagnosed again",
        "5: gone: critical `mta.hung` on mta@prod",
    ]
    assert lines[lines.index("## The ledger of the host") + 2:][1:] == [
        f"* {iso(BEGAN + 60).replace('T', ' ').replace('Z', ' UTC')}: restart of mta@prod was begun",
        f"* {iso(BEGAN + 90).replace('T', ' ').replace('Z', ' UTC')}: restart of mta@prod ended: failed",
        f"* {iso(BEGAN + 95).replace('T', ' ').replace('Z', ' UTC')}: a change of host@default ended: done",
    ]
    assert "anna" not in page and "s3cret" not in page and "612" not in page, page


def test_a_ledger_that_cannot_be_read_is_unknown(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(history, 0, unreachable("app1"))
    code, page = written(history, monkeypatch, None)
    assert code == ExitCode.UNREACHABLE
    assert "* **unknown**: no diagnosis (unreachable)" in page
    assert "unknown" in page.splitlines()[-1]


def test_nothing_of_a_host_is_markdown(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(history, 0, ill(actions=[{**repair(), "remedy": "<b>[x](y)\n# z"}]))
    _code, page = written(history, monkeypatch, LEDGER)
    assert "<b>" not in page and "\n# z" not in page and "[x](y)" not in page


def test_a_host_without_history(history: History) -> None:
    kept(history, 0, well())
    with pytest.raises(DoctorError) as refused:
        incident.show(SimpleNamespace(history=history), "app9", 3600)  # type: ignore[arg-type]
    assert "no run with the host app9 since" in str(refused.value)
    assert "\n" not in str(refused.value)
