"""A healthy server's snapshot, which a test changes in a few words.

    server = healthy()
    kill(server, "wfserver")
    assert keys(server) == ["wfserver.not_running"]

Times are told as "so long ago": `NOW` is when the snapshot was taken, a Tuesday at noon.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    MODULES,
    SHARED,
    UTILITIES,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)

Snapshot = dict[str, Any]

NOW = 1_763_467_200.0  # 2025-11-18 12:00:00 UTC
MINUTE, HOUR, DAY = 60, 3600, 86400
HOME = "/usr/local/neolane/nl6"
SETTINGS: dict[str, dict[str, Any]] = {
    "web": {"http_port": 8080, "control_port": 8005},
    "trackinglogd": {"max_logs_on_disk_mb": 500},
}


def ago(*, minutes: float = 0, hours: float = 0, seconds: float = 0) -> float:
    """A time before the snapshot."""
    return NOW - seconds - MINUTE * minutes - HOUR * hours


def healthy(*instances: str) -> Snapshot:
    """A server on which everything runs since its daily restart at six."""
    instances = instances or ("prod",)
    places = [
        (module, instance)
        for module in MODULES
        for instance in (("default",) if module in SHARED else instances)
    ]
    running = [(n, m, i) for n, (m, i) in enumerate(places) if m not in UTILITIES]
    return {
        "schema": 1, "taken_at": NOW, "seconds": 0.4, "home": HOME, "user": "neolane",
        "address": "127.0.0.1", "installed": True, "utc_offset_seconds": 0,
        "asked": {
            "modules": list(MODULES), "instances": ["default", *instances],
            "expected_ports": {"syslogd": 666},
        },
        "controller": {"before_at": NOW - 0.2, "after_at": NOW + 0.3},
        "jobs_declared": [],
        "probes": {name: {"seconds": 0.01, "error": None, "data": data} for name, data in {
            "environment": {"var_dir": f"{HOME}/var", "tmp_dir": "/tmp", "jdk_home": None},
            "configuration": {
                "files": [_file("serverConf.xml"), _file("config-default.xml")]
                + [_file(f"config-{instance}.xml") for instance in instances],
                "instances": ["default", *instances],
                "modules": [_configured(*place, instances) for place in places],
                "databases": [], "syslogd_port": 666, "syslogd_port_from": "default",
            },
            "pdump": {
                "build": "7.0 build 9356", "header": "…", "return_code": 0, "unrecognised": [],
                "tasks": [
                    {"module": m, "instance": i, "pid": 1000 + n, "memory_mb": 10.5}
                    for n, m, i in running
                ],
            },
            "missing": {"modules": [], "return_code": 0},
            "processes": {
                "modules": [_process(1000 + n, m, i) for n, m, i in running],
                "children": [], "others": [],
            },
            "sockets": {"listening": [
                _socket(*held, 1000 + n)
                for n, m, i in running
                for held in _holds(m, i, instances)
            ]},
            "shared_memory": {"segments": [_segment()], "denied": False},
            "logs": {
                "logs": [_log(1000 + n, m, i) for n, (m, i) in enumerate(places)],
                "directories": [{"path": f"{HOME}/var/default/log", "exists": True,
                                 "writable": True, "owner": "neolane", "mode": "0755"}],
            },
            "storage": {
                "mounts": [_mount("/", "home", 1), _mount("/tmp", "tmp", 1)],
                "core_files": [], "quota_files": [], "spool": [], "redirection": [],
                "pid_file": {"path": "/run/nlserver.pid", "pid": 1000, "alive": True,
                             "matches": True},
            },
            "machine": _machine(),
            "service": _service(),
            "http": {"checks": [
                check("front_test", redir={"status": "OK"}), check("tomcat_logon"),
                check("front_logon"), check("soap_session", status=405),
            ]},
            "network": {"targets": [
                target("stat", "localhost", 7777 + n, instance, reachable=None)
                for n, instance in enumerate(instances)
            ]},
            "jobs": {"jobs": []},
            "ledger": {"interrupted": [], "precisions": [], "reloads": [], "restarts": [],
                       "renewals": []},
            "api": {"instances": [_database(instance) for instance in instances]},
        }.items()},
    }


def _file(name: str) -> dict[str, Any]:
    return {"path": f"{HOME}/conf/{name}", "name": name, "mtime_at": ago(hours=200),
            "size_bytes": 4000, "error": None}


def _holds(module: str, instance: str, instances: tuple[str, ...]) -> list[tuple[str, int]]:
    """The ports of a module; each instance has a stat of its own."""
    if module == "stat":
        return [("udp", 7777 + instances.index(instance))]
    return {"syslogd": [("udp", 666)], "web": [("tcp", 8080)]}.get(module, [])


def _configured(module: str, instance: str, instances: tuple[str, ...]) -> dict[str, Any]:
    settings = dict(SETTINGS.get(module, {}))
    if module in ("mta", "stat"):
        port = 7777 + instances.index(instance)
        settings = {"stat_address": f"localhost:{port}"} if module == "mta" else {"port": port}
    return {
        "module": module, "instance": instance, "auto_start": module not in UTILITIES,
        "run_level": 10, "args": "", "restart_time": "06:00:00", "memory_warning_mb": 1600,
        "memory_alert_mb": 1800, "settings": settings,
    }


def _process(pid: int, name: str, instance: str) -> dict[str, Any]:
    return {
        "pid": pid, "ppid": 1 if name == "watchdog" else 1000, "name": name, "instance": instance,
        "arguments": [f"-tracefile:{name}@{instance}"], "state": "S", "started_at": ago(hours=6),
        "memory_mb": 10.5, "threads": 2, "files_open": 20, "files_limit": 1024,
        "cpu_seconds": 3.0, "user": "neolane", "precision": "standard",
    }


def _socket(proto: str, port: int, pid: int) -> dict[str, Any]:
    return {"proto": proto, "address": "127.0.0.1", "port": port, "queue_bytes": 0, "pid": pid,
            "command": "nlserver", "user": "neolane", "unit": "nlserver.service", "ours": True}


def _segment() -> dict[str, Any]:
    return {"id": 1, "key": "0x0000abcd", "size_bytes": 1048576, "attached": 2,
            "creator_pid": 1005, "creator_alive": True, "changed_at": ago(hours=6)}


def _log(pid: int, module: str, instance: str) -> dict[str, Any]:
    return {
        "module": module, "instance": instance,
        "path": f"{HOME}/var/{instance}/log/{module}.log", "exists": True, "size_bytes": 10000,
        "mtime_at": ago(minutes=2), "writable": True, "encoding": "iso-8859-15", "lines": 5,
        "truncated": False, "last_at": ago(minutes=2), "bad_lines": 0, "last_reload_at": None,
        "pids": [{"pid": pid, "first_at": ago(minutes=55), "last_at": ago(minutes=2)}],
        "groups": [],
    }


def _database(instance: str) -> dict[str, Any]:
    return {
        "instance": instance, "url": "http://127.0.0.1:8080", "login": "remediation",
        "seconds": 0.3, "error": None, "server": {"build": "9356", "instance": instance},
        "concurrency": 10, "unanswered": [], "more": [], "disabled_owners": [], "deliveries": [],
        "workflows": [
            _workflow(1, "tracking", "Tracking"), _workflow(2, "cleanup", "Database cleanup"),
            _workflow(3, "welcomeMail", "Welcome mail", folder="campaigns"),
        ],
        "journal": [{"workflow": "tracking", "last_at": ago(minutes=20)}],
        "jobs": [], "accounts": [{"name": "defaultPopAccount", "label": "Bounce mails",
                                  "server": "pop.example.com", "active": True}],
        "last_bounce": [{"at": ago(hours=2)}], "last_consolidation_at": ago(minutes=30),
        "last_id": [{"id": 120_000}],
    }


def _workflow(number: int, name: str, label: str, folder: str = "nmsTechnicalWorkflow") -> Any:
    return {
        "id": number, "name": name, "label": label, "state": 11, "failed": False, "process_id": 0,
        "last_start_at": ago(minutes=30), "folder": folder,
    }


def _mount(path: str, role: str, device: int) -> dict[str, Any]:
    return {"path": path, "role": role, "device": device, "used_percent": 40.0,
            "free_mb": 50000, "inodes_used_percent": 10.0, "read_only": False}


def _machine() -> dict[str, Any]:
    return {
        "hostname": "app1", "system": "Linux", "uptime_seconds": 9 * DAY, "cpus": 4,
        "load": [0.5, 0.4, 0.4], "memory_total_mb": 8000, "memory_available_mb": 6000,
        "swap_total_mb": 2000, "swap_free_mb": 2000, "files_used": 2000,
        "files_limit": 100000, "processes": 200, "processes_limit": 32768,
        "zombies": [], "time_synchronised": True,
    }


def _service() -> dict[str, Any]:
    return {
        "manager": "systemd", "unit": "nlserver", "load_state": "loaded",
        "active_state": "active", "sub_state": "running", "enabled": True,
        "main_pid": 1000, "front": None, "init_script": None,
    }


# --- the parts of a snapshot ------------------------------------------------------------------


def data(snapshot: Snapshot, probe: str) -> dict[str, Any]:
    """What a probe brought."""
    brought: dict[str, Any] = snapshot["probes"][probe]["data"]
    return brought


def fail(snapshot: Snapshot, probe: str, kind: str = "timeout", message: str = "") -> None:
    """Let a probe bring nothing but an error."""
    snapshot["probes"][probe] = {
        "seconds": 8.0, "error": {"kind": kind, "message": message}, "data": None,
    }


def process(snapshot: Snapshot, module: str, instance: str = "") -> dict[str, Any]:
    """The process of a module."""
    return _one(data(snapshot, "processes")["modules"], "name", module, instance)


def log(snapshot: Snapshot, module: str, instance: str = "") -> dict[str, Any]:
    """The log of a module."""
    return _one(data(snapshot, "logs")["logs"], "module", module, instance)


def configured(snapshot: Snapshot, module: str, instance: str = "") -> dict[str, Any]:
    """The configuration of a module."""
    return _one(data(snapshot, "configuration")["modules"], "module", module, instance)


def file(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """A configuration file."""
    return _one(data(snapshot, "configuration")["files"], "name", name, "")


def _one(rows: list[dict[str, Any]], key: str, value: str, instance: str) -> dict[str, Any]:
    return next(r for r in rows if r[key] == value and instance in ("", r.get("instance")))


def mount(snapshot: Snapshot, path: str = "/") -> dict[str, Any]:
    """A file system."""
    return _one(data(snapshot, "storage")["mounts"], "path", path, "")


# --- changes ----------------------------------------------------------------------------------


def kill(snapshot: Snapshot, module: str, instance: str = "") -> None:
    """The module's process and its sockets are gone."""
    gone = process(snapshot, module, instance)
    data(snapshot, "processes")["modules"].remove(gone)
    tasks = data(snapshot, "pdump")["tasks"]
    tasks[:] = [task for task in tasks if task["pid"] != gone["pid"]]
    sockets = data(snapshot, "sockets")["listening"]
    sockets[:] = [socket for socket in sockets if socket["pid"] != gone["pid"]]


