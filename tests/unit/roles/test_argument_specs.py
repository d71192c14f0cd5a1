"""The roles: the same files in each, specifications and defaults that agree, one master."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from common import site_variables

from ansible_collections.campaign.remediation.plugins.action import (
    campaign_diagnose,
    campaign_guard,
    campaign_job,
    campaign_module,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import (
    variables,
)
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


def specs_of(role: Path) -> Json:
    """The entry points of a role."""
    return dict(load(role / "meta" / "argument_specs.yml")["argument_specs"])


@pytest.fixture(scope="module")
def shared(top: Path) -> Json:
    """The options that all roles share."""
    return dict(specs_of(top / "roles" / "campaign")["validate"]["options"])


def own_of(role: Path) -> Json:
    """The options that only this role has."""
    return dict(specs_of(role)["main"].get("options", {}))


def test_what_is_generated_is_up_to_date(top: Path, generator: ModuleType) -> None:
    """After a change of an option, or of a playbook's variables: python tools/roles.py."""
    for name, text in generator.shared_files().items():
        assert (top / name).read_text(encoding="utf-8") == text, name


def test_what_is_generated_of_a_role_is_up_to_date(role: Path, generator: ModuleType) -> None:
    for name, text in generator.files(role.name).items():
        assert (role / name).read_text(encoding="utf-8") == text, name


def test_every_option_that_comes_from_a_variable_is_specified(role: Path, shared: Json) -> None:
    """What the actions take from `campaign_<option>`, but for what a remedy gives itself."""
    taken = {
        *campaign_diagnose.FROM_VARIABLES, *policy.OPTIONS, *campaign_guard.ActionModule.OPTIONS,
        *campaign_module.ActionModule.OPTIONS,
    } - {*variables.HANDED_ON, "modules"}
    assert {f"campaign_{name}" for name in taken} <= set(shared)
    if role.name in ("export", "import"):
        taken = set(campaign_job.ActionModule.OPTIONS) - variables.HANDED_ON
        assert {f"campaign_{name}" for name in taken} <= {*shared, *own_of(role)}


VARIABLE = re.compile(r"\b(campaign_\w+) \| default\(")
# What tasks hand to each other, and what a targeted playbook orders.
HANDED_ON = {
    "campaign_actions", "campaign_immediate", "campaign_instance",
    "campaign_line_within", "campaign_plan_only",
}


def test_every_variable_that_tasks_read_is_specified(role: Path, top: Path, shared: Json) -> None:
    files = list((role / "tasks").glob("*.yml"))
    names = {name for path in files for name in VARIABLE.findall(path.read_text("utf-8"))}
    assert names - HANDED_ON <= {*shared, *own_of(role)}
    engine = top / "roles" / "campaign" / "tasks"
    names = {n for path in engine.glob("*.yml") for n in VARIABLE.findall(path.read_text("utf-8"))}
    assert names - HANDED_ON <= {*shared, "campaign_front_commands"}


def test_a_role_says_what_is_its_own(role: Path, shared: Json) -> None:
    specs = specs_of(role)
    assert set(specs) == {"main", "diagnose"}
    assert not set(own_of(role)) & set(shared)
    assert len(own_of(role)) <= 8
    for name in site_variables.MATTER[role.name]:
        assert f"campaign_{name}" in shared
    assert not (role / "defaults").exists(), "an option has its default in the module"


def test_every_entry_point_is_described(top: Path) -> None:
    for path in top.glob("roles/*/meta/argument_specs.yml"):
        for name, entry in load(path)["argument_specs"].items():
            assert entry["short_description"] and entry["description"], f"{path}: {name}"


def test_each_role_checks_the_shared_options_first(role: Path) -> None:
    """main begins with diagnose, diagnose with the check; before it stand only checks of Ansible's."""
    first = load(role / "tasks" / "main.yml")[0]
    assert first["ansible.builtin.import_tasks"] == "diagnose.yml"
    first = load(role / "tasks" / "diagnose.yml")[0]
    assert first["ansible.builtin.import_role"] == {
        "name": "campaign.remediation.campaign", "tasks_from": "validate",
    }
    assert set(first) == {"name", "ansible.builtin.import_role"}, "it is never left out"


