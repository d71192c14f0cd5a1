"""The roles: the same files in each, specifications and defaults that agree, one master."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.campaign.remediation.plugins.action import (
    campaign_diagnose,
    campaign_guard,
    campaign_job,
    campaign_module,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import policy

ROLES = [module.lower() for module in MODULES]
FILES = {
    "README.md",
    "meta/argument_specs.yml",
    "meta/main.yml",
    "tasks/diagnose.yml",
    "tasks/main.yml",
}

Json = dict[str, Any]


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest, top: Path) -> Path:
    return top / "roles" / str(request.param)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_each_module_has_its_role_and_what_they_share(top: Path) -> None:
    assert sorted(path.name for path in (top / "roles").iterdir()) == sorted([*ROLES, "campaign"])


def test_same_files(role: Path) -> None:
    names = {str(path.relative_to(role)) for path in role.rglob("*") if path.is_file()}
    assert names >= FILES


def test_shared_part_is_the_generated_one(role: Path, generator: ModuleType) -> None:
    """After a change of campaign_diagnose's options: python tools/roles.py."""
    for name, text in generator.files(role.name).items():
        assert (role / name).read_text(encoding="utf-8") == text, name


def test_every_option_that_comes_from_a_variable_is_specified(
    role: Path, generator: ModuleType
) -> None:
    """What the actions take from `campaign_<option>`, but for what a remedy gives itself."""
    taken = {
        *campaign_diagnose.FROM_VARIABLES, *policy.OPTIONS, *campaign_guard.ActionModule.OPTIONS,
        *campaign_module.ActionModule.OPTIONS,
    } - {*generator.OF_A_REMEDY, "modules"}
    if role.name in ("export", "import"):
        taken |= set(campaign_job.ActionModule.OPTIONS) - generator.OF_A_REMEDY
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {f"campaign_{name}" for name in taken} <= set(options)


VARIABLE = re.compile(r"\b(campaign_\w+) \| default\(")
# What tasks hand to each other, and what a targeted playbook orders.
HANDED_ON = {
    "campaign_actions", "campaign_diagnosis_variable", "campaign_immediate", "campaign_instance",
    "campaign_line_within", "campaign_plan_only",
}


def test_every_variable_that_tasks_read_is_specified(role: Path, top: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    files = list((role / "tasks").glob("*.yml"))
    names = {name for path in files for name in VARIABLE.findall(path.read_text("utf-8"))}
    assert names - HANDED_ON <= set(options)
    shared = top / "roles" / "campaign" / "tasks"
    names = {n for path in shared.glob("*.yml") for n in VARIABLE.findall(path.read_text("utf-8"))}
    everywhere = set(options) | {"campaign_front_commands"}
    assert names - HANDED_ON <= everywhere


def test_defaults_and_specifications_agree(role: Path) -> None:
    specs = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    assert set(specs) == {"main", "diagnose"}
    options = specs["main"]["options"]
    assert specs["diagnose"]["options"] == options
    own = {
        name: option["default"]
        for name, option in options.items()
        if "default" in option and not name.startswith("campaign_")
    }
    assert defaults_of(role) == own


def defaults_of(role: Path) -> Json:
    """The role's own variables; one that has none needs no file."""
    path = role / "defaults" / "main.yml"
    return dict(load(path)) if path.exists() else {}


def test_defaults_are_valid(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    shared = {name: option["default"] for name, option in options.items() if "default" in option}
    result = ArgumentSpecValidator(options).validate(shared)
    assert result.error_messages == []


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"campaign_log_window": "an hour"}, "campaign_log_window"),
        ({"campaign_probes": ["prob"]}, "Got no match for: prob"),
        ({"campaign_fail_on": "error"}, "value of campaign_fail_on must be one of"),
        ({"campaign_jobs": [{"name": "x", "instance": "prod", "kind": "sync"}]}, "kind"),
        ({"campaign_mailboxes": [{"host": "pop"}]}, "missing required arguments: instance"),
    ],
)
def test_impossible_values_are_named(top: Path, variables: Json, error: str) -> None:
    specs = load(top / "roles" / "mta" / "meta" / "argument_specs.yml")["argument_specs"]
    result = ArgumentSpecValidator(specs["main"]["options"]).validate(variables)
    assert len(result.error_messages) == 1
    assert error in result.error_messages[0]


def test_passwords_are_not_logged(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert options["campaign_mailboxes"]["options"]["password"]["no_log"] is True
    assert options["campaign_api"]["options"]["password"]["no_log"] is True


def test_variables_have_their_prefix(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert all(name.startswith(("campaign_", f"{role.name}_")) for name in options)
    assert all(name.startswith(f"{role.name}_") for name in defaults_of(role))


def test_one_task_diagnoses(role: Path, generator: ModuleType) -> None:
    (task,) = load(role / "tasks" / "diagnose.yml")
    options = task["campaign.remediation.campaign_diagnose"]
    assert options == {"modules": [generator.ROLES[role.name]]}
    assert task["register"] == f"{role.name}_diagnosis"
    assert task["timeout"] == f"{{{{ campaign_task_timeout | default({generator.TASK_TIMEOUT}) }}}}"


def test_readme_names_every_variable(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {role.name}\n")
    assert f"{role.name}_diagnosis" in text
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    for name in options:
        assert f"| `{name}` |" in text


def test_no_default_is_a_template(top: Path) -> None:
    """Ansible fills it in when it checks the arguments: with variables that a site may not set."""
    for path in sorted(top.glob("roles/*/meta/argument_specs.yml")):
        assert "{{" not in path.read_text(encoding="utf-8"), path
