# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starting a workflow through the server's API, and the proof that it runs.

The calls may be made on the host or on the controller; the guards are always the host's. So `Start`
knows nothing of them: it is told what to ask before, and after.
"""

import re
import time

from ..api import api
from ..api.soap import Client, Query, SoapError, literal
from ..errors import InputError
from ..names import TECHNICAL_FOLDER, TECHNICAL_WORKFLOWS, WORKFLOW_STATES
from ..text import number
from .steps import workflow_commands, workflow_methods

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Container, Dict, List, Optional, Sequence, Tuple

    Entry = Dict[str, Any]

POLL_SECONDS = 1.0
JOURNAL_LINES = 20
JOURNAL = Query(
    "xtk:workflowLog", [("id", "@id"), ("message", "@message")], order="@id", descending=True
)
ERROR = re.compile(r"\b[A-Z]{3}-\d{6}\b|\biRc=-?\d+")
SETTLE_SECONDS = 10.0  # that its process is watched: what fails mostly fails at once
STARTED, WOKEN = "started", "woken"
WORDS = dict((number, name.replace("_", " ")) for name, number in WORKFLOW_STATES.items())
KEPT = ("id", "name", "state", "failed", "process_id", "last_start_at", "folder")
WORKFLOWS = next(question for question in api.QUESTIONS if question.name == "workflows")


class StartError(Exception):
    """The API refused, or the workflow did not start."""


class NotAllowed(Exception):
    """A workflow of the site that the inventory does not list."""


def credentials_of(options: "Entry", default_url: str) -> "Entry":
    """The credentials of the instance. Raises InputError without any."""
    instance = options["instance"]
    for credentials in options["api"]:
        if credentials["instance"] == instance:
            return dict(credentials, url=credentials.get("url") or default_url)
    raise InputError(
        "campaign_api has no credentials for instance %s; starting a workflow through the API"
        " needs them." % instance
    )


def observe(client: Client, name: str) -> "Optional[Entry]":
    """The workflow's record, or None."""
    query = WORKFLOWS.query.where_also("@internalName = " + literal(name))
    rows, dummy = client.select(query, 1)
    if not rows:
        return None
    row = dict((field, reader(rows[0][field])) for field, reader in WORKFLOWS.readers)
    return dict((field, row[field]) for field in KEPT)


def describe(seen: "Entry") -> str:
    """For sentences: `paused on an error`, `started, process 812`."""
    text = WORDS.get(seen["state"], "in state %s" % seen["state"])
    if seen["failed"]:
        return text + " on an error"
    return "%s, process %d" % (text, seen["process_id"]) if seen["process_id"] else text


def state_after(before: "Entry", after: "Optional[Entry]") -> str:
    """How a workflow is left: as_before, changed or unknown."""
    if not after or after["state"] is None:
        return "unknown"
    same = (before["state"], before["failed"]) == (after["state"], after["failed"])
    return "as_before" if same else "changed"


def has_run(before: "Entry", after: "Entry") -> bool:
    """Has it started since: does a process run it, or has one already finished?"""
    begun = (after["last_start_at"] or 0) > (before["last_start_at"] or 0)
    return not after["failed"] and bool(after["process_id"] or begun)


def check_allowed(seen: "Entry", restartable: "Container[str]") -> None:
    """The vendor's workflows may be started again, the site's only if it permits that."""
    name = seen["name"]
    if seen["folder"] == TECHNICAL_FOLDER or name in TECHNICAL_WORKFLOWS or name in restartable:
        return
    raise NotAllowed(
        "%s is not a technical workflow, and your site has not listed it as safe to restart."
        % name
    )


class Start:
    """One call: read, ask the guards, start, prove. `before` and `after` are the states."""

    def __init__(
        self,
        credentials: "Entry",
        options: "Entry",
        check_mode: bool,
        clock: "Callable[[], float]" = time.time,
        sleep: "Callable[[float], object]" = time.sleep,
    ) -> None:
        self.credentials = credentials
        self.options = options
        self.check_mode = check_mode
        self.name = options["workflow"]
        self.before: "Optional[Entry]" = None
        self.after: "Optional[Entry]" = None
        self.commands: "List[List[str]]" = []
        self.seconds = 0.0
        self._clock = clock
        self._sleep = sleep

    def run(self, ask: "Callable[[Start], object]") -> bool:
        """Whether something was done. `ask` takes what is to be done, and raises to refuse."""
        options = self.options
        limit = options["api_timeout"] + options["wait"] + options["lock_timeout"]
        try:
            with Client(self.credentials, api.settings(options), limit) as client:
                self.before = self.after = observe(client, self.name)
                if self.before is None:
                    raise InputError(
                        "%s has no workflow %s (its internal name)." % (
                            options["instance"], self.name)
                    )  # fmt: skip
                check_allowed(self.before, options["restartable_workflows"])
                wake = options["state"] == WOKEN
                methods = workflow_methods(self.before["state"], self.before["failed"], wake)
                if not methods:
                    return False
                self.commands = workflow_commands(self.name, methods)
                ask(self)
                if not self.check_mode:
                    self._do(client, methods, self.before)
                return True
        except SoapError as error:
            raise StartError(error.message) from None

    def _do(self, client: Client, methods: "Sequence[str]", before: "Entry") -> None:
        began = time.monotonic()
        line = self.journal(client)[:1]
        for method in methods:
            client.workflow(method, self.name)
        end = began + self.options["wait"]
        settled: "Optional[float]" = None
        while True:
            after = self.after = observe(client, self.name) or dict(before, state=None)
            now = time.monotonic()
            ran = has_run(before, after)
            if ran and settled is None:
                settled = min(end, now + SETTLE_SECONDS)
            over = settled is not None and ran and (not after["process_id"] or now >= settled)
            if over or after["failed"] or now >= end:
                break
            self._sleep(min(POLL_SECONDS, max(0.05, end - now)))
        self.seconds = round(time.monotonic() - began, 3)
        if after["failed"]:
            raise StartError("It stopped on an error again; see its journal.")
        error = self.error_since(client, line)
        if error:
            raise StartError("It ran but logged an error (%s); see its journal." % error)
        if not ran:
            raise StartError(
                "It is %s after %g s, but no process has run it: check wfserver."
                % (describe(after), self.options["wait"])
            )

    def journal(self, client: Client) -> "List[Tuple[int, str]]":
        """The last lines of its journal, the newest first: number and text."""
        query = JOURNAL.where_also("[workflow/@internalName] = " + literal(self.name))
        try:
            rows = client.select(query, JOURNAL_LINES)[0]
        except SoapError:  # the operator may lack the rights; then its record must suffice
            return []
        return [(number(row["id"], 0), row["message"] or "") for row in rows]

    def error_since(self, client: Client, before: "Sequence[Tuple[int, str]]") -> "Optional[str]":
        """The code of an error that it wrote after a line; None without one.

        A code or an iRc marks an error, because the numbers of line types are not published.
        """
        last = before[0][0] if before else 0
        for line, message in self.journal(client):
            found = ERROR.search(message) if line > last else None
            if found:
                return found.group()
        return None
