"""campaign_job against the lab: jobs that failed are launched again, and never twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.harness import BIN, CHECKOUT, INVENTORY, run
from integration.lab.conftest import process_table, working_in
from integration.remediate.remedies import PACKAGE, Site
from needs import needs

HEADER = "externalId;email;firstName;lastName\n"
SECRET = "geheim-4711"
FREE = {"restart_budget": 100}


def until(condition: Callable[[], Any], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


class Jobs:
    """The declared jobs of an instance of the site, and calls of campaign_job."""

    def __init__(self, site: Site, slow: Path) -> None:
        self.site = site
        self.slow = slow
        inventory = json.loads(site.ctl("inventory").output)
        self.declared = inventory["_meta"]["hostvars"]["app1"]["campaign_jobs"]

    def job(self, kind: str, instance: str = "prod", **more: Any) -> dict[str, Any]:
        found = next(j for j in self.declared if (j["kind"], j["instance"]) == (kind, instance))
        return {**found, **more}

    def options(self, kind: str, **more: Any) -> dict[str, Any]:
        job = more.pop("job", None) or self.job(kind, more.pop("instance", "prod"))
        options = {
            "job": job, "jobs": self.declared, "operator": job["operator"], "mode": "full",
            "wait": 60, **FREE, **more,
        }  # fmt: skip
        if kind == "import" and "duplicates_found" not in more:
            options.setdefault("no_duplicates_confirmed_by", "Maria Keller")
        return {name: value for name, value in options.items() if value is not None}

    def call(self, kind: str, **more: Any) -> dict[str, Any]:
        return self.site.call("campaign_job", **self.options(kind, **more))

    def slow_import(self, *words: str) -> dict[str, Any]:
        """An import that reads a pipe: it runs until feed() writes into it."""
        given = ["-job:contacts_import", "-mode:full", f"-file:{self.slow}", *words]
        return self.job("import", arguments={"full": given})

    def pipe(self) -> int:
        """The writing end, once the import has opened its own: it waits for its file."""
        opened: list[int] = []

        def reading() -> bool:
            with contextlib.suppress(OSError):
                opened.append(os.open(self.slow, os.O_WRONLY | os.O_NONBLOCK))
            return bool(opened)

        until(reading)
        return opened[0]

    def feed(self, pipe: int | None = None) -> None:
        """The import gets its file."""
        descriptor = self.pipe() if pipe is None else pipe
        os.write(descriptor, HEADER.encode())
        os.close(descriptor)

    def running(self) -> list[int]:
        """The exports and imports in the process table."""
        lib = self.site.home() / "lib"
        return [
            process.pid for process in process_table()
            if process.arguments[:1] == ["nlserver"] and process.module in ("export", "import")
            and process.state != "Z" and working_in(process.pid, lib)
        ]  # fmt: skip

    def info(self, name: str, instance: str = "prod") -> dict[str, Any]:
        """What diagnosis sees of a job."""
        where = self.site.options()
        options = {key: where[key] for key in ("home", "user", "address")}
        done = subprocess.run(
            [sys.executable, "-m", PACKAGE + "campaign_info"], check=True, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / "playbooks/collections")},
            input=json.dumps({"ANSIBLE_MODULE_ARGS": {
                **options, "jobs": self.declared, "probes": ["processes", "jobs"],
            }}).encode(),
        )  # fmt: skip
        found = json.loads(done.stdout)["snapshot"]["probes"]["jobs"]["data"]["jobs"]
        return next(job for job in found if (job["name"], job["instance"]) == (name, instance))

    def events(self) -> list[tuple[str, str | None]]:
        return [(line["event"], line["result"]) for line in self.site.ledger()]


@pytest.fixture
def jobs(site: Site, tmp_path: Path) -> Iterator[Jobs]:
    os.mkfifo(tmp_path / "slow")
    made = Jobs(site, tmp_path / "slow")
    until(lambda: not made.running())  # those of the start of the lab
    yield made
    for pid in made.running():
        os.kill(pid, signal.SIGKILL)


def test_failed_export(site: Site, jobs: Jobs) -> None:
    pids = site.healthy()
    site.ctl("break", "export_failed")
    failed = jobs.call("export")
    assert failed["failed"] and failed["outcome"] == "failed" and failed["exit_code"] == 1
    assert "Unable to write file" in failed["msg"]
    assert "iRc=-52" in failed["errors"][0]["codes"]
    assert failed["errors"][0]["sample"] == jobs.info("contacts_export")["last_error"]["sample"]
    site.ctl("heal", "export_failed")

    for option, value in (("mode", None), ("operator", None), ("operator", "paul.roux")):
        refused = jobs.call("export", **{option: value})
        assert refused["failed"] and not refused["changed"] and not jobs.running()

    announced = jobs.call("export", check=True)
    lines = len(site.ledger())
    done = jobs.call("export", because=["export.failed"], remedy="relaunch")
    assert (done["outcome"], done["exit_code"]) == ("succeeded", 0)
    assert (announced["command"], announced["diff"]) == (done["command"], done["diff"])
    assert announced["changed"] and announced["outcome"] is None
    result = site.home() / "var/prod/export/contacts_export.csv"
    assert done["result"]["path"] == str(result)
    assert result.stat().st_mtime >= done["started_at"]
    assert jobs.info("contacts_export")["result"]["mtime_at"] == done["result"]["mtime_at"]
    begun, ended = site.ledger()[lines:]
    assert (begun["because"], begun["operator"]) == (["export.failed"], "anna.berg")
    assert ended["after"]["exit_code"] == 0
    assert Path(done["evidence"], "log-export@prod.txt").read_text()
    assert site.healthy() == pids, "nothing else was touched"


def test_stale_export_as_a_delta(site: Site, jobs: Jobs) -> None:
    site.ctl("break", "export_stale")
    done = jobs.call("export", mode="delta")
    assert (done["outcome"], done["command"][-1]) == ("succeeded", "-mode:delta")
    assert time.time() - jobs.info("contacts_export")["result"]["mtime_at"] < 60


def test_an_export_that_runs_is_left_alone(site: Site, jobs: Jobs) -> None:
    """It was launched by hand; another instance's is not this one."""
    site.ctl("break", "export_running_too_long")
    (pid,) = jobs.running()
    for check in (True, False):
        refused = jobs.call("export", check=check)
        assert (refused["guard"], refused["pid"]) == ("running", pid)
        assert refused["pid"] == jobs.info("contacts_export")["running"]["pid"]
    assert jobs.call("export", instance="prod2")["outcome"] == "succeeded"
    assert jobs.running() == [pid]


