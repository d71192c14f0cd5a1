"""The healthy server from which each case starts, and what a case makes of it.

What the case does not say follows from what it says: pdump names the processes, a port is bound by
who is configured for it, a log is written by who runs.
"""

from __future__ import annotations

import pyexpat
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from cases.form import Answer, CaseError, Given, Process, write_time

HOME = "/usr/local/neolane/nl6"
USER = "neolane"
DEFAULT = "default"
SHARED = ("watchdog", "syslogd", "trackinglogd", "web")
PERMANENT = (*SHARED, "mta", "stat", "wfserver", "inMail")
PRODUCT = (*PERMANENT, "tracking", "export", "import", "sms", "interactiond", "pipelined")
BUILD = "9390"
HEADER = (
    "12:09:54 >   Application server for Adobe Campaign Classic (7.4.2 build 9390@8f3ef8e)"
    " of 03/02/2025"
)
EVERYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"
SEGMENT, SEMAPHORE = 0x52020679, 0x52020678

SERVER_CONF = """<?xml version='1.0'?>
<serverConf>
  <shared>
    <exec blacklistFile="" user=""/>
    <javaScript maxMB="64" stackSizeKB="8"/>
  </shared>
  <inMail args="" autoStart="false" checkInstanceName="true" popMailPeriodSec="300" \
processRestartTime="06:00:00" reloadPeriodSec="600" runLevel="10"/>
  <mta args="-tracefilter:nlmta" autoStart="false" processRestartTime="06:00:00" runLevel="10" \
statServerAddress="" verifyMode="false">
    <relay address="" port="25"/>
    <master maxSpareServers="2" minSpareServers="0" startSpareServers="0"/>
    <child idleChildTimeoutSec="60" maxWaitingMessages="2000" maxWorkingSetMb="128"/>
  </mta>
  <stat args="" autoStart="false" port="" processRestartTime="06:00:00" runLevel="10"/>
  <syslogd args="" autoStart="false" maxFileSizeMb="10" processRestartTime="06:00:00" \
runLevel="10"/>
  <trackinglogd args="" autoStart="false" maxLogsSizeOnDiskMb="500" maxSharedLogs="25000" \
processRestartTime="06:00:00" runLevel="10" webTrackingParamSize="64"/>
  <web args="" autoStart="false" controlPort="8005" httpPort="8080" \
processRestartTime="06:00:00" runLevel="10">
    <relay startRelayInModule="true">
      <url relayHost="true" relayPath="true" status="normal" targetUrl="http://localhost:8080" \
urlPath="/view/*"/>
    </relay>
  </web>
  <wfserver affinity="" args="" autoStart="false" processRestartTime="06:00:00" runLevel="10"/>
</serverConf>
"""
CONFIG_DEFAULT = """<?xml version='1.0'?>
<serverconf>
  <web args="-tomcat" autoStart="true"/>
  <syslogd autoStart="true" runLevel="0"/>
  <trackinglogd autoStart="true"/>
</serverconf>
"""
CONFIG_PROD = """<?xml version='1.0'?>
<serverconf>
  <shared>
    <dataStore hosts="*" lang="en_US">
      <dataSource name="default">
        <dbcnx encrypted="1" login="campaign:campaign" password="@AbCdEf==" \
provider="postgresql" server="db.example.com"/>
      </dataSource>
    </dataStore>
  </shared>
  <mta autoStart="true" statServerAddress="localhost:7777"/>
  <stat autoStart="true"/>
  <wfserver autoStart="true"/>
  <inMail autoStart="true"/>
  <sms autoStart="false"/>
</serverconf>
"""
ENV_SH = f"""#!/bin/sh
export XTK_INSTALL_DIR={HOME}
export PATH={HOME}/bin:$PATH
export LD_LIBRARY_PATH={HOME}/lib:$LD_LIBRARY_PATH
if [ -x {HOME}/customer.sh ]; then
  . {HOME}/customer.sh
fi
"""
# Module: its process id, as the published consoles have it, and its memory.
IDS = {"watchdog": (25708, 8.0), "syslogd": (530, 20.9), "trackinglogd": (3004, 51.4),
       "web": (3432, 282.6), "stat": (3006, 49.1), "inMail": (3007, 50.8),
       "wfserver": (3005, 49.5), "mta": (20500, 57.3)}  # fmt: skip