def kill_all(snapshot: Snapshot) -> None:
    """Nothing runs any more."""
    for entry in list(data(snapshot, "processes")["modules"]):
        kill(snapshot, entry["name"], entry["instance"])


def hang(snapshot: Snapshot, module: str, instance: str = "") -> None:
    """The module is halted by SIGSTOP."""
    process(snapshot, module, instance)["state"] = "T"


def says(
    snapshot: Snapshot, module: str, text: str, *codes: str, count: int = 1, level: str = "error",
    at: float = NOW - 60, instance: str = "prod",
) -> None:
    """The module logs a line so many times, the last time a minute ago."""
    logs = data(snapshot, "logs")["logs"]
    if module in SHARED:
        instance = "default"
    if not any((entry["module"], entry["instance"]) == (module, instance) for entry in logs):
        logs.append(_log(1900, module, instance))
    log(snapshot, module, instance)["groups"].append({
        "signature": text, "level": level, "count": count, "first_at": at - 60, "last_at": at,
        "sample": text, "codes": list(codes), "category": "log",
    })


def restarts(snapshot: Snapshot, module: str, *times: float, instance: str = "") -> None:
    """The module's log shows a new process at each of these times; the last is the present one."""
    writers = log(snapshot, module, instance)["pids"]
    writers.extend(
        {"pid": 2000 + n, "first_at": at, "last_at": at + 1} for n, at in enumerate(times)
    )
    process(snapshot, module, instance).update(started_at=times[-1], pid=2000 + len(times) - 1)


