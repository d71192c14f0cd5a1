# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with web: the application server, its Tomcat and the front end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.addresses import (
    split_url,
)

from ...snapshot.records import Check, Hints
from ...snapshot.server import Server
from ..model import CRITICAL, INFO, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import named, other_holder
from .host import database_unreachable
from .logged import add_line, as_documented, lines, logged, reported

problems = Catalogue("web")

NO_TOMCAT = (
    "web.port_taken", "web.not_running", "web.hung", "web.crash_loop", "watchdog.nothing_runs",
)
ANSWERS_BADLY = (
    *NO_TOMCAT, "web.file_handles", "web.tomcat_down", "web.not_answering", "web.java_broken",
)


def _page(check: Check) -> Facts:
    return {
        "url": check.url,
        "status": check.status,
        "error": check.error,
        "seconds": None if check.seconds is None else round(check.seconds, 2),
    }


@problems.problem(
    title="The front-end web server does not answer",
    severity=CRITICAL,
    summary="{url} does not answer ({error}): users cannot reach Campaign and links are not"
    " tracked.",
    source="linux_web_server",
    needs=("http",),
    remedy="start_front_end",
    fix=as_root("systemctl start {unit}"),
    causes=("web.front_include_old",),
)
def front_down(server: Server) -> Iterator[Evidence]:
    check = server.check("front_test")
    front = server.service.front
    if not (front or _has(server, "web") or _has(server, "trackinglogd")):
        return  # a delivery or statistics server: it serves no users
    if check and check.error and check.status is None:
        yield Evidence({
            **_page(check),
            "unit": front.unit if front else "apache2",
            "unit_state": front.active_state if front else None,
        })


@problems.problem(
    title="The redirection module is missing",
    severity=CRITICAL,
    summary="{url} answers with status {status} and no <redir>: links are not tracked.",
    source="linux_web_server",
    needs=("http",),
    reason="the web server configuration must load nlsrvmod",
    fix=as_root("apachectl -M | grep -i -e nlsrv -e requesthandler24"),
)
def redirection_missing(server: Server) -> Iterator[Evidence]:
    check = server.check("front_test")
    if not (_has(server, "web") or _has(server, "trackinglogd")):
        return  # what answers there is not Campaign's
    if check and check.status is not None and (
        check.status >= 400 or check.verdict_hints.redir is None
    ):
        yield Evidence(_page(check))


@problems.problem(
    title="Another process holds Tomcat's port",
    severity=CRITICAL,
    summary="{port}/tcp is held by {holder} (process {pid}): web cannot serve users.",
    source="network",
    needs=("sockets", "configuration"),
    reason="the process that holds the port must release it",
    fix=as_root("{stop}").then(as_account("nlserver restart web")),
)
def port_taken(server: Server) -> Iterator[Evidence]:
    module = server.module("web")
    if module and not (module.alive or module.expected):
        return  # it runs elsewhere: here the port is anybody's
    facts = other_holder(server, "tcp", module.number("http_port") if module else None)
    if facts:
        yield Evidence(facts)


@problems.problem(
    title="Tomcat is down",
    severity=CRITICAL,
    summary="{url} does not answer ({why}): consoles and web pages do not work.",
    source="connect",
    needs=("http",),
    remedy="restart",
    fix=as_account("nlserver restart web"),
    causes=(*NO_TOMCAT, "web.java_broken"),
)
def tomcat_down(server: Server) -> Iterator[Evidence]:
    if not _has(server, "web"):
        return
    direct, relayed = server.check("tomcat_logon"), server.check("front_logon")
    if direct and _was_moved(server, direct):
        return
    if direct and direct.error in ("refused", "reset", "unreachable"):
        yield Evidence({**_page(direct), "why": direct.error})
    elif direct is None and relayed and relayed.status in (502, 503, 504):
        yield Evidence({**_page(relayed), "why": f"the front end says {relayed.status}"})