APACHE = 3100
# Logs that modules write, by the module that must run for them; with the lines of a good day.
LOGS = {
    "watchdog": ("watchdog",), "syslogd": ("syslogd",), "trackinglogd": ("trackinglogd",),
    "web": ("web",), "stat": ("stat",), "inMail": ("inMail",), "mta": ("mta", "mtachild"),
    "wfserver": ("wfserver", "runwf", "tracking"),
}  # fmt: skip
WORDS = {"inMail": "0 message(s) read", "tracking": "0 record(s) inserted"}
QUIET = "Ready."

_TASK = re.compile(r"^\s*([A-Za-z]\w*)(?:@([\w.-]+))?\s+\((\d+)\)\s+-\s+([\d.,]+)", re.M)
_LOG = re.compile(r"var/([^/]+)/log/([^/]+)\.log")
_TABS = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z\t")
_OLD = re.compile(r"\d{4}-\d\d-\d\d [\d:.,]+(Z|[+-]\d\d:\d\d) ([0-9A-F]{8}) ([0-9A-F]{8} )?\d ")
_NONE = re.compile(r"00000000 00000000 \d ")


@dataclass
class Running:
    """A process as the kernel will show it."""

    pid: int
    words: list[str]
    parent: int
    user: str
    started: float
    memory_mb: float
    sockets: list[int] = field(default_factory=list)  # inodes

    @property
    def ours(self) -> bool:
        """Whether it is the server's program."""
        return self.words[0].rpartition("/")[2] == "nlserver"

    @property
    def name(self) -> str:
        """`mta`, or the program's name."""
        return self.words[1].partition("@")[0] if self.ours and len(self.words) > 1 else (
            self.words[0].rpartition("/")[2])

    @property
    def instance(self) -> str:
        """The instance that its command line names."""
        return instance_of(self.words)

    @property
    def place(self) -> tuple[str, str]:
        """Module and instance."""
        return self.name, self.instance


@dataclass(frozen=True)
class Bound:
    """A port, with who has bound it."""

    proto: str
    port: int
    pid: int
    inode: int
    address: str = EVERYWHERE


def instance_of(words: list[str]) -> str:
    """The instance in a command line of nlserver."""
    for word in words[1:]:
        if word.startswith("-instance:"):
            return word.partition(":")[2]
    for word in words[1:]:
        if word.startswith("-tracefile:") and "@" in word:
            return word.rpartition("@")[2]
    return words[1].partition("@")[2] or DEFAULT if len(words) > 1 else DEFAULT


# -------------------------------------------------------------------------- configuration


class Configuration:
    """The attributes of the modules in the files of a case, up to where one breaks off."""

    def __init__(self, files: dict[str, str]) -> None:
        self._values = {
            path: attributes(text) for path, text in files.items()
            if path.startswith("conf/") and path.endswith(".xml")
        }
        self.instances = [
            path[len("conf/config-"):-len(".xml")] for path in self._values
            if path.startswith("conf/config-") and path != "conf/config-default.xml"
        ]

    def value(self, module: str, instance: str, name: str) -> str | None:
        """The value that counts for a module of an instance."""
        for path in (f"conf/config-{instance}.xml", "conf/config-default.xml",
                     "conf/serverConf.xml"):  # fmt: skip
            found = self._values.get(path, {}).get(module, {}).get(name)
            if found is not None and (module in SHARED or path != "conf/config-default.xml"):
                return found
        return None

    def number(self, module: str, instance: str, name: str, default: int) -> int:
        """The same as a number."""
        value = (self.value(module, instance, name) or "").strip()
        return int(value) if value.isdigit() else default

    def on(self, module: str, instance: str) -> bool:
        """Whether it is switched on; a shared one also by an instance's file."""
        places = [instance, *(self.instances if module in SHARED else ())]
        return any(
            (self.value(module, place, "autoStart") or "").lower() == "true" for place in places
        )


def attributes(text: str) -> dict[str, dict[str, str]]:
    """{element below the root: its attributes}."""
    found: dict[str, dict[str, str]] = {}
    depth = [0]

    def start(tag: str, values: dict[str, str]) -> None:
        depth[0] += 1
        if depth[0] > 1 and tag in PRODUCT:
            found.setdefault(tag, {}).update(values)

    def end(_tag: str) -> None:
        depth[0] -= 1

    parser = pyexpat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    with suppress(pyexpat.ExpatError, LookupError, ValueError):  # what stands before counts
        parser.Parse(text.encode("utf-8") if "encoding" not in text[:80] else text, True)
    return found


# ---------------------------------------------------------------------------- the server


