# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who holds a host, what its ledger says last, and how to free it: what unlock.yml shows."""

from __future__ import annotations

from dataclasses import dataclass

from .doctor import Doctor, Result
from .outcome import ExitCode, worst
from .reasons import reason
from .runner import PlaybookRun

PLAYBOOK = "unlock"
FREE = "No run holds the lock of this host."


@dataclass(frozen=True)
class Freeing:
    """How a lock is removed. `force`: even while a step of the run that holds it is in progress."""

    yes: bool = False
    check: bool = False
    force: bool = False


def ledger(doctor: Doctor) -> int:
    """Show who holds each host and the last lines of its ledger."""
    return _ask(doctor)[0]


def unlock(doctor: Doctor, how: Freeing) -> int:
    """The same, and remove the locks after the operator has agreed."""
    if not (how.yes or how.check):
        doctor.must_ask()
    code, result = _ask(doctor)
    held = [name for name, answer in result.ended.answers.items() if answer.get("holder")]
    if code is ExitCode.INTERRUPTED or not held or how.check:
        return code
    if not how.yes and not doctor.agrees(f"Remove the lock of {', '.join(held)}?"):
        doctor.say("Nothing was changed.")
        return ExitCode.NOT_RUN
    variables = {"campaign_unlock": True, "campaign_accept_other_run": how.force}
    done = doctor.perform(
        PlaybookRun(PLAYBOOK, variables, changes=True), lambda _report: ExitCode.HEALTHY,
        progress=False,
    )
    for name, answer in done.ended.answers.items():
        doctor.line(f"{name}: {answer.get('msg', '')}", "green")
    return worst([code, failures(doctor, done, refused=not how.force)])


def _ask(doctor: Doctor) -> tuple[ExitCode, Result]:
    result = answers(doctor)
    for number, (name, answer) in enumerate(result.ended.answers.items()):
        holder, *lines = (str(line) for line in answer.get("text") or [FREE])
        doctor.line(f"{chr(10) if number else ''}{name}: {holder}", "bold")
        for line in lines:
            doctor.line(f"  {line}")
    return failures(doctor, result), result


def answers(doctor: Doctor) -> Result:
    """Ask each host who holds it, and for the last lines of its ledger. Changes nothing."""
    return doctor.perform(PlaybookRun(PLAYBOOK), lambda _report: ExitCode.HEALTHY, progress=False)


def failures(doctor: Doctor, result: Result, *, refused: bool = False) -> ExitCode:
    """Report the hosts that did not answer; the exit code."""
    ended = result.ended
    if ended.stopped:
        return ExitCode.INTERRUPTED
    for name, text in ended.failed.items():
        doctor.say(f"{name}: {text}", style="bold red")
    dark = set((ended.stats or {}).get("dark") or ())
    if set(ended.failed) - dark:
        if refused:
            doctor.say("--force removes the lock anyway: use it only if you know that the run is"
                       " dead.")
        return ExitCode.NOT_RUN
    if dark:
        return ExitCode.UNREACHABLE
    if not ended.answers:
        doctor.say(reason(ended, doctor.access), style="bold red")
        return ExitCode.NOT_RUN
    return ExitCode.HEALTHY