def check(name: str, status: int | None = 200, error: str | None = None, **hints: Any) -> Any:
    """The answer to an HTTP request."""
    seconds = hints.pop("seconds", 0.02)
    body = hints.pop("body", "")
    place = "127.0.0.1:8080" if name.startswith("tomcat") else "127.0.0.1"
    shown = {"blank": False, "java_trace": False, "soap_fault": None, "redir": None, **hints}
    return {
        "name": name, "url": f"http://{place}/{name}", "status": None if error else status,
        "seconds": seconds, "error": error, "body": body, "verdict_hints": shown,
    }


def answers(snapshot: Snapshot, *checks: Any) -> None:
    """Some HTTP requests are answered in another way."""
    rows = data(snapshot, "http")["checks"]
    names = {row["name"] for row in checks}
    rows[:] = [row for row in rows if row["name"] not in names] + list(checks)


def target(
    name: str, host: str, port: int, instance: str = "prod", *, reachable: bool | None = True,
    error: str | None = None, **detail: Any,
) -> Any:
    """Another machine, or a port of this one, that a module needs."""
    return {
        "name": name, "instance": instance, "host": host, "port": port, "proto": "tcp",
        "resolved": detail.pop("resolved", [host] if error != "dns" else None),
        "reachable": reachable, "error": error, "seconds": 0.01, "detail": detail,
    }