def test_defaults_are_valid(role: Path, shared: Json) -> None:
    options = {**shared, **own_of(role)}
    given = {name: option["default"] for name, option in options.items() if "default" in option}
    assert ArgumentSpecValidator(options).validate(given).error_messages == []


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
def test_impossible_values_are_named(shared: Json, variables: Json, error: str) -> None:
    result = ArgumentSpecValidator(shared).validate(variables)
    assert len(result.error_messages) == 1
    assert error in result.error_messages[0]


def test_passwords_are_not_logged(shared: Json) -> None:
    assert shared["campaign_mailboxes"]["options"]["password"]["no_log"] is True
    assert shared["campaign_api"]["options"]["password"]["no_log"] is True


def test_variables_have_their_prefix(role: Path, shared: Json) -> None:
    assert all(name.startswith("campaign_") for name in [*shared, *own_of(role)])


def test_one_task_diagnoses(role: Path, generator: ModuleType) -> None:
    _validate, task = load(role / "tasks" / "diagnose.yml")
    options = task["campaign.remediation.campaign_diagnose"]
    assert options == {"modules": [generator.ROLES[role.name]]}
    assert task["register"] == f"{role.name}_diagnosis"
    limit = site_variables.TASK_TIMEOUT
    assert task["timeout"] == f"{{{{ campaign_task_timeout | default({limit}) }}}}"


def test_readme_says_what_is_the_roles_own(role: Path, shared: Json) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {role.name}\n")
    assert f"{role.name}_diagnosis" in text
    rows = set(re.findall(r"^\| `(campaign_\w+)` \|", text, re.MULTILINE))
    assert rows == set(own_of(role))
    assert "](../../docs/user/variables.md)" in text


def test_the_page_has_every_variable(top: Path, shared: Json) -> None:
    text = (top / "docs" / "user" / "variables.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(campaign_\w+)` \|", text, re.MULTILINE)
    own = {name for path in (top / "roles").iterdir() if path.name in ROLES for name in own_of(path)}
    assert sorted(rows) == sorted({*shared, *own})
    assert "| `campaign_jobs[].name` |" in text


def test_no_default_is_a_template(top: Path) -> None:
    """Ansible fills it in when it checks the arguments: with variables that a site may not set."""
    for path in sorted(top.glob("roles/*/meta/argument_specs.yml")):
        assert "{{" not in path.read_text(encoding="utf-8"), path


def handed(node: Any) -> set[str]:
    """The variables that tasks register, set or hand to other tasks."""
    if isinstance(node, list):
        return set().union(*map(handed, node))
    if not isinstance(node, dict):
        return set()
    found = {str(node[key]) for key in ("register", "loop_var") if key in node}
    for key in ("vars", "ansible.builtin.set_fact"):
        found |= set(node.get(key) or {})
    hosts = node.get("ansible.builtin.add_host") or {}
    return found | set(hosts) - {"name", "groups", "ansible_connection"} | handed(list(node.values()))


def returned() -> set[str]:
    """The facts that are documented: where campaign_plan and campaign_report look by themselves."""
    return {
        option["default"]
        for module in ("campaign_plan", "campaign_report")
        for name, option in site_variables.documented(module).items()
        if name == "variable" or name.endswith("_variable")
    } | {f"{role}_diagnosis" for role in ROLES}


def test_what_tasks_hand_to_each_other_is_told_from_options_by_its_name(
    top: Path, shared: Json
) -> None:
    """Begin it with `_campaign_`, or with `_<role>_` in another role."""
    given = {"campaign_hosts", "campaign_plan_required"}  # to a playbook that another one imports
    engine = specs_of(top / "roles" / "campaign")["main"]["options"]
    options = {*shared, *engine, *returned(), *given}
    roles = [path for path in top.glob("roles/*/*/*.yml") if path.parent.name in ("tasks", "vars")]
    seen: set[str] = set()
    for path in [*roles, *top.glob("playbooks/*.yml"), *top.glob("playbooks/[pt]*/*.yml")]:
        role = path.parts[-3] if path in roles else "campaign"
        content = load(path)
        names = set(content) if path.parent.name == "vars" else handed(content)
        own = {name for name in names if name.startswith((f"_{role}_", "_campaign_"))}
        assert names - own <= options, path
        seen |= own
    assert {"_campaign_step", "_campaign_repair", "_mta_change", "_campaign_on_demand"} <= seen
