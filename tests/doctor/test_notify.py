"""Notifications: to a real mail server and a real HTTP receiver; what each target hears, and when."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, time as clock_time
from pathlib import Path
from typing import Any

import pytest
from mailserver import Mailbox, mailbox, text_of
from receiver import Received, Receiver, receiving

from campaign_doctor.model import Report
from campaign_doctor.notify import memory, message, notifier as module
from campaign_doctor.notify.notifier import Ending, Notifier
from campaign_doctor.notify.settings import Notify, Quiet, span
from campaign_doctor.notify.targets import targets, without_secrets
from campaign_doctor.shared import news, webhook
from doctor import samples
from doctor.harness import Said, until
from doctor.replay import Replay
from doctor.test_interrupts import INTERRUPTED
from integration.harness import CHECKOUT

Json = dict[str, Any]
SECONDS = 45  # a receiver that is slow goes on for longer
SECRET = "s3cr3t-of-the-url"
DIAGNOSE = ("diagnose", "--module", "inMail")


@pytest.fixture
def post() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))


def hook(receiver: Receiver) -> str:
    return f"cloudevents+{receiver.url}/{SECRET}"


def changes(got: Received) -> list[tuple[str, str | None]]:
    data = got.json["data"]
    return [(each["key"], each["change"]) for each in data["causes"]] + [
        (each["key"], "fixed") for each in data["fixed"]
    ]


# -- The command ------------------------------------------------------------------------------


def test_only_what_changed_is_sent_to_people_and_machines(
    replay: Replay, box: Mailbox, post: Receiver
) -> None:
    (replay.work / "campaign-doctor.toml").write_text(
        f'[notify]\nurls = "{box.url(SECRET)}"\nlink = "https://reports.example.com/{{run}}/"\n'
        f'[[notify.webhook]]\nurl = "{post.url}/{SECRET}"\ntoken = "abc"\n'
    )
    said = ""
    for run in ("stopped", "stopped", "healthy", "healthy"):
        replay.can(run)
        done = replay.doctor("diagnose", "--module", "inMail")
        said += done.out + done.err
    assert SECRET not in said
    assert [changes(got) for got in post.got] == [
        [("inMail.not_running", None)], [("inMail.not_running", "fixed")],
    ]
    assert post.got[0].headers["authorization"] == "Bearer abc"
    first, last = box.mails
    assert first["subject"] == "Campaign: 1 new (1 critical)"
    assert last["subject"] == "Campaign: 1 fixed"
    body = text_of(first)
    lines = body.splitlines()
    assert "NEW, critical: inMail@prod does not run" in lines and "Hosts: app1" in lines
    assert "Fix, as the Campaign account: nlserver start inMail@prod" in body
    run = post.got[0].json["id"]
    assert f"Report: https://reports.example.com/{run}/" in body
    assert "FIXED: inMail@prod does not run (app1)" in text_of(last)
    assert sorted(replay.home.rglob("notified-*.json"))[0].parent == replay.history.parent


@pytest.mark.parametrize(("words", "count"), [
    (("remediate", "--module", "inMail", "--yes"), 0), (("plan", "--module", "inMail"), 1),
])  # fmt: skip
def test_every_command_that_is_kept_in_the_history_tells(
    replay: Replay, post: Receiver, words: tuple[str, ...], count: int
) -> None:
    replay.can("planned", "stopped")
    replay.doctor(" ".join(words), "--notify", hook(post))
    assert len(post.got) == count
    replay.doctor("diagnose --module inMail", "--notify", hook(post), "--no-notify")
    assert len(post.got) == count
    replay.doctor("show last", "--utc")
    assert len(post.got) == count


def test_watch_tells_each_change_once(replay: Replay, post: Receiver) -> None:
    replay.can("stopped")
    replay.env["CAMPAIGN_DOCTOR_NOTIFY"] = hook(post)
    process = replay.start("watch", "--module", "inMail", "-i", "app1,", "--every", "1s")
    try:
        until(60, lambda: len(post.got) == 1)
        calls = len(replay.calls)
        until(60, lambda: len(replay.calls) > calls)
        replay.can("healthy")
        until(60, lambda: len(post.got) == 2)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert [changes(got)[0][1] for got in post.got] == [None, "fixed"]


def test_an_interrupted_run_tells_nothing(replay: Replay, post: Receiver) -> None:
    replay.can("interrupted")
    replay.env["CAMPAIGN_DOCTOR_NOTIFY"] = hook(post)
    process = replay.start("remediate", *INTERRUPTED)
    with Said(process) as said:
        said.until("it must stay up")
        process.send_signal(signal.SIGINT)
        told = said.end()
    assert process.returncode == 130 and post.got == [] and "Not notified" not in told, told


def test_a_target_that_fails_is_said_and_changes_no_exit_code(replay: Replay, box: Mailbox) -> None:
    replay.can("stopped")
    with receiving(500) as broken:
        done = replay.doctor(" ".join(DIAGNOSE), "--notify", hook(broken), "--notify", box.url(SECRET))
    assert done.code == replay.doctor(" ".join(DIAGNOSE)).code == 1
    assert len(broken.got) == webhook.ATTEMPTS
    lines = [line for line in done.err.splitlines() if line.startswith("Not notified")]
    assert lines == [
        f"Not notified: target 1 ({broken.url}): it answers HTTP 500 Internal Server Error."
    ]
    assert len(box.mails) == 1
    # It is told after the next run, and the other one is not told again.
    with receiving() as mended:
        address = hook(broken).replace(broken.url, mended.url)
        replay.doctor(" ".join(DIAGNOSE), "--notify", address, "--notify", box.url(SECRET))
    assert len(box.mails) == 1


@pytest.mark.parametrize(("text", "told"), [
    (f'[notify]\nurls = "foo://{SECRET}"', "target 1 (notify.urls) cannot be used: apprise does not"
                                           " know such a URL (foo://…)"),
    (f'[notify]\nurls = ["{SECRET}"]', "target 1 (notify.urls) cannot be used: it is not a URL"),
    (f'[[notify.webhook]]\nurl = "https://x:{SECRET}/"', "target 1 (notify.webhook 1) cannot be used"),
    ('[notify]\nurls = "@none.txt"', "none.txt cannot be read: No such file"),
    ('[notify]\nquiet_hours = "22 to 7"', "notify.quiet_hours: '22 to 7' is not a span of the day;"
                                          " write 22:00-07:00"),
    ('[notify]\nquiet_hours = "07:00-07:00"', "is not a span of the day"),
    ('[notify]\nseverity = "grave"', "notify.severity: Input should be 'critical', 'warning'"),
    ('[notify]\nurl = "x"', "unknown key 'notify.url'. There are: urls, webhook,"),
    ('[[notify.webhook]]\nurl = "x"\nheader = "y"', "header'. There are: url, token."),
])  # fmt: skip
def test_bad_input_is_refused_before_any_host_is_asked(replay: Replay, text: str, told: str) -> None:
    (replay.work / "campaign-doctor.toml").write_text(text)
    done = replay.run(*DIAGNOSE, "-i", "app1,")
    (line,) = done.err.strip().splitlines()
    assert done.code == 5 and told in line, str(done)
    assert SECRET not in str(done) and replay.calls == []


def test_a_bad_variable_of_the_playbooks_is_refused_too(replay: Replay) -> None:
    done = replay.doctor("diagnose", "-e", f"campaign_notify_url=ftp://{SECRET}/")
    assert done.code == 5 and "campaign_notify_url" in done.err, str(done)
    assert SECRET not in done.err and replay.calls == []


def test_without_apprise_the_line_says_how_to_get_it(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    done = replay.doctor("diagnose", "--notify", f"mailto://a:{SECRET}@example.com")
    assert done.code == 5 and replay.calls == []
    assert "pip install 'campaign-doctor[notify]'" in done.err and SECRET not in done.err


def test_the_test_says_which_targets_work(replay: Replay, box: Mailbox, post: Receiver) -> None:
    secrets = replay.work / "targets"
    secrets.write_text(f"# the team\n{box.url(SECRET)}\n\n{hook(post)}\n")
    done = replay.run("notify", "test", "--notify", "@targets")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Sent: target 1 (E-Mail)\nSent: target 2 ({post.url})\n"
    assert post.got[0].json["type"] == "campaign.remediation.test"
    assert box.mails[0]["subject"] == "Campaign: test message"
    with receiving(302, location=f"{post.url}/x") as moved:
        done = replay.run("notify", "test", "--notify", box.url(), "--notify", hook(moved))
    assert done.code == 5 and "redirect" in done.err and "Sent: target 1" in done.out, str(done)
    assert len(post.got) == 1
    none = replay.run("notify", "test")
    assert none.code == 5 and "There is no target" in none.err


# -- What fails ---------------------------------------------------------------------------------


def test_a_mail_is_tried_again() -> None:
    with mailbox(refuses=2) as box:
        (target,) = targets(Notify(), [box.url(SECRET)], Path())
        target.send(message.test())
        assert (box.tried, len(box.mails)) == (3, 1)


def test_a_refusal_is_told_without_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(401) as receiver:
        url = receiver.url.replace("http://", f"json://anna:{SECRET}@") + f"/{SECRET}?+X-Key={SECRET}"
        (target,) = targets(Notify(), [url], Path())
        with pytest.raises(webhook.Unsent) as refused:
            target.send(message.test())
    assert receiver.got[0].path.startswith(f"/{SECRET}")
    assert "401" in str(refused.value) and SECRET not in str(refused.value)
    assert SECRET not in target.name and "anna" not in target.name


def test_no_part_of_a_url_stays_in_a_text() -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnl%40zk?x=p%20word&y=z#chan"
    text = "Failed: https://h/T1JJ3T3L2/A1BRTD4JD/TIiajkdnl@zk and p word\nsecond line"
    assert without_secrets(text, url) == "Failed: https://h/****/****/**** and ****"
    assert without_secrets("bad: xy", "mailto://u:xy@h") == "bad: ****", "however short a password is"


def test_a_server_that_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.5)
    said: list[str] = []
    with receiving(slow=True) as receiver:
        tell(tmp_path, receiver, samples.ill(), said=said)
    assert said == [f"Not notified: target 1 ({receiver.url}): it did not end in time."]


# -- What a target has heard --------------------------------------------------------------------


def tell(
    folder: Path, receiver: Receiver, report: Json, *, former: Json | None = None,
    limit: str = "", scope: str = "", at: str = "12:00", said: list[str] | None = None, **settings: Any,
) -> list[tuple[str, str | None]] | None:
    """A run ends; what the target heard of it."""
    before, problems = len(receiver.got), said if said is not None else []
    known = Notify.model_validate(settings)
    now = datetime.fromisoformat(f"2026-01-01T{at}:00")
    teller = Notifier(targets(known, [hook(receiver)], folder), known, folder, lambda: now)
    run = Ending(Report.of(report), Report.of(former) if former else None, "inv", limit, scope)
    teller.tell(run, problems.append)
    assert said is not None or problems == []
    return changes(receiver.got[-1]) if len(receiver.got) > before else None


def of(*keys: str, name: str = "app1", severity: str = "critical", **more: Any) -> Json:
    return samples.host(name, findings=[samples.finding(key, severity=severity) for key in keys], **more)


def test_it_is_told_once_whatever_the_history_says(tmp_path: Path, post: Receiver) -> None:
    ill, well = samples.report(of("mta.hung")), samples.report(of())
    assert tell(tmp_path, post, ill) == [("mta.hung", None)]
    assert tell(tmp_path, post, ill, former=well) is None
    assert tell(tmp_path, post, well, former=well) == [("mta.hung", "fixed")]


def test_the_first_time_it_is_compared_with_the_last_complete_run(tmp_path: Path, post: Receiver) -> None:
    ill = samples.report(of("mta.hung"))
    assert tell(tmp_path, post, ill, former=ill) is None


def test_the_threshold_and_no_fixed(tmp_path: Path, post: Receiver) -> None:
    mild, grave = (samples.report(of("mta.hung", severity=word)) for word in ("warning", "critical"))
    options: Json = {"severity": "critical", "fixed": False}
    assert tell(tmp_path, post, mild, **options) is None
    assert tell(tmp_path, post, grave, **options) == [("mta.hung", "worse")]
    assert tell(tmp_path, post, samples.report(of()), **options) is None


def test_quiet_hours_end_with_one_digest(tmp_path: Path, post: Receiver) -> None:
    night: Json = {"quiet_hours": "22:00-07:00"}
    well = samples.report(of())
    assert tell(tmp_path, post, well, at="21:59", **night) is None
    for at, report in (
        ("22:00", of("mta.hung")), ("23:30", of("mta.hung", "web.hung")), ("06:59", of("web.hung")),
    ):
        assert tell(tmp_path, post, samples.report(report), former=well, at=at, **night) is None
    digest = tell(tmp_path, post, samples.report(of("web.hung")), at="07:00", **night)
    assert digest == [("web.hung", "new")]


@pytest.mark.parametrize("former", [None, samples.report(of())])
def test_a_first_run_in_quiet_hours_is_not_lost(
    tmp_path: Path, post: Receiver, former: Json | None
) -> None:
    ill = samples.report(of("mta.hung"))
    assert tell(tmp_path, post, ill, former=former, at="03:00", quiet_hours="22:00-07:00") is None
    told = tell(tmp_path, post, ill, former=ill, at="08:00", quiet_hours="22:00-07:00")
    assert told == [("mta.hung", "new" if former else None)]


@pytest.mark.parametrize(
    ("at", "inside"), [("22:00", True), ("06:59", True), ("07:00", False), ("12:00", False)]
)
def test_a_span_goes_past_midnight(at: str, inside: bool) -> None:
    night = span("22:00-7:00")
    assert isinstance(night, Quiet)
    assert night.holds(clock_time.fromisoformat(at)) is inside
    day = span("08:00 - 18:00")
    assert isinstance(day, Quiet) and day.holds(clock_time(12)) and not day.holds(clock_time(20))


def test_what_was_not_looked_at_stays_as_it_was(tmp_path: Path, post: Receiver) -> None:
    both = samples.report(of("mta.hung"), of("mta.hung", name="app2"))
    assert tell(tmp_path, post, both) == [("mta.hung", None)]
    # A limit, some modules, a host that does not answer, an inventory without it.
    assert tell(tmp_path, post, samples.report(of("mta.hung")), limit="app1") is None
    other = of(modules=[samples.module("wfserver")])
    assert tell(tmp_path, post, samples.report(other), limit="app1", scope='{"m": "wfserver"}') is None
    assert tell(tmp_path, post, samples.report(samples.unreachable("app1")), limit="app1") == [], "a host"
    assert tell(tmp_path, post, samples.report(of("mta.hung")), limit="app1") == [("mta.hung", "same")]
    assert tell(tmp_path, post, samples.report(of("mta.hung"))) is None
    assert tell(tmp_path, post, both) == [("mta.hung", "new")]


def test_two_runs_that_end_at_once_tell_it_once(tmp_path: Path) -> None:
    ill = samples.report(of("mta.hung"), of("web.hung", name="app2"))
    with receiving() as receiver:
        threads = [
            threading.Thread(target=tell, args=(tmp_path, receiver, samples.report(*hosts)),
                             kwargs={"limit": "app*"})
            for hosts in (ill["hosts"], ill["hosts"][:1], ill["hosts"][1:], ill["hosts"])
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        told = [key for got in receiver.got for key, change in changes(got) if change in ("new", None)]
        assert sorted(told) == ["mta.hung", "web.hung"]
        assert tell(tmp_path, receiver, ill) is None


def test_a_run_that_cannot_wait_says_so(
    tmp_path: Path, post: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (target,) = targets(Notify(), [hook(post)], tmp_path)
    said: list[str] = []
    monkeypatch.setattr(memory, "WAIT_SECONDS", 0.2)
    with memory.Memory(tmp_path, target.id, "inv").alone():
        tell(tmp_path, post, samples.ill(), said=said)
    assert "the next run tells the rest" in said[0] and post.got == []


def test_only_the_owner_may_read_it_and_nothing_personal_is_in_it(tmp_path: Path, post: Receiver) -> None:
    finding = samples.finding("export.failed", summary=SECRET, fix=SECRET, reason=SECRET,
                              evidence={"operator": SECRET})  # fmt: skip
    tell(tmp_path, post, samples.report(samples.host(findings=[finding])))
    (path,) = tmp_path.glob("notified-*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in path.read_text()


def test_a_damaged_memory_is_as_if_it_were_new(tmp_path: Path, post: Receiver) -> None:
    ill = samples.report(of("mta.hung"))
    tell(tmp_path, post, ill)
    for path in tmp_path.glob("notified-*.json"):
        path.write_text("{")
    assert tell(tmp_path, post, ill, former=ill) is None


# -- The text -----------------------------------------------------------------------------------


def test_hosts_and_causes_have_an_end(tmp_path: Path, post: Receiver) -> None:
    hosts = [of("stat.not_running", *(f"mta.x{each}" for each in range(30)), name=f"app{number:02}")
             for number in range(40)]  # fmt: skip
    report = Report.of(samples.report(*hosts, samples.unreachable("gone")))
    found = news.of(report, None)
    made = message.of(report, found, found.worth_telling("warning"), None)
    assert made.title == "Campaign: 31 new (31 critical), 1 host without a diagnosis"
    assert "And 6 more: see the report." in made.body
    assert "app19 and 20 more" in made.body and "app20" not in made.body
    assert "UNREACHABLE: gone\nCheck that the server runs" in made.body
    assert len(json.dumps(made.event)) < 2**16


def test_a_service_that_never_answers_keeps_no_command_from_ending(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from campaign_doctor.notify import message, notifier\n"
        "from campaign_doctor.notify.settings import Notify\n"
        "from campaign_doctor.notify.targets import targets\n"
        "notifier.WHOLE_SECONDS = 1\n"
        "test = message.test()\n"
        "sys.exit(notifier.at_once(targets(Notify(), sys.argv[1:], Path()),"
        " lambda each: each.send(test), print))\n"
    )
    with receiving(slow=True) as receiver:
        url = receiver.url.replace("http", "json")
        words = [sys.executable, "-c", code, url, hook(receiver)]
        done = subprocess.run(words, timeout=SECONDS, text=True, capture_output=True, check=False,
                              cwd=CHECKOUT)  # fmt: skip
        assert receiver.got
    assert (done.returncode, done.stdout.count("it did not end in time")) == (2, 2), done.stderr
