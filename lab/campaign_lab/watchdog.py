"""watchdog: starts every autoStart module by run level and keeps them alive."""

from __future__ import annotations

import os
import time

from campaign_lab import process
from campaign_lab.config import RESTART_TIME, Settings
from campaign_lab.layout import read_json, task_name, write_text
from campaign_lab.lean import signal
from campaign_lab.runtime import STOP_GRACE_SECONDS, Module, kill, unlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional, Tuple

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
STABLE_SECONDS = 60.0
"""A module that lived so long did not die of its start: the delay begins anew."""
START_SECONDS = 5.0
ADOPTED_CHECK_SECONDS = 3.0
LONGEST_SLEEP = 600.0


class Supervised:
    """What the watchdog knows of one task."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pid = 0
        self.adopted = False
        """Started by an earlier watchdog: its end is not told by SIGCHLD."""
        self.started_at = 0.0
        self.failures = 0
        self.start_at: Optional[float] = None
        """When to start it again."""
        self.restart_at: Optional[float] = None
        """The next daily restart."""
        self.kill_at: Optional[float] = None
        """Set while it stops for its daily restart."""

    @property
    def name(self) -> str:
        return task_name(self.settings.module, self.settings.instance)

    def events(self) -> Iterable[float]:
        """Times at which something is to be done for it."""
        times = (self.start_at, self.restart_at if self.pid else None, self.kill_at)
        return (moment for moment in times if moment is not None)


class Watchdog(Module):
    """The parent of all modules."""

    title = "Watchdog"

    def prepare(self) -> None:
        """Requests of an earlier life are void; SIGUSR1 says that there is a new one."""
        self.tasks: Dict[Tuple[str, str], Supervised] = {}
        for name in os.listdir(self.home.requests):
            unlink(os.path.join(self.home.requests, name))
        signal.signal(signal.SIGUSR1, lambda *_: None)  # wakes wait()

    def run(self) -> None:
        write_text(self.home.pid_file, "%d\n" % os.getpid())
        self.start_all()
        while not self.stopping.is_set():
            self.wait(self.sleep_seconds())
            self.collect()
            self.obey()
            self.act(time.time())

    def on_stop(self) -> None:
        self.stop_all()
        unlink(self.home.pid_file)

    def on_reload(self) -> None:
        for task in self.tasks.values():
            settings = task.settings
            task.settings = self.config.settings(settings.module, settings.instance)
            task.restart_at = next_time(task.settings.restart_time, time.time())

    # ----------------------------------------------------------------------------- starting

    def start_all(self) -> None:
        """Level by level, each started when the one before runs."""
        wanted = [settings for settings in self.config.tasks() if settings.auto_start]
        for level in sorted({settings.run_level for settings in wanted}):
            started = [self.supervise(settings) for settings in wanted
                       if settings.run_level == level]
            for task in started:
                process.set_wanted(self.home, task.settings.module, task.settings.instance,
                                   "running")
                self.start(task)
            self.wait_until_running(started)

    def supervise(self, settings: Settings) -> Supervised:
        key = (settings.module, settings.instance)
        if key not in self.tasks:
            self.tasks[key] = Supervised(settings)
        return self.tasks[key]

    def start(self, task: Supervised, words: Optional[List[str]] = None) -> None:
        """Start a task, or adopt the process that a watchdog before this one left."""
        settings = task.settings
        task.start_at = task.kill_at = None
        task.started_at = time.time()
        task.restart_at = next_time(settings.restart_time, task.started_at)
        survivor = process.find(self.home, settings.module, settings.instance)
        if survivor:
            task.pid, task.adopted = survivor.pid, True
            self.info("Task '%s' runs already (pid=%d)" % (task.name, task.pid))
            return
        arguments = module_arguments(settings.module, settings.instance,
                                     settings.args if words is None else words)
        task.pid, task.adopted = process.spawn(self.home, arguments, self.environment()), False
        self.children[task.pid] = arguments
        self.info("Starting task '%s' ('nlserver %s') in a new process (pid=%d)" % (
            task.name, " ".join(arguments), task.pid))

    def environment(self) -> Dict[str, str]:
        """env.sh as it is now: an edited customer.sh holds from the next start of a module."""
        try:
            return process.environment(self.home)
        except (OSError, ValueError) as error:
            self.error("env.sh cannot be used: %s" % error)
            return dict(os.environ)

    def wait_until_running(self, tasks: List[Supervised]) -> None:
        """Until each has written its run record or died; not for ever."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not self.stopping.is_set():
            self.collect()
            if all(not task.pid or recorded_pid(self, task) == task.pid for task in tasks):
                return
            self.wait(0.02)

    # ---------------------------------------------------------------------------- watching

    def sleep_seconds(self) -> float:
        """Until the next thing to do; SIGCHLD and SIGUSR1 wake earlier."""
        now = time.time()
        longest = LONGEST_SLEEP
        if any(task.adopted and task.pid for task in self.tasks.values()):
            longest = ADOPTED_CHECK_SECONDS
        due = [moment - now for task in self.tasks.values() for moment in task.events()]
        return max(0.0, min([longest, *due]))

    def collect(self) -> None:
        """Take note of every task that ended."""
        ended = dict(self.reap())
        for task in self.tasks.values():
            settings = task.settings
            if task.pid in ended:
                self.note_end(task, ended[task.pid])
            elif (task.adopted and task.pid
                  and not process.alive(self.home, settings.module, task.pid)):
                self.note_end(task, None)

    def note_end(self, task: Supervised, code: Optional[int]) -> None:
        """Decide what follows the end of a process: nothing, a restart now, or one later."""
        pid, task.pid, task.adopted = task.pid, 0, False
        now = time.time()
        if task.kill_at is not None:
            self.start(task)
            return
        if self.stopping.is_set():
            return
        if self.stopped_by_hand(task):
            self.info("Task '%s' stopped (pid=%d)" % (task.name, pid))
            task.failures = 0
            return
        if now - task.started_at >= STABLE_SECONDS:
            task.failures = 0
        process.note_end(self.home, task.settings.module, task.settings.instance, how(code))
        delay = min(FIRST_DELAY * 2 ** task.failures, LONGEST_DELAY)
        task.failures += 1
        task.start_at = now + delay
        self.error("Task '%s' ended unexpectedly (pid=%d, %s); restart in %d s" % (
            task.name, pid, how(code), delay))

    def stopped_by_hand(self, task: Supervised) -> bool:
        """Did ``nlserver stop`` end it? It says so in the run record before."""
        settings = task.settings
        return process.wanted(self.home, settings.module, settings.instance) == "stopped"

    def act(self, now: float) -> None:
        """What is due: restarts after a death, daily restarts, the kill of a slow stop."""
        for task in self.tasks.values():
            if task.start_at is not None and now >= task.start_at:
                if self.stopped_by_hand(task):
                    task.start_at = None
                else:
                    self.start(task)
            elif task.kill_at is not None and now >= task.kill_at:
                task.kill_at = now + STOP_GRACE_SECONDS
                kill(task.pid, signal.SIGKILL)
            elif task.pid and task.restart_at is not None and now >= task.restart_at:
                task.restart_at = None
                task.kill_at = now + STOP_GRACE_SECONDS
                self.info("Daily restart of task '%s' (pid=%d)" % (task.name, task.pid))
                kill(task.pid, signal.SIGTERM)

    def obey(self) -> None:
        """Start what ``nlserver start`` asks for."""
        for name in sorted(os.listdir(self.home.requests)):
            if not name.endswith(".json"):
                continue
            path = os.path.join(self.home.requests, name)
            request: Dict[str, Any] = read_json(path)
            settings = self.config.settings(request["module"], request["instance"])
            task = self.supervise(settings)
            if task.pid and not process.alive(self.home, settings.module, task.pid):
                continue  # it is ending: SIGCHLD brings us back
            unlink(path)
            if not task.pid:
                task.failures = 0
                process.set_wanted(self.home, settings.module, settings.instance, "running")
                self.start(task, request["words"])

    # ---------------------------------------------------------------------------- stopping

    def stop_all(self) -> None:
        """High run levels first: syslogd, which all others need, is the last."""
        levels = sorted({task.settings.run_level for task in self.tasks.values()}, reverse=True)
        for level in levels:
            running = [task for task in self.tasks.values()
                       if task.pid and task.settings.run_level == level]
            for number, grace in ((signal.SIGTERM, STOP_GRACE_SECONDS), (signal.SIGKILL, 2.0)):
                for task in running:
                    kill(task.pid, number)
                deadline = time.monotonic() + grace
                while running and time.monotonic() < deadline:
                    self.reap()
                    running = [task for task in running if process.alive(
                        self.home, task.settings.module, task.pid)]
                    if running:
                        time.sleep(0.02)


def module_arguments(module: str, instance: str, words: List[str]) -> List[str]:
    """The documented command line of a module in the background."""
    own = ["-autorepair"] if module == "web" and "-autorepair" not in words else []
    return [module, "-tracefile:%s@%s" % (module, instance), "-instance:" + instance, "-detach",
            *words, *own]


def recorded_pid(watchdog: Watchdog, task: Supervised) -> int:
    """The pid in the task's run record."""
    return process.recorded_pid(
        watchdog.home.record(task.settings.module, task.settings.instance))


def how(code: Optional[int]) -> str:
    """The end of a process in words."""
    if code is None:
        return "not a child of this watchdog"
    return "signal %d" % -code if code < 0 else "exit code %d" % code


def next_time(clock: str, after: float) -> Optional[float]:
    """The next moment (epoch) at which a local clock shows HH:MM:SS; None if it is no time."""
    try:
        hours, minutes, seconds = (int(part) for part in (clock or RESTART_TIME).split(":"))
    except ValueError:
        return None
    day = time.localtime(after)
    for ahead in (0, 1, 2):
        moment = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + ahead,
                              hours, minutes, seconds, 0, 0, -1))
        if moment > after:
            return moment
    return None
