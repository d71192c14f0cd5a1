"""How an observer who knows nothing of the faults sees each of them: ``SEEN``.

In the process table, sockets, files, by HTTP, SMTP and POP3, or in the database.
"""

from __future__ import annotations

import datetime
import http.client
import os
import poplib
import pwd
import re
import smtplib
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from campaign_lab.layout import LAB_PASSWORD
from integration.harness import owner_of
from integration.lab.rawsoap import Api, select, where

if TYPE_CHECKING:
    from collections.abc import Callable

LOGON = "/nl/jsp/logon.jsp"
SOAP_LOGON = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    b'<Logon xmlns="urn:xtk:session"><sessiontoken/><strLogin>x</strLogin><strPassword/></Logon>'
    b"</e:Body></e:Envelope>"
)


class View:
    """The server as a stranger sees it."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.server = lab.server
        self.home = Path(self.server.home.path)
        self.address = self.server.address
        self.port = self.server.ports
        self.sizes = {path: path.stat().st_size for path in self.home.glob("var/*/log/*.log")}

    def pid(self, module: str, instance: str = "prod") -> int:
        return int(self.lab.pid(module, instance))

    def stat(self, pid: int) -> list[str]:
        """State, parent and so on."""
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

    def arguments(self, module: str, instance: str = "prod") -> list[str]:
        pid = self.pid(module, instance)
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0") if pid else []

    def environment(self, pid: int) -> str:
        return Path(f"/proc/{pid}/environ").read_text()

    def children(self, pid: int) -> list[list[str]]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                fields = self.stat(int(entry.name))
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(fields)
        return found

    def new_lines(self, name: str, instance: str = "prod") -> str:
        """What came into a log since this view was made."""
        path = self.home / "var" / instance / "log" / f"{name}.log"
        if not path.exists():
            return ""
        return path.read_bytes()[self.sizes.get(path, 0):].decode()

    def xml(self, name: str) -> str:
        return (self.home / "conf" / name).read_text()

    def udp(self, port: int) -> bool:
        """Is the port held? (A second bind fails.)"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            try:
                trial.bind((self.address, port))
            except OSError:
                return True
        return False

    def tcp(self, port: int) -> bool:
        try:
            socket.create_connection((self.address, port), 1).close()
        except OSError:
            return False
        return True

    def get(
        self, port: str, path: str, seconds: float = 3, data: bytes | None = None
    ) -> tuple[int, str]:
        request = urllib.request.Request(f"http://{self.address}:{self.port[port]}{path}", data)
        if data:
            request.add_header("SOAPAction", "xtk:session#Logon")
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def missing(self) -> list[str]:
        done = self.lab.nlserver("monitor", "-missing", check=False)
        return done.stdout.split()

    def pdump(self) -> str:
        return str(self.lab.nlserver("pdump").stdout)

    def rows(self, query: str, instance: str = "prod") -> list[Any]:
        path = self.home.parent / "database" / f"{instance}.sqlite"
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def api(self, host: str = "prod.example.com", logon: bool = True) -> Api:
        """The API's operator, logged on to an instance."""
        api = Api(self.address, self.port["http"], host)
        if logon:
            assert "pstrSessionToken" in api.logon().body
        return api

    def asked(self, schema: str, condition: str, *names: str) -> list[dict[str, str]]:
        """What a query of the API answers for these attributes."""
        return self.api().query(schema, select(*names) + where(condition)).rows

    def workflow(self, name: str) -> dict[str, str]:
        (row,) = self.asked("xtk:workflow", f"@internalName = '{name}'", "@state", "@failed",
                            "@processId", "@lastStart", "@id")  # fmt: skip
        return row

    def option(self, name: str) -> str:
        return self.api().call("xtk:session", "GetOption",
                               f"<urn:strName>{name}</urn:strName>").value("pstrValue")  # fmt: skip

    def mails_waiting(self) -> int:
        outside = self.server.outside
        mailbox = poplib.POP3(outside["address"], outside["pop3_port"], 5)
        mailbox.user(self.server.mailbox("prod"))
        mailbox.pass_(LAB_PASSWORD)
        number = mailbox.stat()[0]
        mailbox.quit()
        return number

    def segments(self) -> list[list[str]]:
        """Shared memory of this server's 16 keys."""
        first = self.server.shared_memory_keys[0]
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return [line.split() for line in lines
                if first <= int(line.split()[0]) & 0xFFFFFFFF < first + 16]

    def age(self, path: Path) -> float:
        return time.time() - path.stat().st_mtime

    def starts_of(self, module: str) -> float:
        pid = self.pid(module, "")
        return Path(f"/proc/{pid}").stat().st_mtime


