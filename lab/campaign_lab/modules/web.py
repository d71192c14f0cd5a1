"""web: the application server (Tomcat): pages, SOAP, the control port.

Imitated (monitoring-campaign-classic, failure-to-connect): ``/nl/jsp/logon.jsp``, a Java
trace when ``JDK_HOME`` leads nowhere; ``/nl/jsp/ping.jsp`` with a session token, through to the
database, and with ``?zones=true`` the caller's zone; ``/nl/jsp/mcPing.jsp``;
``/nl/jsp/soaprouter.jsp``. The instance is chosen by the host name as ``dataStore
hosts`` says, else it is the first. The lab's own: the page is a file, ``web/jsp/logon.jsp`` (if
it is empty, so is the answer), and the passwords of operators lie in the database as they are.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
import time

from campaign_lab import database
from campaign_lab.layout import write_json
from campaign_lab.modules.httpd import HTML, TEXT, XML, Request, Response, accept, listener
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

    from campaign_lab.layout import Home

IDLE_SECONDS = 60.0
SESSION_SECONDS = 86400.0
SLOW_SECONDS = 4.0
QUEUE = 400
"""Events that may wait for their delivery."""
LOGON_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Adobe Campaign</title></head>
<body>
<h1>Adobe Campaign</h1>
<form method="post" action="/nl/jsp/logon.jsp">
<label>Login <input name="login" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button type="submit">Log in</button>
</form>
</body>
</html>
"""
JAVA_TRACE = """\
<html><head><title>Error</title></head><body><pre>
java.lang.UnsatisfiedLinkError: no jvm in java.library.path: {jdk}
\tat java.lang.ClassLoader.loadLibrary(ClassLoader.java:1860)
\tat java.lang.Runtime.loadLibrary0(Runtime.java:870)
\tat java.lang.System.loadLibrary(System.java:1122)
\tat com.neolane.nl.jsp.logon_jsp._jspService(logon_jsp.java:41)
\tat javax.servlet.http.HttpServlet.service(HttpServlet.java:727)
</pre></body></html>
"""


def logon_page(home: Home) -> str:
    """The file of the logon page."""
    return home.join("web", "jsp", "logon.jsp")


def maintenance_page(home: Home) -> str:
    """While this file is there, every request is answered with it."""
    return home.join("web", "jsp", "maintenance.html")


def session_directory(home: Home) -> str:
    """One small file a session. If it is removed, no session can be opened until web is restarted."""
    return home.lab + "/sessions"


class Session:
    """A connected operator."""

    __slots__ = ("instance", "ip", "last_access", "login", "security_token", "token")

    def __init__(self, token: str, security_token: str, login: str, instance: str, ip: str) -> None:
        self.token = token
        self.security_token = security_token
        self.login = login
        self.instance = instance
        self.ip = ip
        self.last_access = time.time()


class Sessions:
    """The connected operators; on disk for ``pdump -who``, without the tokens."""

    def __init__(self, path: str, directory: str, pools: List[Dict[str, str]]) -> None:
        self.path = path
        self.directory = directory
        self.pools = pools
        self.seconds = SESSION_SECONDS
        self.lock = threading.Lock()
        self.by_token: Dict[str, Session] = {}
        os.makedirs(directory, exist_ok=True)
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        self._write()

    @property
    def broken(self) -> Optional[str]:
        """Why no session can be opened."""
        if not os.access(self.directory, os.W_OK | os.X_OK):
            return "the session directory '%s' cannot be used (iRc=-52)" % self.directory
        return None

    def open(self, login: str, instance: str, ip: str) -> Session:
        """A new session of an operator. Raises OSError."""
        token, security = os.urandom(16).hex().upper(), os.urandom(81)
        token = "-".join((token[:8], token[8:12], token[12:16], token[16:20], token[20:]))
        session = Session("___" + token, "@" + base64.urlsafe_b64encode(security).decode(), login,
                          instance, ip)
        with self.lock:
            with open(self._file(session), "w", encoding="utf-8") as stream:
                stream.write("%s %s\n" % (login, instance))
            self.by_token[session.token] = session
            self._write()
        return session

    def get(self, token: str) -> Optional[Session]:
        """The session of a token, if it has not expired."""
        now = time.time()
        with self.lock:
            session = self.by_token.get(token)
            if session is None or now - session.last_access >= self.seconds:
                return None
            session.last_access = now
            self._write()
        return session

    def close(self, token: str) -> None:
        """Forget a session."""
        with self.lock:
            session = self.by_token.pop(token, None)
            if session is not None and os.path.exists(self._file(session)):
                os.unlink(self._file(session))
            self._write()

    def _file(self, session: Session) -> str:
        return os.path.join(self.directory, "%x" % id(session))

    def _write(self) -> None:
        oldest = time.time() - self.seconds
        self.by_token = {t: s for t, s in self.by_token.items() if s.last_access > oldest}
        try:
            connections = [
                {"at": s.last_access, "ip": s.ip, "instance": s.instance, "login": s.login}
                for s in self.by_token.values()
            ]
            write_json(self.path, {"connections": connections, "pools": self.pools})
        except OSError:
            pass  # only pdump -who suffers


