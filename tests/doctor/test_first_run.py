"""init describes the servers, check says what each of them lacks."""

from __future__ import annotations

import os
import stat
import termios
from pathlib import Path

import pexpect
import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from doctor.harness import SECONDS, UNREACHABLE, Person, Site
from integration.harness import INVENTORY

FAILED = "\N{MULTIPLICATION SIGN}"
OPERATOR = "operator-secret-17"
VAULT = "vault-secret-18"
FILES = ("hosts.yml", "campaign-doctor.toml")


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Without a server."""
    return Person(tmp_path)


def asked(person: Person, *answers: tuple[str, str]) -> tuple[int, str]:
    """init with these answers, each to its question; exit code and all that it showed. The terminal
    shows again what is typed.
    """
    child = pexpect.spawn(
        person.command[0], [*person.command[1:], "init"], cwd=str(person.work), env=person.env,
        timeout=SECONDS, encoding="utf-8", dimensions=(40, 160),
    )
    terminal = os.dup(child.child_fd)
    shown = ""
    for question, answer in answers:
        child.expect_exact(question)
        shown += f"{child.before}{question}"
        child.sendintr() if answer == "^C" else child.sendline(answer)
    child.expect(pexpect.EOF)
    assert termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal no longer shows what is typed"
    os.close(terminal)
    shown += str(child.before)
    child.close()
    return int(child.exitstatus if child.exitstatus is not None else -1), shown


SIMPLE = (
    ("Hosts", "app1.example.com, app2.example.com"), ("Directory", ""), ("Account", ""),
    ("login", ""), ("sudo", ""),
)


def test_a_standard_site(person: Person) -> None:
    code, shown = asked(person, *SIMPLE, ("database", ""))
    assert code == 0, shown
    written = yaml.safe_load((person.work / "hosts.yml").read_text())
    assert written == {"campaign": {"hosts": {"app1.example.com": None, "app2.example.com": None}}}
    assert (person.work / "campaign-doctor.toml").read_text() == 'inventory = "hosts.yml"\n'
    assert "campaign-doctor check" in shown
    assert sorted(path.name for path in person.work.iterdir()) == sorted(FILES)


def test_a_site_of_its_own_kind_and_no_password_in_clear(person: Person) -> None:
    code, shown = asked(
        person, ("Hosts", "app1 app1,web-2"), ("Directory", "opt/nl6"), ("Directory", "/opt/nl6"),
        ("Account", "campaign"), ("login", "anna"), ("sudo", "n"), ("database", "y"),
        ("Instance", "prod"), ("Operator", "remediation"), ("vault", ""),
        ("Password of the operator", OPERATOR), ("again", OPERATOR),
        ("Password of the vault", "typo"), ("again", VAULT),
        ("Password of the vault", VAULT), ("again", VAULT),
    )
    assert code == 0, shown
    assert "absolute path" in shown and "differ" in shown and "--ask-vault-pass" in shown
    assert yaml.safe_load((person.work / "hosts.yml").read_text()) == {"campaign": {
        "hosts": {"app1": None, "web-2": None},
        "vars": {
            "campaign_home": "/opt/nl6", "campaign_user": "campaign", "ansible_user": "anna",
            "ansible_become": False, "campaign_api": [{
                "instance": "prod", "login": "remediation",
                "password": "{{ vault_campaign_api_password }}",
            }],
        },
    }}
    vault = person.work / "group_vars" / "campaign" / "vault.yml"
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    opened = VaultLib([("default", VaultSecret(VAULT.encode()))]).decrypt(vault.read_text())
    assert yaml.safe_load(opened) == {"vault_campaign_api_password": OPERATOR}
    for path in person.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert OPERATOR.encode() not in content and VAULT.encode() not in content, path
    assert OPERATOR not in shown and VAULT not in shown


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_there_stays_as_it_is(person: Person, name: str) -> None:
    (person.work / name).write_text("# mine\n")
    code, shown = asked(person)
    assert code == 5 and f"{name} is there already" in shown, shown
    assert (person.work / name).read_text() == "# mine\n"
    assert [path.name for path in person.work.iterdir()] == [name]


@pytest.mark.parametrize("answers", [
    (("Hosts", "app1"), ("Directory", "^C")),
    (*SIMPLE, ("database", "y"), ("Instance", "prod"), ("Operator", "x"), ("vault", "y"),
     ("Password of the operator", "^C")),
], ids=["question", "password"])  # fmt: skip
def test_interrupted_it_has_written_nothing(
    person: Person, answers: tuple[tuple[str, str], ...]
) -> None:
    code, shown = asked(person, *answers)
    assert code == 130 and "Nothing was written" in shown and "Traceback" not in shown, shown
    assert not list(person.work.iterdir())


def test_without_a_terminal_it_says_so(person: Person) -> None:
    done = person.run("init")
    assert done.code == 5 and "terminal" in done.err and not done.out, str(done)


def test_a_folder_that_cannot_be_written(person: Person) -> None:
    (person.work / "group_vars").write_text("")  # where a folder should be
    code, shown = asked(
        person, *SIMPLE, ("database", "y"), ("Instance", "prod"), ("Operator", "x"), ("vault", "y"),
        ("Password of the operator", "a"), ("again", "a"), ("Password of the vault", "b"),
        ("again", "b"),
    )
    assert code == 5 and "cannot be written" in shown, shown
    assert [path.name for path in person.work.iterdir()] == ["group_vars"]


def test_check_says_of_each_host_what_is_missing(site: Site) -> None:
    good = site.lab.variables()
    hosts = {
        "good": good,
        "far": {**good, **UNREACHABLE},
        "no-python": {**good, "ansible_python_interpreter": "/nowhere/python3"},
        "no-rights": {**good, "ansible_become": True, "ansible_become_user": "nosuch"},
        "no-home": {**good, "campaign_home": "/nowhere/nl6"},
        "no-api": {**good, "campaign_api": [{**good["campaign_api"][0], "password": "wrong"}]},
    }
    done = site.run("check", "-i", site.inventory(hosts))
    assert done.code == 4, str(done)
    parts = {part.partition("\n")[0]: part for part in done.out.split("\n\n")}
    for name, failed in {
        "far": "reachable", "no-python": "python", "no-rights": "become", "no-home": "home",
        "no-api": "api",
    }.items():
        lines = parts[name].splitlines()
        bad = [number for number, line in enumerate(lines) if line.startswith(f"  {FAILED}")]
        assert len(bad) == 1 and lines[bad[0]].split()[1] == failed, parts[name]
        assert len(lines) > bad[0] + 1, f"nothing to do is named: {parts[name]}"
        assert failed == "api" or "not checked then" in lines[-1], parts[name]
    assert FAILED not in parts["good"] and "answers for prod" in parts["good"], parts["good"]
    assert "1 of 6 hosts can be diagnosed." in done.out


def test_check_of_a_host_that_lacks_nothing_is_0_and_leaves_nothing(site: Site) -> None:
    server = site.lab.root / "app1"  # beside it the outside world gets its mail meanwhile
    before = set(server.rglob("*"))
    done = site.run("check", "-i", INVENTORY)
    assert done.code == 0 and "1 of 1 host can be diagnosed." in done.out, str(done)
    grown = set(server.rglob("*")) - before
    assert not {path for path in grown if "var" not in path.parts}, grown  # there the server writes


def test_check_finds_an_nlserver_that_cannot_be_run(site: Site) -> None:
    site.breaks("nlserver_not_executable")
    done = site.run("check", "-i", INVENTORY)
    assert done.code == 4 and f"{FAILED} nlserver" in done.out and "Permission denied" in done.out, str(done)