class Server:
    """The whole server of a case."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.clock = given.clock
        self.files = self._files()
        self.configuration = Configuration(self.files)
        self._pdump = self._named_by_pdump()
        self.processes = self._processes()
        self.instances = self._instances()
        self.bound = list(self._bound())
        self.child = self._child()
        self.console = self._console()

    # ------------------------------------------------------------------------- files

    def _files(self) -> dict[str, str]:
        files = {"conf/serverConf.xml": SERVER_CONF, "conf/config-default.xml": CONFIG_DEFAULT,
                 "env.sh": ENV_SH}  # fmt: skip
        if not self._another_instance():
            files["conf/config-prod.xml"] = CONFIG_PROD
        files.update(self.given.files)
        return files

    def _another_instance(self) -> bool:
        """Whether the only instance has another name than prod: its file and its processes are
        given, and nothing of prod.
        """
        named = {instance_of(shlex.split(entry.args)) for entry in self.given.processes}
        files = [path for path in self.given.files if path.startswith("conf/config-")]
        return self.given.only and "conf/config-prod.xml" not in files and "prod" not in named and (
            any(f"conf/config-{name}.xml" in files for name in named - {DEFAULT}))

    def _instances(self) -> list[str]:
        """Those that have ever run: with a process or a file of their own; and prod."""
        seen = {process.instance for process in self.processes if process.ours}
        seen |= {path.split("/")[1] for path in self.given.files if path.startswith("var/")}
        return [name for name in self.configuration.instances if name in seen or name == "prod"]

    # ---------------------------------------------------------------------- processes

    def _named_by_pdump(self) -> dict[tuple[str, str], tuple[int, float]]:
        answer = self.given.console.get("pdump") or self.given.console.get("pdump -who")
        text = re.split(r"^.*-{8}", answer.out, maxsplit=1, flags=re.M)[0] if answer else ""
        return {
            (module, instance or DEFAULT): (int(pid), float(memory.replace(",", ".")))
            for module, instance, pid, memory in _TASK.findall(text)
        }

    def _processes(self) -> list[Running]:
        given = [(entry, shlex.split(entry.args)) for entry in self.given.processes]
        named = {_place(words) for _entry, words in given}
        entries = [] if self.given.only else [
            (Process(" ".join(words)), words) for words in self._usual()
            if _place(words) not in named
        ]  # fmt: skip
        entries += given
        entries.sort(key=lambda entry: entry[1][1:2] != ["watchdog"])
        found: list[Running] = []
        taken = {pid for pid, _memory in self._pdump.values()}
        for number, (entry, words) in enumerate(entries):
            found.append(self._running(entry, words, number, found, taken))
        for running, (entry, _words) in zip(found, entries, strict=True):
            running.parent = self._parent(entry, running, found)
        found += self._others(found)
        return found

    def _usual(self) -> Iterator[list[str]]:
        yield ["nlserver", "watchdog", "-svc", "-noconsole"]
        for module in ("syslogd", "trackinglogd", "web"):
            more = ["-tomcat", "-autorepair"] if module == "web" else []
            yield _command(module, DEFAULT, more)
        if "conf/config-prod.xml" in self.files:
            for module in ("mta", "stat", "wfserver", "inMail"):
                yield _command(module, "prod", ["-tracefilter:nlmta"] if module == "mta" else [])

    def _running(
        self, entry: Process, words: list[str], number: int, before: list[Running], taken: set[int]
    ) -> Running:
        place = _place(words)
        pid, memory = self._pdump.get(place, (0, 0.0))
        if pid in {running.pid for running in before}:
            pid = 0
        if not pid and not self._pdump and place[0] in IDS:
            pid, memory = IDS[place[0]]
        if not pid or pid in {running.pid for running in before}:
            pid = next(n for n in range(4200 + number, 65000)
                       if n not in taken and n not in {r.pid for r in before})  # fmt: skip
        taken.add(pid)
        if entry.memory_mb is not None:
            memory = entry.memory_mb
        ours = words[0].rpartition("/")[2] == "nlserver"
        return Running(pid, words, 1, USER if ours else "root",
                       self._begin(entry, place, number), memory or 12.0)  # fmt: skip

    def _begin(self, entry: Process, place: tuple[str, str], number: int) -> float:
        """When it began, unless it is said: this morning at processRestartTime; ten minutes ago if
        it does not stay.
        """
        if entry.started is not None:
            return entry.started
        if place[0] not in PERMANENT:
            return self.clock.now - 600
        value = self.configuration.value(*place, "processRestartTime") or ""
        clock = re.fullmatch(r"(\d\d?):(\d\d)(?::(\d\d))?", value.strip())
        parts = clock.groups() if clock else ("6", "0", "0")
        hours, minutes, seconds = (int(part or 0) for part in parts)
        at = self.clock.midnight() + 3600 * hours + 60 * minutes + seconds + 1 + number / 10
        return at if at < self.clock.now else at - 86400

    def _parent(self, entry: Process, running: Running, found: list[Running]) -> int:
        if entry.parent is not None:
            wanted = entry.parent
            for other in found:
                if wanted in (str(other.pid), other.name, f"{other.name}@{other.instance}"):
                    return other.pid
            if wanted.isdigit():
                return int(wanted)
            raise CaseError(f"given.processes: there is no process {wanted!r} to be a parent")
        above = {"mtachild": "mta", "runwf": "wfserver"}.get(running.name)
        for other in found:
            if above and other.place == (above, running.instance):
                return other.pid
        if running.ours and running.name in PRODUCT and running.name != "watchdog":
            return next((other.pid for other in found if other.name == "watchdog"), 1)
        return 1

    def _others(self, found: list[Running]) -> Iterator[Running]:
        """The web server in front, whoever else holds a port, and a runwf that a row names."""
        day = self.clock.now - 20 * 86400
        pids = {running.pid for running in found}
        names = {running.name for running in found}

        def free(first: int) -> int:
            pid = next(n for n in range(first, 65000) if n not in pids)
            pids.add(pid)
            return pid

        if not names & {"apache2", "httpd"}:
            words = ["/usr/sbin/apache2", "-k", "start"]
            yield Running(free(APACHE), words, 1, "www-data", day, 30)
        for socket in self.given.sockets:
            program = socket.by.partition("@")[0]
            if program not in PRODUCT and program not in names:
                names.add(program)
                yield Running(free(800), [f"/usr/sbin/{program}"], 1, "root", day, 9.0)
        rows = self.given.api or ()
        if any("$child" in map(str, row.values()) for row in rows) and "runwf" not in names:
            parent = next((running for running in found if running.name == "wfserver"), None)
            instance = parent.instance if parent else self.configuration.instances[0]
            words = ["nlserver", "runwf", f"-instance:{instance}"]
            above = parent.pid if parent else 1
            yield Running(free(4100), words, above, USER, self.clock.now - 300, 40.0)

    def _child(self) -> int | None:
        return next((running.pid for running in self.processes if running.name == "runwf"), None)

    def runs(self, module: str, instance: str = DEFAULT) -> Running | None:
        """The process of a module."""
        return next((r for r in self.processes if r.ours and r.place == (module, instance)), None)

    # ------------------------------------------------------------------------- sockets

    def _bound(self) -> Iterator[Bound]:
        inode = iter(range(70001, 80000))
        held: set[tuple[str, int]] = set()

        def bind(proto: str, port: int, running: Running, address: str = EVERYWHERE) -> Bound:
            held.add((proto, port))
            bound = Bound(proto, port, running.pid, next(inode), address)
            running.sockets.append(bound.inode)
            return bound

        listed: set[tuple[int, str]] = set()
        for socket in self.given.sockets:
            running = self._holder(socket.by)
            listed.add((running.pid, socket.proto))
            yield bind(socket.proto, socket.port, running)
        for running in self.processes:
            for proto, port, address in self._ports(running):
                replaced = (running.pid, proto) in listed and address == EVERYWHERE
                if (proto, port) not in held and not replaced:
                    yield bind(proto, port, running, address)

    def _holder(self, by: str) -> Running:
        module, _at, instance = by.partition("@")
        for running in self.processes:
            if running.name == module and instance in ("", running.instance):
                return running
        raise CaseError(f"given.sockets: {by} does not run, so it has bound no port")

    def _ports(self, running: Running) -> list[tuple[str, int, str]]:
        """Where a module listens, as it is configured."""
        name, instance = running.place
        if name in ("apache2", "httpd"):
            return [("tcp", 80, EVERYWHERE)]
        if not running.ours:
            return []
        if name == "syslogd":
            moved = re.findall(r"^[^#\n]*\bTRACE_ADDR=\S*?:(\d+)",
                               self.files.get("customer.sh", ""), re.M)  # fmt: skip
            return [("udp", int(moved[-1]) if moved else 666, EVERYWHERE)]
        if name == "stat":
            port = self.configuration.number("stat", instance, "port", 7777)
            return [("udp", port or 7777, EVERYWHERE)]
        if name == "web":
            http = self.configuration.number("web", DEFAULT, "httpPort", 8080)
            control = self.configuration.number("web", DEFAULT, "controlPort", 8005)
            return [("tcp", http, EVERYWHERE), ("tcp", control, LOOPBACK)]
        return []

    # -------------------------------------------------------------------------- logs

    def logs(self) -> Iterator[tuple[str, str, float]]:
        """(path, content, time of the last change) of each log."""
        written = set()
        for place, stems in self._log_places():
            running = self.runs(*place)
            pid = running.pid if running else IDS[place[0]][0]
            folder = DEFAULT if place[0] in SHARED else place[1]
            for stem in stems:
                path = f"var/{folder}/log/{stem}.log"
                written.add(path)
                yield self._log(path, pid, stem, running is not None)
        yield self._log("var/default/log/webmdl.log", APACHE, "webmdl", True)
        written.add("var/default/log/webmdl.log")
        for path in self.files:
            found = _LOG.fullmatch(path)
            if found and path not in written:
                stem = found[2]
                if re.search(r"_2$|^logins", stem):
                    yield path, self.files[path], self._mtime(path, self.clock.now - 7200)
                else:
                    yield self._log(path, 4000, stem, True)

    def _log_places(self) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
        for module, stems in LOGS.items():
            for instance in [DEFAULT] if module in SHARED else self.instances:
                on = self.configuration.on(module, instance) or module == "watchdog"
                if on or self.runs(module, instance):
                    yield (module, instance), stems

    def _log(self, path: str, pid: int, stem: str, fresh: bool) -> tuple[str, str, float]:
        """Info lines of a good day in the form of the lines that are given, and those."""
        given = self.given.files.get(path, "")
        end = self._mtime(path, self.clock.now)
        last = end - 20 if fresh else end - 900
        first_line = next((line for line in given.splitlines() if line.strip()), "")

        def line(at: float) -> str:
            return _line(at, first_line, pid, WORDS.get(stem, QUIET)) + "\n"

        before = "".join(line(at) for at in (last - 2400, last - 1200))
        if given and not given.endswith("\n"):
            given += "\n"
        after = line(last)
        if _NONE.match(first_line):
            before, after = before + after, ""
        return path, before + given + after, self._mtime(path, last)

    def _mtime(self, path: str, default: float) -> float:
        return self.given.mtimes.get(path, self.given.mtimes.get(f"{HOME}/{path}", default))

    # ------------------------------------------------------------------------ console

    def _console(self) -> dict[str, Answer]:
        """What nlserver answers to each command that only looks."""
        answers = {"pdump": self._pdump_answer(), "monitor -missing": self._missing_answer(),
                   "monitor": Answer(f"{HEADER}\n")}  # fmt: skip
        given = self.given.console
        broken = given.get("pdump")
        if broken and (broken.status in (126, 127) or broken.status < 0):
            answers = dict.fromkeys(answers, broken)  # the program does not begin at all
        answers.update(given)
        return answers

    def _pdump_answer(self) -> Answer:
        lines = [HEADER]
        for running in self.processes:
            if running.ours and running.name in PRODUCT:
                place = "" if running.name == "watchdog" else f"@{running.instance}"
                lines.append(f"{running.name}{place} ({running.pid}) - {running.memory_mb:.1f} MB")
        if len(lines) == 1:
            lines.append("No tasks")
        return Answer("\n".join(lines) + "\n")

    def _missing_answer(self) -> Answer:
        lines = [HEADER]
        for module in PERMANENT[1:]:
            for instance in [DEFAULT] if module in SHARED else self.instances:
                if self.configuration.on(module, instance) and not self.runs(module, instance):
                    lines.append(f"{module}@{instance}")
        return Answer("\n".join(lines) + "\n")


def _command(module: str, instance: str, more: list[str]) -> list[str]:
    return ["nlserver", module, f"-tracefile:{module}@{instance}", f"-instance:{instance}",
            "-detach", *more]  # fmt: skip


def _place(words: list[str]) -> tuple[str, str]:
    if words[0].rpartition("/")[2] != "nlserver" or len(words) < 2:
        return words[0].rpartition("/")[2], DEFAULT
    return words[1].partition("@")[0], instance_of(words)


def _line(at: float, like: str, pid: int, text: str) -> str:
    """An info line in the form of another one."""
    if _NONE.match(like):
        return f"00000000 00000000 1 info log {text}"
    old = _OLD.match(like)
    if old:
        form = "sp" if old[1] == "Z" else old[1]
        return f"{write_time(at, form)} {old[2]} {old[3] or ''}1 info log {text}"
    return f"{write_time(at)}\t{pid}\t{pid}\t1\tinfo\tlog\t{text}"
