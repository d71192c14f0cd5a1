"""What a diagnosis takes from the host's ledger to hold repairs back. The host is not trusted."""

from __future__ import annotations

from typing import Any

import pytest
from unit.plugin_utils.builder import data, diagnosed, fail, healthy, kill

PAUSE: dict[str, Any] = {
    "until": 1763474400.0, "since": 1763467200.0, "who": "anna", "from": "ansible1",
    "reason": "a new disk", "unknown": None,
}  # fmt: skip


def told(pause: object) -> Any:
    snapshot = healthy("prod")
    data(snapshot, "ledger")["paused"] = [pause]
    return diagnosed(snapshot).get("paused")


def test_a_pause_is_told() -> None:
    assert told(PAUSE) == {
        "until": 1763474400.0, "since": 1763467200.0, "who": "anna", "reason": "a new disk",
        "unknown": None,
    }  # fmt: skip


@pytest.mark.parametrize("pause", [
    {**PAUSE, "until": 1e18}, {**PAUSE, "until": -1}, {**PAUSE, "until": "never"}, {},
    {**PAUSE, "unknown": "it is damaged"},
])  # fmt: skip
def test_what_cannot_be_an_end_is_unknown(pause: dict[str, Any]) -> None:
    found = told(pause)
    assert found["until"] is None and found["unknown"] in (
        "it is damaged", "the host does not say until when",
    )


def test_without_a_pause_or_a_ledger_there_is_none() -> None:
    assert told(7) is None
    assert "paused" not in diagnosed(healthy("prod"))
    snapshot = healthy("prod")
    fail(snapshot, "ledger")
    assert "paused" not in diagnosed(snapshot)


def test_earlier_repairs_of_what_is_found_are_told() -> None:
    snapshot = healthy("prod")
    kill(snapshot, "mta")
    now = snapshot["taken_at"]
    ours = {"id": "mta.not_running@prod", "at": now - 60, "remedy": "start"}
    data(snapshot, "ledger")["answered"] = [
        ours, {**ours, "id": "web.hung@default"}, {**ours, "at": now + 60}, {**ours, "at": -1e30},
        {**ours, "at": "x"}, {"at": 1.0}, 7,
    ]  # fmt: skip
    assert diagnosed(snapshot)["repaired"] == [ours]
    data(snapshot, "ledger")["begins"] = [now - 3600]
    assert diagnosed(snapshot)["ledger_begins_at"] == now - 3600
    assert "repaired" not in diagnosed(healthy("prod"))
