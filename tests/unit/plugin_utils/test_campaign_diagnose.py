"""The action plugin: one module call, clear refusals, offline without any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template
from unit.plugin_utils.builder import Snapshot, ago, healthy, kill, mount, process, says

from ansible_collections.campaign.remediation.plugins.action.campaign_diagnose import (
    SNAPSHOT_MODULE,
    ActionModule,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.variables import (
    complete,
    plain,
)

VARIABLES = {"inventory_hostname": "app1", "ansible_host": "10.0.0.1"}


class Connection:
    """Enough of a connection to build the action; using it is an error."""

    class _shell:
        tmpdir = None

    transport = "none"
    become = None


class Action(ActionModule):
    """The action with the module's result given; what it was called with is kept."""

    def __init__(self, result: dict[str, Any] | Exception | None, **args: Any) -> None:
        task = Task()
        task.args = args
        task.async_val = 0
        task.action = "campaign.remediation.campaign_diagnose"
        loader = DataLoader()
        super().__init__(task, Connection(), None, loader, Templar(loader), None)
        self.result = result
        self.calls: list[dict[str, Any]] = []

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None, "no module call was expected"
        return self.result


def run(result: Any, **args: Any) -> dict[str, Any]:
    return Action(result, **args).run(None, dict(VARIABLES))


def broken() -> Snapshot:
    server = healthy()
    kill(server, "wfserver")
    mount(server)["used_percent"] = 85
    del server["controller"]
    return server


def test_one_module_call_with_the_options_of_campaign_info() -> None:
    action = Action({"changed": False, "snapshot": broken()}, home="/opt/nl6", fail_on="never")
    result = action.run(None, dict(VARIABLES))
    (call,) = action.calls
    assert call["module_name"] == "campaign.remediation.campaign_info"
    assert call["module_args"]["home"] == "/opt/nl6"
    assert not {"fail_on", "thresholds", "snapshot", "return_snapshot"} & set(call["module_args"])
    assert "front_url" not in call["module_args"]  # not set: the module's own default
    assert (result["changed"], result["failed"]) == (False, False)
    assert "snapshot" not in result
    diagnosis = result["diagnosis"]
    assert (diagnosis["name"], "10.0.0.1" in diagnosis["addresses"]) == ("app1", True)
    assert diagnosis["started_at"] is not None


def test_a_front_url_that_is_empty_is_passed_on() -> None:
    action = Action({"snapshot": broken()}, front_url="")
    action.run(None, dict(VARIABLES))
    assert action.calls[0]["module_args"]["front_url"] == ""


def test_the_snapshot_is_returned_if_asked_for() -> None:
    result = run({"snapshot": broken()}, return_snapshot=True)
    assert {"before_at", "after_at"} <= set(result["snapshot"]["controller"])


def test_a_failed_module_is_a_failed_task_without_its_arguments() -> None:
    failed = {"failed": True, "msg": "no such account", "invocation": {"password": "x"}}
    assert run(failed) == {"failed": True, "msg": "no such account"}


def test_an_unreachable_host_is_ansible_s_business() -> None:
    with pytest.raises(AnsibleConnectionFailure):
        run(AnsibleConnectionFailure("no route"))


def test_an_account_that_sudo_refuses_is_named() -> None:
    class Sudo:
        name = "sudo"

        def get_option(self, name: str) -> str:
            return {"become_user": "neolane"}[name]

    action = Action(AnsibleError("Premature end of stream waiting for become success.\n>>> no"))
    action._connection.become = Sudo()
    with pytest.raises(AnsibleActionFail, match=r"Cannot become 'neolane' \(sudo\): .* no"):
        action.run(None, dict(VARIABLES))


def test_options_left_out_come_from_variables() -> None:
    action = Action({"failed": True}, home="/opt/nl6")
    action.run(None, {**VARIABLES, "campaign_home": "/no", "campaign_user": "camp"})
    passed = action.calls[0]["module_args"]
    assert (passed["home"], passed["user"]) == ("/opt/nl6", "camp")


