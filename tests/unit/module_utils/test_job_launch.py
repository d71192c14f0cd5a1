"""Launching a job again: what is asked for, how it ends, and that it never runs twice.

The server is a directory with an nlserver of bash, whose processes have the real command lines.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import ledger
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    guard,
    job_launch,
    job_outcome,
    job_record,
    job_request,
    steps,
)

NLSERVER = """#!/usr/bin/env bash
cd "$(dirname "$0")/../lib" || exit 99
exec -a nlserver bash "$@"
"""
JOB = """
code=0
log=../var/prod/log/$0.log
line() {
    printf '%s\\t%s\\t1\\t1\\t%s\\tlog\\t%s\\n' "$(date -u +%FT%T.%3NZ)" $$ "$1" "$2" >>"$log"
}
for word; do
    value=${word#*:}
    case $word in
        -say:*) echo "$value" ;;
        -log:*) line info "$value" ;;
        -error:*) line error "$value" ;;
        -write:*) echo x >"$value" ;;
        -hold:*) while [ -e "$value" ]; do sleep 0.05; done ;;
        -kill:*) kill -"$value" $$ ;;
        -exit:*) code=$value ;;
    esac
done
exit "$code"
"""


def job(**more: Any) -> dict[str, Any]:
    declared = {
        "name": "contacts", "kind": "export", "instance": "prod", "operator": "anna.berg",
        "arguments": {"full": ["-job:contacts", "-mode:full"], "delta": ["-mode:delta"]},
        "result": None, "rejects": None, "max_age_hours": None, "max_minutes": None, "keys": None,
    }
    return {**declared, **more}


# ----------------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(("kind", "given", "asked", "expected"), [
    ("export", {"full": ["-f"], "delta": ["-d"]}, "delta", "delta"),
    ("export", {"full": ["-f"], "delta": ["-d"]}, "full", "full"),
    ("import", {"full": ["-f"], "delta": None}, None, "full"),
])  # fmt: skip
def test_mode(kind: str, given: dict[str, Any], asked: str | None, expected: str) -> None:
    assert steps.choose_mode(job(kind=kind, arguments=given), asked) == expected


@pytest.mark.parametrize(("kind", "given", "asked", "words"), [
    ("export", {"full": ["-f"], "delta": ["-d"]}, None, "delta or full"),
    ("export", {"full": ["-f"], "delta": []}, None, "full, the only one declared"),
    ("import", {"full": ["-f"], "delta": ["-d"]}, None, "delta or full"),
    ("export", {"full": ["-f"]}, "delta", "no arguments for delta, only for full"),
    ("import", None, "full", "no arguments for full or delta"),
])  # fmt: skip
def test_mode_is_never_guessed(
    kind: str, given: dict[str, Any] | None, asked: str | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        steps.choose_mode(job(kind=kind, arguments=given), asked)


def test_arguments_are_passed_on_as_written() -> None:
    written = ["-file:a b;c$(d)", "", "-x:'\"", "-job:contacts"]
    declared = job(arguments={"full": written})
    assert steps.arguments(declared, "full") == ["-instance:prod", *written]
    declared = job(arguments={"full": ["-a", "-instance:prod"]})
    assert steps.arguments(declared, "full") == ["-a", "-instance:prod"]


def test_arguments_for_another_instance() -> None:
    with pytest.raises(InputError, match="another instance"):
        steps.arguments(job(arguments={"full": ["-instance:prod2"]}), "full")


@pytest.mark.parametrize(("declared", "operator", "successor"), [
    ("anna.berg", "anna.berg", None),
    ("anna.berg", None, "Maria Keller"),
    ("anna.berg", "paul.roux", " Maria  Keller "),
    (None, None, "Maria Keller"),
])  # fmt: skip
def test_operator(declared: str | None, operator: str | None, successor: str | None) -> None:
    people = job_request.check_operator(
        {"job": job(operator=declared), "operator": operator, "taken_over_by": successor}
    )
    assert people["scheduled_by"] == declared
    assert people["taken_over_by"] == ("Maria Keller" if successor else None)


@pytest.mark.parametrize(("declared", "operator", "words"), [
    ("anna.berg", None, "Set operator to this name"),
    ("anna.berg", "paul.roux", "not by paul.roux"),
    (None, "paul.roux", "does not say who scheduled it"),
])  # fmt: skip
def test_operator_refused(declared: str | None, operator: str | None, words: str) -> None:
    with pytest.raises(guard.Refused, match=words) as caught:
        job_request.check_operator({"job": job(operator=declared), "operator": operator})
    assert caught.value.guard == "operator"
    assert "taken_over_by" in caught.value.way_out


@pytest.mark.parametrize("text", ["yes", "True", "none", "0", "-"])
def test_no_person(text: str) -> None:
    with pytest.raises(InputError, match="name of an operator"):
        job_request.person(text, "taken_over_by")


@pytest.mark.parametrize("options", [
    {"duplicates_found": 0}, {"no_duplicates_confirmed_by": "Maria Keller"},
    {"duplicates_found": 3, "accept_duplicates": True}, {"accept_duplicates": True},
])  # fmt: skip
def test_duplicates(options: dict[str, Any]) -> None:
    assert job_request.check_duplicates({"job": job(kind="import"), **options})
    assert job_request.check_duplicates({"job": job(), **options}) is None


@pytest.mark.parametrize(("options", "words"), [
    ({}, "nobody has checked for duplicates"),
    ({"no_duplicates_confirmed_by": " "}, "nobody has checked for duplicates"),
    ({"duplicates_found": 2}, "2 values of email"),
    ({"duplicates_found": 2, "no_duplicates_confirmed_by": "Maria"}, "2 values of email"),
])  # fmt: skip
def test_duplicates_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(guard.Refused, match=words) as caught:
        job_request.check_duplicates({"job": job(kind="import", keys=["email"]), **options})
    assert caught.value.guard == "duplicates"


@pytest.mark.parametrize(("code", "made", "wants", "error", "outcome", "words"), [
    (0, 20.0, True, None, "succeeded", ""),
    (0, None, False, None, "succeeded", ""),
    (0, 20.0, True, 10.0, "succeeded", ""),
    (0, None, True, None, "failed", "wrote no file"),
    (0, 20.0, True, 30.0, "failed", "logged an error"),
    (0, None, False, 30.0, "failed", "logged an error"),
    (1, 20.0, True, None, "failed", "exit code 1"),
    (137, None, True, None, "failed", r"exit code 137 \(signal 9\)"),
    (None, 20.0, True, None, "succeeded", ""),
    (None, None, True, None, "failed", "unknown exit code but wrote no file"),
    (None, None, False, None, "unknown", "unknown exit code"),
])  # fmt: skip
def test_judge(
    code: int | None, made: float | None, wants: bool, error: float | None, outcome: str, words: str
) -> None:
    result = {"mtime_at": made} if made else None
    found, reason = job_outcome.judge(code, result, wants, {"at": error} if error else None)
    assert found == outcome
    assert re.search(words, reason) if words else reason == ""


def test_secrets() -> None:
    words = ["-mode:full", "-password:geheim77", "--token", "abcdef", "-x:http://u:hallo12@h/"]
    assert job_request.secrets(words) == {"geheim77", "abcdef", "hallo12"}


# ----------------------------------------------------------------------------- a server


class Server:
    """A home, and calls of campaign_job on it."""

    def __init__(self, root: Path) -> None:
        self.home = root / "nl6"
        self.state_dir = root / "remediation"
        self.hold = root / "hold"
        for name in ("bin", "lib", "conf", "var/prod/log"):
            (self.home / name).mkdir(parents=True)
        (self.home / "bin/nlserver").write_text(NLSERVER)
        (self.home / "bin/nlserver").chmod(0o755)
        (self.home / "conf/config-prod.xml").write_text("<serverConf/>")
        (self.home / "conf/serverConf.xml").write_text("<serverConf/>")
        for kind in ("export", "import"):
            (self.home / "lib" / kind).write_text(JOB)
        self.user = pwd.getpwuid(os.geteuid()).pw_name

    def options(self, *words: str, **more: Any) -> dict[str, Any]:
        options: dict[str, Any] = {
            name: entry.get("default") for name, entry in guard.argument_spec().items()
        }
        options.update(
            home=str(self.home), user=self.user, evidence=False, state="launched", mode="full",
            operator="anna.berg", taken_over_by=None, duplicates_found=None, jobs=[],
            no_duplicates_confirmed_by=None, accept_duplicates=False, wait=20, lock_timeout=5,
            state_dir=str(self.state_dir),
            job=job(arguments={"full": ["-job:contacts", *words]}), restart_budget=100,
        )
        options["job"].update(more.pop("job", {}))
        options.update(more)
        return options

    def call(self, *words: str, check_mode: bool = False, **more: Any) -> SimpleNamespace:
        answer = job_launch.answer(self.options(*words, **more), check_mode)
        json.dumps(answer)  # as Ansible will have to
        return SimpleNamespace(**answer)

    def held(self) -> tuple[str, ...]:
        """Words that keep the job running until release()."""
        self.hold.touch()
        return (f"-hold:{self.hold}",)

    def release(self) -> None:
        self.hold.unlink(missing_ok=True)

    def processes(self) -> list[list[str]]:
        """The command lines of the jobs that run, as the process table has them. A child of a job is
        none: between fork and exec it has the job's own command line.
        """
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if (entry / "cwd").readlink().is_relative_to(self.home):
                    words = (entry / "cmdline").read_text().rstrip("\0").split("\0")
                    parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                    if words[0] == "nlserver":
                        found[entry.name] = (parent, words)
            except OSError:
                continue
        return [words for parent, words in found.values() if parent not in found]

    def ledger(self) -> list[dict[str, Any]]:
        path = self.state_dir / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def files(self) -> set[str]:
        return {str(path) for path in self.state_dir.rglob("*")}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.release()
    until(lambda: not made.processes())


def until(condition: Callable[[], Any], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_success(server: Server) -> None:
    target = server.home / "var/prod/out.csv"
    done = server.call(
        f"-write:{target}", "-say:done", "-log:fine", job={"result": "out*.csv"},
        because=["export.failed@prod"], who="Anna", run="r1",
    )
    assert (done.outcome, done.exit_code, done.failed) == ("succeeded", 0, False)
    assert done.changed and done.launched
    assert done.result["path"] == str(target)
    assert done.output == ["done"]
    assert done.commands == [done.command]
    assert done.command[1:4] == ["export", "-instance:prod", "-job:contacts"]
    begun, ended = server.ledger()
    assert (begun["event"], ended["event"], ended["result"]) == ("begun", "ended", "done")
    for line in (begun, ended):
        assert (line["run"], line["who"], line["job"]) == ("r1", "Anna", "contacts")
        assert line["scheduled_by"] == "anna.berg"
        assert line["because"] == ["export.failed@prod"]


def test_failure_names_the_line_of_the_log(server: Server) -> None:
    (server.home / "var/prod/log/export.log").write_text(
        "2020-01-01T00:00:00.000Z\t1\t1\t1\terror\tlog\tan old error\n"
    )
    done = server.call("-error:no room errno=28 (iRc=-52)", "-exit:1", job={"result": "out*"})
    assert (done.outcome, done.exit_code, done.failed) == ("failed", 1, True)
    assert done.changed, "it was launched all the same"
    assert [error["sample"] for error in done.errors] == ["no room errno=28 (iRc=-52)"]
    assert done.errors[0]["codes"] == ["errno=28", "iRc=-52"]
    assert "exit code 1: no room" in done.msg
    assert server.ledger()[-1]["result"] == "failed"


def test_failure_without_a_log(server: Server) -> None:
    done = server.call("-say:libicu.so: cannot open", "-exit:127")
    assert (done.outcome, done.errors) == ("failed", [])
    assert "cannot open" in done.msg


@pytest.mark.parametrize(("previous", "kind", "accepted", "cut"), [
    (None, "import", "", False),
    ({"outcome": "succeeded", "exit_code": None}, "import", "", False),
    ({"outcome": "failed", "exit_code": 1}, "import", "", False),  # it came to its end
    ({"outcome": "failed", "exit_code": 137}, "import", "", True),
    ({"outcome": "failed", "exit_code": None}, "import", "", True),
    ({"outcome": "unknown", "exit_code": None}, "import", "", True),
    ({"outcome": "unknown", "exit_code": None}, "import", "another", True),
    ({"outcome": "unknown", "exit_code": None}, "import", "r1", False),
    ({"outcome": "failed", "exit_code": 137}, "export", "", False),
])  # fmt: skip
def test_an_import_that_was_cut_takes_a_word(previous, kind, accepted, cut) -> None:
    told = previous and {"run": "r1", "who": "anna", "launched_at": 1000.0, **previous}
    if not cut:
        job_request.check_cut(job(kind=kind), told, accepted)
        return
    with pytest.raises(guard.Refused, match="was interrupted after its launch .*_cut_import=r1"):
        job_request.check_cut(job(kind=kind), told, accepted)


def test_signal(server: Server) -> None:
    done = server.call("-kill:9")
    assert (done.outcome, done.exit_code) == ("failed", 137)
    assert "signal 9" in done.msg


def test_success_that_leaves_nothing_is_a_failure(server: Server) -> None:
    (server.home / "var/prod/out.csv").write_text("old\n")
    done = server.call(job={"result": "out*.csv"})
    assert (done.outcome, done.exit_code, done.result) == ("failed", 0, None)
    assert "wrote no file" in done.msg


def test_rejects(server: Server) -> None:
    path = server.home / "var/prod/rejects.csv"
    path.write_text("1\n2\n")
    declared = {"kind": "import", "rejects": "rejects*"}
    kept = server.call(job=declared, duplicates_found=0)
    assert kept.rejects is None, "those of an earlier run"
    new = server.call(f"-write:{path}", job=declared, duplicates_found=0)
    assert (new.outcome, new.rejects["lines"]) == ("succeeded", 1)
    assert "1 lines were rejected" in new.msg
    assert server.ledger()[-1]["after"]["rejects"] == 1


def test_check_mode_changes_nothing(server: Server) -> None:
    would = server.call(check_mode=True)
    assert (would.changed, would.launched, would.outcome) == (True, False, None)
    assert not server.state_dir.exists()
    done = server.call()
    assert would.command == done.command
    assert would.diff == done.diff
    before = server.files()
    refused = server.call(check_mode=True, operator="paul.roux")
    assert (refused.refused, refused.guard, refused.changed) == (True, "operator", False)
    assert server.files() == before
    assert len(server.ledger()) == 2


def test_refusals_are_recorded(server: Server) -> None:
    refused = server.call(operator=None)
    assert (refused.failed, refused.guard, refused.changed) == (True, "operator", False)
    (line,) = server.ledger()
    assert (line["event"], line["job"]) == ("refused", "contacts")
    assert not server.processes()


def test_not_followed(server: Server) -> None:
    words = server.held()
    done = server.call(*words, wait=0)
    assert (done.outcome, done.failed, done.timed_out) == ("running", False, False)
    assert done.pid in {int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()}
    server.release()
    followed = server.call(*words, state="followed", mode=None, operator=None)
    assert (followed.outcome, followed.exit_code, followed.changed) == ("succeeded", 0, False)
    assert followed.pid == done.pid
    assert [line["event"] for line in server.ledger()] == ["begun", "ended", "ended"]
    again = server.call(*words, state="followed", mode=None)
    assert again.ended_at == followed.ended_at
    assert len(server.ledger()) == 3, "it is told once"


def test_timeout_leaves_it_running(server: Server) -> None:
    words = server.held()
    done = server.call(*words, wait=0.3)
    assert (done.outcome, done.timed_out, done.failed) == ("running", True, False)
    assert done.msg in done.warnings
    assert len(server.processes()) == 1
    for check_mode in (False, True):
        second = server.call(*words, check_mode=check_mode)
        assert (second.guard, second.outcome, second.pid) == ("running", "running", done.pid)
    assert len(server.processes()) == 1


def test_launched_by_hand(server: Server) -> None:
    words = ["export", "-instance:prod", "-job:contacts", *server.held()]
    by_hand = subprocess.Popen([server.home / "bin/nlserver", *words])
    try:
        until(server.processes)
        refused = server.call(*words[2:])
        assert (refused.guard, refused.pid) == ("running", by_hand.pid)
        other = job(name="other", arguments={"full": ["-job:other"]})
        beside = server.call(
            jobs=[other, job()], job={"name": "other", "arguments": other["arguments"]}
        )
        assert beside.outcome == "succeeded", "another job of the instance is not this one"
    finally:
        server.release()
        by_hand.wait(10)


@pytest.mark.parametrize("accept", [False, True])
def test_two_launches_at_once(server: Server, accept: bool) -> None:
    """With and without the lock of the host."""
    words = server.held()
    answers: list[SimpleNamespace] = []

    def call() -> None:
        answers.append(server.call(*words, lock_timeout=0.5, accept_other_run=accept))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) == 3 and server.processes())
    assert len(server.processes()) == 1
    server.release()
    for thread in threads:
        thread.join(20)
    assert sorted(a.outcome or "" for a in answers if a.launched) == ["succeeded"]
    assert {a.guard for a in answers if not a.launched} <= {"running", "lock"}
    assert sum(line["event"] == "begun" for line in server.ledger()) == 1


def test_looking_is_in_nobodys_way(server: Server) -> None:
    record = job_record.Record(ledger.Store(str(server.state_dir)), job())
    assert not record.supervised()
    Path(record.store.path).mkdir(parents=True)
    held = record.lock()
    assert held is not None
    assert record.supervised() and record.lock(0) is None
    os.close(held)
    with Path(record.path.replace(".json", ".lock")).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not record.supervised()


def test_a_launch_while_this_one_waited(server: Server) -> None:
    """The second of two simultaneous launches is refused although the first has ended."""
    done = server.call()
    record = json.loads(Path(done.record).read_text())
    record["launched_at"] = time.time() + 5
    Path(done.record).write_text(json.dumps(record))
    refused = server.call()
    assert refused.guard == "running"
    assert "while this call was waiting" in refused.msg


def test_supervisor_killed(server: Server) -> None:
    words = server.held()
    done = server.call(*words, wait=0)
    supervisor = int(Path(f"/proc/{done.pid}/stat").read_text().rsplit(")")[1].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    refused = server.call(*words)
    assert (refused.guard, refused.pid) == ("running", done.pid)
    server.release()
    told = server.call(*words, state="followed")
    assert (told.outcome, told.exit_code, told.failed) == ("unknown", None, True)
    assert server.call().outcome == "succeeded"


FOLLOWER = """
import json, sys
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import job_launch
print(json.dumps(job_launch.answer(json.load(sys.stdin), False)))
"""


def test_follower_killed(server: Server) -> None:
    """The whole process group, as at a time-out of the controller."""
    paths = [path for path in sys.path if path.endswith("collections")]
    options = server.options(*server.held(), "-exit:3", run="first")
    child = subprocess.Popen(
        [sys.executable, "-c", FOLLOWER], stdin=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": ":".join([*paths, *sys.path])},
    )
    assert child.stdin
    child.stdin.write(json.dumps(options).encode())
    child.stdin.close()
    until(server.processes)
    until(lambda: (server.state_dir / "jobs/export-prod-contacts.pid").read_text().strip())
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert len(server.processes()) == 1, "the job goes on"
    assert server.call().guard == "running"
    server.release()
    until(lambda: not server.processes())
    until(lambda: (server.state_dir / "jobs/export-prod-contacts.exit").read_text().strip())
    done = server.call(run="second")
    assert done.outcome == "succeeded"
    assert done.previous["known"] is False
    assert (done.previous["outcome"], done.previous["exit_code"]) == ("failed", 3)
    assert done.previous["run"] == "first"
    late = [line for line in server.ledger() if line["run"] == "first"]
    assert late[0]["event"] == "begun"
    assert late[-1]["result"] == "failed"
    assert late[-1]["after"]["exit_code"] == 3
    assert server.call().previous["known"] is True


def test_budget(server: Server) -> None:
    for _ in range(2):
        assert server.call(restart_budget=2).launched
    refused = server.call(restart_budget=2)
    assert (refused.guard, refused.launched) == ("budget", False)
    assert server.call(restart_budget=2, job={"name": "other"}).launched, "each job has its own"
    assert server.call(restart_budget=2, accept_restart_loop=True).launched


def test_environment_of_the_operator(server: Server) -> None:
    (server.home / "env.sh").write_text("export SITE=here\nexport LANG=fr_FR.UTF-8\n")
    (server.home / "lib/export").write_text('echo "$SITE $LANG ${LC_ALL-none} $USER"\n')
    assert server.call().output == [f"here fr_FR.UTF-8 none {server.user}"]


def test_broken_environment(server: Server) -> None:
    (server.home / "env.sh").write_text("exit 3\n")
    done = server.call()
    assert done.failed
    assert "env.sh ended with 3" in done.msg
    assert not server.processes()


@pytest.mark.parametrize(("more", "words"), [
    ({"job": {"instance": "nowhere"}}, "prod"),
    ({"wait": -1}, "wait must be"),
    ({"home": "/nonexistent"}, "no Campaign server"),
    ({"mode": None}, "set mode to"),
    ({"job": {"name": " "}}, "name must be a single line"),
])  # fmt: skip
def test_bad_input(server: Server, more: dict[str, Any], words: str) -> None:
    done = server.call(**more)
    assert (done.failed, done.launched, done.refused) == (True, False, False)
    assert words in done.msg


def test_names_do_not_collide() -> None:
    store = ledger.Store("/nonexistent")
    given = ("a b", "a/b", "a_b", "../x")
    names = {job_record.Record(store, job(name=name)).name for name in given}
    assert len(names) == 4
    assert all("/" not in name for name in names)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the Campaign account")
def test_as_root_for_another_account(tmp_path: Path) -> None:
    account = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as place:  # pytest's are closed to other accounts
        server = Server(Path(place))
        server.user = "nobody"
        kept = tmp_path / "remediation"
        server.state_dir = kept
        (server.home / "lib/export").write_text("id -un\ntouch ../var/prod/out.csv\n")
        for path in (Path(place), *Path(place).rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)
        done = server.call(job={"result": "out*"})
        assert (done.outcome, done.output) == ("succeeded", ["nobody"])
        assert {path.stat().st_uid for path in (kept, *kept.rglob("*"))} == {0}
