"""Every rule of the policy, one line each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from unit.plan.builder import HOUR, NOW, finding, left, plan_of, steps

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    InvalidPolicy,
    Policy,
)

RESTART = "wfserver.memory_alert@prod"
HUNG = "wfserver.hung@prod"
STALE = "trackinglogd.shared_memory_stale@default"


@pytest.mark.parametrize(
    ("policy", "id", "why"),
    [
        ({}, RESTART, None),
        ({"remedies_allowed": []}, RESTART, None),
        ({"remedies_allowed": ["restart"]}, RESTART, None),
        ({"remedies_allowed": ["start"]}, RESTART, "policy"),
        ({"remedies_denied": ["restart"]}, RESTART, "policy"),
        ({"remedies_denied": ["start"]}, RESTART, None),
        ({"remedies_allowed": ["restart"], "remedies_denied": ["restart"]}, RESTART, "policy"),
        ({"modules_excluded": ["wfserver"]}, RESTART, "excluded"),
        ({"modules_excluded": ["WFSERVER"]}, RESTART, "excluded"),
        ({"modules_excluded": ["wfserver@prod"]}, RESTART, "excluded"),
        ({"modules_excluded": ["wfserver@prod2"]}, RESTART, None),
        ({"modules_excluded": ["mta"]}, RESTART, None),
        ({"modules_excluded": ["mta"]}, STALE, "excluded"),
        ({"modules_excluded": ["mta@prod2"]}, STALE, None),  # there is no prod2 here
        ({"highest_rung": "restart"}, RESTART, None),
        ({"highest_rung": "restart"}, HUNG, "policy"),
        ({"highest_rung": "kill_and_start"}, HUNG, None),
        ({"highest_rung": "kill_and_start"}, STALE, "policy"),
        ({"highest_rung": "rebuild_shared_memory"}, STALE, None),
    ],
)
def test_rules(policy: dict[str, Any], id: str, why: str | None) -> None:
    host = plan_of(id, **policy)
    assert left(host) == ({id: why} if why else {})
    assert len(host["steps"]) == (0 if why else 1)


@pytest.mark.parametrize(
    ("policy", "rungs", "limit"),
    [
        ({}, ["restart", "kill_and_start"], None),
        ({"highest_rung": "restart"}, ["restart"], "above campaign_highest_rung"),
        ({"remedies_denied": ["kill_and_start"]}, ["restart"], "campaign_remedies_denied"),
        ({"remedies_allowed": ["restart"]}, ["restart"], "campaign_remedies_allowed"),
        (
            {"windows": [{"from": "22:00", "to": "05:00", "remedies": ["kill_and_start"]}],
             "windows_timezone": "UTC"},
            ["restart"], "campaign_windows",
        ),
    ],
)
def test_policy_cuts_a_ladder_short(
    policy: dict[str, Any], rungs: list[str], limit: str | None
) -> None:
    (step,) = plan_of(RESTART, **policy)["steps"]
    assert step["rungs"] == rungs
    assert (limit is None and step["limit"] is None) or limit in step["limit"]


def test_a_rung_is_never_jumped_over() -> None:
    (step,) = plan_of("watchdog.nothing_runs@default", modules_excluded=["mta"])["steps"]
    assert step["rungs"] == ["start_service"]
    assert "mta is excluded" in step["limit"]


def test_ask_and_afterwards() -> None:
    (step,) = plan_of(RESTART, ask=True)["steps"]
    assert step["asks"] is True
    assert step["afterwards"] == "raise_log_precision"
    (step,) = plan_of(RESTART, remedies_denied=["raise_log_precision"])["steps"]
    assert (step["asks"], step["afterwards"]) == (False, None)


# --- windows ----------------------------------------------------------------------------------

PARIS = ZoneInfo("Europe/Paris")


def at(text: str, zone: ZoneInfo = PARIS, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def windows(*entries: dict[str, Any], zone: str = "Europe/Paris") -> Policy:
    return Policy.of({"windows": list(entries), "windows_timezone": zone})


NIGHT = {"days": ["mon", "fri"], "from": "22:00", "to": "05:00", "remedies": ["restart"]}


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        ("2025-11-17 21:59", False),  # a Monday
        ("2025-11-17 22:00", True),
        ("2025-11-17 23:59", True),
        ("2025-11-18 00:00", True),  # Monday's window, on Tuesday
        ("2025-11-18 04:59", True),
        ("2025-11-18 05:00", False),
        ("2025-11-18 22:30", False),
        ("2025-11-21 22:30", True),
        ("2025-11-22 04:00", True),
        ("2025-11-17 04:00", False),  # Sunday's night is no window
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens(
    when: str, open_: bool
) -> None:
    assert windows(NIGHT).is_open("restart", at(when)) is open_
    assert windows(NIGHT).is_open("start", at(when)) is True


@pytest.mark.parametrize(
    ("entry", "when", "open_"),
    [
        ({"from": "09:00", "to": "17:00"}, "2025-11-18 12:00", True),
        ({"from": "09:00", "to": "17:00"}, "2025-11-18 17:00", False),
        ({"from": 1320, "to": "24:00"}, "2025-11-18 23:59", True),  # 22:00 as YAML 1.1 reads it
        ({"from": "22:00", "to": "24:00"}, "2025-11-19 00:00", False),
        ({"from": "06:00", "to": "06:00"}, "2025-11-18 03:00", True),  # the whole day
        ({"days": ["Tuesday"], "from": "06:00", "to": "06:00"}, "2025-11-19 05:59", True),
        ({"days": ["Tuesday"], "from": "06:00", "to": "06:00"}, "2025-11-19 06:00", False),
    ],
)
def test_windows_for_all_remedies(entry: dict[str, Any], when: str, open_: bool) -> None:
    assert windows(entry).is_open("restart", at(when)) is open_


def test_one_of_several_windows_is_enough() -> None:
    policy = windows(NIGHT, {"days": ["wed"], "from": "12:00", "to": "13:00"})
    assert policy.is_open("restart", at("2025-11-19 12:30"))
    assert not policy.is_open("start", at("2025-11-17 23:00"))  # bounded by the second alone


SUMMER = {"from": "02:10", "to": "02:40"}  # 2026-03-29: 02:00 becomes 03:00
AUTUMN = {"from": "01:10", "to": "02:40"}  # 2025-10-26: 03:00 becomes 02:00


def test_when_the_clocks_go_forward_a_window_in_the_gap_is_skipped() -> None:
    policy = windows(SUMMER)
    for minute in range(0, 180, 5):
        assert not policy.is_open("restart", at("2026-03-29 00:30") + 60 * minute)
    assert policy.next_change("restart", at("2026-03-28 12:00")) == at("2026-03-30 02:10")


def test_when_the_clocks_go_forward_a_window_that_begins_in_the_gap_opens_at_its_end() -> None:
    policy = windows({"from": "02:30", "to": "04:00"})
    opens = policy.next_change("restart", at("2026-03-28 12:00"))
    assert opens == at("2026-03-29 03:00")
    assert policy.next_change("restart", opens) == at("2026-03-29 04:00")


def test_when_the_clocks_go_back_what_the_clock_shows_counts_both_times() -> None:
    policy = windows(AUTUMN)
    first, second = at("2025-10-26 02:30"), at("2025-10-26 02:30", fold=1)
    assert second - first == HOUR
    assert policy.is_open("restart", first) and policy.is_open("restart", second)
    assert not policy.is_open("restart", at("2025-10-26 02:50"))
    changes, moment = [], at("2025-10-26 00:00")
    for _ in range(4):
        moment = policy.next_change("restart", moment) or 0.0
        changes.append(moment)
    assert changes == [
        at("2025-10-26 01:10"), at("2025-10-26 02:40"),
        at("2025-10-26 02:00", fold=1), at("2025-10-26 02:40", fold=1),
    ]


def test_what_waits_for_a_window_says_until_when() -> None:
    host = plan_of(RESTART, windows=[NIGHT], windows_timezone="UTC")  # a Tuesday, at noon
    (entry,) = host["left"]
    assert (entry["why"], entry["until"]) == ("window", "2025-11-21T22:00:00Z")


def test_what_is_done_in_a_window_says_when_it_closes() -> None:
    noon = {"from": "11:00", "to": "12:30"}
    (step,) = plan_of(RESTART, windows=[noon], windows_timezone="UTC")["steps"]
    assert step["not_after"] == "2025-11-18T12:30:00Z"
    (step,) = plan_of(RESTART)["steps"]
    assert step["not_after"] is None


# --- freezes ----------------------------------------------------------------------------------


def frozen(entry: dict[str, Any], **more: Any) -> Policy:
    freeze = {"reason": "Black Friday", **entry}
    return Policy.of({"freezes": [freeze], "windows_timezone": "Europe/Paris", **more})


@pytest.mark.parametrize(
    ("entry", "remedy", "first", "last"),
    [  # the first and the last minute in which the remedy is not allowed
        ({"from": "2025-11-26", "to": "2025-12-01"}, "restart",
         at("2025-11-26 00:00"), at("2025-12-01 23:59")),
        ({"from": date(2025, 11, 26), "to": date(2025, 11, 26)}, "start",
         at("2025-11-26 00:00"), at("2025-11-26 23:59")),
        ({"from": "2025-11-26 18:00", "to": datetime(2025, 11, 27, 6, 0)}, "restart",
         at("2025-11-26 18:00"), at("2025-11-27 05:59")),
        ({"from": "2025-11-26T18:00:00Z", "to": "2025-11-27T06:00+02:00"}, "restart",
         at("2025-11-26 19:00"), at("2025-11-27 04:59")),
        ({"from": "2025-11-26", "to": "2025-11-27", "remedies": ["restart"]}, "restart",
         at("2025-11-26 00:00"), at("2025-11-27 23:59")),
        # The day on which clocks go back has 25 hours, the one on which they go forward 23.
        ({"from": "2025-10-26", "to": "2025-10-26"}, "restart",
         at("2025-10-26 00:00"), at("2025-10-26 00:00") + 25 * HOUR - 60),
        ({"from": "2026-03-29", "to": "2026-03-29"}, "restart",
         at("2026-03-29 00:00"), at("2026-03-29 00:00") + 23 * HOUR - 60),
    ],
)
def test_a_freeze_from_its_first_to_its_last_minute(
    entry: dict[str, Any], remedy: str, first: float, last: float
) -> None:
    policy = frozen(entry)
    allowed = [policy.on_remedy(remedy, (), moment) is None
               for moment in (first - 60, first, last, last + 60)]  # fmt: skip
    assert allowed == [True, False, False, True]
    refusal = policy.on_remedy(remedy, (), first)
    assert refusal and (refusal.why, refusal.until) == ("freeze", last + 60)
    assert refusal.reason == f"campaign_freezes does not allow {remedy} now: Black Friday"
    assert policy.closes([remedy], first - 60) == first


def test_a_freeze_leaves_what_it_does_not_name_and_a_repair_that_was_begun() -> None:
    policy = frozen({"from": "2025-11-26", "to": "2025-11-27", "remedies": ["restart"]})
    during = at("2025-11-26 12:00")
    assert policy.on_remedy("start", (), during) is None
    everything = frozen({"from": "2025-11-26", "to": "2025-11-27"})
    assert everything.on_remedy("start", (), during)
    assert everything.on_remedy("finish_repair", (), during) is None
    assert everything.closes(["finish_repair"], at("2025-11-25 12:00")) is None


@pytest.mark.parametrize(
    ("more", "until"),
    [
        ({}, "2025-11-29 00:00"),
        # Then the window is closed still, or a further freeze holds.
        ({"windows": [{"from": "22:00", "to": "05:00"}]}, "2025-11-29 00:00"),
        ({"windows": [{"days": ["mon"], "from": "22:00", "to": "05:00"}]}, "2025-12-01 22:00"),
        ({"freezes": [
            {"from": "2025-11-26", "to": "2025-11-28", "reason": "Black Friday"},
            {"from": "2025-11-28T12:00", "to": "2025-12-01T08:00", "reason": "release"},
        ]}, "2025-12-01 08:00"),
        ({"freezes": [{"from": "2025-11-26", "to": "2026-02-27", "reason": "the whole winter"}],
          "windows": [{"days": ["sun"], "from": "02:10", "to": "02:40"}]}, "2026-03-01 02:10"),
        # The window after this freeze is skipped, for the clocks go forward.
        ({"freezes": [{"from": "2025-11-26", "to": "2026-03-27", "reason": "the whole winter"}],
          "windows": [{"days": ["sun"], "from": "02:10", "to": "02:40"}]}, "2026-04-05 02:10"),
    ],
)  # fmt: skip
def test_until_says_when_the_remedy_is_next_allowed(more: dict[str, Any], until: str) -> None:
    policy = frozen({"from": "2025-11-26", "to": "2025-11-28"}, **more)
    refusal = policy.on_remedy("restart", (), at("2025-11-27 12:00"))
    assert refusal and (refusal.why, refusal.until) == ("freeze", at(until))


def test_a_window_that_opens_in_a_freeze_does_not_open() -> None:
    policy = frozen({"from": "2025-11-26", "to": "2025-11-28"},
                    windows=[{"days": ["wed", "sat"], "from": "22:00", "to": "23:00"}])  # fmt: skip
    refusal = policy.on_remedy("restart", (), at("2025-11-25 12:00"))
    assert refusal and (refusal.why, refusal.until) == ("window", at("2025-11-29 22:00"))


def test_a_step_has_to_begin_before_the_freeze_does() -> None:
    freeze = {"from": "2025-11-18T12:20:00Z", "to": "2025-11-20", "reason": "Black Friday"}
    (step,) = plan_of(RESTART, freezes=[freeze], windows_timezone="UTC")["steps"]
    assert step["not_after"] == "2025-11-18T12:20:00Z"
    (entry,) = plan_of(RESTART, freezes=[freeze | {"from": "2025-11-18"}],
                       windows_timezone="UTC")["left"]  # fmt: skip
    assert (entry["why"], entry["until"]) == ("freeze", "2025-11-21T00:00:00Z")


def test_without_a_zone_the_controller_s_clock_counts() -> None:
    local = datetime.fromtimestamp(NOW).strftime("%H:%M")
    assert Policy.of({"windows": [{"from": local, "to": "23:59"}]}).is_open("restart", NOW) is (
        local < "23:59"
    )


# --- mutes ------------------------------------------------------------------------------------

MUTE = {"key": "wfserver.memory_alert", "until": "2025-12-31", "reason": "CHG-1 enlarges it"}


@pytest.mark.parametrize(
    ("mute", "muted"),
    [
        ({}, True),
        ({"until": date(2025, 12, 31)}, True),
        ({"until": "2025-11-18"}, True),  # that day included
        ({"until": "2025-11-17"}, False),
        ({"until": "2025-11-18T12:00:01"}, True),
        ({"until": "2025-11-18T12:00:00Z"}, False),
        ({"until": "2025-11-18 13:30:00+01:00"}, True),
        ({"until": datetime(2025, 11, 18, 12, 30)}, True),
        ({"instance": "prod"}, True),
        ({"instance": "prod2"}, False),
        ({"host": "app1"}, True),
        ({"host": "app2"}, False),
        ({"key": "wfserver.hung"}, False),
        ({"severity_at": "critical"}, True),
        ({"severity_at": "warning"}, False),  # it was a warning: it is worse now
        ({"evidence_at": {"memory_mb": 2000}}, True),
        ({"evidence_at": {"memory_mb": 1999.9}}, False),
        ({"evidence_at": {"another": 1}}, True),
    ],
)
def test_mutes(mute: dict[str, Any], muted: bool) -> None:
    ill = finding(RESTART, memory_mb=2000.0)
    host = plan_of(ill, muted=[MUTE | mute], windows_timezone="UTC")
    assert left(host) == ({RESTART: "muted"} if muted else {})
    assert len(host["steps"]) == (0 if muted else 1)


def test_a_muted_finding_says_why_and_until_when() -> None:
    (entry,) = plan_of(RESTART, muted=[MUTE], windows_timezone="UTC")["left"]
    assert entry["reason"] == "CHG-1 enlarges it"
    assert entry["until"] == "2026-01-01T00:00:00Z"


def test_a_mute_ends_early_when_the_finding_explains_something_graver() -> None:
    root = finding("host.load_high@default")
    mute = [{"key": "host.load_high", "until": "2026-01-01", "reason": "known"}]
    assert left(plan_of(root, muted=mute)) == {root["id"]: "muted"}
    middle = finding("web.slow@default", caused_by=[root["id"]])
    assert left(plan_of(root, middle, muted=mute))[root["id"]] == "muted"
    effect = finding("web.session_error@default", caused_by=[middle["id"]])
    host = plan_of(root, middle, effect, muted=mute)
    assert left(host)[root["id"]] == "no_automatic_remedy"
    (note,) = host["notes"]
    assert "ends early" in note and "critical" in note


def test_a_mute_that_has_ended_is_told() -> None:
    host = plan_of(RESTART, muted=[MUTE | {"until": "2025-11-01"}])
    assert host["notes"] == [f"the mute of {RESTART} has expired (CHG-1 enlarges it)"]


# --- what is written wrongly ------------------------------------------------------------------

FREEZE = {"from": "2025-12-20", "to": "2025-12-31", "reason": "Christmas"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"remedies_allowed": ["reboot"]}, "campaign_remedies_allowed: 'reboot' is not one of"),
        ({"remedies_denied": "restart"}, "campaign_remedies_denied must be a list"),
        ({"modules_excluded": ["apache"]}, "'apache' is not a Campaign module"),
        ({"highest_rung": "reboot"}, "campaign_highest_rung: 'reboot'"),
        ({"recurrence": 3}, "campaign_recurrence must be a mapping of times and days, not 3"),
        ({"recurrence": {"time": 3}}, "campaign_recurrence: 'time' is not one of times, days"),
        ({"recurrence": {"times": 0}}, "campaign_recurrence: times must be a whole number from 1 to 100"),
        ({"recurrence": {"times": "3"}}, "campaign_recurrence: times must be a whole number"),
        ({"recurrence": {"times": True}}, "campaign_recurrence: times must be a whole number"),
        ({"recurrence": {"days": 31}}, "campaign_recurrence: days must be a whole number from 1 to 30"),
        ({"ask": "maybe"}, "campaign_ask must be true or false"),
        ({"windows_timezone": "Mars/Olympus"}, "'Mars/Olympus' is not a known time zone"),
        ({"windows_timezone": "../etc/passwd"}, "is not a known time zone"),
        ({"windows": {"from": "1:00"}}, "campaign_windows must be a list"),
        ({"windows": ["night"]}, "must be a mapping"),
        ({"windows": [{"start": "22:00"}]}, "'start' is not one of days, from, to, remedies"),
        ({"windows": [{"from": "22:00"}]}, "None is not a time of day"),
        ({"windows": [{"from": "22", "to": "05:00"}]}, "'22' is not a time of day"),
        ({"windows": [{"from": "25:00", "to": "05:00"}]}, "'25:00' is not a time"),
        ({"windows": [{"days": ["noday"], "from": "1:00", "to": "2:00"}]}, "'nod' is not one of"),
        ({"windows": [{"remedies": ["x"], "from": "1:00", "to": "2:00"}]}, "'x' is not one of"),
        ({"freezes": FREEZE}, "campaign_freezes must be a list"),
        ({"freezes": ["Christmas"]}, "campaign_freezes: an entry must be a mapping"),
        ({"freezes": [FREEZE | {"until": "2025-12-31"}]},
         "campaign_freezes: 'until' is not one of from, to, reason, remedies"),
        ({"freezes": [FREEZE | {"reason": " "}]}, "from 2025-12-20 to 2025-12-31 has no reason"),
        ({"freezes": [FREEZE | {"to": None}]}, "campaign_freezes: an entry has no 'to'"),
        ({"freezes": [FREEZE | {"from": "Christmas"}]}, "from is 'Christmas', which is not a date"),
        ({"freezes": [FREEZE | {"to": "2025-12-32"}]}, "to is '2025-12-32', which is not a date"),
        ({"freezes": [FREEZE | {"to": "9999-12-31"}]}, "to is '9999-12-31', which is not a date"),
        ({"freezes": [FREEZE | {"to": "2025-12-19"}]},
         "the freeze from 2025-12-20 to 2025-12-19 ends before it begins"),
        ({"freezes": [FREEZE | {"remedies": ["reboot"]}]},
         "campaign_freezes: remedies: 'reboot' is not one of"),
        ({"muted": ["mta.hung"]}, "must be a mapping"),
        ({"muted": [{"key": "mta.tired"}]}, "'mta.tired' is not a finding key of the catalogue"),
        ({"muted": [MUTE | {"reason": " "}]}, "has no reason"),
        ({"muted": [MUTE | {"until": None}]}, "has no end"),
        ({"muted": [MUTE | {"until": "soon"}]}, "'soon', which is not a date"),
        ({"muted": [MUTE | {"severity_at": "bad"}]}, "severity_at"),
        ({"muted": [MUTE | {"evidence_at": {"count": "many"}}]}, "evidence_at"),
        ({"muted": [MUTE | {"forever": True}]}, "'forever' is not one of"),
    ],
)
def test_wrong_policies_name_the_variable(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Policy.of(options)
    assert message in str(caught.value)
    assert str(caught.value).startswith("campaign_")


def test_words_for_ask() -> None:
    assert Policy.of({"ask": "yes"}).ask is True
    assert Policy.of({"ask": "False"}).ask is False


def test_the_default_policy_bounds_nothing() -> None:
    assert Policy.of({}) == Policy() == Policy.of(dict.fromkeys(("ask", "muted", "windows")))
    assert steps(plan_of(RESTART)) == ["1 wfserver@prod restart"]
