"""The package: what is in it, how it is called, what its help and its page say."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import catalogue_docs
import doctor_docs
import pytest
import yaml
from typer.main import get_command

from campaign_doctor.cli import app
from doctor.harness import DOCTOR, Person, Site
from doctor.replay import Replay
from integration.harness import BIN, CHECKOUT, INVENTORY, run

PACKAGE = CHECKOUT / "campaign_doctor"
# Where the wheel has the collection.
PACKED = "campaign_doctor/collections/ansible_collections/campaign/remediation"
# A vault is written as ansible-vault writes it, an inventory is read as Ansible reads it.
AS_ANSIBLE_DOES = {
    ("init.py", "ansible.parsing.vault"), ("inventories.py", "ansible.errors"),
    ("inventories.py", "ansible.inventory.manager"), ("inventories.py", "ansible.parsing.dataloader"),
}
COMMANDS = dict(doctor_docs.commands(get_command(app)))


def test_dependencies_point_one_way() -> None:
    """The wrapper knows the playbooks and the report; it imports nothing of the collection."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith("ansible_collections"), path
                # The callback plugin is loaded by Ansible, never by the command.
                assert not name.startswith("ansible.") or path.parent.name == "callback" \
                    or (path.name, name) in AS_ANSIBLE_DOES, path
    for path in (CHECKOUT / "plugins").rglob("*.py"):
        assert "campaign_doctor" not in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(),
                                                   re.MULTILINE), path


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_that_can_be_parsed(name: str, replay: Replay) -> None:
    shown = replay.run(*name.split(), "--help")
    assert shown.code == 0 and "Examples" in shown.out, str(shown)
    examples = [line.strip() for line in str(COMMANDS[name].epilog).split("\n\n")[1:]]
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert words[0] == "campaign-doctor" and words[1: 1 + len(name.split())] == name.split()
        rest = words[1 + len(name.split()):]
        with COMMANDS[name].make_context(name, list(rest), resilient_parsing=False):
            pass


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_80_columns_and_types_no_flag(name: str, replay: Replay) -> None:
    shown = replay.run(*name.split(), "--help", env={"COLUMNS": "80"}).out
    assert max(map(len, shown.splitlines())) <= 80, shown
    assert "<" not in shown and "env var" not in shown, shown
    listed = [line for line in shown.splitlines() if line.startswith("│")]
    assert not [line for line in listed if "…" in line.replace("xtkquery …", "")], shown


def test_help_begins_with_three_examples_that_can_be_typed(replay: Replay) -> None:
    shown = replay.run("--help").out.partition("Options")[0]
    examples = [line.split("  ")[0].strip() for line in shown.splitlines()
                if line.startswith(" campaign-doctor ")]
    assert [each.split()[1] for each in examples] == ["diagnose", "remediate", "explain"], shown
    for each in examples:
        name, *words = each.split()[1:]
        with COMMANDS[name].make_context(name, words):
            pass


@pytest.mark.parametrize("word", ["status", "fix", "repair"])
def test_what_others_call_it_leads_to_the_verb(word: str, replay: Replay) -> None:
    verb = "diagnose" if word == "status" else "remediate"
    assert replay.run(word, "--help").out == replay.run(verb, "--help").out
    (replay.work / "campaign-doctor.toml").write_text('module = "nonsense"\n')
    assert "nonsense" in replay.doctor(word, *(["--yes"] if verb == "remediate" else [])).err


def test_the_demo_shows_commands_as_they_are_typed() -> None:
    text = (CHECKOUT / "tools" / "demo").read_text(encoding="utf-8")
    function = text[text.index("show() {"):text.index("\n}\n") + 3]
    words = ["echo", "-e", "campaign_wait=1", "-e", '{"campaign_free_port_units": ["rsyslogd"]}']
    done = subprocess.run(["sh", "-euc", f'bold= plain=\n{function}\nshow "$@"', "sh", *words],
                          capture_output=True, text=True, check=True)
    assert shlex.split(done.stdout.splitlines()[0]) == ["$", *words]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, tmp_path: Path) -> None:
    # --show-completion looks which shell it was called from: here that may be any.
    script = Person(tmp_path).run(env={"_CAMPAIGN_DOCTOR_COMPLETE": f"source_{shell}"})
    assert script.code == 0 and "_CAMPAIGN_DOCTOR_COMPLETE" in script.out, str(script)


