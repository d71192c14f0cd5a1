# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the product, and what every collector needs: errors, masking of secrets."""

import os
import re

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
OTHER_MODULES = ("sms", "interactiond", "pipelined")
CHILDREN = ("mtachild", "runwf")
# `nlserver <that> -reload` lets the module read again; the others read at their start.
RELOADS = {"web": "config", "watchdog": "config", "stat": "stat"}
DEFAULT = "default"

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
LEDGER_LISTS = ("interrupted", "precisions", "reloads", "renewals", "restarts")

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
# all, of the deliveries' none: docs/api.md says what the others rest on.
WORKFLOW_STATES = {"start_pending": 1, "started": 11, "paused": 13, "stopped": 20}
DELIVERY_STATES = {"waiting": 51, "preparation_failed": 37}
JOB_STATES = {"running": 2, "finished": 5, "error": 6, "pausing": 7, "paused": 8}
BOUNCE_ACCOUNT = "defaultPopAccount"

_SECRET = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[-_]?key|authorization)"
    r"[\"']?\s*[:=>]\s*(?:basic\s+|bearer\s+)?)"
    r"(\"[^\"]*\"?|'[^']*'?|[^\s,;&\"'<>]+)",
    re.I,
)
_LOGIN = re.compile(r"(-{1,2}(?:setdblogin|login|internalpassword)[:=])\S+", re.I)
_URL = re.compile(r"(://[^/\s:@]*):[^@/\s]+@")
_SECRET_OPTION = re.compile(r"-{1,2}\w*(?:password|passwd|pwd|secret|token|login)$", re.I)
_HINT = re.compile(r"pass|pwd|secret|token|credential|api|authori|login|://", re.I)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class ProbeError(Exception):
    """A probe that failed: data in the snapshot, never a failed task."""

    def __init__(self, kind, message, data=None):
        super().__init__(message)
        self.kind = kind  # timeout | denied | missing | invalid | failed | skipped
        self.message = message
        self.data = data  # what could be had all the same

    def as_data(self):
        return {"kind": self.kind, "message": clean(self.message, 300)}


class InputError(Exception):
    """Bad input of the caller: one clear line, and the task fails."""


def from_os_error(error, path=None):
    """The ProbeError that says the same as an OSError."""
    kind = "failed"
    if isinstance(error, PermissionError):
        kind = "denied"
    elif isinstance(error, (FileNotFoundError, NotADirectoryError)):
        kind = "missing"
    text = error.strerror or str(error)
    where = path or error.filename
    return ProbeError(kind, "%s: %s" % (where, text) if where else text)


def mask(text):
    """The text without what looks like a password."""
    if not _HINT.search(text):
        return text
    text = _URL.sub(r"\1:***@", text)
    text = _LOGIN.sub(r"\1***", text)
    return _SECRET.sub(r"\1***", text)


def mask_arguments(arguments):
    """A command line's arguments without what looks like a password."""
    masked = []
    hide = False
    for argument in arguments:
        if hide and not argument.startswith("-"):
            masked.append("***")
            hide = False
            continue
        hide = bool(_SECRET_OPTION.match(argument))
        masked.append(clean(argument, 300))
    return masked


def clean(text, limit=500):
    """One readable text: no secrets, no control characters (tab and newline stay), cut."""
    text = mask(text[: limit * 4])
    text = _CONTROL.sub("?", text)
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def number(text, default=None):
    """The integer that a text holds, else the default."""
    try:
        return int(text)
    except (TypeError, ValueError):
        return default


def below(path, directory):
    """Is the path the directory itself or something in it?"""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def state_directory(home):
    """Where the ledger is by default: beside the home, so that it survives an upgrade."""
    return os.path.join(os.path.dirname(os.path.realpath(home)), "remediation")
