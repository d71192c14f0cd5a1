"""``nlserver start|stop|restart|shutdown|watchdog|config -reload|stat -reload`` and direct starts.

With a watchdog, a module is started by it (a request file and SIGUSR1); without one, nlserver
starts it itself and nobody restarts it.
"""

from __future__ import annotations

import os
import time

from campaign_lab import process
from campaign_lab.config import Config, instances
from campaign_lab.layout import (
    CHILDREN,
    FRONT,
    INSTANCE_MODULES,
    SHARED_MODULES,
    UTILITIES,
    default_instance,
    task_name,
    write_json,
)
from campaign_lab.lean import signal
from campaign_lab.runtime import STOP_GRACE_SECONDS, console, kill, unlink
from campaign_lab.watchdog import module_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence, Tuple

    from campaign_lab.layout import Home
    from campaign_lab.process import Task

START_SECONDS = 30.0
KILL_SECONDS = 5.0
SHUTDOWN_SECONDS = 40.0
NO_TASK = "No task corresponds to the mask %s@%s"
WATCHDOG = ("watchdog", "-svc", "-noconsole")
CLI_ONLY = ("-noconsole", "-immediate", "-svc")
"""Options for nlserver itself: the started module does not get them."""


class Failure(Exception):
    """One line for the console; the exit code is 1."""


def start(home: Home, target: str, options: List[str]) -> None:
    """``nlserver start <module>[@<instance>] [options]``."""
    console(home.build.banner)
    module, instance = parse_target(target)
    if module == "watchdog":
        start_watchdog(home)
        return
    config = Config(home)
    check_instance(home, module, instance)
    running = process.find(home, module, instance)
    if running and module not in UTILITIES:
        raise Failure("Task '%s' is already running (pid=%d)" % (
            task_name(module, instance), running.pid))
    words = config.settings(module, instance).args
    words += [option for option in options if option not in (*CLI_ONLY, *words)]
    arguments = module_arguments(module, instance, words)
    console(home.build.launched.format(
        task=task_name(module, instance), command="nlserver " + " ".join(arguments)))
    launch(home, module, instance, arguments, words)


def launch(
    home: Home, module: str, instance: str, arguments: List[str], words: List[str]
) -> None:
    """Have it started, and wait until it runs."""
    watchdog = process.find(home, "watchdog", "default")
    began = time.time()
    if watchdog and module not in UTILITIES:
        name = "%s/%.6f-%d" % (home.requests, began, os.getpid())
        write_json(name + ".json", {"module": module, "instance": instance, "words": words})
        kill(watchdog.pid, signal.SIGUSR1)
    else:
        process.set_wanted(home, module, instance, "running")
        process.spawn(home, arguments, process.environment(home), detach=True)
    if module in UTILITIES:  # may be over before anyone looks
        return
    task = wait_for(home, module, instance, began)
    console(home.build.begun.format(title=module, pid=task.pid, tid=task.pid))


def wait_for(home: Home, module: str, instance: str, began: float) -> Task:
    """The running task, as soon as there is one; not longer than START_SECONDS."""
    name = task_name(module, instance)
    while True:
        task = process.find(home, module, instance)
        if task:
            return task
        how = process.ended_since(home, module, instance, began)
        if how:
            raise Failure("Task '%s' ended at once (%s); see its log" % (name, how))
        if time.time() > began + START_SECONDS:
            raise Failure("Task '%s' did not start; see its log" % name)
        time.sleep(0.02)


def stop(home: Home, target: str, options: List[str]) -> None:
    """``nlserver stop <module>[@<instance>] [-immediate]``: SIGTERM then SIGKILL, or SIGKILL."""
    console(home.build.banner)
    module, instance = parse_target(target, masks=True)
    if module == "watchdog":
        stop_watchdog(home)
        return
    if "*" in module:
        stop_all(home, module, instance, "-immediate" in options)
        return
    check_instance(home, module, instance)
    if not stop_task(home, module, instance, "-immediate" in options):
        raise Failure(NO_TASK % (module, instance))


def stop_all(home: Home, mask: str, instance: str, immediate: bool) -> None:
    """``nlserver stop mta*@prod``: every module of an instance that fits, and its children."""
    from fnmatch import fnmatchcase

    found = [task for task in process.recorded(home)
             if fnmatchcase(task.module, mask) and task.instance == instance
             and task.module not in FRONT and process.alive(home, task.module, task.pid)]
    for task in sorted(found, key=lambda task: task.module in CHILDREN):
        if task.module in CHILDREN:  # it may have ended with its parent
            end_task(home, task, immediate)
        else:
            stop_task(home, task.module, instance, immediate)
    if not found:
        raise Failure(NO_TASK % (mask, instance))


def stop_task(home: Home, module: str, instance: str, immediate: bool = False) -> bool:
    """Stop one task and tell the watchdog to leave it so; False if it does not run."""
    if module not in UTILITIES:
        process.set_wanted(home, module, instance, "stopped")
    task = process.find(home, module, instance)
    if task is None:
        return False
    end_task(home, task, immediate)
    return True


