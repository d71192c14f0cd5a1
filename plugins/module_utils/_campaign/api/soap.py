# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small client of the server's SOAP API: /nl/jsp/soaprouter.jsp.

Its error messages contain neither password nor token. Every call ends in time, and an answer
is read up to a limit.
"""

import calendar
import re
import socket
import ssl
import time
from urllib.error import HTTPError

from ansible.module_utils import urls

from ..host.network import NetworkError, split_url, word_for
from ..text import clean

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Collection, Dict, List, Optional, Sequence, Tuple

    Entry = Dict[str, Any]
    Row = Dict[str, Optional[str]]
    Send = Callable[[str, Dict[str, str], bytes], Tuple[int, str, bytes]]

PATH = "/nl/jsp/soaprouter.jsp"
ANSWER_LIMIT = 4 * 1024 * 1024  # bytes of one answer
PAGE = 200  # rows of one answer
DEPTH = 50  # elements within each other
GOODBYE_SECONDS = 1.0  # of the total time, kept for the logoff

ENVELOPE = (
    "<?xml version='1.0' encoding='utf-8'?>"
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:urn="urn:{service}"><soapenv:Header/><soapenv:Body>'
    "<urn:{method}>{parameters}</urn:{method}></soapenv:Body></soapenv:Envelope>"
)

# What a fault is about, by its code, or by words where no code is published.
KINDS = {
    "XSV-350008": "expired",
    "XSV-350012": "password",
    "XSV-350013": "zone",
    "XSV-350014": "zone",
}
WRAPPERS = ("SOP-330011",)  # they say that a call failed; the code beside them says why
_CODE = re.compile(r"\b[A-Z]{3}-\d{6}\b")
_DATABASE = re.compile(r"\((?:iRc=)?-2006\)|\biRc=-2006\b|\b(?:PGS|ORA|ODB|WDB)-\d{6}\b|\bSQL\b")
_HTML = re.compile(r"^\s*(?:<!doctype\s+html|<html)\b", re.I)
_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(\.\d+)?)?\s*Z?$")


class SoapError(Exception):
    """A call that failed.

    `kind` is password, zone, expired, database or fault for what the server refused; address, html,
    http, tls, invalid or too_big for what is no answer of a SOAP server; else network's word:
    refused, timeout, reset, dns, unreachable. `code` is the vendor's, if there is one.
    """

    def __init__(self, kind: str, message: str, code: "Optional[str]" = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = clean(" ".join(message.split()), 300)

    def as_data(self) -> "Dict[str, Optional[str]]":
        return {"kind": self.kind, "code": self.code, "message": self.message}


class Node:
    """An element of an answer, without its namespace."""

    def __init__(self, tag: str, attributes: "Dict[str, str]") -> None:
        self.tag = tag.rpartition(":")[2]
        self.attributes = attributes
        self.children: "List[Node]" = []
        self.text = ""

    def find(self, tag: str) -> "Optional[Node]":
        """The first element below with that name, at any depth; None without one."""
        waiting = list(self.children)
        while waiting:
            node = waiting.pop(0)
            if node.tag == tag:
                return node
            waiting.extend(node.children)
        return None

    def all_text(self) -> str:
        return self.text + "".join(" " + child.all_text() for child in self.children)


def parse(data: bytes) -> Node:
    """The root of a document. Refuses document types.

    Raises ValueError, which says what is wrong.
    """
    import pyexpat

    top = Node("", {})
    path = [top]

    def start(tag: str, attributes: "Dict[str, str]") -> None:
        node = Node(tag, attributes)
        path[-1].children.append(node)
        path.append(node)
        if len(path) > DEPTH:
            raise ValueError("elements are nested too deeply")

    def end(dummy: str) -> None:
        path.pop()

    def text(piece: str) -> None:
        path[-1].text += piece

    def document_type(*dummy: object) -> None:
        raise ValueError("the response contains a DOCTYPE")

    parser = pyexpat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(data, True)
    except pyexpat.ExpatError as error:
        why = "%s at line %d" % (pyexpat.ErrorString(error.code), error.lineno)
        raise ValueError(why) from None
    except LookupError as error:  # an unknown encoding
        raise ValueError(str(error)) from None
    return top.children[0]


def escape(text: str) -> str:
    """Text for an element or an attribute; what XML cannot hold is left out."""
    text = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text


def literal(text: str) -> str:
    """A text constant in an expression."""
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "\\'")


def moment(text: "Optional[str]") -> "Optional[float]":
    """Seconds since 1970 of the API's `2022-09-26 03:13:36.480Z`; None for anything else."""
    found = _MOMENT.match((text or "").strip())
    if not found:
        return None
    try:
        at = time.strptime(
            "%s %s" % (found.group(1), found.group(2) or "00:00:00"), "%Y-%m-%d %H:%M:%S"
        )
        seconds = calendar.timegm(at) + float(found.group(3) or 0)
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


