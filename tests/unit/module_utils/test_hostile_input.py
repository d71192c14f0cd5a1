"""Every parser on a host reads what an enemy writes: no exception but the declared one, in linear
time, with a bounded answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings, strategies as st
from unit.growth import check_linear

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import (
    addresses,
    console,
    text,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    answers,
    configuration,
    logs,
    parsers,
    redirection,
    secrets,
    settings as kept,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.api import soap
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import (
    front,
    ipc,
    network,
    proc,
    services,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import ledger
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import in_flight


def configured(data: bytes) -> Any:
    """What is told of modules whose files all hold this."""
    document = configuration.parse(data)
    names = ("serverConf.xml", "config-default.xml", "config-prod.xml")
    documents = dict.fromkeys(names, document)
    told = [kept.modules_of(i, documents, ["default", "prod"]) for i in ("default", "prod")]
    return told, document.sources, document.error


SIZE = 3_000
NOW = 1_763_467_200.0


class Parser(NamedTuple):
    """A function that reads what an enemy wrote, and what to feed it."""

    parse: Callable[[str], Any]
    seeds: tuple[str, ...]
    """What it looks for: patterns are made of these."""
    declared: tuple[type[Exception], ...] = ()
    wide: int = 4
    """How much longer than its input the answer may be."""


def as_bytes(value: str) -> bytes:
    """The bytes of a text that may hold halves of characters, and bytes that are no text."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def grouped(value: str) -> object:
    groups = logs.Groups()
    for line in value.split("\n"):
        groups.add(line, 0.0)
    return groups.as_data()


def of_ledger(value: str) -> object:
    lines = ledger._entries([as_bytes(value)])
    return [ledger.summary(lines, NOW), ledger.restarts(lines, "mta", "prod", 0.0)]


def of_log_line(value: str) -> object:
    line = logs.parse_line(value)
    return line and [line.at, line.pid, line.level, line.category, line.message]


class Says:
    """A command that prints a text."""

    def __init__(self, value: str) -> None:
        self.out = as_bytes(value)

    def run(self, _command: list[str], _limit: float) -> Says:
        return self


OTHER_SHAPES = (
    ">", "SEVERE: ", "2020-03-04 06:01:13 Mar 04, 2020 6:01:13 AM ", "Mar 04, 2020 ",
    "03/11/2021 6:35:29 AM ", "00000000 00000000 1 error ",
)  # fmt: skip
ALIKE = secrets.Passwords(
    sorted({"a" * n for n in range(4, 60)} | {f"word{n}" for n in range(3000)})
)
"""Passwords that have much in common."""


