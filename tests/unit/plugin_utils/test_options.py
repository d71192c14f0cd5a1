"""campaign_diagnose takes every option of campaign_info, the same way; documentation is true."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.action.campaign_diagnose import OWN
from ansible_collections.campaign.remediation.plugins.modules import (
    campaign_diagnose,
    campaign_info,
    campaign_job,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.documentation import (
    arguments,
    options_of,
)


def options(module: Any) -> dict[str, Any]:
    return arguments(options_of(module.DOCUMENTATION))


def test_the_options_of_campaign_info_are_taken_and_passed_on() -> None:
    taken = options(campaign_diagnose)
    for name in OWN:
        del taken[name]
    assert taken == options(campaign_info)


def plain(spec: dict[str, Any]) -> dict[str, Any]:
    """Only what a caller can see; what stands for "none" left out."""
    return {
        name: {
            **{k: v for k, v in option.items() if k in ("type", "elements", "choices", "default")},
            "required": bool(option.get("required")),
            "options": plain(option.get("options") or {}),
        }
        for name, option in spec.items()
    }


@pytest.mark.parametrize("module", [campaign_info, campaign_job])
def test_the_fragments_say_what_the_argument_specification_does(module: Any) -> None:
    assert plain(options(module)) == plain(module.argument_spec())


def test_a_password_is_hidden_wherever_it_is_an_option() -> None:
    for spec in (options(campaign_diagnose), campaign_info.argument_spec()):
        for name in ("api", "mailboxes"):
            assert spec[name]["options"]["password"]["no_log"] is True
