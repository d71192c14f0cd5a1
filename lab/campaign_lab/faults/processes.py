"""Faults of processes: dead, stopped, stuck, too big, left behind."""

from __future__ import annotations

import glob
import os
import resource
import shutil
import signal
import subprocess

from campaign_lab import process
from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.system import (
    FaultError,
    children_of,
    pid_of,
    resident_mb,
    start_ticks,
    state_of,
    wait_until,
)
from campaign_lab.layout import INSTANCE_MODULES, SHARED_MODULES, read_json, write_json

PERMANENT = ["wfserver", *(name for name in (*SHARED_MODULES, *INSTANCE_MODULES)
                           if name != "wfserver")]
SUPERVISED = [name for name in PERMANENT if name != "watchdog"]
LEAK_MB = 90
WARNING_MB, ALERT_MB = 60, 80
"""Limits of the lab's own while a process is too big: nobody wants 1.8 GB for a test."""


class ModuleKilled(Fault):
    """A module died (SIGKILL) and the watchdog has given up on it."""

    scope = "module"
    modules = PERMANENT
    seen = "process and ports gone, log ends without `Stop requested`; named by monitor -missing"

    def strike(self, work: Work) -> None:
        work.ensure_running()
        work.undo_with("start", module=work.module, instance=work.instance)
        record = work.home.record(work.module, work.instance)
        write_json(record, dict(read_json(record), wanted="stopped"))
        work.kill()

    def present(self, work: Work) -> bool:
        return not work.pid


class ModuleStoppedByHand(Fault):
    """An operator stopped a module (nlserver stop) and forgot it."""

    scope = "module"
    modules = SUPERVISED
    seen = "as module_killed, but the last line of its log is `Stop requested (pid=…)`"

    def strike(self, work: Work) -> None:
        work.ensure_running()
        work.undo_with("start", module=work.module, instance=work.instance)
        work.nlserver("stop", "%s@%s" % (work.module, work.instance))

    def present(self, work: Work) -> bool:
        return not work.pid


class ModuleCrashLoop(Fault):
    """A module crashes (SIGSEGV) soon after each start; the watchdog restarts it repeatedly."""

    scope = "module"
    modules = SUPERVISED
    rereads = True
    seen = ("short-lived processes; many pids in its log within minutes; watchdog.log: `ended "
            "unexpectedly (…, signal 11); restart in N s`; mostly named by monitor -missing")
    LIFE = ("import os, signal, threading\n"
            "_end = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGSEGV))\n"
            "_end.daemon = True\n_end.start()")

    def strike(self, work: Work) -> None:
        last = work.ensure_running()
        work.undo_with("restart", module=work.module, instance=work.instance)
        work.damage(work.module, self.LIFE)
        work.kill()
        starts = {last}

        def looping() -> bool:
            starts.add(_recorded(work))
            return len(starts) >= 3 and not work.pid

        wait_until(looping, 15, "two crashes")
        work.remember(last=last)

    def present(self, work: Work) -> bool:
        path = os.path.join(work.home.lib, work.module)
        with open(path, encoding="utf-8") as stream:
            damaged = "'-instance:%s'" % work.instance in stream.read()
        return damaged and work.pid != work.notes.get("last")


def _recorded(work: Work) -> int:
    return process.recorded_pid(work.home.record(work.module, work.instance))


class ModuleHung(Fault):
    """A module's process is suspended (SIGSTOP): it exists but does nothing."""

    scope = "module"
    modules = ["web", *(name for name in PERMANENT if name != "web")]
    seen = "state T; in pdump and not named by monitor -missing; ports held, no answers; silent"

    def strike(self, work: Work) -> None:
        work.freeze(work.ensure_running())

    def present(self, work: Work) -> bool:
        return state_of(work.pid) == "T"