class Query:
    """A queryDef that selects. `nodes`: expressions by the name that a row has them under.

    `groups`: the names by which rows are put together, then `having` is a condition on a group.
    """

    def __init__(
        self,
        schema: str,
        nodes: "Sequence[Tuple[str, str]]",
        where: "Sequence[str]" = (),
        order: str = "",
        descending: bool = False,
        groups: "Collection[str]" = (),
        having: str = "",
    ) -> None:
        self.schema = schema
        self.nodes = nodes
        self.where = where
        self.order = order
        self.descending = descending
        self.groups = groups
        self.having = having

    def where_also(self, condition: str) -> "Query":
        """The same with a further condition."""
        more = (*self.where, condition)
        return Query(
            self.schema, self.nodes, more, self.order, self.descending, self.groups, self.having
        )

    def without(self, names: "Collection[str]") -> "Query":
        """The same without some nodes."""
        nodes = [node for node in self.nodes if node[0] not in names]
        return Query(
            self.schema, nodes, self.where, self.order, self.descending, self.groups, self.having
        )

    def xml(self, start: int, count: int) -> str:
        """The queryDef element of one page."""
        nodes = "".join(
            '<node expr="%s" alias="@%s"%s/>'
            % (escape(expression), name, ' groupBy="true"' if name in self.groups else "")
            for name, expression in self.nodes
        )
        parts = ["<select>%s</select>" % nodes]
        if self.where:
            parts.append("<where>%s</where>" % "".join(map(_condition, self.where)))
        if self.having:
            parts.append("<having>%s</having>" % _condition(self.having))
        if self.order:
            desc = ' sortDesc="true"' if self.descending else ""
            parts.append('<orderBy><node expr="%s"%s/></orderBy>' % (escape(self.order), desc))
        head = '<queryDef schema="%s" operation="select" startLine="%d" lineCount="%d">'
        return head % (escape(self.schema), start, count) + "".join(parts) + "</queryDef>"


def _condition(expression: str) -> str:
    return '<condition boolOperator="AND" expr="%s"/>' % escape(expression)


