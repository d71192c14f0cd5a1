"""The program that is sent in place of campaign_guard and campaign_module."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.campaign.remediation.plugins.action import (
    campaign_guard,
    campaign_job,
    campaign_module,
)
from ansible_collections.campaign.remediation.plugins.modules import (
    campaign_guard as guard_module,
    campaign_module as module_module,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible import (
    payload,
    sent,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.changing import (
    MOULD,
)

SPECIFICATIONS = {
    "campaign_guard": guard_module.argument_spec(), "campaign_module": module_module.argument_spec(),
}  # fmt: skip
GIVEN: dict[str, dict[str, Any]] = {
    "campaign_guard": {"state": "looked"},
    "campaign_module": {"module": "wfserver", "instance": "prod", "state": "restarted"},
}


def run(text: bytes | None, folder: Path) -> tuple[int, dict[str, Any]]:
    """What a host answers that has nothing but a Python."""
    assert text
    done = subprocess.run(
        [sys.executable, "-ISB"], input=text, capture_output=True, timeout=60, check=False,
        cwd=folder,
    )  # fmt: skip
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout)


def answered(module: str, folder: Path, **given: Any) -> tuple[int, dict[str, Any]]:
    """The answer to a call."""
    return run(sent.program(module, SPECIFICATIONS[module], {**GIVEN[module], **given}), folder)


@pytest.mark.parametrize("module", GIVEN)
def test_it_answers_as_the_module_does(module: str, tmp_path: Path) -> None:
    home = str(tmp_path / "none")
    code, answer = answered(module, tmp_path, home=home)
    assert (code, answer["failed"], answer["refused"], answer["changed"]) == (1, True, False, False)
    assert answer["msg"] == (
        f"There is no Campaign server in {home} (no bin/nlserver): check the option home."
    )
    assert answer.get("left") == ("as_before" if module == "campaign_module" else None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", GIVEN)
def test_what_is_wrong_with_the_options_of_a_call_is_said(module: str, tmp_path: Path) -> None:
    code, answer = answered(module, tmp_path, restart_budget=-1)
    assert (code, answer["msg"]) == (1, "restart_budget must be 0 to 1000.")


def test_a_defect_says_where(tmp_path: Path) -> None:
    code, answer = run(payload.with_options(sent.TEXT, {"module": "campaign_module"}), tmp_path)
    assert (code, answer["failed"]) == (1, True)
    assert answer["msg"].startswith("It broke off because of a defect in campaign.remediation")
    assert answer["msg"].endswith(": KeyError: 'options'")
    assert "_campaign/repair/sent.py" in answer["exception"]


def options_of(text: bytes | None) -> dict[str, Any]:
    """What was put at the end of the program."""
    assert text
    last = text.splitlines()[-1].decode()
    found: dict[str, Any] = json.loads(eval(last.rpartition("json.loads(")[2].removesuffix("))")))
    return found


def test_options_are_checked_and_completed_before_they_are_sent() -> None:
    given = {**GIVEN["campaign_module"], "wait": "5", "_ansible_check_mode": True}
    found = options_of(sent.program("campaign_module", SPECIFICATIONS["campaign_module"], given))
    assert (found["module"], found["check_mode"], found["diff"]) == ("campaign_module", True, False)
    assert (found["options"]["wait"], found["options"]["restart_budget"]) == (5.0, 3)
    assert not [name for name in found["options"] if name.startswith("_")]


@pytest.mark.parametrize("given", [
    {"state": "sideways"}, {"unheard_of": 1}, {"wait": "soon"}, {"home": "~/nl6"},
    {"state_dir": "$HOME/state"},
])  # fmt: skip
def test_what_only_the_module_itself_can_answer(given: dict[str, Any]) -> None:
    """An error of Ansible's, or a path that the host completes."""
    given = {**GIVEN["campaign_module"], **given}
    assert sent.program("campaign_module", SPECIFICATIONS["campaign_module"], given) is None


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Ansible was asked to build; it builds the text "plain"."""
    asked: list[str] = []

    def configure(_self: Any, module_name: str, *_given: Any, **_named: Any) -> Any:
        asked.append(module_name)
        return "new", "#!/py", b"plain", "/path"

    monkeypatch.setattr(ActionBase, "_configure_module", configure)
    return asked


def sends(
    action: type[Any], module: str, given: dict[str, Any], **variables: Any
) -> bytes:
    """The text that goes to the host."""

    class Action(action):  # type: ignore[misc]
        def _execute_module(self, **call: Any) -> dict[str, Any]:
            text = self._configure_module(
                module_name=call["module_name"], module_args=call["module_args"], task_vars={}
            )[2]
            return {"text": text}

    made = Action.__new__(Action)
    made._task = SimpleNamespace(args=given, async_val=0, check_mode=True, action=module)
    made._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
    made._templar = SimpleNamespace(template=lambda value: value)
    result = made.run(task_vars={"inventory_hostname": "app1", **variables})
    text: bytes = result["text"]
    return text


@pytest.mark.parametrize(("action", "name"), [
    (campaign_guard, "campaign_guard"), (campaign_module, "campaign_module"),
])  # fmt: skip
def test_it_goes_in_what_was_built_for_the_diagnosis(
    action: Any, name: str, built: list[str]
) -> None:
    text = sends(action.ActionModule, name, dict(GIVEN[name]), campaign_home="/opt/nl6")
    assert text.startswith(b"# Copyright") and b"/opt/nl6" in text
    assert built == [MOULD]


def test_the_switch_leaves_ansible_s_own_module(built: list[str]) -> None:
    given = dict(GIVEN["campaign_module"])
    for value in (True, "yes"):
        text = sends(
            campaign_module.ActionModule, "campaign_module", given, campaign_plain_module=value
        )
        assert text == b"plain"
    assert set(built) == {"campaign.remediation.campaign_module"}


def test_what_asks_the_api_is_sent_by_ansible(built: list[str]) -> None:
    given = {"job": {"name": "x", "kind": "export", "instance": "prod"}}
    assert sends(campaign_job.ActionModule, "campaign_job", given) == b"plain"


def test_what_a_later_ansible_builds_in_another_form_is_its_own(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def configure(_self: Any, module_name: str, *_given: Any, **_named: Any) -> Any:
        return 1, 2, module_name

    monkeypatch.setattr(ActionBase, "_configure_module", configure)
    text: Any = sends(campaign_module.ActionModule, "campaign_module", GIVEN["campaign_module"])
    assert text == "campaign.remediation.campaign_module"
