# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Posting an event to a URL: bounded in time and attempts, certificates verified, no redirect.

A URL may hold a password or a token: only its scheme, host and port are ever told.

Uses the standard library only: campaign_doctor has this very file, by a link.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

PREFIX = "cloudevents+"
ATTEMPTS = 3
PAUSES = (1.0, 4.0)  # between them
ANSWER_SECONDS = 10.0
WHOLE_SECONDS = 45.0
AGAIN = frozenset((408, 425, 429))  # and 500 and above: it may go better the next time


class Unsent(Exception):
    """The event did not arrive; the text says why, and holds no secret."""


class InvalidUrl(ValueError):
    """Not a URL to post to; the text says why, and holds no secret."""


class Endpoint(NamedTuple):
    """Where to post, and as whom."""

    url: str
    headers: Mapping[str, str]
    name: str  # to be shown


def endpoint(text: str, token: str = "") -> Endpoint:
    """Of a URL, http or https; a user and a password in it become a header. Raises InvalidUrl."""
    try:
        parts = urlsplit(text.strip().removeprefix(PREFIX))
        port = parts.port
    except ValueError:
        raise InvalidUrl("it is not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidUrl("it begins neither with https:// nor with http://")
    host = parts.hostname or ""
    if not host or any(not "!" <= letter <= "~" for letter in text.strip()):
        raise InvalidUrl("it names no host, or holds a space or a letter that is not ASCII")
    address = f"[{host}]" if ":" in host else host
    address += f":{port}" if port is not None else ""
    headers = {}
    if token:
        if any(not " " <= letter <= "~" for letter in token):
            raise InvalidUrl("its token holds a letter that cannot be sent")
        headers["Authorization"] = f"Bearer {token}"
    elif parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(known).decode('ascii')}"
    url = urlunsplit((parts.scheme, address, parts.path or "/", parts.query, ""))
    return Endpoint(url, headers, f"{parts.scheme}://{address}")


def post(where: Endpoint, body: bytes, content_type: str) -> None:
    """Post until it is accepted, as `persist` does it. Raises Unsent."""
    persist(lambda: _attempt(where, body, content_type, ANSWER_SECONDS))


def persist(attempt: Callable[[], tuple[bool, str | None]]) -> None:
    """Attempt it until it works, at most ATTEMPTS times and within WHOLE_SECONDS. Raises Unsent.

    An attempt returns whether another one may help, and why it failed; None if it did not.
    """
    limit = time.monotonic() + WHOLE_SECONDS
    failure: list[Unsent] = []

    def attempts() -> None:
        for number in range(ATTEMPTS):
            failure[:] = [Unsent("it did not end in time")]
            again, why = attempt()
            if why is None:
                failure.clear()
                return
            failure[:] = [Unsent(why)]
            pause = PAUSES[number] if number + 1 < ATTEMPTS else 0.0
            if not again or time.monotonic() + pause > limit:
                return
            time.sleep(pause)

    _within(WHOLE_SECONDS, attempts)
    if failure:
        raise failure[0]


def _within(seconds: float, work: Callable[[], None]) -> None:
    """Work for no longer than that: a server that answers a byte at a time passes any time-out."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Unsent(f"it did not answer within {seconds:g} s")


class _Stay(HTTPRedirectHandler):
    """Goes nowhere else: what is posted is for the URL that was configured."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Never."""


def _opener() -> OpenerDirector:
    return build_opener(_Stay, HTTPSHandler(context=ssl.create_default_context()))


def _attempt(
    where: Endpoint, body: bytes, content_type: str, seconds: float
) -> tuple[bool, str | None]:
    """An attempt, as `persist` takes it."""
    headers = {"Content-Type": content_type, "User-Agent": "campaign.remediation", **where.headers}
    request = Request(where.url, data=body, headers=headers, method="POST")
    try:
        with _opener().open(request, timeout=seconds):
            return False, None
    except HTTPError as error:
        with error:
            return _refused(error.code)
    except URLError as error:
        return _no_answer(error.reason, seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _no_answer(error, seconds)


def _refused(code: int) -> tuple[bool, str]:
    if 300 <= code < 400:
        return False, (
            f"it answers with a redirect (HTTP {code}), which is not followed: configure the URL"
            " that it leads to"
        )
    words = http.client.responses.get(code, "")
    return code in AGAIN or code >= 500, f"it answers HTTP {code} {words}".rstrip()


def _no_answer(reason: object, seconds: float) -> tuple[bool, str]:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return False, (
            f"its certificate is not trusted ({reason.verify_message}): add its authority to the"
            " system's, or name it in SSL_CERT_FILE"
        )
    if isinstance(reason, TimeoutError):
        return True, f"no answer within {seconds:g} s"
    if isinstance(reason, socket.gaierror):
        return True, "the name of its host is not known"
    if isinstance(reason, OSError) and reason.strerror:
        return True, reason.strerror.lower()
    return True, f"no valid answer ({type(reason).__name__})"