def test_what_is_no_number_is_named() -> None:
    with pytest.raises(AnsibleActionFail, match=r"timeout .*campaign_timeout.* not 'soon'"):
        Action(None).run(None, {**VARIABLES, "campaign_timeout": "soon"})


@pytest.mark.parametrize(
    ("fail_on", "failed"), [("never", False), ("warning", True), ("critical", True)]
)
def test_fail_on(fail_on: str, failed: bool) -> None:
    result = run(None, snapshot=broken(), fail_on=fail_on)
    assert result["failed"] is failed
    if failed:
        assert "wfserver@prod should be running" in result["msg"]
    assert result["diagnosis"]["findings"]


def test_fail_on_critical_lets_a_warning_pass() -> None:
    server = healthy()
    mount(server)["used_percent"] = 85
    assert run(None, snapshot=server, fail_on="critical")["failed"] is False


def test_a_saved_snapshot_needs_no_host(tmp_path: Path) -> None:
    saved = tmp_path / "snapshot.json"
    saved.write_text(json.dumps({"changed": False, "snapshot": broken()}))
    from_file = run(None, snapshot=str(saved))
    from_value = run(None, snapshot=broken())
    assert from_file == from_value


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"snapshot": "/no/such/file"}, "cannot read the snapshot /no/such/file"),
        ({"snapshot": {"schema": 9}}, "has schema 9"),
        ({"snapshot": {"a": 1}}, "names no schema"),
        ({"thresholds": {"disk": 1}}, "unknown threshold 'disk'"),
        ({"fail_on": "sometimes"}, "fail_on"),
        ({"modules": ["apache"]}, "apache"),
        ({"speed": 1}, "speed"),
        ({"timeout": "soon"}, "timeout"),
        ({"mailboxes": [{"host": "pop"}]}, "instance"),
    ],
)
def test_bad_input_gets_one_clear_line(args: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleActionFail, match=message) as caught:
        run(None, **args)
    assert "\n" not in str(caught.value)


DYING = "wfserver.children_dying@prod"


@pytest.mark.parametrize(
    ("change", "remaining", "unproved"),
    [
        # a workflow has written a line after wfserver began
        (lambda s: process(s, "wfserver").update(started_at=ago(minutes=56)), [], []),
        # none has: not to find it proves nothing
        (lambda s: process(s, "wfserver").update(started_at=ago(minutes=1)), [], [DYING]),
        # one died: it is there, which is a proof, too
        (
            lambda s: says(s, "wfserver", "Workflow process 77 ended unexpectedly (signal 11)"),
            [DYING], [],
        ),
    ],
)  # fmt: skip
def test_what_had_no_chance_to_show_itself_is_not_proved_to_be_gone(
    change: Any, remaining: list[str], unproved: list[str]
) -> None:
    server = healthy()
    says(server, "runwf", "cleanup: database cleaned", level="info")
    change(server)
    result = run({"snapshot": server}, gone=[DYING, "mta.not_running@prod"], gone_within=0)
    assert (list(result["remaining"]), list(result["unproved"])) == (remaining, unproved)
    if unproved:
        assert result["unproved"][DYING] == "no workflow has run since wfserver@prod started"


@pytest.mark.parametrize(
    ("args", "variables", "skipped"),
    [
        ({"unless_stopped": True}, {}, True),
        ({"unless_stopped": True}, {"campaign_diagnosis": {"diagnosis": {}}}, False),
        ({"unless_stopped": True}, {"campaign_stop_file": ""}, False),
        ({"unless_stopped": True}, {"campaign_stop_file": "/nowhere/stop"}, False),
        ({}, {}, False),
    ],
)
def test_a_run_that_was_asked_to_stop(
    tmp_path: Path, args: dict[str, Any], variables: dict[str, Any], skipped: bool
) -> None:
    """It begins with no other host; what it has begun is looked at to the end."""
    stop = tmp_path / "stop"
    stop.touch()
    action = Action({"changed": False, "snapshot": broken()}, **args)
    result = action.run(None, {**VARIABLES, "campaign_stop_file": str(stop), **variables})
    assert (result.get("skipped", False), action.calls == []) == (skipped, skipped)


