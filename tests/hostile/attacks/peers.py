"""What answers the probes from outside: web pages, the API, mail servers."""

from __future__ import annotations

from hostile import peers
from hostile.attacks.configuration import write_conf
from hostile.table import attack
from hostile.world import Tree

PEERS = "Peers: the web server, Tomcat, the API, mail servers"


def _http(tree: Tree) -> dict[str, object]:
    url = f"http://127.0.0.1:{tree.port}"
    return {"front_url": url, "tomcat_url": url, "redirection_urls": [url]}


def _api(tree: Tree) -> dict[str, object]:
    url = f"http://127.0.0.1:{tree.port}"
    return {
        "api": [{"instance": "prod", "url": url, "login": "x", "password": "y"}],
        "api_timeout": 2.0,
    }


def _mail(tree: Tree) -> dict[str, object]:
    box = {
        "instance": "prod",
        "host": "127.0.0.1",
        "port": tree.port,
        "login": "x",
        "password": "y",
    }
    return {"mailboxes": [box]}


def _nothing(tree: Tree) -> None:
    pass


def _relay(tree: Tree) -> None:
    write_conf(
        tree, "", f"<mta><relay address='127.0.0.1' port='{tree.port}'/></mta>", instance=True
    )


def _peer(
    name: str,
    does: str,
    answer: peers.Answer,
    options: object = _http,
    greets: bool = False,
    holds: str = "the checks end in time",
    blind: tuple[str, ...] = (),
) -> None:
    prepare = _relay if "SMTP" in does else lambda tree: None

    def named(tree: Tree) -> None:
        prepare(tree)

    named.__name__ = name
    attack(PEERS, does, holds, options=options, peer=peers.peer(answer, greets), blind=blind)(
        named
    )


_DEEP = b"<a>" * 200000
_SOAP = b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n<?xml version='1.0'?>"
_LAUGHS = (
    b"<!DOCTYPE x [<!ENTITY a0 'lol'>"
    + b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><x>&a11;</x>"
)
_peer("http_endless", "`/r/test` and every page are endless", peers.endless(b"<redir "))
_peer("http_slow", "every page comes a byte now and then", peers.slow(b"<redir status='OK'/>"))
_peer("http_binary", "every page is random bytes and NUL", peers.whole(bytes(range(256)) * 400))
_peer(
    "http_endless_head",
    "every answer is a header without end",
    peers.endless(b"X: y\r\n", b"HTTP/1.0 200 OK\r\n"),
)
_peer(
    "http_patterns",
    "every page is made for patterns that could take quadratic time",
    peers.whole(b"<redir " * 3000 + b"<!--" * 3000 + b"<faultstring" * 2000 + b"java." * 2000),
)
_peer(
    "http_attributes",
    "`/r/test` answers one attribute without an end",
    peers.whole(b"<redir build='" + b"a" * 30000 + b" status=" + b"a:" * 15000),
)
_peer(
    "http_redirect",
    "every answer sends the caller to `file:///etc/shadow`",
    peers.whole(b"", b"HTTP/1.0 302 Found\r\nLocation: file:///etc/shadow\r\n\r\n"),
    holds="it is not followed",
)
_peer(
    "http_lying_length",
    "every answer is longer, or shorter, than it says",
    peers.whole(b"x" * 100, b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
)
_peer(
    "api_endless",
    "the API's answer is endless",
    peers.endless(b"<a/>", _SOAP),
    _api,
    blind=("api",),
)
_peer(
    "api_slow",
    "the API's answer comes a byte now and then",
    peers.slow(b"<a/>", _SOAP),
    _api,
    blind=("api",),
)
_peer(
    "api_deep",
    "the API's answer is 200,000 elements deep",
    peers.whole(_DEEP, _SOAP),
    _api,
    blind=("api",),
)
_peer(
    "api_laughs",
    "the API's answer has entities that multiply",
    peers.whole(_LAUGHS, _SOAP),
    _api,
    blind=("api",),
)
_peer(
    "api_binary",
    "the API's answer is random bytes",
    peers.whole(bytes(range(256)) * 4000, _SOAP),
    _api,
    blind=("api",),
)
_peer(
    "pop3_endless", "a POP3 server greets without end", peers.endless(b"+OK ", b""), _mail, True
)
_peer(
    "pop3_slow", "a POP3 server greets a byte now and then", peers.slow(b"+OK ", b""), _mail, True
)
_peer(
    "pop3_binary",
    "a POP3 server answers bytes that are not text",
    peers.whole(b"+OK\r\n+OK\r\n+OK\r\n+OK \xff\xfe \x1b[2J\r\n", b""),
    _mail,
    True,
)
_peer(
    "smtp_endless",
    "an SMTP server (a relay of the configuration) greets without end",
    peers.endless(b"220-", b""),
    lambda tree: {},
    True,
)
_peer(
    "smtp_slow",
    "an SMTP server (a relay of the configuration) greets a byte now and then",
    peers.slow(b"220-", b""),
    lambda tree: {},
    True,
)
