# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the server looked like before it was touched: kept on the host, without passwords."""

import json
import os
import re
import shutil
import time

from ansible_collections.campaign.remediation.plugins.module_utils import (
    parsers,
    proc,
    storage,
)
from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    ProbeError,
    mask,
)

DIRECTORY = "evidence"
MAIN_LOG_BYTES = 2 * 1024 * 1024
OTHER_LOG_BYTES = 256 * 1024
TEXT_BYTES = 256 * 1024
PARTIAL = ".partial-"
RELATED = {"wfserver": ["runwf"], "mta": ["mtachild"], "web": ["webmdl"], "tracking": ["runwf"]}
_NAME = re.compile(r"^\d{8}T\d{6}Z-[A-Za-z]+@[\w.-]+(\.\d+)?$")
_SECRET_ATTRIBUTE = re.compile(
    rb"""\b[\w:-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token)\s*=\s*("[^"]*"|'[^']*')""", re.I
)
_PROCESS_LINES = re.compile(
    r"^(Name|State|Pid|PPid|Threads|Vm\w+|Rss\w+|voluntary_\w+|nonvoluntary_\w+|Sig\w+)[:\t]"
)


class EvidenceError(Exception):
    """Nothing could be kept."""


class Scrubber(object):
    """Takes passwords out of text: what looks like one, and the server's own by their value."""

    def __init__(self, conf):
        values = set()
        try:
            names = [name for name in os.listdir(conf) if name.endswith(".xml")]
        except OSError:
            names = []
        for name in names:
            try:
                with open(os.path.join(conf, name), "rb") as stream:
                    data = stream.read(4 * 1024 * 1024)
            except OSError:
                continue
            for found in _SECRET_ATTRIBUTE.findall(data):
                values.update(_spellings(parsers.decode(found[1:-1])))
        words = sorted((v for v in values if len(v) > 3), key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(word) for word in words)) if words else None

    def __call__(self, text):
        if self._known:
            text = self._known.sub("***", text)
        return "\n".join(mask(line) for line in text.split("\n"))


def _spellings(value):
    """As it stands in the file, as it is meant, and as it is in a URL or as base64."""
    import base64
    from html import unescape
    from urllib.parse import quote

    meant = unescape(value)
    coded = base64.b64encode(meant.encode("utf-8")).decode("ascii").rstrip("=")
    return {value, meant, quote(meant, safe=""), coded}


class _Bundle(object):
    """Files written into one directory, up to a total size."""

    def __init__(self, store, name, limit, scrub):
        self.store = store
        self.name = name
        self.left = limit
        self.scrub = scrub
        self.files = []
        self.missing = []

    def add(self, name, function, limit=TEXT_BYTES, tail=False):
        """Write what the function returns; that it fails is evidence, too."""
        try:
            text = function()
        except (OSError, ProbeError, ValueError) as error:
            self.missing.append({"name": name, "error": self.scrub(str(error))[:300]})
            return
        if text is None:
            return
        if not isinstance(text, str):
            text = json.dumps(text, indent=1, sort_keys=True)
        data = self.scrub(text).encode("utf-8", "replace")
        limit = min(limit, self.left)
        cut = len(data) > limit
        if cut:
            data = data[len(data) - limit :] if tail else data[:limit]
        self.left -= len(data)
        self.write(name, data)
        self.files.append({"name": name, "bytes": len(data), "cut": cut})

    def write(self, name, data):
        path = os.path.join(DIRECTORY, self.name, name)
        descriptor = self.store.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)


def collect(context, store, subject, about, options, now=None):
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
    bundle = _Bundle(store, partial, limit, Scrubber(os.path.join(context.home, "conf")))
    try:
        with store.acting():
            os.makedirs(store.join(DIRECTORY), 0o700, exist_ok=True)
            os.mkdir(store.join(DIRECTORY, partial), 0o700)
        _fill(bundle, context, module, instance)
        about = dict(about, at=now, module=module, instance=instance)
        about.update(files=bundle.files, missing=bundle.missing[:20])
        text = bundle.scrub(json.dumps(about, indent=1, sort_keys=True))
        bundle.write("about.json", text.encode("utf-8"))
        with store.acting():
            return store.join(DIRECTORY, _settle(store, partial, final))
    except OSError as error:
        with store.acting():
            shutil.rmtree(store.join(DIRECTORY, partial), ignore_errors=True)
        problem = store.error("write evidence below", error, store.join(DIRECTORY))
        raise EvidenceError(str(problem)) from None


