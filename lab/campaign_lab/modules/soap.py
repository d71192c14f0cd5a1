"""The SOAP side of web: envelopes, faults, and a table of methods.

The forms are those of the documentation and of adobe/acc-js-sdk's recorded answers. A method
is a function in ``METHODS`` under ``(service, name)`` that takes the web module and the call
and gives the inner XML of its response: more of the API is more entries.
"""

from __future__ import annotations

import time
from xml.etree import ElementTree

from campaign_lab import database
from campaign_lab.layout import BUILD, SHA1
from campaign_lab.modules.httpd import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Tuple

    from campaign_lab.modules.httpd import Request
    from campaign_lab.modules.web import Web

ENVELOPE = (
    "<?xml version='1.0'?><SOAP-ENV:Envelope xmlns:xsd='http://www.w3.org/2001/XMLSchema' "
    "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:ns='{namespace}' "
    "xmlns:SOAP-ENV='http://schemas.xmlsoap.org/soap/envelope/'><SOAP-ENV:Body>{body}"
    "</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
ENCODING = "SOAP-ENV:encodingStyle='http://schemas.xmlsoap.org/soap/encoding/'"


class Fault(Exception):
    """A SOAP fault; the detail starts with Campaign's code."""

    def __init__(self, text: str, detail: str, code: str = "SOAP-ENV:Client") -> None:
        super().__init__("%s %s" % (text, detail))
        self.text = text
        self.detail = detail
        self.code = code

    def envelope(self) -> str:
        """As it goes over the wire."""
        body = (
            "<SOAP-ENV:Fault><faultcode>%s</faultcode><faultstring xsi:type='xsd:string'>%s"
            "</faultstring><detail xsi:type='xsd:string'>%s</detail></SOAP-ENV:Fault>"
        ) % (escape(self.code), escape(self.text), escape(self.detail))
        return ENVELOPE.format(namespace="http://xml.apache.org/xml-soap", body=body)


class Call:
    """One call: service (``xtk:session``), method (``Logon``) and its parameters."""

    def __init__(
        self, request: Request, service: str, method: str, element: ElementTree.Element
    ) -> None:
        self.request = request
        self.service = service
        self.method = method
        self.element = element
        """The method's element of the body; parameters are its children."""

    @classmethod
    def of(cls, request: Request) -> Call:
        """Read a request. Raises Fault."""
        service, _, method = request.headers.get("soapaction", "").strip('"').partition("#")
        try:
            root = ElementTree.fromstring(request.body)
        except ElementTree.ParseError as error:
            raise Fault("Invalid XML", "SOP-330011 %s (iRc=-53)" % error) from None
        for body in root:
            if local(body.tag) == "Body" and len(body):
                element = body[0]
                return cls(request, service, method or local(element.tag), element)
        raise Fault("The SOAP message has no body", "SOP-330011 empty message (iRc=-53)")

    def text(self, name: str) -> str:
        """A parameter's text; empty if it is absent."""
        for child in self.element:
            if local(child.tag) == name:
                return child.text or ""
        return ""

    def respond(self, parameters: str) -> str:
        """The envelope of the answer."""
        namespace = "urn:" + self.service
        body = "<%sResponse xmlns='%s' %s>%s</%sResponse>" % (
            self.method, namespace, ENCODING, parameters, self.method)  # fmt: skip
        return ENVELOPE.format(namespace=namespace, body=body)


def local(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def string(name: str, value: str) -> str:
    """A string parameter of an answer."""
    return "<%s xsi:type='xsd:string'>%s</%s>" % (name, escape(value), name)


def dispatch(web: Web, call: Call) -> str:
    """Run a call and give the answer's envelope. Raises Fault."""
    method = METHODS.get((call.service, call.method))
    if method is None:
        raise Fault(
            "The method '%s' of '%s' is not known" % (call.method, call.service),
            "SOP-330011 method not implemented (iRc=-55)",
        )
    try:
        return call.respond(method(web, call))
    except database.DatabaseError as error:
        web.error(str(error))
        raise Fault("Database error", "SOP-330011 %s" % error, "SOAP-ENV:Server") from None


def check(web: Web) -> None:
    """Can ``xtk:session``, without which nothing is answered, work at all? Raises Fault."""
    broken = web.sessions.broken
    if broken:
        web.error("xtk:session: " + broken)
        raise Fault(
            "Error while executing a method of service 'xtk:session'.",
            "SOP-330011 xtk:session: " + broken, "SOAP-ENV:Server",
        )  # fmt: skip


def logon(web: Web, call: Call) -> str:
    """``xtk:session#Logon``: a session for an operator of the database."""
    login = call.text("strLogin")
    instance = web.instance_of(call.request)
    with database.session(web.database_path(instance)) as connection:
        operator = connection.execute(
            "SELECT * FROM xtk_operator WHERE name = ? AND accountDisabled = 0", (login,)
        ).fetchone()
    if operator is None or operator["labPassword"] != call.text("strPassword"):
        web.warning("XSV-350012 Invalid login or password. Connection denied (%s from %s)" % (
            login, call.request.client))  # fmt: skip
        raise Fault(
            "Invalid login or password. Connection denied.",
            "XSV-350012 Invalid login or password. Connection denied.",
        )
    session = web.sessions.open(login, instance, call.request.client)
    server = _element("serverInfo", {
        "buildNumber": BUILD, "commitId": SHA1, "instanceName": instance, "majNumber": "7",
        "minNumber": "0", "serverDate": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        "sessionTimeOut": "86400", "securityTimeOut": "86400",
    })  # fmt: skip
    user = _element("userInfo", {
        "login": login, "loginCS": "%s (%s)" % (operator["label"], login),
        "loginId": str(operator["id"]), "locale": "en", "timezone": "UTC",
    }, "<login-right right='admin'/>" if operator["labAdmin"] else "")  # fmt: skip
    return (
        string("pstrSessionToken", session.token)
        + "<pSessionInfo xsi:type='ns:Element' SOAP-ENV:encodingStyle="
        "'http://xml.apache.org/xml-soap/literalxml'><sessionInfo>%s%s</sessionInfo>"
        "</pSessionInfo>" % (server, user)
        + string("pstrSecurityToken", session.security_token)
    )


def _element(tag: str, attributes: Dict[str, str], content: str = "") -> str:
    pairs = "".join(" %s='%s'" % (key, escape(value)) for key, value in attributes.items())
    return "<%s%s>%s</%s>" % (tag, pairs, content, tag)


if TYPE_CHECKING:
    Method = Callable[[Web, Call], str]

METHODS: Dict[Tuple[str, str], Method] = {
    ("xtk:session", "Logon"): logon,
}