LOG = "2025-11-18 12:00:00.000Z\t00001000\t00001000\t1\terror\tlog\t"
OLD_LOG = "2025-11-18 12:00:00 00001000 1 error log "
BEGUN = '{"event": "begun", "at": 1, "run": "r", "module": "mta", "instance": "prod", "restart": '
KERNELS = (ValueError,)
"""Of tables that the kernel alone writes, numbers are numbers."""
PARSERS = {
    "pdump": Parser(
        parsers.pdump,
        (
            "mta@prod (1) - 9.2 Mb",
            "12:00:01 > ",
            "(build",
            "(",
            ")",
            "1 ",
            "-",
            "@",
            ".",
            "--------",
            "mta@prod (1) - ",
            "\u00a0",
            "No tasks",
            "\n",
        ),
    ),
    "missing": Parser(parsers.missing, ("mta@prod", "@", ".", " ", "\n", "12:00:01 >")),
    "environment": Parser(
        lambda value: parsers.environment(as_bytes(value)), ("A=b", "=", "\0", "\n")
    ),
    "configuration": Parser(
        lambda value: configured(as_bytes(value)),
        (
            "<serverconf>",
            "<shared>",
            "<mta args='x'/>",
            "<a ",
            "<a>",
            "</a>",
            "b='c' ",
            "&a;",
            "<!--",
            "<!DOCTYPE x [<!ENTITY a 'b'>]>",
            "<![CDATA[",
            "]]>",
            "<?xml version='1.0' encoding='",
            "<dataSource name='x'><dbcnx server='y'/></dataSource>",
        ),
    ),
    "line of a log": Parser(of_log_line, (LOG, "2025-11-18 12:00:00Z ", "\t", " ", "1", "error")),
    "lines of a log": Parser(
        grouped,
        (
            LOG,
            "\n",
            OLD_LOG + "start (pid=1)\n",
            "start (pid=1)",
            "reload config",
            "password=x",
            "a@b.c",
            "0x1f",
            "1.2",
            "iRc= -1",
            "XSV-350008 ",
            "re-read quota",
            "quota read",
            "#012",
            "://a:b@",
        ),
    ),
    "mask": Parser(
        text.mask,
        (
            "password",
            "password=",
            "=",
            ":",
            " ",
            "'",
            '"',
            "://",
            "@",
            "-login:",
            "token",
            "basic ",
            "authorization: ",
            "<",
            "x",
        ),
    ),
    "clean": Parser(lambda value: text.clean(value, 300), ("\x1b", "\ud800", "x", "password=a ")),
    "arguments": Parser(
        lambda value: text.mask_arguments(value.split(" ")),
        ("-password ", "--token", "-", " ", "x", "="),
    ),
    "command line": Parser(
        lambda value: proc.describe_arguments(value.split(" ")),
        (
            "nlserver ",
            "mta ",
            "-instance:",
            "-tracefile:a@b ",
            "-tracefilter:x ",
            "-verbose ",
            "@",
            "/",
        ),
    ),
    "process": Parser(
        proc.parse_status, ("1 (", "x) ", ") ", "(", "R 1 1 1 ", "9"), (ValueError, IndexError)
    ),
    "sockets": Parser(
        lambda value: proc.parse_sockets(value.split("\n"), "udp"),
        (
            "0: 0100007F:029A 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 ",
            " 07 ",
            "\n",
            ":",
            "F",
            "0 ",
        ),
        KERNELS,
    ),
    "segments": Parser(
        ipc.parse, ("key shmid perms\n", "1 2 3\n", "-", "9", " ", "\n"), KERNELS
    ),
    "unknown task": Parser(
        console.unknown_task, ("no task corresponds to the mask ", "pipelined@prod", " ", "'")
    ),
    "mapped library": Parser(
        lambda value: bool(front._MAPPED.search(value)),
        ("7f-7f r-xp 00 08:01 1 /", "/libnlsrvmod.so", " (deleted)", " ", "\n"),
    ),
    "include of the web server": Parser(
        lambda value: bool(front._INCLUDE.match(value)),
        ("Include ", "/", "/apache_neolane.conf", '"', " ", "\t")
    ),
    "tracking line": Parser(
        lambda value: bool(redirection._LINE.fullmatch(as_bytes(value))),
        ("50x0", "\t", ",", "0", "a", ".", "50x0" + "\t" * 10),
    ),
    "page": Parser(
        lambda value: network.hints(200, value),
        (
            "<redir ",
            "<redir build='1'/>",
            "build='",
            "<!--",
            "-->",
            "<faultstring>",
            "</faultstring>",
            "<detail>",
            "</detail>",
            "<a:detail",
            "<form",
            "xtk:session",
            "java.lang.",
            "at a.b(C.java:1)",
            "<",
            ">",
            "'",
            " ",
            "\n",
            "a:",
            "=",
        ),
    ),
    "operators": Parser(
        lambda value: in_flight.sessions(value, NOW),
        (
            "Connections\n",
            "18/11/2025 12:00:00 1.2.3.4 prod anna\n",
            "99/99/9999 99:99:99 a b c\n",
            " ",
            "\n",
        ),
    ),
    "ledger": Parser(
        of_ledger,
        (
            BEGUN + "true}\n",
            BEGUN + "[]}\n",
            '{"event": "ended", "at": "x"}\n',
            "[",
            "{",
            '{"event": ',
            '"begun"',
            "1e999",
            "9" * 300,
            "\n",
            "null",
            "\\ud800",
        ),
        wide=40,
    ),
    "answer of the API": Parser(
        lambda value: soap.parse(as_bytes(value)).all_text(),
        (
            "<a>",
            "</a>",
            "<a/>",
            "<x:a b='c'>",
            "&amp;",
            "text",
            "<!DOCTYPE x>",
            "<![CDATA[",
            "]]>",
        ),
        (ValueError,),
    ),
    "decode": Parser(lambda value: text.decode(as_bytes(value)), ("\udce9", "é", "x")),
    "printable": Parser(text.printable, ("\x1b", "\ud800", "x", "\n")),
    "fields": Parser(text.fields, ("1 ", "a", "\t")),
    "number": Parser(text.number, ("9", "-", " ", "1.")),
    "units": Parser(services.units, ("Id=a\n", "=", "\n\n", "MainPID=1\n")),
    "log line of another shape": Parser(
        lambda value: [of_log_line(start + value) for start in OTHER_SHAPES],
        ("SEVERE: ", "Mar 04, 2020 6:01:13 AM ", " AM ", "error", " ", ":", "1"),
        wide=40,
    ),
    "journal": Parser(
        lambda value: services.journal(Says(value), "nlserver", 1.0),
        ("1764331200.000000 app1 nlserver[77]: x\n", "\n", ".", "[", "]: "),
    ),
    "log kind": Parser(logs.kind_of, ("reload", "re-load config", "config ")),
    "log signature": Parser(logs.signature, ("deadbeef", "1234567890", "0x1f", "'a'", "1.2")),
    "log codes": Parser(logs.codes, ("ABC-123456 ", "iRc = ", "errno=", "iRc=-52")),
    "log pid": Parser(logs.told_pid, ("start (pid=1)", "(pid=", "9")),
    "redir": Parser(network.redir, ("<redir ", "<redir a='", "build='1'", "'", "/>")),
    "error page": Parser(
        lambda value: network.hints(500, value),
        ("<faultstring>", "<detail", "java.lang.", "at a.b(", "<", "</"),
    ),
    "address": Parser(addresses.split_address, ("a:", ":1", "[", "]", "9")),
    "url": Parser(addresses.split_url, ("http://", "https://a@", ":1", "/", "["), (ValueError,)),
    "database": Parser(
        lambda value: network.database(value, "postgresql"), ("db:1", ":/", "\\", "[")
    ),
    "password attributes": Parser(
        lambda value: secrets.secret_values(as_bytes(value)),
        ("password='", "token='", 'secret="', "pwd = ", "'"),
    ),
    "files of tokens": Parser(
        lambda value: secrets.token_paths(as_bytes(value)),
        ("vaultTokenPath='/", "vaultTokenPath = ", "usevault", "$(HOME)", "'"),
        wide=20,
    ),
    "scrubber": Parser(ALIKE, ("aaaa", "word1", "word", "a")),
    "answer of the child": Parser(
        lambda value: answers.opened(as_bytes(value)),
        ('{"name": "a", "data": null, "error": null, "seconds": 0.1}', "[", '{"a":', "\udce9"),
        (answers.WrongAnswer,),
    ),
}