class Client:
    """One session: `with Client(...) as client` logs on and always off.

    `credentials`: url, host, login, password. `options`: validate_certs, ca_path, client_cert,
    client_key, use_proxy.
    """

    def __init__(
        self, credentials: "Entry", options: "Entry", seconds: float, send: "Optional[Send]" = None
    ) -> None:
        self.url = credentials["url"].rstrip("/")
        self.host = credentials.get("host")
        self.login = credentials["login"]
        self.options = options
        self.server: "Dict[str, Optional[str]]" = {}
        self._password = credentials["password"]
        self._session = self._security = ""
        self._end = time.monotonic() + seconds
        self._send = send or self._post
        self._http: "Any" = None  # Ansible's Request
        try:
            split_url(self.url)
        except NetworkError:
            raise SoapError("address", "not an http or https URL: %s"
                                       % clean(self.url, 200)) from None
        if not self.url.endswith(PATH):
            self.url += PATH

    def __enter__(self) -> "Client":
        self.logon()
        return self

    def __exit__(self, *dummy: object) -> None:
        self.logoff()

    # ---------------------------------------------------------------------- methods

    def logon(self) -> None:
        parameters = "<urn:sessiontoken/><urn:strLogin>%s</urn:strLogin>" % escape(self.login)
        parameters += "<urn:strPassword>%s</urn:strPassword>" % escape(self._password)
        answer = self.call("xtk:session", "Logon", parameters + "<urn:elemParameters/>")
        session = answer.find("pstrSessionToken")
        security = answer.find("pstrSecurityToken")
        self._session = session.text.strip() if session else ""
        self._security = security.text.strip() if security else ""
        if not self._session:
            raise SoapError("invalid", "the logon response contains no session token")
        info = answer.find("serverInfo")
        given = info.attributes if info else {}
        self.server = {
            "build": clean(given.get("buildNumber", ""), 40) or None,
            "instance": clean(given.get("instanceName", ""), 80) or None,
        }

    def logoff(self) -> None:
        """End the session, if there is one. A failure does not matter for what was read."""
        if not self._session:
            return
        self._end = max(self._end, time.monotonic()) + GOODBYE_SECONDS
        try:
            self.call("xtk:session", "Logoff", self._token())
        except SoapError:
            pass
        self._session = self._security = ""

    def select(self, query: Query, limit: int = PAGE) -> "Tuple[List[Row], bool]":
        """(rows, whether there are more), rows as mappings of the query's names to texts."""
        rows: "List[Row]" = []
        while len(rows) <= limit:
            count = min(PAGE, limit + 1 - len(rows))
            entity = "<urn:entity>%s</urn:entity>" % query.xml(len(rows), count)
            answer = self.call("xtk:queryDef", "ExecuteQuery", self._token() + entity)
            output = answer.find("pdomOutput")
            collection = output.children[0].children if output and output.children else []
            rows.extend(
                dict((name, _value(node, name, path)) for name, path in query.nodes)
                for node in collection[:count]
            )
            if len(collection) < count:
                break
        return rows[:limit], len(rows) > limit

    def option(self, name: str) -> "Optional[str]":
        """The value of an option of the instance; None without one."""
        answer = self.call(
            "xtk:session", "GetOption", self._token() + "<urn:name>%s</urn:name>" % escape(name)
        )
        value = answer.find("pstrValue")
        return value.text if value and value.text else None

    def workflow(self, method: str, name: str) -> None:
        """Order a workflow to Start, or its pending tasks to run (Wakeup).

        The order is accepted, then carried out by wfserver.
        """
        name = "<urn:workflowId>%s</urn:workflowId>" % escape(name)
        self.call("xtk:workflow", method, self._token() + name)

    def _token(self) -> str:
        return "<urn:sessiontoken>%s</urn:sessiontoken>" % escape(self._session)

    # ------------------------------------------------------------------------- calls

    def call(self, service: str, method: str, parameters: str) -> Node:
        """The element of the answer. Raises SoapError."""
        body = ENVELOPE.format(service=service, method=method, parameters=parameters)
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": "%s#%s" % (service, method),
            "Accept-Encoding": "identity",
        }
        if self._session:
            headers["Cookie"] = "__sessiontoken=" + self._session
            headers["X-Security-Token"] = self._security
        if self.host:
            headers["Host"] = self.host
        try:
            status, kind, data = self._send(self.url, headers, body.encode("utf-8"))
            return self._answer(status, kind, data, method)
        except SoapError as error:
            raise SoapError(error.kind, self._scrub(error.message), error.code) from None

    def _remaining(self) -> float:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise SoapError("timeout", "the time limit for the API is used up")
        return remaining

    def _post(self, url: str, headers: "Dict[str, str]", body: bytes) -> "Tuple[int, str, bytes]":
        """(status, content type, data) of a POST, through Ansible's own HTTP."""
        try:
            if self._http is None:
                self._http = self._opener(url)
            try:
                answer = self._http.open(
                    "POST", url, data=body, headers=headers, timeout=self._remaining()
                )
            except HTTPError as error:
                answer = error
            with answer:
                return answer.getcode(), answer.headers.get("Content-Type", ""), self._read(answer)
        except SoapError:
            raise
        except Exception as error:
            raise failure(error) from None

    def _opener(self, url: str) -> "Any":
        """Ansible's HTTP with our settings. The TLS context is made once: to load the authorities
        takes longer than a call, and without TLS none are needed."""
        given = self.options
        tls = {
            "validate_certs": given["validate_certs"],
            "client_cert": given["client_cert"] or None,
            "client_key": given["client_key"] or None,
        }
        common = {
            "use_proxy": given["use_proxy"],
            "follow_redirects": "none",
            "decompress": False,
            "use_netrc": False,
            "http_agent": "campaign.remediation",
        }
        authorities = given["ca_path"] or None
        if url.lower().startswith("https:"):
            context = urls.make_context(cafile=authorities, **tls)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            return urls.Request(context=context, **common)
        except TypeError:  # ansible-core 2.16 makes its own
            return urls.Request(ca_path=authorities, **dict(common, **tls))

    def _read(self, answer: "Any") -> bytes:
        data = b""
        while len(data) <= ANSWER_LIMIT:
            self._remaining()
            block = answer.read1(65536)
            if not block:
                return data
            data += block
        raise SoapError("too_big", "the response is larger than %d MB" % (ANSWER_LIMIT >> 20))

    def _answer(self, status: int, kind: str, data: bytes, method: str) -> Node:
        shown = data[:500].decode("utf-8", "replace")
        try:
            root = parse(data)
        except ValueError as error:
            if status >= 400 and _CODE.search(shown):  # a refusal in plain text, as of a logon
                raise refusal([shown]) from None
            if _HTML.match(shown) or "text/html" in kind.lower():
                raise _no_soap(status, "an HTML page") from None
            if status >= 300:
                raise _no_soap(status, "no SOAP response") from None
            raise SoapError("invalid", "the response is truncated or not XML: %s" % error) from None
        body = next((child for child in root.children if child.tag == "Body"), None)
        if root.tag != "Envelope" or body is None or not body.children:
            what = (
                "an HTML page" if root.tag.lower() == "html" else "XML that is not a SOAP response"
            )
            raise _no_soap(status, what)
        element = body.children[0]
        if element.tag == "Fault":
            raise fault(element)
        if element.tag != method + "Response":
            raise SoapError("invalid", "the response belongs to another call: %s" % element.tag)
        return element

    def _scrub(self, text: str) -> str:
        for secret in (self._password, self._session, self._security):
            if secret:
                text = text.replace(secret, "***").replace(escape(secret), "***")
        return text


