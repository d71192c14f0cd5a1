"""The form of a case: read from YAML, every key known, every time a number.

An unknown key, or a value that cannot be what its key says, is a CaseError that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import names

DAY = datetime(2026, 8, 27, tzinfo=UTC)  # of each case, unless `at` names another
MODULES = (*names.MODULES, "host")
SEVERITIES = ("critical", "warning", "info")
RESTARTS = ("helps", "useless", None)
HTTP_ERRORS = ("refused", "timeout", "reset")
PEER_ERRORS = ("refused", "timeout", "reset", "unreachable", "dns")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WORD = re.compile(
    r"(?:(?P<now>now)|(?P<day>today|yesterday|tomorrow)(?:\s+(?P<clock>\d\d:\d\d(?::\d\d)?))?)"
    r"(?P<shift>(?:\s*[+-]\s*(?:\d+[smhdw])+)*)"
)
_BRACES = re.compile(r"\{((?:now|today|yesterday|tomorrow)\b[^{}]*)\}")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


class CaseError(ValueError):
    """A case that is not of the form."""


class _Loader(yaml.SafeLoader):
    """YAML whose times and modes stay as they are written: `at: 12:30:00`, `0600`."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers
        if tag.rpartition(":")[2] not in ("int", "float", "timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789")
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping in which nothing is said twice."""
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, (dict, list)) or key in found:
            raise CaseError(f"line {key_node.start_mark.line + 1}: {key!r} stands there twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


# --------------------------------------------------------------------------------- times


class Clock:
    """The clock of a case, and the words that stand for its times."""

    def __init__(self, at: Any = None) -> None:
        self.now = self._start(at)
        self.latest: float | None = None
        """The latest time that `text` has written since this was last set to None."""

    @staticmethod
    def _start(at: Any) -> float:
        text = "12:00:00" if at is None else str(at).strip()
        for form in ("%H:%M:%S", "%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
                     "%Y-%m-%d %H:%M", "%Y-%m-%d"):  # fmt: skip
            try:
                found = datetime.strptime(text.removesuffix("Z"), form)
            except ValueError:
                continue
            if "%Y" not in form:
                found = found.replace(year=DAY.year, month=DAY.month, day=DAY.day)
            return found.replace(tzinfo=UTC).timestamp()
        raise CaseError(f"given.at: {at!r} is no time")

    def midnight(self) -> float:
        """When the day of the case began."""
        return self.now - self.now % 86400

    def moment(self, words: str) -> float:
        """`now-5m`, `today 06:00:20`, `yesterday 23:59`, also with `+1h30m` behind it."""
        found = _WORD.fullmatch(words.strip())
        if not found:
            raise CaseError(f"{words!r} is no time that a case may name")
        at = self.now
        if found["day"]:
            days = {"today": 0, "yesterday": -1, "tomorrow": 1}[found["day"]]
            hours, minutes, seconds = [*map(int, (found["clock"] or "00:00").split(":")), 0][:3]
            at = self.midnight() + 86400 * days + 3600 * hours + 60 * minutes + seconds
        for sign, amount in re.findall(r"([+-])\s*((?:\d+[smhdw])+)", found["shift"]):
            total = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", amount))
            at += total if sign == "+" else -total
        return at

    def maybe(self, value: Any) -> float | None:
        """A value that is one of those words, or an ISO time, in epoch seconds; else None."""
        if not isinstance(value, str):
            return None
        text = value.strip().removeprefix("{").removesuffix("}")
        if _WORD.fullmatch(text):
            return self.moment(text)
        if re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", text):
            found = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        return None

    def written(self, words: str) -> str:
        """What stands for `now-5m|sp` in a file."""
        name, _bar, form = words.partition("|")
        at = self.moment(name)
        self.latest = at if self.latest is None else max(self.latest, at)
        return write_time(at, form.strip())

    def text(self, text: str) -> str:
        """A text with its times filled in."""
        return _BRACES.sub(lambda found: self.written(found[1]), text)


def write_time(at: float, form: str = "") -> str:
    """A time in one of the forms: empty, sp, plain, java, or an offset such as +05:30."""
    moment = datetime.fromtimestamp(at, UTC)
    thousandths = f".{round(at * 1000) % 1000:03d}"
    if form in ("", "sp"):
        return moment.strftime(f"%Y-%m-%d{' ' if form else 'T'}%H:%M:%S{thousandths}Z")
    if form == "plain":
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    if form == "java":
        return moment.strftime(f"%b %d, %Y {(moment.hour + 11) % 12 + 1}:%M:%S %p")
    offset = _OFFSET.fullmatch(form)
    if not offset:
        raise CaseError(f"|{form} is no form of a time: sp, plain, java or an offset")
    minutes = int(offset[2]) * 60 + int(offset[3])
    shift = timedelta(minutes=minutes if offset[1] == "+" else -minutes)
    return (moment + shift).strftime(f"%Y-%m-%d %H:%M:%S{thousandths}{offset[1]}{offset[2]}:"
                                     f"{offset[3]}")


# ------------------------------------------------------------------------------ the case


@dataclass(frozen=True)
class Process:
    """A process that is given: its command line, and what a mapping says beside it."""

    args: str
    parent: str | None = None
    memory_mb: float | None = None
    started: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a command answers."""

    out: str = ""
    err: str = ""
    status: int = 0


