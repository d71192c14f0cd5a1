"""The rooms are the boundary: who may import whom, and what root opens and runs."""

from __future__ import annotations

import ast
import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.module_utils.rooms import PACKAGE, ROOT, at_run_time, files, imported, room_of

# What a room may import of the others: dependencies point one way.
MAY = {
    "": set(),
    "host": {""},
    "account": {""},
    "api": {"", "host"},
    "record": {"", "host", "account"},
    "snapshot": {"", "host", "account", "record", "api"},
    "repair": {"", "host", "account", "record", "snapshot", "api"},
    "payload": {"", "snapshot"},
}
# Of account/, what a process may call that is not the account: how a child is begun, and how its
# answers are read.
PARENT = {"child", "answers"}
# Functions of a child: nothing outside them touches the other files of account/.
IN_CHILD = ("ask", "begin")
OPENING = {"open", "listdir", "scandir", "stat", "lstat", "readlink", "walk", "chown", "unlink",
           "rename", "makedirs", "mkdir", "rmtree", "fdopen"}  # fmt: skip


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path: Path) -> None:
    room = room_of(path)
    for other, name in imported(path):
        assert other == room or other in MAY[room], f"{room or 'ground'} imports {other}.{name}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_types_cost_a_host_nothing(path: Path) -> None:
    """Nothing else of a snapshot imports typing, which takes as long as a probe."""
    modules = [name for node in ast.walk(at_run_time(path)) for name in (
        [node.module] if isinstance(node, ast.ImportFrom) else
        [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    )]  # fmt: skip
    assert "typing" not in modules


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_types_of_a_tuple_are_of_its_fields(path: Path) -> None:
    """typing.NamedTuple is for mypy alone, so the fields stand in two places."""
    typed, plain = {}, {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef) and "NamedTuple" in map(ast.unparse, node.bases):
            typed[node.name] = [ast.unparse(field.target) for field in node.body
                                if isinstance(field, ast.AnnAssign)]  # fmt: skip
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("namedtuple"):
            name, fields = map(ast.literal_eval, node.args)
            plain[name] = fields.split()
    assert typed == plain


def calls_outside_children(path: Path) -> Iterator[str]:
    """What is called of account's files that a parent must not call, outside a child's work."""
    tree = ast.parse(path.read_text())
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("account"):
            for alias in node.names:
                module = (node.module or "").partition(".")[2] or alias.name
                if module not in PARENT:
                    names[alias.asname or alias.name] = f"{module}.{alias.name}"

    def walk(node: ast.AST, child: bool) -> Iterator[str]:
        for below in ast.iter_child_nodes(node):
            inside = child
            if isinstance(below, ast.Lambda) and any(
                argument.arg in ("server", "dummy", "line") for argument in below.args.args
            ):
                inside = True
            if isinstance(below, ast.FunctionDef) and (
                any(argument.arg == "server" for argument in below.args.args)
                or below.name in ("work", "_in_child", "prepare", "_prepare_child")
            ):
                inside = True
            if isinstance(below, ast.Call) and not inside:
                function = below.func
                first = function
                while isinstance(first, ast.Attribute):
                    first = first.value
                if isinstance(first, ast.Name) and first.id in names:
                    yield f"{path.name}:{below.lineno} {ast.unparse(function)}"
            yield from walk(below, inside)

    yield from walk(tree, False)


@pytest.mark.parametrize(
    "path", [path for path in files() if room_of(path) not in ("account", "")],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)  # fmt: skip
def test_the_accounts_files_are_a_childs_work(path: Path) -> None:
    assert list(calls_outside_children(path)) == []


def test_the_walk_sees_a_call_that_is_none_of_a_childs(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from ..account import logs, child\nfrom ..account.files import regular\n"
        "def f():\n    child.ask(1)\n    logs.collect(1)\n    regular(2)\n"
        "def g(server):\n    logs.collect(1)\n"
    )
    assert [found.partition(" ")[2] for found in calls_outside_children(wrong)] == [
        "logs.collect", "regular"
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["setpriv", "runuser", "sudo", "seteuid", "preexec_fn"])
def test_there_is_no_second_way_to_become_the_account(word: str) -> None:
    for path in files():
        code = "\n".join(
            ast.unparse(node) for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, (ast.Call, ast.List, ast.keyword))
        )  # fmt: skip
        assert word not in code or (path.stem == "child" and word == "seteuid"), path


