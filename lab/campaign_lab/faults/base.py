"""What a fault is, and how it is undone.

A fault has two halves. :meth:`Fault.strike` changes the server, always through a
:class:`Work`, which writes down how to undo each change before it makes it.
:meth:`Fault.present` looks from outside whether the fault is in effect. Breaking is
``strike`` and waiting for ``present``; healing is the written list backwards and waiting for
the opposite. So a fault cannot forget a part of its own undoing, and a labctl that was killed in
the middle of a break leaves something that can be healed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import Any, Callable, ClassVar, Dict, Iterator, List, Optional, Type

from campaign_lab import database, process
from campaign_lab.account import privileged
from campaign_lab.faults import undo
from campaign_lab.faults.system import (
    FaultError,
    LogFile,
    answers,
    end,
    lock,
    nlserver,
    pid_of,
    start_ticks,
    wait_until,
)
from campaign_lab.lab import Lab
from campaign_lab.layout import Home, Server, default_instance, read_json, write_json

DAMAGE = "damaged by the lab"
SCOPES = ("machine", "server", "instance", "module")


class Book:
    """The list of broken faults: one file per server, one for the lab's outside world."""

    def __init__(self, path: str, is_labs: bool = False) -> None:
        self.path = path
        self.is_labs = is_labs
        """Whoever runs labctl keeps it, not the servers' account."""
        self.entries: Dict[str, Dict[str, Any]] = {}
        if os.path.exists(path):
            self.entries = read_json(path)["broken"]

    @classmethod
    def of(cls, server: Server) -> Book:
        """The faults of one server."""
        return cls(server.home.lab + "/broken.json")

    @classmethod
    def of_lab(cls, lab: Lab) -> Book:
        """The faults of scope ``machine``."""
        return cls(os.path.join(lab.root, "broken.json"), True)

    def save(self) -> None:
        """Write it, whole or not at all."""
        with privileged() if self.is_labs else contextlib.nullcontext():
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            write_json(self.path, {"schema": 1, "broken": self.entries}, 0o644)


