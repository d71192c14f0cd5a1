"""The ``nlserver`` command. ``pdump`` is the fast path: it imports only what it needs."""

from __future__ import annotations

import os
import sys
import time

from campaign_lab import process
from campaign_lab.builds import CURRENT
from campaign_lab.layout import IMPLEMENTATIONS, Home, task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

HIDDEN = ("mtachild", "front", "redirection")
"""Processes that nobody starts by hand."""
USAGE = """usage: nlserver <command> [options]

  pdump [-who]                              running modules; connected operators
  monitor [-missing]                        indicators as XML; autoStart modules that do not run
  start|stop|restart <module>[@<instance>]  [-verbose] [-noconsole] [-immediate] [-tomcat]
                                            [-tracefilter:<list>] [-tracefile:<file>@<instance>]
  stop <mask>@<instance>                    a module and its children: mta*
  shutdown                                  stop everything
  watchdog [-svc] -noconsole                start everything
  config -reload                            read the configuration again
  stat -reload                              read the quotas again
  <module> [-instance:<instance>] ...       run a module in the foreground
  <module> -?                               usage of a module
  -version                                  version of this server
"""


def line(text: str) -> str:
    """A line as nlserver prints it."""
    return "%s >   %s" % (time.strftime("%H:%M:%S"), text)


def pdump(home: Home, options: List[str]) -> int:
    """The running tasks, one a line."""
    out = [line(home.build.banner)]
    for task in process.running(home):
        out.append("%s (%d) - %.1f %s" % (
            task_name(task.module, task.instance), task.pid, task.memory_mb,
            home.build.memory_unit))
    if len(out) == 1 and home.build.nothing_runs:
        out.append(home.build.nothing_runs)
    if "-who" in options:
        out += who(home)
    sys.stdout.write("\n".join(out) + "\n")
    return 0


def who(home: Home) -> List[str]:
    """Connected operators and connection pools; web writes them down."""
    from campaign_lab.layout import read_json

    state = {}
    if process.find(home, "web", "default"):
        try:
            state = read_json(home.sessions)
        except (OSError, ValueError):
            pass
    rule = "-" * 66
    out = [("Connections " + rule)[:66], "Last Access IP Instance Login"]
    for entry in state.get("connections", []):
        at = time.strftime("%d/%m/%Y %H:%M:%S", time.localtime(entry["at"]))
        out.append("%s %s %s %s" % (at, entry["ip"], entry["instance"], entry["login"]))
    out += [("Connection pool " + rule)[:66], "Datasource Server Provider Login"]
    for pool in state.get("pools", []):
        out.append("%s %s %s %s" % (
            pool["datasource"], pool["server"], pool["provider"], pool["login"]))
    return out


def usage(module: str) -> int:
    """``nlserver <module> -?``."""
    sys.stdout.write(
        "usage: nlserver %s [-instance:<instance>] [-verbose] [-noconsole] [-detach]\n"
        "       [-tracefilter:<list>] [-tracefile:<file>@<instance>]%s\n" % (
            module, " [-tomcat] [-autorepair]" if module == "web" else ""))
    return 0


def dispatch(home: Home, words: List[str]) -> int:
    """Run one command; gives its exit code."""
    command, options = words[0], words[1:]
    if command == "pdump":
        return pdump(home, options)
    if command in ("-version", "--version"):
        print(home.build.banner)
        return 0
    if command in ("-?", "-help", "help"):
        sys.stdout.write(USAGE)
        return 0
    known = command in IMPLEMENTATIONS and command not in HIDDEN
    if known and ("-?" in options or "-help" in options):
        return usage(command)
    if command == "monitor":
        from campaign_lab.monitor import missing, monitor

        return missing(home) if "-missing" in options else monitor(home)
    return act(home, command, options, known)


def act(home: Home, command: str, options: List[str], known: bool) -> int:
    """The commands that change something."""
    from campaign_lab import control

    targets = [word for word in options if not word.startswith("-")]
    if command in ("start", "stop", "restart"):
        if len(targets) != 1:
            raise control.Failure("usage: nlserver %s <module>[@<instance>]" % command)
        switches = [word for word in options if word.startswith("-")]
        getattr(control, command)(home, targets[0], switches)
    elif command == "shutdown":
        control.shutdown(home)
    elif command == "watchdog":
        control.watchdog(home, options)
    elif command in ("config", "stat") and "-reload" in options:
        control.reload(home, command, options)
    elif known:
        control.direct(home, command, options)
    else:
        raise control.Failure("Unknown command '%s'; 'nlserver -?' lists them" % command)
    return 0


def main(path: str, build: str = CURRENT.name) -> int:
    """Entry of ``<home>/bin/nlserver``."""
    home = Home(path, build)
    owner = os.stat(path).st_uid
    if owner != os.geteuid():
        sys.stderr.write(line("nlserver must run as the owner of %s (uid %d), not as uid %d\n" % (
            path, owner, os.geteuid())))
        return 1
    if home.fault("nlserver_hangs"):
        import signal

        signal.pause()
    if len(sys.argv) < 2:
        sys.stderr.write(USAGE)
        return 1
    try:
        return dispatch(home, sys.argv[1:])
    except BrokenPipeError:
        return 1
    except Exception as error:
        from campaign_lab.config import ConfigError
        from campaign_lab.control import Failure

        if not isinstance(error, (ConfigError, Failure, OSError, ValueError)):
            raise
        sys.stderr.write(line("%s\n" % error))
        return 1
