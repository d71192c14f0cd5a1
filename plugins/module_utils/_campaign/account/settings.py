# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which attributes of the configuration are kept, and how the files of an instance add up.

A value is known, or it is the default, or it is unknown: where the file that may hold it could not
be read as far as that. What is unknown is None, and named.
"""

from ..names import DEFAULT, MODULES, SHARED, STAT_PORT
from ..text import clean, number

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

    Entry = Dict[str, Any]
    Setting = Tuple[str, Any, str]

SERVER_FILE = "serverConf.xml"
TEXT, NUMBER, FLAG, LIST = "text", "number", "flag", "list"
UNKNOWN = object()
LENGTH = 300
# module: {name in the snapshot: (attribute, default, kind)}; a path before the attribute is that
# of an element inside the module's own.
SETTINGS: "Dict[str, Dict[str, Setting]]" = {
    "mta": {
        "stat_address": ("statServerAddress", "", TEXT),
        "working_path": ("workingPath", "var/$(INSTANCE_NAME)/mta/", TEXT),
        "relay_host": ("relay/address", None, TEXT),
        "relay_port": ("relay/port", None, NUMBER),
        "verify_mode": ("verifyMode", False, FLAG),
        "debug_path": ("debugPath", "", TEXT),
        "data_log_path": ("dataLogPath", "", TEXT),
        "extra_args": ("child/extraArgs", "", TEXT),
        "working_set_mb": ("child/maxWorkingSetMb", None, NUMBER),
        "waiting_messages": ("child/maxWaitingMessages", None, NUMBER),
    },
    "web": {
        "http_port": ("httpPort", 8080, NUMBER),
        "control_port": ("controlPort", 8005, NUMBER),
        "relay_targets": ("relay/url/targetUrl", [], LIST),
    },
    "stat": {"port": ("port", STAT_PORT, NUMBER)},
    "syslogd": {"max_file_size_mb": ("maxFileSizeMb", 10, NUMBER)},
    "trackinglogd": {
        "max_logs_on_disk_mb": ("maxLogsSizeOnDiskMb", 500, NUMBER),
        "max_shared_logs": ("maxSharedLogs", 25000, NUMBER),
        "param_size": ("webTrackingParamSize", 64, NUMBER),
    },
    "inMail": {"dump": ("msgDump/dump", False, FLAG)},
    "wfserver": {"affinity": ("affinity", "", TEXT)},
}
RESTART_TIME = "06:00:00"
# name in the snapshot: (attribute, default, kind), of every module
COMMON: "Dict[str, Setting]" = {
    "run_level": ("runLevel", None, NUMBER),
    "args": ("args", "", TEXT),
    "restart_time": ("processRestartTime", RESTART_TIME, TEXT),
    "memory_warning_mb": ("maxProcessMemoryWarningMb", 1600, NUMBER),
    "memory_alert_mb": ("maxProcessMemoryAlertMb", 1800, NUMBER),
}
ARGUMENTS = {"mta": "-tracefilter:nlmta"}  # as shipped, where no file says others
# Those of which the snapshot says in which file they are.
ORIGINS = (
    "args", "extra_args", "verify_mode", "affinity", "restart_time", "auto_start",
    "debug_path", "data_log_path", "dump",
)  # fmt: skip
SWITCH, SWITCHED_OFF = "autoStart", "_autoStart"


def wanted_attributes() -> "Dict[str, Set[str]]":
    """{path of an element: names of its attributes that are kept}."""
    found: "Dict[str, Set[str]]" = {}
    for module in MODULES:
        found[module] = {SWITCH, SWITCHED_OFF}
        for attribute, dummy, dummy in COMMON.values():
            found[module].add(attribute)
        for attribute, dummy, dummy in SETTINGS.get(module, {}).values():
            path, dummy, name = ("%s/%s" % (module, attribute)).rpartition("/")
            found.setdefault(path, set()).add(name)
    return found


WANTED_ATTRIBUTES = wanted_attributes()


class Document:
    """What could be read of one file."""

    def __init__(self, name: str) -> None:
        self.name = name
        # path: attributes of the first of that path, all values of a list
        self.elements: "Dict[str, Dict[str, Any]]" = {}
        self.ended: "Set[str]" = set()  # paths of the modules that were read to their end
        self.sources: "List[Entry]" = []
        self.error: "Optional[Entry]" = None

    def value(self, path: str, attribute: str) -> "Any":
        """What it says; None if it does not say it, UNKNOWN if that could not be read."""
        if self.error and path.partition("/")[0] not in self.ended:
            return UNKNOWN
        return self.elements.get(path, {}).get(attribute)


def is_true(text: str) -> bool:
    """Is a switch on?"""
    return text.strip().lower() in ("true", "1")


def switch(document: Document, module: str) -> "Tuple[Any, bool]":
    """Whether the file switches the module on (True, False, None: it says nothing, UNKNOWN), and
    whether it is an underscore that switches it off."""
    value = document.value(module, SWITCH)
    if value is UNKNOWN or value is None:
        if document.value(module, SWITCHED_OFF) not in (None, UNKNOWN):
            return False, True
        return value, False
    return is_true(value), False


class Files:
    """The files that hold for the modules of one instance, the strongest first."""

    def __init__(
        self, instance: str, own: Document, shared: Document, others: "Sequence[Document]" = ()
    ) -> None:
        self.instance = instance
        self.own = own
        self.shared = shared
        self.others = others  # of a shared module: the files of instances, which may switch it on

    def find(self, path: str, attribute: str) -> "Tuple[Any, Optional[str]]":
        """(value, name of the file); (None, None) if none says it, (UNKNOWN, name) if one may."""
        for document in (self.own, self.shared):
            value = document.value(path, attribute)
            if value is not None:
                return value, document.name
        return None, None

    def auto_start(self, module: str) -> "Tuple[Any, Optional[str], bool]":
        """(True, False or UNKNOWN, name of the file, off by an underscore)."""
        on, name, off = False, None, False
        for document in (self.own, self.shared):
            value, off = switch(document, module)
            if value is not None:
                on, name = value, document.name
                break
        if on is True or off:
            return on, name, off
        for document in self.others:
            value, dummy = switch(document, module)
            if value is True:
                return True, document.name, False
            if value is UNKNOWN:
                on, name = UNKNOWN, document.name
        return on, name, off

    def restart_time_missing(self, module: str) -> bool:
        """Was it deleted from the element of serverConf.xml, which ships it, and is it nowhere?"""
        if self.shared.elements.get(module) is None:
            return False
        value = self.find(module, "processRestartTime")[0]
        return value is None or (value is not UNKNOWN and not value.strip())


def settings(module: str, files: Files) -> "Entry":
    """One entry of the snapshot's `modules`."""
    entry: "Entry" = {
        "module": module, "instance": files.instance, "unknown": [], "origins": {},
    }  # fmt: skip
    entry["auto_start"], origin, entry["switched_off"] = files.auto_start(module)
    _note(entry, "auto_start", entry["auto_start"], origin)
    if entry["auto_start"] is UNKNOWN:
        entry["auto_start"] = None
    for name, (attribute, default, kind) in COMMON.items():
        default = ARGUMENTS.get(module, default) if name == "args" else default
        entry[name] = _value(entry, name, files.find(module, attribute), default, kind)
    entry["restart_time_missing"] = files.restart_time_missing(module)
    if entry["restart_time_missing"]:
        entry["restart_time"] = None
    chosen = entry["settings"] = {}
    for name, (attribute, default, kind) in SETTINGS.get(module, {}).items():
        path, dummy, last = ("%s/%s" % (module, attribute)).rpartition("/")
        chosen[name] = _value(entry, name, files.find(path, last), default, kind)
        if name == "working_path" and not chosen[name] and name not in entry["unknown"]:
            chosen[name] = default
    return entry


