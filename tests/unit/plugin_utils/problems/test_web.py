"""web."""

from __future__ import annotations

from unit.plugin_utils.builder import (
    Snapshot,
    answers,
    check,
    configured,
    data,
    findings,
    healthy,
    kill,
    process,
    says,
)
from unit.plugin_utils.problems.cases import holds, near


def _delivers_only(s: Snapshot) -> None:
    """No web and no trackinglogd is to run here, so nobody answers on their ports."""
    for module in "web", "trackinglogd":
        configured(s, module).update(auto_start=False)
        kill(s, module)
    answers(s, check("front_test", error="refused"), check("front_logon", error="refused"),
            check("tomcat_logon", error="refused"), check("soap_session", error="refused"))


for _key in ("web.front_down", "web.tomcat_down"):
    near(_key)(_delivers_only)


@holds("web.front_down@default")
def apache_is_down(s: Snapshot) -> None:
    answers(s, check("front_test", error="refused"), check("front_logon", error="refused"))


@holds("web.redirection_missing@default")
def no_redirection_module(s: Snapshot) -> None:
    answers(s, check("front_test", status=404))


@holds("web.tomcat_down@default")
def tomcat_refuses(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", error="refused"), check("front_logon", status=502))


def _moved(s: Snapshot, pid: int) -> None:
    """Tomcat's port was changed; the inventory and targetUrl still name the old one."""
    tomcat_refuses(s)
    configured(s, "web")["settings"]["http_port"] = 8081
    (socket,) = (each for each in data(s, "sockets")["listening"] if each["port"] == 8080)
    socket.update(port=8081, pid=pid)


@near("web.tomcat_down")
def tomcat_was_moved(s: Snapshot) -> None:
    _moved(s, process(s, "web")["pid"])


@holds("web.tomcat_down@default")
def the_new_port_is_not_held_by_tomcat(s: Snapshot) -> None:
    _moved(s, process(s, "mta")["pid"])


def test_the_relay_tells_why_it_fails() -> None:
    for change, why in (
        (tomcat_refuses, "Tomcat does not answer either."),
        (only_the_relay_fails, ", which answers."),
    ):
        s = healthy()
        change(s)
        assert findings(s)["web.relay_broken@default"]["summary"].endswith(why)


@holds("web.not_answering@default")
def tomcat_is_silent(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", error="timeout"), check("front_logon", status=504))


@holds("web.relay_broken@default")
def only_the_relay_fails(s: Snapshot) -> None:
    answers(s, check("front_logon", status=503))


@holds("web.server_error@default")
def a_status_500(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", status=500))


@holds("web.blank_page@default")
def an_empty_page(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", blank=True), check("front_logon", blank=True))


@holds("web.java_broken@default")
def a_java_trace(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", java_trace=True, body="java.lang.X at Y"))


@holds("web.java_broken@default")
def the_java_library_is_missing(s: Snapshot) -> None:
    says(s, "web", "JVM-510037 Java library not found", "JVM-510037")


@holds("web.session_error@default")
def an_xtk_session_fault(s: Snapshot) -> None:
    answers(s, check("soap_session", status=500, soap_fault="SOP-330011 xtk:session#Logon"))


@holds("web.session_error@default")
def web_alone_has_lost_the_database(s: Snapshot) -> None:
    says(s, "web", "Unable to open database (iRc=-2006)", "iRc=-2006")


@near("web.session_error")
def the_database_is_down_for_all(s: Snapshot) -> None:
    for module in ("web", "wfserver"):
        says(s, module, "Unable to open database (iRc=-2006)", "iRc=-2006")


@near("web.session_error")
def a_login_was_refused(s: Snapshot) -> None:
    answers(s, check("soap_session", soap_fault="XSV-350012 xtk:session"))


@holds("web.ping_failed@default")
def the_ping_fails(s: Snapshot) -> None:
    answers(s, check("ping", status=500, body="Error"))


@near("web.ping_failed")
def the_ping_is_fine(s: Snapshot) -> None:
    answers(s, check("ping", body="OK\n2025-11-18"))


@holds("web.slow@default")
def a_page_takes_five_seconds(s: Snapshot) -> None:
    answers(s, check("tomcat_logon", seconds=5.0))
