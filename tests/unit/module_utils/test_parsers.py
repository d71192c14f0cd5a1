"""What the commands print, in the forms that builds and languages give it."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    configuration,
    logs,
    parsers,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import (
    ipc,
    network,
    proc,
    services,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.text import (
    decode,
    fields,
)

PDUMP = """\
12:09:54 >   Application server for Adobe Campaign Classic (7.X YY.R build XXX@SHA1) of DD/MM/YYYY
syslogd@default (7611) - 9.2 MB
stat@demo (5988) - 1.5 MB
inMail@demo (7830) - 11.9 MB
watchdog (27369) - 3.1 MB
mta@demo (7831) - 15.6 MB
wfserver@demo (7832) - 11.5 MB
web@default (28671) - 40.5 MB
"""
WHO = """\
Connections ------------------------------------------------------
Last Access IP Instance Login
24/11/2026 10:11:12 127.0.0.1 default formation_fr|tracking
Connection pool --------------------------------------------------
Datasource Server Provider Login
default xxxxx myserver myprovider test400
"""


def test_the_documented_pdump() -> None:
    data = parsers.pdump(PDUMP)
    assert data["build"] == "7.X YY.R build XXX@SHA1"
    assert data["header"].startswith("Application server for Adobe Campaign Classic")
    assert [(t["module"], t["instance"], t["pid"], t["memory_mb"]) for t in data["tasks"]] == [
        ("syslogd", "default", 7611, 9.2),
        ("stat", "demo", 5988, 1.5),
        ("inMail", "demo", 7830, 11.9),
        ("watchdog", "default", 27369, 3.1),
        ("mta", "demo", 7831, 15.6),
        ("wfserver", "demo", 7832, 11.5),
        ("web", "default", 28671, 40.5),
    ]
    assert data["unrecognised"] == []


def test_operators_and_pools_are_no_modules() -> None:
    assert parsers.pdump(PDUMP + WHO) == parsers.pdump(PDUMP)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("9.2 MB", 9.2),
        ("9.2 Mb", 9.2),
        ("9,2 Mo", 9.2),
        ("9.2MB", 9.2),
        ("512 KB", 0.5),
        ("1.5 Go", 1536.0),
        ("1,234.5 MB", 1234.5),
        ("1\u00a0234,5 Mo", 1234.5),
        ("1048576 B", 1.0),
    ],
)
def test_units_of_memory(amount: str, expected: float) -> None:
    tasks = parsers.pdump(f"mta@prod (12) - {amount}\n")["tasks"]
    assert tasks == [{"module": "mta", "instance": "prod", "pid": 12, "memory_mb": expected}]


@pytest.mark.parametrize("text", ["No tasks", "no task", "No tasks\n", "10:00:00 >   no task", ""])
def test_nothing_runs(text: str) -> None:
    data = parsers.pdump(text)
    assert data["tasks"] == []
    assert data["unrecognised"] == []


@pytest.mark.parametrize(
    ("header", "build"),
    [
        ("17:00:01 >   Application server for Neolane (6.1.1 build 8700) of 2014-02-06", "8700"),
        (
            "17:00:01 >   Serveur applicatif pour Adobe Campaign (7.0 build 9356@ab1) du 06/02/24",
            "9356@ab1",
        ),
        ("07:00:01 > 06/02/2024 Campaign Classic server (7.3 build 9360)", "9360"),
        ("Adobe Campaign Classic (7.4.1 build 9390@abc)", "9390@abc"),
        ("15:16:55 >   Campaign Classic (7.3.4 build 9364@8f3ef8e of 09/04/2023)", "9364@8f3ef8e"),
    ],
)
def test_header_wordings(header: str, build: str) -> None:
    data = parsers.pdump(header + "\nweb@default (1) - 2 MB\n")
    assert data["build"].endswith("build " + build)
    assert len(data["tasks"]) == 1
    assert data["unrecognised"] == []


def test_strange_lines_are_kept_without_secrets() -> None:
    data = parsers.pdump("mta@prod (1) - 2 MB\nwarning: password=hunter2 \x1b[31m\n")
    assert data["unrecognised"] == ["warning: password=*** ?[31m"]


def test_missing() -> None:
    text = "12:00:01 >   Monitor\nwfserver@prod\nmta@prod\nsyslogd\nsms@prod\na word\nfoo@x\n"
    assert parsers.missing(text)["modules"] == [
        {"module": "wfserver", "instance": "prod"},
        {"module": "mta", "instance": "prod"},
        {"module": "syslogd", "instance": "default"},
        {"module": "sms", "instance": "prod"},
    ]


def test_environment_keeps_newlines_and_bytes() -> None:
    assert parsers.environment(b"A=1\nb\0B=\xe9=2\0=x\0junk\0") == {"A": "1\nb", "B": "\udce9=2"}


def test_systemctl_show_of_two_units() -> None:
    text = "Id=nlserver.service\nMainPID=12\n\nId=apache2.service\nActiveState=active\n"
    assert services.units(text) == [
        {"Id": "nlserver.service", "MainPID": "12"},
        {"Id": "apache2.service", "ActiveState": "active"},
    ]


class JournalOf:
    """A runner that knows one command."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.asked: list[list[str]] = []

    def run(self, command: list[str], limit: float) -> Any:
        assert limit == 3.0
        self.asked.append(command)
        if self.text is None:
            raise ProbeError("missing", "journalctl: No such file")
        return SimpleNamespace(out=self.text.encode())