def test_values_lose_their_marks() -> None:
    """Ansible's own types are copied ten times slower, once for each host."""
    marked = {trust_as_template("a"): [trust_as_template("x"), 1, True, 0.5, None, ("y",)]}
    bare = plain(marked)
    assert bare == {"a": ["x", 1, True, 0.5, None, ["y"]]}
    assert {type(key) for key in bare} == {str}
    assert [type(value) for value in bare["a"]] == [str, int, bool, float, type(None), list]


def test_templates_of_a_site_are_filled_in() -> None:
    """At any depth; an encrypted value is none that is written out."""
    variables = {
        **VARIABLES,
        "base": "/srv",
        "campaign_home": trust_as_template("{{ base }}/nl6"),
        "campaign_user": "neolane",
        "campaign_mailboxes": [
            {"instance": "prod", "host": trust_as_template("{{ 'mail' }}"), "port": 110}
        ],
        "campaign_quota_files": ["{{ not trusted }}"],
    }
    action = Action({"changed": False, "snapshot": broken()})
    action._templar = Templar(DataLoader(), variables)
    action.run(None, variables)
    sent = action.calls[0]["module_args"]
    assert (sent["home"], sent["user"]) == ("/srv/nl6", "neolane")
    assert (sent["mailboxes"][0]["host"], sent["mailboxes"][0]["port"]) == ("mail", 110)
    assert sent["quota_files"] == ["{{ not trusted }}"]
    assert complete(["a", 1, 0.5, True, None, {"b": ("c",)}])
    assert not complete({"a": [object()]}) and not complete({"{{ a }}": 1})


# -- What is sent -----------------------------------------------------------------------------


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What Ansible was asked to build; it builds the text "plain"."""
    asked: list[tuple[Any, ...]] = []

    def configure(_self: Any, *given: Any, **named: Any) -> Any:
        asked.append((*given, named))
        return "new", "#!/py", b"plain", "/path"

    monkeypatch.setattr(ActionBase, "_configure_module", configure)
    return asked


def sent(module: str, *more: Any, args: Mapping[str, Any] | None = None, **named: Any) -> Any:
    """The text that goes to the host, after the action has run with its arguments."""
    action = Action({"failed": True}, **(args or {}))
    action.run(None, dict(VARIABLES))
    options = action.calls[0]["module_args"]
    return action._configure_module(module, options, *more, **named)[2]


def test_campaign_info_goes_as_our_own_program(built: list[tuple[Any, ...]]) -> None:
    text = sent(SNAPSHOT_MODULE, task_vars={}, args={"home": "/opt/nl6"})
    assert text.startswith(b"# Copyright") and b"/opt/nl6" in text


def test_any_other_module_goes_untouched(built: list[tuple[Any, ...]]) -> None:
    assert sent("ansible.legacy.async_wrapper", task_vars={}) == b"plain"


def test_what_a_later_ansible_passes_is_passed_on(built: list[tuple[Any, ...]]) -> None:
    assert sent(SNAPSHOT_MODULE, {"a": 1}, "more", later=True) != b"plain"
    ((name, _options, *rest),) = built
    assert (name, rest) == (SNAPSHOT_MODULE, [{"a": 1}, "more", {"later": True}])


def test_the_switch_leaves_ansible_s_own_module(built: list[tuple[Any, ...]]) -> None:
    assert sent(SNAPSHOT_MODULE, task_vars={}, args={"plain_module": True}) == b"plain"


def test_the_switch_is_a_variable_and_no_option_of_campaign_info() -> None:
    action = Action({"failed": True})
    action.run(None, {**VARIABLES, "campaign_plain_module": "yes"})
    assert "plain_module" not in action.calls[0]["module_args"]
    assert action._plain_module is True
