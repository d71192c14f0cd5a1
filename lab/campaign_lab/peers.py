"""The lab's outside world in one process: an SMTP sink and a POP3 server (Twisted).

Run by ``outside.start`` as ``python peers.py DIRECTORY ADDRESS SMTP_PORT POP3_PORT``. The lab's
own, imitating nothing of Campaign:

* any mail is accepted and put into ``DIRECTORY/mail/<address>/``, one file a mail;
* mail to ``@bounces.lab`` is for the POP3 mailbox of that login;
* mail to the domain ``bounce.example`` is answered with a bounce to its envelope sender;
* the first tracked link (``/r/?id=``) of any other mail is opened once, as a reader would;
* POP3 logins and passwords are in ``DIRECTORY/accounts.json``, read at every login;
* SIGHUP: a service named by a file ``DIRECTORY/closed/{smtp,pop3}`` stops listening, the others
  listen.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Tuple

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet import defer, protocol, reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.mail import pop3, smtp
from zope.interface import implementer

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from campaign_lab import leftovers, vanished  # noqa: E402
from campaign_lab.lab import Lab  # noqa: E402

BOUNCES = "bounces.lab"
BOUNCING = "bounce.example"
KEPT = 200  # mails kept in a mailbox that nobody reads
LINK = re.compile(rb"http://([0-9.]+)(?::(\d+))?(/r/\?id=[\x21-\x7e]+)")
_number = count()


def mailbox_directory(directory: Path, address: str) -> Path:
    """Where the mail of an address lies: the login alone for a bounce mailbox."""
    local, _, domain = address.lower().partition("@")
    name = local if domain in ("", BOUNCES) else address.lower()
    return directory / "mail" / re.sub(r"[^a-z0-9@._+-]", "_", name)


def store(directory: Path, address: str, content: bytes) -> None:
    box = mailbox_directory(directory, address)
    vanished.make(str(box))
    name = f"{time.time():.6f}.{os.getpid()}.{next(_number)}"
    draft = box / ("." + name)
    draft.write_bytes(content)
    draft.rename(box / name)
    if not address.lower().endswith("@" + BOUNCES):
        for old in mails(box)[:-KEPT]:
            old.unlink()


def mails(box: Path) -> List[Path]:
    try:
        return sorted(entry for entry in box.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        return []


def bounce(recipient: str, sender: str, content: bytes) -> bytes:
    found = re.search(rb"(?im)^message-id:\s*(\S+)", content)
    original = found.group(1).decode("ascii", "replace") if found else ""
    return (
        f"From: MAILER-DAEMON@{BOUNCING}\r\nTo: {sender}\r\n"
        f"Subject: Undelivered Mail Returned to Sender\r\n"
        f"Message-ID: <{time.time():.6f}.{next(_number)}@{BOUNCING}>\r\n\r\n"
        f"<{recipient}>: 550 5.1.1 User unknown\r\nOriginal-Message-ID: {original}\r\n"
    ).encode()


class Click(protocol.Protocol):
    """Opens one link and forgets the answer."""

    def __init__(self, host: str, path: bytes) -> None:
        self.request = b"GET %b HTTP/1.0\r\nHost: %b\r\n\r\n" % (path, host.encode())

    def connectionMade(self) -> None:
        self.transport.write(self.request)


def click(content: bytes) -> None:
    found = LINK.search(content)
    if found:
        host, port = found.group(1).decode(), int(found.group(2) or b"80")
        endpoint = TCP4ClientEndpoint(reactor, host, port, timeout=5)
        connectProtocol(endpoint, Click(host, found.group(3))).addErrback(lambda _failure: None)


@implementer(smtp.IMessage)
class Mail:
    def __init__(self, directory: Path, sender: str, recipient: str) -> None:
        self.directory, self.sender, self.recipient = directory, sender, recipient
        self.lines: List[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)

    def eomReceived(self) -> defer.Deferred[bool]:
        content = b"\r\n".join(self.lines) + b"\r\n"
        if self.recipient.lower().endswith("@" + BOUNCING):
            store(self.directory, self.sender, bounce(self.recipient, self.sender, content))
        else:
            store(self.directory, self.recipient, content)
            reactor.callLater(1, click, content)
        return defer.succeed(True)

    def connectionLost(self) -> None:
        self.lines.clear()


@implementer(smtp.IMessageDelivery)
class Delivery:
    def __init__(self, directory: Path) -> None:
        self.directory, self.sender = directory, ""

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:
        return b"Received: by the lab; %b" % smtp.rfc822date()

    def validateFrom(self, helo: Any, origin: Any) -> Any:
        self.sender = str(origin)
        return origin

    def validateTo(self, user: Any) -> Callable[[], Mail]:
        sender = self.sender
        return lambda: Mail(self.directory, sender, str(user.dest))


class Sink(smtp.SMTPFactory):
    noisy = False

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def buildProtocol(self, addr: Any) -> Any:
        talk = smtp.ESMTP()
        talk.factory, talk.delivery, talk.host = self, Delivery(self.directory), b"sink.lab"
        talk.timeout = 60
        return talk


def size(file: Path) -> int:
    """Of a mail; none if another session has deleted it meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


