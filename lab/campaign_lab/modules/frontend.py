"""The web server in front of Tomcat: Apache with Campaign's redirection module and relay.

Imitated: ``/r/test`` in the documented form, ``/r/?id=…`` counts a click and redirects,
``/nl/jsp/*`` is relayed to Tomcat; 502 if Tomcat refuses, 504 if it does not answer in time.
The redirection module's own log is ``webmdl.log``. No module of Campaign and not in pdump. The
lab's own: its configuration file and its log ``apache2/error.log`` beside the home, the name of the
visitor's cookie, and ``/r/log`` by which tracking fetches the clicks.

Without the ``LoadModule`` line in its configuration the redirection is missing: 404 for ``/r/``.
"""

from __future__ import annotations

import os
import socket
import threading
import time

from campaign_lab.modules import redir, trackinglogd
from campaign_lab.modules.httpd import (
    HTML,
    REASONS,
    TEXT,
    XML,
    Request,
    Response,
    accept,
    escape,
    listener,
)
from campaign_lab.runtime import Arguments, Log, Module, syslogd_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

    from campaign_lab.layout import Home

IDLE_SECONDS = 60.0
PROXY_TIMEOUT = 10.0
FETCH_LIMIT = 256 * 1024
MODULE_LINE = "LoadModule requesthandler24_module libnlsrvmod.so"
CONF = """\
# Read when the web server starts and when it gets SIGHUP.
%s
ProxyTimeout %d
""" % (MODULE_LINE, PROXY_TIMEOUT)  # fmt: skip


def conf_path(home: Home) -> str:
    """The web server's configuration."""
    return os.path.join(os.path.dirname(home.path), "apache2", "nlsrv.conf")


def error_log(home: Home) -> str:
    """The web server's log."""
    return os.path.join(os.path.dirname(home.path), "apache2", "error.log")


