"""The base of every module's process.

A module is a class with a ``run`` method. The starting script of its name in ``<home>/lib``
calls :func:`main`, which finds the class (``layout.IMPLEMENTATIONS``) and runs it::

    class Stat(Module):
        title = "Statistics server"

        def run(self) -> None:
            with self.bound_socket() as server:
                while not self.stopping.is_set():
                    if server in self.wait(60, server):
                        self.answer(server)

Everything waits in :meth:`Module.wait`: it sleeps in ``select`` and wakes for signals, so an
idle module costs nothing.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import socket
import sys
import threading
import time

from campaign_lab import process
from campaign_lab.builds import CURRENT
from campaign_lab.config import Config, ConfigError
from campaign_lab.layout import (
    CHILDREN,
    IMPLEMENTATIONS,
    UTILITIES,
    Home,
    Server,
    write_json,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, NoReturn, Optional, Tuple

    from campaign_lab.builds import Build
    from campaign_lab.config import Settings

DATAGRAM_LIMIT = 32000
STOP_GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""


class Arguments:
    """The documented command line of a module, parsed.

    ``wfserver -tracefile:wfserver@prod -instance:prod -detach -verbose``
    """

    def __init__(self, module: str, words: List[str]) -> None:
        self.module = module
        self.words = words
        options: Dict[str, str] = {}
        self.positional = [word for word in words if not word.startswith("-")]
        for word in words:
            if word.startswith("-"):
                name, _, value = word[1:].partition(":")
                options[name] = value
        self.options = options
        """Without the leading dash: {"instance": "prod", "detach": ""}"""
        self.instance = options.get("instance") or "default"
        self.detached = "detach" in options
        self.console = not self.detached and "noconsole" not in options
        self.verbose = "verbose" in options
        self.filters = [name for name in options.get("tracefilter", "").split(",") if name]
        file, _, instance = options.get("tracefile", "").partition("@")
        self.log_file = file or module
        """The log's file name, without ``.log``."""
        self.log_instance = instance or self.instance

    def traces(self, category: str) -> bool:
        """Does -tracefilter let this category through? ``*`` is all, ``!x`` leaves x out."""
        if "!" + category in self.filters:
            return False
        return category in self.filters or "*" in self.filters


class Log:
    """Sends log lines to syslogd; modules never write files.

    One datagram is ``instance NUL file NUL line``; the line is what syslogd writes, without
    the newline. If nobody listens, the line is lost, as in life.
    """

    def __init__(
        self, address: Tuple[str, int], arguments: Arguments, build: Build
    ) -> None:
        self.address = address
        self.build = build
        self.arguments = arguments
        self.verbosity = 3 if arguments.filters else 2 if arguments.verbose else 1
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def write(self, level: str, category: str, message: str) -> None:
        """Send one line, and show it on the console if there is one."""
        arguments = self.arguments
        line = format_line(self.build, level, category, message, self.verbosity)
        head = "%s\0%s\0" % (arguments.log_instance, arguments.log_file)
        data = (head + line).encode("utf-8", "replace")[:DATAGRAM_LIMIT]
        try:
            self._socket.sendto(data, self.address)
        except OSError:
            pass
        if arguments.console:
            console(message)


def format_line(
    build: Build, level: str, category: str, message: str, verbosity: int = 1
) -> str:
    """A line of a log file, as the build writes it."""
    now = time.time()
    return build.log_line.format(
        stamp="%s.%03dZ" % (time.strftime(build.stamp, time.gmtime(now)), now % 1 * 1000),
        pid=os.getpid(), tid="%08X" % threading.get_native_id(), verbosity=verbosity, level=level,
        category=category, message=message.replace("\n", "#012").replace("\t", "#011"),
    )


def console(message: str) -> None:
    """A line as nlserver prints it."""
    print("%s >   %s" % (time.strftime("%H:%M:%S"), message), flush=True)