@implementer(pop3.IMailbox)
class Mailbox:
    """The mails of one login as they are at the login."""

    def __init__(self, box: Path) -> None:
        self.files: List[Path] = mails(box)
        self.gone: Dict[int, Path] = {}

    def _file(self, index: int) -> Path:
        if index in self.gone or not 0 <= index < len(self.files):
            raise ValueError("no such message")
        return self.files[index]

    def listMessages(self, index: Optional[int] = None) -> Any:
        if index is not None:
            return size(self._file(index))
        numbers = range(len(self.files))
        return [0 if i in self.gone else size(self._file(i)) for i in numbers]

    def getMessage(self, index: int) -> BinaryIO:
        return BytesIO(self._file(index).read_bytes())

    def getUidl(self, index: int) -> bytes:
        return self._file(index).name.encode()

    def deleteMessage(self, index: int) -> None:
        self.gone[index] = self._file(index)

    def undeleteMessages(self) -> None:
        self.gone.clear()

    def sync(self) -> None:
        for file in self.gone.values():
            file.unlink(missing_ok=True)


@implementer(ICredentialsChecker)
class Accounts:
    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, directory: Path) -> None:
        self.file = directory / "accounts.json"

    def requestAvatarId(self, credentials: Any) -> bytes:
        accounts = json.loads(self.file.read_text()) if self.file.exists() else {}
        password = accounts.get(credentials.username.decode("utf-8", "replace"))
        if password is None or not credentials.checkPassword(password.encode()):
            raise UnauthorizedLogin
        return bytes(credentials.username)


@implementer(IRealm)
class Realm:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def requestAvatar(self, avatarId: bytes, mind: Any, *interfaces: Any) -> Tuple[Any, Any, Any]:
        box = Mailbox(mailbox_directory(self.directory, avatarId.decode()))
        return pop3.IMailbox, box, lambda: None


class PostOffice(protocol.ServerFactory):
    noisy = False

    def __init__(self, directory: Path) -> None:
        self.portal = Portal(Realm(directory), [Accounts(directory)])

    def buildProtocol(self, addr: Any) -> Any:
        talk = pop3.POP3()
        talk.factory, talk.portal, talk.timeOut = self, self.portal, 60
        return talk


class Peers:
    """The two listening services, each open unless its ``closed`` file says otherwise."""

    def __init__(self, directory: Path, address: str, smtp_port: int, pop3_port: int) -> None:
        self.directory, self.address = directory, address
        self.services: Dict[str, Tuple[int, protocol.ServerFactory]] = {
            "smtp": (smtp_port, Sink(directory)),
            "pop3": (pop3_port, PostOffice(directory)),
        }
        self.listening: Dict[str, Any] = {}

    def follow(self) -> None:
        for name, (port, factory) in self.services.items():
            closed = (self.directory / "closed" / name).exists()
            if closed and name in self.listening:
                self.listening.pop(name).stopListening()
            elif not closed and name not in self.listening:
                self.listening[name] = reactor.listenTCP(port, factory, interface=self.address)


class Watch:
    """Ends all that is left of the lab once its folder is deleted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lab, self.written = Lab(str(root)), 0.0
        self.look()

    def look(self) -> None:
        if vanished.gone():
            leftovers.end_all(str(self.root), self.lab.servers.values())
            os._exit(0)
        try:
            written = os.stat(self.lab.state_path).st_mtime
            if written != self.written:  # a server was added
                self.lab, self.written = Lab(str(self.root)), written
        except (OSError, ValueError):
            pass  # it is being deleted: the servers known so far are meant
        reactor.callLater(vanished.CHECK_SECONDS, self.look)


def main(arguments: List[str]) -> None:
    directory, address, smtp_port, pop3_port = arguments
    peers = Peers(Path(directory), address, int(smtp_port), int(pop3_port))
    peers.follow()
    Watch(Path(directory).parent)
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(peers.follow))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
