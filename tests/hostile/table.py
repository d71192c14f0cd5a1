"""What a row of the table is, and the runs that root makes on what the account prepared."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hostile.world import Outcome, Tree

PROBE_SECONDS = 1.5
TOTAL_SECONDS = 6.0
COMMAND_SECONDS = 3.0
SPARE = 4.0
"""What a run may take beside what it waits for: to start Python on a busy machine."""

Options = Callable[[Tree], Mapping[str, Any]]
Prepare = Callable[[Tree], object]
Judge = Callable[[Tree, Outcome], object]
Peer = Callable[[socket.socket], object]

ACCOUNT_PROBES = ("environment", "configuration", "pdump", "missing", "logs", "storage", "jobs")
"""Those that look at what is the account's: the answer of its child."""


@dataclass(frozen=True)
class Run:
    """Something that root does on the host."""

    name: str
    module: str
    arguments: Mapping[str, Any]
    seconds: float
    """The time that it is given."""
    check: bool = False

    def __call__(
        self, tree: Tree, options: Mapping[str, Any], env: Mapping[str, str] | None = None
    ) -> Outcome:
        server = {"home": str(tree.home), "user": tree.world.name, "address": "127.0.0.1",
                  "service": ""}  # fmt: skip
        return tree.world.module(self.module, {**server, **self.arguments, **options},
                                 check=self.check, limit=self.seconds + 30, env=env)  # fmt: skip


DIAGNOSIS = Run(
    "diagnosis", "campaign_info",
    {"timeout": TOTAL_SECONDS, "probe_timeout": PROBE_SECONDS, "front_url": "",
     "tomcat_url": "http://127.0.0.1:9"},
    TOTAL_SECONDS,
)  # fmt: skip
_GUARDED: dict[str, Any] = {
    "command_timeout": COMMAND_SECONDS, "lock_timeout": 2.0, "run": "hostile", "who": "anna",
}  # fmt: skip
EVIDENCE = Run("evidence", "campaign_guard", {**_GUARDED, "state": "opened"}, 10.0)
RESTART = Run(
    "repair", "campaign_module",
    {**_GUARDED, "module": "mta", "instance": "prod", "state": "restarted", "wait": 1,
     "evidence": False},
    4 * COMMAND_SECONDS,
)  # fmt: skip
CHECK = Run("check mode", "campaign_module", {**RESTART.arguments, "evidence": True},
            RESTART.seconds, check=True)  # fmt: skip
JOB = Run(
    "job", "campaign_job",
    {**_GUARDED, "mode": "full", "operator": "anna", "wait": 2.0, "evidence": False,
     "job": {"name": "contacts", "kind": "export", "instance": "prod", "operator": "anna",
             "arguments": {"full": ["-job:contacts"]}, "result": "export/*.csv"}},
    4 * COMMAND_SECONDS,
)  # fmt: skip

MOVE_TMP = Run("file", "campaign_file", {"state": "tmp_on_spool_device"}, 10.0)
PID_FILE = Run("file", "campaign_file", {"state": "no_stale_pid_file"}, 10.0)


@dataclass(frozen=True)
class Attack:
    """One row: what the account does, what root then does, and what has to hold."""

    name: str
    section: str
    does: str
    run: Run
    holds: str
    prepare: Prepare
    blind: Sequence[str] = ()
    """The probes that it may keep from answering; all others have to."""
    options: Options = field(default=lambda tree: {})
    meanwhile: Prepare | None = None
    """What the account goes on doing."""
    peer: Peer | None = None
    """What listens on the tree's port, as the account."""
    seconds: float | None = None
    """The time limit, if the run needs not all of its own."""
    delayed: bool = False
    """Root's changes are made slow, so that the account is faster."""
    judges: list[Judge] = field(default_factory=list)

    def judged(self, judge: Judge) -> Judge:
        """One more thing that has to hold."""
        self.judges.append(judge)
        return judge


ATTACKS: list[Attack] = []


def attack(
    section: str, does: str, holds: str, run: Run = DIAGNOSIS, **more: Any
) -> Callable[[Prepare], Attack]:
    """A row whose preparation is the function below; its name is the row's."""

    def row(prepare: Prepare) -> Attack:
        name = getattr(prepare, "__name__", "")
        assert name not in {known.name for known in ATTACKS}, name
        made = Attack(name, section, does, run, holds, prepare, **more)
        ATTACKS.append(made)
        return made

    return row


# ----------------------------------------------------------------------------- what always holds


def check_answer(attack: Attack, outcome: Outcome, secret: str) -> None:
    """A whole answer of clean text, in time, without root's secret."""
    limit = (attack.run.seconds if attack.seconds is None else attack.seconds) + SPARE
    assert outcome.seconds < limit, f"it took {outcome.seconds:.1f} s"
    assert "Traceback" not in outcome.output + outcome.errors, outcome.output + outcome.errors
    try:
        answer = outcome.answer
    except json.JSONDecodeError:
        text = f"no answer: {outcome.output[:500]!r} {outcome.errors[:500]}"
        raise AssertionError(text) from None
    for text in texts(answer):
        bad = [character for character in text if not readable(character)]
        assert not bad, f"{bad[0]!r} in {text[:200]!r}"
        assert secret not in text, f"root's secret in {text[:200]!r}"
    if "snapshot" in answer:
        failed = {name: probe["error"] for name, probe in answer["snapshot"]["probes"].items()
                  if probe["error"] and probe["error"]["kind"] != "skipped"}  # fmt: skip
        unexpected = {name: error for name, error in failed.items() if name not in attack.blind}
        assert not unexpected, f"probes without an answer: {unexpected}"


def texts(value: Any) -> list[str]:
    """All texts in a piece of JSON."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def readable(character: str) -> bool:
    """Neither a control character nor half a character."""
    code = ord(character)
    return character in "\n\t" or not (code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000)
