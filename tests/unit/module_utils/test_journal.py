"""The line in the journal of the host: what it says, and that no repair fails or waits for it."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest
from unit.module_utils.remediation import Context

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import journal
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import guard

HOSTILE = 'a"b\\c\n<13>root: x\x1b[31m\x00\u202e\udce4 \U0001f600'


@pytest.fixture
def listening(tmp_path, monkeypatch):
    """A /dev/log of the test; its receive buffer is small."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        address = tmp_path / "log"
        heard.bind(str(address))
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        heard.settimeout(10)
        monkeypatch.setattr(journal, "ADDRESS", str(address))
        yield heard


def changed(tmp_path, check_mode=False, **options):
    made = guard.GuardedChange(Context(tmp_path, **options), check_mode, sleep=lambda seconds: None)
    if not check_mode:
        made.store.prepare()
    return made


def end(made, **more):
    values = {"module": "mta", "instance": "prod", "remedy": "restart", "result": "done",
              "because": ["mta.hung@prod"], "reason": "mta runs again.", **more}
    made.write("ended", **values)


def test_a_change_is_one_line(tmp_path, listening):
    made = changed(tmp_path, run="run-1", who="anna")
    made.write("begun", module="mta", instance="prod", remedy="restart")
    end(made)
    text = listening.recv(4096).decode()
    head, _, told = text.partition(": ")
    assert re.fullmatch(r"<13>\w{3} [ \d]\d \d\d:\d\d:\d\d campaign_remediation\[\d+\]", head), head
    assert re.fullmatch(
        r'who=anna from=\S+ what="restart mta@prod" why=mta\.hung@prod result=done run=run-1'
        r' reason="mta runs again\."', told), told
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):  # nothing is told of a beginning
        listening.recv(4096)


def test_what_failed_is_a_warning(tmp_path, listening):
    end(changed(tmp_path), result="failed")
    assert listening.recv(4096).startswith(b"<12>")


def test_steps_inside_a_repair_and_check_mode_are_not_told(tmp_path, listening):
    end(changed(tmp_path), inside="kill_and_start")
    end(changed(tmp_path, check_mode=True))
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.recv(4096)


def test_hostile_text_stays_in_its_line_and_its_value(tmp_path, listening):
    journal.tell(journal.line({"who": HOSTILE, "result": "done"}, str), "done")
    told = listening.recv(4096).decode().partition(": ")[2]
    assert told.isprintable()
    who = re.fullmatch(r'who="((?:[^"\\]|\\.)*)" what="change host@default" result=done', told)
    assert who, told
    assert who[1].startswith(r'a\"b\\c\x0a<13>root: x\x1b[31m\x00\u202e\udce4 ')


def test_no_line_is_longer_than_a_kilobyte(tmp_path, listening):
    journal.tell(journal.line({"reason": "\N{EURO SIGN}" * 1000}, str), "done")
    data = listening.recv(4096)
    assert 1000 < len(data) <= journal.LIMIT
    data.decode("utf-8")


def test_passwords_are_taken_out_as_in_the_ledger(tmp_path, listening):
    end(changed(tmp_path), reason="login with password=s3cret123 failed")
    assert b"s3cret" not in listening.recv(4096)


def test_nobody_listens(tmp_path, monkeypatch):
    for address in (tmp_path / "none", Path("/dev/null"), "x" * 300, tmp_path):
        monkeypatch.setattr(journal, "ADDRESS", str(address))
        end(changed(tmp_path))


def test_a_listener_that_hangs_costs_half_a_second(tmp_path, listening):
    began = time.monotonic()
    for _ in range(3000):  # until nothing fits in any more
        before = time.monotonic()
        journal.tell("x" * 900, "done")
        if time.monotonic() - before > journal.SECONDS / 2:
            break
    else:
        pytest.fail("the buffer never was full")
    assert time.monotonic() - before < 5 and time.monotonic() - began < 60


def test_it_is_told_even_where_the_ledger_cannot_be_written(tmp_path, listening, monkeypatch):
    made = changed(tmp_path)
    Path(made.store.join("ledger.jsonl")).mkdir()
    with pytest.raises(guard.Refused):
        end(made)
    assert b"result=done" in listening.recv(4096)
