"""Facts in words."""

from __future__ import annotations

import re

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    words,
)


def test_a_command_is_in_the_fix_and_no_evidence() -> None:
    assert words.facts({"stop": "kill 7", "pid": 7, "starts_with": "x", "unit": None}) == [("pid", "7")]


def test_what_is_hidden_as_a_command_is_one_in_some_fix() -> None:
    whole = {
        name for problem in CATALOGUE for step in problem.fix.steps
        for name in re.findall(r"(?:^|&& )\{(\w+)\}", step.template)
    }
    assert whole >= words.COMMANDS
