"""stat: connection statistics and quotas for mta, on UDP 7777.

The port and the role are documented (email-deliverability); the wire form, the quota file
and all log lines are the lab's own: a datagram ``ask <domain> <number>`` is answered by
``grant`` or ``queue <seconds>``, ``hello`` by ``stat <build>``; anything else gets no answer.
"""

from __future__ import annotations

import time

from campaign_lab.lean import socket
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

    from campaign_lab.layout import Home

PORT = 7777
IDLE_SECONDS = 60.0
WINDOW_SECONDS = 3600.0
QUOTAS = """\
# domain  messages an hour; * is every other domain; no line: no limit
example.com  2000
*  5000
"""


class StatUnreachable(Exception):
    """stat refused or did not answer."""


def quota_path(home: Home, instance: str) -> str:
    """The quota file of an instance."""
    return "%s/quota-%s.conf" % (home.conf, instance)


def read_quotas(path: str) -> Dict[str, int]:
    """Domain to messages an hour; an unreadable line is left out."""
    quotas: Dict[str, int] = {}
    try:
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                words = line.partition("#")[0].split()
                if len(words) == 2 and words[1].isdigit():
                    quotas[words[0].lower()] = int(words[1])
    except FileNotFoundError:
        pass
    return quotas


def address_of(setting: str) -> Tuple[str, int]:
    """Host and port of a ``statServerAddress``: ``host[:port]``."""
    host, _, port = setting.strip().partition(":")
    return host, int(port) if port.isdigit() else PORT


def ask(setting: str, question: str, seconds: float = 2.0) -> List[str]:
    """Ask stat; its answer in words. Raises StatUnreachable."""
    host, port = address_of(setting)
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        line.settimeout(seconds)
        line.connect((host, port))
        line.send(question.encode())
        return line.recv(512).decode("ascii", "replace").split()
    except OSError as error:
        reason = "no answer" if isinstance(error, socket.timeout) else error.strerror or error
        raise StatUnreachable("%s:%d: %s" % (host, port, reason)) from None
    finally:
        line.close()


class Stat(Module):
    """The statistics server of an instance."""

    title = "Statistics server"

    def prepare(self) -> None:
        """Read the quotas, hold the port."""
        self._load()
        address = (self.server.address, self.settings.number("port", PORT))
        self.sent: Dict[str, List[float]] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind(address)
        except OSError as error:
            self.error("Unable to bind UDP port %d: %s" % (address[1], error.strerror))
            raise SystemExit(1) from None
        self.socket.setblocking(False)

    def run(self) -> None:
        """Answer until stopped."""
        while not self.stopping.is_set():
            if self.socket in self.wait(IDLE_SECONDS, self.socket):
                self._serve(self.socket)

    def on_reload(self) -> None:
        """``nlserver stat -reload``: reads the quotas again and keeps the statistics."""
        self._load()
        self.info("Quotas reloaded (%d domains)" % len(self.quotas))

    def _load(self) -> None:
        self.quotas = read_quotas(quota_path(self.home, self.instance))

    def _serve(self, server: socket.socket) -> None:
        try:
            data, client = server.recvfrom(512)
            answer = self._answer(data.decode("ascii", "replace").split())
            if answer is not None:
                server.sendto(answer.encode(), client)
        except OSError:
            pass  # an ICMP error of an earlier answer, or a client that is gone

    def _answer(self, words: List[str]) -> Optional[str]:
        if words == ["hello"]:
            return "stat %s" % self.home.build.number
        if len(words) == 3 and words[0] == "ask" and words[2].isdigit():
            return self._grant(words[1].lower(), int(words[2]))
        return None

    def _grant(self, domain: str, number: int) -> str:
        quota = self.quotas.get(domain, self.quotas.get("*"))
        now = time.monotonic()
        recent = [when for when in self.sent.get(domain, []) if when > now - WINDOW_SECONDS]
        self.sent[domain] = recent
        if quota is not None and len(recent) + number > quota:
            self.verbose("Quota of %s reached (%d an hour)" % (domain, quota))
            wait = recent[0] + WINDOW_SECONDS - now if recent else WINDOW_SECONDS
            return "queue %d" % max(1, int(wait))
        recent.extend([now] * number)
        self.trace("network", "%s: %d of %s" % (domain, len(recent), quota))
        return "grant"
