# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with web: the application server, its Tomcat and the front end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.campaign.remediation.plugins.plugin_utils.errors import (
    reported_by,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    advice,
    as_account,
    as_root,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    add_to,
    lines,
    other_holder,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.host import (
    database_unreachable,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    Check,
    Hints,
    Server,
)

problems = Catalogue("web")

NO_TOMCAT = (
    "web.port_taken", "web.not_running", "web.hung", "web.crash_loop", "watchdog.nothing_runs",
)
ANSWERS_BADLY = (*NO_TOMCAT, "web.tomcat_down", "web.not_answering", "web.java_broken")


def _page(check: Check) -> Facts:
    return {
        "url": check.url,
        "status": check.status,
        "error": check.error,
        "seconds": None if check.seconds is None else round(check.seconds, 2),
    }


@problems.problem(
    title="The web server in front does not answer",
    severity=CRITICAL,
    summary="{url} does not answer ({error}): nobody gets to Campaign, no link is tracked.",
    source="linux_web_server",
    needs=("http",),
    remedy="start_front_end",
    fix=as_root("systemctl start {unit}"),
)
def front_down(server: Server) -> Iterator[Evidence]:
    check = server.check("front_test")
    front = server.service.front
    if not (front or _has(server, "web") or _has(server, "trackinglogd")):
        return  # a delivery or statistics server: nobody comes in here
    if check and check.error and check.status is None:
        yield Evidence({
            **_page(check),
            "unit": front.unit if front else "apache2",
            "unit_state": front.active_state if front else None,
        })


@problems.problem(
    title="The redirection module is missing",
    severity=CRITICAL,
    summary="{url} answers with status {status} and no <redir>: no link is tracked.",
    source="linux_web_server",
    needs=("http",),
    reason="the web server's configuration must load the module nlsrvmod",
    fix=as_root("apachectl -M | grep -i nlsrv"),
)
def redirection_missing(server: Server) -> Iterator[Evidence]:
    check = server.check("front_test")
    if check and check.status is not None and (
        check.status >= 400 or check.verdict_hints.redir is None
    ):
        yield Evidence(_page(check))


@problems.problem(
    title="Another process holds Tomcat's port",
    severity=CRITICAL,
    summary="{port}/tcp is held by {holder} (process {pid}): web cannot answer there.",
    source="network",
    needs=("sockets", "configuration"),
    reason="the process that holds it must give the port up",
    fix=as_root("{stop}").then(as_account("nlserver restart web")),
)
def port_taken(server: Server) -> Iterator[Evidence]:
    task = server.task("web")
    facts = other_holder(server, "tcp", task.number("http_port") if task else None)
    if facts:
        yield Evidence(facts)


@problems.problem(
    title="Tomcat is down",
    severity=CRITICAL,
    summary="{url} does not answer ({why}).",
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
    if direct and direct.error in ("refused", "reset", "unreachable"):
        yield Evidence({**_page(direct), "why": direct.error})
    elif direct is None and relayed and relayed.status in (502, 503, 504):
        yield Evidence({**_page(relayed), "why": f"the front end says {relayed.status}"})


@problems.problem(
    title="Tomcat does not answer in time",
    severity=CRITICAL,
    summary="{url} accepts the connection and gives no page.",
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
    title="The front end does not reach Tomcat",
    severity=CRITICAL,
    summary="{url} answers {status}.",
    source="linux_web_server",
    needs=("http",),
    reason="Tomcat itself answers: the relay of the web server is configured wrongly",
    fix=as_root("apachectl -S"),
    causes=(*ANSWERS_BADLY, "web.server_error"),
)
def relay_broken(server: Server) -> Iterator[Evidence]:
    check = server.check("front_logon")
    if check and check.status is not None and check.status in (502, 503, 504):
        yield Evidence(_page(check))


@problems.problem(
    title="The logon page is an error",
    severity=CRITICAL,
    summary="{url} answers {status}.",
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
    summary="{url} is an empty page.",
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
    summary="web finds no working Java: {sample}",
    source="connect",
    needs=(),
    reason="JDK_HOME in customer.sh must name an installed Java; then web is restarted",
    fix=as_root("grep JDK_HOME {home}/customer.sh", "ls -d /usr/lib/jvm/*").then(
        advice("correct JDK_HOME").then(as_account("nlserver restart web"))
    ),
)
def java_broken(server: Server) -> Iterator[Evidence]:
    check = _first(server, lambda hints: hints.java_trace)
    groups = [
        group for task in server.tasks_of("web")
        for group in reported_by("web.java_broken", server.errors(task))
    ]
    home = server.environment.jdk_home
    if check:
        yield Evidence({**_page(check), "sample": check.body[:300], "jdk_home": home})
    elif groups:
        yield Evidence({**lines(groups), "jdk_home": home})


def _has(server: Server, module: str) -> bool:
    """Whether the module belongs to this server, as far as that is known."""
    task = server.task(module)
    return task is None or task.alive or task.expected is not False


def _first(server: Server, hinted: Callable[[Hints], bool]) -> Check | None:
    """The first page of the console that shows something."""
    pages = (server.check("tomcat_logon"), server.check("front_logon"))
    return next((page for page in pages if page and hinted(page.verdict_hints)), None)


@problems.problem(
    title="Sessions are refused with an xtk:session error",
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
        group for task in server.tasks_of("web")
        for group in reported_by("host.database_unreachable", server.errors(task))
        if not server.older(group.last_at, server.limits.database_error_minutes)
    ]
    if groups and not any(database_unreachable(server)):
        facts = lines(groups)
        yield Evidence({**facts, "fault": facts["sample"]})


REFUSALS = ("XSV-350008", "XSV-350012", "XSV-350013", "XSV-350014")  # a logon, rightly refused


@problems.problem(
    title="The chain to the database is broken",
    severity=CRITICAL,
    summary="{url} does not say OK although Tomcat works: {answer}",
    source="monitoring",
    needs=("http",),
    reason="the database, or web's connections to it, must be looked at",
    fix=as_account("nlserver pdump -who"),
    causes=(*ANSWERS_BADLY, "web.session_error", "host.database_unreachable"),
)
def ping_failed(server: Server) -> Iterator[Evidence]:
    check = server.check("ping")
    if check and (not check.fine or (check.body and not check.body.lstrip().startswith("OK"))):
        answer = check.error or check.body[:200] or f"status {check.status}"
        yield Evidence({**_page(check), "answer": answer})


@problems.problem(
    title="Pages are slow",
    severity=WARNING,
    summary="{url} took {seconds} s.",
    source="performance",
    needs=("http",),
    reason="what it waits for must be found first",
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


add_to(
    problems,
    stopped_by=("web.port_taken", "web.java_broken"),
    works_by=("web.tomcat_down", "web.not_answering", "web.session_error", "web.front_down"),
)
