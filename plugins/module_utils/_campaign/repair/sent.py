# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""campaign_guard and campaign_module, as the program calls them that is sent in their place."""

from . import answer, guard_call, module_change

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

    Entry = Dict[str, Any]


def answered(given: "Entry") -> "Entry":
    """What the module returns. given: its name, its options, check mode, whether to show a diff."""
    options, check_mode, diff = given["options"], given["check_mode"], given["diff"]
    if given["module"] == "campaign_guard":
        blank = guard_call.blank_result()
        return answer.returned(guard_call.Call, options, check_mode, diff, blank)
    blank = module_change.blank_result()
    subject = options["module"]
    return answer.returned(module_change.Change, options, check_mode, diff, blank, subject)
