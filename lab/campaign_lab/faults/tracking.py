"""Faults of the tracking chain: redirection, shared memory, tracking logs, consolidation."""

from __future__ import annotations

import os
import time
from typing import Any

from campaign_lab import database, process
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.mail import nobody
from campaign_lab.faults.system import http, wait_until, writable
from campaign_lab.modules import trackinglogd
from campaign_lab.modules.tracking import LAST
from campaign_lab.modules.wfserver import TECHNICAL_ERRORS

OLD_SECONDS = 26 * 3600
ORPHANS = 3


def log_directory(work: Work) -> str:
    """Where trackinglogd writes for an instance."""
    return os.path.join(work.home.var, work.instance, "redir", "log")


def runs(work: Work, workflow: str) -> bool:
    """Is there a process of that workflow?"""
    return any(
        task.module == "runwf" and task.instance == work.instance
        and "-wf:" + workflow in process.command_line(task.pid)
        for task in process.recorded(work.home)
        if process.alive(work.home, "runwf", task.pid)
    )  # fmt: skip


class RedirectionDown(Fault):
    """The redirection server that tracking fetches from is another host, and it is down."""

    scope = "instance"
    seen = "tracking.log: RED-520025 with an address 127.….249; the front end here works"

    def strike(self, work: Work) -> None:
        account = work.sql("SELECT * FROM nms_extAccount WHERE type = 'redirection'")[0]
        change = "UPDATE nms_extAccount SET server = ? WHERE type = 'redirection'"
        work.undo_sql(change, account["server"])
        work.sql(change, "http://" + nobody(work))
        log = work.log("tracking")
        work.nlserver("tracking", "-instance:" + work.instance, check=False)
        work.expect(log, "RED-520025")

    def present(self, work: Work) -> bool:
        account = work.sql("SELECT server FROM nms_extAccount WHERE type = 'redirection'")[0]
        return str(account["server"]).endswith(nobody(work))


class SharedMemoryStale(Fault):
    """The shared memory block of tracking is of another version: trackinglogd does not start."""

    seen = ("trackinglogd.log: SRV-810031 `Bad version for the shared memory block`; trackinglogd "
            "missing, tried again by the watchdog; segment whose creator is dead")

    def strike(self, work: Work) -> None:
        work.undo_with("start", module="trackinglogd", instance="default")
        log = work.log("trackinglogd", "default")
        key = work.server.shared_memory_key
        with work.unwatched():
            work.kill("trackinglogd")
            found = trackinglogd.find(key)
            trackinglogd.remove_segment(key)
            identifier = trackinglogd.make_segment(
                key, found[1] if found else 65536, trackinglogd.VERSION - 1)
            work.undo_with("segment", identifier=identifier)
        work.remember(identifier=identifier)
        work.expect(log, "SRV-810031")

    def present(self, work: Work) -> bool:
        found = trackinglogd.find(work.server.shared_memory_key)
        return found is not None and found[0] == work.notes.get("identifier")


class SharedMemoryLeft(Fault):
    """Three shared memory segments of dead processes are left; trackinglogd works."""

    seen = "ipcs: three more segments of the account, nobody attached, creators dead"

    def strike(self, work: Work) -> None:
        made = []
        key = work.server.shared_memory_key
        for number in range(1, ORPHANS + 1):
            identifier = trackinglogd.make_segment(key + number, 65536, trackinglogd.VERSION - 1)
            work.undo_with("segment", identifier=identifier)
            made.append(key + number)
        work.remember(keys=made)

    def present(self, work: Work) -> bool:
        return any(trackinglogd.find(key) for key in work.notes.get("keys", []))


class TrackingLogStale(Fault):
    """Clicks come and trackinglogd cannot write them: the tracking logs are a day old."""

    scope = "instance"
    seen = ("newest file of var/<instance>/redir/log is 26 h old, files and directory unwritable; "
            "trackinglogd runs; with the next click its log: `Unable to write the tracking log`")

    def strike(self, work: Work) -> None:
        directory = log_directory(work)
        os.makedirs(directory, exist_ok=True)
        if not os.listdir(directory):
            path = os.path.join(directory, time.strftime(
                "%Y%m%d-%H.log", time.gmtime(time.time() - OLD_SECONDS)))
            work.undo_with("remove", path=path)
            with open(path, "w", encoding="utf-8"):
                pass
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            work.age(path, max(0.0, OLD_SECONDS - (time.time() - os.stat(path).st_mtime)))
            work.lock(path)
        work.lock(directory)

    def present(self, work: Work) -> bool:
        return not writable(log_directory(work))


