# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where a message goes: a service that apprise knows, or a webhook that takes events.

A URL may hold a password or a token. It is never shown: a target is called by its number and the name of
its service, and what a service answers is shown without any part of the URL.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from ..errors import DoctorError
from ..shared import event, webhook
from .message import Message
from .settings import Notify

MISSING = "apprise is not installed: pip install 'campaign-doctor[notify]', or 'apprise>=2.2' beside it"
LEAST_OF_A_SECRET = 4  # letters; a shorter part of a URL is none


class Target(Protocol):
    """A place to send to. `name` is to be shown, `id` tells it from all others."""

    name: str
    id: str

    def send(self, message: Message) -> None:
        """Send, with retries. Raises webhook.Unsent."""


class Given(NamedTuple):
    """A URL and where it was found."""

    url: str
    origin: str
    token: str = ""


def targets(settings: Notify, given: Sequence[str], folder: Path) -> list[Target]:
    """Those of the command line or the environment, else those of the file. Raises DoctorError."""
    if given:
        urls = list(_urls(given, "--notify", Path()))
    else:
        urls = list(_urls(settings.urls, "notify.urls", folder))
        for number, hook in enumerate(settings.webhook, 1):
            origin = f"notify.webhook {number}"
            url, token = (_content(text, origin, folder) for text in (hook.url, hook.token))
            urls.append(Given(webhook.PREFIX + url.removeprefix(webhook.PREFIX), origin, token))
    return [_target(each, number) for number, each in enumerate(urls, 1)]


def _urls(given: Sequence[str], origin: str, folder: Path) -> Iterator[Given]:
    for text in given:
        if not text.startswith("@"):
            yield Given(text, origin)
            continue
        for number, line in enumerate(_content(text, origin, folder).splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield Given(line.strip(), f"{text[1:]}, line {number}")


def _content(text: str, origin: str, folder: Path) -> str:
    """The text, or what is in its file."""
    if not text.startswith("@"):
        return text
    path = folder / Path(text[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise DoctorError(f"{origin}: {path} cannot be read: {why}. No host was asked.") from None


def _target(given: Given, number: int) -> Target:
    name = f"target {number}"
    try:
        if given.url.startswith(webhook.PREFIX):
            return Hook(given, name)
        return Service(given, name)
    except webhook.InvalidUrl as error:
        raise DoctorError(
            f"Notification {name} ({given.origin}) cannot be used: {error}. No host was asked."
        ) from None


def _id(given: Given) -> str:
    return hashlib.sha256(given.url.encode("utf-8", "replace")).hexdigest()


class Hook:
    """A webhook that takes CloudEvents."""

    def __init__(self, given: Given, name: str) -> None:
        self._where = webhook.endpoint(given.url, given.token)
        self.name = f"{name} ({self._where.name})"
        self.id = _id(given)

    def send(self, message: Message) -> None:
        """Post the event."""
        webhook.post(self._where, event.as_bytes(message.event), event.CONTENT_TYPE)


class Service:
    """A service that apprise knows."""

    def __init__(self, given: Given, name: str) -> None:
        try:
            import apprise  # noqa: PLC0415  an extra, and slow to load
        except ImportError:
            raise webhook.InvalidUrl(MISSING) from None
        self._apprise: Any = apprise
        self._url = given.url
        # In the thread that calls, which is a daemon's: one of apprise's own that hangs would keep
        # the command from ending.
        asset = apprise.AppriseAsset(
            app_id="campaign-doctor", app_desc="campaign-doctor", app_url="", async_mode=False,
            service_timeout=0,
        )
        with _Heard():
            self._plugin: Any = apprise.Apprise.instantiate(given.url, asset=asset)
        if self._plugin is None:
            kind = re.match(r"[A-Za-z][A-Za-z0-9+-]*(?=://)", given.url)
            raise webhook.InvalidUrl(
                f"apprise does not know such a URL ({kind[0]}://…)" if kind else
                "it is not a URL, such as mailtos://…"
            )
        if "overflow=" not in given.url:  # one message for a run
            self._plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
        self.name = f"{name} ({self._plugin.service_name})"
        self.id = _id(given)

    def send(self, message: Message) -> None:
        """Hand it to the service."""
        webhook.persist(lambda: self._attempt(message))

    def _attempt(self, message: Message) -> tuple[bool, str | None]:
        sender = self._apprise.Apprise(asset=self._plugin.asset)
        sender.add(self._plugin)
        kinds = self._apprise.NotifyType
        kind = {"critical": kinds.FAILURE, "warning": kinds.WARNING, "ok": kinds.SUCCESS}
        with _Heard() as heard:
            sent = sender.notify(
                title=message.title, body=message.body, notify_type=kind.get(message.tone, kinds.INFO),
                body_format=self._apprise.NotifyFormat.TEXT,
            )
        why = without_secrets(heard.last, self._url) or "it was not accepted"
        return True, None if sent else why


class _Heard(logging.Handler):
    """What apprise logs in this thread; shown nowhere by itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._thread = threading.get_ident()

    def __enter__(self) -> _Heard:
        logger = logging.getLogger("apprise")
        logger.propagate = False
        logger.addHandler(self)
        return self

    def __exit__(self, *_error: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last one."""
        if record.thread == self._thread:
            self.last = record.getMessage()


def without_secrets(text: str, url: str) -> str:
    """The first line of a text, without any part of a URL but its scheme."""
    parts = re.split(r"[/:@?&=#]+", url.partition("://")[2])
    try:
        split = urlsplit(url)
        parts += [split.username or "", *split.path.split("/"), split.query]
        password = split.password or ""
    except ValueError:
        password = ""
    secrets = {each for part in parts for each in (part, unquote(part))
               if len(each) >= LEAST_OF_A_SECRET}  # fmt: skip
    secrets |= {password, unquote(password)} - {""}
    line = (text.strip().splitlines() or [""])[0]
    for secret in sorted(secrets, key=len, reverse=True):
        line = re.sub(re.escape(secret), "****", line, flags=re.IGNORECASE)
    return line.rstrip(". ")[:300]