NUMBERS = ("9" * 5000, "\u00b2", "\u0661", "-1", "1e999", "0x1", "")
"""In the place of a number: more digits than Python takes, digits that are none, and others."""
# What patterns look for, and what keeps them looking.
COMMON = (
    " ", "\t", "\n", "\0", "(", ")", "((", "<", ">", "-", "--", "--------", "'", '"', "=", "@", ":",
    "://", "/", ".", ",", ";", "[", "]", "{", "}", "0", "1", "9", "a", "A", "é", "\u00a0", "\udce9",
    "a.", "a@", "a-", "a:", "a=", "a='", "a b", "1 ", "1.", "1,", "0x", "word", "aaaa",
    "web (1) - ", "web@default (1) - 2 MB\n", "build ", "(build ", "(1.", "10:00:00 > ",
    "<redir ", "<redir a='", "<!--", "-->", "<faultstring>", "<faultstring", "</", "<detail>",
    "<detail", "xtk:session", "at a.b(", "java.lang.", "javax.servlet.", "<a>", "<a ", "</a>",
    "<a b='c'>", "<!DOCTYPE a>", "&amp;", "&a;", "<dbcnx/>", "password=", "password", "password = ",
    "token='", 'secret="', "pwd:", "basic ", "bearer ", "-login:", "reload", "re-load config",
    "config ", "mx ", "ABC-123456 ", "iRc = ", "errno=", "#012", "deadbeef", "1234567890",
    "2026-11-23T10:00:00.000Z", "2026-11-23T10:00:00.000Z\t1\t1\t1\terror\tlog\t", "error\t",
    "01/02/2020 10:00:00 ", "Connections ", "http://", "https://a@", "-instance:", "nlserver\0",
    '{"event": "begun"}\n', "[", '{"a":', "0A ", "00000000:1F90 ",
)  # fmt: skip
TOKENS = sorted({*COMMON, *(seed for parser in PARSERS.values() for seed in parser.seeds)})
TEXT = st.text(st.characters(codec=None), max_size=80)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=60, deadline=None)
@given(source=st.data())
def test_nothing_but_the_declared_error_comes_out(name: str, source: Any) -> None:
    parser = PARSERS[name]
    piece = st.sampled_from(parser.seeds) | st.sampled_from([*TOKENS, *NUMBERS]) | TEXT
    value = "".join(source.draw(st.lists(piece, max_size=6)))
    for inserted in source.draw(st.lists(piece, max_size=6)):
        at = source.draw(st.integers(0, len(value)))
        value = value[:at] + inserted + value[at:]
    for number in source.draw(st.lists(st.sampled_from(NUMBERS), max_size=5)):
        places = list(re.finditer(r"[0-9]+", value))
        if places:
            place = source.draw(st.sampled_from(places))
            value = value[: place.start()] + number + value[place.end() :]
    try:
        answer = json.dumps(parser.parse(value))
    except parser.declared:
        return
    assert len(answer) < 20_000 + parser.wide * 6 * len(value)


