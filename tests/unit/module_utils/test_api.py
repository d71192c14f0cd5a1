"""The probe `api` and the search for duplicates, against a real HTTP server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from unit.module_utils.soapserver import Server, condition_of, fault, serving, slowly

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.api import api
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    job_request,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair.guard import (
    Refused,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot import (
    probes as snapshot,
)

PASSWORD = "geheim77"
QUERIES, OPTIONS = ["ExecuteQuery"] * len(api.QUESTIONS), ["GetOption"] * len(api.OPTIONS)
METHODS = ["Logon", *QUERIES, *OPTIONS, "Logoff"]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        started.says("ExecuteQuery", started.rows())
        value = "<pstrValue>10</pstrValue>"
        started.says("GetOption", f"<GetOptionResponse>{value}</GetOptionResponse>")
        yield started


def options(server: Server, *instances: str, **more: Any) -> dict[str, Any]:
    credentials = [
        {"instance": name, "url": server.url, "login": "remediation", "password": PASSWORD}
        for name in instances or ("prod",)
    ]
    return {
        "api": credentials, "api_from": "target", "api_timeout": 10.0, "api_validate_certs": True,
        "api_ca_path": "", "api_client_cert": "", "api_client_key": "", "api_use_proxy": False,
        **more,
    }


def collect(server: Server, *instances: str, seconds: float = 10, **more: Any) -> dict[str, Any]:
    """What the probe brings; its error under `error`."""
    names = instances or ("prod",)
    try:
        given = options(server, *names, **more)
        found = api.collect(given, ["default", *names], "http://127.0.0.1:1", seconds)
        return {**found, "error": None}
    except ProbeError as error:
        assert PASSWORD not in error.message
        return {**(error.data or {"instances": []}), "error": error}


def test_one_logon_a_fixed_set_of_calls_and_one_logoff(server: Server) -> None:
    (entry,) = collect(server)["instances"]
    assert server.methods == METHODS
    assert (entry["error"], entry["unanswered"], entry["more"]) == (None, [], [])
    assert entry["concurrency"] == 10
    assert entry["server"] == {"build": "9356", "instance": "prod"}
    assert "password" not in entry


def test_attributes_that_a_build_may_not_have(server: Server) -> None:
    """They are left out of the question, and nothing failed."""
    text = "XTK-170036 Unable to parse expression '@oauth'."
    number = [question.name for question in api.QUESTIONS].index("accounts")
    row = server.rows('name="defaultPopAccount" server="pop.example.com" port="995"')
    answers = [server.rows()] * len(api.QUESTIONS)
    answers[number : number + 1] = [fault("SOP-330011 Error", text), row]
    server.says("ExecuteQuery", *answers)
    (entry,) = collect(server)["instances"]
    assert entry["unanswered"] == []
    (account,) = entry["accounts"]
    assert (account["port"], account["oauth"], account["server"]) == (995, "", "pop.example.com")
    asked = [body for method, _headers, body in server.calls if "nms:extAccount" in body]
    assert ["@oauth" in body for body in asked] == [True, False]
    assert all("@port" in body for body in asked)


def test_a_question_that_fails_for_another_reason(server: Server) -> None:
    server.says("ExecuteQuery", fault("SOP-330011 Error", "XTK-170036 Unable to parse '@label'."))
    (entry,) = collect(server)["instances"]
    assert "accounts" in [error["question"] for error in entry["unanswered"]]


def test_only_what_reads_is_called(server: Server) -> None:
    collect(server)
    for method, _headers, body in server.calls:
        assert method in {"Logon", "Logoff", "ExecuteQuery", "GetOption"}
        assert method != "ExecuteQuery" or 'operation="select"' in body


def test_each_instance_has_a_session_of_its_own(server: Server) -> None:
    found = collect(server, "prod", "prod2")
    assert [entry["instance"] for entry in found["instances"]] == ["prod", "prod2"]
    assert (server.methods.count("Logon"), server.methods.count("Logoff")) == (2, 2)


def test_values_are_read(server: Server) -> None:
    server.says("ExecuteQuery", server.rows(
        "id='3' name='tracking' label='Tracking' state='13' failed='1' process_id='0'"
        " last_start_at='2025-11-18 11:00:00.000Z' folder='nmsTechnicalWorkflow'",
        "id='x' name='odd' state='' failed='' process_id='' last_start_at='' ",
    ), server.rows())
    first, second = collect(server)["instances"][0]["workflows"]
    assert first == {
        "id": 3, "name": "tracking", "label": "Tracking", "state": 13, "failed": True,
        "process_id": 0, "last_start_at": 1763463600.0, "folder": "nmsTechnicalWorkflow",
    }
    assert (second["id"], second["failed"], second["last_start_at"]) == (None, False, None)


def test_a_query_that_is_refused_costs_only_itself(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("name='a'"), fault("XTK-170006 Unable to parse"),
                server.rows("name='b'"))
    found = collect(server)
    (entry,) = found["instances"]
    assert entry["workflows"] and entry["journal"] is None and entry["disabled_owners"]
    (unanswered,) = entry["unanswered"]
    assert (unanswered["question"], unanswered["code"]) == ("journal", "XTK-170006")
    assert found["error"].kind == "failed"
    assert server.methods == METHODS


def test_what_ends_the_session_ends_the_questions(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("name='a'"), fault("XSV-350008 Session has expired"))
    (entry,) = collect(server)["instances"]
    assert entry["workflows"] and entry["error"]["kind"] == "expired"
    assert server.methods == ["Logon", "ExecuteQuery", "ExecuteQuery", "Logoff"]


def test_a_time_out_in_the_middle_keeps_what_was_answered(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("name='a'"), slowly(60))
    began = time.monotonic()
    found = collect(server, seconds=2.5)
    assert time.monotonic() - began < 30
    (entry,) = found["instances"]
    assert entry["workflows"] and entry["error"]["kind"] == "timeout"
    assert server.methods[-1] == "Logoff"


def test_one_instance_that_refuses_does_not_cost_the_other(server: Server) -> None:
    given = options(server, "prod", "prod2")
    given["api"][0]["url"] = "http://127.0.0.1:1"
    with pytest.raises(ProbeError) as caught:
        api.collect(given, ["prod", "prod2"], server.url, 10)
    first, second = caught.value.data["instances"]
    assert (first["error"]["kind"], second["error"]) == ("refused", None)
    assert second["workflows"] == []


def test_the_default_is_this_hosts_tomcat(server: Server) -> None:
    given = options(server)
    given["api"][0]["url"] = None
    assert api.collect(given, ["prod"], server.url, 10)["instances"][0]["url"] == server.url


def test_instances_that_are_not_looked_at_are_not_asked(server: Server) -> None:
    with pytest.raises(ProbeError) as caught:
        api.collect(options(server, "other"), ["default", "prod"], server.url, 10)
    assert caught.value.kind == "skipped"
    assert server.calls == []


class Context:
    def __init__(self, **given: Any) -> None:
        self.options = given


@pytest.mark.parametrize("given", [
    {"api": []}, {"api": [{"instance": "prod"}], "api_from": "controller"},
])
def test_without_credentials_the_client_is_not_even_imported(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, api.__name__, None)
    with pytest.raises(ProbeError) as caught:
        snapshot.probe_api(Context(**given))
    assert caught.value.kind == "skipped"


# --- duplicates -------------------------------------------------------------------------------

JOB = {"name": "contacts_import", "kind": "import", "instance": "prod", "operator": "anna",
       "keys": ["email"], "schema": "nms:recipient"}


def looked(server: Server, **job: Any) -> Any:
    given = {**options(server), "job": {**JOB, **job}}
    return job_request.find_duplicates(given, server.url)


def test_duplicates_are_counted_and_masked(server: Server) -> None:
    server.says("ExecuteQuery", server.rows(
        "key0='ada@example.com' count='3'", "key0='alan@example.com' count='2'",
        "key0='' count='12'",
    ))
    seen = looked(server)
    assert seen == {"groups": 2, "more": False, "error": None, "largest": [
        {"values": ["a***(15)"], "count": 3}, {"values": ["a***(16)"], "count": 2},
    ]}
    query = server.calls[1][2]
    assert '<node expr="@email" alias="@key0" groupBy="true"/>' in query
    assert condition_of(query) == ["Count(@id) > 1"]
    with pytest.raises(Refused) as caught:
        job_request.check_duplicates({"job": JOB}, seen)
    assert "2 values of email occur more than once, such as a***(15) 3" in str(caught.value)
    assert "example.com" not in str(caught.value)


def test_several_keys_are_one_group(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("key0='a' key1='b' count='2'"))
    seen = looked(server, keys=["@firstName", "[location/@city]"], schema="cus:person")
    assert seen["largest"] == [{"values": ["a***(1)", "b***(1)"], "count": 2}]
    assert 'schema="cus:person"' in server.calls[1][2]
    assert 'expr="[location/@city]"' in server.calls[1][2]


def test_no_duplicates_need_no_persons_word(server: Server) -> None:
    seen = looked(server)
    state = job_request.check_duplicates({"job": JOB}, seen)
    assert state == {"found": 0, "confirmed_by": None, "accepted": False, "by": "api"}


def test_the_database_is_believed_before_a_person(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("key0='a' count='2'"))
    given = {"job": JOB, "no_duplicates_confirmed_by": "Maria", "duplicates_found": 0}
    with pytest.raises(Refused):
        job_request.check_duplicates(given, looked(server))
    state = job_request.check_duplicates({**given, "accept_duplicates": True}, looked(server))
    assert state["found"]


def test_where_the_database_cannot_be_asked_a_person_counts(server: Server) -> None:
    server.says("Logon", fault("XSV-350012 Invalid login or password."))
    seen = looked(server)
    assert seen["groups"] is None and "XSV-350012" in seen["error"]
    with pytest.raises(Refused, match="could not be queried: XSV-350012"):
        job_request.check_duplicates({"job": JOB}, seen)
    given = {"job": JOB, "no_duplicates_confirmed_by": "Maria"}
    assert job_request.check_duplicates(given, seen)["by"] is None


@pytest.mark.parametrize("job", [{"kind": "export"}, {"keys": []}, {"instance": "other"}])
def test_what_is_not_looked_for(server: Server, job: dict[str, Any]) -> None:
    assert looked(server, **job) is None
    assert server.calls == []
