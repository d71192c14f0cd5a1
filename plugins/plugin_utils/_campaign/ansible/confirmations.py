# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The question whether a step may be applied, to the operator at the terminal of ansible-playbook."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display

from ..planning.records import Step
from ..report.shared import words

YES = ("y", "yes")
DISPLAY = Display()


def ask(
    steps: Sequence[tuple[str, Step]], seconds: float
) -> tuple[dict[str, list[int]], str]:
    """The orders of the confirmed steps by host, and why there are no more answers.

    `seconds`: for each question. Where there is no terminal, or nobody at it, nothing more is asked.
    """
    confirmed: dict[str, list[int]] = {}
    for host, step in steps:
        began = time.monotonic()
        try:
            answer = DISPLAY.prompt_until(question(host, step), seconds=max(1, int(seconds)))
        except AnsiblePromptNoninteractive:
            return confirmed, "there is no terminal to ask at (campaign_ask)"
        except AnsiblePromptInterrupt:
            return confirmed, "the question was interrupted"
        if time.monotonic() - began >= seconds:
            return confirmed, f"nobody answered within {seconds:g} s (campaign_ask_seconds)"
        if answer.decode("utf-8", "replace").strip().lower() in YES:
            confirmed.setdefault(host, []).append(step.order)
    return confirmed, ""


def question(host: str, step: Step) -> str:
    """The step with what it would interrupt."""
    cancels = f" {step.cancels}." if step.cancels else ""
    work = ", ".join(each.what for each in step.work or ())
    in_progress = f" In progress: {work}." if work else ""
    return words.clean(
        f"{host}: {step.title}, for {', '.join(step.because)}.{cancels}{in_progress}"
        " Type yes to apply it: "
    )
