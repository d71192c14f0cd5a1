# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the product: modules, probes, workflows, states."""

SHARED = ("watchdog", "syslogd", "trackinglogd", "web")
PER_INSTANCE = ("stat", "mta", "inMail", "wfserver")
UTILITIES = ("tracking", "export", "import")
MODULES = (
    "watchdog",
    "syslogd",
    "stat",
    "mta",
    "web",
    "trackinglogd",
    "tracking",
    "inMail",
    "wfserver",
    "export",
    "import",
)
OTHER_MODULES = ("sms", "interactiond", "pipelined", "archiving", "nmac", "listProtect")
CHILDREN = ("mtachild", "runwf")
# `nlserver <that> -reload` lets the module read again; the others read at their start.
RELOADS = {"web": "config", "watchdog": "config", "stat": "stat"}
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
# What the probe `ledger` tells of the repairs: see ledger.summary.
LEDGER_LISTS = (
    "interrupted", "precisions", "reloads", "renewals", "repairs", "restarts", "unknown",
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
