# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probes that read a file of the Campaign account or run a program of it. Nothing here judges.

All of this runs in a process that is the account: see child.py.
"""

import os
import time
from functools import partial

from .. import command
from ..addresses import trace_port
from ..errors import ProbeError
from ..installation import Installation
from ..names import ALWAYS, DEFAULT, SYSLOGD_PORTS
from ..text import clean, decode
from . import configuration, environment, jobs, logs, parsers, redirection, secrets, storage

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

    from .child import Account, Channel

    Entry = Dict[str, Any]
    Table = Mapping[str, Callable[["Server"], Entry]]


class Server(Installation):
    """An installation as its account sees it: the options, values worked out once."""

    def __init__(
        self, options: "Entry", account: "Account", runner: "Optional[command.Runner]" = None
    ) -> None:
        super().__init__()
        self.options = options
        self.account = account
        self.home = os.path.realpath(options["home"])
        self.now = time.time()
        self.runner = runner or command.Runner(account.name, account.home)
        self.once = command.Once()
        self.variables: "Dict[str, str]" = {}
        self.environment_error: "Optional[ProbeError]" = None
        self.configuration_problem = ""
        self.limit: float = options["probe_timeout"]
        self.patience: float = 2 * self.limit  # with nlserver: a slow one is not a broken one
        self.receive: "Callable[[str, float], Any]" = lambda dummy_name, dummy_seconds: None

    @property
    def var_dir(self) -> str:
        return self.variables.get("XTK_VAR_DIR") or os.path.join(self.home, "var")

    @property
    def tmp_dir(self) -> str:
        return self.variables.get("TMPDIR") or "/tmp"

    def seconds_for(self, probe: str) -> float:
        """How long a probe may take: those that run nlserver have more patience."""
        if probe == "configuration":  # it waits for the environment, which says where var is
            return 2 * self.limit
        return {"pdump": self.patience, "missing": 2 * self.patience}.get(probe, self.limit)

    def pdump(self) -> "Entry":
        return self.once.get("pdump", lambda: read_pdump(self))

    def nlserver(self, *arguments: str) -> "Tuple[int, str, str]":
        """The output of a read-only nlserver command; both texts when it failed."""
        if self.environment_error:  # without its variables it would find no library
            raise ProbeError("failed", NOT_RUN % self.environment_error.message)
        program = os.path.join(self.home, "bin", "nlserver")
        result = self.runner.run((program,) + arguments, self.patience, self.variables)
        return result.return_code, decode(result.out), decode(result.err)


NOT_RUN = "nlserver was not run because its environment could not be read: %s"


def ready(server: Server) -> "Entry":
    """Read the environment in which the server's programs run."""
    return probe_environment(server)


def read_installation(server: Server) -> "Entry":
    """Environment and configuration, as far as they can be read; ProbeError where they cannot."""
    environment = ready(server)
    try:
        configured = probe_configuration(server)
    except ProbeError as error:
        if error.data is None:
            raise
        configured = error.data
    return {"environment": environment, "configuration": configured}


def look(channel: "Channel", server: Server, names: "Sequence[str]", table: "Table", end: float) -> None:
    """Send the result of each of these probes as soon as it is known."""
    channel.orphaned = server.runner.end
    server.receive = channel.receive

    def run(chosen: "Iterable[str]") -> None:
        named = [(name, lambda name=name: table[name](server)) for name in chosen]
        for name, seconds, data, error in command.answers(named, server.seconds_for, end):
            if name == "environment":
                server.environment_error = error
            if isinstance(error, ProbeError):
                error.message = passwords(error.message)
            channel.send(name, passwords.hide(data), error, seconds)

    passwords = secrets.passwords_in(os.path.join(server.home, "conf"))
    first = [name for name in names if name in ALWAYS]
    run(first)
    server.choose(server.options["instances"])
    run([name for name in names if name not in first])
    server.runner.end()
    texts = channel.receive("texts", max(0.0, end - time.monotonic()))  # what the machine's probes found
    if isinstance(texts, list):
        channel.send("texts", [passwords(str(text)) for text in texts])