@dataclass(frozen=True)
class Page:
    """What an HTTP server answers for a path."""

    status: int = 200
    body: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Socket:
    """A port that is bound, and by whom: a module, module@instance, or another program."""

    proto: str
    port: int
    by: str


@dataclass(frozen=True)
class Peer:
    """Whether something elsewhere answers."""

    name: str | None
    host: str | None
    port: int | None
    reachable: bool
    error: str | None = None


@dataclass(frozen=True)
class Given:
    """The server."""

    clock: Clock
    files: dict[str, str] = field(default_factory=dict)
    written: dict[str, float | None] = field(default_factory=dict)  # latest time in each of them
    system_files: dict[str, str] = field(default_factory=dict)
    missing_paths: tuple[str, ...] = ()
    modes: dict[str, int] = field(default_factory=dict)
    mtimes: dict[str, float] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()
    only: bool = False
    console: dict[str, Answer] = field(default_factory=dict)
    asked: str | None = None
    journal: tuple[str, ...] | None = None
    http: dict[str, Page] = field(default_factory=dict)
    sockets: tuple[Socket, ...] = ()
    service: dict[str, dict[str, str]] = field(default_factory=dict)
    network: tuple[Peer, ...] = ()
    api: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True)
class Found:
    """A finding that must be there."""

    key: str | None
    about: str
    severity: str
    restart: str | None
    must_mention: tuple[str, ...]


@dataclass(frozen=True)
class Expect:
    """What must be said."""

    found: tuple[Found, ...] = ()
    not_found: tuple[str, ...] = ()
    plan: str | tuple[str, ...] | None = None


@dataclass(frozen=True)
class Case:
    """One case."""

    id: str
    module: str
    given: Given
    expect: Expect


