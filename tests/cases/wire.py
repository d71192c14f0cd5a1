"""The network of a case: its names and addresses, in the process in which the collectors run.

A name is looked up and a connection is opened as ever; where it leads, the case says: to one of its
servers, or to nothing.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import zlib
from collections.abc import Mapping
from typing import Any

from cases.form import Peer
from cases.healthy import LOOPBACK, Server
from cases.servers import Pages

OURS = ("127.0.0.1", "::1", "localhost")
# By port, who answers elsewhere.
KINDS = {25: "smtp", 110: "pop3", 995: "pop3s"}
ROLES = {
    "database": (1433, 1521, 3306, 5432), "relay": (25, 465, 587), "mailbox": (110, 143, 993, 995),
    "stat": (7777,), "redirection": (80, 443),
}  # fmt: skip
SPOKEN = {"relay": "smtp", "mailbox": "pop3", "redirection": "front"}
_FAILURES: dict[str, type[OSError] | OSError] = {
    "refused": ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    "reset": ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    "timeout": TimeoutError("timed out"),
    "unreachable": OSError(errno.EHOSTUNREACH, "No route to host"),
}


class Wire:
    """Where addresses lead."""

    def __init__(self, server: Server, ports: Mapping[str, int]) -> None:
        self._server = server
        self._ports = ports
        self._names: dict[str, str] = {}  # address: name
        pages = Pages(server)
        self._closed = {kind for kind, side in (("front", ""), ("tomcat", "tomcat:"))
                        if pages.refused(side)}  # fmt: skip

    def lay(self) -> None:
        """From now on this process and its children have this network."""
        connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

        def led(self_: Any, address: Any) -> Any:
            if self_.family not in (socket.AF_INET, socket.AF_INET6):
                return address
            return self.leads(address[0], address[1], self_.type)

        socket.socket.connect = (  # type: ignore[method-assign]
            lambda self_, address: connect(self_, led(self_, address)))
        socket.socket.connect_ex = (  # type: ignore[method-assign]
            lambda self_, address: connect_ex(self_, led(self_, address)))
        socket.getaddrinfo = self.look_up

    def look_up(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """As getaddrinfo, with the names of the case; every name has an address."""
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        number = int(port or 0)
        if not name.isascii() or not 0 < len(name) < 254 or " " in name:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        peer = self._peer(name, number)
        if peer and not peer.reachable and peer.error == "dns":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        address = self._address(name)
        kinds = [type] if type else [socket.SOCK_STREAM, socket.SOCK_DGRAM]
        protos = {int(socket.SOCK_STREAM): socket.IPPROTO_TCP,
                  int(socket.SOCK_DGRAM): socket.IPPROTO_UDP}  # fmt: skip
        # The wire is IPv4 only: an address of the other kind is told and led on the same way.
        shown: Any = (address, number, 0, 0) if ":" in address else (address, number)
        return [(socket.AF_INET, socket.SocketKind(kind), protos.get(int(kind), 0), "", shown[:2])
                for kind in kinds]  # fmt: skip

    def _address(self, name: str) -> str:
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            pass
        if name.lower() == "localhost":
            return LOOPBACK
        number = zlib.crc32(name.lower().encode())  # of the net that is for tests (RFC 2544)
        address = f"198.18.{number >> 8 & 255}.{number % 254 + 1}"
        self._names[address] = name
        return address

    def _peer(self, name: str, port: int) -> Peer | None:
        """What the case says of a host and port, the particular before the general."""
        fits = [
            (peer.host is not None, peer.port is not None, peer)
            for peer in self._server.given.network
            if (peer.host is None or peer.host.lower() == name.lower())
            and (port in ROLES.get(peer.name or "", ()) if peer.port is None and peer.host is None
                 else peer.port in (None, port) or not port)
        ]  # fmt: skip
        fits.sort(key=lambda fit: fit[:2], reverse=True)
        return fits[0][2] if fits else None

    def leads(self, host: str, port: int, kind: int) -> tuple[str, int]:
        """The real address. Raises what a connection to there raises."""
        stream = bool(kind & socket.SOCK_STREAM)
        name = self._names.get(host, host)
        peer = self._peer(name, port)
        if peer and not peer.reachable:
            raise _FAILURES[peer.error or "refused"]
        if name not in OURS:
            known = peer.name if peer else None
            role = SPOKEN.get(known or "", "tcp")
            return LOOPBACK, self._real(KINDS.get(port, role) if stream else "udp")
        return LOOPBACK, self._real(self._local(port, stream))

    def _local(self, port: int, stream: bool) -> str:
        """What listens there on the case's server itself."""
        proto = "tcp" if stream else "udp"
        if stream and port == 80:
            return "front"
        for bound in self._server.bound:
            if (bound.proto, bound.port) == (proto, port):
                holder = next(r for r in self._server.processes if r.pid == bound.pid)
                if not stream:
                    return "udp"
                return "tomcat" if holder.name == "web" and bound.address != LOOPBACK else "tcp"
        if stream and self._server.given.network:
            peer = self._peer(LOOPBACK, port) or self._peer("localhost", port)
            if peer:
                return KINDS.get(port, "tcp")
        return "nothing"

    def _real(self, kind: str) -> int:
        if kind == "nothing" or kind in self._closed:
            raise _FAILURES["refused"]
        return self._ports.get(kind, self._ports["tcp"])
