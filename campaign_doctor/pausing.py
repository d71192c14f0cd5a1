# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""pause and resume: what pause.yml and resume.yml do on each host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import checking, inventories
from .configuration import seconds
from .doctor import Doctor
from .errors import DoctorError
from .outcome import ExitCode
from .reasons import reason
from .runner import PlaybookRun
from .shared import words

# As record/pause.py of the collection has them; a test compares.
SHORTEST, LONGEST = 60, 30 * 86400
REASON_LIMIT = 200
NO_HOST = re.compile(r"Could not match supplied host pattern, ignoring: (\S+)")


def ordered(lasting: str | None, why: str | None) -> dict[str, str]:
    """The variables of a pause. Raises DoctorError before any host is asked."""
    if not lasting:
        raise DoctorError("Add --for TIME: a pause ends by itself, such as after 30m, 2h or 1d.")
    if not (why or "").strip():
        raise DoctorError("Add --reason TEXT: it is shown to everyone whose repair is refused.")
    text = " ".join(str(why).split())
    if len(text) > REASON_LIMIT:
        raise DoctorError(f"--reason has {len(text)} characters, at most {REASON_LIMIT} are shown.")
    if not re.search(r"[mhd]\s*$", lasting) or not SHORTEST <= seconds(lasting) <= LONGEST:
        raise DoctorError(f"--for must be 1m to 30d, such as 30m, 2h or 1d, not '{lasting}'.")
    return {"campaign_pause_for": lasting.strip(), "campaign_pause_reason": text}


def pause(doctor: Doctor, variables: Mapping[str, str], *, check: bool) -> int:
    """Pause repairs on the hosts, and say how to end it."""
    code, some = _perform(doctor, PlaybookRun("pause", variables, check=check, changes=not check))
    if some and not check:
        doctor.say(f"To end the pause before: {doctor.command('resume')}")
    return code


def resume(doctor: Doctor, *, check: bool) -> int:
    """End the pause on the hosts."""
    return _perform(doctor, PlaybookRun("resume", check=check, changes=not check))[0]


def _perform(doctor: Doctor, playbook_run: PlaybookRun) -> tuple[ExitCode, bool]:
    """Run it, and show what each host answers; the exit code, and whether one did."""
    # A name that is misspelt must not leave a host out without a word.
    access = replace(doctor.access, every_name=True)
    result = doctor.perform(
        playbook_run, lambda _report: ExitCode.HEALTHY, access, progress=False
    )
    ended = result.ended
    for name, answer in ended.answers.items():
        _show(doctor, name, answer)
    silent = {name: text for name, text in ended.failed.items() if name not in ended.answers}
    for name, text in silent.items():
        doctor.say(f"{name}: {words.clean(text)}", style="bold red")
    if ended.stopped:
        return ExitCode.INTERRUPTED, bool(ended.answers)
    dark = set((ended.stats or {}).get("dark") or ())
    if set(silent) - dark:
        return ExitCode.NOT_RUN, bool(ended.answers)
    if dark:
        return ExitCode.UNREACHABLE, bool(ended.answers)
    if not ended.answers:
        unknown = NO_HOST.search(" ".join(ended.errors))
        doctor.say(_no_host(doctor, unknown[1]) if unknown else reason(ended, doctor.access),
                   style="bold red")
        return ExitCode.NOT_RUN, False
    return ExitCode.HEALTHY, True


def _no_host(doctor: Doctor, name: str) -> str:
    """That a name matches no host, and which is the nearest."""
    known = inventories.names(doctor.access.inventory)
    why = checking.refusal_of_many("host of the inventory", name, known) if known else None
    return f"{why or f'{name} matches no host of the inventory.'} No host was asked."


def _show(doctor: Doctor, name: str, answer: Mapping[str, Any]) -> None:
    doctor.line(f"{name}: {answer.get('msg', '')}", "green" if answer.get("changed") else "")
    for text in answer.get("warnings") or ():
        doctor.line(f"  {text}", "yellow")