def load(path: Path) -> Case:
    """The case of a file. Raises CaseError."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CaseError(" ".join(str(error).split())) from None
    _keys("the case", data, ("id", "module", "source", "story", "given", "expect", "why"),
          ("id", "module", "given", "expect"))
    for key in ("id", "module", "source", "story", "why"):
        _text(key, data.get(key, ""))
    if data["module"] not in MODULES:
        raise CaseError(f"module: {data['module']!r} is none of {', '.join(MODULES)}")
    return Case(data["id"], data["module"], _given(data["given"]), _expect(data["expect"]))


def _keys(what: str, data: Any, known: Iterable[str], needed: Iterable[str] = ()) -> None:
    if not isinstance(data, Mapping):
        raise CaseError(f"{what} is no mapping")
    known = tuple(known)
    for key in data:
        if key not in known:
            raise CaseError(f"{what} has an unknown key {key!r}: known are {', '.join(known)}")
    for key in needed:
        if key not in data:
            raise CaseError(f"{what} has no {key}")


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise CaseError(f"{what}: {value!r} is no text")
    return value


def _list(what: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise CaseError(f"{what} is no list")
    return value


def _whole(what: str, value: Any, low: int = 0, high: int = 2**31) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CaseError(f"{what}: {value!r} is no number from {low} to {high}")
    return value


def _given(data: Any) -> Given:
    known = {
        "files", "system_files", "missing_paths", "modes", "mtimes", "processes", "console",
        "asked", "journal", "http", "sockets", "service", "network", "api", "at",
    }  # fmt: skip
    _keys("given", data, sorted(known))
    clock = Clock(data.get("at"))
    files, written = _files("given.files", data.get("files", {}), clock)
    for path in files:
        if path.startswith("/") or ".." in path.split("/"):
            raise CaseError(f"given.files: {path!r} is no path below the home")
    system_files, more = _files("given.system_files", data.get("system_files", {}), clock)
    for path in system_files:
        _absolute("given.system_files", path)
    missing = [_text("given.missing_paths", p) for p in
               _list("given.missing_paths", data.get("missing_paths", []))]  # fmt: skip
    processes, only = _processes(data.get("processes", []), clock)
    asked = data.get("asked")
    journal = data.get("journal")
    lines = journal if isinstance(journal, list) else (journal or "").splitlines()
    return Given(
        clock=clock, files=files, written={**written, **more}, system_files=system_files,
        missing_paths=tuple(missing), modes=_modes(data.get("modes", {})),
        mtimes=_mtimes(data.get("mtimes", {}), clock), processes=processes, only=only,
        console=_console(data.get("console", {}), clock),
        asked=None if asked is None else _text("given.asked", asked),
        journal=None if journal is None else tuple(
            clock.text(_text("given.journal", line)) for line in lines if line),
        http=_http(data.get("http", {}), clock),
        sockets=_sockets(data.get("sockets", [])), service=_service(data.get("service", {})),
        network=_network(data.get("network", [])), api=_api(data.get("api")),
    )  # fmt: skip


def _absolute(what: str, path: str) -> None:
    parts = path.split("/")
    if not path.startswith("/") or ".." in parts or parts[1] in ("", "proc", "sys", "dev"):
        raise CaseError(f"{what}: {path!r} is no path that a case may have elsewhere")


def _files(
    what: str, data: Any, clock: Clock
) -> tuple[dict[str, str], dict[str, float | None]]:
    if not isinstance(data, Mapping):
        raise CaseError(f"{what} is no mapping")
    files: dict[str, str] = {}
    written: dict[str, float | None] = {}
    for path, content in data.items():
        clock.latest = None
        files[_text(what, path)] = clock.text(_text(f"{what}: {path}", content))
        written[path] = clock.latest
    return files, written


def _modes(data: Any) -> dict[str, int]:
    if not isinstance(data, Mapping):
        raise CaseError("given.modes is no mapping")
    found = {}
    for path, mode in data.items():
        if not re.fullmatch(r"0?o?[0-7]{3,4}", str(mode)):
            raise CaseError(f"given.modes: {mode!r} of {path} is no mode, such as '0644'")
        found[_text("given.modes", path)] = int(str(mode).replace("o", ""), 8)
    return found


def _mtimes(data: Any, clock: Clock) -> dict[str, float]:
    if not isinstance(data, Mapping):
        raise CaseError("given.mtimes is no mapping")
    found = {}
    for path, words in data.items():
        at = clock.maybe(words)
        if at is None:
            raise CaseError(f"given.mtimes: {words!r} of {path} is no time")
        found[_text("given.mtimes", path)] = at
    return found


def _processes(data: Any, clock: Clock) -> tuple[tuple[Process, ...], bool]:
    only = False
    if isinstance(data, Mapping):
        _keys("given.processes", data, ("only", "list"), ("list",))
        only = data.get("only", False)
        if not isinstance(only, bool):
            raise CaseError(f"given.processes.only: {only!r} is neither true nor false")
        data = data["list"]
    return tuple(_process(entry, clock) for entry in _list("given.processes", data)), only


def _process(entry: Any, clock: Clock) -> Process:
    what = "a process of given.processes"
    if isinstance(entry, str):
        entry = {"args": entry}
    _keys(what, entry, ("args", "parent", "memory_mb", "started"), ("args",))
    memory, started = entry.get("memory_mb"), None
    if memory is not None and (isinstance(memory, bool) or not isinstance(memory, (int, float))):
        raise CaseError(f"{what}: memory_mb {memory!r} is no number")
    if entry.get("started") is not None:
        started = clock.maybe(entry["started"])
        if started is None:
            raise CaseError(f"{what}: started {entry['started']!r} is no time")
    if not _text(what, entry["args"]).split():
        raise CaseError(f"{what} has no command line")
    parent = entry.get("parent")
    return Process(entry["args"], None if parent is None else str(parent), memory, started)


def _console(data: Any, clock: Clock) -> dict[str, Answer]:
    if not isinstance(data, Mapping):
        raise CaseError("given.console is no mapping")
    found = {}
    for command, answer in data.items():
        what = f"given.console: {command}"
        if isinstance(answer, str):
            answer = {"stdout": answer}
        _keys(what, answer, ("stdout", "stderr", "status"))
        found[_text(what, command).removeprefix("nlserver ")] = Answer(
            clock.text(_text(what, answer.get("stdout", ""))),
            clock.text(_text(what, answer.get("stderr", ""))),
            _whole(f"{what}: status", answer.get("status", 0), -64, 255),
        )
    return found


def _http(data: Any, clock: Clock) -> dict[str, Page]:
    if not isinstance(data, Mapping):
        raise CaseError("given.http is no mapping")
    found = {}
    for path, page in data.items():
        what = f"given.http: {path}"
        if not _text(what, path).removeprefix("tomcat:").startswith("/"):
            raise CaseError(f"{what} is neither /path nor tomcat:/path")
        if isinstance(page, str):
            page = {"body": page}
        _keys(what, page, ("status", "body", "error"))
        if page.get("error") not in (None, *HTTP_ERRORS):
            raise CaseError(f"{what}: error {page['error']!r} is none of {', '.join(HTTP_ERRORS)}")
        found[path] = Page(
            _whole(f"{what}: status", page.get("status", 200), 100, 599),
            clock.text(_text(what, page.get("body", ""))), page.get("error"),
        )
    return found


def _sockets(data: Any) -> tuple[Socket, ...]:
    found = []
    for entry in _list("given.sockets", data):
        what = "a socket of given.sockets"
        _keys(what, entry, ("proto", "port", "by"), ("proto", "port", "by"))
        if entry["proto"] not in ("tcp", "udp"):
            raise CaseError(f"{what}: proto {entry['proto']!r} is neither tcp nor udp")
        found.append(Socket(entry["proto"], _whole(f"{what}: port", entry["port"], 1, 65535),
                            _text(what, entry["by"])))
    return tuple(found)


# Of `systemctl show`, by the words that a case may use for them.
UNIT_WORDS = {
    "load_state": "LoadState", "load": "LoadState", "active_state": "ActiveState",
    "active": "ActiveState", "state": "ActiveState", "sub_state": "SubState", "sub": "SubState",
    "unit_file_state": "UnitFileState", "enabled": "UnitFileState", "main_pid": "MainPID",
    "pid_file": "PIDFile", "result": "Result", "exit_status": "ExecMainStatus",
    "status": "ExecMainStatus",
}  # fmt: skip


def _service(data: Any) -> dict[str, dict[str, str]]:
    """{unit: {property: value}} of a mapping of one unit, of several by name, or a list of them."""
    if isinstance(data, str):
        data = {"nlserver": data}
    if isinstance(data, Mapping):
        own = set(data) <= {"unit", "name", *UNIT_WORDS}
        data = [data] if own and data else [
            {"unit": unit, **(values if isinstance(values, Mapping) else {"state": values})}
            for unit, values in data.items()
        ]  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for entry in _list("given.service", data):
        _keys("given.service", entry, ("unit", "name", *UNIT_WORDS))
        name = _text("given.service", entry.get("unit", entry.get("name", "nlserver")))
        if not re.fullmatch(r"[\w@-]+(\.service)?", name):
            raise CaseError(f"given.service: {name!r} is no name of a unit")
        values = found.setdefault(name.removesuffix(".service"), {})
        for word, value in entry.items():
            if word in UNIT_WORDS:
                values.update(_property(word, value))
    return found


def _property(word: str, value: Any) -> dict[str, str]:
    if word == "enabled" and isinstance(value, bool):
        return {"UnitFileState": "enabled" if value else "disabled"}
    if word in ("active", "state") and isinstance(value, bool):
        return {"ActiveState": "active" if value else "inactive"}
    text = str(value).strip()
    with_sub = re.fullmatch(r"(\w+)\s*\((\w+)\)", text)
    if word in ("active", "active_state", "state"):
        if text in ("enabled", "disabled", "masked"):
            return {"UnitFileState": text}
        if with_sub:
            return {"ActiveState": with_sub[1], "SubState": with_sub[2]}
        if text not in ("active", "inactive", "failed", "activating", "deactivating", "reloading"):
            raise CaseError(f"given.service: {text!r} is no state of a unit")
    return {UNIT_WORDS[word]: text}


def _network(data: Any) -> tuple[Peer, ...]:
    found = []
    for entry in _list("given.network", data):
        what = "a peer of given.network"
        _keys(what, entry, ("name", "host", "port", "reachable", "error"))
        if not entry.get("name") and not entry.get("host"):
            raise CaseError(f"{what} has neither name nor host")
        reachable = entry.get("reachable", "error" not in entry)
        if not isinstance(reachable, bool):
            raise CaseError(f"{what}: reachable {reachable!r} is neither true nor false")
        if entry.get("error") not in (None, *PEER_ERRORS):
            raise CaseError(f"{what}: error {entry['error']!r} is none of {', '.join(PEER_ERRORS)}")
        port = entry.get("port")
        found.append(Peer(
            entry.get("name"), entry.get("host"),
            None if port is None else _whole(f"{what}: port", port, 1, 65535), reachable,
            entry.get("error"),
        ))  # fmt: skip
    return tuple(found)


def _api(data: Any) -> tuple[dict[str, Any], ...] | None:
    if data is None:
        return None
    found = []
    for row in _list("given.api", data):
        if not isinstance(row, Mapping) or not re.fullmatch(
            r"[a-z]\w*:\w+", str(row.get("schema", ""))
        ):
            raise CaseError(f"given.api: {row!r} is no row: it has no schema, such as xtk:workflow")
        for name, value in row.items():
            if not re.fullmatch(r"@?\w+(?:/@?\w+)*", str(name)):
                raise CaseError(f"given.api: {name!r} is no name of a value")
            if isinstance(value, (list, Mapping)):
                raise CaseError(f"given.api: {name} of a row is no value: {value!r}")
        found.append(dict(row))
    return tuple(found)


def _expect(data: Any) -> Expect:
    _keys("expect", data, ("found", "not_found", "plan"), ("found",))
    found = []
    for entry in _list("expect.found", data["found"]):
        what = "a finding of expect.found"
        _keys(what, entry, ("key", "about", "severity", "restart", "must_mention"),
              ("about", "severity"))
        if entry["severity"] not in SEVERITIES:
            raise CaseError(f"{what}: severity {entry['severity']!r}")
        if entry.get("restart") not in RESTARTS:
            raise CaseError(f"{what}: restart {entry['restart']!r} is neither helps nor useless")
        key = entry.get("key")
        found.append(Found(
            None if key is None else _text(what, key), _text(what, entry["about"]),
            entry["severity"], entry.get("restart"),
            tuple(str(word) for word in _list(f"{what}: must_mention",
                                              entry.get("must_mention", []))),
        ))  # fmt: skip
    plan = data.get("plan")
    if isinstance(plan, list):
        plan = tuple(_text("expect.plan", step) for step in plan)
    elif plan is not None:
        _text("expect.plan", plan)
    wrong = [_text("expect.not_found", key) for key in
             _list("expect.not_found", data.get("not_found", []))]  # fmt: skip
    return Expect(tuple(found), tuple(wrong), plan)