def probe_environment(server: Server) -> "Entry":
    return server.once.get("environment", lambda: _read_environment(server))


def _read_environment(server: Server) -> "Entry":
    script = os.path.join(server.home, "env.sh")
    if not os.path.exists(script):
        return _environment(server)  # then the account's own environment is all there is
    variables = environment.read(server.runner, server.home, server.limit)
    variables["LC_ALL"] = "C"
    server.variables = variables
    return _environment(server)


def _environment(server: Server) -> "Entry":
    return {
        "var_dir": server.var_dir,
        "tmp_dir": server.tmp_dir,
        "jdk_home": server.variables.get("JDK_HOME"),
    }


def probe_configuration(server: Server) -> "Entry":
    conf = os.path.join(server.home, "conf")
    data, problem = configuration.load(conf, lambda: _var_dir(server), _named(server.options))
    port, origin = _syslogd_port(server)
    data.update(syslogd_port=port, syslogd_port_from=origin)
    server.configuration = data
    server.configuration_problem = problem
    if problem:
        raise ProbeError("invalid", problem, data)
    return data


def _var_dir(server: Server) -> "Optional[str]":
    """Where instances leave their traces; None if that could not be read."""
    try:
        probe_environment(server)
    except ProbeError:
        return None
    return server.var_dir


def _named(options: "Entry") -> "Set[Optional[str]]":
    """The instances that the inventory, or who gives an order, names."""
    named = set(options.get("instances") or ())
    named.add(options.get("instance"))
    for name in ("jobs", "mailboxes", "api"):
        named.update(row["instance"] for row in options.get(name) or ())
    return named


def _syslogd_port(server: Server) -> "Tuple[Optional[int], str]":
    """(port, from where): the inventory, TRACE_ADDR, the default. No file has an attribute of it.

    None: another machine's log daemon is meant.
    """
    if server.options["syslogd_port"]:
        return server.options["syslogd_port"], "option"
    port, elsewhere = trace_port(server.variables.get("TRACE_ADDR") or "")
    if port or elsewhere:
        return port, "environment"
    return SYSLOGD_PORTS[0], "default"


def probe_pdump(server: Server) -> "Entry":
    return server.pdump()


def read_pdump(server: Server) -> "Entry":
    code, out, err = server.nlserver("pdump")
    data = parsers.pdump(out)
    data["return_code"] = code
    return _judge_return_code(data, "pdump", code, err)


def probe_missing(server: Server) -> "Entry":
    """Run only if the configuration and pdump leave a question open."""
    try:
        tasks = server.pdump()["tasks"]
    except ProbeError as error:
        raise ProbeError(error.kind, error.message) from None  # its data is another probe's
    listed = set((task["module"], task["instance"]) for task in tasks)
    absent = [
        entry
        for entry in server.configuration["modules"]
        if entry["auto_start"] and (entry["module"], entry["instance"]) not in listed
    ]
    if listed and not absent and not server.configuration_problem:
        return {"modules": [], "return_code": None}
    code, out, err = server.nlserver("monitor", "-missing")
    data = parsers.missing(out)
    data["return_code"] = code
    return _judge_return_code(data, "monitor -missing", code, err, out)


def _judge_return_code(data: "Entry", name: str, code: int, err: str, out: str = "") -> "Entry":
    """A command that did not work says why on its error output, or in place of its answer."""
    said = [clean(line, 300) for line in (err.strip() or out.strip()).splitlines()[:5]]
    if "unrecognised" in data:
        data["unrecognised"] = (data["unrecognised"] + said)[:20]
    answered = data.get("tasks") or data.get("header") or data.get("modules")
    if code in (126, 127) or code < 0 or (code and not answered):
        text = said[0] if said else "no output"
        raise ProbeError("failed", "nlserver %s ended with %d: %s" % (name, code, text), data)
    return data


def probe_logs(server: Server) -> "Entry":
    since = server.now - 60.0 * server.options["log_window"]
    return logs.collect(
        server.var_dir, server.instances, since, server.now, server.limit / 2
    )


