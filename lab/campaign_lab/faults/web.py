"""Faults of the application server and of the web server in front."""

from __future__ import annotations

import os
import shutil
import signal
from typing import Tuple

from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.system import (
    end,
    gone,
    http,
    pid_of,
    start_ticks,
    state_of,
    tcp_accepts,
    wait_until,
)
from campaign_lab.modules import frontend
from campaign_lab.modules.web import session_directory

LOGON = "/nl/jsp/logon.jsp"
SLOW_SECONDS = 4
CALL = ('<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">'
        '<SOAP-ENV:Body><urn:Logon xmlns:urn="urn:xtk:session"><urn:sessiontoken/>'
        "<urn:strLogin>nobody</urn:strLogin><urn:strPassword/><urn:elemParameters/></urn:Logon>"
        "</SOAP-ENV:Body></SOAP-ENV:Envelope>")


class WebFault(Fault):
    """Base of the faults of the web module's process."""

    def prepare(self, work: Work) -> None:
        """The module that poison() is about."""
        work.entry["module"], work.entry["instance"] = "web", "default"


class WebBlankPage(WebFault):
    """web has lost its pages: the logon page is blank until web is restarted."""

    seen = "logon.jsp: 200, empty body (Tomcat and front); SOAP works; a restart of web cures"

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.poison("import os\nfrom campaign_lab.modules import web\n"
                    "web.logon_page = lambda _home: os.devnull")

    def present(self, work: Work) -> bool:
        return http(work.server, "http", LOGON) == (200, "")


class WebJavaBroken(WebFault):
    """JDK_HOME in customer.sh names a directory that no longer exists."""

    seen = "logon.jsp: 500 with a Java trace; web.log: JVM-510037; a restart does not cure"

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.undo_with("restart_all")
        work.export("JDK_HOME", "/usr/lib/jvm/java-8-removed")
        log = work.log("web")
        work.restart_all()
        work.expect(log, "JVM-510037")

    def present(self, work: Work) -> bool:
        return "java.lang." in http(work.server, "http", LOGON)[1]


class XtkSessionError(WebFault):
    """web's session directory is gone: every xtk:session call fails until web is restarted."""

    seen = ("any SOAP call: fault `SOP-330011 xtk:session: …`; web.log: `xtk:session: …`; "
            "logon.jsp is fine; a restart of web cures")

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.ensure_running()
        work.undo_with("restart", module="web", instance="default")
        shutil.rmtree(session_directory(work.home))

    def present(self, work: Work) -> bool:
        status, text = http(work.server, "http", "/nl/jsp/soaprouter.jsp", body=CALL,
                            headers={"SOAPAction": "xtk:session#Logon"})
        return status == 200 and "SOP-330011 xtk:session" in text


class WebSlow(WebFault):
    """web needs four seconds for each answer."""

    seen = "every request to Tomcat takes 4 s, through the front, too; /r/test is quick"

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.poison("import time\nfrom campaign_lab.modules import web\n_answer = web.Web.answer\n"
                    "web.Web.answer = lambda self, request: "
                    "(time.sleep(%d), _answer(self, request))[1]" % SLOW_SECONDS)

    def present(self, work: Work) -> bool:
        return tcp_accepts(*_tomcat(work)) and http(
            work.server, "http", LOGON, SLOW_SECONDS / 2)[0] == 0

    def healed(self, work: Work) -> bool:
        return http(work.server, "http", LOGON, SLOW_SECONDS / 2)[0] == 200


class TomcatHung(WebFault):
    """Tomcat accepts connections and never answers (SIGSTOP of web)."""

    seen = "8080 accepts and says nothing; the front answers 504 after ProxyTimeout (10 s); state T"

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.freeze(work.ensure_running())

    def present(self, work: Work) -> bool:
        return state_of(pid_of(work.home, "web", "default")) == "T" and tcp_accepts(*_tomcat(work))

    def healed(self, work: Work) -> bool:
        return http(work.server, "http", LOGON)[0] == 200


class WebPortTaken(WebFault):
    """Another program holds Tomcat's port; web cannot start."""

    seen = "the port is held by `jetty`, cwd /, not of the home; web missing; the front answers 502"

    def strike(self, work: Work) -> None:
        server = work.server
        work.undo_with("start", module="web", instance="default")
        with work.unwatched():
            work.kill("web")
            pid = work.helper("hold_tcp", server.address, str(server.ports["http"]), title="jetty")
        work.remember(pid=pid)

    def present(self, work: Work) -> bool:
        held = tcp_accepts(work.server.address, work.server.ports["http"])
        return held and not gone(work.notes.get("pid", 0))


class FrontEndDown(Fault):
    """The front-end web server is stopped; Tomcat works."""

    of_front = True
    seen = "port 80 refuses; 8080 answers; no apache2 process; tracking.log: RED-520025"

    def strike(self, work: Work) -> None:
        work.undo_with("start_front")
        pid = pid_of(work.home, "front", "default")
        end(pid, start_ticks(pid), signal.SIGTERM)

    def present(self, work: Work) -> bool:
        return not tcp_accepts(work.server.address, work.server.ports["front"])


class RedirectionModuleMissing(Fault):
    """The front-end web server runs without Campaign's redirection module."""

    of_front = True
    seen = "/r/test: 404; /nl/ is relayed; LoadModule is commented out in apache2/nlsrv.conf"

    def strike(self, work: Work) -> None:
        work.undo_with("hang_up", module="front", instance="default")
        work.rewrite(frontend.conf_path(work.home),
                     lambda text: text.replace(frontend.MODULE_LINE, "#" + frontend.MODULE_LINE))
        os.kill(pid_of(work.home, "front", "default"), signal.SIGHUP)
        wait_until(lambda: self.present(work), 5, "/r/test fails")

    def present(self, work: Work) -> bool:
        return http(work.server, "front", "/r/test")[0] == 404


class WebServerOldLibrary(Fault):
    """After an upgrade the web server was only reloaded: it still has the old library loaded."""

    of_front = True
    seen = "/r/test: build 9200; pdump: the build that is installed; a stop and a start cure"
    CODE = "from campaign_lab import builds\nbuilds.BUILDS[%r].number = %r\n"
    OLD = "9200"

    def strike(self, work: Work) -> None:
        path = os.path.join(work.home.lib, "front")
        work.undo_with("start_front")
        work.undo_with("stop_front")
        work.rewrite(path, lambda text: text.replace(
            "main(", self.CODE % (work.home.build.name, self.OLD) + "main(", 1))
        for step in ("stop_front", "start_front"):
            undo.run(work.lab, work.server, step, {})
        step, values = work.entry["undo"].pop()
        undo.run(work.lab, work.server, step, values)

    def present(self, work: Work) -> bool:
        return "build='%s'" % self.OLD in http(work.server, "front", "/r/test")[1]

    def healed(self, work: Work) -> bool:
        return work.home.build.number in http(work.server, "front", "/r/test")[1]


def _tomcat(work: Work) -> Tuple[str, int]:
    return work.server.address, work.server.ports["http"]