def visitor_id() -> str:
    """A new visitor's, as a UUID is written."""
    text = os.urandom(16).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class FrontEnd(Module):
    """The web server's process."""

    title = "Web server in front"

    def prepare(self) -> None:
        """Read the configuration, hold the port."""
        self.clicks = threading.Lock()
        own = Arguments("webmdl", ["-instance:default", "-detach"])
        self.module_log = Log(syslogd_address(self.server), own, self.home.build)
        self.block: Optional[trackinglogd.Block] = None
        self._configure()
        address = self.listens_at
        try:
            self.socket = listener(*address)
        except OSError as error:
            self.error("could not bind to address %s:%d: %s" % (*address, error.strerror))
            raise SystemExit(1) from None

    @property
    def listens_at(self) -> Tuple[str, int]:
        """Address and port."""
        return self.server.address, self.server.ports["front"]

    def run(self) -> None:
        """Serve until stopped."""
        while not self.stopping.is_set():
            if self.socket in self.wait(IDLE_SECONDS, self.socket):
                accept(self.socket, self.answer)

    def on_reload(self) -> None:
        """SIGHUP: reads the web server's configuration and Tomcat's port again."""
        self._configure()

    def log(self, level: str, category: str, message: str) -> None:
        """A web server has its own log; syslogd has no part in it."""
        if message == self.home.build.banner:
            return  # it is not Campaign's
        stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime())
        try:
            with open(error_log(self.home), "a", encoding="utf-8") as stream:
                stream.write("[%s] [%s] [pid %d] %s\n" % (stamp, level, os.getpid(), message))
        except OSError:
            pass

    def _configure(self) -> None:
        self.redirection = False
        self.timeout = PROXY_TIMEOUT
        try:
            with open(conf_path(self.home), encoding="utf-8") as stream:
                for line in stream:
                    words = line.split()
                    if line.strip() == MODULE_LINE:
                        self.redirection = True
                    elif words[:1] == ["ProxyTimeout"]:
                        self.timeout = float(words[1])
        except (OSError, ValueError, IndexError) as error:
            self.error("configuration: %s" % error)

    # ------------------------------------------------------------------------- requests

    def answer(self, request: Request) -> Response:
        """The answer to one request."""
        if request.path.startswith("/r/") and self.redirection:
            return self._redirection(request)
        if request.path.startswith("/nl/"):
            return self._relay(request)
        if request.path == "/":
            return Response(200, b"<html><body><h1>It works!</h1></body></html>", HTML)
        return _error_page(404)

    def _redirection(self, request: Request) -> Response:
        if request.path == "/r/test":
            return Response(200, self._test(request).encode(), XML)
        if request.path == "/r/":
            return self._click(request)
        if request.path.startswith("/r/log/"):
            return self._log_of(request.path[len("/r/log/"):], request)
        return _error_page(404)

    def _instance(self, request: Request) -> str:
        wanted = request.parameters.get("i") or ""
        instances = self.server.instances
        return wanted if wanted in instances else instances[0]

    def _test(self, request: Request) -> str:
        now = time.time()
        date = "%s.%03d+00" % (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)), now % 1 * 1000)
        build = self.home.build
        known = {
            "status": "OK", "date": date, "version": build.version, "build": build.number,
            "sha1": build.sha1,
            "instance": self._instance(request), "sourceIP": request.client,
            "host": request.headers.get("host", ""), "localHost": self.server.name,
        }  # fmt: skip
        shown = build.redirection.split()
        if self.config.zone(request.client).get("allowDebug") != "true":
            shown = [name for name in ("status", "date", "sourceIP") if name in shown]
        return "<redir %s/>" % " ".join(
            "%s='%s'" % (name, escape(known[name])) for name in shown)

    def _click(self, request: Request) -> Response:
        """``/r/?id=h<delivery>,<broad log>,<url>&i=<instance>``, the numbers in hexadecimal."""
        instance = self._instance(request)
        identifier = request.parameters.get("id", "")
        try:
            parts = identifier.lstrip("ho").split(",")
            delivery, broad_log, url = (int(part, 16) for part in parts)
            target = redir.link(self.home.var, instance, delivery, url)
        except (ValueError, OSError):
            self.module_log.write("error", "log", "Requested URL '/r/ %s' cannot be found" % (
                request.query))
            return _error_page(404)
        visitor = request.cookies.get("uuid230") or visitor_id()
        found = redir.hit(time.time(), broad_log, delivery, url, identifier[:1], visitor,
                          request.headers.get("user-agent", ""), request.client)
        self._count("\t".join((instance, found)).encode())
        return Response(302, headers={"Location": target, "Set-Cookie": "uuid230=" + visitor})

    def _count(self, record: bytes) -> None:
        with self.clicks:
            try:
                found = trackinglogd.find(self.server.shared_memory_key)
                if self.block is not None and (found is None or found[0] != self.block.identifier):
                    self.block.close()
                    self.block = None
                if self.block is None:
                    self.block = trackinglogd.attach(self.server.shared_memory_key)
                counted = self.block is not None and self.block.put(record)
            except (trackinglogd.SegmentError, OSError):
                counted = False
        if not counted:
            self.error("nlsrvmod: tracking log lost: no usable shared memory block, or it is full")

    def _log_of(self, instance: str, request: Request) -> Response:
        """The tracking logs after a pointer; the new one in a header."""
        if instance not in self.server.instances:
            return _error_page(404)
        told = request.parameters.get("after", "")
        pointer = int(told) if told.isdigit() else 0
        directory = os.path.join(self.home.var, instance, "redir", "log")
        try:
            lines = list(redir.lines_after(directory, pointer, FETCH_LIMIT))
        except OSError as error:
            self.error("nlsrvmod: %s" % error)
            return _error_page(500)
        pointer = max([pointer, *map(redir.number_of, lines)])
        return Response(200, "".join(lines).encode(), TEXT, {"X-Lab-Position": "%d" % pointer})

    def _relay(self, request: Request) -> Response:
        address = self._target_of(request.path)
        head = "%s %s HTTP/1.0\r\n" % (request.method, request.target)
        head += "".join("%s: %s\r\n" % pair for pair in request.headers.items()
                        if pair[0] not in ("connection", "x-forwarded-for"))  # fmt: skip
        head += "X-Forwarded-For: %s\r\n\r\n" % request.client
        try:
            with socket.create_connection(address, self.timeout) as tomcat:
                tomcat.settimeout(self.timeout)
                tomcat.sendall(head.encode("latin-1") + request.body)
                data = b""
                while True:
                    chunk = tomcat.recv(65536)
                    if not chunk:
                        break
                    data += chunk
        except socket.timeout:
            self.error("relay: %s:%d did not answer in %g s" % (*address, self.timeout))
            return _error_page(504)
        except OSError as error:
            self.error("relay: %s:%d: %s" % (*address, error.strerror))
            return _error_page(502)
        return _relayed(data)


    def _target_of(self, path: str) -> Tuple[str, int]:
        """Where the first ``relay/url`` that fits sends it; ``localhost`` is this server."""
        from fnmatch import fnmatch

        for entry in self.config.server.all("web/relay/url"):
            if any(fnmatch(path, mask.strip()) for mask in entry.get("urlPath", "").split(",")):
                host, _, port = entry.get("targetUrl", "").partition("://")[2].partition(":")
                return (self.server.address if host in ("localhost", "127.0.0.1") else host,
                        int(port) if port.isdigit() else 80)
        return self.server.address, self.config.settings("web").number("httpPort", 8080)


class Redirection(FrontEnd):
    """What the redirection module does inside an Apache, as a process of its own beside it.

    Apache hands it ``/r/`` (``mod_proxy``) and does the relay itself.
    """

    title = "Redirection"

    @property
    def listens_at(self) -> Tuple[str, int]:
        """This machine only."""
        return self.server.local, self.server.ports["redirection"]

    def answer(self, request: Request) -> Response:
        """``/r/`` and nothing else, for the client that Apache names."""
        if not request.path.startswith("/r/"):
            return _error_page(404)
        asker = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        request.client = asker or request.client
        return self._redirection(request)


def _relayed(data: bytes) -> Response:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return _error_page(502)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() not in ("connection", "content-length"):
            headers[name] = value.strip()
    return Response(int(words[1]), body, headers=headers)


def _error_page(status: int) -> Response:
    title = "%d %s" % (status, REASONS[status])
    page = "<html><head><title>%s</title></head><body><h1>%s</h1></body></html>" % (title, title)
    return Response(status, page.encode(), HTML)