class ModuleMemoryHigh(Fault):
    """A module's process has grown beyond its memory limits."""

    scope = "module"
    modules = SUPERVISED
    seen = ("resident memory above 90 MB in pdump; config-<instance>.xml sets this module's "
            "maxProcessMemoryWarningMb/AlertMb to 60/80 (time of the file unchanged)")

    def strike(self, work: Work) -> None:
        work.ensure_running()
        work.undo_with("restart", module=work.module, instance=work.instance)
        work.set_attributes(work.module, {"maxProcessMemoryWarningMb": str(WARNING_MB),
                                          "maxProcessMemoryAlertMb": str(ALERT_MB)}, work.instance)
        work.poison("_leak = b'x' * (%d << 20)" % LEAK_MB)

    def present(self, work: Work) -> bool:
        return resident_mb(work.pid) > LEAK_MB


class WatchdogKilled(Fault):
    """The watchdog died (SIGKILL); the modules continue without it."""

    seen = "no watchdog in pdump; modules run with another parent; the pid file names a dead pid"

    def strike(self, work: Work) -> None:
        work.undo_with("start", module="watchdog", instance="default")
        work.kill("watchdog")

    def present(self, work: Work) -> bool:
        return not pid_of(work.home, "watchdog", "default")


class EverythingDown(Fault):
    """Campaign was shut down (nlserver shutdown); the front-end web server still runs."""

    seen = "pdump: `No tasks`; no port of Campaign's is held; the front answers 502 for /nl/"

    def strike(self, work: Work) -> None:
        work.undo_with("start_all")
        work.nlserver("shutdown")

    def present(self, work: Work) -> bool:
        return not process.running(work.home)


class ModuleHandlesExhausted(Fault):
    """A process has used up the files that it may open (its limit was lowered)."""

    scope = "module"
    modules = ["web", *(name for name in SUPERVISED if name != "web")]
    seen = "/proc/<pid>/limits: open files at most two above what is open; errno 24 in its log"

    def strike(self, work: Work) -> None:
        pid = work.ensure_running()
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        work.undo_with("limit", kind=resource.RLIMIT_NOFILE, soft=soft, **undo.identity(pid))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (_open_files(pid) + 1, hard))
        work.remember(pid=pid)

    def present(self, work: Work) -> bool:
        pid = work.pid
        if not pid or pid != work.notes.get("pid"):
            return False
        return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] < 50


def _open_files(pid: int) -> int:
    return len(os.listdir("/proc/%d/fd" % pid))


class CoreFile(Fault):
    """wfserver crashed and left a core file; the watchdog has started it again."""

    scope = "module"
    modules = ["wfserver", *(name for name in SUPERVISED if name != "wfserver")]
    seen = "var/core.<pid> (ELF core, SIGSEGV); the module runs under a new pid; watchdog.log"

    def strike(self, work: Work) -> None:
        pid = work.ensure_running()
        core = os.path.join(work.home.var, "core.%d" % pid)
        before = set(glob.glob(os.path.join(work.home.lib, "core*")))
        work.undo_with("start", module=work.module, instance=work.instance)
        work.undo_with("remove", path=core)
        hard = resource.prlimit(pid, resource.RLIMIT_CORE)[1]
        resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))
        work.kill(number=signal.SIGSEGV)
        dumped = set(glob.glob(os.path.join(work.home.lib, "core*"))) - before
        for path in dumped:  # where the kernel's core_pattern left it
            shutil.move(path, core)
        if not dumped:  # the pattern sends cores elsewhere, or they are forbidden here
            with open(core, "wb") as stream:
                stream.write(CORE_HEADER + bytes(4096 - len(CORE_HEADER)))
        work.remember(core=core, before=pid)

    def present(self, work: Work) -> bool:
        core = work.notes.get("core", "")
        return os.path.exists(core) and work.pid not in (0, work.notes["before"])

    def healed(self, work: Work) -> bool:
        return not os.path.exists(work.notes.get("core", ""))


CORE_HEADER = (b"\x7fELF\x02\x01\x01" + bytes(9) + (4).to_bytes(2, "little")
               + (62).to_bytes(2, "little") + (1).to_bytes(4, "little"))
"""The start of an ELF file of type core."""