def probe_storage(server: Server) -> "Entry":
    home, var_dir = server.home, server.var_dir
    folders = [
        (home, "home"),
        (var_dir, "var"),
        (server.tmp_dir, "tmp"),
        (os.path.join(home, "var", "tmp"), "var_tmp"),
        (os.path.join(var_dir, DEFAULT, "log"), "log"),
    ]
    directories = [home, os.path.join(home, "bin"), os.path.join(home, "lib"), var_dir]
    directories.extend(os.path.join(var_dir, instance) for instance in server.instances)
    functions: "List[Callable[[], Any]]" = [partial(storage.mount, *each) for each in folders]
    functions.append(lambda: storage.mounts_below(var_dir, server.instances, frozenset()))
    functions.append(lambda: storage.core_files(directories))
    functions.append(lambda: _pid_file(server))
    functions.append(lambda: [storage.spool(*each) for each in spools(server)])
    functions.append(
        lambda: [
            redirection.collect(instance, os.path.join(var_dir, instance, "redir"))
            for instance in server.instances
        ]
    )
    functions.append(
        lambda: [
            {"path": path, "mtime_at": storage.changed_at(path)}
            for path in server.options["quota_files"]
        ]
    )
    functions.append(lambda: storage.front_files(home))
    calls = command.side_by_side(functions, server.limit * 0.9)
    values = [None if call.error else call.value for call in calls]
    count = len(folders)
    mounts = [value for value in values[:count] if value]
    devices = [entry["device"] for entry in mounts]
    inside, cores, pid_file, queues, redirections, quota_files, front_files = values[count:]
    data = {
        "mounts": mounts + [one for one in inside or [] if one["device"] not in devices],
        "core_files": cores or [],
        "pid_file": pid_file,
        "spool": [one for one in queues or [] if one],
        "redirection": [one for one in redirections or [] if one],
        "quota_files": quota_files or [],
        "front_files": front_files,
    }
    names = [path for path, dummy in folders]
    names.extend(["directories of the instances", "core files", "pid file"])
    names.extend(["spool", "redirection", "quota files", "files for the web server"])
    failed = [(name, call.error) for name, call in zip(names, calls) if call.error]
    if failed:
        text = "; ".join(
            error.message if name in error.message else "%s: %s" % (name, error.message)
            for name, error in failed
        )
        raise ProbeError(failed[0][1].kind, text, data)
    return data


def _pid_file(server: Server) -> "Optional[Entry]":
    """What the file says; whether that process is a watchdog is seen from outside."""
    path = server.options["pid_file"] or server.receive("pid_file", server.limit * 0.8)
    return storage.pid_file(path) if path else None


INSTALLED = "$(XTK_INSTALL_DIR)/"  # as the shipped workingPath begins


def spools(server: Server) -> "List[Tuple[str, str]]":
    """(instance, path) of each mta's working directory."""
    found = []
    for instance, settings in server.per_instance("mta"):
        path = settings.get("working_path")
        if not path:
            continue  # unknown: its file could not be read
        path = path.replace("$(INSTANCE_NAME)", instance).rstrip("/")
        if path.startswith(INSTALLED):
            path = path[len(INSTALLED) :]
        if path.startswith("var/"):
            path = os.path.join(server.var_dir, path[4:])
        found.append((instance, os.path.join(server.home, path)))
    return found


def probe_jobs(server: Server) -> "Entry":
    """What the files show; the process is found elsewhere."""
    declared = [
        job for job in server.options["jobs"] if job["instance"] in server.instances
    ]
    entries, failures = [], []
    for job in declared:
        same = [j for j in declared if (j["kind"], j["instance"]) == (job["kind"], job["instance"])]
        try:
            entries.append(jobs.collect(job, server.var_dir, len(same) == 1))
        except OSError as error:
            failures.append("%s: %s" % (job["name"], error.strerror))
    if failures:
        raise ProbeError("failed", "; ".join(failures), {"jobs": entries})
    return {"jobs": entries}


TABLE = {
    "environment": probe_environment,
    "configuration": probe_configuration,
    "pdump": probe_pdump,
    "missing": probe_missing,
    "logs": probe_logs,
    "storage": probe_storage,
    "jobs": probe_jobs,
}