class Work:
    """A fault on a server: before every change, the step that undoes it is recorded."""

    def __init__(self, lab: Lab, server: Server, entry: Dict[str, Any], save: Callable[[], None]):
        self.lab = lab
        self.server = server
        self.entry = entry
        self.notes: Dict[str, Any] = entry["notes"]
        """What ``present`` needs to remember of the strike (JSON)."""
        self._save = save

    @property
    def home(self) -> Home:
        return self.server.home

    @property
    def instance(self) -> str:
        return str(self.entry["instance"])

    @property
    def module(self) -> str:
        return str(self.entry["module"])

    @property
    def pid(self) -> int:
        """The module's process now; 0 if it does not run."""
        return pid_of(self.home, self.module, self.instance)

    def undo_with(self, step: str, **values: Any) -> None:
        """Write down one step of the healing; the last one written is the first one done."""
        if step not in undo.STEPS:
            raise ValueError(step)
        self.entry["undo"].append([step, values])
        self._save()

    def remember(self, **values: Any) -> None:
        """Add to the notes, at once on disk."""
        self.notes.update(values)
        self._save()

    # --------------------------------------------------------------------------- files

    def will_change(self, path: str) -> None:
        """Keep a copy of a file (or the fact that there is none), to be put back."""
        self.undo_with("restore", **undo.backup(path, self._keep()))

    def write(self, path: str, content: str, keep_time: bool = True) -> None:
        """Replace a file's content; mode stays, and the time too unless the fault is about it."""
        self.will_change(path)
        before: Optional[os.stat_result] = os.stat(path) if os.path.exists(path) else None
        draft = "%s.%d" % (path, os.getpid())
        with open(draft, "w", encoding="utf-8") as stream:
            stream.write(content)
        if before:
            os.chmod(draft, before.st_mode & 0o7777)
            os.chown(draft, before.st_uid, before.st_gid)
            if keep_time:
                os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.rename(draft, path)

    def rewrite(self, path: str, change: Callable[[str], str], keep_time: bool = True) -> None:
        """Change a file's text; an edit that does not take is an error."""
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        changed = change(text)
        if changed == text:
            raise FaultError("%s: nothing found to change" % path)
        self.write(path, changed, keep_time)

    def move(self, source: str, target: str) -> None:
        """Rename a file or directory."""
        self.undo_with("move", source=target, target=source)
        os.rename(source, target)

    def set_attributes(
        self, tag: str, values: Dict[str, str], instance: str = "", keep_time: bool = True
    ) -> None:
        """Edit attributes of an element of config-<instance>.xml (serverConf.xml without one)."""
        name = "config-%s.xml" % instance if instance else "serverConf.xml"
        self.rewrite(
            os.path.join(self.home.conf, name),
            lambda text: with_attributes(text, tag, values), keep_time,
        )  # fmt: skip

    def export(self, name: str, value: str) -> None:
        """Add an export to customer.sh, the file for a site's own environment."""
        path = self.home.join("customer.sh")
        text = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        self.write(path, '%s\nexport %s="%s"\n' % (text.rstrip("\n"), name, value))

    def lock(self, path: str) -> None:
        """Make a file or directory unwritable: take the bits away."""
        self.undo_with("unlock", path=path, bits=os.stat(path).st_mode & 0o7777)
        lock(path)

    def age(self, path: str, seconds: float) -> None:
        """Let a file look that old."""
        status = os.stat(path)
        self.undo_with("times", path=path, mtime_ns=status.st_mtime_ns)
        then = status.st_mtime - seconds
        os.utime(path, (then, then))

    def damage(self, program: str, code: str) -> None:
        """Damage a program: lines put into its starting script in lib/, for this instance only."""
        path = os.path.join(self.home.lib, program)
        body = "".join("    %s\n" % line for line in code.strip().splitlines())
        guard = "if '-instance:%s' in sys.argv:  # %s\n" % (self.instance, DAMAGE)
        self.rewrite(path, lambda text: re.sub(r"(?m)^main\(", guard + body + "main(", text))

    def poison(self, code: str) -> None:
        """Let the module's process go bad: it starts with a damaged program that is put back.

        On disk all is as before; what a restart cures, a restart cures.
        """
        self.ensure_running()
        if not any(step == "restart" for step, _ in self.entry["undo"]):
            self.undo_with("restart", module=self.module, instance=self.instance)
        self.damage(self.module, code)
        self.restart()
        step, values = self.entry["undo"].pop()
        undo.run(self.lab, self.server, step, values)
        self.remember(pid=self.pid)

    # ------------------------------------------------------------------------- modules

    def ensure_running(self) -> int:
        """A fault of a running module begins with one; gives its pid."""
        if not self.pid:
            raise FaultError("%s@%s does not run" % (self.module, self.instance))
        return self.pid

    def nlserver(self, *arguments: str, check: bool = True) -> str:
        """Run the server's own command."""
        return nlserver(self.home, *arguments, check=check)

    def restart(self, module: str = "", *options: str) -> None:
        """``nlserver restart``, then wait for the new process. Not undone by itself."""
        module = module or self.module
        instance = "default" if default_instance(module) else self.instance
        before = pid_of(self.home, module, instance)
        nlserver(self.home, "restart", "%s@%s" % (module, instance), *options)
        wait_until(
            lambda: pid_of(self.home, module, instance) not in (0, before)
            and answers(self.server, module, instance),
            60, "%s@%s runs again" % (module, instance),
        )  # fmt: skip

    def freeze(self, pid: int) -> None:
        """SIGSTOP."""
        self.undo_with("thaw", **undo.identity(pid))
        os.kill(pid, signal.SIGSTOP)

    @contextlib.contextmanager
    def unwatched(self) -> Iterator[None]:
        """The watchdog looks away for a moment."""
        watchdog = pid_of(self.home, "watchdog", "default")
        if watchdog:
            self.freeze(watchdog)
        try:
            yield
        finally:
            if watchdog:
                os.kill(watchdog, signal.SIGCONT)

    def kill(self, module: str = "", number: int = signal.SIGKILL) -> int:
        """Kill the module's process and wait for its end; gives the pid it had."""
        module = module or self.module
        instance = "default" if default_instance(module) else self.instance
        pid = pid_of(self.home, module, instance)
        end(pid, start_ticks(pid), number)
        return pid

    def hang_up(self, module: str) -> None:
        """SIGHUP: let a module of the server read the configuration again."""
        undo.STEPS["hang_up"](self.lab, self.server, module=module, instance="default")

    def log(self, name: str, instance: str = "") -> LogFile:
        """A log file from now on."""
        return LogFile(self.home, instance or self.instance, name)

    def expect(self, log: LogFile, *words: str, seconds: float = 25.0) -> None:
        """Wait for a line with one of these words; not without a syslogd, which writes it."""
        if process.find(self.home, "syslogd", "default"):
            wait_until(lambda: log.says(*words), seconds,
                       "%s says '%s'" % (os.path.basename(log.path), words[0]))  # fmt: skip

    def expect_any(self, logs: List[LogFile], word: str, seconds: float = 25.0) -> None:
        """Wait until one of these logs has a line with the word; not without a syslogd."""
        names = " or ".join(os.path.basename(log.path) for log in logs)
        if process.find(self.home, "syslogd", "default"):
            wait_until(lambda: any(log.says(word) for log in logs), seconds,
                       "%s says '%s'" % (names, word))  # fmt: skip

    def restart_all(self) -> None:
        """``nlserver restart watchdog``: what a new environment needs."""
        nlserver(self.home, "restart", "watchdog", "-svc", "-noconsole")
        undo.wait_complete(self.server)

    # ------------------------------------------------------------------------ database

    @property
    def database(self) -> database.Target:
        """The instance's database."""
        return undo.database_of(self.server, self.instance)

    def sql(self, text: str, *parameters: Any) -> List[Any]:
        """One statement on the instance's database; gives the rows."""
        try:
            with database.session(self.database, True) as connection:
                done = connection.execute(text, parameters)
                return list(done.fetchall()) if text.startswith("SELECT") else []
        except database.DatabaseError as error:
            raise FaultError(str(error)) from None

    def undo_sql(self, text: str, *parameters: Any) -> None:
        """A statement of the healing."""
        self.undo_with("sql", instance=self.instance, statements=[[text, list(parameters)]])

    def change(self, table: str, key: str, name: Any, **values: Any) -> None:
        """Set columns of the row whose ``key`` is ``name``; its healing puts the old ones back."""
        rows = self.sql("SELECT * FROM %s WHERE %s = ?" % (table, key), name)
        if not rows:
            raise FaultError("%s has no row with %s '%s'" % (table, key, name))
        text = "UPDATE %s SET %s WHERE %s = ?" % (
            table, ", ".join("%s = ?" % column for column in values), key)
        self.undo_sql(text, *(rows[0][column] for column in values), name)
        self.sql(text, *values.values(), name)

    def age_journal(self, workflow: str, seconds: float) -> None:
        """The lines of a workflow's journal become that much older, until the healing."""
        text = ("UPDATE xtk_workflowLog SET logDate = logDate + ? WHERE logDate < ? AND"
                " workflowId = (SELECT id FROM xtk_workflow WHERE internalName = ?)")  # fmt: skip
        now = time.time()
        self.undo_sql(text, seconds, now - seconds, workflow)
        self.sql(text, -seconds, now, workflow)

    def insert(self, table: str, key: str, **values: Any) -> None:
        """Add a row; its healing deletes the rows with that value of the column ``key``."""
        self.undo_sql("DELETE FROM %s WHERE %s = ?" % (table, key), values[key])
        self.sql("INSERT INTO %s (%s) VALUES (%s)" % (
            table, ", ".join(values), ", ".join("?" * len(values))), *values.values())

    def row(self, table: str, key: str, name: Any) -> Any:
        """The row whose ``key`` is ``name``, or None."""
        rows = self.sql("SELECT * FROM %s WHERE %s = ?" % (table, key), name)
        return rows[0] if rows else None

    def deliver(self, number: int = 2, instance: str = "") -> None:
        """A delivery that the mta of the instance (this one's, unless said) sends next."""
        now = time.time()
        target = undo.database_of(self.server, instance or self.instance)
        with database.session(target, True) as connection:
            people = connection.execute(
                "SELECT id, email FROM nms_recipient WHERE email LIKE '%@example.com' LIMIT ?",
                (number,)).fetchall()
            delivery = connection.execute(
                "INSERT INTO nms_delivery (internalName, label, state, contactDate, toSend,"
                " subject) VALUES (?, 'News', ?, ?, ?, 'News of the lab')",
                ("DM%d" % (now * 1000), database.DELIVERY_READY, now, len(people)),
            ).lastrowid  # fmt: skip
            connection.executemany(
                "INSERT INTO nms_broadLog (deliveryId, recipientId, address, lastModified)"
                " VALUES (?, ?, ?, ?)",
                [(delivery, row["id"], row["email"], now) for row in people],
            )

    def helper(self, *arguments: str, title: str = "") -> int:
        """Start a process of the fault's own (helpers.py), ended by the healing.

        It lives outside the home, as another program of the machine would.
        """
        pid = undo.start_helper(self.lab.root, arguments, title)
        self.undo_with("end", **undo.identity(pid))
        return pid

    def _keep(self) -> str:
        directory = os.path.join(self.home.lab, "broken")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        taken = time.time_ns()
        return os.path.join(directory, "%d" % taken)


