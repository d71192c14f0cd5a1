"""The client of the server's API, against a real HTTP server: sessions, paging, bad answers."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tls
from unit.module_utils.soapserver import (
    ENVELOPE,
    LOGON,
    Server,
    condition_of,
    fault,
    lines_of,
    serving,
    slowly,
)

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.api import soap

PASSWORD = "geheim<&>77"
OPTIONS = {
    "validate_certs": True, "ca_path": "", "client_cert": "", "client_key": "", "use_proxy": False,
}
QUERY = soap.Query("xtk:workflow", [("name", "@internalName"), ("folder", "[folder/@name]")])


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


def client(server: Server, seconds: float = 5, **options: Any) -> soap.Client:
    credentials = {"url": server.url, "login": "remediation", "password": PASSWORD,
             "host": options.pop("host", None)}
    return soap.Client(credentials, {**OPTIONS, **options}, seconds)


def failure(server: Server, seconds: float = 5, **options: Any) -> soap.SoapError:
    """What a session with one query raises."""
    with pytest.raises(soap.SoapError) as caught, client(server, seconds, **options) as session:
        session.select(QUERY)
    assert PASSWORD not in str(caught.value)
    assert "___SESSION" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


# --- sessions ---------------------------------------------------------------------------------


def test_a_session_logs_on_and_off(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("name='tracking' folder='nmsTechnicalWorkflow'"))
    with client(server) as session:
        rows, more = session.select(QUERY)
    assert (rows, more) == ([{"name": "tracking", "folder": "nmsTechnicalWorkflow"}], False)
    assert session.server == {"build": "9356", "instance": "prod"}
    assert server.methods == ["Logon", "ExecuteQuery", "Logoff"]
    _method, headers, body = server.calls[1]
    assert {k.lower(): v for k, v in headers.items()}["soapaction"] == "xtk:queryDef#ExecuteQuery"
    assert headers["Cookie"] == "__sessiontoken=___SESSION"
    assert headers["X-Security-Token"] == "@SECURITY"
    assert "<urn:sessiontoken>___SESSION</urn:sessiontoken>" in body
    assert "geheim&lt;&amp;&gt;77" in server.calls[0][2]


def test_it_logs_off_whatever_happens_between(server: Server) -> None:
    with pytest.raises(RuntimeError), client(server):
        raise RuntimeError
    assert server.methods == ["Logon", "Logoff"]


def test_a_logoff_that_fails_changes_nothing(server: Server) -> None:
    server.says("Logoff", fault("XSV-350008 Session has expired"))
    with client(server):
        pass
    assert server.methods == ["Logon", "Logoff"]


def test_no_logoff_without_a_logon(server: Server) -> None:
    server.says("Logon", fault("XSV-350012 Invalid login or password."))
    assert failure(server).kind == "password"
    assert server.methods == ["Logon"]


def test_the_host_header_chooses_the_instance(server: Server) -> None:
    with client(server, host="prod.example.com"):
        pass
    assert {headers["Host"] for _method, headers, _body in server.calls} == {"prod.example.com"}


def test_no_token_is_sent_to_where_a_redirect_points(server: Server) -> None:
    with serving() as other:
        def redirect(handler: Any) -> None:
            handler.send_response(302)
            handler.send_header("Location", other.url + soap.PATH)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        server.says("Logon", redirect)
        assert failure(server).kind == "http"
        assert other.calls == []


# --- queries ----------------------------------------------------------------------------------


def test_pages_are_read_up_to_the_limit(server: Server) -> None:
    full = server.rows(*[f"name='w{n}'" for n in range(soap.PAGE)])
    server.says("ExecuteQuery", full, full, server.rows(*["name='last'"] * 60))
    with client(server) as session:
        rows, more = session.select(QUERY, 450)
    assert (len(rows), more) == (450, True)
    pages = [lines_of(body) for method, _h, body in server.calls if method == "ExecuteQuery"]
    assert pages == [(0, 200), (200, 200), (400, 51)]


def test_a_short_page_is_the_last(server: Server) -> None:
    server.says("ExecuteQuery", server.rows("name='a'", "name='b'"))
    with client(server) as session:
        rows, more = session.select(QUERY)
    assert [row["name"] for row in rows] == ["a", "b"]
    assert (more, server.methods.count("ExecuteQuery")) == (False, 1)


def test_nothing_found_is_no_error(server: Server) -> None:
    server.says("ExecuteQuery", server.rows())
    with client(server) as session:
        assert session.select(QUERY) == ([], False)


def test_a_value_may_stand_where_its_path_says(server: Server) -> None:
    answer = server.rows().replace("</row-collection>", "<row internalName='x'><folder name='f'/>"
                                   "</row></row-collection>")
    server.says("ExecuteQuery", answer)
    with client(server) as session:
        assert session.select(QUERY)[0] == [{"name": "x", "folder": "f"}]


def test_what_a_person_wrote_cannot_change_a_query(server: Server) -> None:
    name = "x' or '1'='1\\' <\"&>"
    server.says("ExecuteQuery", server.rows())
    with client(server) as session:
        session.select(QUERY.where_also("@internalName = " + soap.literal(name)))
    (condition,) = condition_of(server.calls[1][2])
    assert condition == "@internalName = 'x\\' or \\'1\\'=\\'1\\\\\\' <\"&>'"


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15", "windows-1252", "utf-16"])
def test_encodings(server: Server, encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>" + (
        ENVELOPE % server.rows("name='Übersicht'")).partition("?>")[2]
    server.says("ExecuteQuery", (200, "text/xml", text.encode(encoding)))
    with client(server) as session:
        assert session.select(QUERY)[0][0]["name"] == "Übersicht"


@pytest.mark.parametrize(("text", "at"), [
    ("2011-05-25 11:57:51.804Z", 1306324671.804), ("2011-05-25T11:57:51Z", 1306324671.0),
    ("2011-05-25", 1306281600.0), ("", None), (None, None), ("soon", None),
    ("2011-15-25 11:57:51Z", None), ("1899-12-30 00:00:00Z", None),
])
def test_moments(text: str | None, at: float | None) -> None:
    assert soap.moment(text) == at


# --- what the server refuses ------------------------------------------------------------------


@pytest.mark.parametrize(("text", "detail", "kind", "code"), [
    ("Invalid login or password.", "XSV-350012 Invalid login or password.", "password",
     "XSV-350012"),
    ("XSV-350013 The '10.1.1.1' IP address is not allowed", "", "zone", "XSV-350013"),
    ("SOP-330011 Error while executing", "XSV-350014 not allowed", "zone", "XSV-350014"),
    ("SOP-330011 Error while executing", "PGS-220000 PostgreSQL error: FATAL (iRc=-2006)",
     "database", "PGS-220000"),
    ("SQLite error: no such table (iRc=-2006)", "", "database", None),
    ("SOP-330011 Error", "XFR-180000 There is no document 'xtk:nothing'", "fault", "XFR-180000"),
    ("SOP-330011 Error while executing", "", "fault", "SOP-330011"),
    ("", "", "fault", None),
])
def test_faults(server: Server, text: str, detail: str, kind: str, code: str | None) -> None:
    server.says("Logon", (500, "text/xml", fault(text, detail)))
    error = failure(server)
    assert (error.kind, error.code) == (kind, code)
    assert "\n" not in error.message


@pytest.mark.parametrize(("text", "kind"), [
    ("XSV-350012 Invalid login or password. Connection denied.", "password"),
    ("XSV-350013 The '10.1.1.1' IP address via which you are trying to log on is not allowed.",
     "zone"),
])
def test_a_logon_may_be_refused_in_plain_text(server: Server, text: str, kind: str) -> None:
    server.says("Logon", (403, "text/plain", text.encode()))
    assert failure(server).kind == kind


def test_a_session_that_expires_in_the_middle(server: Server) -> None:
    server.says("ExecuteQuery", fault("XSV-350008 Session has expired or is invalid."))
    assert failure(server).kind == "expired"
    assert server.methods == ["Logon", "ExecuteQuery", "Logoff"]


def test_a_fault_that_repeats_the_password_does_not_show_it(server: Server) -> None:
    server.says("Logon", lambda handler: fault("no operator with geheim&lt;&amp;&gt;77"))
    assert "***" in failure(server).message


# --- what is no answer ------------------------------------------------------------------------

LONG = "<x>" + "y" * (soap.ANSWER_LIMIT + 10) + "</x>"
BOMB = (
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]>"
    b"<x>&b;&b;&b;</x>"
)


@pytest.mark.parametrize(("answer", "kind", "words"), [
    ((200, "text/html", b"<html><body>Welcome</body></html>"), "html", "HTML page"),
    ((404, "text/html", b"<!DOCTYPE html><html>404</html>"), "html", "status 404"),
    ((502, "text/plain", b"Bad Gateway"), "http", "status 502"),
    ((200, "text/xml", b"<redir status='OK'/>"), "http", "not a SOAP response"),
    ((200, "text/xml", (ENVELOPE % LOGON).encode()[:-40]), "invalid", "truncated or not XML"),
    ((200, "text/xml", b""), "invalid", "truncated or not XML"),
    ((200, "text/xml", BOMB), "invalid", "DOCTYPE"),
    ((200, "text/xml", b"<a>" * 1000), "invalid", "nested too deeply"),
    ((200, "text/xml", b"<?xml version='1.0' encoding='klingon'?><x/>"), "invalid", "truncated or not"),
    ((200, "text/xml", b"\x00\xff\xfe\x00"), "invalid", "truncated or not XML"),
    ((200, "text/xml", gzip.compress(b"<x/>")), "invalid", "truncated or not XML"),
    ((200, "text/xml", LONG.encode()), "too_big", "larger than 4 MB"),
    ("<LogonResponse/>", "invalid", "contains no session"),
    ("<OtherResponse/>", "invalid", "another call"),
    (lambda handler: None, "reset", ""),
])
def test_bad_answers(server: Server, answer: Any, kind: str, words: str) -> None:
    server.says("Logon", answer)
    error = failure(server)
    assert error.kind == kind
    assert words in error.message


def test_an_answer_that_drips_ends_in_time(server: Server) -> None:
    server.says("ExecuteQuery", slowly(60))
    began = time.monotonic()
    assert failure(server, 1.0).kind == "timeout"
    assert time.monotonic() - began < 300
    assert server.methods == ["Logon", "ExecuteQuery", "Logoff"]


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = Server()
        silent.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        assert failure(silent, 0.6).kind == "timeout"
        assert time.monotonic() - began < 30


@pytest.mark.parametrize(("url", "kind"), [
    ("ftp://127.0.0.1/x", "address"), ("nonsense", "address"),
    ("http://127.0.0.1:1", "refused"), ("http://no-such-host.invalid", "dns"),
])
def test_wrong_urls(url: str, kind: str) -> None:
    server = Server()
    server.url = url
    assert failure(server).kind == kind


# --- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cert, key = tls.certificate(tmp_path_factory.mktemp("tls"))
    both = cert.with_name("both.pem")
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with serving(certificate) as server:
        assert failure(server).kind == "tls"
        assert server.calls == []


def test_an_authority_that_the_site_names(certificate: Path) -> None:
    with serving(certificate) as server, client(
        server, ca_path=str(certificate.with_name("cert.pem"))
    ):
        pass
    assert server.methods == ["Logon", "Logoff"]


def test_a_certificate_that_is_not_to_be_verified(certificate: Path) -> None:
    with serving(certificate) as server, client(server, validate_certs=False):
        pass
    assert server.methods == ["Logon", "Logoff"]


def test_a_certificate_of_the_client(certificate: Path) -> None:
    authority = certificate.with_name("cert.pem")
    trust = {"ca_path": str(authority)}
    with serving(certificate, authority) as server:
        assert failure(server, **trust).kind == "tls"
        assert server.calls == []
        with client(server, client_cert=str(certificate), **trust):
            pass
    assert server.methods == ["Logon", "Logoff"]


def test_a_proxy_is_used_only_if_asked_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with client(server):
        pass
    assert server.methods == ["Logon", "Logoff"]
    assert failure(server, use_proxy=True).kind == "refused"


def test_no_thread_is_left(server: Server) -> None:
    before = threading.active_count()
    server.says("ExecuteQuery", server.rows())
    with client(server) as session:
        session.select(QUERY)
    assert threading.active_count() <= before + 1