# Notes every open and every start of a program, with the account that did it.
RECORDER = """
import os, sys
log = os.open({log!r}, os.O_WRONLY | os.O_APPEND)
os.set_inheritable(log, False)
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "os.chown", "os.rename", "os.remove",
                 "os.mkdir", "subprocess.Popen", "os.exec", "os.posix_spawn"):
        words = [str(word) for word in arguments[:2]]
        try:
            os.write(log, ("%d %s %s\\n" % (os.geteuid(), event, " ".join(words))).encode(
                "utf-8", "replace"))
        except OSError:
            pass  # a child has closed it, and opens it again below
sys.addaudithook(note)
import importlib, json
child = importlib.import_module({package!r} + ".account.child")
real = child._keep_only
child._keep_only = lambda descriptors: real(set(descriptors) | {{log}})
"""
PACKAGE_NAME = "ansible_collections.campaign.remediation.plugins.module_utils._campaign"


@pytest.mark.skipif(os.geteuid() != 0, reason="it is about root")
def test_a_run_as_root_opens_nothing_of_the_accounts() -> None:
    """A diagnosis and a start, traced: whatever is below the account's home was opened and run by
    the account.
    """
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        home = Path(place) / "home" / "nl6"
        for name in ("bin", "lib", "conf", "var/default/log", "var/prod/log"):
            (home / name).mkdir(parents=True)
        (home / "conf" / "serverConf.xml").write_text("<serverconf/>")
        (home / "conf" / "config-prod.xml").write_text("<serverconf><mta/></serverconf>")
        (home / "var/prod/log/mta.log").write_text("x\n")
        (home / "env.sh").write_text("export A=1\n")
        (home / "bin" / "nlserver").write_text("#!/bin/sh\nexit 0\n")
        (home / "bin" / "nlserver").chmod(0o755)
        for path in (home.parent, *home.parent.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        log = Path(place) / "trace"
        log.touch(mode=0o600)
        options: dict[str, Any] = {"home": str(home), "user": "nobody", "front_url": ""}
        trace(log, "campaign_info", options)
        change = {**options, "module": "mta", "instance": "prod", "wait": 0, "command_timeout": 2,
                  "state_dir": f"{place}/state", "service": ""}  # fmt: skip
        change.pop("front_url")
        trace(log, "campaign_module", change)
        seen = [line.split(" ", 2) for line in log.read_text().splitlines()]
    below = [(int(uid), event, what) for uid, event, what in seen if str(home.parent) in what]
    assert {uid for uid, _event, _what in below} == {nobody.pw_uid}, [
        entry for entry in below if entry[0] != nobody.pw_uid
    ]
    events = {event for _uid, event, _what in below}
    assert {"open", "os.listdir", "subprocess.Popen"} <= events, "the trace does not see the child"
    roots = [what for uid, event, what in seen if uid == "0" and event == "subprocess.Popen"]
    assert not [what for what in roots if "nlserver" in what or "sh " in what.partition(" [")[0]]


def trace(log: Path, module: str, options: dict[str, Any]) -> None:
    """Run a module with the recorder in it."""
    script = RECORDER.format(log=str(log), package=PACKAGE_NAME) + (
        "import runpy\nrunpy.run_module("
        f"'ansible_collections.campaign.remediation.plugins.modules.{module}',"
        " run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "playbooks" / "collections")},
    )  # fmt: skip
    assert done.stdout.startswith("\n{") or done.stdout.startswith("{"), done.stderr