def stays_dead(view: View, module: str, instance: str = "prod") -> bool:
    """Longer than the watchdog's first delay."""
    deadline = time.monotonic() + 1.3
    while time.monotonic() < deadline:
        if view.pid(module, instance):
            return False
        time.sleep(0.1)
    return f"{module}@{instance}" in view.missing()


def hours_ago(text: str) -> float:
    """The age of a date as the API writes it."""
    then = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%fZ").replace(tzinfo=datetime.UTC)
    return (time.time() - then.timestamp()) / 3600


def no_process(pid: str) -> bool:
    return not Path("/proc", pid).exists()


def expires_at_once(view: View) -> bool:
    api = view.api()
    answer = api.call("xtk:session", "TestCnx")
    return answer.status == 403 and answer.body.startswith("XSV-350008")


def refused(view: View, code: str, host: str = "prod.example.com") -> bool:
    answer = view.api(host, logon=False).logon()
    return answer.status == 403 and answer.body.startswith(code)


def cut_short(view: View) -> bool:
    try:
        view.api(logon=False).logon()
    except http.client.IncompleteRead as error:
        return b"LogonResponse" in error.partial
    return False


def stops_half_way(view: View) -> bool:
    """Some of the answer comes at once, the rest does not."""
    body = SOAP_LOGON.replace(b">x<", b">remediation<").replace(
        b"<strPassword/>", b"<strPassword>%s</strPassword>" % LAB_PASSWORD.encode())
    with socket.create_connection((view.address, view.port["http"]), 5) as connection:
        connection.sendall(
            b"POST /nl/jsp/soaprouter.jsp HTTP/1.0\r\nSOAPAction: xtk:session#Logon\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert connection.recv(4)
        connection.settimeout(2)
        try:
            while connection.recv(65536):
                pass
        except TimeoutError:
            return view.get("http", LOGON)[0] == 200
    return False


def concurrency_is_reached(view: View) -> bool:
    running = [process for process in view.lab.processes()
               if "-wf:longCampaign" in " ".join(process.arguments)]
    waiting = view.workflow("summerCampaign")
    return (len(running) == 2 == int(view.option("NmsOperation_LimitConcurrency"))
            and (waiting["state"], waiting["processId"]) == ("1", "0"))


def bounces_are_old(view: View) -> bool:
    newest = view.api().query("nms:broadLogMsg", '<select><node expr="max(@lastModified)" '
                              'alias="@last"/></select>').rows[0]["last"]  # fmt: skip
    active = view.asked("nms:extAccount", "@type = 'pop3'", "@active")
    return bool(view.pid("inMail")) and active == [{"active": "0"}] and hours_ago(newest) > 71


def duplicates(view: View) -> list[dict[str, str]]:
    """As the API sees them: groups of the key with more than one row."""
    return view.api().query(
        "nms:recipient", '<select><node expr="@email" groupBy="true"/>'
        '<node expr="count(@id)" alias="@n"/></select>'
        '<having><condition expr="count(@id) &gt; 1"/></having>').rows


def hangs(command: list[str]) -> bool:
    try:
        subprocess.run(command, capture_output=True, timeout=1, check=False, cwd="/",
                       **owner_of(Path(command[0])))
    except subprocess.TimeoutExpired:
        return True
    return False


def refusal(view: View, *words: str) -> str:
    """What nlserver says on standard error instead of an answer."""
    done = view.lab.nlserver(*words, check=False)
    assert done.returncode
    return done.stderr


def environment_of(view: View) -> int | None:
    """With which code a shell that reads env.sh ends; None: it does not."""
    try:
        return subprocess.run(["sh", "-c", '. "$0"; exec env', str(view.home / "env.sh")],
                              capture_output=True, timeout=2, check=False, cwd="/",
                              **owner_of(view.home)).returncode
    except subprocess.TimeoutExpired:
        return None


def locked(path: Path) -> bool:
    """May the account that it belongs to not write there? Root may always."""
    return not path.stat().st_mode & 0o222


def disk_is_full(view: View) -> bool:
    directory = view.home / "var/prod/log"
    if os.geteuid() == 0:
        return directory.is_mount() and os.statvfs(directory).f_bavail == 0
    limits = Path(f"/proc/{view.pid('syslogd', 'default')}/limits").read_text()
    return re.search(r"Max file size +1 ", limits) is not None


def smtp_refuses(view: View) -> bool:
    outside = view.server.outside
    try:
        smtplib.SMTP(outside["address"], outside["smtp_port"], timeout=2).quit()
    except OSError:
        return True
    return False


def pop3_refuses(view: View) -> bool:
    try:
        view.mails_waiting()
    except OSError:
        return True
    return False


def held_by(name: str, view: View) -> bool:
    """Another program, of no home, was told to hold a port of this server."""
    table = [process for process in Path("/proc").glob("[0-9]*/cmdline")]
    names = set()
    for path in table:
        try:
            arguments = path.read_text().split("\0")
        except OSError:
            continue
        if arguments[0] == name and view.address in arguments:
            names.add(str((path.parent / "cwd").readlink()))
    return names == {"/"}


def core_of_wfserver(view: View) -> bool:
    cores = list(view.home.glob("var/core.*"))
    return len(cores) == 1 and cores[0].read_bytes()[:4] == b"\x7fELF" and bool(
        view.pid("wfserver"))


SEEN: dict[str, Callable[[View], object]] = {
    "module_killed": lambda v: stays_dead(v, "wfserver")
    and "Stop requested" not in v.new_lines("wfserver"),
    "module_stopped_by_hand": lambda v: stays_dead(v, "wfserver")
    and "Stop requested" in v.new_lines("wfserver"),
    "module_crash_loop": lambda v:
    len(set(re.findall(r"\((?:pid=)(\d+),", v.new_lines("wfserver")))) >= 2
    and "signal 11" in v.new_lines("watchdog", "default"),
    "module_hung": lambda v: v.stat(v.pid("web", ""))[0] == "T" and "web@default" in v.pdump(),
    "module_memory_high": lambda v: float(
        re.search(r"wfserver@prod \(\d+\) - ([\d.]+) MB", v.pdump()).group(1)) > 80,
    "watchdog_killed": lambda v: not v.pid("watchdog", "") and v.pid("wfserver")
    and "watchdog" not in v.pdump(),
    "everything_down": lambda v: "No tasks" in v.pdump() and not v.udp(v.port["syslogd"])
    and v.get("front", LOGON)[0] == 502,
    "module_handles_exhausted": lambda v: int(re.search(
        r"Max open files +(\d+)",
        Path(f"/proc/{v.pid('web', '')}/limits").read_text()).group(1)) < 50,
    "core_file": core_of_wfserver,
    "zombie": lambda v: [f[0] for f in v.children(v.pid("wfserver"))].count("Z") >= 3,
    "verbose_left_on": lambda v: "-verbose" in v.arguments("wfserver"),
    "trace_left_on": lambda v: "-tracefilter:*" in v.arguments("wfserver")
    and (v.home / "var/prod/log/wfserver_debug.log").exists(),
    "nlserver_hangs": lambda v: hangs([str(v.home / "bin/nlserver"), "pdump"]),
    "pid_file_stale": lambda v: v.pid("watchdog", "") and not Path(
        "/proc", Path(v.server.home.pid_file).read_text().strip()).exists(),
    "machine_zombies": lambda v: any(
        [f[0] for f in v.children(int(path.parent.name))].count("Z") == 4
        for path in Path("/proc").glob("[0-9]*/cmdline") if command_of(path) == "backup-agent"),
    "syslogd_port_taken": lambda v: held_by("rsyslogd", v) and v.udp(v.port["syslogd"]),
    "syslogd_wrong_port": lambda v: v.udp(6666) and not v.udp(v.port["syslogd"]),
    "log_file_not_writable": lambda v: locked(v.home / "var/prod/log/wfserver.log"),
    "log_directory_not_writable": lambda v: locked(v.home / "var/prod/log"),
    "disk_full": disk_is_full,
    "config_invalid_xml": lambda v: not v.xml("config-prod.xml").rstrip().endswith(">")
    and v.lab.nlserver("monitor", "-missing", check=False).returncode != 0,
    "config_changed_not_reloaded": lambda v:
    (v.home / "conf/serverConf.xml").stat().st_mtime > v.starts_of("web"),
    "autostart_disabled": lambda v: not v.pid("wfserver") and not v.missing(),
    "unexpected_module": lambda v: v.pid("inMail")
    and '<inMail autoStart="false"' in v.xml("config-prod.xml"),
    "verbose_configured": lambda v: "-verbose" in v.arguments("mta")
    and 'args="-verbose -tracefilter:*"' in v.xml("config-prod.xml"),
    "shared_config_invalid": lambda v: v.xml("serverConf.xml").endswith("<relay addr")
    and "serverConf.xml, line " in refusal(v, "monitor", "-missing"),
    "module_switched_off": lambda v: not v.pid("inMail") and not v.missing()
    and '<inMail _autoStart="true"' in v.xml("config-prod.xml"),
    "shared_module_in_instance_file": lambda v: v.pid("trackinglogd", "") and not v.missing()
    and "trackinglogd" not in v.xml("config-default.xml"),
    "syslogd_replaced": lambda v: held_by("rsyslogd", v) and not v.missing(),
    "relay_port_mismatch": lambda v: v.tcp(8081) and v.get("front", LOGON)[0] == 502,
    "two_stats_one_port": lambda v: not v.pid("stat", "prod2") and v.pid("stat")
    and "stat@prod2" in v.missing(),
    "affinity_without_comma": lambda v: v.workflow("dailyScores")["state"] == "1"
    and v.pid("wfserver"),
    "restart_time_deleted": lambda v: v.xml("serverConf.xml").count("processRestartTime") == 10,
    "verify_mode": lambda v: 'verifyMode="true"' in v.xml("config-prod.xml") and v.pid("mta"),
    "working_set_reached": lambda v: 'maxWorkingSetMb="4"' in v.xml("serverConf.xml")
    and any(".eml" in path.name for path in (v.home / "var/prod/mta").iterdir()),
    "instance_copied": lambda v: (v.home / "conf/config-prod-20261101.xml").exists()
    and not v.pid("mta", "prod-20261101"),
    "nlserver_not_executable": lambda v: not (v.home / "bin/nlserver").stat().st_mode & 0o111
    and v.pid("wfserver"),
    "nlserver_wrong_system": lambda v: not v.pid("watchdog", "")
    and "libicuuc.so.50" in refusal(v, "pdump"),
    "nlserver_slow": lambda v: hangs([str(v.home / "bin/nlserver"), "-version"])
    and "7.0 build" in v.lab.nlserver("-version").stdout,
    "customer_sh_broken": lambda v: environment_of(v) != 0 and v.pid("wfserver"),
    "customer_sh_exits": lambda v: environment_of(v) == 3 and v.pid("wfserver"),
    "customer_sh_waits": lambda v: environment_of(v) is None and v.pid("wfserver"),
    "tmp_missing": lambda v: "BAS-010015" in v.new_lines("mta")
    and "errno=2 " in v.new_lines("mta"),
    "tmp_not_writable": lambda v: "BAS-010015" in v.new_lines("mta")
    and "errno=13 " in v.new_lines("mta"),
    "log_clock_ahead": lambda v: "written while the clock was ahead" in v.new_lines("wfserver"),
    "web_server_old_library": lambda v: "build='9200'" in v.get("front", "/r/test")[1],
    "shared_memory_of_web_server": lambda v: {segment[7] for segment in v.segments()} == {
        str(pwd.getpwnam("www-data").pw_uid)},
    "tracking_log_corrupt": lambda v: "Corrupt line" in v.new_lines("tracking"),
    "tracking_link_unreadable": lambda v: "id=h787bc0,1,1&i=prod' cannot be found" in v.new_lines(
        "webmdl", "default"),
    "web_blank_page": lambda v: v.get("http", LOGON) == (200, "") == v.get("front", LOGON),
    "web_java_broken": lambda v: "java.lang" in v.get("front", LOGON)[1]
    and "JVM-510037" in v.new_lines("web", "default"),
    "xtk_session_error": lambda v: "xtk:session: " in v.get(
        "front", "/nl/jsp/soaprouter.jsp", data=SOAP_LOGON)[1] and v.get("http", LOGON)[0] == 200,
    "web_slow": lambda v: v.get("http", LOGON, 2)[0] == 0 and v.get("http", LOGON, 8)[0] == 200,
    "tomcat_hung": lambda v: v.tcp(v.port["http"]) and v.get("http", LOGON, 1)[0] == 0,
    "web_port_taken": lambda v: held_by("jetty", v) and v.tcp(v.port["http"])
    and v.get("front", LOGON)[0] == 502,
    "front_end_down": lambda v: not v.tcp(v.port["front"]) and v.get("http", LOGON)[0] == 200,
    "redirection_module_missing": lambda v: v.get("front", "/r/test")[0] == 404
    and v.get("front", LOGON)[0] == 200,
    "stat_address_missing": lambda v: 'statServerAddress=""' in v.xml("config-prod.xml")
    and "statServerAddress" in v.new_lines("mta"),
    "stat_unreachable": lambda v: v.pid("stat") and v.udp(7790)
    and "Unable to reach the statistics server" in v.new_lines("mta"),
    "stat_remote_unreachable": lambda v: v.pid("stat") and ".249" in v.xml("config-prod.xml")
    and "Unable to reach the statistics server" in v.new_lines("mta"),
    "tmp_other_device": lambda v: "errno=18 (iRc=-52)" in v.new_lines("mta")
    and "TMPDIR=/dev/shm" in v.environment(v.pid("mta")),
    "mta_children_missing": lambda v: v.pid("mta") and not v.pid("mtachild")
    and "ended with -11" in v.new_lines("mta"),
    "spool_stuck": lambda v: sum(v.age(path) > 3600
                                 for path in (v.home / "var/prod/mta").iterdir()) == 25,
    "quota_met": lambda v: "Messages queued (connection quotas met)" in v.new_lines("mtachild"),
    "quotas_changed_not_reloaded": lambda v: v.age(v.home / "conf/quota-prod.conf") < 60,
    "smtp_down": smtp_refuses,
    "mailbox_down": pop3_refuses,
    "mailbox_backlog": lambda v: v.pid("inMail") and v.mails_waiting() > 500,
    "redirection_down": lambda v: "RED-520025" in v.new_lines("tracking")
    and v.get("front", "/r/test")[0] == 200,
    "shared_memory_stale": lambda v: "SRV-810031" in v.new_lines("trackinglogd", "default"),
    "shared_memory_left": lambda v: len(v.segments()) == 4 and v.pid("trackinglogd", ""),
    "tracking_log_stale": lambda v: v.pid("trackinglogd", "") and min(
        v.age(path) for path in (v.home / "var/prod/redir/log").iterdir()) > 86400,
    "tracking_workflow_failed": lambda v: "tracking: SCR-160012" in v.new_lines("runwf")
    and v.rows("SELECT state FROM xtk_workflow WHERE internalName = 'tracking'") == [(13,)],
    "trackinglogd_size_limit": lambda v: "the limit of 1 MB" in v.new_lines(
        "trackinglogd", "default"),
    "database_down": lambda v: any("(iRc=-2006)" in v.new_lines(name)
                                   for name in ("wfserver", "mta", "inMail"))
    and "SOP-330011" in v.get("http", "/nl/jsp/soaprouter.jsp", data=SOAP_LOGON)[1],
    "workflow_failed": lambda v: "nightly.csv' errno=2" in v.new_lines("runwf")
    and (v.workflow("nightlyLoad")["state"], v.workflow("nightlyLoad")["failed"]) == ("13", "1"),
    "workflow_start_pending": lambda v: v.rows(
        "SELECT count(*) FROM xtk_workflow WHERE state = 1") == [(1,)]
    and v.option("NmsOperation_LimitConcurrency") == "0",
    "workflow_children_dying": lambda v: "was ended by signal 11" in v.new_lines("wfserver"),
    "export_failed": lambda v: "stopped on an error: Unable to write" in v.new_lines("export")
    and v.asked("xtk:job", "@status = 6 and [createdBy/@name] = 'anna.berg'", "@id"),
    "export_stale": lambda v: min(v.age(path) for path in (
        v.home / "var/prod/export").glob("contacts_export*.csv")) > 2 * 86400,
    "export_running_too_long": lambda v: "-job:contacts_export" in v.arguments("export"),
    "import_failed": lambda v: "errno=2" in v.new_lines("import"),
    "import_rejects": lambda v: len((
        v.home / "var/prod/import/rejects-contacts_import.csv").read_text().splitlines()) == 2,
    "import_duplicates": lambda v: v.rows(
        "SELECT email FROM nms_recipient GROUP BY email HAVING count(*) > 1")
    and [int(row["n"]) > 1 for row in duplicates(v)] == [True] * 8,
    "logon_refused_password": lambda v: refused(v, "XSV-350012")
    and not refused(v, "XSV-350012", "prod2.example.com"),
    "operator_disabled": lambda v: refused(v, "XSV-350012")
    and v.rows("SELECT accountDisabled FROM xtk_operator WHERE name = 'remediation'") == [(1,)],
    "logon_refused_zone": lambda v: refused(v, "XSV-350013") and v.get("http", LOGON)[0] == 200,
    "session_expired": expires_at_once,
    "api_html": lambda v: v.api(logon=False).logon().body.startswith("<!DOCTYPE html>"),
    "api_truncated": cut_short,
    "api_slow": stops_half_way,
    "api_huge": lambda v: max(len(row["label"]) for row in v.asked(
        "xtk:workflow", "@id > 0", "@label")) > 12_000_000,
    "deliveries_waiting": lambda v: [hours_ago(row["contactDate"]) > 2.9 for row in v.asked(
        "nms:delivery", "@state = 51 and [scheduling/@contactDate] < HoursAgo(1)", "@id")
        and v.api().query("nms:delivery", '<select><node expr="[scheduling/@contactDate]" '
                          'alias="@contactDate"/></select>' + where("@state = 51")).rows] == [
        True] * 3,
    "delivery_preparation_failed": lambda v: len(v.asked(
        "nms:delivery", "@state = 37", "@label")) == 2,
    "bounces_not_processed": bounces_are_old,
    "tracking_workflow_late": lambda v: hours_ago(v.workflow("tracking")["lastStart"]) > 25
    and v.workflow("tracking")["state"] == "11"
    and hours_ago(v.option("NmsTracking_LastConsolidation")) > 25,
    "workflow_paused": lambda v: (v.workflow("welcomeMail")["state"],
                                  v.workflow("welcomeMail")["failed"]) == ("13", "0"),
    "workflow_affinity_unknown": lambda v: (
        v.workflow("winterCampaign")["state"], v.workflow("winterCampaign")["processId"],
        v.option("NmsOperation_LimitConcurrency")) == ("1", "0", "10"),
    "workflow_process_dead": lambda v: v.workflow("springCampaign")["state"] == "11"
    and no_process(v.workflow("springCampaign")["processId"]),
    "workflow_owner_disabled": lambda v: v.workflow("catalogueLoad")["failed"] == "1"
    and "paul.roux' is disabled" in v.new_lines("runwf") and v.asked(
        "xtk:workflow", "@internalName = 'catalogueLoad' and [createdBy/@accountDisabled] = 1",
        "@id"),
    "technical_workflow_failed": lambda v: (
        v.workflow("deliverabilityUpdate")["state"],
        v.workflow("deliverabilityUpdate")["failed"]) == ("13", "1")
    and v.asked("xtk:workflowTask",
                "@status = 3 and [workflow/@internalName] = 'deliverabilityUpdate'", "@id"),
    "technical_workflow_late": lambda v: hours_ago(
        v.workflow("deliverabilityUpdate")["lastStart"]) > 71
    and v.workflow("deliverabilityUpdate")["state"] == "11",
    "concurrency_limit_reached": concurrency_is_reached,
    "xtk_new_id_near_end": lambda v: int(v.api().query(
        "xtk:workflow", '<select><node expr="max(@id)" alias="@last"/></select>'
    ).rows[0]["last"]) > 2_100_000_000,
    "database_relation_missing": lambda v: "(iRc=-2006)" in v.api().query(
        "nms:delivery", operation="count").fault[2]
    and "nms_delivery (iRc=-2006)" in v.new_lines("mta"),
    "job_paused": lambda v: [row["status"] for row in v.asked(
        "xtk:job", "@label = 'prices_import' and [createdBy/@name] = 'paul.roux'",
        "@status")] == ["8"],
    "job_stuck": lambda v: [row["status"] + str(no_process(row["pid"])) for row in v.asked(
        "xtk:job", "@label = 'stores_import' and @startDate < HoursAgo(4)",
        "@status", "@pid")] == ["2True"],
}  # fmt: skip


def command_of(path: Path) -> str:
    try:
        return path.read_text().split("\0")[0]
    except OSError:
        return ""


def contents(home: Path) -> dict[str, tuple[bytes, int, int]]:
    """What a healing has to put back: configuration and programs, with mode and time."""
    paths = [path for pattern in ("conf/*", "lib/*", "bin/*", "*.sh", "../apache2/*.conf")
             for path in home.glob(pattern) if path.is_file() and not path.is_symlink()]
    return {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
            for path in paths}  # fmt: skip


def healthy(view: View) -> bool:
    """Nothing is missing, every port answers, nobody is halted."""
    halted = [process for process in view.lab.processes() if process.state == "T"]
    return (not view.missing() and not halted and view.pid("watchdog", "")
            and view.udp(view.port["syslogd"]) and view.udp(view.port["stat"])
            and view.get("front", LOGON)[0] == 200
            and view.get("front", "/r/test")[0] == 200)  # fmt: skip
