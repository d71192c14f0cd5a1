"""A session on a terminal, driven and looked at: what stands on the screen at the time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pexpect
import pyte
import pytest

from doctor.harness import FAST, SECONDS, Person, Site
from doctor.replay import Replay
from integration.harness import INVENTORY

ONLY = ("--module", "inMail")


class Terminal:
    """A terminal emulator with the command in it."""

    def __init__(self, person: Person, *words: str, lines: int = 30, columns: int = 110) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        env = {**person.env, "TERM": "xterm-256color"}
        env.pop("COLUMNS")
        self.child = pexpect.spawn(
            person.command[0], [*person.command[1:], *words], cwd=str(person.work), env=env,
            dimensions=(lines, columns), timeout=SECONDS,
        )
        self.raw = b""

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).strip()

    def read(self) -> bool:
        """Read a little; whether there may be more."""
        try:
            data: Any = self.child.read_nonblocking(65536, timeout=0.1)  # bytes: it has no encoding
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self.stream.feed(data)
        return True

    def until(self, *patterns: str) -> str:
        """Look at the screen until all of it is there at once."""
        return self.look(lambda text: all(re.search(each, text) for each in patterns), patterns)

    def look(self, good: Callable[[str], object], wanted: object) -> str:
        end = time.monotonic() + SECONDS
        while True:
            more = self.read()
            if good(self.text):
                return self.text
            assert more, f"it ended without {wanted}:\n{self.text}"
            assert time.monotonic() < end, f"{wanted} never came:\n{self.text}"

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self.read():
            pass
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -1)


@pytest.fixture
def broken(site: Site) -> Iterator[Site]:
    site.breaks("module_stopped_by_hand:inMail")
    yield site
    site.nothing_left()


def running(site: Site) -> bool:
    return "inMail@prod" in site.lab.nlserver("pdump").output


def test_plan_question_repair_proof(broken: Site) -> None:
    terminal = Terminal(broken, "remediate", "-i", str(INVENTORY), *ONLY, *FAST[2:],
                        "-e", "campaign_wait=5")
    terminal.until(r"Host +wdog +sysl|Host +Score +watchdog", r"\d+ of \d+ host", "healthy   ")
    asked = terminal.until(r"Do this\? \[y/n\] \(n\):")
    for told in ("Plan", "Start inMail@prod", "nlserver start inMail@prod"):
        assert told in asked.replace("\n", ""), asked  # a long path goes on in the next row
    assert not running(broken), "nothing is done before the answer"
    terminal.child.sendline("y")
    terminal.until(r"app1 1/1 Start inMail@prod: start, then it must stay up for 5 s · [1-9] s")
    assert terminal.end() == 0, terminal.text
    last = terminal.text
    assert "1 host: 1 healthy" in last and "repaired" in last, last
    assert "must stay up" not in last and "wdog" not in last, f"the table has gone:\n{last}"
    assert running(broken)
    assert b"PLAY" not in terminal.raw, "nothing of Ansible's own output"


@pytest.fixture
def planned(replay: Replay) -> Iterator[Replay]:
    """A repair is planned, and nothing can be done but that."""
    replay.can("planned")
    yield replay
    assert [call["variables"]["campaign_plan_only"] for call in replay.calls] == [True]
    replay.nothing_left()


REPAIR = ("remediate", "-i", "app1,", *ONLY)


@pytest.mark.parametrize("answer", ["n", "", "\x04"], ids=["no", "return", "end of file"])
def test_whatever_is_not_yes_changes_nothing(planned: Replay, answer: str) -> None:
    terminal = Terminal(planned, *REPAIR)
    terminal.until(r"Do this\?")
    if answer == "\x04":
        terminal.child.sendeof()
    else:
        terminal.child.sendline(answer)
    assert terminal.end() == 1, terminal.text
    assert terminal.text.splitlines()[-1] == "Nothing was changed.", terminal.text


def test_ctrl_c_at_the_question_changes_nothing(planned: Replay) -> None:
    terminal = Terminal(planned, *REPAIR)
    terminal.until(r"Do this\?")
    terminal.child.sendintr()
    assert terminal.end() == 130, terminal.text
    assert terminal.text.splitlines()[-1] == "Interrupted. Nothing was changed.", terminal.text


def test_an_order_is_shown_and_asked(replay: Replay) -> None:
    replay.can("precision_checked")
    terminal = Terminal(replay, "precision", "raise", "inMail@prod", "-i", "app1,", *FAST)
    asked = terminal.until(r"Do this\? \[y/n\]")
    assert "raise log precision inMail@prod" in asked and "$ " in asked, asked
    terminal.child.sendline("n")
    assert terminal.end() == 5, terminal.text
    assert [call["check"] for call in replay.calls] == [True], "more was done than to look"
    replay.nothing_left()


def test_a_password_is_asked_for_and_told_nobody(site: Site) -> None:
    """The lab needs none: Ansible asks, is answered, and does not use it."""
    terminal = Terminal(site, "diagnose", "-K", "-i", str(INVENTORY), *ONLY, "-vvv")
    terminal.until("BECOME password:")
    terminal.child.sendline("correct horse battery")
    assert terminal.end() == 0, terminal.text
    assert b"correct horse" not in terminal.raw
    assert "1 host: 1 healthy" in terminal.text


def test_watch_shows_when_it_looks_again(site: Site) -> None:
    terminal = Terminal(site, "watch", "--every", "1h", "-i", str(INVENTORY), *ONLY)
    terminal.until("1 host: 1 healthy", "Next diagnosis in at most 1h; Ctrl-C ends this")
    terminal.child.sendintr()
    assert terminal.end() == 0, terminal.text
    assert "Watching has ended." in terminal.text and "Next look" not in terminal.text