def _was_moved(server: Server, check: Check) -> bool:
    """Tomcat listens on the port in httpPort, which is not the one that was checked."""
    module, endpoint = server.module("web"), _endpoint(check.url or "")
    port = module.number("http_port") if module else None
    if module is None or port is None or endpoint is None or endpoint[1] == port:
        return False
    pids = {process.pid for process in module.processes}
    return any(socket.ours and socket.pid in pids for socket in server.listening("tcp", port))


@problems.problem(
    title="Tomcat does not respond",
    severity=CRITICAL,
    summary="{url} accepts connections but does not respond.",
    source="connect",
    needs=("http",),
    remedy="restart",
    fix=as_account("nlserver restart web"),
    causes=(*NO_TOMCAT, "host.database_unreachable", "host.memory_exhausted"),
)
def not_answering(server: Server) -> Iterator[Evidence]:
    check = server.check("tomcat_logon")
    if check and check.error == "timeout":
        yield Evidence(_page(check))


@problems.problem(
    title="The front end cannot reach Tomcat",
    severity=CRITICAL,
    summary="{url} answers {status}: {why}.",
    source="linux_web_server",
    needs=("http",),
    reason="a restart of web does not help: httpPort, server.xml and every targetUrl of the relay"
    " must name the same port, and the server that targetUrl names must answer",
    fix=as_account("grep -n targetUrl {home}/conf/serverConf.xml").then(as_root("apachectl -S")),
    causes=(*ANSWERS_BADLY, "web.server_error"),
)
def relay_broken(server: Server) -> Iterator[Evidence]:
    check = server.check("front_logon")
    if check and check.status is not None and check.status in (502, 503, 504):
        yield Evidence({**_page(check), **_relay(server)})


def _relay(server: Server) -> Facts:
    """Where the relay sends requests, and where Tomcat listens, as far as the files say."""
    module = server.module("web")
    known = module.configuration if module else None
    targets = (known.texts("relay_targets") if known else None) or ()
    port = known.number("http_port") if known else None
    endpoints = [endpoint for endpoint in map(_endpoint, targets) if endpoint]
    local = sorted({p for host, p in endpoints if host in server.names and p != PIPELINED})
    others = [f"{host}:{p}" for host, p in endpoints if host not in server.names]
    facts: Facts = {"targets": named(targets) or None, "port": port}
    if port and local and port not in local:
        ports = ", ".join(map(str, local))
        why = f"targetUrl names port {ports}, Tomcat listens on {port} (httpPort)"
        return {**facts, "why": why}
    if others:
        return {**facts, "why": f"targetUrl names {named(dict.fromkeys(others))}, not this host"}
    tomcat = server.check("tomcat_logon")
    if tomcat and tomcat.error:
        return {**facts, "why": "Tomcat does not answer either"}
    answers = ", which answers" if tomcat else ""
    return {**facts, "why": f"the relay of the web server does not reach Tomcat{answers}"}


PIPELINED = 7781  # the status page of pipelined has its own relay


def _endpoint(url: str) -> tuple[str, int] | None:
    """Host and port of a targetUrl."""
    try:
        _scheme, host, port, _path = split_url(url)
    except ValueError:
        return None
    return str(host), int(port or 0)


@problems.problem(
    title="The logon page returns an error",
    severity=CRITICAL,
    summary="{url} returns status {status}: users cannot log on.",
    source="connect",
    needs=("http",),
    remedy="restart",
    fix=as_account("nlserver restart web"),
    causes=(*NO_TOMCAT, "web.java_broken", "host.database_unreachable"),
)
def server_error(server: Server) -> Iterator[Evidence]:
    check = server.check("tomcat_logon")
    if check and check.status is not None and check.status >= 500:
        yield Evidence(_page(check))


