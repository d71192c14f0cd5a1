# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the probes report of a server's work: jobs, repairs, workflows, deliveries; and the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    DELIVERY_STATES,
    JOB_STATES,
    TECHNICAL_FOLDER,
    TECHNICAL_WORKFLOWS,
    WORKFLOW_STATES,
)

from .records import DatedFile, ModuleInstance


@dataclass(frozen=True)
class RunningJob:
    pid: int
    started_at: float | None = None


@dataclass(frozen=True)
class JobError:
    sample: str = ""
    codes: tuple[str, ...] = ()
    at: float | None = None


@dataclass(frozen=True)
class Job:
    name: str
    kind: str
    instance: str = DEFAULT
    operator: str = ""
    running: RunningJob | None = None
    result: DatedFile | None = None
    rejects: DatedFile | None = None
    last_start_at: float | None = None
    last_end_at: float | None = None
    last_error: JobError | None = None
    max_age_hours: float | None = None
    max_minutes: float | None = None


@dataclass(frozen=True)
class Jobs:
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True)
class Repair:
    """A repair that was begun and not ended."""

    at: float
    remedy: str
    run: str = ""
    module: str = ""
    instance: str = DEFAULT
    who: str = ""


@dataclass(frozen=True)
class Precision:
    """A log precision that was raised on purpose; without an end if `until` is None."""

    module: str
    value: str
    at: float
    instance: str = DEFAULT
    until: float | None = None
    who: str = ""


@dataclass(frozen=True)
class Reload:
    module: str
    at: float
    instance: str = DEFAULT


@dataclass(frozen=True)
class Renewal:
    """A start of ours that went well: of the module, or of all modules."""

    module: str
    at: float
    instance: str = DEFAULT
    whole_server: bool = False
    ended_at: float | None = None

    def renews(self, module: ModuleInstance) -> bool:
        whole = self.whole_server or self.module == "watchdog"
        return whole or (self.module, self.instance) == (module.name, module.instance)


@dataclass(frozen=True)
class Repaired:
    """The end of a remedy of ours that did its work."""

    module: str
    remedy: str
    at: float
    instance: str = DEFAULT


@dataclass(frozen=True)
class Restarts:
    module: str
    instance: str = DEFAULT
    times: tuple[float, ...] = ()


@dataclass(frozen=True)
class UnknownModule:
    """A start of ours that the server answered with not knowing the module."""

    name: str
    at: float | None = None


@dataclass(frozen=True)
class Answered:
    """A repair of ours of a finding, by its id."""

    id: str
    at: float
    remedy: str = ""


@dataclass(frozen=True)
class Paused:
    """Until when repairs are paused on the host; `unknown`: why that cannot be known."""

    until: float | None = None
    since: float | None = None
    who: str = ""
    reason: str = ""
    unknown: str | None = None


@dataclass(frozen=True)
class Ledger:
    """What this collection itself has done to the server."""

    interrupted: tuple[Repair, ...] = ()
    precisions: tuple[Precision, ...] = ()
    reloads: tuple[Reload, ...] = ()
    restarts: tuple[Restarts, ...] = ()
    renewals: tuple[Renewal, ...] = ()
    unknown: tuple[UnknownModule, ...] = ()
    repairs: tuple[Repaired, ...] = ()
    paused: tuple[Paused, ...] = ()
    answered: tuple[Answered, ...] = ()
    begins: tuple[float, ...] = ()


@dataclass(frozen=True)
class Workflow:
    """A workflow as the database has it."""

    id: int
    name: str
    label: str = ""
    state: int | None = None
    failed: bool = False
    process_id: int | None = None
    last_start_at: float | None = None
    folder: str = ""

    @property
    def technical(self) -> bool:
        """Whether the vendor wrote it, not the site."""
        return self.folder == TECHNICAL_FOLDER or self.name in TECHNICAL_WORKFLOWS

    def is_in(self, state: str) -> bool:
        """Whether it is started, paused, … according to its record."""
        return self.state == WORKFLOW_STATES[state]

    @property
    def idle(self) -> bool:
        """Whether it is being edited or finished: nothing is expected of it."""
        return self.state in (None, 0, WORKFLOW_STATES["stopped"])

    @property
    def shown(self) -> str:
        """Its label and its internal name, as in the console."""
        return f"{self.label} ({self.name})" if self.label else self.name


@dataclass(frozen=True)
class JournalEnd:
    workflow: str
    last_at: float | None = None


@dataclass(frozen=True)
class Owner:
    name: str
    operator: str = ""


@dataclass(frozen=True)
class Delivery:
    id: int
    name: str = ""
    label: str = ""
    state: int | None = None
    contact_at: float | None = None
    to_send: int | None = None

    def is_in(self, state: str) -> bool:
        """Whether it waits, or its preparation failed."""
        return self.state == DELIVERY_STATES[state]


@dataclass(frozen=True)
class RecordedJob:
    """An export or import as the database has it."""

    id: int
    name: str = ""
    kind: str = ""
    operator: str = ""
    status: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    process_id: int | None = None
    processed: int | None = None
    rejected: int | None = None

    def is_in(self, status: str) -> bool:
        """Whether it runs, is in error, …"""
        return self.status == JOB_STATES[status]


@dataclass(frozen=True)
class Account:
    name: str
    label: str = ""
    server: str = ""
    active: bool = False
    port: int | None = None  # this and the others where the server's schema has them
    encryption: str = ""
    oauth: str = ""


@dataclass(frozen=True)
class Moment:
    at: float | None = None


@dataclass(frozen=True)
class LastId:
    id: int | None = None


@dataclass(frozen=True)
class ApiError:
    kind: str
    message: str = ""
    code: str | None = None
    question: str = ""


@dataclass(frozen=True)
class ApiAnswers:
    """What the server's API reports of an instance; None means no answer."""

    instance: str
    url: str = ""
    login: str = ""
    error: ApiError | None = None
    concurrency: int | None = None
    unanswered: tuple[ApiError, ...] = ()
    workflows: tuple[Workflow, ...] | None = None
    journal: tuple[JournalEnd, ...] | None = None
    disabled_owners: tuple[Owner, ...] | None = None
    deliveries: tuple[Delivery, ...] | None = None
    jobs: tuple[RecordedJob, ...] | None = None
    accounts: tuple[Account, ...] | None = None
    last_bounce: tuple[Moment, ...] | None = None
    last_consolidation_at: float | None = None
    last_id: tuple[LastId, ...] | None = None

    def workflow(self, name: str) -> Workflow | None:
        """A workflow by its internal name."""
        return next((each for each in self.workflows or () if each.name == name), None)


@dataclass(frozen=True)
class Api:
    instances: tuple[ApiAnswers, ...] = ()


@dataclass(frozen=True)
class Controller:
    before_at: float
    after_at: float


@dataclass(frozen=True)
class Asked:
    modules: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    log_window: float | None = None  # in minutes
    expected_ports: Mapping[str, Any] = field(default_factory=dict)
    restartable_workflows: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeclaredJob:
    name: str
    kind: str = ""
    instance: str = DEFAULT
    rejects: str = ""
    max_age_hours: float | None = None
    max_minutes: float | None = None


@dataclass(frozen=True)
class GivenCommand:
    """A command that an operator gave, and what nlserver answered."""

    command: str
    said: str = ""
