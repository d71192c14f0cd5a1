"""campaign_diagnose takes every option of campaign_info, the same way."""

from __future__ import annotations

import yaml

from ansible_collections.campaign.remediation.plugins.action.campaign_diagnose import (
    OWN,
    arguments,
)
from ansible_collections.campaign.remediation.plugins.modules import (
    campaign_diagnose,
    campaign_info,
)


def options(module) -> dict:
    return arguments(yaml.safe_load(module.DOCUMENTATION)["options"])


def test_the_options_of_campaign_info_are_taken_and_passed_on() -> None:
    taken = options(campaign_diagnose)
    for name in OWN:
        del taken[name]
    assert taken == options(campaign_info)
