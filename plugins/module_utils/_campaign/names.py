# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the product: modules, probes, workflows, states."""

from collections import namedtuple

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Dict, NamedTuple, Tuple

    class Module(NamedTuple):
        name: str
        column: str
        runs: str
        children: Tuple[str, ...]
        logs: Tuple[str, ...]
        reload: str
        lost: str
else:
    Module = namedtuple("Module", "name column runs children logs reload lost")

# The one declaration of the modules, in the order in which they are started.
#   column    its name where there is little room
#   runs      once on a server, once for each instance, or as a utility: then it ends by itself
#   children  the processes that it starts
#   logs      what else is logged of its work, beside a log of its own name
#   reload    `nlserver <that> -reload` lets it read again; the others read at their start
#   lost      what a stop of it may cut off
SERVER, INSTANCE, UTILITY = "server", "instance", "utility"
DECLARED = (
    Module("watchdog", "wdog", SERVER, (), (), "config", ""),
    Module("syslogd", "sysl", SERVER, (), (), "", "log lines sent in the meantime are lost"),
    Module("stat", "stat", INSTANCE, (), (), "stat", "its connection statistics are lost"),
    Module("mta", "mta", INSTANCE, ("mtachild",), ("mtachild",), "",
           "deliveries stop; messages in progress are sent again later"),
    Module("web", "web", SERVER, (), ("webmdl",), "config",
           "open consoles, web pages and running SOAP calls are interrupted"),
    Module("trackinglogd", "trkd", SERVER, (), (), "",
           "opens and clicks during the restart may be lost"),
    Module("tracking", "trk", UTILITY, (), ("runwf",), "",
           "a running consolidation starts over"),
    Module("inMail", "inM", INSTANCE, (), (), "", "bounce mails in progress are read again"),
    Module("wfserver", "wf", INSTANCE, ("runwf",), ("runwf",), "",
           "running workflow tasks are interrupted and started again"),
    Module("export", "exp", UTILITY, (), (), "", "a running export is lost"),
    Module("import", "imp", UTILITY, (), (), "",
           "a running import is interrupted and may leave part of its data"),
)  # fmt: skip
MODULES: "Tuple[str, ...]" = tuple(module.name for module in DECLARED)
SHARED: "Tuple[str, ...]" = tuple(each.name for each in DECLARED if each.runs == SERVER)
PER_INSTANCE: "Tuple[str, ...]" = tuple(each.name for each in DECLARED if each.runs == INSTANCE)
UTILITIES: "Tuple[str, ...]" = tuple(each.name for each in DECLARED if each.runs == UTILITY)
CHILDREN: "Tuple[str, ...]" = tuple(child for each in DECLARED for child in each.children)
LOGS: "Dict[str, Tuple[str, ...]]" = dict((each.name, each.logs) for each in DECLARED)
RELOADS: "Dict[str, str]" = dict((each.name, each.reload) for each in DECLARED if each.reload)
# Modules of the product that are not looked after: their log lines are read, nothing is repaired.
OTHER_MODULES = ("sms", "interactiond", "pipelined", "archiving", "nmac", "listProtect")
DEFAULT = "default"
STAT_PORT = 7777  # unless the configuration says another
SYSLOGD_PORTS = (666, 6666)  # unless TRACE_ADDR says another: either is a default

PROBES = (
    "environment",
    "configuration",
    "pdump",
    "missing",
    "processes",
    "sockets",
    "shared_memory",
    "logs",
    "storage",
    "machine",
    "service",
    "http",
    "network",
    "jobs",
    "ledger",
    "api",
)
ALWAYS = ("environment", "configuration")
HOST_PROBES = ("machine", "service")
# What the probe `ledger` reports of the repairs: see ledger.summary; and of a pause, in a list.
LEDGER_LISTS = (
    "answered", "begins", "interrupted", "paused", "precisions", "reloads", "renewals", "repairs",
    "restarts", "unknown",
)

# The vendor's technical workflows, and every how many hours each runs; None: not published.
TECHNICAL_WORKFLOWS = {
    "aliasCleansing": 24,
    "batchEventsProcessing": None,
    "billing": 744,
    "budgetMgt": None,
    "cleanup": 24,
    "cleanupPausedWorkflows": 168,
    "defaultMidSourcingDlv": 0.17,
    "defaultMidSourcingLog": 1,
    "deliverabilityUpdate": 24,
    "deliveryIndicators": 1,
    "deliveryMgt": None,
    "forecasting": 24,
    "offerMgt": None,
    "operationMgt": None,
    "reportingAggregates": 24,
    "rtEventsProcessing": None,
    "supplierMgt": None,
    "tracking": 1,
    "updateEventsStatus": None,
}
TECHNICAL_FOLDER = "nmsTechnicalWorkflow"
# Numbers in the database. Of the workflows' the vendor publishes paused and stopped, of the jobs'
# all, of the deliveries' none: docs/user/api.md says what the others rest on.
WORKFLOW_STATES = {"start_pending": 1, "started": 11, "paused": 13, "stopped": 20}
DELIVERY_STATES = {"waiting": 51, "preparation_failed": 37}
JOB_STATES = {"running": 2, "finished": 5, "error": 6, "pausing": 7, "paused": 8}
BOUNCE_ACCOUNT = "defaultPopAccount"


def is_product(name: str) -> bool:
    """Is it the name of a module that Campaign runs permanently or on demand?"""
    return name in MODULES or name in OTHER_MODULES
