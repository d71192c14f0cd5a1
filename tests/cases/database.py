"""The API of a case: its rows, asked as a queryDef asks, through the lab's reading of queries.

A row's values have the names that the case gives them: those of the vendor's schema where it has
them, else attributes of that name. What no row has is empty.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from campaign_lab.api import schemas
from campaign_lab.api.query import Query, QueryError
from campaign_lab.api.schemas import Attribute, Link, Schema
from cases.form import CaseError, write_time
from cases.healthy import BUILD, Server

LOGIN, PASSWORD = "monitoring", "secret-of-the-case"
SESSION, SECURITY = "___11111111-2222-3333-4444-555555555555", "@case-security-token=="
# What a case may call an attribute, by the vendor's name.
NAMES = {
    ("xtk:operator", "disabled"): "@accountDisabled", ("xtk:option", "value"): "@stringValue",
    ("nms:delivery", "contactDate"): "scheduling/@contactDate",
    ("nms:delivery", "toDeliver"): "properties/@toDeliver",
    ("xtk:job", "state"): "@status", ("xtk:job", "processId"): "@pid",
    ("xtk:workflow", "operator"): "createdBy", ("xtk:job", "operator"): "createdBy",
    ("nms:delivery", "operator"): "createdBy",
}  # fmt: skip
KEYS = {"xtk:workflow": "@internalName", "nms:delivery": "@internalName"}  # else @name
ENVELOPE = (
    "<?xml version='1.0'?><SOAP-ENV:Envelope xmlns:SOAP-ENV='http://schemas.xmlsoap.org/soap/"
    "envelope/'><SOAP-ENV:Body>{}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


class _Attributes(dict[str, Attribute]):
    """Attributes by path; one that the schema does not have is there and empty."""

    def __init__(self, known: Mapping[str, Attribute], links: Mapping[str, Link]) -> None:
        super().__init__(known)
        self._links = links

    def get(self, path: str, default: Any = None) -> Any:
        """As of a mapping."""
        if path in self:
            return self[path]
        first, slash, _rest = path.partition("/")
        if path.startswith("@") or (slash and "@" in path and first not in self._links):
            return Attribute(path, "string", "no_value")
        return default


class Api:
    """The database and what is answered to calls."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._ids = 1000
        rows = [dict(row) for row in server.given.api or ()]
        if not any(row["schema"] == "nms:extAccount" for row in rows):
            rows.append({"schema": "nms:extAccount", "name": "defaultPopAccount", "active": 1,
                         "label": "Bounce mails", "server": "pop.example.com", "port": 110})
        for name in {row["schema"] for row in rows}:
            if name not in schemas.SCHEMAS:
                schemas.SCHEMAS[name] = Schema(name, name, "@id long\n@name string\n@label string")
        self._rows = [(row.pop("schema"), row) for row in rows]
        self._open()
        for name, row in self._rows:
            self._insert(name, row)

    # ----------------------------------------------------------------------- the tables

    def _open(self) -> None:
        """A table for each schema, with what the rows have beside its own."""
        for name, known in schemas.SCHEMAS.items():
            if not known.stored:
                continue
            for row in (row for schema, row in self._rows if schema == name):
                for key, value in row.items():
                    if not self._path(known, key):
                        path = key if "@" in key else f"@{key}"
                        kind = self._kind(value)
                        column = "own_" + re.sub(r"\W", "_", key)
                        known.attributes[path] = Attribute(path, kind, column)
            columns = {attribute.column for attribute in known.attributes.values()}
            columns |= {link.column for link in known.links.values()} | {"id"}
            known.attributes = _Attributes(known.attributes, known.links)
            names = ", ".join([*sorted(columns), "no_value"])
            self._database.execute(f"CREATE TABLE IF NOT EXISTS {known.table} ({names})")

    def _kind(self, value: Any) -> str:
        if isinstance(value, (bool, int)):
            return "long"
        return "datetime" if self._server.clock.maybe(value) is not None else "string"

    def _path(self, known: Schema, key: str) -> str | None:
        """The attribute, or the link, that a row's key means."""
        key = NAMES.get((known.id, key), key)
        if key in known.attributes or key in known.links:
            return key
        for path in known.attributes:
            if path.rpartition("@")[2].lower() == key.lower():
                return path
        return None

    def _insert(self, name: str, row: Mapping[str, Any]) -> int:
        known = schemas.SCHEMAS[name]
        self._ids += 1
        values: dict[str, Any] = {"id": self._ids}
        for key, given in row.items():
            path = self._path(known, key) or f"@{key}"
            value = self._value(given)
            if path in known.links:
                values[known.links[path].column] = self._linked(known.links[path].target, value)
            elif path in known.attributes:
                values[known.attributes[path].column] = value
        with self._database as database:
            marks = ", ".join("?" * len(values))
            database.execute(
                f"INSERT INTO {known.table} ({', '.join(values)}) VALUES ({marks})",
                list(values.values()))  # fmt: skip
        return int(values["id"])

    def _value(self, given: Any) -> Any:
        if given == "$child":
            if self._server.child is None:
                raise CaseError("given.api: $child, and no runwf lives")
            return self._server.child
        if isinstance(given, bool):
            return int(given)
        moment = self._server.clock.maybe(given)
        return given if moment is None else moment

    def _linked(self, target: str, value: Any) -> int | None:
        """The record that a row's link names; made if no row is it."""
        if value is None or isinstance(value, int):
            return value
        table = schemas.SCHEMAS[target].table
        key = KEYS.get(target, "@name")
        found = self._database.execute(
            f"SELECT id FROM {table} WHERE {key[1:]} = ?", (value,)).fetchone()
        if found:
            return int(found[0])
        for name, row in self._rows:  # it may come later
            if name == target and row.get(key[1:]) == value:
                self._rows.remove((name, row))
                return self._insert(name, row)
        return self._insert(target, {key[1:]: value})

    # ------------------------------------------------------------------------ the calls

    def answer(self, headers: Mapping[str, str], said: bytes) -> tuple[int, str]:
        """(status, body) of a call."""
        try:
            root = ElementTree.fromstring(said)
        except ElementTree.ParseError:
            return 500, self._fault("SOP-330004 The message is no XML.")
        named = {name.lower(): value for name, value in headers.items()}
        action = (named.get("soapaction") or "").strip('"')
        call = next((child for body in root if _local(body) == "Body" for child in body), None)
        if call is None:
            return 500, self._fault("SOP-330004 There is no call.")
        if action == "xtk:session#Logon":
            return self._logon(call)
        tokens = f"__sessiontoken={SESSION}" in (named.get("cookie") or "")
        if not tokens or named.get("x-security-token") != SECURITY:
            return 403, "XSV-350008 Session has expired or is invalid. Please reconnect."
        with self._lock:
            return 200, self._answer(action, call)

    def _logon(self, call: ElementTree.Element) -> tuple[int, str]:
        if (_text(call, "strLogin"), _text(call, "strPassword")) != (LOGIN, PASSWORD):
            return 403, "XSV-350012 Invalid login or password. Connection denied."
        instance = next(iter(self._server.instances), "prod")
        return 200, ENVELOPE.format(
            f"<LogonResponse xmlns='urn:xtk:session'><pstrSessionToken>{SESSION}</pstrSessionToken>"
            "<pSessionInfo><sessionInfo>"
            f"<serverInfo buildNumber='{BUILD}' instanceName='{instance}'/>"
            f"</sessionInfo></pSessionInfo><pstrSecurityToken>{SECURITY}</pstrSecurityToken>"
            "</LogonResponse>")  # fmt: skip

    def _answer(self, action: str, call: ElementTree.Element) -> str:
        service, _hash, method = action.partition("#")
        inner = ""
        if action == "xtk:queryDef#ExecuteQuery":
            definition = next((each for each in call.iter() if _local(each) == "queryDef"), None)
            if definition is None:
                return self._fault("XTK-170036 There is no queryDef in the call.")
            self._database.create_function("now", 0, lambda: self._server.clock.now)
            try:
                found = Query(definition).run(self._database)  # type: ignore[arg-type]
            except (QueryError, sqlite3.Error) as error:
                return self._fault(str(error))
            inner = f"<pdomOutput>{found}</pdomOutput>"
        elif action == "xtk:session#GetOption":
            value = self._option(_text(call, "name"))
            inner = f"<pstrValue>{escape(value)}</pstrValue><pbtType>{6 if value else 0}</pbtType>"
        elif action not in ("xtk:session#Logoff", "xtk:session#TestCnx"):
            return self._fault(f"SOP-330024 '{service}' has no method '{method}' here.")
        name = f"{method}Response"
        return ENVELOPE.format(f"<{name} xmlns='urn:{service}'>{inner}</{name}>")

    def _option(self, name: str) -> str:
        for row in self._options():
            if row.get("name") == name:
                value = row.get("value", row.get("stringValue", ""))
                moment = self._server.clock.maybe(value)
                return str(value) if moment is None else write_time(moment, "sp")
        return ""

    def _options(self) -> Iterator[Mapping[str, Any]]:
        return (row for name, row in self._rows if name == "xtk:option")

    @staticmethod
    def _fault(text: str) -> str:
        return ENVELOPE.format(
            "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Error</faultcode><faultstring>SOP-330011 Error"
            " while executing a method.</faultstring>"
            f"<detail>{escape(text)}</detail></SOAP-ENV:Fault>")


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(call: ElementTree.Element, name: str) -> str:
    return next((each.text or "" for each in call if _local(each) == name), "")