class Module:
    """One process of the server."""

    title = ""
    """How the module calls itself in its first line; the default is its name."""

    def __init__(self, home: Home, arguments: Arguments) -> None:
        self.home = home
        self.arguments = arguments
        self.module = arguments.module
        self.instance = arguments.instance
        self.server = Server.of_home(home)
        self.config = Config(home)
        self.settings: Settings = self.config.settings(self.module, self.instance)
        self.started_at = time.time()
        self.stopping = threading.Event()
        """Set by SIGTERM and SIGINT."""
        self.children: Dict[int, List[str]] = {}
        """pid -> arguments, of the processes started with spawn()."""
        self._reload_asked = False
        self._parent = os.getppid()
        self._wakeup, wakeup_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup_in, warn_on_full_buffer=False)
        self._log = Log(syslogd_address(self.server, self.config), arguments, home.build)

    # ------------------------------------------------------------------ for the subclass

    def prepare(self) -> None:
        """Take what must be held before the module counts as started (sockets, memory).

        An exception here is logged and ends the process with 1.
        """

    def run(self) -> None:
        """Work until :attr:`stopping` is set."""
        raise NotImplementedError

    def on_reload(self) -> None:
        """Called after SIGHUP, when config and settings have been read anew."""

    def on_stop(self) -> None:
        """Called once before the process ends, whatever the reason."""

    # ----------------------------------------------------------------------------- tools

    def log(self, level: str, category: str, message: str) -> None:
        """A log line. Levels: ``info``, ``warning``, ``error``."""
        self._log.write(level, category, message)

    def info(self, message: str, category: str = "log") -> None:
        """A normal line."""
        self.log("info", category, message)

    def warning(self, message: str, category: str = "log") -> None:
        """A warning."""
        self.log("warning", category, message)

    def error(self, message: str, category: str = "log") -> None:
        """An error."""
        self.log("error", category, message)

    def verbose(self, message: str, category: str = "log") -> None:
        """A line that only -verbose (and trace mode) lets through."""
        if self.arguments.verbose or self.arguments.filters:
            self.log("info", category, message)

    def trace(self, category: str, message: str) -> None:
        """A line that only -tracefilter:<category> lets through."""
        if self.arguments.traces(category):
            self.log("info", category, message)

    @property
    def var(self) -> str:
        """The instance's data directory, ``var/<instance>``."""
        return os.path.join(self.home.var, self.instance)

    @property
    def temporary(self) -> str:
        """TMPDIR of customer.sh, else /tmp."""
        return os.environ.get("TMPDIR") or "/tmp"

    def fault(self, name: str) -> bool:
        """Is a fault switched on that cannot be done to the system itself?"""
        return self.home.fault(name, self.instance)

    def wait(self, seconds: float, *readers: Any) -> List[Any]:
        """Sleep until a reader is ready, a signal came or the time is over.

        Returns the ready readers (sockets or descriptors); none after a signal or in time.
        To be called in the main thread only. A child whose parent is gone begins to stop.
        """
        if self.stopping.is_set():
            return []
        try:
            ready, _, _ = select.select([self._wakeup, *readers], [], [], max(0.0, seconds))
        except OSError:  # a reader was closed by another thread
            ready = []
        if self._wakeup in ready:
            ready.remove(self._wakeup)
            while True:
                try:
                    os.read(self._wakeup, 512)
                except BlockingIOError:
                    break
        if self._reload_asked:
            self._reload_asked = False
            self._reload()
        if self.module in CHILDREN and os.getppid() != self._parent:
            self.stopping.set()
        return ready

    def spawn(self, name: str, *words: str) -> int:
        """Start a child process, ``nlserver <name> -tracefile:… -instance:… -detach <words>``.

        Its end shows in :meth:`reap`; it is terminated when this module ends.
        """
        arguments = [name, "-tracefile:%s@%s" % (name, self.instance),
                     "-instance:" + self.instance, "-detach", *words]
        pid = process.spawn(self.home, arguments, session=False)
        self.children[pid] = arguments
        return pid

    def reap(self) -> List[Tuple[int, int]]:
        """Children that ended: (pid, exit code; minus the signal's number if one killed it).

        :meth:`wait` returns early when a child ends (SIGCHLD).
        """
        ended = []
        for pid in list(self.children):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done, status = pid, 0
            if done:
                del self.children[pid]
                ended.append((pid, exit_code(status)))
        return ended

    # --------------------------------------------------------------------- life of a process

    def main(self) -> int:
        """From the first line to the last; gives the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGHUP, self._on_reload_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes wait()
        record = process.record_path(self.home, self.module, self.instance, os.getpid())
        code = 0
        try:
            self.prepare()
            self.info(self.home.build.banner)
            self.info("%s start (pid=%d, tid=%d)..." % (
                self.title or self.module, os.getpid(), threading.get_native_id()))
            self.write_record(record)
            self.run()
        except Exception:
            import traceback

            self.error(traceback.format_exc().strip())
            code = 1
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        finally:
            self.on_stop()
            self.stop_children()
            if self.module in UTILITIES + CHILDREN:
                unlink(record)
        return code

    def write_record(self, path: str) -> None:
        """Say which process runs this task. ``nlserver stop`` sets wanted to ``stopped``."""
        write_json(path, {
            "pid": os.getpid(), "module": self.module, "instance": self.instance,
            "started_at": self.started_at, "arguments": self.arguments.words,
            "wanted": "running",
        })

    def stop_children(self) -> None:
        """SIGTERM, then SIGKILL."""
        for number, seconds in ((signal.SIGTERM, STOP_GRACE_SECONDS), (signal.SIGKILL, 1.0)):
            for pid in self.children:
                kill(pid, number)
            deadline = time.monotonic() + seconds
            while self.children and time.monotonic() < deadline:
                if not self.reap():
                    time.sleep(0.02)

    def _on_stop_signal(self, _number: int, _frame: object) -> None:
        if not self.stopping.is_set():
            self.stopping.set()
            self.info("Stop requested (pid=%d)" % os.getpid())

    def _on_reload_signal(self, _number: int, _frame: object) -> None:
        self._reload_asked = True

    def _reload(self) -> None:
        try:
            self.config = Config(self.home)
        except ConfigError as error:
            self.error("Configuration not reloaded: %s" % error)
            return
        self.settings = self.config.settings(self.module, self.instance)
        self.info("Configuration reloaded")
        self.on_reload()


def syslogd_address(server: Server, config: Optional[Config]) -> Tuple[str, int]:
    """Where log lines go: the port of serverConf.xml, else the default of the build."""
    port = server.ports["syslogd"]
    if config:
        port = config.settings("syslogd").number("port", server.home.build.syslogd_port)
    return server.address, port


def exit_code(status: int) -> int:
    """Of a wait status (os.waitstatus_to_exitcode came with Python 3.9)."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def kill(pid: int, number: int) -> bool:
    """Send a signal; False if there is no such process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def unlink(path: str) -> None:
    """Remove a file that may be gone."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def main(path: str, build: str = CURRENT.name) -> NoReturn:
    """Entry of the starting scripts in ``<home>/lib``: the script's name is the module's."""
    home = Home(path, build)
    name = os.path.basename(sys.argv[0])
    arguments = Arguments(name, sys.argv[1:])
    file, _, class_name = IMPLEMENTATIONS[name].partition(":")
    implementation = getattr(importlib.import_module(file), class_name)
    try:
        module: Module = implementation(home, arguments)
    except ConfigError as error:
        address = syslogd_address(Server.of_home(home), None)
        Log(address, arguments, home.build).write("error", "log", "Configuration error: %s" % error)
        sys.exit(1)
    sys.exit(module.main())
