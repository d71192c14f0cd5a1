"""What the configuration says, settled by what runs; syslogd's port; log precision; environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import (
    command,
    precision,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    environment,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.addresses import (
    trace_port,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import proc
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot import settled


@pytest.mark.parametrize(
    ("arguments", "configured", "found"),
    [
        ("-detach", "", "standard"),
        ("-detach -tracefilter:nlmta", "-tracefilter:nlmta", "standard"),
        ("-detach -tracefilter:nlmta", "", "standard"),  # shipped: it is no debug mode
        ("-detach -verbose -tracefilter:nlmta", "-tracefilter:nlmta", "verbose"),
        ("-detach -tracefilter:wdbc,soap -verbose", "-tracefilter:nlmta", "trace"),
        ("-detach -tracefilter:nlmta,wdbc", "-tracefilter:nlmta", "trace"),
        ("-detach -tracefilter", "", "trace"),
        ("-detach -verbose -tracefilter:*", "-verbose -tracefilter:*", "standard"),
        ("-detach -verbose -verbose", "-verbose", "verbose"),
    ],
)
def test_precision_is_what_was_added(arguments: str, configured: str, found: str) -> None:
    assert precision.precision(arguments.split(), configured) == found


def test_filters_are_those_that_were_added() -> None:
    words = ["-tracefilter:soap,nlmta,wdbc", "-verbose"]
    assert precision.filters(words) == ["soap", "wdbc"]


class Context:
    def __init__(self, arguments: str | None) -> None:
        self._arguments = arguments

    def arguments(self, _module: str, _instance: str) -> str | None:
        return self._arguments


@pytest.mark.parametrize(
    ("configured", "arguments", "found"),
    [
        ("-verbose", ["-verbose"], "standard"),
        ("", ["-verbose"], "verbose"),
        (None, ["-verbose"], None),  # nobody can say who wanted it
        (None, [], "standard"),
    ],
)
def test_the_precision_of_processes(
    configured: str | None, arguments: list[str], found: str | None
) -> None:
    process = {"name": "mta", "instance": "prod", "arguments": arguments,
               "precision": precision.precision(arguments)}
    settled.judge_precision(Context(configured), {"modules": [process]})
    assert process["precision"] == found


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("localhost:6789", (6789, False)), ("127.0.0.1:6789", (6789, False)),
        ("6789", (6789, False)),
        ("loghost:514", (None, True)), ("", (None, False)), ("localhost", (None, False)),
        ("localhost:99999", (None, False)),
    ],
)
def test_trace_addr(text: str, port: tuple[int | None, bool]) -> None:
    assert trace_port(text) == port


def configuration(port: int | None = 666, origin: str = "default", **more: Any) -> Any:
    return {"instances": ["default", "prod"], "modules": [], "databases": [], "copies": [],
            "syslogd_port": port, "syslogd_port_from": origin, **more}


def running(*places: str) -> list[dict[str, Any]]:
    return [
        {"name": place.partition("@")[0], "instance": place.partition("@")[2], "pid": 100 + number}
        for number, place in enumerate(places)
    ]


@pytest.mark.parametrize(
    ("said", "before", "after"),
    [
        ("localhost:6789", (666, "default"), (6789, "process")),
        # customer.sh was edited since
        ("localhost:6789", (7000, "environment"), (6789, "process")),
        ("", (7000, "environment"), (666, "default")),
        ("", (666, "default"), (666, "default")),
        (None, (7000, "environment"), (7000, "environment")),  # not to be seen
        ("loghost:514", (666, "default"), (None, "process")),
    ],
)
def test_the_port_by_the_environment_of_the_process(
    monkeypatch: pytest.MonkeyPatch, said: str | None, before: Any, after: Any
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(proc, "variable_of", lambda pid, _name: asked.append(pid) or said)
    data = configuration(*before)
    settled.port_of_processes(data, running("mta@prod", "syslogd@default"))
    assert (data["syslogd_port"], data["syslogd_port_from"]) == after
    assert asked == [101]


def test_a_variable_of_a_process() -> None:
    assert proc.variable_of(os.getpid(), "PATH") is not None
    assert proc.variable_of(os.getpid(), "NO_SUCH_VARIABLE_OF_OURS") == ""
    assert proc.variable_of(2**22 + 1, "PATH") is None


def test_a_copy_of_which_something_runs_is_an_instance() -> None:
    copy = {"name": "test", "path": "/x", "modules": [{"module": "mta"}], "databases": [{"a": 1}]}
    other = {**copy, "name": "prod-old"}
    data = configuration(copies=[copy, other])
    settled.living_copies(data, running("mta@test"))
    assert (data["instances"], data["copies"]) == (["default", "prod", "test"], [other])
    assert (data["modules"], data["databases"]) == ([{"module": "mta"}], [{"a": 1}])


# --- the environment ----------------------------------------------------------------------------

ENV = 'A=1; export A\n[ -f "{home}/customer.sh" ] && . "{home}/customer.sh"\n:\n'


def read(home: Path, customer: str, limit: float = 8.0) -> dict[str, str]:
    (home / "env.sh").write_text(ENV.format(home=home))
    (home / "customer.sh").write_text(customer)
    found: dict[str, str] = environment.read(command.Runner(), str(home), limit)
    return found


def test_customer_sh_is_read_as_the_shell_reads_it(tmp_path: Path) -> None:
    text = 'P=6789\n# TRACE_ADDR=localhost:1\nexport TRACE_ADDR="localhost:$P"\nread answer\n'
    assert read(tmp_path, text)["TRACE_ADDR"] == "localhost:6789"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("export A=1\nif true; then\n", "customer.sh"),
        ("export A=1\nexit 0\n", "customer.sh, line 2: exit 0"),
        ("export A=1\n  exit 3\n", "customer.sh, line 2: exit 3"),
    ],
)
def test_an_environment_that_fails_says_where(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ProbeError) as caught:
        read(tmp_path, text)
    assert caught.value.kind == "failed"
    assert told in caught.value.message


def test_the_line_of_a_syntax_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        read(tmp_path, "export A=1\nexport B=2\nfi\n")
    assert "customer.sh, line 3: Syntax error" in caught.value.message


def test_the_line_as_bash_tells_it(tmp_path: Path) -> None:
    class Bash:
        def run(self, _arguments: Any, _limit: float) -> Any:
            said = b"/h/customer.sh: line 7: syntax error near unexpected token `fi'\n"
            return command.Result(2, b"", said, 0.1)

    with pytest.raises(ProbeError) as caught:
        environment.read(Bash(), "/h", 8.0)
    assert "/h/customer.sh, line 7: syntax error near" in caught.value.message


def test_an_environment_that_waits(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        read(tmp_path, "while :; do sleep 1; done\n", 0.3)
    assert caught.value.kind == "timeout"
    assert "it is waiting for something" in caught.value.message
