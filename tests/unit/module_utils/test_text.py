"""Masking and cleaning."""

from __future__ import annotations

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.text import (
    below,
    clean,
    mask_arguments,
)

SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"PASSWORD = '{SECRET}'",
        f'"strPassword": "{SECRET}"',
        f"<pstrSessionToken>{SECRET}</pstrSessionToken>",
        f"pwd:{SECRET}",
        f"connect to postgresql://camp:{SECRET}@db:5432/x failed",
        f"http://:{SECRET}@host/",
        f"nlserver config -setdblogin:PostgreSQL:camp/{SECRET}@db",
        f"Authorization: Basic {SECRET}",
        f"__sessiontoken={SECRET};path=/",
        f"api-key: {SECRET}",
        f'password="a {SECRET}',
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert SECRET not in clean(text)
    assert "***" in clean(text)


def test_ordinary_text_is_left_alone() -> None:
    for text in ("PostgreSQL error: x (iRc=-2006)", "http://host:8080/r/test", "Login failed"):
        assert clean(text) == text


def test_arguments() -> None:
    arguments = ["-instance:prod", f"-login:admin/{SECRET}", "-password", SECRET, "-verbose"]
    assert mask_arguments(arguments) == [
        "-instance:prod",
        "-login:***",
        "-password",
        "***",
        "-verbose",
    ]
    assert mask_arguments(["-token", "-verbose"]) == ["-token", "-verbose"]


def test_control_characters_cannot_reach_a_terminal() -> None:
    assert clean("a\x1b[2J\x00b\tc\nd\r\u2028\udce9") == "a?[2J?b\tc\nd???"


def test_cut() -> None:
    assert len(clean("x" * 10000, 100)) == 100
    assert clean("x" * 100, 100) == "x" * 100


def test_below() -> None:
    assert below("/a/nl6", "/a/nl6")
    assert below("/a/nl6/bin/nlserver", "/a/nl6/")
    assert not below("/a/nl62/bin", "/a/nl6")
