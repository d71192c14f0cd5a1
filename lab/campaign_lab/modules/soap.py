"""The SOAP side of web: envelopes, faults, and the logon.

The forms are those of the documentation and of adobe/acc-js-sdk's recorded answers. Which function
answers to which method: api/dispatch.py.

As published: every call but ``Logon`` needs both tokens, ``__sessiontoken`` as a cookie and
``X-Security-Token`` as a header; a refused logon or session is HTTP 403 and one line of text that
starts with its XSV code; a method that fails is a SOAP fault with HTTP 200 (measured by others on
7.4.3; an 8.6.3 answers with 500).
"""

from __future__ import annotations

import time
from xml.etree import ElementTree

from campaign_lab import database
from campaign_lab.modules.httpd import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from campaign_lab.modules.httpd import Request
    from campaign_lab.modules.web import Session, Web

ENVELOPE = (
    "<?xml version='1.0'?><SOAP-ENV:Envelope xmlns:xsd='http://www.w3.org/2001/XMLSchema' "
    "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:ns='{namespace}' "
    "xmlns:SOAP-ENV='http://schemas.xmlsoap.org/soap/envelope/'><SOAP-ENV:Body>{body}"
    "</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
ENCODING = "SOAP-ENV:encodingStyle='http://schemas.xmlsoap.org/soap/encoding/'"
LITERAL = "SOAP-ENV:encodingStyle='http://xml.apache.org/xml-soap/literalxml'"
FAULT_CODE = "SOAP-ENV:Error"
EXPIRED = "XSV-350008 Session has expired or is invalid. Please reconnect."
REFUSED = "XSV-350012 Invalid login or password. Connection denied."
ZONE = ("XSV-350013 The '%s' IP address via which you are trying to log on is in no security zone "
        "that permits it. Connection denied.")


class Refused(Exception):
    """A logon or a session that is not accepted: one line of text, no envelope."""


class Fault(Exception):
    """A SOAP fault; text or detail hold Campaign's code."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__("%s %s" % (text, detail))
        self.text = text
        self.detail = detail

    @classmethod
    def of(cls, call: Call, detail: str) -> Fault:
        """The wrapper SOP-330011 around what went wrong in a method."""
        return cls("SOP-330011 Error while executing the method '%s' of service '%s'." % (
            call.method, call.service), detail)

    def envelope(self) -> str:
        """As it goes over the wire."""
        body = (
            "<SOAP-ENV:Fault><faultcode>%s</faultcode><faultstring xsi:type='xsd:string'>%s"
            "</faultstring><detail xsi:type='xsd:string'>%s</detail></SOAP-ENV:Fault>"
        ) % (escape(FAULT_CODE), escape(self.text), escape(self.detail))
        return ENVELOPE.format(namespace="http://xml.apache.org/xml-soap", body=body)


class Call:
    """One call: service (``xtk:session``), method (``Logon``) and its parameters."""

    def __init__(
        self, request: Request, service: str, method: str, element: ElementTree.Element
    ) -> None:
        self.request = request
        self.service, _, entity = service.partition("|")
        self.entity = entity
        """``nms:delivery`` of ``xtk:jobInterface|nms:delivery``."""
        self.method = method
        self.element = element
        """The method's element of the body; parameters are its children."""
        self.session: Optional[Session] = None
        """Set before a method that needs one is called."""

    @classmethod
    def of(cls, request: Request) -> Call:
        """Read a request. Raises Fault."""
        service, _, method = request.headers.get("soapaction", "").strip('"').partition("#")
        try:
            root = ElementTree.fromstring(request.body)
        except ElementTree.ParseError as error:
            raise Fault("SOP-330011 Invalid XML", "%s (iRc=-53)" % error) from None
        for body in root:
            if local(body.tag) == "Body" and len(body):
                element = body[0]
                return cls(request, service, method or local(element.tag), element)
        raise Fault("SOP-330011 The SOAP message has no body", "empty message (iRc=-53)")

    @property
    def instance(self) -> str:
        """The instance that the operator is logged on to."""
        return self.session.instance if self.session else ""

    def find(self, name: str) -> Optional[ElementTree.Element]:
        """A parameter's element, whatever its prefix; clients differ in case and in ``str``."""
        wanted = name.lower()
        for child in self.element:
            if local(child.tag).lower() in (wanted, "str" + wanted, "elem" + wanted,
                                            "dom" + wanted, "b" + wanted, "l" + wanted):
                return child
        return None

    def text(self, name: str) -> str:
        """A parameter's text; empty if it is absent."""
        found = self.find(name)
        return "" if found is None else found.text or ""

    def document(self) -> Optional[ElementTree.Element]:
        """The entity that a method which is not static works on."""
        for child in self.element:
            if local(child.tag) != "sessiontoken" and len(child):
                return child[0]
        return None

    def respond(self, parameters: str) -> str:
        """The envelope of the answer."""
        namespace = "urn:" + (self.entity or self.service)
        body = "<%sResponse xmlns='%s' %s>%s</%sResponse>" % (
            self.method, namespace, ENCODING, parameters, self.method)  # fmt: skip
        return ENVELOPE.format(namespace=namespace, body=body)


def local(tag: Any) -> str:
    """A tag without its namespace."""
    return str(tag).rpartition("}")[2]


def string(name: str, value: str, kind: str = "string") -> str:
    """A simple parameter of an answer."""
    return "<%s xsi:type='xsd:%s'>%s</%s>" % (name, kind, escape(value), name)


def document(name: str, xml: str) -> str:
    """A parameter of an answer that is a document or an element.

    In the namespace of nobody, as the element itself would be if it stood alone.
    """
    return "<%s xsi:type='ns:Element' %s>%s</%s>" % (name, LITERAL, xml, name)


def check(web: Web) -> None:
    """Can ``xtk:session``, without which nothing is answered, work at all? Raises Fault."""
    broken = web.sessions.broken
    if broken:
        web.error("xtk:session: " + broken)
        raise Fault(
            "Error while executing a method of service 'xtk:session'.",
            "SOP-330011 xtk:session: " + broken,
        )  # fmt: skip


def logon(web: Web, call: Call) -> str:
    """``xtk:session#Logon``: a session for an operator of the database."""
    login, client = call.text("login"), call.request.client
    if not web.permitted(client):
        web.warning((ZONE + " (%s)") % (client, login))
        raise Refused(ZONE % client)
    instance = web.instance_of(call.request)
    with database.session(web.database(instance)) as connection:
        operator = connection.execute(
            "SELECT * FROM xtk_operator WHERE name = ? AND accountDisabled = 0", (login,)
        ).fetchone()
    if operator is None or operator["labPassword"] != call.text("password"):
        web.warning("%s (%s from %s)" % (REFUSED, login, client))
        raise Refused(REFUSED)
    session = web.sessions.open(login, instance, client)
    build = web.home.build
    server = _element("serverInfo", {
        "buildNumber": build.number, "commitId": build.sha1, "instanceName": instance,
        "majNumber": build.version.split(".")[0], "minNumber": build.version.split(".")[1],
        "serverDate": server_date(),
        "sessionTimeOut": "86400", "securityTimeOut": "86400",
    })  # fmt: skip
    return (
        string("pstrSessionToken", session.token)
        + document("pSessionInfo", "<sessionInfo>%s%s</sessionInfo>" % (server, user(operator)))
        + string("pstrSecurityToken", session.security_token)
    )


def server_date() -> str:
    """Now, as the API writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S.000Z", time.gmtime())


def user(operator: Any) -> str:
    """The ``userInfo`` of an operator's row."""
    login = str(operator["name"])
    return _element("userInfo", {
        "datakitInDatabase": "true", "homeDir": "", "instanceLocale": "en", "locale": "en",
        "login": login, "loginCS": "%s (%s)" % (operator["label"], login),
        "loginId": str(operator["id"]), "noConsoleCnx": "false", "orgUnitId": "0", "theme": "",
        "timezone": "UTC",
    }, "<login-right right='admin'/>" if operator["labAdmin"] else "")  # fmt: skip


def _element(tag: str, attributes: Dict[str, str], content: str = "") -> str:
    pairs = "".join(" %s='%s'" % (key, escape(value)) for key, value in attributes.items())
    return "<%s%s>%s</%s>" % (tag, pairs, content, tag)
