"""Faults of the API: logons that are refused, answers that are none."""

from __future__ import annotations

import os
import time
from typing import Tuple

from campaign_lab.database import API_LOGIN
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.system import http
from campaign_lab.faults.web import WebFault
from campaign_lab.layout import LAB_PASSWORD
from campaign_lab.modules.web import maintenance_page

ROUTER = "/nl/jsp/soaprouter.jsp"
LOGON = ('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
         '<Logon xmlns="urn:xtk:session"><sessiontoken/><strLogin>%s</strLogin><strPassword>%s'
         "</strPassword><elemParameters/></Logon></e:Body></e:Envelope>")
TEST = ('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<TestCnx xmlns="urn:xtk:session"><sessiontoken/></TestCnx></e:Body></e:Envelope>')
HUGE_BYTES = 12 * 1024 * 1024
STALL_SECONDS = 300
PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Maintenance</title></head>
<body><h1>We will be back soon</h1></body></html>
"""
# In the process that went bad, an answer of the SOAP router is cut, or stops, half way.
HALF = """
import time
from campaign_lab.modules import web
from campaign_lab.modules.httpd import Response
_soap = web.Web._soap
class Half(Response):
    __slots__ = ()
    def encoded(self):
        data = Response.encoded(self)
        return data[:len(data) - len(self.body) // 2]
def soap(self, request):
    answer = _soap(self, request)
    if answer.status == 200:
        answer.__class__ = Half
    return answer
web.Web._soap = soap
"""
STALL = HALF + """
from campaign_lab.modules import httpd
def serve(connection, client, handler):
    with connection:
        request = httpd.read(connection, client)
        if request is not None:
            answer = handler(request)
            connection.sendall(answer.encoded())
            if isinstance(answer, Half):
                time.sleep(%d)
httpd._serve = serve
""" % STALL_SECONDS


def call(work: Work, body: str, method: str, seconds: float = 5.0) -> Tuple[int, str]:
    """Status and text of a SOAP call to this instance; (0, reason) if nothing comes."""
    headers = {"SOAPAction": "xtk:session#" + method, "Host": work.instance + ".example.com"}
    return http(work.server, "http", ROUTER, seconds, body, headers)


def logon(work: Work, seconds: float = 5.0) -> Tuple[int, str]:
    """A logon as the operator of the API."""
    return call(work, LOGON % (API_LOGIN, LAB_PASSWORD), "Logon", seconds)


class LogonRefused(Fault):
    """Base of the faults that keep the API's operator out."""

    scope = "instance"
    code = "XSV-350012"

    def present(self, work: Work) -> bool:
        status, text = logon(work)
        return status == 403 and text.startswith(self.code)

    def healed(self, work: Work) -> bool:
        return "pstrSessionToken" in logon(work)[1]


class LogonRefusedPassword(LogonRefused):
    """The password of the API's operator was changed."""

    seen = "Logon as remediation: 403 `XSV-350012 …`; other operators log on"

    def strike(self, work: Work) -> None:
        work.change("xtk_operator", "name", API_LOGIN, labPassword="changed-%d" % time.time())


class OperatorDisabled(LogonRefused):
    """The account of the API's operator was disabled."""

    seen = ("Logon as remediation: 403 `XSV-350012 …`, as for a wrong password; in the database "
            "accountDisabled 1")

    def strike(self, work: Work) -> None:
        work.change("xtk_operator", "name", API_LOGIN, accountDisabled=1)


class LogonRefusedZone(LogonRefused):
    """The security zone that permits this address was edited: no operator can log on from it."""

    scope = "server"
    code = "XSV-350013"
    seen = ("any Logon: 403 `XSV-350013 …`; serverConf.xml: the sub-network localhost has another "
            "mask; pages work")

    def strike(self, work: Work) -> None:
        work.undo_with("hang_up", module="web", instance="default")
        work.rewrite(os.path.join(work.home.conf, "serverConf.xml"),
                     lambda text: text.replace('mask="127.0.0.0/8"', 'mask="172.31.0.0/16"'))
        work.hang_up("web")


class SessionExpired(Fault):
    """Sessions last no second: every call after the logon is refused."""

    seen = ("Logon answers; any other call with its tokens: 403 `XSV-350008 …`; serverConf.xml: "
            "sessionTimeOutSec 0")

    def strike(self, work: Work) -> None:
        work.undo_with("hang_up", module="web", instance="default")
        work.set_attributes("authentication", {"sessionTimeOutSec": "0"})
        work.hang_up("web")

    def present(self, work: Work) -> bool:
        status, text = logon(work)
        if status != 200:
            return False
        token, security = (text.partition("<%s" % name)[2].partition(">")[2].partition("<")[0]
                           for name in ("pstrSessionToken", "pstrSecurityToken"))
        status, text = http(
            work.server, "http", ROUTER, 5.0, TEST,
            {"SOAPAction": "xtk:session#TestCnx", "Cookie": "__sessiontoken=" + token,
             "X-Security-Token": security})  # fmt: skip
        return status == 403 and text.startswith("XSV-350008")


class ApiHtml(Fault):
    """A page in HTML stands where the server should be: maintenance was switched on."""

    seen = "every path of Tomcat: 200 and a page in HTML, the SOAP router, too"

    def strike(self, work: Work) -> None:
        path = maintenance_page(work.home)
        work.undo_with("remove", path=path)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(PAGE)

    def present(self, work: Work) -> bool:
        return os.path.exists(maintenance_page(work.home)) and "<html" in logon(work)[1]


class ApiTruncated(WebFault):
    """web cuts its SOAP answers: the connection ends in the middle of each."""

    seen = "any SOAP answer: fewer bytes than its Content-Length says; a restart of web cures"

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.poison(HALF)

    def present(self, work: Work) -> bool:
        return logon(work) == (0, "IncompleteRead")

    def healed(self, work: Work) -> bool:
        return "pstrSessionToken" in logon(work)[1]


class ApiSlow(ApiTruncated):
    """web stops in the middle of its SOAP answers and says no more for five minutes."""

    seen = "any SOAP answer: half of it, then nothing; the pages are quick; a restart of web cures"

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.poison(STALL)

    def present(self, work: Work) -> bool:
        return logon(work, 1.5)[0] == 0 and http(work.server, "http", "/nl/jsp/logon.jsp")[0] == 200


class ApiHuge(Fault):
    """A workflow has a label of 12 MB: whoever asks for it gets that."""

    scope = "instance"
    seen = "a query for the labels of xtk:workflow answers with more than 12 MB"
    NAME = "hugeCampaign"

    def strike(self, work: Work) -> None:
        now = time.time()
        work.insert("xtk_workflow", "internalName", internalName=self.NAME, created=now,
                    lastModified=now, label="x" * HUGE_BYTES)

    def present(self, work: Work) -> bool:
        return bool(work.sql("SELECT id FROM xtk_workflow WHERE internalName = ?", self.NAME))