@pytest.mark.parametrize("name", PARSERS)
def test_a_number_may_be_anything(name: str) -> None:
    parser = PARSERS[name]
    failed = set()
    for seed in parser.seeds:
        for place in re.finditer(r"[0-9]+", seed):
            for number in NUMBERS:
                value = seed[: place.start()] + number + seed[place.end() :]
                try:
                    json.dumps(parser.parse(value))
                except parser.declared:
                    continue
                except Exception as error:
                    failed.add(f"{seed!r} with {number[:20]!r}: {type(error).__name__}")
    assert not failed, "\n".join(sorted(failed))


def shapes(parser: Parser) -> list[tuple[str, str, str]]:
    """Each token again and again; its own between a good beginning and a bad end, too."""
    own = [(parser.seeds[0], unit, "!") for unit in parser.seeds]
    return [("", unit, "!") for unit in TOKENS] + own


@pytest.mark.parametrize("name", PARSERS)
def test_the_time_grows_with_the_input_and_no_faster(name: str) -> None:
    """Each token again and again: alone, and between a good beginning and a bad end."""
    parser = PARSERS[name]

    def parse(value: str) -> None:
        with contextlib.suppress(*parser.declared):
            parser.parse(value)

    slow = []
    for before, unit, after in shapes(parser):
        try:
            check_linear(
                parse,
                lambda size, u=unit, b=before, a=after: b + u * (size // len(u)) + a,
                SIZE,
            )
        except AssertionError as error:
            slow.append(f"{before!r} + {unit!r} * n + {after!r}: {error}")
    assert not slow, "\n".join(slow)


PIECES = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=4).map("".join)
ENDS = st.just("") | PIECES


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(PARSERS)), head=ENDS, body=PIECES, tail=ENDS)
@example(name="pdump", head="web (1) - ", body=" ", tail="!")
@example(name="configuration", head="<a>", body="<a>", tail="")
def test_the_time_grows_linearly_for_what_a_generator_makes_up(
    name: str, head: str, body: str, tail: str
) -> None:
    parser = PARSERS[name]

    def parse(value: str) -> None:
        with contextlib.suppress(*parser.declared):
            parser.parse(value)

    check_linear(parse, lambda size: head + body * (size // len(body) + 1) + tail, SIZE)


# --------------------------------------------------------------- what is told of what is not read


@pytest.mark.parametrize(("data", "words"), [
    (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "it has a DOCTYPE: not read"),
    (b"<a>" * 101, "nested deeper than 100: not read"),
    (b"<a " + b" ".join(b"b%d='1'" % n for n in range(1001)) + b"/>",
     "an element with more than 1000 attributes: not read"),
    (b"<a>" + b"<dbcnx/>" * 1001 + b"</a>", "more than 1000 data sources: not read"),
])  # fmt: skip
def test_xml_that_is_not_read_says_why(data: bytes, words: str) -> None:
    document = configuration.parse(data)
    assert (document.elements, document.sources, document.error["message"]) == ({}, [], words)


def test_entities_of_entities_are_refused_by_the_code() -> None:
    """Whatever the parser's own limits are."""
    laughs = b"<!DOCTYPE l [<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (97 + n, b"&%c;" % (96 + n) * 20) for n in range(1, 9)
    )
    error = configuration.parse(laughs + b"]><l>&i;</l>").error
    assert error["message"] == "it has a DOCTYPE: not read"


def test_a_large_file_is_not_called_malformed(tmp_path: Path) -> None:
    (tmp_path / "serverConf.xml").write_bytes(b"<a>" + b" " * configuration.SIZE_LIMIT + b"</a>")
    data, problem = configuration.load(str(tmp_path))
    assert data["files"][0]["error"]["message"] == "larger than 16 MB: not read"
    assert "larger than 16 MB" in problem


def test_a_fifo_is_named_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "serverConf.xml").write_text("<a/>")
    os.mkfifo(tmp_path / "config-zz.xml")
    data, problem = configuration.load(str(tmp_path))
    assert "config-zz.xml: it is not a regular file" in problem
    assert data["instances"] == ["default", "zz"]
    assert secrets.Scrubber(str(tmp_path))("x") == "x"


def test_names_that_are_no_text_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / "serverConf.xml").write_text("<a/>")
    (tmp_path / "config-prod.xml").write_text("<a/>")
    Path(str(tmp_path).encode() and f"{tmp_path}/config-bad\udcff.xml").write_text("<a/>")
    data, _problem = configuration.load(str(tmp_path))
    shown = answers.cleaned(json.loads(json.dumps(data)))
    assert shown["instances"] == ["default", "bad?", "prod"]


def test_passwords_by_their_longest_spelling() -> None:
    hide = secrets.Passwords(["abcd", "abcdef", "abxy", "zzzz", "ab.d*"])
    assert hide("abcdefg abcd abxy ab.d* abcx zzzz") == "***g *** *** *** abcx ***"