def _settle(store, partial, final):
    """Give it its name; two in one second get a number."""
    number = 1
    name = final
    while os.path.lexists(store.join(DIRECTORY, name)):
        number += 1
        name = "%s.%d" % (final, number)
    os.rename(store.join(DIRECTORY, partial), store.join(DIRECTORY, name))
    return name


def prune(store, keep, days, now):
    """Remove what is too old or too much, and what a killed run left half done."""
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
    with store.acting():
        for name in doomed:
            shutil.rmtree(store.join(DIRECTORY, name), ignore_errors=True)


def _fill(bundle, context, module, instance):
    groups = proc.processes(proc.scan(context.home), ())
    bundle.add("pdump-who.txt", lambda: _pdump(context))
    bundle.add("processes.json", lambda: groups)
    bundle.add("process-status.txt", lambda: _status(groups, module, instance))
    bundle.add("shared-memory.txt", lambda: proc.read("sysvipc", "shm"))
    bundle.add("disk.json", lambda: _disk(context))
    bundle.add("machine.json", lambda: proc.machine(proc.scan(context.home)))
    for place, name, limit in logs_of(context, module, instance):
        path = os.path.join(context.var_dir, place, "log", name + ".log")
        target = "log-%s@%s.txt" % (name, place)
        bundle.add(target, lambda path=path, limit=limit: _tail(path, limit), limit, tail=True)


def logs_of(context, module, instance):
    """(instance, log, bytes) of the log files that tell of a module, the best first."""
    if module:
        mine = [(instance, module, MAIN_LOG_BYTES), (instance, module + "_debug", OTHER_LOG_BYTES)]
        mine.extend((instance, name, OTHER_LOG_BYTES) for name in RELATED.get(module, ()))
    else:
        mine = []
        for entry in context.configuration["modules"]:
            mine.append((entry["instance"], entry["module"], OTHER_LOG_BYTES))
    for name in ("watchdog", "syslogd"):
        if (DEFAULT, name) not in [entry[:2] for entry in mine]:
            mine.append((DEFAULT, name, OTHER_LOG_BYTES))
    return mine


def _pdump(context):
    code, out, err = context.nlserver("pdump", "-who")
    return out if not code else "%s%s\n(ended with %d)\n" % (out, err, code)


def _status(groups, module, instance):
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


def matches(process, module, instance):
    if process["name"] != module:
        return False
    return module == "watchdog" or process["instance"] == instance


def _disk(context):
    places = [(context.home, "home"), (context.var_dir, "var"), (context.tmp_dir, "tmp")]
    return [mount for mount in (storage.mount(*place) for place in places) if mount]


def _tail(path, limit):
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - limit))
            data = stream.read(limit)
    except FileNotFoundError:
        return None
    if size > limit:
        data = data.partition(b"\n")[2]
    return parsers.decode(data)


def packed(store, paths):
    """{name: its files, packed} of evidence directories, for the controller."""
    import base64
    import zlib

    found = {}
    for path in paths:
        name = os.path.basename(path.rstrip("/"))
        if not _NAME.match(name):
            continue
        files = {}
        with store.acting():
            for entry in _names(store.join(DIRECTORY, name)):
                data = store.read(os.path.join(DIRECTORY, name, entry))
                if data is not None:
                    files[entry] = data.decode("utf-8", "replace")
        if files:
            data = zlib.compress(json.dumps(files).encode("ascii"), 6)
            found[name] = base64.b64encode(data).decode("ascii")
    return found


def _names(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def failure_text(error):
    """For a person: what to do about it."""
    return (
        "No evidence could be kept: %s Make room there (or choose another state_dir), lower"
        " evidence_max_mb or evidence_keep, or set accept_no_evidence: true to go on without."
        % error
    )