@problems.problem(
    title="The logon page is blank",
    severity=CRITICAL,
    summary="{url} returns an empty page: users cannot log on.",
    source="connect",
    needs=("http",),
    remedy="restart",
    fix=as_account("nlserver restart web"),
    causes=ANSWERS_BADLY,
)
def blank_page(server: Server) -> Iterator[Evidence]:
    check = _first(server, lambda hints: hints.blank)
    if check:
        yield Evidence(_page(check))


@problems.problem(
    title="The Java integration is broken",
    severity=CRITICAL,
    summary="web cannot find a working Java: {sample}",
    source="connect",
    needs=(),
    reason="JDK_HOME in customer.sh must name an installed Java; then restart web",
    fix=as_account("grep JDK_HOME {home}/customer.sh", "ls -d /usr/lib/jvm/*").then(
        advice("correct JDK_HOME").then(as_account("nlserver restart web"))
    ),
)
def java_broken(server: Server) -> Iterator[Evidence]:
    check = _first(server, lambda hints: hints.java_trace)
    groups = reported("web.java_broken", server, server.instances_of("web"))
    home = server.environment.jdk_home
    if check:
        yield Evidence({**_page(check), "sample": check.body[:300], "jdk_home": home})
    elif groups:
        yield logged({**lines(groups), "jdk_home": home}, groups)


for _name, _code, _title, _summary in (
    (
        "class_path_outdated", "class-path", "The class path names missing JARs",
        "web reports missing JARs of its class path at each start ({count:# time}): {sample}",
    ),
    (
        "tracked_link_unknown", "unknown-link", "Tracked links are not found",
        "The redirection server does not know a tracked link ({count:# time}): {sample}",
    ),
):
    add_line(
        problems, _name, title=_title, severity=WARNING, summary=_summary,
        source="tracking_logs" if _code == "unknown-link" else "monitoring",
        causes=("web.link_file_unreadable",) if _code == "unknown-link" else (),
        **as_documented(_code),
    )


def _has(server: Server, name: str) -> bool:
    """Whether the module belongs to this server; not where its file could not be read."""
    module = server.module(name)
    return module is None or module.alive or module.expected is True


def _first(server: Server, hinted: Callable[[Hints], bool]) -> Check | None:
    """The first page of the console that shows something."""
    pages = (server.check("tomcat_logon"), server.check("front_logon"))
    return next((page for page in pages if page and hinted(page.verdict_hints)), None)


@problems.problem(
    title="Logons fail with an xtk:session error",
    severity=CRITICAL,
    summary="Consoles cannot log on: {fault}",
    source="modules",
    needs=(),
    remedy="restart",
    fix=as_account("nlserver restart web"),
    causes=(*ANSWERS_BADLY, "host.database_unreachable"),
)
def session_error(server: Server) -> Iterator[Evidence]:
    for check in server.checks:
        fault = check.verdict_hints.soap_fault or ""
        if "xtk:session" in fault and not any(code in fault for code in REFUSALS):
            yield Evidence({**_page(check), "fault": fault[:300]})
            return
    # web alone without a database: not the database is ill, but web's way to it
    groups = [
        group for group in reported("host.database_unreachable", server, server.instances_of("web"))
        if not server.older(group.last_at, server.limits.database_error_minutes)
    ]
    if groups and not any(database_unreachable(server)):
        facts = lines(groups)
        yield logged({**facts, "fault": facts["sample"]}, groups)


REFUSALS = ("XSV-350008", "XSV-350012", "XSV-350013", "XSV-350014")  # a logon, rightly refused


@problems.problem(
    title="web cannot reach the database",
    severity=CRITICAL,
    summary="{url} reports a failure although Tomcat works: {answer}",
    source="monitoring",
    needs=("http",),
    reason="check the database and the connections of web to it",
    fix=as_account("nlserver pdump -who"),
    causes=(*ANSWERS_BADLY, "web.session_error", "host.database_unreachable"),
)
def ping_failed(server: Server) -> Iterator[Evidence]:
    check = server.check("ping")
    if check and (not check.fine or (check.body and not check.body.lstrip().startswith("OK"))):
        answer = check.error or check.body[:200] or f"status {check.status}"
        yield Evidence({**_page(check), "answer": answer})