class TrackingWorkflowFailed(Fault):
    """The Tracking workflow stopped on an error and stays so."""

    scope = "instance"
    seen = ("runwf.log: `tracking: SCR-160012 …` three times, then nothing of tracking; no "
            "consolidation in tracking.log; in the database state 13, failed 1")

    def strike(self, work: Work) -> None:
        before = self._row(work)
        work.undo_sql(
            "UPDATE xtk_workflow SET state = ?, failed = 0, labErrors = 0, labActivity = ?,"
            " labNext = 0 WHERE internalName = 'tracking'", before["state"], before["labActivity"])
        work.sql("UPDATE xtk_workflow SET labActivity = 'consolidate', labNext = ?"
                 " WHERE internalName = 'tracking'", time.time() + OLD_SECONDS)
        # A wfserver that starts forgets the runs of the one before; the process table does not.
        wait_until(lambda: not self._row(work)["processId"] and not runs(work, "tracking"),
                   60, "the present run ends")
        work.sql("UPDATE xtk_workflow SET labErrors = 0 WHERE internalName = 'tracking'")
        log = work.log("runwf")
        for _ in range(TECHNICAL_ERRORS):
            work.nlserver("runwf", "-instance:" + work.instance, "-wf:tracking", check=False)
        work.expect(log, "SCR-160012")

    def present(self, work: Work) -> bool:
        row = self._row(work)
        return bool(row["failed"]) and row["state"] == database.PAUSED

    @staticmethod
    def _row(work: Work) -> Any:
        return work.sql("SELECT * FROM xtk_workflow WHERE internalName = 'tracking'")[0]


class TrackingWorkflowLate(Fault):
    """The Tracking workflow has not run for a day; it is started and nothing failed."""

    scope = "instance"
    seen = ("in the database: tracking in state 11, lastStart and NmsTracking_LastConsolidation 26 "
            "hours ago; nothing new in tracking.log")

    def strike(self, work: Work) -> None:
        now = time.time()
        work.change("xtk_workflow", "internalName", "tracking", labNext=now + OLD_SECONDS)
        wait_until(lambda: not self._row(work)["processId"] and not runs(work, "tracking"),
                   60, "the present run ends")
        if work.row("xtk_option", "name", LAST) is None:
            work.insert("xtk_option", "name", name=LAST, dataType=database.DATETIME, value="0")
        work.change("xtk_option", "name", LAST, value="%.3f" % (now - OLD_SECONDS))
        work.change("xtk_workflow", "internalName", "tracking", lastStart=now - OLD_SECONDS)
        work.age_journal("tracking", OLD_SECONDS)

    def present(self, work: Work) -> bool:
        row = self._row(work)
        return row["lastStart"] is not None and row["lastStart"] < time.time() - OLD_SECONDS / 2

    @staticmethod
    def _row(work: Work) -> Any:
        return work.row("xtk_workflow", "internalName", "tracking")


class TrackinglogdSizeLimit(Fault):
    """The tracking logs have reached maxLogsSizeOnDiskMb: the oldest are thrown away."""

    scope = "instance"
    rereads = True
    seen = ("maxLogsSizeOnDiskMb=\"1\"; 0.9 MB in redir/log; trackinglogd.log: `Tracking log … "
            "removed: the limit of 1 MB is reached`")

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="trackinglogd", instance="default")
        work.set_attributes("trackinglogd", {"maxLogsSizeOnDiskMb": "1"})
        directory = log_directory(work)
        for number, size in enumerate((600, 900)):
            path = os.path.join(directory, "20200101-%02d.log" % number)
            work.undo_with("remove", path=path)
            with open(path, "wb") as stream:
                stream.write(b"0\n" * (size * 512))
        work.restart("trackinglogd")
        log = work.log("trackinglogd", "default")
        link = os.path.join(work.home.var, work.instance, "redir", "url", "fffff.txt")
        work.undo_with("remove", path=link)
        with open(link, "w", encoding="utf-8") as stream:
            stream.write("https://www.example.com/\n")
        http(work.server, "front", "/r/?id=hfffff,1,1&i=" + work.instance)
        work.expect(log, "the limit of 1 MB is reached")
        work.remember(path=os.path.join(directory, "20200101-01.log"))

    def present(self, work: Work) -> bool:
        return os.path.exists(work.notes.get("path", ""))
