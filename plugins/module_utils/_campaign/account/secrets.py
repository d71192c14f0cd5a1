# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The passwords of an installation: removed from texts here, and never passed on."""

import base64
import json
import os
import pwd
import re

from ..text import decode, mask, with_texts
from .files import regular

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, List, Set

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~")
FILE_LIMIT = 4 * 1024 * 1024
TOKEN_LIMIT = 64 * 1024  # of a file that holds a secret
TOKEN_FILES = 20
TOKEN_LINES = 3
FILES = 100
MOST = 100
# An attribute of a configuration file that holds a secret, and what its name ends with.
_ENDS = (
    b"pass", b"pwd", b"secret", b"token", b"apikey", b"privatekey", b"imscode", b"headervalue",
)  # fmt: skip
_ATTRIBUTE = re.compile(
    rb"""(?:pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|private)key|imscode|headervalue)"""
    rb"""\s{0,20}=\s{0,20}("[^"]{0,1000}"|'[^']{0,1000}')""",
    re.I,
)
# A file that holds the token of a vault. Only $(HOME) is expanded.
_TOKEN_FILE = re.compile(
    rb"""vaulttokenpath\s{0,20}=\s{0,20}("[^"]{0,4096}"|'[^']{0,4096}')""", re.I
)
_DEFAULT_TOKEN_FILE = "$(HOME)/.vaulttoken"


class Scrubber:
    """Takes passwords out of text: what looks like one, and the server's own by their value."""

    def __init__(self, conf: str) -> None:
        self._known = passwords_in(conf)

    def __call__(self, text: str) -> str:
        return "\n".join(mask(line) for line in self._known(text).split("\n"))


def passwords_in(conf: str) -> "Passwords":
    """The passwords in the files of a configuration directory, as far as they can be read."""
    values: "List[str]" = []
    token_files: "List[str]" = []
    try:
        names = sorted(name for name in os.listdir(conf) if name.endswith(".xml"))
    except OSError:
        names = []
    for name in names[:FILES]:
        try:
            with regular(os.path.join(conf, name)) as stream:
                data = stream.read(FILE_LIMIT)
        except OSError:
            continue
        values.extend(secret_values(data))
        token_files.extend(token_paths(data))
    tokens: "List[str]" = []
    for path in list(dict.fromkeys(token_files))[:TOKEN_FILES]:
        tokens.extend(_token_values(path))
    return Passwords(tokens + values)


def token_paths(data: bytes) -> "List[str]":
    """The files of vault tokens that a configuration file names, or means by not naming one."""
    found: "List[str]" = []
    low = data.lower()
    at = low.find(b"vaulttokenpath")
    while at >= 0 and len(found) < TOKEN_FILES:
        attribute = _TOKEN_FILE.match(data, at)
        if attribute:
            path = decode(attribute.group(1)[1:-1]).strip()
            found.append(_unescaped(path) if "&" in path else path)
        at = low.find(b"vaulttokenpath", at + 1)
    if b"usevault" in low:
        found.append(_DEFAULT_TOKEN_FILE)
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir if found else ""
    except KeyError:
        home = ""
    paths = [path.replace("$(HOME)", home) for path in found]
    return [path for path in paths if path.startswith("/") and "\0" not in path]


def _token_values(path: str) -> "List[str]":
    """What a token's file holds: its first lines, each of which could be the token."""
    try:
        with regular(path) as stream:
            lines = decode(stream.read(TOKEN_LIMIT)).splitlines()
    except (OSError, ValueError):
        return []
    return [line.strip() for line in lines if len(line.strip()) > 3][:TOKEN_LINES]


def secret_values(data: bytes) -> "List[str]":
    """The secrets in a configuration file's bytes, however it is broken, in their order."""
    found: "Dict[int, str]" = {}
    low = data.lower()
    for end in _ENDS:
        at = low.find(end)
        while at >= 0 and len(found) < 10 * MOST:
            attribute = _ATTRIBUTE.match(data, at)
            if attribute:
                found[at] = decode(attribute.group(1)[1:-1])
            at = low.find(end, at + 1)
    return [found[at] for at in sorted(found) if len(found[at]) > 3]


class Passwords:
    """Takes secrets that are known out of text, in whatever spelling they are there.

    A value of less than four characters would be found everywhere: it is left alone.
    """

    def __init__(self, values: "Iterable[str]") -> None:
        spelled: "Set[str]" = set()
        for value in list(dict.fromkeys(values))[:MOST]:
            spelled.update(_spellings(value))
        self._words = sorted((w for w in spelled if len(w) > 3), key=lambda w: (-len(w), w))

    def __call__(self, text: str) -> str:
        for word in self._words:
            if word in text:
                text = text.replace(word, "***")
        return text

    def hide(self, data: "Any") -> "Any":
        """A probe's data without them, in its texts."""
        return with_texts(data, self) if self._words else data


def _spellings(value: str) -> "Set[str]":
    """As written in the file, decoded, and as encoded in XML, JSON, a URL or base64."""
    meant = _unescaped(value) if "&" in value else value
    held = meant.encode("utf-8", "surrogateescape")
    xml = meant.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quoted = xml.replace('"', "&quot;")
    url = "".join(chr(byte) if byte in _PLAIN else "%%%02X" % byte for byte in held)
    return {
        value,
        meant,
        xml,
        quoted,
        quoted.replace("'", "&apos;"),
        quoted.replace("'", "&#39;"),
        quoted.replace("'", "&#x27;"),
        json.dumps(meant)[1:-1],
        json.dumps(meant, ensure_ascii=False)[1:-1],
        url,
        url.replace("%20", "+"),
        base64.b64encode(held).decode("ascii").rstrip("="),
    }


def _unescaped(value: str) -> str:
    from html import unescape  # with all names of characters: rarely worth its time

    return unescape(value)