def _value(node: Node, name: str, path: str) -> "Optional[str]":
    """The text that a row has for a node: under its alias, else where its path says."""
    if name in node.attributes:
        return node.attributes[name]
    steps = path.strip("[]").split("/")
    for step in steps[:-1]:
        below = next((child for child in node.children if child.tag == step), None)
        if below is None:
            return None
        node = below
    return node.attributes.get(steps[-1].lstrip("@"))


def _no_soap(status: int, what: str) -> SoapError:
    kind = "html" if what == "an HTML page" else "http"
    why = "%s was returned (status %s): the URL is wrong or is not a Campaign server's"
    return SoapError(kind, why % (what, status))


def fault(element: Node) -> SoapError:
    """The SoapError of a fault."""
    texts = []
    for tag in ("faultstring", "detail"):
        node = element.find(tag)
        text = " ".join(node.all_text().split()) if node else ""
        if text and text not in texts:
            texts.append(text)
    return refusal(texts)


def refusal(texts: "Sequence[str]") -> SoapError:
    """The SoapError of what the server said, the most telling text last."""
    said = " ".join(texts) or "a SOAP fault without text"
    codes = _CODE.findall(" ".join(reversed(texts)))
    telling = [code for code in codes if code not in WRAPPERS]
    code = next((code for code in codes if code in KINDS), (telling or codes or [None])[0])
    kind = KINDS.get(code) or ("database" if _DATABASE.search(said) else "fault")
    return SoapError(kind, said, code)


def failure(error: Exception) -> SoapError:
    """The SoapError of what Python or Ansible raises on the way."""
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, Exception) else error
    text = str(cause) or type(cause).__name__
    name = type(cause).__name__
    if "SSL" in name or "Certificate" in name or "certificate" in text.lower():
        return SoapError("tls", "the TLS connection failed: %s" % text)
    if isinstance(cause, socket.timeout) or "timed out" in text:
        return SoapError("timeout", "no answer in time")
    if isinstance(cause, OSError):
        word = word_for(cause)
        return SoapError("reset" if word == "invalid" else word, "%s: %s" % (word, text))
    return SoapError("reset" if "Disconnected" in name else "invalid", "%s: %s" % (name, text))