def test_the_journal_of_a_unit() -> None:
    runner = JournalOf(
        "1795428000.500000 app1 nlenv[786882]: nlserver: error while loading shared libraries\n"
        "1795428001.000000 app1 systemd[1]: nlserver.service: Failed\n-- No entries --\n"
    )
    assert services.journal(runner, "nlserver.service", 3.0) == [
        {"at": 1795428000.5, "source": "nlenv",
         "text": "nlserver: error while loading shared libraries"},
        {"at": 1795428001.0, "source": "systemd", "text": "nlserver.service: Failed"},
    ]
    assert runner.asked == [[
        "journalctl", "--no-pager", "-q", "-n", "30", "-o", "short-unix", "-u", "nlserver.service",
    ]]
    assert services.journal(JournalOf(None), "x", 3.0) == []


def test_redirection_answers_of_new_and_old_builds() -> None:
    new = "<redir status='OK' date='2021-08-27 08:02:07.963-07' build='9236' instance='x'/>"
    assert network.redir(new) == {"build": "9236", "status": "OK", "instance": "x"}
    assert network.redir('<redir status="OK"/>') == {
        "build": None,
        "status": "OK",
        "instance": None,
    }
    assert network.redir("<html>404</html>") is None


SAMPLES = [
    PDUMP + WHO,
    "2026-11-23T10:00:00.123Z\t12\t34\t1\terror\tlog\tPGS-220000 x#012y (iRc=-2006)\n",
    "2011-10-04 11:57:51.804Z B67B28C0 1 error log PostgreSQL error: x (iRc=-2006)\n",
    "00000000 00000000 1 error log PGS-220000 x\\nLINE 1: y\n",
    "2020-03-04 06:01:13 Mar 04, 2020 6:01:13 AM org.apache.catalina.x\\nSEVERE: y\n",
    "03/11/2021 6:35:29 AM BAS-010015 Cannot open file '/tmp/x'\n",
    ">>> a step failed\n",
    "<serverconf><mta autoStart='true'><relay address='x' password='y'/></mta></serverconf>",
    "   0: 0100007F:029A 00000000:0000 07 00000000:00000000 00:00000000 00000000  998 0 99 2 f 0\n",
    "<soap:Fault><faultstring>SOP-330011 xtk:session</faultstring><detail>x</detail></soap:Fault>",
    "http://user:pass@host:8080/nl/jsp/logon.jsp?a=b",
    "12 (a) b) S 1 12 12 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 4 0 777 1 200 3\n",
]


def mutations(number: int) -> list[str]:
    """Realistic texts, damaged: always the same ones."""
    source = random.Random(20261123)
    texts = []
    for _ in range(number):
        text = list(source.choice(SAMPLES))
        for _ in range(source.randrange(1, 12)):
            place = source.randrange(len(text) + 1)
            action = source.randrange(3)
            if action == 0:
                text.insert(place, chr(source.choice([0, 9, 10, 27, 35, 40, 64, 233, 0x2028, 62])))
            elif action == 1:
                del text[place : place + source.randrange(20)]
            else:
                text.extend(text[:place])
        texts.append("".join(text))
    return texts


def test_no_parser_raises_on_damaged_text() -> None:
    for text in mutations(600):
        data = text.encode("utf-8", "surrogateescape")
        parsers.pdump(text)
        parsers.missing(text)
        parsers.environment(data)
        services.units(text)
        fields(text)
        decode(data[1:])
        configuration.parse(data)
        logs.parse_line(text)
        logs.signature(text)
        logs.codes(text)
        network.hints(200, text)
        network.split_address(text)
        network.database(text, "PostgreSQL")
        proc.parse_sockets(text.splitlines(), "udp")
        ipc.parse(text)
        proc.describe_arguments(text.split("\0"))
