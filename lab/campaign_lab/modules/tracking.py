"""tracking: the utility that fetches and consolidates the tracking logs.

Run by the Tracking workflow as documented, or by hand: ``nlserver tracking -instance:prod``.
It fetches from the redirection server of the database through ``/r/log/<instance>`` (the lab's
own; Campaign uses a call of its own there) what came after ``NmsTracking_Pointer``, and writes
it to ``nms:trackingLog``. A corrupt line stops it, as documented. RED-520025 and
RED-520005 are documented codes.
"""

from __future__ import annotations

import time

from campaign_lab import database
from campaign_lab.lean import socket
from campaign_lab.modules import redir
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

POINTER = "NmsTracking_Pointer"
LAST = "NmsTracking_LastConsolidation"
FETCH_SECONDS = 10.0


class TrackingError(Exception):
    """The redirection server cannot be used; the text is the log line."""


class Tracking(Module):
    """One consolidation."""

    title = "Tracking"

    def run(self) -> None:
        """Fetch, write, end; exit code 1 after an error."""
        path = database.configured(self.config, self.instance)
        try:
            with database.session(path) as connection:
                account = database.account(connection, "redirection")
                pointer = database.option(connection, POINTER)
            if account is None:
                self.info("No redirection server is configured")
                return
            pointer, lines = fetch(account["server"], self.instance, pointer)
            rows = [self._row(line) for line in lines]
            with database.session(path, write=True) as connection:
                connection.executemany(
                    "INSERT INTO nms_trackingLog (logDate, deliveryId, broadLogId, sourceIp, url)"
                    " VALUES (?, ?, ?, ?, ?)", rows)  # fmt: skip
                database.set_option(connection, POINTER, pointer)
                database.set_option(connection, LAST, "%.3f" % time.time(), database.DATETIME)
        except (database.DatabaseError, TrackingError) as error:
            self.error(str(error))
            raise SystemExit(1) from None
        self.info("%d tracking logs consolidated from %s" % (len(rows), account["server"]))


    def _row(self, line: str) -> Tuple[float, int, int, str, str]:
        """A row of nms:trackingLog. Raises TrackingError: one corrupt line stops all."""
        try:
            stamp, delivery, broad_log, number, client = redir.parse(line)
        except redir.CorruptLine as error:
            raise TrackingError("Corrupt line in the tracking logs: '%s' (iRc=-53)"
                                % error) from None
        try:
            url = redir.link(self.server.links_var, self.instance, delivery, number)
        except (OSError, ValueError):
            url = ""  # published elsewhere
        return stamp, delivery, broad_log, client, url


def fetch(url: str, instance: str, pointer: str) -> Tuple[str, List[str]]:
    """The redirection server's log lines after the pointer, and the new pointer."""
    address = url.partition("://")[2].partition("/")[0]
    host, _, port = address.partition(":")
    request = "GET /r/log/%s?after=%s HTTP/1.0\r\nHost: %s\r\n\r\n" % (instance, pointer, address)
    data = b""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        server.settimeout(FETCH_SECONDS)
        server.connect((host, int(port or 80)))
        server.sendall(request.encode())
        while True:
            chunk = server.recv(65536)
            if not chunk:
                break
            data += chunk
    except (OSError, ValueError) as error:
        reason = "no answer" if isinstance(error, socket.timeout) else (
            getattr(error, "strerror", None) or error)  # fmt: skip
        raise TrackingError("RED-520025 The redirection server %s cannot be reached: %s (iRc=-53)"
                            % (url, reason)) from None  # fmt: skip
    finally:
        server.close()
    head, _, body = data.partition(b"\r\n\r\n")
    first, *headers = head.decode("latin-1").split("\r\n")
    if first.split(" ")[1:2] != ["200"]:
        raise TrackingError("RED-520005 The redirection server %s is not configured as it should"
                            " be: %s (iRc=-53)" % (url, first or "no answer"))  # fmt: skip
    for header in headers:
        name, _, value = header.partition(":")
        if name.lower() == "x-lab-position":
            pointer = value.strip()
    return pointer, body.decode("utf-8", "replace").splitlines()
