"""The sockets of this machine, in the kernel's own tables."""

import socket
import sys
from typing import Dict, List, Tuple

READINGS = {"tcp": 3, "udp": 7}
"""A reading of the table of all TCP connections takes twenty times as long."""


def table(protocol: str) -> List[List[str]]:
    """The words of each entry of /proc/net/tcp or udp that one of several readings shows.

    The kernel gives a table page by page, and leaves an entry out when another one before it goes
    away in between.
    """
    found: Dict[Tuple[str, ...], List[str]] = {}
    for _reading in range(READINGS[protocol]):
        with open("/proc/net/" + protocol, encoding="ascii") as stream:
            next(stream)
            for line in stream:
                words = line.split()
                found[(*words[1:4], words[9])] = words
    return list(found.values())


def encoded(address: str) -> str:
    """An IPv4 address as the tables show it."""
    return "%08X" % int.from_bytes(socket.inet_aton(address), sys.byteorder)


def udp_bound(port: int, *addresses: str) -> bool:
    """Is this UDP port bound at one of these addresses?"""
    wanted = {"%s:%04X" % (encoded(address), port) for address in addresses}
    return any(words[1] in wanted for words in table("udp"))