def test_failed_import(site: Site, jobs: Jobs) -> None:
    site.ctl("break", "import_failed")
    refused = jobs.call("import", no_duplicates_confirmed_by=None)
    assert refused["guard"] == "duplicates" and "by email" in refused["msg"]
    failed = jobs.call("import")
    assert (failed["outcome"], failed["exit_code"], failed["result"]) == ("failed", 1, None)
    site.ctl("heal", "import_failed")
    done = jobs.call("import", operator=None, taken_over_by="Maria Keller")
    assert done["outcome"] == "succeeded" and done["rejects"] is None
    assert site.ledger()[-1]["taken_over_by"] == "Maria Keller"
    assert site.ledger()[-1]["duplicates"]["confirmed_by"] == "Maria Keller"


def test_import_with_duplicates(site: Site, jobs: Jobs) -> None:
    site.ctl("break", "import_duplicates")
    refused = jobs.call("import", duplicates_found=3, no_duplicates_confirmed_by="Maria Keller")
    assert refused["guard"] == "duplicates" and not jobs.running()
    site.ctl("heal", "import_duplicates")
    assert jobs.call("import", duplicates_found=0)["outcome"] == "succeeded"


def test_import_with_rejects(site: Site, jobs: Jobs) -> None:
    site.ctl("break", "import_rejects")
    done = jobs.call("import")
    assert (done["outcome"], done["rejects"]["lines"]) == ("succeeded", 2)
    seen = jobs.info("contacts_import")["rejects"]
    assert (seen["path"], seen["lines"]) == (done["rejects"]["path"], 2)
    assert "2 lines were rejected" in done["msg"]


def test_left_running_and_followed(site: Site, jobs: Jobs) -> None:
    job = jobs.slow_import()
    left = jobs.call("import", job=job, wait=1)
    assert (left["outcome"], left["timed_out"]) == ("running", True)
    assert not left.get("failed") and jobs.running() == [left["pid"]]
    assert jobs.info("contacts_import")["running"]["pid"] == left["pid"]
    assert jobs.call("import", job=job)["guard"] == "running"
    process = site.start(
        "campaign_job", **jobs.options("import", job=job, state="followed", mode=None)
    )
    time.sleep(0.5)
    jobs.feed()
    followed = site.finish(process)
    assert (followed["outcome"], followed["pid"]) == ("succeeded", left["pid"])
    assert not followed["changed"]
    assert jobs.events()[-1] == ("ended", "done")
    assert site.ledger()[-1]["run"] == left["run"]


def test_two_launches_at_once(site: Site, jobs: Jobs) -> None:
    """One wins, whether the other heeds the lock of the host or not."""
    for accept in (False, True):
        options = jobs.options(
            "import", job=jobs.slow_import(), accept_other_run=accept, lock_timeout=1
        )
        processes = [site.start("campaign_job", **options) for _ in range(3)]
        until(lambda: sum(p.poll() is not None for p in processes) == 2)  # noqa: B023
        until(jobs.running)
        assert len(jobs.running()) == 1
        jobs.feed()
        results = [site.finish(process) for process in processes]
        assert sorted(r["outcome"] or "" for r in results if r["launched"]) == ["succeeded"]
        assert {r["guard"] for r in results if not r["launched"]} <= {"lock", "running"}


