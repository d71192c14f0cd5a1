# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""serverConf.xml and config-<instance>.xml. Only listed attributes are ever kept."""

import os

from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    DEFAULT,
    MODULES,
    OTHER_MODULES,
    SHARED,
    clean,
    number,
)

COMMON = (
    "autoStart",
    "args",
    "runLevel",
    "processRestartTime",
    "maxProcessMemoryWarningMb",
    "maxProcessMemoryAlertMb",
)
# module: {name in the snapshot: (attribute, default, is a number)}
SETTINGS = {
    "mta": {
        "stat_address": ("statServerAddress", "", False),
        "working_path": ("workingPath", "var/$(INSTANCE_NAME)/mta/", False),
        "relay_host": ("relay/address", None, False),
        "relay_port": ("relay/port", None, True),
    },
    "web": {
        "http_port": ("httpPort", 8080, True),
        "control_port": ("controlPort", 8005, True),
    },
    "stat": {"port": ("port", 7777, True)},
    "syslogd": {
        "port": ("port", None, True),
        "max_file_size_mb": ("maxFileSizeMb", 10, True),
    },
    "trackinglogd": {
        "max_logs_on_disk_mb": ("maxLogsSizeOnDiskMb", 500, True),
        "max_shared_logs": ("maxSharedLogs", 25000, True),
        "param_size": ("webTrackingParamSize", 64, True),
    },
}
SIZE_LIMIT = 4 * 1024 * 1024


def instances(conf):
    """`default` and the instances that have a file."""
    names = set(
        name[len("config-") : -len(".xml")]
        for name in os.listdir(conf)
        if name.startswith("config-") and name.endswith(".xml")
    )
    return [DEFAULT] + sorted(names - {DEFAULT, ""})


def parse(data):
    """(values, error) of one file: values is {module: {attribute: text}}, and `dataSources`.

    What stands before an error is kept. Passwords are dropped here: they never enter a value.
    """
    import pyexpat

    values = {"dataSources": []}
    tags = []
    source = [None]

    def start(tag, attributes):
        tags.append(tag)
        path = tags[2:] if tags[1:2] == ["shared"] else tags[1:]
        if tag == "dataSource":
            source[0] = attributes.get("name")
        elif tag == "dbcnx":
            values["dataSources"].append(
                {
                    "name": source[0],
                    "provider": attributes.get("provider"),
                    "server": attributes.get("server"),
                }
            )
        elif path and path[0] in MODULES and len(path) < 3:
            prefix = "relay/" if path[1:] == ["relay"] else ""
            wanted = [entry[0] for entry in SETTINGS.get(path[0], {}).values()]
            if len(path) == 1:
                wanted.extend(COMMON)
            kept = values.setdefault(path[0], {})
            for name, value in attributes.items():
                if prefix + name in wanted and (prefix or len(path) == 1):
                    kept.setdefault(prefix + name, value)

    def end(dummy):
        if tags.pop() == "dataSource":
            source[0] = None

    parser = pyexpat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except pyexpat.ExpatError as error:
        return values, {"line": error.lineno, "message": pyexpat.ErrorString(error.code)}
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        return values, {"line": 1, "message": clean(str(error), 200)}
    return values, None


def settings(module, instance, values):
    """One entry of the snapshot's `modules`, from merged attributes."""
    known = SETTINGS.get(module, {})
    chosen = {}
    for name, (attribute, default, numeric) in known.items():
        value = values.get(attribute)
        if numeric:
            chosen[name] = number(value, default)
        else:
            chosen[name] = default if value is None else clean(value, 300)
    if chosen.get("working_path") is not None:
        chosen["working_path"] = chosen["working_path"] or known["working_path"][1]
    return {
        "module": module,
        "instance": instance,
        "auto_start": values.get("autoStart", "").strip().lower() in ("true", "1"),
        "run_level": number(values.get("runLevel")),
        "args": clean(values.get("args", ""), 300),
        "restart_time": values.get("processRestartTime", "06:00:00"),
        "memory_warning_mb": number(values.get("maxProcessMemoryWarningMb"), 1600),
        "memory_alert_mb": number(values.get("maxProcessMemoryAlertMb"), 1800),
        "settings": chosen,
    }


def load(conf, syslogd_port):
    """The probe's data, and what is wrong with which file (an empty text if nothing is)."""
    names = instances(conf)
    files, documents, broken = [], {}, []
    for name in ["serverConf.xml"] + ["config-%s.xml" % name for name in names]:
        path = os.path.join(conf, name)
        entry = {"path": path, "name": name, "mtime_at": None, "size_bytes": None, "error": None}
        values = {"dataSources": []}
        try:
            status = os.stat(path)
            entry["mtime_at"], entry["size_bytes"] = status.st_mtime, status.st_size
            with open(path, "rb") as stream:
                values, entry["error"] = parse(stream.read(SIZE_LIMIT))
        except OSError as error:
            entry["error"] = {"line": None, "message": error.strerror or str(error)}
        if name == "config-default.xml" and not os.path.lexists(path):
            continue  # a server without one uses serverConf.xml alone
        if entry["error"]:
            line = entry["error"]["line"]
            where = path if line is None else "%s, line %d" % (path, line)
            broken.append("%s: %s" % (where, entry["error"]["message"]))
        files.append(entry)
        documents[name] = values
    shared = documents.get("serverConf.xml", {})
    modules, databases = [], []
    for instance in names:
        own = documents.get("config-%s.xml" % instance, {})
        for module in MODULES:
            if (module in SHARED) == (instance == DEFAULT):
                merged = dict(shared.get(module, {}), **own.get(module, {}))
                modules.append(settings(module, instance, merged))
        for source in own.get("dataSources", []):
            databases.append(
                dict(
                    (key, value and clean(value, 200))
                    for key, value in dict(source, instance=instance).items()
                )
            )
    configured = next((m for m in modules if m["module"] == "syslogd"), None)
    port, origin = syslogd_port, "option"
    if not port:
        port = configured and configured["settings"]["port"]
        origin = "serverConf.xml"
    if not port:
        port, origin = 666, "default"
    data = {
        "files": files,
        "instances": names,
        "modules": modules,
        "databases": databases,
        "syslogd_port": port,
        "syslogd_port_from": origin,
    }
    return data, "; ".join(broken)


def is_product(name):
    """Is it the name of a module that Campaign runs permanently or on demand?"""
    return name in MODULES or name in OTHER_MODULES
