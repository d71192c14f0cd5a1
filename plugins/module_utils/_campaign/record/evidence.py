# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the server looked like before it was touched: kept on the host, without passwords."""

import json
import os
import re
import shutil
import time

from ..account import secrets, storage
from ..account.answers import Maybe
from ..account.files import regular
from ..errors import ProbeError
from ..host import proc
from ..names import DEFAULT, LOGS
from ..text import decode, mask, printable

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

    from ..account.probes import Server
    from ..snapshot.probes import Context
    from .store import Store

    Entry = Dict[str, Any]

DIRECTORY = "evidence"
MAIN_LOG_BYTES = 2 * 1024 * 1024
OTHER_LOG_BYTES = 256 * 1024
TEXT_BYTES = 256 * 1024
PARTIAL = ".partial-"
_NAME = re.compile(r"^\d{8}T\d{6}Z-[A-Za-z]+@[\w.-]+(\.\d+)?$")
_PROCESS_LINES = re.compile(
    r"^(Name|State|Pid|PPid|Threads|Vm\w+|Rss\w+|voluntary_\w+|nonvoluntary_\w+|Sig\w+)[:\t]"
)


class EvidenceError(Exception):
    """Nothing could be kept."""


class Scrubber:
    """Takes passwords out of texts: what looks like one, and the server's own by their value.

    These are known to a child that is the account, which takes them out there. Where it cannot be
    asked, what looks like a password goes all the same.
    """

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._done: "Dict[str, str]" = {}

    def __call__(self, text: str) -> str:
        return self.many([text])[0]

    def many(self, texts: "List[str]") -> "List[str]":
        """The same of several texts, by one child."""
        new = sorted(set(texts).difference(self._done))
        if new:
            conf = os.path.join(self._context.home, "conf")
            try:
                found = self._context.ask(
                    lambda dummy: list(map(secrets.Scrubber(conf), new)), shape=[str], ready=False
                )
            except ProbeError:
                found = []
            if len(found) != len(new):
                found = ["\n".join(map(mask, text.split("\n"))) for text in new]
            if len(self._done) > 1000:
                self._done.clear()
            self._done.update(zip(new, found))
        return [self._done[text] for text in texts]


