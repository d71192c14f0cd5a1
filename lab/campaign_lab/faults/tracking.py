"""Faults of the tracking chain: redirection, shared memory, tracking logs, consolidation."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Tuple

from campaign_lab import database, process
from campaign_lab.account import Acting, acting, privileged
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.mail import nobody
from campaign_lab.faults.system import FaultError, http, wait_until, writable
from campaign_lab.modules import redir, trackinglogd
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


class SharedMemoryOfWebServer(Fault):
    """After an upgrade the old shared memory, and its semaphore, are the web server's account's."""

    seen = ("trackinglogd.log: SRV-810031; trackinglogd missing; `ipcs -m -s`: segment and "
            "semaphore of www-data, mode 666; only root can make them")
    ACCOUNT = "www-data"

    def strike(self, work: Work) -> None:
        server = work.server
        key = server.shared_memory_key
        work.undo_with("start", module="trackinglogd", instance="default")
        log = work.log("trackinglogd", "default")
        with work.unwatched():
            work.kill("trackinglogd")
            trackinglogd.clear((key, server.semaphore_key))
            made = as_account(self.ACCOUNT, lambda: (
                trackinglogd.make_segment(key, 93608, trackinglogd.VERSION - 1),
                trackinglogd.make_semaphore(server.semaphore_key)))
            work.undo_with("segment", identifier=made[0])
            work.undo_with("semaphore", identifier=made[1])
        work.remember(identifier=made[0])
        work.expect(log, "SRV-810031")

    def present(self, work: Work) -> bool:
        found = trackinglogd.find(work.server.shared_memory_key)
        return found is not None and found[0] == work.notes.get("identifier")


def as_account(name: str, make: Callable[[], Tuple[int, int]]) -> Tuple[int, int]:
    """Run it as another account of the machine, which only root's labctl can do."""
    import pwd
    import struct

    if not acting():
        raise FaultError("only root can do something as %s" % name)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise FaultError("there is no account %s here" % name) from None
    reader, writer = os.pipe()
    import ctypes  # noqa: F401 - now: the other account may not read root's Python

    with privileged():
        pid = os.fork()
        if pid == 0:
            try:
                Acting.entry = None  # there is no way back
                os.setgroups([])
                os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
                os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
                os.write(writer, struct.pack("qq", *make()))
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    if len(told) != 16:
        raise FaultError("%s could not make it" % name)
    found: Tuple[int, int] = struct.unpack("qq", told)
    return found


class TrackingLogCorrupt(Fault):
    """A line of the tracking logs has lost its tail: the Tracking workflow stops at it."""

    scope = "instance"
    seen = ("newest file of var/<instance>/redir/log: a line with 4 of 11 fields; tracking.log: "
            "`Corrupt line`")
    TAIL = "\t2026-08-27T06:00:51.02\tc0ffee\tc0ffee\n"

    def strike(self, work: Work) -> None:
        directory = log_directory(work)
        number = redir.next_id(directory)
        path = os.path.join(directory, redir.file_name(number))
        work.undo_with("cut", path=path, mark=self.TAIL.strip())
        with open(path, "a", encoding="utf-8") as stream:
            stream.write("50x%016X%s" % (number, self.TAIL))
        work.remember(path=path)
        log = work.log("tracking")
        work.nlserver("tracking", "-instance:" + work.instance, check=False)
        work.expect(log, "Corrupt line")

    def present(self, work: Work) -> bool:
        try:
            with open(work.notes.get("path", ""), encoding="utf-8") as stream:
                return self.TAIL in stream.read()
        except OSError:
            return False


class TrackingLinkUnreadable(Fault):
    """The web server cannot read the addresses of a delivery: its links fail."""

    scope = "instance"
    seen = ("var/<instance>/redir/url/2026/7896000.xml has mode 0600; webmdl.log: `Requested URL "
            "'/r/ id=h787bc0,…' cannot be found`")
    DELIVERY = 7896000

    def strike(self, work: Work) -> None:
        path = self._path(work)
        work.undo_with("remove", path=path)
        redir.publish(path, ["https://www.example.com/"])
        os.chmod(path, 0o600)
        log = work.log("webmdl", "default")
        for number in range(4):
            http(work.server, "front", "/r/?id=h%x,%x,1&i=%s" % (
                self.DELIVERY, number + 1, work.instance))
        work.expect(log, "cannot be found")

    def present(self, work: Work) -> bool:
        path = self._path(work)
        return os.path.exists(path) and not os.stat(path).st_mode & 0o004

    def _path(self, work: Work) -> str:
        return redir.links_path(work.home.var, work.instance, self.DELIVERY, "2026")


class TrackingLogStale(Fault):
    """Clicks come and trackinglogd cannot write them: the tracking logs are a day old."""

    scope = "instance"
    seen = ("newest file of var/<instance>/redir/log is 26 h old, files and directory unwritable; "
            "trackinglogd runs; with the next click its log: `Unable to write the tracking log`")

    def strike(self, work: Work) -> None:
        directory = log_directory(work)
        os.makedirs(directory, exist_ok=True)
        if not os.listdir(directory):
            path = os.path.join(directory, redir.file_name(redir.FIRST_ID))
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
            path = os.path.join(directory, redir.file_name(redir.IDS_A_FILE * number))
            work.undo_with("remove", path=path)
            text = redir.line(1, redir.hit(time.time(), 1, 1, 1, "h", "-", "", "192.0.2.64"))
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text * (size * 1024 // len(text)))
        work.restart("trackinglogd")
        log = work.log("trackinglogd", "default")
        link = redir.links_path(work.home.var, work.instance, 0xfffff, "2000")
        work.undo_with("remove", path=os.path.dirname(link))
        redir.publish(link, ["https://www.example.com/"])
        http(work.server, "front", "/r/?id=hfffff,1,1&i=" + work.instance)
        work.expect(log, "the limit of 1 MB is reached")
        work.remember(path=os.path.join(directory, redir.file_name(redir.IDS_A_FILE)))

    def present(self, work: Work) -> bool:
        return os.path.exists(work.notes.get("path", ""))
