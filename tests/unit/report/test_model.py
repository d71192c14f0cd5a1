"""The records of the report: how they are read and written, and what else is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import report_schema

import campaign_doctor.model
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report import model

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "report.schema.json"

Json = dict[str, Any]


def written() -> Json:
    """The schema that is there."""
    return dict(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_a_report_comes_back_as_it_was(report: Json) -> None:
    text = json.dumps(report)
    assert json.dumps(model.Report.of(json.loads(text)).as_dict()) == text


def test_what_is_not_known_is_kept(report: Json) -> None:
    report["hosts"][1]["findings"][0]["owner"] = ["team"]
    report["later"] = {"a": 1}
    read = model.Report.of(report)
    assert read.more == {"later": {"a": 1}}
    assert read.as_dict() == report


@pytest.mark.parametrize(("kind", "data", "message"), [
    (model.Finding, {"id": "a", "key": "b"}, "not a finding: module"),
    (model.Finding, None, "not a finding: id"),
    (model.Host, {"name": 3, "reachable": True}, "not a host: status"),
])  # fmt: skip
def test_what_a_record_cannot_do_without(kind: type[model.Node], data: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind.of(data)


def test_what_is_missing_or_of_another_type_has_its_default() -> None:
    step = model.Step.of({"rungs": "restart", "limit": 3, "order": None, "work": [
        {"kind": "session", "what": "anna", "module": "web", "instance": "prod", "from": "10.1.2.3"},
        {"kind": "session"}, "anna",
    ]})  # fmt: skip
    assert (step.rungs, step.limit, step.order) == ((), None, 0)
    assert [work.origin for work in step.work or ()] == ["10.1.2.3"]
    assert "pid" not in step.as_dict()["work"][0] and "instances" not in step.as_dict()


def test_a_command_is_text_or_lists() -> None:
    for command in ("nlserver stop", [["nlserver", "stop"]], ["nlserver", "stop"]):
        assert model.Action.of({"command": command}).as_dict()["command"] == command


def test_the_schema_is_written_from_the_records() -> None:
    assert written() == report_schema.schema()


def kinds(root: Json, node: Json) -> Any:
    """The types of a value in JSON; of a list with those of its items."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    if "anyOf" in node:
        return set().union(*(kinds(root, each) for each in node["anyOf"]))
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        return {{str: "string", int: "integer", type(None): "null"}[type(each)] for each in values}
    names = node["type"] if isinstance(node["type"], list) else [node["type"]]
    if "array" in names and node.get("items"):
        return {*names, f"of {sorted(kinds(root, node['items']))}"}
    return set(names)


def test_the_model_of_the_command_is_that_of_the_schema() -> None:
    """Its names, fields and types; of words it takes any, which a later version may have added."""
    schema = written()
    command = campaign_doctor.model.Report.model_json_schema()
    parts = {"Report": command, **command["$defs"]}
    for name, part in {"report": schema, **schema["$defs"]}.items():
        theirs = parts["".join(word.capitalize() for word in name.split("_"))]
        assert set(theirs["properties"]) == set(part["properties"]), name
        assert set(theirs.get("required", ())) <= set(part["required"]), name
        for key, value in part["properties"].items():
            wanted, has = kinds(schema, value), kinds(command, theirs["properties"][key])
            assert has == wanted, f"{name}.{key}: {has}, and the schema says {wanted}"
