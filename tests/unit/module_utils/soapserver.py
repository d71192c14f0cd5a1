"""A small HTTP server that answers SOAP calls as a test tells it to, and remembers them."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ENVELOPE = (
    "<?xml version='1.0'?><SOAP-ENV:Envelope xmlns:SOAP-ENV="
    "'http://schemas.xmlsoap.org/soap/envelope/'><SOAP-ENV:Body>%s</SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
FAULT = (
    "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>%s</faultstring>"
    "<detail>%s</detail></SOAP-ENV:Fault>"
)
LOGON = (
    "<LogonResponse xmlns='urn:xtk:session'><pstrSessionToken>___SESSION</pstrSessionToken>"
    "<pSessionInfo><sessionInfo><serverInfo buildNumber='9356' instanceName='prod'/></sessionInfo>"
    "</pSessionInfo><pstrSecurityToken>@SECURITY</pstrSecurityToken></LogonResponse>"
)

# What a test says to a call: a body, or (status, content type, bytes), or a function of both.
Answer = Any


class Server:
    """Answers by method; each method's answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {"Logon": [LOGON], "Logoff": ["<LogoffResponse/>"]}
        self.calls: list[tuple[str, dict[str, str], str]] = []
        self.url = ""

    def says(self, method: str, *answers: Answer) -> None:
        """What it answers to the calls of a method."""
        self.answers[method] = list(answers)

    def rows(self, *attributes: str) -> str:
        """An answer of ExecuteQuery."""
        rows = "".join(f"<row {row}/>" for row in attributes)
        return (
            "<ExecuteQueryResponse xmlns='urn:xtk:queryDef'><pdomOutput><row-collection>"
            f"{rows}</row-collection></pdomOutput></ExecuteQueryResponse>"
        )

    @property
    def methods(self) -> list[str]:
        """The methods that were called, in their order."""
        return [method for method, _headers, _body in self.calls]

    def answer(self, method: str) -> Answer:
        """The next answer to a method."""
        held = self.answers.get(method) or [FAULT % ("SOP-330011", "no such method")]
        return held.pop(0) if len(held) > 1 else held[0]


def fault(text: str, detail: str = "") -> str:
    """A fault."""
    return FAULT % (text, detail)


@contextmanager
def serving(
    certificate: Path | None = None, client_authority: Path | None = None
) -> Iterator[Server]:
    """A server on a free port; with a certificate (and key, in one file) over TLS.

    With an authority it wants to see a certificate of the client, too.
    """
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            method = self.headers["SOAPAction"].rpartition("#")[2]
            server.calls.append((method, dict(self.headers), body))
            answer = server.answer(method)
            if callable(answer):
                answer = answer(self)
            if answer is None:
                self.close_connection = True
                return
            status, kind, data = 200, "text/xml", answer
            if isinstance(answer, tuple):
                status, kind, data = answer
            if isinstance(data, str):
                data = (ENVELOPE % data).encode("utf-8")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if client_authority:
            # With 1.3 the connection may be gone before the client has read why.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_authority)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        scheme = "https"
    server.url = f"{scheme}://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def slowly(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that begins and then drips, for longer than anybody waits."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<x>")
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    return drip


def condition_of(body: str) -> list[str]:
    """The conditions of a query, as the server reads them."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(body)
    return [element.get("expr", "") for element in root.iter() if element.tag == "condition"]


def lines_of(body: str) -> tuple[int, int]:
    """startLine and lineCount of a query."""
    found = re.search(r'startLine="(\d+)" lineCount="(\d+)"', body)
    assert found, body
    return int(found.group(1)), int(found.group(2))
