"""Posting an event: what is tried again, what is not, how long it may take, and what is never told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from receiver import receiving
from tls import certificate, in_front_of

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    event,
    webhook,
)

SECRET = "s3cr3t-of-the-url"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))


def send(url: str, token: str = "") -> None:
    webhook.post(webhook.endpoint(url, token), b'{"id": 1}', event.CONTENT_TYPE)


def failure(url: str) -> str:
    with pytest.raises(webhook.Unsent) as refused:
        send(url)
    assert SECRET not in str(refused.value)
    return str(refused.value)


def test_it_arrives_once_in_structured_mode() -> None:
    with receiving() as receiver:
        send(f"cloudevents+{receiver.url}/hook?{SECRET}")
    (got,) = receiver.got
    assert (got.path, got.json) == (f"/hook?{SECRET}", {"id": 1})
    assert got.headers["content-type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize(("user", "token", "sent"), [
    ("anna:p%40ss@", "", "Basic YW5uYTpwQHNz"), ("", "abc", "Bearer abc"), ("", "", None),
])  # fmt: skip
def test_who_posts(user: str, token: str, sent: str | None) -> None:
    with receiving() as receiver:
        send(receiver.url.replace("//", f"//{user}"), token)
    assert receiver.got[0].headers.get("authorization") == sent


def test_a_server_in_trouble_is_asked_again() -> None:
    with receiving(500, 503, 204) as receiver:
        send(receiver.url)
    assert len(receiver.got) == 3


def test_it_gives_up_after_three_attempts() -> None:
    with receiving(500) as receiver:
        assert failure(f"{receiver.url}/{SECRET}") == "it answers HTTP 500 Internal Server Error"
    assert len(receiver.got) == webhook.ATTEMPTS


@pytest.mark.parametrize("code", [400, 401, 404])
def test_what_cannot_go_better_is_not_tried_again(code: int) -> None:
    with receiving(code) as receiver:
        assert f"HTTP {code}" in failure(receiver.url)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with receiving() as other, receiving(code, location=f"{other.url}/{SECRET}") as receiver:
        assert "redirect" in failure(receiver.url)
    assert (len(receiver.got), other.got) == (1, [])


def test_a_server_that_never_ends_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "WHOLE_SECONDS", 0.5)
    begun = time.monotonic()
    with receiving(slow=True) as receiver:
        assert failure(receiver.url) == "it did not answer within 0.5 s"
    assert time.monotonic() - begun < 10


def test_a_server_that_is_not_there() -> None:
    with receiving() as receiver:
        pass
    assert failure(f"{receiver.url}/{SECRET}") == "connection refused"


def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(tmp_path)
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        with in_front_of("127.0.0.1", port, cert, key) as url:
            assert "certificate is not trusted" in failure(url)
            assert receiver.got == []
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            send(url)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("url", [
    f"ftp://{SECRET}@host/", f"https://{SECRET}@/x", f"https://h:{SECRET}/", f"https://h/{SECRET} x",
    f"https://[{SECRET}/", SECRET, f"https://h/\u00e9{SECRET}",
])  # fmt: skip
def test_what_is_no_url_is_refused_without_saying_it(url: str) -> None:
    with pytest.raises(webhook.InvalidUrl) as refused:
        webhook.endpoint(url)
    assert SECRET not in str(refused.value)


def test_only_scheme_host_and_port_are_told() -> None:
    where = webhook.endpoint(f"https://{SECRET}:{SECRET}@[::1]:5000/{SECRET}?{SECRET}")
    assert where.name == "https://[::1]:5000"