def end_task(home: Home, task: Task, immediate: bool) -> None:
    """SIGTERM then SIGKILL, or SIGKILL, and wait for its end."""
    console(told(home, task))
    steps = ((signal.SIGTERM, STOP_GRACE_SECONDS), (signal.SIGKILL, KILL_SECONDS))
    for number, seconds in steps[1:] if immediate else steps:
        kill(task.pid, number)
        if wait_gone(home, task.module, task.pid, seconds):
            return
    raise Failure("Process %d does not end" % task.pid)


def told(home: Home, task: Task) -> str:
    """What ``nlserver stop`` says."""
    return home.build.stop_told.format(
        task=task_name(task.module, task.instance), command=task.command, pid=task.pid,
        tid=task.pid)


def wait_gone(home: Home, module: str, pid: int, seconds: float) -> bool:
    """Wait for the end of a process."""
    deadline = time.monotonic() + seconds
    while process.alive(home, module, pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def restart(home: Home, target: str, options: List[str]) -> None:
    """``nlserver restart``: stop it if it runs, then start it."""
    module, instance = parse_target(target)
    if module == "watchdog":
        console(home.build.banner)
        stop_watchdog(home)
    else:
        Config(home)  # what could not be started again is not stopped
        check_instance(home, module, instance)
        stop_task(home, module, instance, "-immediate" in options)
    start(home, target, options)


def start_watchdog(home: Home, words: Sequence[str] = WATCHDOG) -> None:
    """Start the watchdog in the background: it starts everything."""
    Config(home)
    running = process.find(home, "watchdog", "default")
    if running:
        raise Failure("Task 'watchdog' is already running (pid=%d)" % running.pid)
    console(home.build.launched.format(task="watchdog", command="nlserver " + " ".join(words)))
    began = time.time()
    process.spawn(home, words, process.environment(home), detach=True)
    wait_for(home, "watchdog", "default", began)


def stop_watchdog(home: Home) -> None:
    """Stop the watchdog and, by it, all that it started."""
    task = process.find(home, "watchdog", "default")
    if task is None:
        raise Failure("Task 'watchdog' is not running")
    console(told(home, task))
    kill(task.pid, signal.SIGTERM)
    if not wait_gone(home, "watchdog", task.pid, SHUTDOWN_SECONDS):
        kill(task.pid, signal.SIGKILL)
        wait_gone(home, "watchdog", task.pid, KILL_SECONDS)
        unlink(home.pid_file)


def shutdown(home: Home) -> None:
    """Stop everything: the watchdog first, then what it does not know or left behind."""
    console(home.build.banner)
    if process.find(home, "watchdog", "default"):
        stop_watchdog(home)
    order = ["export", "import", "tracking", "wfserver", "inMail", "mta", "web", "trackinglogd",
             "stat", "syslogd"]
    left = process.running(home)
    for task in sorted(left, key=lambda task: order.index(task.module)):
        stop_task(home, task.module, task.instance)


def watchdog(home: Home, options: List[str]) -> None:
    """``nlserver watchdog [-svc] -noconsole``: in the background, without ``-noconsole`` not."""
    if "-noconsole" in options:
        console(home.build.banner)
        start_watchdog(home, ["watchdog", *options])
    else:
        direct(home, "watchdog", options)


def reload(home: Home, command: str, options: List[str]) -> None:
    """``nlserver config -reload``, ``nlserver stat -reload``: SIGHUP to those concerned."""
    Config(home)
    modules = ("web", "watchdog", *FRONT) if command == "config" else ("stat",)
    instance = next((option.partition(":")[2] for option in options
                     if option.startswith("-instance:")), "")
    tasks = [task for task in process.recorded(home)
             if task.module in modules and instance in ("", task.instance)
             and process.alive(home, task.module, task.pid)]
    for task in tasks:
        kill(task.pid, signal.SIGHUP)
    if command == "stat" and not tasks:
        raise Failure("Task 'stat' is not running")
    console("Reload requested")


def direct(home: Home, module: str, words: List[str]) -> None:
    """Become the module, in the foreground: ``nlserver wfserver -instance:prod -verbose …``.

    So run the utilities (export, import, tracking, runwf) and the modules in trace mode.
    """
    instance = next((word.partition(":")[2] for word in words
                     if word.startswith("-instance:")), "default")
    Config(home)
    if module != "watchdog":
        check_instance(home, module, instance)
    if module in SHARED_MODULES + INSTANCE_MODULES:
        running = process.find(home, module, instance)
        if running:
            raise Failure("Task '%s' is already running (pid=%d)" % (
                task_name(module, instance), running.pid))
    process.execute(home, [module, *words], process.environment(home))


def parse_target(target: str, masks: bool = False) -> Tuple[str, str]:
    """``module[@instance]``; without one the instance is ``default``."""
    module, _, instance = target.partition("@")
    instance = instance or "default"
    if module not in SHARED_MODULES + INSTANCE_MODULES + UTILITIES and not (
            masks and "*" in module):
        raise Failure(NO_TASK % (module, instance))
    return module, instance


def check_instance(home: Home, module: str, instance: str) -> None:
    """Has this instance a configuration, and does the module run in it?"""
    if instance not in instances(home):
        raise Failure("Instance '%s' does not exist: no file '%s/config-%s.xml'" % (
            instance, home.conf, instance))
    if default_instance(module) != (instance == "default"):
        hint = "without '@%s'" % instance if default_instance(module) else "with '@<instance>'"
        raise Failure("Module '%s' does not run in instance '%s': name it %s" % (
            module, instance, hint))