def texts_of(value: "Any") -> "List[str]":
    """Every text in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in texts_of(one)]
    return []


class _Bundle:
    """Files written into one directory, up to a total size."""

    def __init__(self, store: "Store", name: str, limit: int, scrub: Scrubber) -> None:
        self.store = store
        self.name = name
        self.remaining = limit
        self.scrub = scrub
        self.files: "List[Entry]" = []
        self.missing: "List[Entry]" = []

    def add(
        self,
        name: str,
        function: "Callable[[], Any]",
        limit: int = TEXT_BYTES,
        tail: bool = False,
        scrubbed: bool = False,
    ) -> None:
        """Write what the function returns; that it fails is evidence, too. scrubbed: it comes from
        the account's child, without passwords.
        """
        try:
            text = function()
        except (OSError, ProbeError, ValueError) as error:
            self.missing.append({"name": name, "error": self.scrub(str(error))[:300]})
            return
        if text is None:
            return
        if not isinstance(text, str):
            text = json.dumps(text, indent=1, sort_keys=True)
        data = (text if scrubbed else self.scrub(text)).encode("utf-8", "replace")
        limit = min(limit, self.remaining)
        cut = len(data) > limit
        if cut:
            data = data[len(data) - limit :] if tail else data[:limit]
        self.remaining -= len(data)
        self.write(name, data)
        self.files.append({"name": name, "bytes": len(data), "cut": cut})

    def write(self, name: str, data: bytes) -> None:
        path = os.path.join(DIRECTORY, self.name, name)
        descriptor = self.store.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)


def collect(
    context: "Context",
    store: "Store",
    subject: "Tuple[str, str]",
    about: "Entry",
    options: "Entry",
    now: "Optional[float]" = None,
) -> str:
    """Keep the evidence on (module, instance), module "" being the whole server; its path.

    Raises EvidenceError; nothing is left behind then.
    """
    now = time.time() if now is None else now
    prune(store, options["evidence_keep"] - 1, options["evidence_days"], now)
    module, instance = subject
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    final = "%s-%s@%s" % (stamp, module or "host", instance)
    partial = "%s%d-%s" % (PARTIAL, os.getpid(), final)
    limit = int(options["evidence_max_mb"] * 1024 * 1024) - 8192  # the rest is for about.json
    bundle = _Bundle(store, partial, limit, Scrubber(context))
    try:
        os.makedirs(store.join(DIRECTORY), 0o700, exist_ok=True)
        os.mkdir(store.join(DIRECTORY, partial), 0o700)
        _fill(bundle, context, module, instance)
        about = dict(about, at=now, module=module, instance=instance)
        about.update(files=bundle.files, missing=bundle.missing[:20])
        text = bundle.scrub(json.dumps(about, indent=1, sort_keys=True))
        bundle.write("about.json", text.encode("utf-8"))
        return store.join(DIRECTORY, _settle(store, partial, final))
    except OSError as error:
        shutil.rmtree(store.join(DIRECTORY, partial), ignore_errors=True)
        problem = store.error("write evidence to", error, store.join(DIRECTORY))
        raise EvidenceError(str(problem)) from None


def _settle(store: "Store", partial: str, final: str) -> str:
    """Give it its name; two in one second get a number."""
    number = 1
    name = final
    while os.path.lexists(store.join(DIRECTORY, name)):
        number += 1
        name = "%s.%d" % (final, number)
    os.rename(store.join(DIRECTORY, partial), store.join(DIRECTORY, name))
    return name


def prune(store: "Store", keep: int, days: float, now: float) -> None:
    """Remove old and surplus evidence, and incomplete evidence of killed runs."""
    try:
        names = sorted(os.listdir(store.join(DIRECTORY)))
    except OSError:
        return
    whole = [name for name in names if _NAME.match(name)]
    oldest = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - days * 86400.0))
    doomed = [name for name in whole if name < oldest]
    rest = whole[len(doomed) :]
    doomed.extend(rest[: max(0, len(rest) - max(0, keep))])
    for name in names:
        if name.startswith(PARTIAL):
            pid = name[len(PARTIAL) :].partition("-")[0]
            if not os.path.exists(os.path.join(proc.PROC, pid)):
                doomed.append(name)
    for name in doomed:
        # First it loses its name: a run that is killed here leaves no half of it as evidence.
        away = store.join(DIRECTORY, "%s%d-%s" % (PARTIAL, os.getpid(), name))
        try:
            os.rename(store.join(DIRECTORY, name), away)
        except OSError:
            continue
        shutil.rmtree(away, ignore_errors=True)


def _fill(bundle: _Bundle, context: "Context", module: str, instance: str) -> None:
    groups = proc.processes(proc.scan(context.home))
    bundle.add("pdump-who.txt", lambda: context.ask(_pdump, shape=str), scrubbed=True)
    bundle.add("processes.json", lambda: groups)
    bundle.add("process-status.txt", lambda: _status(groups, module, instance))
    bundle.add("shared-memory.txt", lambda: proc.read("sysvipc", "shm"))
    bundle.add("disk.json", lambda: context.ask(_disk))
    bundle.add("machine.json", lambda: proc.machine(proc.scan(context.home)))
    for folder, name, limit in logs_of(context, module, instance):
        path = os.path.join(context.var_dir, folder, "log", name + ".log")
        target = "log-%s@%s.txt" % (name, folder)
        bundle.add(target, _log(context, path, limit), limit, tail=True, scrubbed=True)


def _log(context: "Context", path: str, limit: int) -> "Callable[[], Any]":
    """What returns the end of a log."""
    return lambda: context.ask(
        lambda server: _tail(server, path, limit), shape=Maybe(str), ready=False
    )


def logs_of(context: "Context", module: str, instance: str) -> "List[Tuple[str, str, int]]":
    """(instance, log, bytes) of the log files about a module, the best first."""
    mine: "List[Tuple[str, str, int]]" = []
    if module:
        mine = [(instance, module, MAIN_LOG_BYTES), (instance, module + "_debug", OTHER_LOG_BYTES)]
        mine.extend((instance, name, OTHER_LOG_BYTES) for name in LOGS.get(module, ()))
    else:
        for entry in context.configuration["modules"]:
            mine.append((entry["instance"], entry["module"], OTHER_LOG_BYTES))
    for name in ("watchdog", "syslogd"):
        if (DEFAULT, name) not in [entry[:2] for entry in mine]:
            mine.append((DEFAULT, name, OTHER_LOG_BYTES))
    return mine


def _pdump(server: "Server") -> str:
    code, out, err = server.nlserver("pdump", "-who")
    text = out if not code else "%s%s\n(ended with %d)\n" % (out, err, code)
    return secrets.Scrubber(os.path.join(server.home, "conf"))(text)


def _status(groups: "Dict[str, List[Entry]]", module: str, instance: str) -> str:
    """State, memory, limits and where in the kernel it is, of the module and its children."""
    chosen = [p for p in groups["modules"] if not module or matches(p, module, instance)]
    pids = set(p["pid"] for p in chosen)
    chosen.extend(p for p in groups["children"] if p["ppid"] in pids)
    texts = []
    for process in chosen[:50]:
        pid = str(process["pid"])
        try:
            status = [line for line in proc.read(pid, "status").splitlines()
                      if _PROCESS_LINES.match(line)]  # fmt: skip
            texts.append("== %s@%s (%s)" % (process["name"], process["instance"], pid))
            texts.extend(status)
            texts.append("wchan: " + proc.read(pid, "wchan"))
            texts.append(proc.read(pid, "limits"))
        except OSError as error:
            texts.append("(%s)" % error.strerror)
    return "\n".join(texts) + "\n" if texts else "No such process.\n"


def matches(process: "Entry", module: str, instance: str) -> bool:
    if process["name"] != module:
        return False
    return module == "watchdog" or process["instance"] == instance


def _disk(server: "Server") -> "List[Entry]":
    folders = [(server.home, "home"), (server.var_dir, "var"), (server.tmp_dir, "tmp")]
    return [mount for mount in (storage.mount(*each) for each in folders) if mount]


def _tail(server: "Server", path: str, limit: int) -> "Optional[str]":
    try:
        with regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - limit))
            data = stream.read(limit)
    except FileNotFoundError:
        return None
    if size > limit:
        data = data.partition(b"\n")[2]
    return printable(secrets.Scrubber(os.path.join(server.home, "conf"))(decode(data)))


def packed(store: "Store", paths: "Iterable[str]") -> "Dict[str, str]":
    """{name: its files, packed} of evidence directories, for the controller."""
    import base64
    import zlib

    found = {}
    for path in paths:
        name = os.path.basename(path.rstrip("/"))
        if not _NAME.match(name):
            continue
        files = {}
        for entry in _names(store.join(DIRECTORY, name)):
            data = store.read(os.path.join(DIRECTORY, name, entry))
            if data is not None:
                files[entry] = data.decode("utf-8", "replace")
        if files:
            data = zlib.compress(json.dumps(files).encode("ascii"), 6)
            found[name] = base64.b64encode(data).decode("ascii")
    return found


def _names(path: str) -> "List[str]":
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []
