# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small clients: HTTP, TCP, UDP, POP3. They ask as little as shows whether a peer works."""

import errno
import re
import socket
import time

from ansible_collections.campaign.remediation.plugins.module_utils.model import ProbeError, clean
from ansible_collections.campaign.remediation.plugins.module_utils.parsers import decode, redir

BODY_LIMIT = 65536
ICMP_WAIT = 0.4
DATABASE_PORTS = {
    "postgresql": 5432,
    "oracle": 1521,
    "mssql": 1433,
    "mssqlserver": 1433,
    "mysql": 3306,
}

ENTITIES = (("&apos;", "'"), ("&#39;", "'"), ("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"))
ENTITIES += (("&amp;", "&"),)

_TAGS = re.compile(r"<!--.*?-->|<(?!form|input|script|frame|img|meta)[^>]*>|\s+", re.S | re.I)
_JAVA = re.compile(
    r"\bat [\w$.]+\([\w$]+\.java(?::\d+)?\)|\bjava\.(?:lang|io|net|util)\.\w+(?:Exception|Error)"
    r"|org\.apache\.jasper|javax\.servlet\.\w*Exception|JVM-\d{6}"
)
_FAULT = re.compile(r"<(?:\w+:)?faultstring[^>]*>(.*?)</", re.S | re.I)
_DETAIL = re.compile(r"<(?:\w+:)?detail[^>]*>(.*?)</(?:\w+:)?detail", re.S | re.I)
_SESSION = re.compile(r"[^\n<>]{0,120}xtk:session[^\n<>]{0,120}")


class NetworkError(Exception):
    """A conversation that failed, in one word."""

    def __init__(self, word):
        super().__init__(word)
        self.word = word


def word_for(error):
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


class Deadline(object):
    """The time a conversation has, over all its steps."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    def left(self):
        left = self._end - time.monotonic()
        if left <= 0:
            raise NetworkError("timeout")
        return left


def split_address(text, port=None):
    """(host, port) of `host`, `host:port`, `[v6]:port`."""
    text = text.strip()
    found = re.match(r"^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d{1,5}))?$", text)
    if found:
        return found.group(1) or found.group(2), int(found.group(3) or port or 0) or None
    return text, port  # a bare IPv6 address, or nonsense that will not resolve


def split_url(url):
    """(scheme, host, port, path) of a http or https URL."""
    found = re.match(r"^(https?)://(?:[^@/]*@)?([^/?#]+)([^?#]*)", url.strip(), re.I)
    if not found:
        raise NetworkError("invalid")
    scheme = found.group(1).lower()
    host, port = split_address(found.group(2), 443 if scheme == "https" else 80)
    return scheme, host, port, found.group(3) or "/"


def _read(stream, deadline, enough):
    data = b""
    while not enough(data):
        stream.settimeout(deadline.left())
        block = stream.recv(16384)
        if not block:
            break
        data += block
    return data


def get(url, timeout):
    """(status, body) of a GET; no redirect is followed. Raises NetworkError or OSError."""
    scheme, host, port, path = split_url(url)
    deadline = Deadline(timeout)
    stream = socket.create_connection((host, port), deadline.left())
    try:
        if scheme == "https":
            import ssl

            # Whether it works is asked, nothing is told: the certificate names the public
            # name of the server, which is rarely the address asked here.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            try:
                stream = context.wrap_socket(stream, server_hostname=host)
            except ssl.SSLError:
                raise NetworkError("tls") from None
        request = "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: campaign_info\r\n\r\n" % (path, host)
        stream.settimeout(deadline.left())
        stream.sendall(request.encode("utf-8"))
        data = _read(stream, deadline, _complete)
    finally:
        stream.close()
    head, dummy, body = data.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/\d\.\d (\d{3})", head)
    if not found:
        raise NetworkError("reset" if not data else "invalid")
    return int(found.group(1)), decode(body[:BODY_LIMIT])


def _complete(data):
    head, blank, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.I) if blank else None
    return len(body) >= min(int(found.group(1)) if found else BODY_LIMIT, BODY_LIMIT)


def hints(status, body):
    """What an answer shows at first sight."""
    fault = None
    found = _FAULT.search(body)
    if found:
        detail = _DETAIL.search(body)
        text = found.group(1) + (" " + detail.group(1) if detail else "")
        fault = _plain(text)
    else:
        found = _SESSION.search(body)
        # the page's own form names the service too: an error has a code, or a bad status
        if found and (status >= 500 or re.search(r"\b[A-Z]{3}-\d{6}\b", body)):
            fault = _plain(found.group())
    answer = redir(body)
    return {
        "blank": status == 200 and not answer and not _TAGS.sub("", body),
        "java_trace": bool(_JAVA.search(body)),
        "soap_fault": fault,
        "redir": answer,
    }


def _plain(text):
    """Readable text of a piece of XML."""
    text = re.sub(r"<[^>]*>", " ", text)
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return clean(" ".join(text.split()), 300)


def check(name, url, timeout):
    """One entry of the snapshot's HTTP checks."""
    entry = {
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
    except (NetworkError, OSError, UnicodeError) as error:
        entry["error"] = word_for(error)
    entry["seconds"] = round(time.monotonic() - started, 4)
    return entry


# --------------------------------------------------------------------------- targets


def target(name, instance, host, port, proto, conversation, timeout):
    """One entry of the snapshot's network targets."""
    entry = {
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
        found = socket.getaddrinfo(host, port, 0, kind)
        entry["resolved"] = sorted(set(item[4][0] for item in found))
        conversation(entry, found[0], deadline)
    except (NetworkError, OSError, UnicodeError) as error:
        entry["error"] = "dns" if isinstance(error, UnicodeError) else word_for(error)
        entry["reachable"] = entry["error"] in ("login", "protocol")
    entry["seconds"] = round(time.monotonic() - started, 4)
    return entry


def _open(found, deadline):
    stream = socket.socket(found[0], found[1], found[2])
    try:
        stream.settimeout(deadline.left())
        stream.connect(found[4])
    except Exception:
        stream.close()
        raise
    return stream


def tcp(entry, found, deadline):
    """Connects, says nothing."""
    _open(found, deadline).close()
    entry["reachable"] = True


def _line(stream, deadline):
    return _read(stream, deadline, lambda data: b"\n" in data or len(data) > 4096)


def smtp(entry, found, deadline):
    """Reads the greeting and takes leave."""
    stream = _open(found, deadline)
    try:
        entry["reachable"] = True
        greeting = _line(stream, deadline)
        if not greeting.startswith(b"2"):
            raise NetworkError("protocol")
        stream.sendall(b"QUIT\r\n")
        _line(stream, deadline)
    finally:
        stream.close()


def udp(entry, found, deadline):
    """An empty datagram: only a refusal is an answer."""
    stream = _open(found, deadline)
    try:
        stream.send(b"")
        stream.settimeout(min(ICMP_WAIT, deadline.left()))
        try:
            stream.recv(1)
            entry["reachable"] = True
        except socket.timeout:
            entry["reachable"] = None
    finally:
        stream.close()


def local_udp(listening):
    """A conversation that looks into the table of this machine's sockets instead."""

    def look(entry, found, dummy):
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


def is_local(where):
    """Is it an address of this machine? Only its own can be bound."""
    with socket.socket(
        socket.AF_INET6 if ":" in where else socket.AF_INET, socket.SOCK_DGRAM
    ) as trial:
        try:
            trial.bind((where, 0))
        except OSError:
            return False
    return True


def pop3(login, password):
    """A conversation that counts the messages, with a login; else it reads the greeting."""

    def talk(entry, found, deadline):
        stream = _open(found, deadline)
        try:
            if entry["port"] == 995:
                import ssl

                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                stream = context.wrap_socket(stream, server_hostname=entry["host"])
            entry["reachable"] = True
            _answer(stream, deadline, None, "protocol")
            if login and password is not None:
                _answer(stream, deadline, "USER " + login, "login")
                _answer(stream, deadline, "PASS " + password, "login")
                count = _answer(stream, deadline, "STAT", "protocol").split()
                if len(count) < 2 or not count[1].isdigit():
                    raise NetworkError("protocol")
                entry["detail"] = {"messages": int(count[1])}
            stream.sendall(b"QUIT\r\n")
            _line(stream, deadline)
        finally:
            stream.close()

    return talk


def _answer(stream, deadline, command, word):
    if command is not None:
        stream.settimeout(deadline.left())
        stream.sendall(command.replace("\r", "").replace("\n", "").encode("utf-8") + b"\r\n")
    line = _line(stream, deadline)
    if not line.startswith(b"+OK"):
        raise NetworkError(word)
    return line


def redirection(url):
    """A conversation that asks another redirection server for /r/test."""

    def ask(entry, dummy, deadline):
        status, body = get(url.rstrip("/") + "/r/test", deadline.left())
        entry["reachable"] = True
        entry["detail"] = {"status": status, "redir": redir(body)}

    return ask


def database(server, provider):
    """(host, port) of a data source; None where there is nothing to connect to."""
    if not server:
        return None
    port = DATABASE_PORTS.get((provider or "").lower())
    host, port = split_address(server.replace("\\", ":").split(":/")[0], port)
    if not port or "/" in host:
        return None
    return host, port


def require(url, option):
    """Fails clearly on what is no URL."""
    try:
        split_url(url)
    except NetworkError:
        text = "%s is not a http or https URL: %s" % (option, clean(url, 200))
        raise ProbeError("invalid", text) from None
