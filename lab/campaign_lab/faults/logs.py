"""Faults of log writing: the port, the files, the disk."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess

from campaign_lab.account import acting, privileged
from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.processes import SUPERVISED
from campaign_lab.faults.system import FaultError, gone, pid_of, udp_held, writable
from campaign_lab.runtime import format_line

OTHER_PORT = 6666
SMALL_DISK_MB = 4
KEPT_BYTES = 256 * 1024


class SyslogdPortTaken(Fault):
    """Another log daemon holds syslogd's UDP port; syslogd cannot start."""

    seen = ("the port is held by `rsyslogd`, cwd /, not of the home; syslogd missing, "
            "watchdog keeps trying; no log grows")

    def strike(self, work: Work) -> None:
        server = work.server
        work.undo_with("start", module="syslogd", instance="default")
        with work.unwatched():
            work.kill("syslogd")
            pid = work.helper("hold_udp", server.address, str(server.ports["syslogd"]),
                              title="rsyslogd")
        work.remember(pid=pid)

    def present(self, work: Work) -> bool:
        held = udp_held(work.server.address, work.server.ports["syslogd"])
        return held and not gone(work.notes.get("pid", 0))


class SyslogdWrongPort(Fault):
    """syslogd was moved to another port; the other modules still send to the old one."""

    rereads = True
    seen = ("customer.sh exports TRACE_ADDR with port 6666; 6666/udp held by syslogd, the old port "
            "by nobody; other modules' logs do not grow")

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="syslogd", instance="default")
        work.export("TRACE_ADDR", "%s:%d" % (work.server.local, OTHER_PORT))
        work.restart("syslogd")

    def present(self, work: Work) -> bool:
        address, ports = work.server.address, work.server.ports
        return udp_held(address, OTHER_PORT) and not udp_held(address, ports["syslogd"])


class LogFileNotWritable(Fault):
    """The log file of a module cannot be written (chmod a-w)."""

    scope = "module"
    modules = ["wfserver", *(name for name in SUPERVISED if name not in ("wfserver", "syslogd"))]
    seen = "access(W_OK) fails; the log does not grow; syslogd.log: `Unable to write log file`"

    def strike(self, work: Work) -> None:
        path = self._path(work)
        if not os.path.exists(path):
            raise FaultError("%s: no such log" % path)
        work.lock(path)

    def present(self, work: Work) -> bool:
        return os.path.exists(self._path(work)) and not writable(self._path(work))

    @staticmethod
    def _path(work: Work) -> str:
        return os.path.join(work.home.logs(work.instance), work.module + ".log")


class LogDirectoryNotWritable(Fault):
    """No new file can be made in the log directory of an instance."""

    scope = "instance"
    seen = "access(W_OK) fails for var/<instance>/log; files that exist still grow"

    def strike(self, work: Work) -> None:
        work.lock(work.home.logs(work.instance))

    def present(self, work: Work) -> bool:
        return not writable(work.home.logs(work.instance))


class DiskFull(Fault):
    """The disk of an instance's logs is full (as root a small tmpfs, else a limit on syslogd)."""

    scope = "instance"
    seen = ("root: var/<instance>/log is a mount, 100 % used; else: RLIMIT_FSIZE of syslogd is 1 "
            "byte; the logs do not grow; syslogd.log: `Unable to write log file` (errno 28 or 27)")

    def strike(self, work: Work) -> None:
        if acting():
            self._mount(work)
        else:
            self._limit(work)

    def _mount(self, work: Work) -> None:
        path = work.home.logs(work.instance)
        work.undo_with("unmount", path=path)
        kept = os.path.join(work.home.lab, "disk_full-" + work.instance)
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept)
        for name in os.listdir(path):
            _copy_end(os.path.join(path, name), os.path.join(kept, name))
        status = os.stat(path)
        command = ["mount", "-t", "tmpfs", "-o", "size=%dm,mode=%o,uid=%d,gid=%d" % (
            SMALL_DISK_MB, status.st_mode & 0o777, status.st_uid, status.st_gid), "tmpfs", path]
        with privileged():
            done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise FaultError(done.stderr.decode("utf-8", "replace").strip())
        for name in os.listdir(kept):
            shutil.copy2(os.path.join(kept, name), os.path.join(path, name))
        shutil.rmtree(kept)
        try:
            with open(os.path.join(path, "catalogue.tmp"), "wb", buffering=0) as stream:
                while True:
                    stream.write(bytes(4096))
        except OSError:
            pass  # full

    def _limit(self, work: Work) -> None:
        pid = pid_of(work.home, "syslogd", "default")
        if not pid:
            raise FaultError("syslogd does not run")
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        work.undo_with("limit", kind=resource.RLIMIT_FSIZE, soft=soft, **undo.identity(pid))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))

    def present(self, work: Work) -> bool:
        path = work.home.logs(work.instance)
        if acting():
            return os.path.ismount(path) and os.statvfs(path).f_bavail == 0
        pid = pid_of(work.home, "syslogd", "default")
        return bool(pid) and resource.prlimit(pid, resource.RLIMIT_FSIZE)[0] == 1


class LogClockAhead(Fault):
    """The clock was two hours ahead for a while: the last lines of a log are dated in the future."""

    scope = "module"
    modules = ["wfserver", *(name for name in SUPERVISED if name != "wfserver")]
    seen = "three info lines in the module's log with a time two hours from now"
    MARK = "written while the clock was ahead"

    def strike(self, work: Work) -> None:
        path = os.path.join(work.home.logs(work.instance), work.module + ".log")
        work.undo_with("cut", path=path, mark=self.MARK)
        with open(path, "a", encoding="utf-8") as stream:
            for _ in range(3):
                stream.write(format_line(work.home.build, "info", "log", self.MARK,
                                         ahead=7200.0) + "\n")

    def present(self, work: Work) -> bool:
        path = os.path.join(work.home.logs(work.instance), work.module + ".log")
        with open(path, encoding="utf-8", errors="replace") as stream:
            return self.MARK in stream.read()


def _copy_end(source: str, target: str) -> None:
    """The last part of a log, whole lines, with its time and mode."""
    if not os.path.isfile(source):
        return
    with open(source, "rb") as stream, open(target, "wb") as copy:
        size = os.fstat(stream.fileno()).st_size
        if size > KEPT_BYTES:
            stream.seek(size - KEPT_BYTES)
            stream.readline()
        shutil.copyfileobj(stream, copy)
    shutil.copystat(source, target)