def needs(snapshot: Snapshot, *targets: Any) -> None:
    """Some targets are as said, in place of those of the same name."""
    rows = data(snapshot, "network")["targets"]
    names = {row["name"] for row in targets}
    rows[:] = [row for row in rows if row["name"] not in names] + list(targets)


def database(snapshot: Snapshot, instance: str = "prod") -> dict[str, Any]:
    """What the API tells of an instance."""
    return _one(data(snapshot, "api")["instances"], "instance", instance, "")


def workflow(snapshot: Snapshot, name: str, **changes: Any) -> dict[str, Any]:
    """A workflow by its record, changed."""
    found = _one(database(snapshot)["workflows"], "name", name, "")
    found.update(changes)
    return found


def refuses(snapshot: Snapshot, kind: str, message: str = "", code: str | None = None) -> None:
    """The API of prod gives nothing but an error."""
    for name in ("workflows", "journal", "jobs", "accounts", "deliveries", "disabled_owners",
                 "last_bounce", "last_id"):
        database(snapshot)[name] = None
    database(snapshot)["error"] = {"kind": kind, "code": code, "message": message}


def recorded(number: int, kind: str = "export", **changes: Any) -> Any:
    """A run of a job by its record, which took two minutes."""
    return {
        "id": number, "name": "site_" + kind, "kind": kind, "operator": "anna.berg", "status": 5,
        "started_at": ago(hours=100 - number), "ended_at": ago(hours=100 - number) + 120,
        "process_id": 0, "processed": 10, "rejected": 0, **changes,
    }


def job(kind: str = "export", **changes: Any) -> Any:
    """A declared job that did well an hour ago."""
    return {
        "name": f"contacts_{kind}", "kind": kind, "instance": "prod", "operator": "j.martin",
        "running": None, "rejects": None, "last_start_at": ago(hours=1), "last_error": None,
        "result": {"path": "/data/contacts.csv", "mtime_at": ago(hours=1), "size_bytes": 10},
        "last_end_at": ago(hours=1), "max_age_hours": 24, "max_minutes": 60, **changes,
    }


def remembers(snapshot: Snapshot, what: str, module: str, instance: str = "", **more: Any) -> None:
    """The ledger has an entry of one of its lists: `interrupted`, `precisions`, `reloads`, …"""
    if not instance:
        instance = "default" if module in SHARED else "prod"
    entries = data(snapshot, "ledger").setdefault(what, [])
    entries.append({"module": module, "instance": instance, **more})


# --- questions --------------------------------------------------------------------------------


def diagnosed(snapshot: Snapshot, **limits: float) -> dict[str, Any]:
    """The diagnosis."""
    return diagnose(snapshot, "app1", thresholds=Thresholds.of(limits)).as_dict()


def findings(snapshot: Snapshot, **limits: float) -> dict[str, dict[str, Any]]:
    """The findings by id."""
    return {finding["id"]: finding for finding in diagnosed(snapshot, **limits)["findings"]}


def keys(snapshot: Snapshot, **limits: float) -> list[str]:
    """The keys of the findings, in their order."""
    return [finding["key"] for finding in diagnosed(snapshot, **limits)["findings"]]


def roots(snapshot: Snapshot, **limits: float) -> list[str]:
    """The ids of the findings that nothing explains."""
    return [id for id, finding in findings(snapshot, **limits).items() if not finding["caused_by"]]


def verdicts(snapshot: Snapshot) -> dict[str, str]:
    """Module@instance to verdict."""
    return {
        f"{entry['module']}@{entry['instance']}": entry["verdict"]
        for entry in diagnosed(snapshot)["modules"]
    }
