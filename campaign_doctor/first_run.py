# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""check: what a diagnosis needs of each host, as check.yml tests it, and what to do where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .doctor import Doctor
from .outcome import ExitCode
from .reasons import reason
from .runner import PlaybookRun
from .shared import words

PLAYBOOK = "check"
SIGNS = {"passed": ("✓", "green"), "failed": ("\N{MULTIPLICATION SIGN}", "bold red"), "skipped": ("-", "dim")}


def check(doctor: Doctor) -> int:
    """Check each host; the exit code."""
    result = doctor.perform(
        PlaybookRun(PLAYBOOK), lambda _report: ExitCode.HEALTHY, progress=False
    )
    ended = result.ended
    if ended.stopped:
        return ExitCode.INTERRUPTED
    silent = {name: text for name, text in ended.failed.items() if name not in ended.answers}
    if not ended.answers and not silent:
        doctor.say(reason(ended, doctor.access), style="bold red")
        return ExitCode.NOT_RUN
    for number, (name, answer) in enumerate(ended.answers.items()):
        doctor.line(f"{chr(10) if number else ''}{name}", "bold")
        _checks(doctor, answer.get("checks") or ())
    for name, text in silent.items():
        doctor.say(f"{name}: {words.clean(text)}", style="bold red")
    bad, hosts = len(ended.failed), len({*ended.answers, *silent})
    doctor.line(f"\n{hosts - bad} of {hosts} host{'s' * (hosts != 1)} can be diagnosed.", "bold")
    return ExitCode.UNREACHABLE if bad else ExitCode.HEALTHY


def _checks(doctor: Doctor, checks: Sequence[Mapping[str, Any]]) -> None:
    failed = any(check.get("state") == "failed" for check in checks)
    rest = [str(check.get("name")) for check in checks if check.get("state") == "skipped" and failed]
    for check in checks:
        if check.get("name") not in rest:
            sign, style = SIGNS.get(str(check.get("state")), SIGNS["skipped"])
            doctor.line(f"  {sign} {check.get('name', ''):<10} {check.get('message', '')}", style)
            if check.get("advice"):
                doctor.line(f"    {'':<10} {check['advice']}")
    if rest:
        doctor.line(f"  {SIGNS['skipped'][0]} not checked then: {', '.join(rest)}", "dim")
