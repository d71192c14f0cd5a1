# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the configuration says, settled by what runs: instances, syslogd's port, log precision."""

from ..addresses import trace_port
from ..errors import ProbeError
from ..host import proc
from ..names import SYSLOGD_PORTS
from ..precision import precision

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List

    from .probes import Context

    Entry = Dict[str, Any]


def settle(context: "Context", data: "Entry") -> None:
    """The account's configuration (changed in place), as the running processes show it."""
    try:
        running = context.processes()["modules"]
    except ProbeError:
        running = []
    living_copies(data, running)
    if data["syslogd_port_from"] != "option":
        port_of_processes(data, running)


def living_copies(data: "Entry", running: "List[Entry]") -> None:
    """A configuration with a running process is an instance, not a copy."""
    alive = set(process["instance"] for process in running)
    for copy in [copy for copy in data["copies"] if copy["name"] in alive]:
        data["copies"].remove(copy)
        data["instances"].append(copy["name"])
        data["modules"].extend(copy["modules"])
        data["databases"].extend(copy["databases"])


def port_of_processes(data: "Entry", running: "List[Entry]") -> None:
    """The port by the environment that syslogd, else another module, began with.

    customer.sh may have been edited since: then the modules use the older one until they restart.
    """
    for process in sorted(running, key=lambda process: process["name"] != "syslogd")[:1]:
        text = proc.variable_of(process["pid"], "TRACE_ADDR")
        if text is None:
            return
        port, elsewhere = trace_port(text)
        if port or elsewhere:
            data["syslogd_port"], data["syslogd_port_from"] = port, "process"
        elif data["syslogd_port_from"] == "environment":
            data["syslogd_port"], data["syslogd_port_from"] = SYSLOGD_PORTS[0], "default"


def judge_precision(context: "Context", processes: "Dict[str, List[Entry]]") -> None:
    """The log precision of each process, against the arguments that are configured for it.

    None if those are unknown and it logs more than usual: the reason cannot be known.
    """
    for process in processes["modules"]:
        standard = context.arguments(process["name"], process["instance"])
        if standard is not None:
            process["precision"] = precision(process["arguments"], standard)
        elif process["precision"] != "standard":
            process["precision"] = None
