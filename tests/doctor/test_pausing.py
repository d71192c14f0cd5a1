"""pause and resume: what is refused before any host is asked, and what is shown of each host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    pause as record,
)
from campaign_doctor import doctor, pausing, runner
from campaign_doctor.runner import Access, Ended, PlaybookRun
from doctor.harness import Site
from doctor.replay import Replay
from integration.harness import INVENTORY

SAID = "Repairs are paused on this host until 2026-11-29T22:00:00Z: a new disk (anna, since 2026…)."
Events = list[dict[str, Any]]
Plays = Callable[..., list[tuple[PlaybookRun, Access]]]


def event(kind: str, host: str, **result: Any) -> dict[str, Any]:
    return {"event": kind, "stdout": "", "event_data": {"host": host, "res": result}}


def stats(**kinds: str) -> dict[str, Any]:
    data = {kind: {host: 1} for kind, host in kinds.items()}
    return {"event": "playbook_on_stats",
            "event_data": {"processed": dict.fromkeys(kinds.values(), 1), **data}}


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Plays:
    """What Ansible tells in one run; the orders that it got."""

    def of(events: Events) -> list[tuple[PlaybookRun, Access]]:
        orders = []

        def run(playbook_run: PlaybookRun, access: Access, private: Any, *_more: object) -> Ended:
            orders.append((playbook_run, access))
            ended = Ended(folder=private)
            for each in events:
                runner._note(each, ended)
            return ended

        monkeypatch.setattr(doctor, "run", run)
        return orders

    return of


@pytest.mark.parametrize(("words", "refusal"), [
    ("pause app1 --for 2h", "Add --reason TEXT"),
    ("pause app1 --for 2h --reason=", "Add --reason TEXT"),
    ("pause app1 --reason disk", "Add --for TIME"),
    ("pause app1 --for 30s --reason disk", "--for must be 1m to 30d"),
    ("pause app1 --for 90 --reason disk", "--for must be 1m to 30d"),
    ("pause app1 --for 31d --reason disk", "--for must be 1m to 30d"),
    (f"pause app1 --for 2h --reason {'x' * 201}", "--reason has 201 characters"),
])  # fmt: skip
def test_a_pause_without_an_end_or_a_reason_asks_no_host(
    replay: Replay, plays: Plays, words: str, refusal: str
) -> None:
    orders = plays([])
    done = replay.doctor(words)
    assert done.code == 5 and not orders, str(done)
    assert done.err.startswith(refusal) and len(done.err.splitlines()) == 1, str(done)


def test_pause_shows_each_host_and_how_to_end_it(replay: Replay, plays: Plays) -> None:
    orders = plays([
        event("runner_on_ok", "app1", msg=SAID, changed=True, replaced=None, warnings=["Left open."]),
        event("runner_on_ok", "app1", msg=SAID), stats(ok="app1"),
    ])
    done = replay.doctor("pause app1 app2 --for 2h --reason disk")
    assert done.code == 0 and done.out.splitlines() == [f"app1: {SAID}", "  Left open."], str(done)
    assert "To end the pause before: campaign-doctor resume" in done.err, str(done)
    assert "--limit app1,app2" in done.err, str(done)
    ((order, access),) = orders
    assert (order.playbook, order.changes, order.check) == ("pause", True, False)
    assert order.variables == {"campaign_pause_for": "2h", "campaign_pause_reason": "disk"}
    assert (access.limit, access.every_name) == ("app1,app2", True)


def test_resume_and_check(replay: Replay, plays: Plays) -> None:
    orders = plays([event("runner_on_ok", "app1", msg="Ended.", replaced={}), stats(ok="app1")])
    assert replay.doctor("resume app1 --check").code == 0
    assert replay.doctor("resume").code == 0
    assert [(order.check, order.changes, access.limit) for order, access in orders] == [
        (True, False, "app1"), (False, True, None),
    ]  # fmt: skip


def test_a_host_that_is_not_paused_is_told(replay: Replay, plays: Plays) -> None:
    words = "pause app1 app2 --for 2h --reason disk"
    paused = event("runner_on_ok", "app1", msg=SAID, changed=True, replaced=None)
    plays([paused, event("runner_on_unreachable", "app2", msg="No route to host"),
           stats(ok="app1", dark="app2")])  # fmt: skip
    done = replay.doctor(words)
    assert done.code == 4 and "app2: No route to host" in done.err and SAID in done.out, str(done)
    plays([paused, event("runner_on_failed", "app2", msg="The disk is full."),
           stats(ok="app1", failures="app2")])  # fmt: skip
    done = replay.doctor(words)
    assert done.code == 5 and "app2: The disk is full." in done.err, str(done)


def test_a_misspelt_host_pauses_none(replay: Replay, plays: Plays) -> None:
    plays([{"event": "error",
            "stdout": "[ERROR]: Could not match supplied host pattern, ignoring: ap1"}])  # fmt: skip
    done = replay.doctor("pause app1 ap1 --for 2h --reason disk")
    assert done.code == 5, str(done)
    assert done.err.strip() == (
        "'ap1' is not a host of the inventory. Did you mean app1? No host was asked."
    ), str(done)


def test_the_bounds_are_those_of_the_collection() -> None:
    assert (pausing.SHORTEST, pausing.LONGEST) == (record.SHORTEST, record.LONGEST)
    assert record.REASON_LIMIT == pausing.REASON_LIMIT


def test_a_host_is_paused_shown_and_resumed(site: Site) -> None:
    """By the real command; a name that is misspelt leaves no host out without a word."""
    pause = ("--for", "1h", "--reason", "a new disk", "-i", INVENTORY)
    slip = site.run("pause", "app1", "ap1", *pause)
    assert slip.code == 5, str(slip)
    assert "'ap1' is not a host of the inventory. Did you mean app1?" in slip.err, str(slip)
    free = site.run("resume", "app1", "-i", INVENTORY)
    assert free.out == "app1: Repairs are not paused on this host.\n", str(free)
    held = site.run("pause", "app1", *pause)
    assert held.code == 0 and "app1: Repairs are paused on this host until" in held.out, str(held)
    seen = site.run("diagnose", "-i", INVENTORY)
    assert "Repairs are paused\napp1: until 2" in seen.out and ": a new disk (" in seen.out, str(seen)
    ended = site.run("resume", "-i", INVENTORY)
    assert ended.code == 0 and "The pause of this host was ended." in ended.out, str(ended)
