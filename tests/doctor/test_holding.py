"""ledger and unlock: who holds a host, and how it is freed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from campaign_doctor import doctor, runner
from campaign_doctor.runner import Ended, PlaybookRun
from doctor.harness import Site
from doctor.replay import Replay
from integration.harness import INVENTORY

HELD = [
    "This host is held by run by-hand of berta.", "The last lines of the ledger in /state:",
    "2026-11-29T12:00:00Z by-hand run_opened host@default",
]
Events = list[dict[str, Any]]
Plays = Callable[..., list[PlaybookRun]]


def event(kind: str, host: str, **result: Any) -> dict[str, Any]:
    return {"event": kind, "stdout": "", "event_data": {"host": host, "res": result}}


def stats(host: str, kind: str) -> dict[str, Any]:
    return {"event": "playbook_on_stats", "event_data": {"processed": {host: 1}, kind: {host: 1}}}


def shown(text: list[str], holder: str | None, **more: Any) -> Events:
    return [
        event("runner_on_ok", "app1", text=text, holder=holder and {"run": holder}, **more),
        stats("app1", "ok"),
    ]


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Plays:
    """What Ansible tells, one list for each run; the orders that it got."""

    def of(*runs: Events) -> list[PlaybookRun]:
        left, orders = list(runs), []

        def run(playbook_run: PlaybookRun, _access: object, private: Path, *_more: object) -> Ended:
            orders.append(playbook_run)
            ended = Ended(folder=private)
            for each in left.pop(0):
                runner._note(each, ended)
            return ended

        monkeypatch.setattr(doctor, "run", run)
        return orders

    return of


def test_the_ledger_is_shown_and_nothing_is_changed(replay: Replay, plays: Plays) -> None:
    orders = plays(shown(HELD, "by-hand"))
    done = replay.doctor("ledger app1")
    assert done.code == 0, str(done)
    assert done.out.splitlines() == [f"app1: {HELD[0]}", *(f"  {line}" for line in HELD[1:])]
    assert [(playbook_run.changes, dict(playbook_run.variables)) for playbook_run in orders] == [(False, {})]


def test_unlock_frees_what_is_held(replay: Replay, plays: Plays) -> None:
    orders = plays(shown(HELD, "by-hand"), shown(HELD, "by-hand", msg="The lock was removed."))
    done = replay.doctor("unlock app1 --yes")
    assert done.code == 0 and "app1: The lock was removed." in done.out, str(done)
    assert orders[1].variables == {"campaign_unlock": True, "campaign_accept_other_run": False}
    assert orders[1].changes


@pytest.mark.parametrize("words", ["unlock app1 --check", "unlock app1 --yes"])
def test_unlock_only_looks_where_there_is_nothing_to_do(
    replay: Replay, plays: Plays, words: str
) -> None:
    free = ["No run holds the lock of this host.", "The last lines of the ledger (/state):", "(none)"]
    orders = plays(shown(HELD, "by-hand") if "check" in words else shown(free, None))
    assert replay.doctor(words).code == 0
    assert [playbook_run.changes for playbook_run in orders] == [False]


def test_unlock_asks_first(replay: Replay, plays: Plays) -> None:
    orders = plays()
    done = replay.doctor("unlock app1")
    assert done.code == 5 and "--yes" in done.err and not orders, str(done)


def test_a_run_at_work_keeps_its_host_unless_it_is_forced(replay: Replay, plays: Plays) -> None:
    refusal = "Another run works on this host: run by-hand of berta. Wait for its end."
    refused = [event("runner_on_failed", "app1", msg=refusal), stats("app1", "failures")]
    plays(shown(HELD, "by-hand"), refused)
    done = replay.doctor("unlock app1 --yes")
    assert done.code == 5 and f"app1: {refusal}" in done.err and "--force" in done.err, str(done)
    orders = plays(shown(HELD, "by-hand"), shown(HELD, "by-hand", msg="Removed."))
    assert replay.doctor("unlock app1 --yes --force").code == 0
    assert orders[1].variables["campaign_accept_other_run"] is True


def test_an_unreachable_host_is_4_and_none_is_5(replay: Replay, plays: Plays) -> None:
    plays([event("runner_on_unreachable", "app1", msg="No route to host"), stats("app1", "dark")])
    done = replay.doctor("ledger app1")
    assert done.code == 4 and "app1: No route to host" in done.err, str(done)
    plays([{"event": "error", "stdout": "[ERROR]: leaves us with no hosts to target"}])
    done = replay.doctor("ledger nobody")
    assert done.code == 5 and "no hosts" in done.err, str(done)


def test_a_host_that_a_run_holds_is_shown_and_freed(site: Site) -> None:
    """As a person would after a run that was killed."""
    shown = site.run("ledger", "app1", "-i", INVENTORY)
    assert shown.code == 0 and "app1: No run holds the lock of this host." in shown.out, str(shown)
    site.run("diagnose", "-i", INVENTORY, "--limit", "app1", "--module", "mta", "-q")
    page = site.run("incident", "app1", "-i", INVENTORY, "-q")
    assert page.code == 0 and page.out.startswith("# Incident on app1\n"), str(page)
    assert "None of its last lines is of this time." in page.out, str(page)
    freed = site.run("unlock", "app1", "-i", INVENTORY, "--yes")
    assert freed.code == 0 and "No run holds the lock of this host." in freed.out, str(freed)
