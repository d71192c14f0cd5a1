"""SOAP by hand: envelopes and headers written out, so that tests see what is on the wire."""

from __future__ import annotations

import http.client
from typing import NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from campaign_lab.layout import LAB_PASSWORD

ROUTER = "/nl/jsp/soaprouter.jsp"


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: str

    @property
    def result(self) -> list[ElementTree.Element]:
        """The parameters of the response."""
        assert self.status == 200, self
        assert ":Fault>" not in self.body, self
        return list(ElementTree.fromstring(self.body)[0][0])

    @property
    def output(self) -> ElementTree.Element:
        """The document in the first parameter."""
        return self.result[0][0]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The attributes of a collection's entities, without those that come unasked."""
        return [asked(row) for row in self.output]

    def value(self, name: str) -> str:
        """The text of a parameter."""
        return next(each.text or "" for each in self.result if local(each) == name)

    @property
    def fault(self) -> tuple[str, str, str]:
        """faultcode, faultstring and detail."""
        assert ":Fault>" in self.body, self
        parts = {local(each): each.text or "" for each in ElementTree.fromstring(self.body)[0][0]}
        return parts["faultcode"], parts["faultstring"], parts["detail"]


def asked(entity: ElementTree.Element) -> dict[str, str]:
    """The attributes of an entity, without those that come unasked."""
    return {name: value for name, value in entity.attrib.items() if not name.startswith("_")}


class Api:
    """An operator at Tomcat's SOAP router."""

    def __init__(self, address: str, port: int, host: str = "", seconds: float = 20) -> None:
        self.address, self.port = address, port
        self.host = host
        self.seconds = seconds
        self.session = self.security = ""

    def call(
        self, service: str, method: str, parameters: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """One call with the tokens of the session."""
        name = service.partition("|")[0]
        envelope = (
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
            f' xmlns:urn="urn:{escape(name)}"><soapenv:Header/><soapenv:Body><urn:{method}>'
            f"<urn:sessiontoken/>{parameters}</urn:{method}></soapenv:Body></soapenv:Envelope>"
        )
        sent = {"SOAPAction": f"{service}#{method}", "Content-Type": "text/xml; charset=utf-8"}
        if self.session:
            sent |= {"Cookie": f"__sessiontoken={self.session}",
                     "X-Security-Token": self.security}
        if self.host:
            sent["Host"] = self.host
        return self.post(envelope.encode(), {**sent, **(headers or {})})

    def post(self, body: bytes, headers: dict[str, str]) -> Answer:
        """A request as it is."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=self.seconds)
        try:
            connection.request("POST", ROUTER, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode())
        finally:
            connection.close()

    def logon(self, login: str = "remediation", password: str = LAB_PASSWORD) -> Answer:
        """Log on and keep the tokens."""
        answer = self.call(
            "xtk:session", "Logon",
            f"<urn:strLogin>{login}</urn:strLogin><urn:strPassword>{password}</urn:strPassword>"
            "<urn:elemParameters/>",
        )
        if "<pstrSessionToken" in answer.body:
            self.session = answer.value("pstrSessionToken")
            self.security = answer.value("pstrSecurityToken")
        return answer

    def query(self, schema: str, inner: str = "", operation: str = "select", **more: str) -> Answer:
        """ExecuteQuery."""
        attributes = "".join(f' {name}="{value}"' for name, value in more.items())
        return self.call(
            "xtk:queryDef", "ExecuteQuery",
            f'<urn:entity><queryDef schema="{schema}" operation="{operation}"{attributes}>{inner}'
            "</queryDef></urn:entity>",
        )


def select(*expressions: str) -> str:
    """``<select>`` of expressions."""
    return "<select>%s</select>" % "".join(f'<node expr="{escape(each)}"/>' for each in expressions)


def where(*expressions: str) -> str:
    """``<where>`` of conditions that all hold."""
    return "<where>%s</where>" % "".join(
        f'<condition expr="{escape(each)}"/>' for each in expressions)


def local(element: ElementTree.Element) -> str:
    """A tag without its namespace."""
    return str(element.tag).rpartition("}")[2]
