"""syslogd: owns the UDP port and writes every log file."""

from __future__ import annotations

import os
import re
import time

from campaign_lab import vanished
from campaign_lab.lean import socket
from campaign_lab.runtime import Module, format_line, syslogd_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Tuple

COMPLAINT_SECONDS = 60.0
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*$")


class Syslogd(Module):
    """Receives datagrams (see runtime.Log) and appends their lines to the files.

    Files are opened for each batch of lines: what happens to a file or a directory (rights,
    removal, a full disk) is met by the next line, as it is by a program that runs for months.
    """

    title = "Log server"

    def prepare(self) -> None:
        """Bind the port: without SO_REUSEADDR, so that there is one holder only."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._complaints: Dict[str, float] = {}
        self._lost = 0
        try:
            self.socket.bind(syslogd_address(self.server))
        except OSError:
            raise SystemExit(1) from None  # nobody writes logs: there is no one to tell

    def run(self) -> None:
        """Write until told to stop, then what is still in the socket."""
        while not self.stopping.is_set():
            self.wait(3600, self.socket)
            self.drain()

    def log(self, level: str, category: str, message: str) -> None:
        """Its own lines do not travel over the network."""
        line = format_line(self.home.build, level, category, message)
        try:
            self.append(self.arguments.log_instance, self.arguments.log_file, [line])
        except OSError:
            self._lost += 1

    def drain(self) -> None:
        """Read what has arrived, then write each file once."""
        batch: Dict[Tuple[str, str], List[str]] = {}
        for _ in range(1000):
            try:
                data = self.socket.recv(65535)
            except BlockingIOError:
                break
            instance, _, rest = data.decode("utf-8", "replace").partition("\0")
            file, _, line = rest.partition("\0")
            if line and NAME.match(instance) and NAME.match(file):
                batch.setdefault((instance, file), []).append(line)
        for (instance, file), lines in batch.items():
            try:
                self.append(instance, file, lines)
            except OSError as error:
                self._lost += len(lines)
                self.complain(error, instance, file)

    def append(self, instance: str, file: str, lines: List[str]) -> None:
        """Append lines; a file that has reached maxFileSizeMb becomes ``<file>_2.log`` first."""
        directory = self.home.logs(instance)
        path = os.path.join(directory, file + ".log")
        limit = self.settings.number("maxFileSizeMb", 10) << 20
        try:
            full = os.stat(path).st_size >= limit
        except FileNotFoundError:
            vanished.make(directory)
            full = False
        if full:
            os.replace(path, os.path.join(directory, file + "_2.log"))
        encoding = "utf-8" if os.path.exists(self.home.join("unicodeenv")) else "iso-8859-15"
        data = "".join(line + "\n" for line in lines).encode(encoding, "replace")
        with open(path, "ab", buffering=0) as stream:
            written = stream.write(data)
        if written < len(data):  # the last bytes of a disk
            raise OSError(28, "No space left on device")

    def complain(self, error: OSError, instance: str, file: str) -> None:
        """Say in its own log, once a minute and file, that lines are lost."""
        key = instance + "/" + file
        now = time.monotonic()
        if now - self._complaints.get(key, -COMPLAINT_SECONDS) >= COMPLAINT_SECONDS:
            self._complaints[key] = now
            self.error("Unable to write log file '%s/%s.log': %s (errno=%d); %d lines lost" % (
                self.home.logs(instance), file, error.strerror, error.errno or 0, self._lost))