@problems.problem(
    title="The database connection pool of web is full",
    severity=WARNING,
    summary="web has used up its pool of database connections ({count:# time}): {sample}",
    source="performance",
    needs=("logs",),
    reason="a restart frees the connections only for a while and hides what holds them: find that,"
    " or raise maxCnx of dataSource/pool",
    fix=as_account("nlserver pdump -who").then(
        advice("raise maxCnx of the pool of that data source in the instance file")
    ),
)
def connection_pool_full(server: Server) -> Iterator[Evidence]:
    groups = reported("web.connection_pool_full", server, server.instances_of("web"))
    if groups:
        yield logged(lines(groups), groups)


@problems.problem(
    title="Web pages are slow",
    severity=WARNING,
    summary="{url} took {seconds} s.",
    source="performance",
    needs=("http",),
    reason="find what it is waiting for first",
    fix=as_account("nlserver pdump -who"),
    causes=(
        "host.load_high", "host.memory_exhausted", "host.memory_high", "web.memory_alert",
        "host.database_unreachable", "web.log_precision_raised", "web.log_precision_wanted",
    ),
)
def slow(server: Server) -> Iterator[Evidence]:
    for name in ("tomcat_logon", "front_logon"):
        check = server.check(name)
        if check and check.fine and (check.seconds or 0) >= server.limits.http_slow_seconds:
            yield Evidence(_page(check))
            return


def _refused(server: Server, *kinds: str) -> Iterator[Evidence]:
    """Instances whose API gave an error of a kind, at the logon or later."""
    for answers in server.api_answers:
        failure = next(
            (error for error in (answers.error, *answers.unanswered)
             if error and error.kind in kinds), None,
        )
        if failure:
            facts: Facts = {
                "url": answers.url, "login": answers.login, "code": failure.code,
                "error": failure.kind, "message": failure.message[:300],
                "query": failure.question or None,
            }
            yield Evidence(facts, answers.instance)


CREDENTIALS = "correct the credentials in the inventory (campaign_api) or the operator"


@problems.problem(
    title="The API refuses the operator's name or password",
    severity=WARNING,
    summary="{login} cannot log on to {instance}: {message}",
    source="connect",
    needs=("api",),
    reason=CREDENTIALS,
    fix=advice("compare login and password of campaign_api with the operator in the console"),
)
def logon_password(server: Server) -> Iterator[Evidence]:
    return _refused(server, "password")


@problems.problem(
    title="The security zone refuses the API logon",
    severity=WARNING,
    summary="{login} may not log on to {instance} from this address: {message}",
    source="security_zones",
    needs=("api",),
    reason="your site decides which addresses a zone admits",
    fix=advice(
        "allow the address in a securityZone of {home}/conf/serverConf.xml that admits user and"
        " password, then: nlserver config -reload; or set campaign_api_from"
    ),
)
def logon_zone(server: Server) -> Iterator[Evidence]:
    return _refused(server, "zone")


@problems.problem(
    title="An API session expired immediately",
    severity=WARNING,
    summary="The API session of {login} on {instance} ended too early: {message}",
    source="connect",
    needs=("api",),
    reason="web was restarted in the meantime, or the session time-out is far too short",
    fix=advice("diagnose again; if it comes back, check sessionTimeOutSec of shared/authentication"),
    causes=(*ANSWERS_BADLY, "web.session_error"),
)
def session_expired(server: Server) -> Iterator[Evidence]:
    return _refused(server, "expired")


