"""A variable that is nearly one of the collection's: which is warned of, and with which words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from common import site_variables

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import spelling
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.site_variables import (
    VARIABLES,
)

TOP = Path(__file__).resolve().parents[3]
NAME = re.compile(r"(?<![\w./])campaign_[a-z_]*[a-z]\b")


def warnings(*names: str) -> list[str]:
    result: dict[str, Any] = {"changed": False}
    spelling.warn(result, names)
    assert result["changed"] is False
    return list(result.get("warnings", []))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("campaign_sylogd_port", "campaign_syslogd_port"),
        ("campaign_syslogdport", "campaign_syslogd_port"),
        ("campaign_mailbox", "campaign_mailboxes"),
        ("campaign_wiat", "campaign_wait"),
        ("campaign_module_excluded", "campaign_modules_excluded"),
        ("campaign_workflow_wiat", "campaign_workflow_wait"),
        ("campaign_instnace", "campaign_instance"),
        ("campaign_report_previuos", "campaign_report_previous"),
    ],
)
def test_the_nearest_is_named(name: str, meant: str) -> None:
    assert warnings(name) == [f"{name} has no effect. Did you mean {meant}?"]


@pytest.mark.parametrize(
    "name",
    ["campaign_port", "campaign_database_host", "campaign_version", "campaign_team",
     "campaign_smtp_timeout", "sylogd_port", "_campaign_sylogd_port", "campaign_", "campaignhome"],
)  # fmt: skip
def test_what_a_site_calls_its_own_is_left_alone(name: str) -> None:
    assert warnings(name) == []


def test_what_is_known_is_not_warned_of() -> None:
    assert warnings(*VARIABLES) == []
    assert {"campaign_home", "campaign_module", "campaign_unlock", "campaign_mode"} <= VARIABLES


def test_one_warning_each_beside_those_that_are_there() -> None:
    result: dict[str, Any] = {"warnings": ["another"]}
    spelling.warn(result, ["campaign_wiat", "campaign_hosts", "campaign_hoem"])
    assert [text.split()[0] for text in result["warnings"]] == [
        "another", "campaign_hoem", "campaign_wiat",
    ]  # fmt: skip


def test_no_name_of_our_own_tasks_is_taken_for_a_misspelt_one() -> None:
    """Begin it with _campaign_."""
    names: set[str] = set()
    for path in [*TOP.glob("roles/*/*/*.yml"), *TOP.glob("playbooks/*.yml"),
                 *TOP.glob("playbooks/[pt]*/*.yml"), *TOP.glob("molecule/*/*.yml")]:  # fmt: skip
        if path.name != "argument_specs.yml":
            names |= set(NAME.findall(path.read_text(encoding="utf-8")))
    assert "campaign_hosts" in names
    assert warnings(*names) == []


def test_the_example_inventories_are_spelt_right() -> None:
    for path in TOP.glob("inventories/*/group_vars/**/*.yml"):
        assert warnings(*(yaml.safe_load(path.read_text(encoding="utf-8")) or {})) == [], path


def test_every_variable_of_an_option_is_known() -> None:
    assert set(site_variables.shared_options()) <= VARIABLES
