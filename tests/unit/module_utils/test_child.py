"""The child that becomes the Campaign account: what it gives up, and what it is believed."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    answers,
    child,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
    ProbeError,
)

ME = child.account_of(pwd.getpwuid(os.geteuid()))
NOBODY = child.account_of(pwd.getpwnam("nobody"))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


def ask(work: Callable[[], Any], account: Any = ME, **more: Any) -> Any:
    return child.ask(account, work, more.pop("seconds", 10), **more)


@as_root
def test_root_is_given_up_for_good() -> None:
    def look() -> dict[str, Any]:
        ways = []
        for way_back in (lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setgid(0),
                         lambda: os.setgroups([0])):  # fmt: skip
            try:
                way_back()
                ways.append(True)
            except PermissionError:
                ways.append(False)
        return {
            "uids": list(os.getresuid()), "gids": list(os.getresgid()), "groups": os.getgroups(),
            "ways": ways, "capabilities": child.capabilities(),
            "mine": os.stat("/proc/self/environ").st_uid,
        }  # fmt: skip

    found = ask(look, NOBODY)
    assert found["uids"] == [NOBODY.uid] * 3
    assert found["gids"] == [NOBODY.gid] * 3
    assert found["groups"] == os.getgrouplist("nobody", NOBODY.gid)
    assert found["ways"] == [False] * 4
    assert found["capabilities"] == 0
    assert found["mine"] == 0, "the account may trace it, and read what root had in memory"


@as_root
def test_what_root_had_open_is_closed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    with secret.open() as stream:
        os.set_inheritable(stream.fileno(), True)
        found = ask(lambda: [os.readlink(f"/proc/{os.getpid()}/fd/{n}") for n in (0, 1, 2)])
        assert found == ["/dev/null"] * 3

        def holders() -> list[str]:
            links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
            return [os.readlink(link) for link in links if os.path.lexists(link)]

        links = ask(holders)
    assert not [link for link in links if link.startswith("/") and "/dev/null" not in link
                and "/fd" not in link]  # fmt: skip


@as_root
def test_what_a_child_runs_is_the_accounts() -> None:
    said = ask(
        lambda: subprocess.run(
            ["id", "-u"], capture_output=True, text=True, check=True, close_fds=False
        ).stdout,
        NOBODY,
    )
    assert said.strip() == str(NOBODY.uid)


@as_root
def test_who_could_come_back_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setresuid", lambda *_uids: None)
    worked = []
    with pytest.raises(ProbeError, match="did not answer"):
        ask(lambda: worked.append(1), NOBODY, seconds=5)
    with pytest.raises(child.NotGivenUp):
        in_fork(lambda: child.become(NOBODY))


def in_fork(work: Callable[[], Any]) -> None:
    """Run it in a process of its own, and raise what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.write(writer, b"none")
        except child.NotGivenUp:
            os.write(writer, b"NotGivenUp")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    said = os.read(reader, 100)
    os.close(reader)
    if said == b"NotGivenUp":
        raise child.NotGivenUp


def test_texts_are_cleaned() -> None:
    said = ask(lambda: {"a\x1b[2J\udce9": ["b\u2028\0", "é\tü\n"]})
    assert said == {"a?[2J?": ["b??", "é\tü\n"]}