@problems.problem(
    title="The API reports a database error",
    severity=WARNING,
    summary="The API of {instance} reports a database error: {message}",
    source="connect",
    needs=("api",),
    reason="check the database and the statement that it refuses",
    fix=as_account("nlserver pdump -who"),
    causes=("host.database_unreachable", "web.session_error", "web.ping_failed", *ANSWERS_BADLY),
)
def api_database(server: Server) -> Iterator[Evidence]:
    return _refused(server, "database")


@problems.problem(
    title="The API does not answer",
    severity=WARNING,
    summary="{url} does not answer for {instance} ({error}): {message}",
    source="connect",
    needs=("api",),
    reason="web itself must answer first; otherwise the URL, a proxy or a firewall is wrong",
    fix=advice("check url in campaign_api, and which machine calls it (campaign_api_from)"),
    causes=(
        *ANSWERS_BADLY, "web.relay_broken", "web.server_error", "web.blank_page", "web.slow",
        "web.front_down", "host.database_unreachable",
    ),
)
def api_unreachable(server: Server) -> Iterator[Evidence]:
    return _refused(server, "refused", "timeout", "reset", "dns", "unreachable")


@problems.problem(
    title="The TLS connection to the API fails",
    severity=WARNING,
    summary="{url} of {instance}: {message}",
    source="security_zones",
    needs=("api",),
    reason="correct the certificate, or trust its authority",
    fix=advice("name the authority in campaign_api_ca_path, or correct the certificate"),
)
def api_tls(server: Server) -> Iterator[Evidence]:
    return _refused(server, "tls")


@problems.problem(
    title="The URL is not a Campaign API",
    severity=WARNING,
    summary="{url} of {instance}: {message}",
    source="connect",
    needs=("api",),
    reason="the URL belongs to another server, or whatever is in front of web does not pass the"
    " calls on",
    fix=advice("check url and host in campaign_api"),
    causes=(*ANSWERS_BADLY, "web.relay_broken", "web.server_error", "web.session_error"),
)
def api_no_answer(server: Server) -> Iterator[Evidence]:
    return _refused(server, "address", "html", "http")


@problems.problem(
    title="API answers cannot be read",
    severity=WARNING,
    summary="{url} of {instance}: {message}",
    source="connect",
    needs=("api",),
    reason="something truncates the answers on their way, or a record is far larger than it should"
    " be",
    fix=advice("bypass whatever is in front of web and try again; the query was: {query}"),
    causes=(*ANSWERS_BADLY, "web.server_error", "web.session_error"),
)
def api_unreadable(server: Server) -> Iterator[Evidence]:
    return _refused(server, "invalid", "too_big")


@problems.problem(
    title="The API refuses a query",
    severity=INFO,
    summary="The API of {instance} does not answer the query for {query}: {message}",
    source="connect",
    needs=("api",),
    reason="{login} lacks rights, or this server lacks a package; what the query is about was not"
    " checked",
    fix=advice("docs/user/api.md says which rights the operator needs"),
    causes=("web.session_error", "host.database_unreachable"),
)
def api_query_refused(server: Server) -> Iterator[Evidence]:
    return (evidence for evidence in _refused(server, "fault") if evidence.facts["query"])


@problems.problem(
    title="The API refuses the logon for another reason",
    severity=WARNING,
    summary="{login} cannot log on to {instance}: {message}",
    source="connect",
    needs=("api",),
    reason="fix the problem that the server reports",
    fix=advice("read web.log at the time of the logon"),
    causes=(*ANSWERS_BADLY, "web.server_error", "web.session_error", "host.database_unreachable"),
)
def logon_failed(server: Server) -> Iterator[Evidence]:
    return (evidence for evidence in _refused(server, "fault") if not evidence.facts["query"])


problems.include(
    *every_module.SUPERVISED,
    causes_of_stop=("web.port_taken", "web.java_broken"),
    causes_of_errors=(
        "web.tomcat_down", "web.not_answering", "web.session_error", "web.front_down",
        "web.logon_password", "web.logon_zone", "web.session_expired",
    ),
)
