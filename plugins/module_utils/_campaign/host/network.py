# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small clients: HTTP, TCP, UDP, POP3. They ask as little as shows whether a peer works."""

import errno
import re
import socket
import time

from .. import addresses
from ..addresses import split_address
from ..errors import ProbeError
from ..text import clean, decode, mask

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, Optional, Pattern, Tuple

    Entry = Dict[str, Any]
    Found = Tuple[Any, ...]  # of getaddrinfo
    Talk = Callable[[Entry, Found, "Deadline"], None]

BODY_LIMIT = 65536
READ_LIMIT = 2 * BODY_LIMIT  # an answer with a longer head is not valid
ICMP_WAIT = 0.4
POP3, POP3S = 110, 995
DATABASE_PORTS = {
    "postgresql": 5432,
    "oracle": 1521,
    "mssql": 1433,
    "mssqlserver": 1433,
    "mysql": 3306,
}

ENTITIES = (
    ("&apos;", "'"), ("&#39;", "'"), ("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"),
)  # fmt: skip

_TAGS = re.compile(r"<(?!form|input|script|frame|img|meta)[^<>]*>|\s+", re.S | re.I)
_JAVA = re.compile(
    r"\bat [\w$.]+\([\w$]+\.java(?::\d+)?\)|\bjava\.(?:lang|io|net|util)\.\w+(?:Exception|Error)"
    r"|org\.apache\.jasper|javax\.servlet\.\w*Exception|JVM-\d{6}"
)
_FAULT = re.compile(r"<(?:\w{1,20}:)?faultstring[^<>]*>", re.I)
_DETAIL = re.compile(r"<(?:\w{1,20}:)?detail[^<>]*>", re.I)
_DETAIL_END = re.compile(r"</(?:\w{1,20}:)?detail", re.I)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")")
_END = re.compile("</")
_SESSION = re.compile(r"[^\n<>]{0,120}xtk:session[^\n<>]{0,120}")


class NetworkError(Exception):
    """A failed conversation; its kind is one word."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def word_for(error: Exception) -> str:
    """refused, timeout, reset, dns, unreachable or invalid."""
    if isinstance(error, NetworkError):
        return error.word
    if isinstance(error, socket.timeout):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    if getattr(error, "errno", None) in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "unreachable"
    if getattr(error, "errno", None) == errno.ETIMEDOUT:
        return "timeout"
    return "invalid"


class Deadline:
    """The time a conversation has, over all its steps."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise NetworkError("timeout")
        return remaining


def split_url(url: str) -> "Tuple[str, str, Optional[int], str]":
    """(scheme, host, port, path) of a http or https URL."""
    try:
        return addresses.split_url(url)
    except ValueError:
        raise NetworkError("invalid") from None


def _read(stream: socket.socket, deadline: Deadline, enough: "Callable[[bytes], bool]") -> bytes:
    data = b""
    while not enough(data) and len(data) < READ_LIMIT:
        stream.settimeout(deadline.remaining())
        block = stream.recv(16384)
        if not block:
            break
        data += block
    return data


def _name(host: str) -> "Any":
    """As bytes where it has no other letters: Python need not load the table of those."""
    try:
        return host.encode("ascii")
    except UnicodeEncodeError:
        return host


def get(url: str, timeout: float) -> "Tuple[int, str]":
    """(status, body) of a GET; no redirect is followed. Raises NetworkError or OSError."""
    scheme, host, port, path = split_url(url)
    deadline = Deadline(timeout)
    stream = socket.create_connection((_name(host), port), deadline.remaining())
    try:
        if scheme == "https":
            import ssl

            # Only checks whether it works and sends nothing: the certificate names the public
            # name of the server, which is rarely the address used here.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            try:
                stream = context.wrap_socket(stream, server_hostname=host)
            except ssl.SSLError:
                raise NetworkError("tls") from None
        request = "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: campaign_info\r\n\r\n" % (path, host)
        stream.settimeout(deadline.remaining())
        stream.sendall(request.encode("utf-8"))
        data = _read(stream, deadline, _complete)
    finally:
        stream.close()
    head, dummy, body = data.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/\d\.\d (\d{3})", head)
    if not found:
        raise NetworkError("reset" if not data else "invalid")
    return int(found.group(1)), decode(body[:BODY_LIMIT])


def _complete(data: bytes) -> bool:
    head, blank, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.I) if blank else None
    return len(body) >= min(int(found.group(1)) if found else BODY_LIMIT, BODY_LIMIT)


