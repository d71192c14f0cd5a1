"""The API of the lab, call by call, as it is on the wire."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from campaign_lab.layout import LAB_PASSWORD
from integration.lab.rawsoap import Api, asked, select, where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EMAILS = ("ada.byron@example.com", "alan.kay@example.com", "barbara.liskov@example.com")


@pytest.fixture(scope="module")
def lab(empty_lab: Callable[..., Any]) -> Iterator[Any]:
    """Two instances, so that the host name has to choose."""
    made = empty_lab()
    made.labctl("up", "--instance", "prod", "--instance", "prod2")
    yield made
    made.labctl("down", "--purge", check=False)


@pytest.fixture(scope="module")
def api(lab: Any) -> Api:
    """An operator who is logged on."""
    made = Api(lab.server.address, lab.server.ports["http"])
    assert made.logon().status == 200
    return made


def sql(lab: Any, statement: str, *parameters: Any) -> list[Any]:
    """The database of prod, looked at without the API."""
    connection = sqlite3.connect(lab.home.parent / "database" / "prod.sqlite", timeout=20)
    try:
        with connection:
            return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()


def emails(api: Api, condition: str, **more: str) -> list[str]:
    """The recipients that fit a condition, by address."""
    order = '<orderBy><node expr="@email"/></orderBy>'
    answer = api.query("nms:recipient", select("@email") + condition + order, **more)
    return [row["email"] for row in answer.rows]


# ---------------------------------------------------------------------------- sessions


@pytest.mark.parametrize(("login", "password"), [
    ("remediation", "wrong"), ("nobody", LAB_PASSWORD), ("", ""), ("' OR '1'='1", LAB_PASSWORD),
])
def test_a_wrong_logon_is_refused_in_one_line_of_text(
    lab: Any, login: str, password: str
) -> None:
    answer = Api(lab.server.address, lab.server.ports["http"]).logon(login, password)
    assert answer.status == 403
    assert answer.body.startswith("XSV-350012 ")
    assert LAB_PASSWORD not in answer.body + lab.log("default", "web")


@pytest.mark.parametrize("headers", [
    {"Cookie": ""}, {"X-Security-Token": ""}, {"Cookie": "__sessiontoken=___0"},
    {"X-Security-Token": "@wrong"},
])
def test_both_tokens_are_needed(api: Api, headers: dict[str, str]) -> None:
    answer = api.call("xtk:session", "TestCnx", headers=headers)
    assert answer.status == 403
    assert answer.body.startswith("XSV-350008 ")


def test_a_session_ends_with_its_logoff(lab: Any) -> None:
    other = Api(lab.server.address, lab.server.ports["http"])
    other.logon()
    assert other.call("xtk:session", "TestCnx").status == 200
    assert other.call("xtk:session", "Logoff").result == []
    assert other.call("xtk:session", "TestCnx").body.startswith("XSV-350008 ")


def test_the_host_names_the_instance(lab: Any) -> None:
    for host, instance in (("prod.example.com", "prod"), ("prod2.example.com", "prod2"),
                           ("prod2", "prod2"), ("elsewhere.example.com", "prod")):
        answer = Api(lab.server.address, lab.server.ports["http"], host).logon()
        assert f"instanceName='{instance}'" in answer.body, host


def test_the_inventory_has_an_operator_for_each_instance(lab: Any) -> None:
    import json

    hosts = json.loads(lab.labctl("inventory").stdout)["_meta"]["hostvars"]
    for entry in hosts["app1"]["campaign_api"]:
        address, port = entry["url"].rpartition("/")[2].split(":")
        answer = Api(address, int(port), entry["host"]).logon(entry["login"], entry["password"])
        assert f"instanceName='{entry['instance']}'" in answer.body


# ----------------------------------------------------------------------------- queries


def test_conditions(api: Api) -> None:
    first, second, third = EMAILS
    assert emails(api, where(f"@email = '{first}'")) == [first]
    assert emails(api, where(f"@email IN ('{first}', '{second}', 'nobody')")) == [first, second]
    assert emails(api, where("@email LIKE 'a%kay@%'")) == [second]
    assert emails(api, where("@email LIKE 'A%KAY@%'")) in ([], [second])
    assert emails(api, where("@id >= 2", "@id < 4")) == [second, third]
    assert emails(api, where("(@id = 1 or @id = 3) and not @firstName = 'Ada'")) == [third]
    assert emails(api, where("@firstName + ' ' + @lastName = 'Alan Kay'")) == [second]
    assert emails(api, where("Lower(@firstName) = 'ada'", "Length(@lastName) = 5")) == [first]
    assert emails(api, where("@id * 2 - 1 = 5")) == [third]
    assert emails(api, where("@externalId IS NULL")) == []
    assert emails(api, where("@id <= 3", "@externalId IS NOT NULL")) == list(EMAILS)
    assert emails(api, where("@id <= 3", "@id NOT IN (1, 2)")) == [third]
    assert emails(api, where("@lastModified > '2100-01-01'")) == []
    assert len(emails(api, where("@lastModified > #2020-01-31 10:00:00Z#", "@id <= 3"))) == 3
    assert len(emails(api, where("@lastModified > AddDays(GetDate(), -1)", "@id <= 3"))) == 3


def test_an_operator_joins_a_condition_to_the_next(api: Api) -> None:
    first, second, third = EMAILS
    joined = ('<where><condition boolOperator="OR" expr="@id = 1"/><condition expr="@id = 2"/>'
              "</where>")
    assert emails(api, joined) == [first, second]
    nested = ('<where><condition boolOperator="AND" expr="@id &lt; 3"/>'
              '<condition><condition boolOperator="OR" expr="@id = 2"/>'
              '<condition expr="@id = 3"/></condition></where>')
    assert emails(api, nested) == [second]
    assert emails(api, '<where><condition boolOperator="AND NOT" expr="@id &lt; 4"/>'
                  '<condition expr="@id = 2"/></where>') == [first, third]  # fmt: skip


def test_order_and_pages(api: Api) -> None:
    def page(start: int) -> list[str]:
        answer = api.query(
            "nms:recipient", select("@id") + '<orderBy><node expr="@id" sortDesc="true"/></orderBy>'
            + where("@id <= 12"), lineCount="5", startLine=str(start))  # fmt: skip
        return [row["id"] for row in answer.rows]

    assert page(0) == ["12", "11", "10", "9", "8"]
    assert page(5) == ["8", "7", "6", "5", "4"]  # the last row of the page before comes again


def test_attributes_come_that_nobody_asked_for(api: Api) -> None:
    (row,) = api.query("nms:recipient", select("@id") + where("@id = 1")).output
    assert dict(row.attrib) == {"id": "1", "_operation": "none", "_cs": ""}


def test_no_more_than_200_lines_unless_asked_for(api: Api, lab: Any) -> None:
    for number in range(300):
        sql(lab, "INSERT INTO xtk_folder (name, label) VALUES (?, 'many')", f"many{number}")
    many = select("@name") + where("@label = 'many'")
    assert len(api.query("xtk:folder", many).rows) == 200
    assert len(api.query("xtk:folder", many, noLineCount="true").rows) == 300
    sql(lab, "DELETE FROM xtk_folder WHERE label = 'many'")


def test_groups_aggregates_and_having(api: Api, lab: Any) -> None:
    sql(lab, "INSERT INTO nms_recipient (email, labBounces) VALUES ('twice@x', 7), ('twice@x', 7)")
    try:
        inner = ('<select><node expr="@email" groupBy="true"/>'
                 '<node expr="count(@id)" alias="@number"/></select>'
                 '<having><condition expr="count(@id) &gt; 1"/></having>')  # fmt: skip
        assert api.query("nms:recipient", inner).rows == [{"email": "twice@x", "number": "2"}]
        inner = inner.replace(' groupBy="true"', "") + '<groupBy><node expr="@email"/></groupBy>'
        assert api.query("nms:recipient", inner).rows == [{"email": "twice@x", "number": "2"}]
        assert api.query("nms:recipient", inner, "count").output.get("count") == "1"
        assert api.query("nms:recipient", select("@email") + where("@email = 'twice@x'"),
                         distinct="true").rows == [{"email": "twice@x"}]  # fmt: skip
    finally:
        sql(lab, "DELETE FROM nms_recipient WHERE email = 'twice@x'")


def test_get_count_and_nothing(api: Api) -> None:
    one = select("@name", "@active") + where("@name = 'defaultPopAccount'")
    output = api.query("nms:extAccount", one, "get").output
    assert (output.tag.rpartition("}")[2], asked(output)) == (
        "extAccount", {"name": "defaultPopAccount", "active": "1"})
    none = select("@name") + where("@name = 'nothing'")
    assert "found no record" in api.query("nms:extAccount", none, "get").fault[2]
    assert api.query("nms:extAccount", none, "getIfExists").output.attrib == {}
    assert api.query("nms:extAccount", none).rows == []
    assert api.query("nms:extAccount", none, "count").output.get("count") == "0"


def test_links_and_elements(api: Api) -> None:
    answer = api.query(
        "xtk:workflow", select("[folder/@name]", "[createdBy/@label]", "[@folder-id]")
        + where("@internalName = 'tracking'", "[folder/@name] = 'nmsTechnicalWorkflow'"))
    row = answer.output[0]
    assert {child.tag.rpartition("}")[2]: child.attrib for child in row} == {
        "folder": {"name": "nmsTechnicalWorkflow"}, "createdBy": {"label": "Internal"}}
    assert list(asked(row)) == ["folder-id"]
    renamed = '<select><node expr="[folder/@name]" alias="@folderName"/></select>'
    assert "nmsTechnicalWorkflow" in [
        row["folderName"] for row in api.query("xtk:workflow", renamed).rows]


@pytest.mark.parametrize(("schema", "inner", "said"), [
    ("xtk:nothing", select("@id"), "XFR-180000"),
    ("xtk:session", select("@id"), "XFR-180000"),
    ("xtk:workflow", select("@nothing"), "Attribute 'nothing' unknown (see definition of schema "
     "'Workflows (xtk:workflow)'). XTK-170036 Unable to parse expression '@nothing'."),
    ("xtk:workflow", select("folder/@nothing"), "Attribute 'nothing' unknown (see definition of "
     "schema 'Folders (xtk:folder)')."),
    ("xtk:workflow", select("nowhere/@id"), "Element 'nowhere' unknown"),
    ("xtk:workflow", select("labActivity"), "XTK-170036"),
    ("xtk:operator", select("@labPassword"), "XTK-170036"),
    ("xtk:workflow", where("@state ="), "XTK-170036"),
    ("xtk:workflow", where("@state = 1; DROP TABLE xtk_workflow"), "XTK-170036"),
    ("xtk:workflow", where("@state = 1) OR (1 = 1"), "XTK-170036"),
    ("xtk:workflow", where("Evil(@state)"), "XTK-170036"),
    ("xtk:workflow", where("@state = 'abc'"), "is no number"),
    ("xtk:workflow", where("@lastStart > 'yesterday'"), "is no date"),
    ("xtk:workflow", where("(" * 100 + "1" + ")" * 100 + " = 1"), "too deeply nested"),
    ("xtk:workflow", '<where><condition expr="@id" setOperator="IN"/></where>', "setOperator"),
])
def test_what_cannot_be_asked_is_a_fault(api: Api, schema: str, inner: str, said: str) -> None:
    code, text, detail = api.query(schema, inner).fault
    assert code == "SOAP-ENV:Error"
    assert text == ("SOP-330011 Error while executing the method 'ExecuteQuery' of service "
                    "'xtk:queryDef'.")
    assert said in detail


def test_values_are_no_part_of_the_statement(api: Api, lab: Any) -> None:
    evil = r"x\' OR \'1\'=\'1"
    assert emails(api, where(f"@email = '{evil}'")) == []
    sql(lab, "INSERT INTO nms_recipient (email, firstName) VALUES (?, ?)", "q@x", "O'Neill \\ <&>")
    try:
        answer = api.query("nms:recipient", select("@firstName")
                           + where(r"@firstName = 'O\'Neill \\ <&>'"))  # fmt: skip
        assert answer.rows == [{"firstName": "O'Neill \\ <&>"}]
    finally:
        sql(lab, "DELETE FROM nms_recipient WHERE email = 'q@x'")


def test_passwords_cannot_be_had(api: Api) -> None:
    for schema in ("xtk:operator", "nms:extAccount"):
        entity = api.call("xtk:persist", "GetEntityIfMoreRecent", f"<pk>xtk:schema|{schema}</pk>")
        names = [a.get("name", "") for a in entity.output.iter() if a.tag.endswith("attribute")]
        assert names
        answer = api.query(schema, select(*(f"@{name}" for name in names)))
        assert LAB_PASSWORD not in entity.body + answer.body


# ------------------------------------------------------------------------ other methods


def test_options(api: Api, lab: Any, eventually: Callable[..., Any]) -> None:
    def option(name: str) -> tuple[str, str]:
        answer = api.call("xtk:session", "GetOption", f"<strName>{name}</strName>")
        return answer.value("pstrValue"), answer.value("pbtType")

    assert option("NmsOperation_LimitConcurrency") == ("10", "3")
    assert option("NoSuchOption") == ("", "0")
    value, kind = eventually(lambda: option("NmsTracking_LastConsolidation")[0] and option(
        "NmsTracking_LastConsolidation"), 30)
    assert kind == "7"
    stamp = time.strptime(value.partition(".")[0], "%Y-%m-%d %H:%M:%S")
    assert abs(time.time() - 60 - time.mktime(stamp) + time.timezone) < 300


def test_schemas(api: Api) -> None:
    def entity(pk: str, must: str = "false") -> Any:
        return api.call("xtk:persist", "GetEntityIfMoreRecent",
                        f"<strPk>{pk}</strPk><strMd5/><bMustExist>{must}</bMustExist>")

    schema = entity("xtk:schema|nms:delivery").output
    paths = {a.get("name") for a in schema.iter("{urn:xtk:persist}attribute")}
    assert {"contactDate", "state", "toDeliver"} <= paths
    assert list(entity("xtk:schema|cus:nothing").result[0]) == []
    assert "XFR-180000" in entity("xtk:schema|cus:nothing", "true").fault[2]


def test_a_workflow_is_started_and_stopped(
    api: Api, lab: Any, eventually: Callable[..., Any]
) -> None:
    name = "oneShot"
    sql(lab, "INSERT INTO xtk_workflow (internalName, label, labActivity) VALUES (?, ?, ?)",
        name, "One shot", "operations")
    state = "SELECT state, failed, processId FROM xtk_workflow WHERE internalName = 'oneShot'"
    number = sql(lab, "SELECT id FROM xtk_workflow WHERE internalName = 'oneShot'")[0][0]
    start = f"<strWorkflowId>{number}</strWorkflowId>"
    assert api.call("xtk:workflow", "Start", start).result == []
    eventually(lambda: sql(lab, state) == [(20, 0, 0)], 30, "it did not run")
    assert "oneShot: " in lab.log("prod", "runwf")
    assert sql(lab, "SELECT count(*) FROM xtk_workflowLog WHERE workflowId = ?"
               " AND message LIKE 'Start%remediation'", number) == [(1,)]  # fmt: skip
    assert "does not exist" in api.call(
        "xtk:workflow", "Start", "<strWorkflowId>nothing</strWorkflowId>").fault[2]
    api.call("xtk:workflow", "Stop", "<strWorkflowId>catalogueLoad</strWorkflowId>")
    assert sql(lab, "SELECT state FROM xtk_workflow WHERE internalName = 'catalogueLoad'") == [
        (20,)]
    api.call("xtk:workflow", "Start", "<strWorkflowId>catalogueLoad</strWorkflowId>")
    assert sql(lab, "SELECT state FROM xtk_workflow WHERE internalName = 'catalogueLoad'") == [
        (11,)]


def test_a_failed_technical_workflow_is_cured_by_a_start(
    api: Api, lab: Any, eventually: Callable[..., Any]
) -> None:
    lab.labctl("break", "technical_workflow_failed")
    row = ("SELECT state, failed, (SELECT max(status) FROM xtk_workflowTask"
           " WHERE workflowId = w.id) FROM xtk_workflow w"
           " WHERE internalName = 'deliverabilityUpdate'")
    assert sql(lab, row) == [(13, 1, 3)]
    api.call("xtk:workflow", "Start", "<strWorkflowId>deliverabilityUpdate</strWorkflowId>")
    eventually(lambda: sql(lab, row) == [(11, 0, 2)], 30, "the start did not cure it")
    lab.labctl("heal")
    assert sql(lab, row) == [(11, 0, 2)]


def test_jobs(api: Api, lab: Any, eventually: Callable[..., Any]) -> None:
    sql(lab, "INSERT INTO nms_delivery (internalName, state) VALUES ('DMjob', 0)")
    ((number,),) = sql(lab, "SELECT id FROM nms_delivery WHERE internalName = 'DMjob'")
    entity = f'<document><delivery id="{number}"/></document><methodName>%s</methodName>'

    def status(job: str) -> tuple[str, list[dict[str, str]]]:
        answer = api.call("xtk:job", "GetStatus", f"<id>{job}</id><lastLogId>0</lastLogId>"
                          "<maxLogCount>10</maxLogCount>")  # fmt: skip
        return answer.value("psStatus"), [dict(log.attrib) for log in answer.result[1][0]]

    service = "xtk:jobInterface|nms:delivery"
    done = api.call(service, "Execute", entity % "Prepare")
    assert "<ExecuteResponse xmlns='urn:nms:delivery'" in done.body
    assert status(done.value("pstrId"))[0] == "5"
    assert sql(lab, "SELECT state FROM nms_delivery WHERE internalName = 'DMjob'") == [(45,)]
    job = api.call(service, "Submit", entity % "Nonsense").value("pstrId")
    eventually(lambda: status(job)[0] == "6", 20, "the job does not fail")
    assert status(job)[1][0]["iRc"] == "16384"
    sql(lab, "UPDATE xtk_job SET status = 8 WHERE id = ?", job)
    assert api.call("xtk:jobInterface|xtk:job", "Cancel", f"<id>{job}</id>").result == []
    assert status(job)[0] == "4"
    assert "does not exist" in api.call("xtk:job", "GetStatus", "<id>999999</id>").fault[2]


@pytest.mark.parametrize(("service", "method", "said"), [
    ("xtk:session", "Nonsense", "(iRc=-55)"),
    ("xtk:nothing", "Logon", "SOP-330024"),
])
def test_what_is_not_there_is_a_fault(api: Api, service: str, method: str, said: str) -> None:
    assert said in " ".join(api.call(service, method).fault)


@pytest.mark.parametrize("body", [b"", b"<e:Envelope", b"<a><b/></a>", b"\xff\xfe", b"x" * 10])
def test_a_call_that_is_none_is_a_fault(api: Api, body: bytes) -> None:
    answer = api.post(body, {"SOAPAction": "xtk:session#Logon"})
    assert answer.fault[1].startswith("SOP-330011 ")
    assert ElementTree.fromstring(answer.body) is not None