class Zombie(Fault):
    """A module does not collect its ended children: three zombies below it."""

    scope = "module"
    modules = ["wfserver", *(name for name in SUPERVISED if name != "wfserver")]
    seen = "three processes in state Z whose parent is the module; a restart frees them"

    def strike(self, work: Work) -> None:
        work.poison("import os\nfor _ in range(3):\n    os.fork() or os._exit(0)")

    def present(self, work: Work) -> bool:
        return sum(state == "Z" for _, state, _ in children_of(work.pid or -1)) >= 3


class VerboseLeftOn(Fault):
    """An operator restarted a module with -verbose and left it so."""

    scope = "module"
    modules = PERMANENT[:1] + [name for name in SUPERVISED if name != "wfserver"]
    seen = "`-verbose` in the command line; verbosity 2 in its log's lines"

    def strike(self, work: Work) -> None:
        work.ensure_running()
        work.undo_with("restart", module=work.module, instance=work.instance)
        work.restart("", "-verbose")

    def present(self, work: Work) -> bool:
        return "-verbose" in process.command_line(work.pid)


class TraceLeftOn(Fault):
    """An operator started a module by hand with -tracefilter, outside the watchdog, and left it so."""

    scope = "module"
    modules = SUPERVISED
    seen = ("command line `nlserver <m> -instance:… -verbose -tracefilter:* -tracefile:<m>_debug@"
            "<i>`; no child of the watchdog; writes <m>_debug.log instead of <m>.log")

    def strike(self, work: Work) -> None:
        work.ensure_running()
        name = "%s@%s" % (work.module, work.instance)
        work.undo_with("start", module=work.module, instance=work.instance)
        work.undo_with("stop", module=work.module, instance=work.instance)
        work.nlserver("stop", name)
        log = os.path.join(work.home.logs(work.instance), work.module + "_debug.log")
        if not os.path.exists(log):
            work.undo_with("remove", path=log)
        subprocess.Popen(
            [work.home.join("bin/nlserver"), work.module, "-instance:" + work.instance, "-verbose",
             "-tracefilter:*", "-tracefile:%s_debug@%s" % (work.module, work.instance),
             *(["-tomcat"] if work.module == "web" else [])],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True,
        )  # fmt: skip

    def present(self, work: Work) -> bool:
        return "-tracefilter:*" in process.command_line(work.pid)


class NlserverHangs(Fault):
    """The nlserver command does not return, whatever its arguments."""

    seen = "bin/nlserver blocks for ever; processes, ports and logs are as usual"

    def strike(self, work: Work) -> None:
        program = work.home.join("bin/nlserver")
        work.undo_with("end_all", words=[program])
        with open(program, encoding="utf-8") as stream:
            first = stream.readline()
        work.write(program, first + "import signal\nwhile True:\n    signal.pause()\n")

    def present(self, work: Work) -> bool:
        command = [work.home.join("bin/nlserver"), "-version"]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=1.5, check=False)
        except subprocess.TimeoutExpired:
            return True
        return False


class PidFileStale(Fault):
    """The watchdog's pid file names a process that does not exist."""

    seen = "the pid in the pid file is dead; the watchdog runs under another one"

    def strike(self, work: Work) -> None:
        if not pid_of(work.home, "watchdog", "default"):
            raise FaultError("the watchdog does not run")
        ended = subprocess.Popen(["/bin/true"])
        ended.wait()
        work.write(work.home.pid_file, "%d\n" % ended.pid)

    def present(self, work: Work) -> bool:
        with open(work.home.pid_file, encoding="ascii") as stream:
            return int(stream.read()) != pid_of(work.home, "watchdog", "default")


class MachineZombies(Fault):
    """Another program of the machine leaves four zombies."""

    scope = "machine"
    seen = "four processes in state Z whose parent is a `backup-agent` outside every home"

    def strike(self, work: Work) -> None:
        work.remember(pid=work.helper("zombies", "4", title="backup-agent"))

    def present(self, work: Work) -> bool:
        pid = work.notes.get("pid", 0)
        return bool(start_ticks(pid)) and sum(
            state == "Z" for _, state, _ in children_of(pid)) >= 4