class Fault:
    """One kind of damage. The first line of the docstring is its description.

    A subclass is registered under its name in snake case.
    """

    scope: ClassVar[str] = "server"
    modules: ClassVar[List[str]] = []
    """Of scope ``module``: those it can be done to; the first is the default."""
    rereads: ClassVar[bool] = False
    """Modules that started meanwhile took up what is wrong: they are restarted by the healing."""
    of_front: ClassVar[bool] = False
    """Done to the web server in front, which not every server has."""
    seconds: ClassVar[float] = 60.0
    """Longest time until it is in effect."""
    seen: ClassVar[str] = ""
    """What an observer sees, for docs/developer/lab.md."""

    registry: ClassVar[Dict[str, Type[Fault]]] = {}
    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.summary = (cls.__doc__ or "").strip().splitlines()[0]
        if cls.scope not in SCOPES or not cls.summary:
            raise TypeError(cls.name)
        Fault.registry[cls.name] = cls

    def strike(self, work: Work) -> None:
        """Break it."""
        raise NotImplementedError

    def present(self, work: Work) -> bool:
        """Is it in effect, seen from outside?"""
        raise NotImplementedError

    def healed(self, work: Work) -> bool:
        """Is the server as before? Asked after the undoing."""
        return not self.present(work)


def with_attributes(text: str, tag: str, values: Dict[str, str]) -> str:
    """XML text with attributes of the first ``<tag …>`` set; what else is there stays as it is."""
    found = re.search(r"<%s(?=[\s/>])([^>]*?)(/?)>" % re.escape(tag), text)
    if not found:
        raise FaultError("no element <%s>" % tag)
    attributes = found.group(1)
    for name, value in values.items():
        setting = '%s="%s"' % (name, value)
        attributes, count = re.subn(r'(?<=\s)%s="[^"]*"' % re.escape(name), setting, attributes)
        if not count:
            attributes = "%s %s" % (attributes.rstrip(), setting)
    return text[: found.start(1)] + attributes + text[found.end(1) :]
