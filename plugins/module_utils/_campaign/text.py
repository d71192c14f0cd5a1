# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Readable text: no secrets, no control characters, cut."""

import pwd
import re

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List

# What is named like this is secret, in whatever the name ends with it: internalPassword, strToken.
_NAMES = (
    r"(?:pass(?:words?|wd|phrases?|wort|e)?|pwd|kennwort|senha|contrase\w{1,3}a|wachtwoord"
    r"|secret|token|credentials?|(?:api|private|access)[-_]?key|jwt|imscode|headervalue"
    r"|authorization)"
)
_SAME = r"(?:setdblogin|setimsjwtauth|login|key|[\w-]{0,40}" + _NAMES + ")"  # as options
# A value ends at a blank, a quote or a bracket, and where the next name=value begins.
_VALUE = (
    r"(?:\"(?:[^\"\\]|\\[\s\S])*\"?|'(?:[^'\\]|\\[\s\S]|'')*'?"
    r"|\\+\"[^\"]*\"?|\\+'[^']*'?"
    r"|&(?:quot|apos|#3[49]|#x2[27]);(?:[^&]|&(?!quot;|apos;|#3[49];|#x2[27];))*"
    r"|(?:[^\s,;&\"'<>\\]|\\(?![\"'])"
    r"|[,;&](?=[^\s\"'<>])(?!(?:amp;)?[\w.$-]{1,40}\s?[=:]))+)"
)
_GIVEN = re.compile(
    "(" + _NAMES + r"\\{0,3}[\"'\])]{0,2}(?:\s{0,40}(?:=>|:=|[:=>]|&gt;|%3[ad])\s{0,40}"
    r"(?:(?:basic|bearer|digest|negotiate)\s{1,9})?)"
    r"|(?:pass(?:word|wd|phrase)?|pwd|identified\s{1,9}by)\s{1,40}(?=[\"']))(" + _VALUE + ")",
    re.I,
)
_ELEMENT = re.compile(
    r"(<[\w:.-]{0,60}?" + _NAMES + r"\w{0,20}(?:\s[^<>]{0,300})?>\s{0,40}(?:<!\[CDATA\[)?)([^<]+)",
    re.I,
)
_OPTION = re.compile(
    r"((?<![\w-])-{1,2}" + _SAME + r"(?:[:=]|\s{1,9}(?![-.,)`\s])))(\"[^\"]*\"?|'[^']*'?|\S+)", re.I
)
_PLAIN_OPTION = re.compile(
    r"((?<![\w-])-p(?:[:=]|\s{1,9}))(?![-/\s]|\d{1,5}(?:\s|$))(\"[^\"]*\"?|'[^']*'?|\S+)"
)
_USER_OPTION = re.compile(
    r"((?<![\w-])(?:-u|--?user)(?:[:=]|\s{1,9})[\"']?[^\s:\"'-][^\s:\"']{0,200}:)(?!//)([^\s\"']+)"
)
_LONE_OPTION = re.compile(r"(?:-{1,2}" + _SAME + r"|-p)$", re.I)
_LONE_USER = re.compile(r"(?:-u|--?user)$")
_NAME_AND_PASSWORD = re.compile(r"[^:]*:(?!//)")  # after -u, where an address is possible, too
_WHOLE = re.compile(r"((?:-{1,2}" + _SAME + r"|-p|\w{0,40}" + _NAMES + r")[:=])[\s\S]", re.I)
_NO_SECRET = re.compile(r"/|\d{1,5}$")  # -p with a path or a port
_URL = re.compile(r"(://[^/\s:@\"'<>]*):[^/\s\"'<>]+@")
# As the server encrypts; not the [@internalName='x'] of an expression.
_CODED = re.compile(
    r"(?<![\w.])@(?:(?=[A-Za-z]*[0-9+/])[A-Za-z0-9+/]{12,}=|[A-Za-z0-9+/]{12,}==)=?"
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){1,4}")
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----)[^-]*")
# Without one of these no text has a name of _NAMES in it.
_HINTS = (
    "pass", "pwd", "secret", "token", "credential", "kennwort", "senha", "contrase", "wachtwoord",
    "key", "authori", "jwt", "imscode", "headervalue", "identified",
)  # fmt: skip
# The keys of a snapshot below which texts of others are: of logs, programs, command lines, pages.
TEXTS = (
    "sample", "signature", "message", "arguments", "args", "header", "unrecognised", "output",
    "body", "soap_fault",
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def mask(text: str) -> str:
    """The text without what looks like a password; it takes time in proportion to its length."""
    low = text.lower()
    named = any(hint in low for hint in _HINTS)
    if "://" in low:
        text = _URL.sub(r"\1:***@", text)
    if named and "<" in low:
        text = _ELEMENT.sub(r"\1***", text)
    if "-" in low:
        if named or "login" in low:
            text = _OPTION.sub(r"\1***", text)
        if named:
            text = _PEM.sub(r"\1***", text)
        if "-u" in low:
            text = _USER_OPTION.sub(r"\1***", text)
        if "-p" in low:
            text = _PLAIN_OPTION.sub(r"\1***", text)
    if named:
        text = _GIVEN.sub(r"\1***", text)
    if "@" in low and "=" in low:
        text = _CODED.sub("***", text)
    return _JWT.sub("***", text) if "eyj" in low else text


def mask_arguments(arguments: "Iterable[str]") -> "List[str]":
    """A command line's arguments without what looks like a password."""
    masked = []
    before = ""
    for argument in arguments:
        after = before.startswith("-") and not argument.startswith("-")
        hide = after and _LONE_OPTION.match(before)
        whole = (":" in argument or "=" in argument) and _WHOLE.match(argument)
        if hide and not (before.lower() == "-p" and _NO_SECRET.match(argument)):
            masked.append("***")
        elif after and _LONE_USER.match(before) and _NAME_AND_PASSWORD.match(argument):
            masked.append(clean(argument.partition(":")[0], 300) + ":***")
        elif whole and not (whole.group(1) in ("-p:", "-p=") and _NO_SECRET.match(argument[3:])):
            masked.append(whole.group(1) + "***")
        else:
            masked.append(clean(argument, 300))
        before = "" if hide else argument
    return masked


def with_texts(data: "Any", change: "Callable[[str], Any]", inside: bool = False) -> "Any":
    """A probe's data with its texts changed, but not the names of things."""
    if isinstance(data, dict):
        return dict(
            (key, with_texts(data[key], change, inside or key in TEXTS)) for key in data
        )
    if isinstance(data, list):
        return [with_texts(each, change, inside) for each in data]
    return change(data) if inside and isinstance(data, str) else data


def printable(text: str) -> str:
    """The text without control characters and halves of characters; tab and newline stay."""
    return text if text.isprintable() else _CONTROL.sub("?", text)


def clean(text: str, limit: int = 500) -> str:
    """One readable text: no secrets, no control characters (tab and newline stay), cut."""
    text = printable(mask(text[: limit * 4]))
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def number(text: "Any", default: "Any" = None) -> "Any":
    """The integer that a text holds, else the default: also for one longer than any that is meant.
    """
    try:
        return int(text) if len(text) <= 20 else default
    except (TypeError, ValueError):
        return default


def below(path: str, directory: str) -> bool:
    """Is the path the directory itself or something in it?"""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def fields(text: str) -> "Dict[str, int]":
    """`Name:  12 kB` lines: name to integer."""
    values = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and words and number(words[0]) is not None:
            values[name.strip()] = int(words[0])
    return values


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def decode(data: bytes) -> str:
    """Text of a command or file in an unknown encoding."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("iso-8859-15")
