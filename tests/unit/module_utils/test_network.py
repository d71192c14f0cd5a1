"""The small clients, against small real servers."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import tls

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import network

LOGON = (
    "<html><head><title>Adobe Campaign</title></head><body><form><input name='login'>"
    "</form></body></html>"
)


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server on the loopback that talks to each visitor."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    visitor, _address = listener.accept()
                except OSError:
                    return
                with visitor, suppress(OSError):
                    talk(visitor)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def answer(text: str, requests: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    def talk(visitor: socket.socket) -> None:
        request = visitor.recv(65536)
        if requests is not None:
            requests.append(request)
        visitor.sendall(text.encode())

    return talk


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_healthy_page() -> None:
    requests: list[bytes] = []
    with server(answer("HTTP/1.1 200 OK\r\n\r\n" + LOGON, requests)) as port:
        found = network.check("tomcat_logon", f"http://127.0.0.1:{port}/nl/jsp/logon.jsp", 5)
    assert requests == [
        b"GET /nl/jsp/logon.jsp HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: campaign_info\r\n\r\n"
    ]
    assert (found["status"], found["error"]) == (200, None)
    assert found["verdict_hints"] == {
        "blank": False,
        "java_trace": False,
        "soap_fault": None,
        "redir": None,
    }
    assert found["seconds"] < 5


@pytest.mark.parametrize("body", ["", " \n", "<html><head></head><body></body></html>"])
def test_a_blank_page(body: str) -> None:
    assert network.hints(200, body)["blank"] is True
    assert network.hints(500, body)["blank"] is False


def test_redirection_is_not_blank() -> None:
    hints = network.hints(200, "<redir status='OK' build='9236'/>")
    assert hints["blank"] is False
    assert hints["redir"] == {"build": "9236", "status": "OK", "instance": None}


@pytest.mark.parametrize(
    "body",
    [
        "java.lang.NoClassDefFoundError: x",
        "<pre>at com.neolane.Jsp.run(Jsp.java:12)</pre>",
        "JVM-510037 Java library not found",
        "org.apache.jasper.JasperException",
    ],
)
def test_a_java_trace(body: str) -> None:
    assert network.hints(500, body)["java_trace"] is True


def test_a_soap_fault() -> None:
    body = (
        "<SOAP-ENV:Fault><faultcode>x</faultcode><faultstring>Error in method 'Logon' of"
        " service &apos;xtk:session&apos;</faultstring><detail>SOP-330011 password=abc</detail>"
    )
    assert network.hints(500, body)["soap_fault"] == (
        "Error in method 'Logon' of service 'xtk:session' SOP-330011 password=***"
    )


def test_an_error_of_the_session_service_in_a_page() -> None:
    page = "<p>SOP-330011 The service xtk:session is not available</p>"
    assert "xtk:session" in network.hints(200, page)["soap_fault"]
    assert network.hints(200, "<script>call('xtk:session')</script>")["soap_fault"] is None


def test_refused() -> None:
    found = network.check("x", f"http://127.0.0.1:{closed_port()}/", 2)
    assert (found["status"], found["error"]) == (None, "refused")


def test_a_server_that_says_nothing() -> None:
    started = time.monotonic()
    with server(lambda _visitor: time.sleep(60)) as port:
        found = network.check("x", f"http://127.0.0.1:{port}/", 0.3)
    assert found["error"] == "timeout"
    assert time.monotonic() - started < 20


def test_a_server_that_drips() -> None:
    """Each byte is in time, the whole is not."""

    def drip(visitor: socket.socket) -> None:
        for _ in range(1200):
            visitor.sendall(b"H")
            time.sleep(0.05)

    started = time.monotonic()
    with server(drip) as port:
        found = network.check("x", f"http://127.0.0.1:{port}/", 0.4)
    assert found["error"] == "timeout"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("text", "word"), [("", "reset"), ("220 smtp\r\n", "invalid")])
def test_no_http(text: str, word: str) -> None:
    with server(answer(text)) as port:
        assert network.check("x", f"http://127.0.0.1:{port}/", 2)["error"] == word


def test_no_tls() -> None:
    with server(answer("HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert network.check("x", f"https://127.0.0.1:{port}/", 2)["error"] == "tls"


def test_an_endless_answer_is_cut() -> None:
    def talk(visitor: socket.socket) -> None:
        visitor.recv(1000)
        visitor.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(1000):
            visitor.sendall(b"x" * 10000)

    with server(talk) as port:
        status, body = network.get(f"http://127.0.0.1:{port}/", 5)
    assert (status, len(body)) == (200, network.BODY_LIMIT)


def test_unknown_name() -> None:
    assert network.check("x", "http://no-such-host.invalid/", 5)["error"] in ("dns", "timeout")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stat1", ("stat1", 7777)),
        ("stat1:7778", ("stat1", 7778)),
        ("10.0.0.1:1", ("10.0.0.1", 1)),
        ("[::1]:9", ("::1", 9)),
        ("[::1]", ("::1", 7777)),
        ("::1", ("::1", 7777)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert network.split_address(text, 7777) == expected


def test_urls() -> None:
    assert network.split_url("https://u:p@h/r/test?x") == ("https", "h", 443, "/r/test")
    assert network.split_url("HTTP://h:8080") == ("http", "h", 8080, "/")
    with pytest.raises(network.NetworkError):
        network.split_url("ftp://h")


@pytest.mark.parametrize(
    ("name", "provider", "expected"),
    [
        ("db1", "PostgreSQL", ("db1", 5432)),
        ("db1:5433", "PostgreSQL", ("db1", 5433)),
        ("db1", "Oracle", ("db1", 1521)),
        ("/x/prod.sqlite", "SQLite", None),
        ("db1", "SomethingNew", None),
        ("", "PostgreSQL", None),
        (None, None, None),
    ],
)
def test_databases(name: str | None, provider: str | None, expected: Any) -> None:
    assert network.database(name, provider) == expected


def pop3(requests: list[bytes], password_ok: bool = True) -> Callable[[socket.socket], None]:
    def talk(visitor: socket.socket) -> None:
        visitor.sendall(b"+OK ready\r\n")
        while True:
            line = visitor.recv(1000)
            if not line:
                return
            requests.append(line)
            if line.startswith(b"PASS") and not password_ok:
                visitor.sendall(b"-ERR no\r\n")
            elif line.startswith(b"STAT"):
                visitor.sendall(b"+OK 7 1234\r\n")
            else:
                visitor.sendall(b"+OK\r\n")

    return talk


def ask(port: int, conversation: Any, proto: str = "tcp") -> Any:
    return network.target("mailbox", "prod", "127.0.0.1", port, proto, conversation, 3)


def test_mailbox() -> None:
    requests: list[bytes] = []
    with server(pop3(requests)) as port:
        found = ask(port, network.pop3("bounces", "secret"))
    assert requests == [b"USER bounces\r\n", b"PASS secret\r\n", b"STAT\r\n", b"QUIT\r\n"]
    assert (found["reachable"], found["error"], found["detail"]) == (True, None, {"messages": 7})
    assert "secret" not in str(found)


@pytest.mark.parametrize(("answers", "error", "said"), [
    ({b"STAT": b"-ERR [SYS/TEMP] try later secret\r\n"}, "protocol",
     "-ERR [SYS/TEMP] try later ***"),
    ({b"STAT": b"+OK\r\n"}, "protocol", "+OK"),
    ({b"STAT": b"+OK " + b"9" * 400 + b"\r\n"}, "protocol", "+OK 999"),
    ({b"STAT": b"-ERR \x1b[31mred\r\nmore\r\n"}, "protocol", "-ERR"),
    ({b"PASS": b"-ERR [IN-USE] Do you have another session?\r\n"}, "protocol", "-ERR [IN-USE]"),
    ({b"PASS": b"-ERR [AUTH] no\r\n"}, "login", None),
])  # fmt: skip
def test_what_a_mailbox_says_instead_of_its_count(
    answers: dict[bytes, bytes], error: str, said: str | None
) -> None:
    def talk(visitor: socket.socket) -> None:
        visitor.sendall(b"+OK ready\r\n")
        while line := visitor.recv(1000):
            visitor.sendall(answers.get(line[:4], b"+OK\r\n"))

    with server(talk) as port:
        found = ask(port, network.pop3("bounces", "secret"))
    assert (found["reachable"], found["error"]) == (True, error)
    assert "secret" not in str(found) and "more" not in str(found) and "\x1b" not in str(found)
    assert found["detail"].get("answer", "").startswith(said) if said else not found["detail"]
    assert len(str(found["detail"])) < 250


def test_a_relay_that_turns_away() -> None:
    with server(lambda visitor: visitor.sendall(b"554 5.7.1 no access\r\n")) as port:
        found = ask(port, network.smtp)
    assert (found["reachable"], found["error"]) == (True, "protocol")
    assert found["detail"] == {"answer": "554 5.7.1 no access"}


def test_mailbox_without_login() -> None:
    requests: list[bytes] = []
    with server(pop3(requests)) as port:
        found = ask(port, network.pop3(None, None))
    assert requests == [b"QUIT\r\n"]
    assert (found["reachable"], found["detail"]) == (True, {})


def test_mailbox_that_refuses_the_login_or_speaks_otherwise() -> None:
    with server(pop3([], password_ok=False)) as port:
        found = ask(port, network.pop3("bounces", "secret"))
    assert (found["reachable"], found["error"]) == (True, "login")
    with server(answer("HTTP/1.0 200 OK\r\n\r\n")) as port:
        found = network.target(
            "relay", "prod", "127.0.0.1", port, "tcp", network.smtp, 0.3
        )
    assert found["error"] == "timeout"
    found = ask(closed_port(), network.tcp)
    assert (found["reachable"], found["error"], found["resolved"]) == (
        False,
        "refused",
        ["127.0.0.1"],
    )


def test_a_mailbox_without_a_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """POP3 is tried first, then POP3S; where neither answers, both are told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls.certificate(tmp_path))
    requests: list[bytes] = []

    def encrypted(visitor: socket.socket) -> None:
        with context.wrap_socket(visitor, server_side=True) as stream:
            pop3(requests)(stream)

    shut = closed_port()
    monkeypatch.setattr(network, "POP3", shut)
    with server(encrypted) as port:
        monkeypatch.setattr(network, "POP3S", port)
        found = ask(shut, network.mailbox("bounces", "secret"))
    assert (found["reachable"], found["error"], found["port"]) == (True, None, port)
    assert found["detail"] == {"messages": 7}
    found = ask(shut, network.mailbox("bounces", "secret"))
    assert (found["reachable"], found["error"], found["port"]) == (False, "refused", shut)
    assert found["detail"] == {"ports": [shut, port]}