def _note(entry: "Entry", name: str, value: "Any", origin: "Optional[str]") -> None:
    if value is UNKNOWN:
        entry["unknown"].append(name)
    elif origin and name in ORIGINS:
        entry["origins"][name] = origin


def _value(
    entry: "Entry", name: str, found: "Tuple[Any, Optional[str]]", default: "Any", kind: str
) -> "Any":
    value, origin = found
    _note(entry, name, value, origin)
    if value is UNKNOWN:
        return None
    if value is None:
        return default
    if kind is LIST:
        return [clean(each, LENGTH) for each in value]
    if kind is NUMBER:
        return number(value, default)
    if kind is FLAG:
        return is_true(value)
    return clean(value, 20 if name == "restart_time" else LENGTH)


def modules_of(
    instance: str, documents: "Dict[str, Document]", names: "Iterable[str]"
) -> "List[Entry]":
    """The entries of an instance's modules: those of `default` are the shared ones."""
    own = documents["config-%s.xml" % instance]
    others = []
    if instance == DEFAULT:
        others = [documents["config-%s.xml" % name] for name in names if name != DEFAULT]
    files = Files(instance, own, documents[SERVER_FILE], others)
    return [
        settings(module, files)
        for module in MODULES
        if (module in SHARED) == (instance == DEFAULT)
    ]
