"""stat."""

from __future__ import annotations

from unit.plugin_utils.builder import HOME, Snapshot, ago, data, log, remembers
from unit.plugin_utils.problems.cases import holds, near


@holds("stat.port_taken@prod")
def somebody_else_on_7777(s: Snapshot) -> None:
    data(s, "sockets")["listening"][1].update(ours=False, command="nc", unit=None, pid=9)


def _tcp_8080(s: Snapshot, **holder: object) -> None:
    listening = data(s, "sockets")["listening"]
    listening[:] = [socket for socket in listening if socket["port"] != 8080]
    listening.append({"proto": "tcp", "address": "0.0.0.0", "port": 8080, "queue_bytes": 0,
                      "command": "java", "unit": "jetty.service", "pid": 9, **holder})


@holds("web.port_taken@default")
def somebody_else_on_8080(s: Snapshot) -> None:
    _tcp_8080(s, ours=False)


@near("web.port_taken")
def web_itself_on_8080(s: Snapshot) -> None:
    _tcp_8080(s, ours=True)


@holds("stat.port_not_held@prod")
def nobody_on_7777(s: Snapshot) -> None:
    del data(s, "sockets")["listening"][1]


QUOTAS = f"{HOME}/conf/quota-prod.conf"


@holds(f"stat.quotas_not_loaded@prod#{QUOTAS}")
def the_quotas_changed(s: Snapshot) -> None:
    data(s, "storage")["quota_files"] = [{"path": QUOTAS, "mtime_at": ago(minutes=5)}]


@near("stat.quotas_not_loaded")
def a_remedy_reloaded_them(s: Snapshot) -> None:
    the_quotas_changed(s)
    remembers(s, "reloads", "stat", at=ago(minutes=4))


@near("stat.quotas_not_loaded")
def the_quotas_were_reloaded(s: Snapshot) -> None:
    the_quotas_changed(s)
    log(s, "stat")["last_reload_at"] = ago(minutes=4)
