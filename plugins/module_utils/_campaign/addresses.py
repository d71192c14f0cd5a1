# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking addresses and URLs apart."""

import re

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Optional, Tuple


def split_address(text: str, port: "Optional[int]" = None) -> "Tuple[str, Optional[int]]":
    """(host, port) of `host`, `host:port`, `[v6]:port`."""
    text = text.strip()
    found = re.match(r"^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d{1,5}))?$", text)
    if found:
        return found.group(1) or found.group(2), int(found.group(3) or port or 0) or None
    return text, port  # a bare IPv6 address, or nonsense that will not resolve


def trace_port(text: str) -> "Tuple[Optional[int], bool]":
    """The port of TRACE_ADDR (`localhost:666`), to which all modules send their log lines.

    None if it is on another machine, or if there is none: then (None, False) tells from (None,
    True) that it is not this machine's syslogd that is meant.
    """
    host, port = split_address(text)
    if host.isdigit() and port is None:
        host, port = "localhost", int(host) if len(host) < 6 else None
    local = host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.")
    known = port is not None and 0 < port < 65536
    return (port if known and local else None), known and not local


def split_url(url: str) -> "Tuple[str, str, Optional[int], str]":
    """(scheme, host, port, path) of a http or https URL."""
    found = re.match(r"^(https?)://(?:[^@/]*@)?([^/?#]+)([^?#]*)", url.strip(), re.I)
    if not found:
        raise ValueError(url)
    scheme = found.group(1).lower()
    host, port = split_address(found.group(2), 443 if scheme == "https" else 80)
    return scheme, host, port, found.group(3) or "/"
