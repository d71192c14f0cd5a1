"""The servers of one lab: its state file, and the addresses that new servers get."""

from __future__ import annotations

import hashlib
import os
import zlib

from campaign_lab import account, sockets
from campaign_lab.builds import BUILDS, CURRENT
from campaign_lab.layout import (
    PEERS,
    ROLES,
    SERVER_PORTS,
    Server,
    read_json,
    usable_ports,
    write_json,
)
from campaign_lab.source import checkout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Set, Tuple


class Lab:
    """All servers below one root directory."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.state_path = os.path.join(self.root, "lab.json")
        self.servers: Dict[str, Server] = {}
        if os.path.exists(self.state_path):
            for data in self._declared():
                self.servers[data["name"]] = Server.from_json(data)

    def _declared(self) -> List[Dict[str, Any]]:
        """What the state file says of the servers; ValueError if it is no lab's."""
        try:
            return list(read_json(self.state_path)["servers"])
        except (ValueError, KeyError, TypeError):
            raise ValueError("%s is not the file of a lab" % self.state_path) from None

    @property
    def account(self) -> str:
        """Whom its servers run as; empty if there is none."""
        return next((server.user for server in self.servers.values()), "")

    @property
    def library(self) -> str:
        """The lab's code as its processes load it, and bytecode: links into the checkout, or
        copies if the account of the servers may not read there."""
        return os.path.join(self.root, ".lib")

    @property
    def python_home(self) -> str:
        """Links to Python's standard library, and nothing else that is installed there."""
        return os.path.join(self.root, ".python")

    def save(self) -> None:
        """Write the state file, whole or not at all."""
        servers = [server.as_json() for server in self.servers.values()]
        with account.privileged():
            write_json(self.state_path, {"schema": 1, "root": self.root, "servers": servers},
                       0o644)

    def network(self) -> str:
        """The first three numbers of the lab's addresses, from its path.

        Two labs on one machine get different networks (of 64,000; one in use is skipped), so both
        hold the documented ports; the same lab keeps its addresses.
        """
        for server in self.servers.values():
            return server.address.rpartition(".")[0]
        digest = hashlib.sha1(self.root.encode()).digest()
        numbers = [(1 + digest[at] % 254, digest[at + 1]) for at in range(0, len(digest), 2)]
        taken = networks_in_use()
        return "127.%d.%d" % next((pair for pair in numbers if pair not in taken), numbers[0])

    def outside(self) -> Dict[str, Any]:
        """Address and ports of the SMTP sink and of the mailboxes."""
        address = self.network() + ".250"
        with account.privileged():
            ports = usable_ports(address, ("smtp", "pop3"))
        return {"address": address, "smtp_port": ports["smtp"], "pop3_port": ports["pop3"]}

    def new_server(
        self, name: str, instances: List[str], build: str = CURRENT.name, role: str = "all",
        front: Optional[Server] = None,
    ) -> Server:
        """Describe one more server (no file is written).

        ``front`` is the server that tracks for it, if it does not itself.
        """
        used = {server.address for server in self.servers.values()}
        address = next(a for a in self._addresses() if a not in used)
        others = list(self.servers.values())
        outside = {name: others[0].outside[name] for name in PEERS} if others else self.outside()
        if front:
            outside.update(redirection=front.front_url, links=front.home.var)
        server = Server(
            name, self.root, address, instances,
            usable_ports(address, SERVER_PORTS, BUILDS[build]),
            account.own_name(), outside, modules=ROLES[role], build=build,
        )
        self.servers[name] = server
        return server

    def _addresses(self) -> Iterator[str]:
        network = self.network()
        for last in range(1, 250):
            yield "%s.%d" % (network, last)


def networks_in_use() -> Set[Tuple[int, int]]:
    """The middle numbers of the addresses 127.a.b.n that are in use."""
    found = set()
    for kind in ("tcp", "udp"):
        for words in sockets.table(kind):
            address = words[1].partition(":")[0]
            if address.endswith("7F"):  # the bytes are written backwards
                found.add((int(address[4:6], 16), int(address[2:4], 16)))
    return found


def default_root() -> str:
    """The lab's root if no ``--root`` says otherwise.

    Root's lab is for another account: not below a folder that is closed to others.
    """
    named = os.environ.get("CAMPAIGN_LAB_ROOT")
    if named:
        return named
    if os.geteuid() == 0 and os.stat(checkout()).st_uid == 0 and not open_to_all(checkout()):
        return "%s/lab-%08x" % (account.KEPT, zlib.crc32(os.fsencode(checkout())))
    return os.path.join(checkout(), ".lab")


def open_to_all(folder: str) -> bool:
    """May everybody go there?"""
    while os.stat(folder).st_mode & 0o001:
        if folder == "/":
            return True
        folder = os.path.dirname(folder)
    return False
