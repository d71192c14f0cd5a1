"""The servers of a case that are asked over the network: real ones, on ports of the loopback.

The web server in front, Tomcat with the API, mail servers, databases, whatever a case names. The
process in which the collectors run reaches them under the addresses of the case: see wire.py.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import tls

from cases import database
from cases.form import Page, write_time
from cases.healthy import BUILD, Server

LOGON = "<html><body><form>logon</form></body></html>"
ROUTER = "/nl/jsp/soaprouter.jsp"
FAULT = (
    "<?xml version='1.0'?><SOAP-ENV:Envelope xmlns:SOAP-ENV='http://schemas.xmlsoap.org/soap/"
    "envelope/'><SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>"
    "SOP-330004 There is no SOAP message.</faultstring></SOAP-ENV:Fault></SOAP-ENV:Body>"
    "</SOAP-ENV:Envelope>"
)
PATIENCE = 30.0


class _Threads(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked is gone: no line of that between those of the cases."""


class Servers:
    """All of them, from `start` to `stop`."""

    def __init__(self, server: Server, folder: Path, certificate: Callable[[], tuple[Path, Path]],
                 ) -> None:  # fmt: skip
        self._server = server
        self._folder = folder
        self._certificate = certificate
        self._running: list[_Threads] = []
        self._silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ports: dict[str, int] = {}
        """Kind of server: its real port."""

    def start(self) -> None:
        """Begin to serve."""
        pages = Pages(self._server)
        api = None
        if self._server.given.api is not None:
            api = database.Api(self._server)
        self._serve("front", _handler(pages, "", api))
        self._serve("tomcat", _handler(pages, "tomcat:", api))
        self._serve("smtp", _greeting(b"220 relay ESMTP\r\n", b"221 bye\r\n"))
        self._serve("pop3", _greeting(b"+OK ready\r\n", b"+OK 0 0\r\n"))
        self._serve("tcp", _Silent)
        self._silent.bind(("127.0.0.1", 0))
        self.ports["udp"] = self._silent.getsockname()[1]
        if any(peer.port == 995 for peer in self._server.given.network):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate())
            self._serve("pop3s", _greeting(b"+OK ready\r\n", b"+OK 0 0\r\n", context))

    def _serve(self, kind: str, handler: type[socketserver.BaseRequestHandler]) -> None:
        serving = _Threads(("127.0.0.1", 0), handler)
        self.ports[kind] = serving.server_address[1]
        self._running.append(serving)
        threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """End them."""
        for serving in self._running:
            serving.server_close()
        self._silent.close()


class Pages:
    """What the web servers answer by path: what the case says, else as on a healthy server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._given = server.given.http
        self._web = server.runs("web")

    def get(self, side: str, path: str) -> Page:
        """The page of a path, of the front-end web server (empty side) or of Tomcat."""
        path = path.partition("?")[0]
        known = self._given.get(side + path)
        if known:
            return known
        if side and not self._web:
            return Page(error="refused")
        if path == "/r/test" and not side:
            return Page(200, self._redir())
        if path == "/r/test":
            return Page(404, "")
        if not side and not self._passed_on():
            return Page(503, "<html><body>Service Unavailable</body></html>")
        if path == "/nl/jsp/logon.jsp":
            return Page(200, LOGON)
        if path == "/nl/jsp/ping.jsp":
            return Page(200, "OK")
        if path == ROUTER:
            return Page(500, FAULT)
        return Page(404, "")

    def _passed_on(self) -> bool:
        """Whether the front-end web server finds a Tomcat: here, or on another host."""
        text = self._server.files.get("conf/serverConf.xml", "")
        targets = re.findall(r"targetUrl=[\"']https?://([^:/\"']+)", text)
        return self._web is not None or any(
            host not in ("localhost", "127.0.0.1") for host in targets)

    def _redir(self) -> str:
        date = write_time(self._server.clock.now, "plain")
        instance = next(iter(self._server.instances), "prod")
        return (f"<redir status='OK' date='{date}.000Z' build='{BUILD}' sha1='8f3ef8e'"
                f" instance='{instance}' sourceIP='127.0.0.1' host='localhost'"
                " localHost='localhost'/>")  # fmt: skip

    def refused(self, side: str) -> bool:
        """Whether nothing listens on that side at all."""
        own = [page for path, page in self._given.items()
               if path.startswith("tomcat:") == bool(side)]  # fmt: skip
        return bool(own) and all(page.error == "refused" for page in own)


def _handler(pages: Pages, side: str, api: database.Api | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One side of the web servers."""

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

        def do_GET(self) -> None:
            """A page, or the way in which there is none."""
            page = pages.get(side, self.path)
            if page.error == "timeout":
                time.sleep(PATIENCE)
            elif page.error:
                # Nothing is sent, and the connection is reset.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
            else:
                self._answer(page)

        def do_POST(self) -> None:
            """A call of the API."""
            said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            # What is said of the path is said of a page: the API answers its calls all the same,
            # unless web does not work at all.
            page = pages.get(side, self.path)
            if page.error or self.path.partition("?")[0] != ROUTER or api is None:
                self._answer(Page(404, "") if not page.error else Page(503, ""))
                return
            self._answer(Page(*api.answer(dict(self.headers), said)), "text/xml; charset=utf-8")

        def _answer(self, page: Page, kind: str = "text/html; charset=utf-8") -> None:
            body = page.body.encode("utf-8")
            self.send_response(page.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


class _Silent(socketserver.BaseRequestHandler):
    """Takes the connection, as a database does, and waits until it is closed."""

    def handle(self) -> None:
        self.request.settimeout(PATIENCE)
        while self.request.recv(4096):
            pass


def _greeting(
    first: bytes, then: bytes, context: ssl.SSLContext | None = None
) -> type[socketserver.BaseRequestHandler]:
    class Greeting(socketserver.BaseRequestHandler):
        """A mail server: it greets, and answers each line in the same way."""

        def handle(self) -> None:
            stream = self.request
            stream.settimeout(PATIENCE)
            if context:
                stream = context.wrap_socket(stream, server_side=True)
            stream.sendall(first)
            while stream.recv(4096):
                stream.sendall(then)

    return Greeting


def certificate(folder: Path) -> tuple[Path, Path]:
    """One for all cases of a run."""
    made = folder / "cert.pem", folder / "key.pem"
    return made if made[1].exists() else tls.certificate(folder)