def hints(status: int, body: str) -> "Entry":
    """What an answer shows at first sight."""
    fault = None
    text = _between(_FAULT, _END, body)
    if text is not None:
        detail = _between(_DETAIL, _DETAIL_END, body)
        fault = _plain(text + (" " + detail if detail else ""))
    else:
        found = _SESSION.search(body)
        # the page's own form names the service too: an error has a code, or a bad status
        if found and (status >= 500 or re.search(r"\b[A-Z]{3}-\d{6}\b", body)):
            fault = _plain(found.group())
    answer = redir(body)
    return {
        "blank": status == 200 and not answer and not _TAGS.sub("", _without_comments(body)),
        "java_trace": bool(_JAVA.search(body)),
        "soap_fault": fault,
        "redir": answer,
    }


def redir(text: str) -> "Optional[Entry]":
    """The attributes that /r/test answers, None if the answer is another."""
    found = re.search(r"<redir\b([^>]*)", text)
    if not found:
        return None
    attributes = dict((m[0], m[1] or m[2]) for m in _ATTRIBUTE.findall(found.group(1)[:2000]))
    return dict(
        (name, clean(attributes.get(name, ""), 80) or None)
        for name in ("build", "status", "instance")
    )


def _between(begin: "Pattern[str]", end: "Pattern[str]", text: str) -> "Optional[str]":
    """The text between the first matches of two patterns; None if one does not match."""
    first = begin.search(text)
    last = end.search(text, first.end()) if first else None
    return text[first.end() : last.start()] if first and last else None


def _without_comments(body: str) -> str:
    first, *others = body.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in others)


def _plain(text: str) -> str:
    """Readable text of a piece of XML."""
    text = re.sub(r"<[^<>]*>", " ", text[:BODY_LIMIT])
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return clean(" ".join(text.split()), 300)


def check(name: str, url: str, timeout: float) -> "Entry":
    """One entry of the snapshot's HTTP checks."""
    entry: "Entry" = {
        "name": name,
        "url": clean(url, 300),
        "status": None,
        "seconds": None,
        "error": None,
        "body": "",
        "verdict_hints": {"blank": False, "java_trace": False, "soap_fault": None, "redir": None},
    }
    started = time.monotonic()
    try:
        entry["status"], body = get(url, timeout)
        entry["body"] = clean(body.strip(), 300)
        entry["verdict_hints"] = hints(entry["status"], body)
    except (NetworkError, OSError, ValueError, OverflowError) as error:
        entry["error"] = word_for(error)
    entry["seconds"] = round(time.monotonic() - started, 4)
    return entry


# --------------------------------------------------------------------------- targets


def target(
    name: str, instance: str, host: str, port: int, proto: str, conversation: "Talk", timeout: float
) -> "Entry":
    """One entry of the snapshot's network targets."""
    entry: "Entry" = {
        "name": name,
        "instance": instance,
        "host": clean(host, 200),
        "port": port,
        "proto": proto,
        "resolved": None,
        "reachable": None,
        "error": None,
        "seconds": None,
        "detail": {},
    }
    started = time.monotonic()
    deadline = Deadline(timeout)
    try:
        kind = socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM
        found = socket.getaddrinfo(_name(host), port, 0, kind)
        entry["resolved"] = sorted(set(item[4][0] for item in found))
        conversation(entry, found[0], deadline)
    except (NetworkError, OSError, ValueError, OverflowError) as error:
        entry["error"] = "dns" if isinstance(error, UnicodeError) else word_for(error)
        entry["reachable"] = entry["error"] in ("login", "protocol")
    entry["seconds"] = round(time.monotonic() - started, 4)
    return entry


def _open(found: "Found", deadline: Deadline) -> socket.socket:
    stream = socket.socket(found[0], found[1], found[2])
    try:
        stream.settimeout(deadline.remaining())
        stream.connect(found[4])
    except Exception:
        stream.close()
        raise
    return stream


def tcp(entry: "Entry", found: "Found", deadline: Deadline) -> None:
    """Connects, says nothing."""
    _open(found, deadline).close()
    entry["reachable"] = True


def _line(stream: socket.socket, deadline: Deadline) -> bytes:
    return _read(stream, deadline, lambda data: b"\n" in data or len(data) > 4096)


def smtp(entry: "Entry", found: "Found", deadline: Deadline) -> None:
    """Reads the greeting and takes leave."""
    stream = _open(found, deadline)
    try:
        entry["reachable"] = True
        greeting = _line(stream, deadline)
        if not greeting.startswith(b"2"):
            raise _unexpected(entry, greeting, "protocol")
        stream.sendall(b"QUIT\r\n")
        _line(stream, deadline)
    finally:
        stream.close()


def udp(entry: "Entry", found: "Found", deadline: Deadline) -> None:
    """An empty datagram: only a refusal is an answer."""
    stream = _open(found, deadline)
    try:
        stream.send(b"")
        stream.settimeout(min(ICMP_WAIT, deadline.remaining()))
        try:
            stream.recv(1)
            entry["reachable"] = True
        except socket.timeout:
            entry["reachable"] = None
    finally:
        stream.close()


