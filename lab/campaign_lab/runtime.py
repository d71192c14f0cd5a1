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

import os
import select
import sys
import time

from campaign_lab import process, vanished
from campaign_lab.config import Config, ConfigError
from campaign_lab.layout import (
    CHILDREN,
    IMPLEMENTATIONS,
    UTILITIES,
    Home,
    Server,
    task_name,
    write_text,
)
from campaign_lab.lean import Flag, get_native_id, json_text, signal, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, NoReturn, Optional, Tuple

    from campaign_lab.builds import Build
    from campaign_lab.config import Settings

DATAGRAM_LIMIT = 32000
SHIPPED_FILTER = "nlmta"
"""mta has it from the start: it raises nothing."""
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
        self.filters = [name for name in options.get("tracefilter", "").split(",")
                        if name not in ("", SHIPPED_FILTER)]
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
    build: Build, level: str, category: str, message: str, verbosity: int = 1, ahead: float = 0.0
) -> str:
    """A line of a log file, as the build writes it; ``ahead``: of a clock that is that far off."""
    now = time.time() + ahead
    return build.log_line.format(
        stamp="%s.%03dZ" % (time.strftime(build.stamp, time.gmtime(now)), now % 1 * 1000),
        pid=os.getpid(), tid="%08X" % get_native_id(), verbosity=verbosity, level=level,
        category=category, message=message.replace("\n", "#012").replace("\t", "#011"),
    )


def console(message: str) -> None:
    """A line as nlserver prints it."""
    print("%s >   %s" % (time.strftime("%H:%M:%S"), message), flush=True)


class Module:
    """One process of the server."""

    title = ""
    """How the module calls itself in its first line; the default is its name."""

    def __init__(self, home: Home, server: Server, arguments: Arguments) -> None:
        self.home = home
        self.server = server
        self.arguments = arguments
        self.module = arguments.module
        self.instance = arguments.instance
        self.config = Config(home, self.instance)
        self.settings: Settings = self.config.settings(self.module, self.instance)
        self.started_at = time.time()
        self.stopping = Flag()
        """Set by SIGTERM and SIGINT."""
        self.children: Dict[int, List[str]] = {}
        """pid -> arguments, of the processes started with spawn()."""
        self._reload_asked = False
        self._parent = os.getppid()
        self._lifeline = self.module in CHILDREN and self.arguments.detached and is_pipe(0)
        """Standard input of a child is a pipe from its parent: its end is the parent's end."""
        self._childrens_line: Optional[Tuple[int, int]] = None
        self._wakeup, wakeup_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup_in, warn_on_full_buffer=False)
        self._log = Log(syslogd_address(self.server), arguments, home.build)

    # ------------------------------------------------------------------ for the subclass

    def prepare(self) -> None:
        """Take what must be held before the module counts as started (sockets, memory).

        An exception here is logged and ends the process with 1.
        """

    def run(self) -> None:
        """Work until :attr:`stopping` is set."""
        raise NotImplementedError

    def on_reload(self) -> None:
        """Called after SIGHUP, when config and settings have been read again."""

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
        ready = self._select([self._wakeup, *readers, *([0] if self._lifeline else [])], seconds)
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
        if self._lifeline and 0 in ready:
            ready.remove(0)
            self._lifeline = False
            self.stopping.set()
        return ready

    def _select(self, watched: List[Any], seconds: float) -> List[Any]:
        """``select.select``, with a look now and then whether the lab is still there."""
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            try:
                ready = select.select(watched, [], [], min(left, vanished.CHECK_SECONDS))[0]
            except OSError:  # a reader was closed by another thread
                ready = []
            if vanished.gone():
                os._exit(0)
            if ready or left <= vanished.CHECK_SECONDS:
                return ready

    def spawn(self, name: str, *words: str) -> int:
        """Start a child process, ``nlserver <name> -tracefile:… -instance:… -detach <words>``.

        Its end shows in :meth:`reap`; it is terminated when this module ends.
        """
        arguments = [name, "-tracefile:%s@%s" % (name, self.instance),
                     "-instance:" + self.instance, "-detach", *words]
        if self._childrens_line is None:
            self._childrens_line = os.pipe2(os.O_CLOEXEC)
        pid = process.spawn(self.home, arguments, session=False, stdin=self._childrens_line[0])
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
            self.info(self.home.build.begun.format(
                title=self.title or self.module, pid=os.getpid(), tid=get_native_id()))
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
            if self.home.build.stopped and not code:
                self.info(self.home.build.stopped.format(
                    title=self.title or self.module, pid=os.getpid()))
            if self.module in UTILITIES + CHILDREN:
                unlink(record)
        return code

    def write_record(self, path: str) -> None:
        """Say which process runs this task. ``nlserver stop`` sets wanted to ``stopped``."""
        write_text(path, json_text({
            "pid": os.getpid(), "module": self.module, "instance": self.instance,
            "started_at": self.started_at, "arguments": self.arguments.words,
            "wanted": "running",
        }) + "\n", 0o640)

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
            self.info(self.home.build.stop_told.format(
                task=task_name(self.module, self.instance), pid=os.getpid(), tid=get_native_id(),
                command=" ".join(["nlserver", self.module, *self.arguments.words])))

    def _on_reload_signal(self, _number: int, _frame: object) -> None:
        self._reload_asked = True

    def _reload(self) -> None:
        try:
            self.config = Config(self.home, self.instance)
        except ConfigError as error:
            self.error("Configuration not reloaded: %s" % error)
            return
        self.settings = self.config.settings(self.module, self.instance)
        self.info("Configuration reloaded")
        self.on_reload()


def syslogd_address(
    server: Server, environment: Optional[Dict[str, str]] = None
) -> Tuple[str, int]:
    """Where log lines go: the port of TRACE_ADDR, else the default of the build.

    Each server of a lab has its address, whichever host is named.
    """
    told = (os.environ if environment is None else environment).get("TRACE_ADDR", "")
    port = told.rpartition(":")[2]
    return server.address, int(port) if port.isdigit() else server.home.build.syslogd_port


def is_pipe(descriptor: int) -> bool:
    """Is this open, and a pipe?"""
    try:
        return os.fstat(descriptor).st_mode & 0o170000 == 0o010000
    except OSError:
        return False


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


def main(facts: Dict[str, Any]) -> NoReturn:
    """Entry of the starting scripts in ``<home>/lib``: the script's name is the module's."""
    server = Server.from_json(facts)
    home = server.home
    name = os.path.basename(sys.argv[0])
    arguments = Arguments(name, sys.argv[1:])
    file, _, class_name = IMPLEMENTATIONS[name].partition(":")
    __import__(file)
    implementation = getattr(sys.modules[file], class_name)
    try:
        module: Module = implementation(home, server, arguments)
    except ConfigError as error:
        log = Log(syslogd_address(server), arguments, home.build)
        log.write("error", "log", "Configuration error: %s" % error)
        sys.exit(1)
    sys.exit(module.main())