def test_completion_is_that_of_the_calling_shell(tmp_path: Path) -> None:
    person = Person(tmp_path)
    shown = subprocess.run(
        ["bash", "-c", '"$0" --show-completion; exit $?', str(DOCTOR)], env=person.env,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )
    assert shown.returncode == 0 and "complete " in shown.stdout, shown.stderr
    subprocess.run(["bash", "-n"], input=shown.stdout, text=True, timeout=60, check=True)


def test_completion_knows_modules_and_keys(tmp_path: Path) -> None:
    person = Person(tmp_path)
    for line, wanted in (
        ("campaign-doctor precision raise wf", "wfserver"),
        ("campaign-doctor explain wfserver.h", "wfserver.hung"),
        ("campaign-doctor diagnose --format sa", "sarif"),
        ("campaign-doctor rem", "remediate"),
    ):
        words = line.split()
        done = person.run(env={
            "_CAMPAIGN_DOCTOR_COMPLETE": "complete_bash", "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        })
        assert wanted in done.out.split(), str(done)


def test_one_version(tmp_path: Path) -> None:
    version = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"]
    told = Person(tmp_path).run("--version").out.splitlines()
    assert told == [f"campaign-doctor {version}",
                    f"campaign.remediation {version} (checkout: {CHECKOUT})"]


@pytest.fixture(scope="module", autouse=True)
def as_sources() -> Iterator[None]:
    """What pip installs is compiled when it is imported: most of it never is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_COMPILE", "1")
        yield


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pip and pipx build it."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run([BIN / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, CHECKOUT],
                cwd=folder, timeout=300)
    assert built.code == 0, str(built)
    (path,) = folder.glob("campaign_doctor-*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"campaign_doctor"}
    packed = {name for name in names if name.startswith("campaign_doctor/")}
    folders = (PACKAGE, PACKAGE / "shared")  # the second is a link
    source = {str(path.relative_to(CHECKOUT)) for folder in folders for path in folder.rglob("*")
              if path.is_file() and "__pycache__" not in path.parts}
    tracked = run(["git", "ls-files", "plugins", "roles", "playbooks", "meta", "galaxy.yml", "LICENSE"],
                  cwd=CHECKOUT).output.splitlines()
    there = [name for name in tracked
             if not name.startswith("playbooks/collections") and (CHECKOUT / name).is_file()]
    collection = {f"{PACKED}/{name}" for name in there}
    assert packed >= collection and f"{PACKED}/playbooks/remediate.yml" in packed
    assert {name for name in packed if not name.startswith(PACKED)} == \
        {*source, "campaign_doctor/catalogue.json"}
    assert not [name for name in packed - collection if "/tests/" in name or "/lab/" in name]


def test_the_wheel_alone_diagnoses(
    wheel: Path, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Far from the checkout, with no collection anywhere; one that is installed later wins."""
    folder = tmp_path_factory.mktemp("alone")
    done = run([BIN / "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel])
    assert done.code == 0, str(done)
    env = {**site.env, "PYTHONPATH": str(folder)}
    command: list[str | Path] = [BIN / "python", "-P", "-m", "campaign_doctor"]
    place = folder / PACKED
    said = run([*command, "--version"], cwd=site.work, env=env)
    assert f"(packed: {place})" in said.output, str(said)
    diagnosed = run([*command, "diagnose", "-i", INVENTORY, "--module", "inMail"],
                    cwd=site.work, env=env)
    assert diagnosed.code == 0 and "1 host: 1 healthy" in diagnosed.output, str(diagnosed)
    installed = folder / "site" / "ansible_collections" / "campaign" / "remediation"
    shutil.copytree(place, installed)
    for chosen, kind in ((installed.parents[2], "installed"), (CHECKOUT, "checkout here")):
        cwd = CHECKOUT if kind == "checkout here" else site.work
        said = run([*command, "--version"], cwd=cwd,
                   env={**env, "ANSIBLE_COLLECTIONS_PATH": str(folder / "site")})
        assert f"({kind}: {chosen}" in said.output, str(said)


def test_the_wheel_of_a_source_distribution_is_the_same(
    wheel: Path, tmp_path: Path
) -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    folder = tmp_path / "dist"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "backend")}
    for words in (
        ["pip", "install", "--quiet", "--target", tmp_path / "backend",
         *settings["build-system"]["requires"]],
        ["python", "-m", "hatchling", "build", "-t", "sdist", "-d", folder],
        ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder,
         folder / f"{'-'.join(wheel.name.split('-')[:2])}.tar.gz"],
    ):  # fmt: skip
        done = run([BIN / str(words[0]), *words[1:]], cwd=CHECKOUT, env=env, timeout=300)
        assert done.code == 0, str(done)
    contents = [
        {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
        for archive in map(zipfile.ZipFile, (wheel, folder / wheel.name))
    ]
    assert contents[0] == contents[1]
    assert json.loads(contents[0]["campaign_doctor/catalogue.json"]) == catalogue_docs.data()


def test_installed_with_the_installed_collection(
    wheel: Path, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From the wheel, far from the checkout, with the collection where ansible-galaxy puts it."""
    folder = tmp_path_factory.mktemp("installed")
    commands: list[list[str | Path]] = [
        [BIN / "pip", "install", "--quiet", "--no-deps", "--target", folder / "lib", wheel],
        [BIN / "ansible-galaxy", "collection", "build", "--output-path", folder, CHECKOUT],
    ]
    for words in commands:
        done = run(words, cwd=folder, timeout=300)
        assert done.code == 0, str(done)
    (archive,) = folder.glob("campaign-remediation-*.tar.gz")
    done = run([BIN / "ansible-galaxy", "collection", "install", "--offline", "-p",
                folder / "collections", archive], env=site.env)  # its home has none installed
    assert done.code == 0, str(done)
    env = {**site.env, "PYTHONPATH": str(folder / "lib"),
           "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections")}
    command: list[str | Path] = [BIN / "python", "-P", "-m", "campaign_doctor"]
    where = run([*command[:2], "-c", "import campaign_doctor; print(campaign_doctor.__file__)"],
                cwd=site.work, env=env)
    assert where.output.startswith(str(folder)), str(where)
    diagnosed = run([*command, "diagnose", "-i", INVENTORY, "--module", "inMail", "-vv"],
                    cwd=site.work, env=env)
    assert diagnosed.code == 0 and "1 host: 1 healthy" in diagnosed.output, str(diagnosed)


def test_the_readme_installs_it_in_an_empty_environment(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its lines as they are, pip in the place of pipx, with the index that the environment gives."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("### Install\n")[2].partition("\n### ")[0]
    lines = [line.strip().partition("  #")[0].strip() for line in section.splitlines()
             if line.startswith("    ")]
    assert lines[0] == "make dist" and lines[1].startswith("pipx install build/dist/"), lines
    folder = tmp_path_factory.mktemp("readme")
    built = run([CHECKOUT / "tools" / "dist", folder], timeout=600, env={**os.environ, **site.env})
    assert built.code == 0, str(built)
    place = folder / "venv"
    wheel = folder / Path(lines[1].split()[-1]).name
    commands: list[list[str | Path]] = [
        [BIN / "python", "-m", "venv", place],
        [place / "bin" / "pip", "install", "--quiet", wheel],
    ]
    for words in commands:
        done = run(words, timeout=600, env={**os.environ, "HOME": str(site.home)})
        assert done.code == 0, str(done)
    env = {**site.env, "PATH": f"{place / 'bin'}{os.pathsep}/usr/bin:/bin", "PYTHONPATH": ""}
    said = run([place / "bin" / "campaign-doctor", "--version"], cwd=site.work, env=env)
    assert f"(packed: {place}" in said.output, str(said)
    diagnosed = run([place / "bin" / "campaign-doctor", "diagnose", "-i", INVENTORY, "--module",
                     "inMail"], cwd=site.work, env=env)
    assert diagnosed.code == 0 and "1 host: 1 healthy" in diagnosed.output, str(diagnosed)