class Web(Module):
    """The application server's process."""

    title = "Web server"

    def prepare(self) -> None:
        """Hold both ports."""
        self._check_java()
        self.http = self._listen(self.settings.number("httpPort", 8080))
        self.control = self._listen(self.settings.number("controlPort", 8005))
        self.sessions = Sessions(self.home.sessions, session_directory(self.home), self._pools())
        self.on_reload()

    def run(self) -> None:
        """Serve HTTP until stopped."""
        while not self.stopping.is_set():
            ready = self.wait(IDLE_SECONDS, self.http, self.control)
            if self.http in ready:
                accept(self.http, self.answer)
            if self.control in ready:
                self._control(self.control)

    def on_reload(self) -> None:
        """Ports need a restart, as in life; most of the rest is read when it is needed."""
        found = self.config.attributes("shared/authentication")
        self.sessions.seconds = float(found.get("sessionTimeOutSec") or SESSION_SECONDS)

    def on_stop(self) -> None:
        """The sessions end with the process."""
        try:
            os.unlink(self.home.sessions)
        except OSError:
            pass

    def _listen(self, port: int) -> socket.socket:
        try:
            return listener(self.server.address, port)
        except OSError as error:
            self.error("Unable to bind TCP port %d: %s" % (port, error.strerror))
            raise SystemExit(1) from None

    def _control(self, control: socket.socket) -> None:
        """Tomcat's control port: whoever says SHUTDOWN there stops it; the lab only hangs up."""
        try:
            control.accept()[0].close()
        except OSError:
            pass

    @property
    def java_broken(self) -> Optional[str]:
        """The JDK_HOME that leads nowhere. Without one the system's Java is taken as good."""
        jdk = os.environ.get("JDK_HOME")
        return jdk if jdk and not os.path.isdir(jdk) else None

    def _check_java(self) -> None:
        jdk = self.java_broken
        if jdk:
            self.error("JVM-510037 Unable to load the Java library: no JVM below '%s'" % jdk)

    # -------------------------------------------------------------------------- requests

    def answer(self, request: Request) -> Response:
        """The answer to one request; an unforeseen error is a 500 and a log line."""
        self.trace("ncm", "%s %s from %s" % (request.method, request.path, request.client))
        try:
            if os.path.exists(maintenance_page(self.home)):
                with open(maintenance_page(self.home), "rb") as page:
                    return Response(200, page.read(), HTML)
            if request.path == "/nl/jsp/logon.jsp":
                return self._logon()
            if request.path == "/nl/jsp/ping.jsp":
                return self._ping(request)
            if request.path == "/nl/jsp/mcPing.jsp":
                return self._pending(request)
            if request.path == "/nl/jsp/schemawsdl.jsp" and not self._session_of(request):
                return Response(302, headers={"Location": "/nl/jsp/logon.jsp"})
            if request.path == "/nl/jsp/soaprouter.jsp":
                return self._soap(request)
        except Exception:
            import traceback

            self.error(traceback.format_exc().strip())
            return Response(500, b"Internal error", TEXT)
        return Response(404, b"<html><body><h1>404 Not Found</h1></body></html>", HTML)

    def instance_of(self, request: Request) -> str:
        """The instance whose ``dataStore hosts`` mask fits the host name, else the first."""
        from fnmatch import fnmatch

        host = request.headers.get("host", "").partition(":")[0]
        for name in self.config.instances:
            masks = self.config.attributes("shared/dataStore", name).get("hosts", "")
            if any(fnmatch(host, mask.strip()) for mask in masks.split(",")):
                return name
        return self.config.instances[0]

    def permitted(self, client: str) -> bool:
        """Does the security zone of this address permit plain HTTP?"""
        return self.config.zone(client).get("allowHTTP") == "true"

    def database(self, instance: str) -> database.Target:
        """The instance's database."""
        return database.configured(self.config, instance)

    def _pools(self) -> List[Dict[str, str]]:
        """The connection pools, as ``pdump -who`` shows them."""
        pools = []
        for instance in self.config.instances:
            cnx = self.config.database(instance)
            shown = {name: cnx.get(name, "") for name in ("server", "provider", "login")}
            pools.append({"datasource": "default", **shown})
        return pools

    def _logon(self) -> Response:
        if self.fault("web_slow"):
            time.sleep(SLOW_SECONDS)
        jdk = self.java_broken
        if jdk:
            return Response(500, JAVA_TRACE.format(jdk=jdk).encode(), HTML)
        try:
            with open(logon_page(self.home), "rb") as stream:
                return Response(200, stream.read(), HTML)
        except OSError as error:
            self.error("Unable to open the page logon.jsp: %s (iRc=-52)" % error.strerror)
            return Response(404, b"<html><body><h1>404 Not Found</h1></body></html>", HTML)

    def _ping(self, request: Request) -> Response:
        if request.parameters.get("zones") == "true":
            zone = self.config.zone(request.client).get("name", "")
            return Response(200, ("OK\nzone: %s\n" % zone).encode(), TEXT)
        session = self._session_of(request)
        if session is None:
            return Response(403, b"XSV-350008 Session has expired or is invalid.", TEXT)
        try:
            with database.session(self.database(session.instance)) as connection:
                database.option(connection, "XtkInstance_Locale")
        except database.DatabaseError as error:
            self.error(str(error))
            return Response(500, str(error).encode(), TEXT)
        return Response(200, time.strftime("OK\n%Y-%m-%d %H:%M:%SZ", time.gmtime()).encode(), TEXT)

    def _session_of(self, request: Request) -> Optional[Session]:
        token = request.parameters.get("sessiontoken") or request.cookies.get("__sessiontoken", "")
        return self.sessions.get(token)

    def _pending(self, request: Request) -> Response:
        """``mcPing.jsp``: the queue of events, of which the lab has none; a fault fills it."""
        if self._session_of(request) is None:
            return Response(403, b"XSV-350008 Session has expired or is invalid.", TEXT)
        full = self.fault("event_queue_full")
        told = "The queue is full (%d/%d)" % (QUEUE, QUEUE) if full else (
            "Ok\n0/%d pending events" % QUEUE)
        return Response(200, told.encode(), TEXT)

    def _soap(self, request: Request) -> Response:
        if request.method != "POST" and not self.sessions.broken:
            return Response(405, b"SOAP wants POST", TEXT)
        from campaign_lab.api.dispatch import dispatch
        from campaign_lab.modules import soap

        try:
            soap.check(self)
            call = soap.Call.of(request)
            return Response(200, dispatch(self, call).encode(), XML)
        except soap.Refused as refused:
            return Response(403, str(refused).encode(), TEXT)
        except soap.Fault as fault:
            self.verbose("SOAP fault: %s" % fault, "soap")
            return Response(200, fault.envelope().encode(), XML)
