"""What listens where a probe asks, and answers so that it never ends, or breaks who reads it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

Answer = Callable[[], Iterator[bytes]]

HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n"


def peer(answer: Answer, greets: bool = False) -> Callable[[socket.socket], None]:
    """Serve each caller this answer, at once (greets) or after what it sends."""

    def serve(listener: socket.socket) -> None:
        import threading

        def talk(caller: socket.socket) -> None:
            try:
                if not greets:
                    caller.recv(65536)
                for block in answer():
                    caller.sendall(block)
                caller.shutdown(socket.SHUT_WR)
                caller.recv(65536)
            except OSError:
                pass
            finally:
                caller.close()

        while True:
            caller, _address = listener.accept()
            threading.Thread(target=talk, args=(caller,), daemon=True).start()

    return serve


def endless(block: bytes, head: bytes = HEAD) -> Answer:
    """The same again and again."""

    def answer() -> Iterator[bytes]:
        yield head
        while True:
            yield block * 100

    return answer


def slow(text: bytes, head: bytes = HEAD) -> Answer:
    """A byte now and then."""

    def answer() -> Iterator[bytes]:
        yield head
        for _round in range(1000):
            for byte in text:
                yield bytes([byte])
                time.sleep(0.05)

    return answer


def whole(text: bytes, head: bytes = HEAD) -> Answer:
    """All at once."""
    return lambda: iter([head + text])
