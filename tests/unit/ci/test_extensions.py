"""extensions/patterns and the argument specifications beside the playbooks: what their readers rely on.

ansible-lint checks the playbooks and the specifications (make lint). It has no check of
pattern.json any more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import playbook_specs
import pytest
import yaml
from common import site_variables

Json = dict[str, Any]
CHECKOUT = Path(__file__).resolve().parents[3]
PATTERNS = sorted((CHECKOUT / "extensions" / "patterns").iterdir())
KINDS = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}


def loaded(pattern: Path) -> Json:
    found: Json = json.loads((pattern / "meta" / "pattern.json").read_text())
    return found


def options(path: Path) -> Json:
    specs: Json = yaml.safe_load(path.with_suffix(".meta.yml").read_text())["argument_specs"]
    found: Json = specs[path.stem]["options"]
    return found


def ansible_playbook(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks" / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "app1,", *words], check=False,
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd="/",
        stderr=subprocess.STDOUT, text=True, timeout=60,
    )


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda path: path.name)
def test_a_pattern_is_complete(pattern: Path) -> None:
    data = loaded(pattern)
    resources = data["aap_resources"]
    templates = resources["controller_job_templates"]
    assert data["name"] == pattern.name
    assert len(data["title"]) <= 64
    assert {"schema_version", "description", "short_description"} <= set(data)
    assert {"name", "description"} == set(resources["controller_project"])
    assert (pattern / "README.md").is_file()
    assert [each["primary"] for each in templates].count(True) == 1
    assert {label for each in templates for label in each["labels"]} == \
        set(resources["controller_labels"])
    found = {path.name for path in (pattern / "playbooks").iterdir()}
    named = {each["playbook"] for each in templates}
    assert found == named | {name.replace(".yml", ".meta.yml") for name in named}


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda path: path.name)
def test_a_survey_asks_for_what_the_playbook_takes(pattern: Path) -> None:
    for template in loaded(pattern)["aap_resources"]["controller_job_templates"]:
        taken = options(pattern / "playbooks" / template["playbook"])
        for question in template.get("survey", {}).get("spec", ()):
            variable = question["variable"]
            known = taken.get(variable) or shared()[variable]
            assert question["type"] in KINDS
            assert {"question_name", "question_description", "required"} <= set(question)
            assert isinstance(question.get("default", ""), str), question
            assert set(question.get("choices", ())) <= set(known.get("choices", question.get("choices", ())))


def shared() -> Json:
    """What a site can set, and so a survey."""
    found: Json = site_variables.shared_options()
    return found


@pytest.mark.parametrize("name", ["diagnose/playbooks/diagnose.yml",
                                  "remediate_with_approval/playbooks/plan.yml"])  # fmt: skip
def test_ansible_reads_the_playbook_of_a_pattern(name: str) -> None:
    path = CHECKOUT / "extensions" / "patterns" / name
    done = ansible_playbook("--syntax-check", path)
    assert done.returncode == 0, done.stdout


def test_the_repair_of_a_pattern_makes_no_plan_of_its_own() -> None:
    repair = CHECKOUT / "extensions/patterns/remediate_with_approval/playbooks/repair.yml"
    done = ansible_playbook(repair)
    assert done.returncode != 0
    assert "campaign_plan_required is true, and no plan is given" in done.stdout
    assert "Take a snapshot" not in done.stdout


def test_what_a_specification_says_of_a_playbook() -> None:
    restart = options(CHECKOUT / "playbooks" / "restart_module.yml")
    assert restart["campaign_module"]["required"] is True
    repair = options(CHECKOUT / "playbooks" / "remediate.yml")
    assert "not_repaired" in repair["campaign_fail_on"]["choices"]
    assert repair["campaign_plan_data"]["type"] == "raw"
    assert (repair["campaign_plan_only"]["type"], repair["campaign_gone_within"]["type"]) == (
        "bool", "float",
    )
    event = options(CHECKOUT / "playbooks" / "event.yml")
    assert set(event) >= set(repair)


@pytest.mark.parametrize("path", playbook_specs.playbooks(), ids=lambda path: path.stem)
def test_each_option_has_a_type_and_words(path: Path) -> None:
    found = options(path)
    assert found
    for name, option in found.items():
        assert name.startswith("campaign_")
        assert option["type"] in {"str", "int", "bool", "float", "list", "dict", "path", "raw"}
        assert len(option["description"]) > 5, name
