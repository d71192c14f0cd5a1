"""A real SMTP server on this machine, which keeps the mails that it gets."""

from __future__ import annotations

import contextlib
from asyncio import Server
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Mailbox:
    """`refuses`: how many mails are refused before one is taken."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.mails: list[EmailMessage] = []
        self.tried = 0
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """A mail."""
        self.tried += 1
        if self.tried <= self.refuses:
            return "451 try again later"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def url(self, secret: str = "") -> str:
        """The mailbox as apprise has it."""
        user = f"doctor:{secret}@" if secret else ""
        return (f"mailto://{user}127.0.0.1:{self.port}?from=doctor@example.com&to=team@example.com"
                "&mode=insecure")  # fmt: skip


def text_of(mail: EmailMessage) -> str:
    """What a person reads."""
    part = mail.get_body(("plain", "html"))
    assert part is not None
    return str(part.get_content())


class _Anywhere(Controller):
    """At a port that is free; aiosmtpd itself only knows a given one."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def mailbox(refuses: int = 0) -> Iterator[Mailbox]:
    """A server that listens until the block ends."""
    box = Mailbox(refuses)
    controller = _Anywhere(
        box, hostname="127.0.0.1", port=0, auth_require_tls=False,
        authenticator=lambda *_arguments: AuthResult(success=True),
    )
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
