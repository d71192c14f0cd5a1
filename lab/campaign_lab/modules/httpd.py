"""A very small HTTP/1.0 server: a thread a request, one request a connection.

``http.server`` costs four times the memory and start-up of a whole module here.
"""

from __future__ import annotations

import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Tuple

REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}  # fmt: skip
HEAD_LIMIT = 32 * 1024
BODY_LIMIT = 1024 * 1024
CLIENT_SECONDS = 30.0
ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;"), ('"', "&quot;"))
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
XML = "text/xml; charset=utf-8"


def escape(text: str) -> str:
    """For XML text and attribute values (xml.sax.saxutils would load all of urllib)."""
    for plain, escaped in ENTITIES:
        text = text.replace(plain, escaped)
    return text


class BadRequest(Exception):
    """What came is no request."""


class Request:
    """One request, read whole."""

    __slots__ = ("body", "client", "headers", "method", "path", "query", "target")

    def __init__(
        self, method: str, target: str, headers: Dict[str, str], body: bytes, client: str
    ) -> None:
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        """Names in lower case."""
        self.body = body
        self.client = client

    @property
    def parameters(self) -> Dict[str, str]:
        """The query's values, the last of each name."""
        from urllib.parse import parse_qsl

        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def cookies(self) -> Dict[str, str]:
        """The request's cookies."""
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs if name}


class Response:
    """One answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = HTML,
        headers: Optional[Dict[str, str]] = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = {"Content-Type": content_type, **(headers or {})}

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        lines = ["HTTP/1.1 %d %s" % (self.status, REASONS.get(self.status, ""))]
        lines += ["%s: %s" % pair for pair in self.headers.items()]
        lines += ["Content-Length: %d" % len(self.body), "Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace") + self.body


if TYPE_CHECKING:
    Handler = Callable[[Request], Response]


def listener(address: str, port: int) -> socket.socket:
    """A listening TCP socket."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((address, port))
        server.listen(64)
    except OSError:
        server.close()
        raise
    server.setblocking(False)
    return server


def accept(server: socket.socket, handler: Handler) -> None:
    """Take one connection and answer it in a thread."""
    try:
        connection, (client, _port) = server.accept()
    except OSError:  # gone again
        return
    connection.settimeout(CLIENT_SECONDS)
    threading.Thread(target=_serve, args=(connection, client, handler), daemon=True).start()


def _serve(connection: socket.socket, client: str, handler: Handler) -> None:
    with connection:
        try:
            request = read(connection, client)
            if request is not None:
                connection.sendall(handler(request).encoded())
        except BadRequest as error:
            connection.sendall(Response(400, str(error).encode(), TEXT).encoded())
        except OSError:
            pass  # the client left


def read(connection: socket.socket, client: str) -> Optional[Request]:
    """The request; None if the client says nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(8192)
        if not chunk:
            if data:
                raise BadRequest("incomplete request")
            return None
        data += chunk
        if len(data) > HEAD_LIMIT:
            raise BadRequest("header too large")
    head, _, body = data.partition(b"\r\n\r\n")
    method, target, headers = _head(head.decode("latin-1"))
    try:
        length = int(headers.get("content-length", "0"))
    except ValueError:
        raise BadRequest("bad content length") from None
    if not 0 <= length <= BODY_LIMIT:
        raise BadRequest("body too large")
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            raise BadRequest("incomplete body")
        body += chunk
    return Request(method, target, headers, body[:length], client)


def _head(text: str) -> Tuple[str, str, Dict[str, str]]:
    first, *rest = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/") or not words[1].startswith("/"):
        raise BadRequest("bad request line")
    pairs = (line.partition(":") for line in rest)
    return words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}