def test_second_launch_waits_for_the_first_in_vain(site: Site, jobs: Jobs) -> None:
    """Both were asked for at once; the first ends while the second waits for the lock."""
    first = site.start("campaign_job", **jobs.options("import", job=jobs.slow_import()))
    second = site.start(
        "campaign_job", **jobs.options("import", job=jobs.slow_import(), lock_timeout=30)
    )
    until(jobs.running)
    time.sleep(1)
    jobs.feed()
    results = [site.finish(process) for process in (first, second)]
    assert [r["launched"] for r in results].count(True) == 1
    assert [line["event"] for line in site.ledger()].count("begun") == 1


def test_within_a_run(site: Site, jobs: Jobs) -> None:
    """The steps of a run share its lock; another run keeps out."""
    where = {"run": "r1", "module": "export", "instance": "prod"}
    site.call("campaign_guard", state="opened", run="r1")
    site.call("campaign_guard", state="begun", remedy="relaunch", **where)
    other = jobs.call("export", lock_timeout=0.2, run="r2")
    assert other["guard"] == "lock" and not other["launched"]
    assert jobs.call("export", run="r1")["outcome"] == "succeeded"
    assert jobs.call("export", run="r1", check=True)["changed"]
    site.call("campaign_guard", state="ended", remedy="relaunch", **where)
    site.call("campaign_guard", state="closed", run="r1")
    lines = [line for line in site.ledger() if line["run"] == "r1"]
    assert [line["event"] for line in lines] == [
        "run_opened", "begun", "begun", "ended", "ended", "run_closed",
    ]  # fmt: skip
    assert jobs.call("export", run="r2")["outcome"] == "succeeded"
    assert not jobs.call("export", run="r3", check=True)["interrupted"]


def test_controller_killed(site: Site, jobs: Jobs) -> None:
    """The job goes on, its exit code is kept, and the next call tells."""
    job = jobs.slow_import()
    process = site.start("campaign_job", **jobs.options("import", job=job, run="first"))
    until(jobs.running)
    (pid,) = jobs.running()
    time.sleep(0.5)
    process.kill()
    process.communicate(timeout=20)
    assert jobs.running() == [pid]
    assert jobs.call("import", job=job)["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not jobs.running())
    looked = jobs.call("import", check=True)
    assert looked["previous"]["outcome"] == "failed" and not looked["previous"]["known"]
    assert looked["guard"] == "cut"
    # Cut in the middle: no other run launches it again without a person's word for this one.
    for known in (False, True):
        refused = jobs.call("import", run="second", accept_cut_import="another" if known else "")
        assert (refused["guard"], refused["launched"]) == ("cut", False)
        assert "set campaign_accept_cut_import=first" in refused["msg"]
        assert (refused["previous"]["exit_code"], refused["previous"]["known"]) == (137, known)
    done = jobs.call("import", run="second", accept_cut_import="first")
    assert done["outcome"] == "succeeded"
    late = [line for line in site.ledger() if line["run"] == "first"]
    assert [line["event"] for line in late] == ["begun", "ended", "ended"]
    assert [line["result"] for line in late] == [None, "interrupted", "failed"]
    assert late[-1]["after"]["exit_code"] == 137


def test_full_disk(site: Site, jobs: Jobs, tmp_path: Path) -> None:
    """Without a record nothing is launched; a disk that fills up later costs no exit code."""
    needs(os.geteuid() == 0, "only root can mount")
    place = tmp_path / "state"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], check=True)
    try:
        full = place / "full"
        job = jobs.slow_import()
        chosen: dict[str, Any] = {"job": job, "state_dir": str(place), "evidence": False}
        left = jobs.call("import", wait=0, **chosen)
        assert left["outcome"] == "running"
        pipe = jobs.pipe()
        with full.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(b"x" * 4096)
        jobs.feed(pipe)
        until(lambda: not jobs.running())
        told = jobs.call("import", state="followed", **chosen)
        assert (told["outcome"], told["exit_code"]) == ("succeeded", 0)
        refused = jobs.call("import", **chosen)
        assert refused["failed"] and not refused["launched"] and "full" in refused["msg"]
        assert not jobs.running()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_through_ansible_without_secrets(site: Site, jobs: Jobs) -> None:
    """As a task, with everything that -vvv shows."""
    job = jobs.job("export")
    job["arguments"] = {"full": [*job["arguments"]["full"], f"-password:{SECRET}"]}
    options = jobs.options("export", job=job, home=str(site.home()), user=site.options()["user"])
    done = run(
        [BIN / "ansible", "app1", "-i", INVENTORY, "-vvv", "--diff",
         "-m", "campaign.remediation.campaign_job", "-a", json.dumps(options)],
        env={**site.env, "ANSIBLE_COLLECTIONS_PATH": "playbooks/collections"},
    )  # fmt: skip
    assert done.code == 0, done
    assert "+launched (full)" in done.output, done
    assert SECRET not in done.output
    for path in site.state_dir().rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