def local_udp(listening: "Callable[[Tuple[str, int]], Iterable[Entry]]") -> "Talk":
    """A conversation that looks into the table of this machine's sockets instead."""

    def look(entry: "Entry", found: "Found", dummy: Deadline) -> None:
        where = found[4][0]
        if not is_local(where):
            udp(entry, found, dummy)
            return
        entry["reachable"] = any(
            line["proto"] == "udp"
            and line["port"] == entry["port"]
            and line["address"] in (where, "0.0.0.0", "::")
            for line in listening((where, entry["port"]))
        )
        entry["error"] = None if entry["reachable"] else "refused"

    return look


def is_local(where: str) -> bool:
    """Is it an address of this machine? Only its own can be bound."""
    with socket.socket(
        socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_DGRAM
    ) as trial:
        try:
            trial.bind((where, 0))
        except OSError:
            return False
    return True


def mailbox(login: "Optional[str]", password: "Optional[str]") -> "Talk":
    """The same where no port is said: on that of POP3, and if nothing works there on that of POP3S.
    """
    talk = pop3(login, password)

    def either(entry: "Entry", found: "Found", deadline: Deadline) -> None:
        half = Deadline(deadline.remaining() / 2)
        try:
            talk(entry, found, half)
        except (NetworkError, OSError) as error:
            if word_for(error) == "login":
                raise
            address = found[4][:1] + (POP3S,) + found[4][2:]
            entry.update(port=POP3S, reachable=None)
            try:
                talk(entry, found[:4] + (address,), deadline)
            except (NetworkError, OSError) as other:
                if word_for(other) == "login":
                    raise
                entry.update(port=POP3, detail={"ports": [POP3, POP3S]})
                raise error from None

    return either


def pop3(login: "Optional[str]", password: "Optional[str]") -> "Talk":
    """A conversation that counts the messages, with a login; else it reads the greeting."""

    def talk(entry: "Entry", found: "Found", deadline: Deadline) -> None:
        stream = _open(found, deadline)
        try:
            if entry["port"] == POP3S:
                import ssl

                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                stream = context.wrap_socket(stream, server_hostname=entry["host"])
            entry["reachable"] = True
            _answer(entry, stream, deadline, None, "protocol")
            if login and password is not None:
                _answer(entry, stream, deadline, "USER " + login, "login")
                _answer(entry, stream, deadline, "PASS " + password, "login", password)
                said = _answer(entry, stream, deadline, "STAT", "protocol", password)
                count = said.split()
                if len(count) < 2 or not count[1].isdigit() or len(count[1]) > 18:
                    raise _unexpected(entry, said, "protocol", password)
                entry["detail"] = {"messages": int(count[1])}
            stream.sendall(b"QUIT\r\n")
            _line(stream, deadline)
        finally:
            stream.close()

    return talk


def _answer(
    entry: "Entry",
    stream: socket.socket,
    deadline: Deadline,
    command: "Optional[str]",
    word: str,
    secret: str = "",
) -> bytes:
    if command is not None:
        stream.settimeout(deadline.remaining())
        stream.sendall(command.replace("\r", "").replace("\n", "").encode("utf-8") + b"\r\n")
    line = _line(stream, deadline)
    if not line.startswith(b"+OK"):
        # Another session has the mailbox, or the server is ill (RFC 2449, RFC 3206).
        if line.upper().startswith((b"-ERR [IN-USE]", b"-ERR [LOGIN-DELAY]", b"-ERR [SYS/")):
            word = "protocol"
        raise _unexpected(entry, line, word, secret)
    return line


def _unexpected(entry: "Entry", line: bytes, word: str, secret: str = "") -> NetworkError:
    """The error for an unexpected answer of a peer; the answer itself is in the entry."""
    if word == "protocol":
        text = decode(line.strip().partition(b"\n")[0])
        text = text.replace(secret, "***") if secret else text
        entry["detail"] = {"answer": clean(mask(text), 200)}
    return NetworkError(word)


def redirection(url: str) -> "Talk":
    """A conversation that asks another redirection server for /r/test."""

    def ask(entry: "Entry", dummy: "Found", deadline: Deadline) -> None:
        status, body = get(url.rstrip("/") + "/r/test", deadline.remaining())
        entry["reachable"] = True
        entry["detail"] = {"status": status, "redir": redir(body)}

    return ask


def database(server: "Optional[str]", provider: "Optional[str]") -> "Optional[Tuple[str, int]]":
    """(host, port) of a data source; None where there is nothing to connect to."""
    if not server:
        return None
    port = DATABASE_PORTS.get((provider or "").lower())
    host, port = split_address(server.replace("\\", ":").split(":/")[0], port)
    if not port or "/" in host:
        return None
    return host, port


def require(url: str, option: str) -> None:
    """Fails clearly if it is not a URL."""
    try:
        split_url(url)
    except NetworkError:
        text = "%s is not an http or https URL: %s" % (option, clean(url, 200))
        raise ProbeError("invalid", text) from None
