"""A real HTTP receiver on this machine, which answers as a test wants and keeps what it got."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Received(NamedTuple):
    """A request."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Receiver:
    """`answers`: the status of each request in turn; the last one stays. `slow`: a status line that
    never ends.
    """

    def __init__(self, *answers: int, location: str = "", slow: bool = False) -> None:
        self.answers = list(answers or (202,))
        self.location = location
        self.slow = slow
        self.got: list[Received] = []
        self.url = ""

    def answer(self) -> int:
        """The next one."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def receiving(*answers: int, location: str = "", slow: bool = False) -> Iterator[Receiver]:
    """One that listens until the block ends."""
    receiver = Receiver(*answers, location=location, slow=slow)
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Received(self.path, headers, body))
            end = time.monotonic() + 60
            while receiver.slow and not over.is_set() and time.monotonic() < end:
                with contextlib.suppress(OSError):
                    self.wfile.write(b"H")
                    self.wfile.flush()
                over.wait(0.05)
            self.send_response(receiver.answer())
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        over.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