def test_a_refused_login_is_not_tried_on_the_other_port(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []
    with server(pop3(requests, password_ok=False)) as port:
        monkeypatch.setattr(network, "POP3", port)
        found = ask(port, network.mailbox("bounces", "secret"))
    assert (found["error"], found["port"]) == ("login", port)
    assert requests.count(b"PASS secret\r\n") == 1


def test_relay() -> None:
    def talk(visitor: socket.socket) -> None:
        visitor.sendall(b"220 ready\r\n")
        assert visitor.recv(100) == b"QUIT\r\n"
        visitor.sendall(b"221 bye\r\n")

    with server(talk) as port:
        assert ask(port, network.smtp)["reachable"] is True


def test_local_statistics_server_is_read_from_the_table() -> None:
    """No datagram is sent to a server on this host."""
    table = [{"proto": "udp", "address": "0.0.0.0", "port": 7777}]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        port = receiver.getsockname()[1]
        assert ask(7777, network.local_udp(lambda _place: table), "udp")["reachable"] is True
        found = ask(port, network.local_udp(lambda _place: table), "udp")
        assert (found["reachable"], found["error"]) == (False, "refused")
        with pytest.raises(BlockingIOError):
            receiver.recv(10)


def test_remote_statistics_server() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        silent = ask(port, network.udp, "udp")
        assert receiver.recv(10) == b""
    assert (silent["reachable"], silent["error"]) == (None, None)
    refused = ask(port, network.udp, "udp")
    assert (refused["reachable"], refused["error"]) == (False, "refused")
