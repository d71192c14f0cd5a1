"""What an operator pastes: a shell sees each fact as one word, and runs nothing of it.

A real shell reads each fix of the catalogue, and another what it hands to `su -c`. Programs are
stand-ins that record their words. What a fix does with harmless facts, it must do with hostile
ones: the same programs in the same order, each fact in the very same place.
"""

from __future__ import annotations

import re
import shutil
import string
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from unit.plugin_utils.builder import Snapshot, data, findings, healthy, kill_all

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.model import (
    Evidence,
    Fix,
    Problem,
    advice,
    as_account,
    as_root,
    linked_finding,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.shell import (
    LONGEST_FACT,
    Shell,
    pieces,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    words,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.server import (
    STANDARD_HOME,
    Server,
)

HOSTILE = {  # what stays one word
    "blank": "a b",
    "quote": "it's",
    "double quote": 'say "hi"',
    "substitution": "$(canary)",
    "backtick": "`canary`",
    "variable": "$IFS${PATH}",
    "separators": "x; canary & canary | canary && canary || canary",
    "redirection": "x > canary < canary",
    "pattern": "* ? [a-z] {a,b} ~ !!",
    "backslash": "a\\b\\n\\",
    "comment": "# canary",
    "equals": "=canary",
    "all": "it's \"$(canary)\" `canary`; canary #\\ * é",
    "nested quotes": "'\"'\"'$(canary)'\"'\"'",
}
REFUSED = {  # what cannot be a word of a command
    "newline": "a\ncanary",
    "carriage return": "a\rcanary",
    "escape": "a\x1b]0;canary\x07",
    "bidirectional": "a\u202ecanary",
    "line separator": "a\u2028canary",
    "no UTF-8": "a\udcffcanary",
    "long": "x" * 5120,
    "long quotes": "'" * 5120,
}
SHELLS = [path for path in map(shutil.which, ("dash", "bash")) if path] or ["/bin/sh"]
# Whatever stands where a program stands; and one that nobody calls but a fact that broke out.
PROGRAMS = sorted({"canary", "su", "systemctl", "kill"}.union(*(
    re.findall(r"(?:^|&& |\| |; )([a-z]+)(?= |$)", step.text)
    for problem in CATALOGUE for step in problem.fix.steps if step.who != "advice"
)) - {"printf"})
WORD = re.compile(r"\{(\w+)(?::[^}]*)?\}")
FIXES = list({problem.fix: problem for problem in reversed(CATALOGUE)}.values())[::-1]
"""One problem for each fix, the first: many share theirs."""


def _facts(problem: Problem) -> list[str]:
    """The names of the facts that a problem's words and commands use."""
    texts = [problem.summary, problem.reason or ""]
    for step in problem.fix.steps:
        texts += [step.text, *(line for _name, line in step.lines)]
    names = dict.fromkeys(name for text in texts for name in WORD.findall(text))
    own = {name for step in problem.fix.steps for name, _line in step.lines}
    return [name for name in names if name not in {"home", "user", *own}]


def _server(home: str = STANDARD_HOME, user: str = "neolane") -> Server:
    snapshot = healthy()
    snapshot.update(home=home, user=user)
    return Server(snapshot)


def _fix(problem: Problem, facts: dict[str, Any], home: str, user: str = "neolane") -> str:
    # The facts that a finding always has are hostile, too.
    evidence = Evidence({name: facts[name] for name in facts}, facts.get("instance", "prod"))
    return str(linked_finding(problem, _server(home, user), evidence).finding.fix)


# --- what a shell makes of it -----------------------------------------------------------------


class Recorder:
    """Reads lines with a shell whose programs only record the words that they are called with."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.shell, self.folder = shell, folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)

    def home(self, name: str) -> str:
        """An installation with a program and an environment that record, too."""
        home = self.folder / "homes" / name
        if not home.exists():
            (home / "bin").mkdir(parents=True)
            (home / "bin" / "nlserver").write_text(
                "#!/bin/sh\nprintf '%s\\0' \"$0\" \"$@\" \1 >> \"$RECORD\"\n"
            )
            (home / "bin" / "nlserver").chmod(0o755)
            (home / "env.sh").write_text("_record env.sh\n")
        return str(home)

    def calls(self, lines: Iterable[str]) -> list[list[list[str]]]:
        """For each line the calls that it comes to."""
        lines = list(lines)
        stubs = "".join(f'{name}() {{ _record {name} "$@"; }}\n' for name in PROGRAMS)
        record = self.folder / "record"
        record.write_bytes(b"")
        script = (
            "_record() { printf '%s\\0' \"$@\" \1 >> \"$RECORD\"; }\n" + stubs
            + "for line; do ( eval \"$line\" ); printf '\\2\\0' >> \"$RECORD\"; done\n"
        )
        done = subprocess.run(
            [self.shell, "-c", script, "sh", *lines], cwd=self.bin, timeout=30,
            env={"PATH": str(self.bin), "RECORD": str(record), "LC_ALL": "C"},
            capture_output=True, text=True, errors="replace", check=False,
        )
        assert done.returncode in (0, 1, 127), done.stderr
        assert not list(self.bin.iterdir()), "a redirection made a file"
        held = record.read_bytes().decode("utf-8").split("\0")[:-1]
        found: list[list[list[str]]] = [[]]
        call: list[str] = []
        for word in held:
            if word == "\2":
                found.append([])
            elif word == "\1":
                found[-1].append(call)
                call = []
            else:
                call.append(word)
        assert len(found) == len(lines) + 1, done.stderr  # no line ended the shell
        return [sorted(calls) for calls in found[:-1]]  # parts of a pipe come in any order

    def both(self, lines: list[str]) -> list[list[list[str]]]:
        """The calls of each line, and of what it hands to the account's shell."""
        outer = self.calls(lines)
        scripts = [call[-1] for calls in outer for call in calls if call[:2] == ["su", "-"]]
        inner = iter(self.calls(scripts))
        return [
            [called for call in calls
             for called in ([call[:-1], *next(inner)] if call[:2] == ["su", "-"] else [call])]
            for calls in outer
        ]


@pytest.fixture(params=SHELLS)
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Recorder:
    """For each shell that is here."""
    return Recorder(request.param, tmp_path)


def _put(calls: list[list[str]], values: dict[str, str]) -> list[list[str]]:
    """The calls with something else for the tokens in their words."""
    def put(word: str) -> str:
        for token, value in values.items():
            word = word.replace(token, value)
        return word

    return sorted([put(word) for word in call] for call in calls)


@pytest.mark.parametrize("problem", FIXES, ids=lambda problem: problem.key)
def test_each_fact_is_one_word_for_both_shells(problem: Problem, recorder: Recorder) -> None:
    names = _facts(problem)
    tokens = {name: f"FACT{name}FACT" for name in (*names, "user")}
    homes = {"": recorder.home("FACThomeFACT")}
    lines = [_fix(problem, {n: tokens[n] for n in names}, homes[""], tokens["user"])]
    for kind, value in HOSTILE.items():
        homes[kind] = recorder.home(value.replace("/", "_"))
        lines.append(_fix(problem, {n: value for n in names}, homes[kind], value))
    lines.append(_fix(problem, dict.fromkeys(names, "-rf"), STANDARD_HOME, "-rf"))
    harmless, *hostile, options = recorder.both(lines)
    if any(step.who != "advice" for step in problem.fix.steps):
        given = ("{starts_with}", "{restarts_with}", "{stop}")  # commands that are facts
        assert harmless or any(name in str(problem.fix) for name in given)
    else:
        assert not harmless
    for (kind, value), calls in zip(HOSTILE.items(), hostile, strict=True):
        values = {homes[""]: homes[kind], **dict.fromkeys(tokens.values(), value)}
        assert sorted(calls) == _put(harmless, values), kind
    assert not [call for call in options if "-rf" in call]


@pytest.mark.parametrize("problem", FIXES, ids=lambda problem: problem.key)
def test_what_cannot_be_a_word_is_no_command(problem: Problem) -> None:
    names = _facts(problem)
    texts = [text for step in problem.fix.steps if step.who != "advice"
             for text in (step.text, *(line for _name, line in step.lines))]
    used = {name for text in texts for name in WORD.findall(text)}
    if any(step.who == "account" for step in problem.fix.steps):
        used |= {"user"}
    for name in (*names, "home", "user"):
        for value in REFUSED.values():
            facts = {each: value if each == name else "x" for each in names}
            home = f"/opt/{value}" if name == "home" else STANDARD_HOME
            fix = _fix(problem, facts, home, value if name == "user" else "neolane")
            assert fix.isprintable() and len(fix) < 2000
            if name in used:
                assert fix.startswith(f"# no command can be shown: {name} ")
                assert "canary" not in fix.partition(";")[0]


@pytest.mark.parametrize("problem", FIXES, ids=lambda problem: problem.key)
def test_root_touches_no_file_by_a_path_of_the_account(problem: Problem) -> None:
    """Reading how full a directory is excepted: du follows no link that it is given."""
    for step in problem.fix.steps:
        if step.who == "root" and not step.owner:
            assert "{home}" not in step.text
            assert "{path}" not in step.text.replace("du -xk {path}", "")


# --- commands that are facts ------------------------------------------------------------------


def _holder(unit: str | None, pid: int | None = 77) -> Callable[[Snapshot], str]:
    def change(s: Snapshot) -> str:
        (held,) = [e for e in data(s, "sockets")["listening"] if e["port"] == 666]
        held.update(pid=pid, command="x; canary", user="root", unit=unit, ours=False)
        return str(findings(s)["syslogd.port_taken@default"]["fix"])

    return change


@pytest.mark.parametrize("unit", [*HOSTILE.values(), *REFUSED.values(), "*.service", "-x"])
def test_a_unit_that_is_none_is_not_stopped(unit: str, recorder: Recorder) -> None:
    fix = _holder(unit)(healthy())
    if unit == "-x":
        assert fix.startswith("# no command can be shown: unit begins with a dash")
        return
    if len(unit) > LONGEST_FACT and "'" not in unit:
        assert fix == f"# no command can be shown: unit is longer than {LONGEST_FACT} characters"
        return
    (calls,) = recorder.both([fix])
    assert ["nlserver", "restart", "syslogd"] in calls
    if "\\" in unit and " " not in unit:  # as systemd itself writes a blank
        assert [call for call in calls if call[:2] == ["systemctl", "stop"]] == [
            ["systemctl", "stop", unit]
        ]
    else:
        assert ["kill", "77"] in calls
        assert not [call for call in calls if call[0] in ("systemctl", "canary")]


def test_a_unit_is_stopped_with_what_would_start_it_again() -> None:
    assert _holder("rsyslog.service")(healthy()) == (
        "systemctl stop $(systemctl show --value -p TriggeredBy rsyslog.service) rsyslog.service"
        " && su - neolane -c 'nlserver restart syslogd'"
    )
    assert _holder(None)(healthy()).startswith("kill 77 && su - neolane -c ")
    assert _holder(None, None)(healthy()).startswith("kill PID && ")


@pytest.mark.parametrize("value", HOSTILE.values())
def test_the_service_is_one_word(value: str, recorder: Recorder) -> None:
    server = healthy()
    kill_all(server)
    data(server, "service")["unit"] = value
    found = findings(server)["watchdog.nothing_runs@default"]
    assert recorder.both([found["fix"]]) == [[["systemctl", "start", value]]]
    assert type(found["evidence"]["starts_with"]) is str  # the report's JSON takes nothing else
    data(server, "service").update(
        manager="init", load_state=None, init_script=recorder.home(value) + "/bin/nlserver"
    )
    found = findings(server)["watchdog.nothing_runs@default"]
    ((call,),) = recorder.both([found["fix"]])
    assert call == [recorder.home(value) + "/bin/nlserver", "start"]


@pytest.mark.parametrize("value", REFUSED.values())
def test_a_service_that_cannot_be_typed_is_no_command(value: str) -> None:
    server = healthy()
    kill_all(server)
    data(server, "service")["unit"] = value
    fix = findings(server)["watchdog.nothing_runs@default"]["fix"]
    assert fix.startswith("# no command can be shown: unit ") and "\n" not in fix
    data(server, "service").update(manager="none", load_state=None, enabled=None)
    server["user"] = value
    fix = findings(server)["watchdog.nothing_runs@default"]["fix"]
    assert fix.startswith("# no command can be shown: user ") and "\n" not in fix


# --- the rest ---------------------------------------------------------------------------------


def test_the_line_in_customer_sh_is_read_by_a_third_shell(tmp_path: Path) -> None:
    for number, value in enumerate(HOSTILE.values()):
        home = tmp_path / str(number) / value.replace("/", "_")
        home.mkdir(parents=True)
        (home / "env.sh").write_text("")
        problem = BY_KEY["mta.temporary_device"]
        var = home / "var of the site"
        facts = {**dict.fromkeys(_facts(problem), "x"), "var_dir": str(var)}
        fix = _fix(problem, facts, str(home))
        script = 'su() { sh -c "$4"; }; ' + fix
        subprocess.run(["sh", "-c", script], timeout=30, check=False, capture_output=True)
        done = subprocess.run(
            ["sh", "-c", '. "$0/customer.sh"; printf %s "$TMPDIR"', str(home)],
            timeout=30, check=True, capture_output=True, text=True,
        )
        assert done.stdout == f"{var}/tmp"
        assert (var / "tmp").is_dir()


@pytest.mark.skipif(not shutil.which("bash"), reason="history expansion is bash's")
def test_an_interactive_shell_expands_nothing_either() -> None:
    fix = _fix(BY_KEY["host.disk_full"], {"path": "/a!!b !x 'y!z'", "what": "space",
                                         "used_percent": 99.0}, STANDARD_HOME)
    start = _fix(BY_KEY["mta.not_running"], {"target": "mta@a!!b '!x'", "instance": "a"},
                 STANDARD_HOME)
    script = (
        'set -o history -o histexpand\ndu() { printf "<%s>" "$@"; }; sort() { cat; }\n'
        'tail() { cat; }; su() { printf "<%s>" "$@"; }\necho earlier\n' + fix + "\n" + start + "\n"
    )
    done = subprocess.run(["bash"], input=script, text=True, capture_output=True, timeout=30,
                          check=True)
    assert "</a!!b !x 'y!z'>" in done.stdout
    assert "nlserver start 'mta@a!!b '\"'\"'!x'\"'\"''>" in done.stdout


def test_what_needs_no_quotes_gets_none() -> None:
    facts = {"target": "mta@instance1_mkt_stage1", "instance": "instance1_mkt_stage1"}
    fix = _fix(BY_KEY["mta.not_running"], facts, STANDARD_HOME)
    assert fix == "su - neolane -c 'nlserver start mta@instance1_mkt_stage1'"
    facts = {"path": "/var/log-1", "what": "space", "used_percent": "99"}
    fix = _fix(BY_KEY["host.disk_full"], facts, STANDARD_HOME)
    assert fix == "du -xk /var/log-1 | sort -n | tail -20"
    fix = _fix(BY_KEY["mta.relay_unreachable"],
               {"host": "relay.example.org", "port": 25, "relay": "r", "error": "e"}, STANDARD_HOME)
    assert fix == "nc -vz relay.example.org 25"


def test_a_path_that_has_the_command_s_name_in_it_stays_as_it_is() -> None:
    fix = _fix(BY_KEY["host.configuration_unreadable"],
               {"path": "/opt/nlserver/conf/a.xml", "line": 1, "message": "m", "unknown": "u"},
               "/opt/nlserver")
    assert fix == (
        "su - neolane -c '. /opt/nlserver/env.sh; xmllint --noout /opt/nlserver/conf/a.xml'"
    )


@pytest.mark.parametrize(
    ("path", "var_dir", "account"),
    [
        ("/run/nlserver.pid", "", False),
        (f"{STANDARD_HOME}/var/nlserver.pid", "", True),
        ("/usr/local/neolane/run/nlserver.pid", "", True),
        (f"/run/..//{STANDARD_HOME}/nlserver.pid", "", True),
        (f"//{STANDARD_HOME}/nlserver.pid", "", True),
        ("/data/var/nlserver.pid", "/data/var", True),
        ("/data/variable/nlserver.pid", "/data/var", False),
    ],
)
def test_a_pid_file_among_the_account_s_is_removed_as_the_account(
    path: str, var_dir: str, account: bool
) -> None:
    server = healthy()
    data(server, "storage")["pid_file"].update(path=path, alive=False)
    data(server, "environment")["var_dir"] = var_dir
    fix = findings(server)["watchdog.pid_file_stale@default"]["fix"]
    assert fix == (f"su - neolane -c 'rm {path}'" if account else f"rm {path}")


def test_what_is_not_known_is_no_command() -> None:
    fix = _fix(BY_KEY["mta.relay_unreachable"],
               {"host": "relay", "port": None, "relay": "r", "error": "e"}, STANDARD_HOME)
    assert fix == "# no command can be shown: port is not known"


@pytest.mark.parametrize(
    "template",
    [
        "echo '{path}'", 'echo "{path}"', "echo \\{path}", "echo `ls {path}`", "echo {path:time}",
        "echo {path!r}", "echo # {path}", "echo 'open", "a\nb", "echo {0}", 'echo "$(x) {path}"',
    ],
)
@pytest.mark.parametrize("kind", [as_root, as_account])
def test_a_template_that_could_not_be_quoted_is_refused(
    template: str, kind: Callable[[str], Fix]
) -> None:
    with pytest.raises(ValueError, match=r"\{|Quotes"):
        kind(template)


def test_every_template_of_the_catalogue_names_facts_only() -> None:
    for problem in CATALOGUE:
        for step in problem.fix.steps:
            if step.who != "advice":
                assert [name for _, name, *_ in string.Formatter().parse(step.text) if name] == [
                    name for _, name, _ in pieces(step.text) if name
                ]


def test_advice_is_a_comment_and_its_facts_mean_nothing_to_a_shell() -> None:
    fix = advice("ask {who}, the author of {name}: {why:words}")
    known = {"home": STANDARD_HOME, "user": "neolane", "who": "J. Smith", "why": "it's (so)"}
    assert fix.text({**known, "name": "$(canary)"}) == (
        "# ask J. Smith, the author of '$(canary)': it's (so)"
    )
    assert fix.text({**known, "name": "a\nb\udcff"}) == (
        "# ask J. Smith, the author of a b : it's (so)"
    )


def test_the_longest_fact_is_shown_and_no_longer_one() -> None:
    fix = as_root("ls {path}")
    known = {"home": STANDARD_HOME, "user": "neolane"}
    assert fix.text({**known, "path": "x" * LONGEST_FACT}) == "ls " + "x" * LONGEST_FACT
    assert fix.text({**known, "path": "x" * (LONGEST_FACT + 1)}) == (
        f"# no command can be shown: path is longer than {LONGEST_FACT} characters"
    )
    for kind in (as_root, as_account):
        long = kind("ls {path}").text({**known, "path": "'" * LONGEST_FACT})
        assert long == "# no command can be shown: it is longer than 4000 bytes"


def test_the_name_of_an_instance_gets_into_the_command_by_that_of_the_module() -> None:
    evidence = Evidence({"pid": 1, "state": "T"}, "a\nb")
    fix = linked_finding(BY_KEY["mta.hung"], _server(), evidence).finding.fix
    assert fix == "# no command can be shown: target holds characters that cannot be typed"


def test_only_this_module_makes_text_that_is_not_quoted() -> None:
    facts = {"home": STANDARD_HOME, "user": "neolane"}
    assert as_root("{stop}").text({**facts, "stop": "kill 1"}) == "'kill 1'"
    assert as_root("{stop}").text({**facts, "stop": Shell.of("kill {p}", {"p": 1})}) == "kill 1"


def test_a_command_that_was_run_is_shown_as_it_was_or_not_at_all() -> None:
    assert list(words.commands([["rm", "/a b"], ["ls"]])) == ["rm '/a b'", "ls"]
    (shown,) = words.commands(["rm", "/a\n/etc\udcff"])
    assert shown == "# holds characters that cannot be typed: rm /a /etc?"