@pytest.mark.parametrize("error", [
    ProbeError("denied", "no\x1b", {"a": 1}), InputError("bad"), PermissionError(13, "No", "/x"),
    KeyError("x"),
])  # fmt: skip
def test_errors_come_back_as_what_they_are(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises((ProbeError, InputError)) as caught:
        ask(fail)
    if isinstance(error, ProbeError):
        assert (caught.value.kind, caught.value.message, caught.value.data) == (
            "denied", "no?", {"a": 1}
        )  # fmt: skip
    elif isinstance(error, PermissionError):
        assert (caught.value.kind, caught.value.message) == ("denied", "/x: No")
    elif isinstance(error, InputError):
        assert isinstance(caught.value, InputError) and str(caught.value) == "bad"
    else:
        assert caught.value.message == "KeyError: 'x'"


@pytest.mark.parametrize(("answer", "shape"), [
    ([1], [str]), ({"a": 1}, {"a": str}), ({"a": 1, "b": 1}, {"a": int}), ({}, {"a": int}),
    (True, int), (None, str), ("x", float), ({"a": None}, {str: int}),
])  # fmt: skip
def test_what_has_another_shape_is_not_believed(answer: Any, shape: Any) -> None:
    with pytest.raises(ProbeError) as caught:
        ask(lambda: answer, shape=shape)
    assert caught.value.kind == "invalid"


def test_shapes_that_fit() -> None:
    shape = {"a": [answers.Maybe(int)], "b": {str: float}, "c": object}
    value = {"a": [None, 3], "b": {"x": 1, "y": 1.5}, "c": [[]]}
    assert ask(lambda: value, shape=shape) == value


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("answer", [
    nested(answers.DEPTH + 1), nested(900), [0] * (answers.ITEMS + 1),
])  # fmt: skip
def test_too_much_or_too_deep_is_not_believed(answer: Any) -> None:
    with pytest.raises(ProbeError) as caught:
        ask(lambda: answer)
    assert caught.value.kind == "invalid"


def test_an_answer_without_end_is_told_by_the_child() -> None:
    with pytest.raises(ProbeError, match="is too large"):
        ask(lambda: "x" * (answers.BYTES + 1))


@pytest.mark.parametrize("text", [
    b"", b"{}", b"[]", b"\xff", b'{"name": 1}', b"1" * 5000, b"NaN", b"[" * 100000,
    b'{"name": "a", "error": null, "seconds": 0, "data": 1e999}',
    b'{"name": "a", "error": null, "seconds": 0, "data": 123456789012345678901234567890}',
    b'{"name": "a", "error": ["x"], "seconds": 0, "data": 1}',
    b'{"name": "a", "error": [1, 2], "seconds": 0, "data": 1}',
    b'{"name": "a", "error": null, "seconds": "now", "data": 1}',
])  # fmt: skip
def test_messages_that_no_child_says(text: bytes) -> None:
    with pytest.raises(answers.WrongAnswer):
        answers.opened(text)


def raw(*writes: bytes) -> Any:
    """A Child whose answers are these bytes."""
    reader, writer = os.pipe()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        for text in writes:
            os.write(writer, text)
        os._exit(0)
    os.close(writer)
    os.close(told)
    return child.Child(pid, reader, tell)


@pytest.mark.parametrize("text", [b"zzzzzzzz{}", b"-0000001", b"0000000g"])
def test_a_length_that_is_none(text: bytes) -> None:
    made = raw(text)
    with pytest.raises(answers.WrongAnswer):
        made.receive(time.monotonic() + 5)
    made.end()


def test_more_than_all_answers_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "BYTES", 1000)
    made = raw(b"0000ffff", b"x" * 5000)
    with pytest.raises(answers.WrongAnswer, match="more than"):
        made.receive(time.monotonic() + 5)
    assert made.receive(time.monotonic() + 5) is None, "it is listened to again"
    made.end()


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def hang() -> None:
        pid.write_text(str(os.getpid()))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    started = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        ask(hang, seconds=0.4)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - started < 3
    assert not alive(int(pid.read_text()))


def test_a_child_that_was_stopped_is_ended_with_what_it_runs(tmp_path: Path) -> None:
    """As the account may do to every process of its own."""
    pids = tmp_path / "pids"

    def stop() -> None:
        sleeping = subprocess.Popen(["sleep", "60"], start_new_session=True)
        pids.write_text(f"{os.getpid()} {sleeping.pid}")
        os.kill(os.getpid(), signal.SIGSTOP)

    with pytest.raises(ProbeError):
        ask(stop, seconds=0.5)
    end = time.monotonic() + 5
    left = [int(pid) for pid in pids.read_text().split()]
    while any(map(alive, left)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(alive, left))


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """Who is killed leaves nobody who works as the account."""
    pid = tmp_path / "pid"

    def work(channel: Any) -> None:
        pid.write_text(str(os.getpid()))
        channel.send("at work")
        time.sleep(60)

    parent = os.fork()
    if parent == 0:
        child.begin(ME, work).receive(time.monotonic() + 10)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    end = time.monotonic() + 5
    while alive(int(pid.read_text())) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(int(pid.read_text()))


def test_the_parent_sends_it_something() -> None:
    def work(channel: Any) -> None:
        channel.send("first", channel.receive("path", 10))
        channel.send("second", channel.receive("nothing", 0.05))

    made = child.begin(ME, work)
    made.send(path="/run/x.pid")
    end = time.monotonic() + 10
    assert made.receive(end)[:2] == ("first", "/run/x.pid")
    assert made.receive(end)[:2] == ("second", None)
    assert made.receive(end) is None
    made.end()


def test_an_answer_in_pieces() -> None:
    text = json.dumps({"name": "a", "data": "x" * 200000, "error": None, "seconds": 1.5}).encode()
    whole = b"%08x" % len(text) + text
    made = raw(whole[:3], whole[3:90000], whole[90000:])
    assert made.receive(time.monotonic() + 10) == ("a", "x" * 200000, None, 1.5)
    made.end()
