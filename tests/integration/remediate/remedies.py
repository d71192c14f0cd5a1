"""A lab with two instances, the modules run on it as Ansible runs them, and its outside view."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from integration.harness import CHECKOUT, Lab, environment
from integration.lab.conftest import process_table, working_in

PACKAGE = "ansible_collections.campaign.remediation.plugins.modules."
UTILS = "ansible_collections.campaign.remediation.plugins.module_utils._campaign."
RUN = """
import importlib, sys
package, utils, name = sys.argv[1:4]
del sys.argv[1:]  # else Ansible takes the options from there
module = importlib.import_module(package + name)
control, evidence, finish, guard, ledger, store = (
    importlib.import_module(utils + n) for n in ("repair.control", "record.evidence", "finish",
                                                 "repair.guard", "record.ledger", "record.store"))
%s
module.main()
"""
KILL = """
import os, signal, socket
module_pid = os.getpid()  # also where it is a child of the module that comes there
door = bytes.fromhex(os.environ["KILL_DOOR"])
def die(*dummy, **more):
    try:
        os.kill(module_pid, signal.SIGKILL)
    except PermissionError:  # a child that is the account has the test do it
        socket.socket(socket.AF_UNIX).connect(door)
        signal.pause()
def before(owner, name, nth=1):
    real, calls = getattr(owner, name), []
    def killed(*arguments, **more):
        calls.append(1)
        if len(calls) == nth:
            die()
        return real(*arguments, **more)
    setattr(owner, name, killed)
def after(owner, name):
    real = getattr(owner, name)
    def killed(*arguments, **more):
        real(*arguments, **more)
        die()
    setattr(owner, name, killed)
%s
"""


class Site(Lab):
    """One server, prod and prod2."""

    def options(self, **more: Any) -> dict[str, Any]:
        (server,) = json.loads((self.root / "lab.json").read_text())["servers"]
        return {"home": server["home"], "user": server["user"], "address": server["address"],
                "state_dir": str(self.state_dir()),
                "wait": 0.5, "who": "anna", "from": "ansible1", **more}  # fmt: skip

    def start(
        self, name: str, patch: str = "", door: str = "", **options: Any
    ) -> subprocess.Popen[str]:
        """Start a module, which may be killed where the patch says. door: see killed."""
        chosen = self.options(**options)
        if name == "campaign_guard":
            chosen.pop("wait", None)
        words = [sys.executable, "-c", RUN % (KILL % patch if patch else ""), PACKAGE, UTILS, name]
        where = str(CHECKOUT / "playbooks" / "collections")
        process = subprocess.Popen(
            words, env=environment(PYTHONPATH=where, KILL_DOOR=door),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": chosen}))
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        output = process.communicate(timeout=90)[0]
        assert "Traceback" not in output, output
        result: dict[str, Any] = json.loads(output)
        return result

    def call(self, name: str = "campaign_module", **options: Any) -> dict[str, Any]:
        """Run a module to its end."""
        check = options.pop("check", False)
        return self.finish(
            self.start(name, _ansible_check_mode=check, _ansible_diff=True, **options)
        )

    def killed(self, patch: str, **options: Any) -> None:
        """Run campaign_module until the patch kills it."""
        with socket.socket(socket.AF_UNIX) as door:
            door.bind("")  # the kernel gives it a name
            door.listen(1)
            process = self.start(
                "campaign_module", patch, door.getsockname().hex(), **options
            )

            def kill_when_asked() -> None:
                with suppress(OSError):
                    door.accept()
                    process.kill()

            threading.Thread(target=kill_when_asked, daemon=True).start()
            output = process.communicate(timeout=60)[0]
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # the thread ends
        assert process.returncode == -signal.SIGKILL, output

    # ------------------------------------------------------------------------- from outside

    def pids(self) -> dict[str, int]:
        """module@instance: pid, by the process table alone."""
        found = {}
        table = {process.pid: process for process in process_table()}
        for process in table.values():
            words = process.arguments
            parent = table.get(process.parent)
            if parent and parent.arguments == words:
                continue  # a child that is about to become something else
            if len(words) > 1 and words[0] == "nlserver" and working_in(
                process.pid, self.home() / "lib"
            ):
                instance = next((w.partition(":")[2] for w in words if w.startswith("-instance:")),
                                "default")  # fmt: skip
                if words[1] not in ("mtachild", "runwf", "tracking", "export", "import"):
                    found["%s@%s" % (words[1], instance)] = process.pid
        return found

    def command_line(self, name: str) -> list[str]:
        path = Path("/proc/%d/cmdline" % self.pids()[name])
        return path.read_text().split("\0")[:-1]

    def healthy(self) -> dict[str, int]:
        """The pids, when all twelve run."""
        end = time.monotonic() + 20
        while True:
            pids = self.pids()
            if len(pids) == 12:
                return pids
            assert time.monotonic() < end, sorted(pids)
            time.sleep(0.05)

    def long_workflow(self) -> subprocess.Popen[bytes]:
        """A process with the command line of a workflow, below the home."""
        path = self.home() / "lib" / "long_workflow"
        path.mkdir(exist_ok=True)
        (path / "runwf").write_text("import time; time.sleep(900)")
        environment = {"PYTHONHOME": str(self.home() / "lib" / "python")}
        return subprocess.Popen(
            ["nlserver", "runwf", "-tracefile:runwf@prod", "-instance:prod", "-wf:nightly"],
            executable=self.home() / "lib" / "nlserver", cwd=path, env=environment,
        )  # fmt: skip


def open_repairs(ledger: list[dict[str, Any]]) -> list[str]:
    """Repairs, and steps inside them, that a ledger knows as begun and not as ended."""
    waiting: list[str] = []
    for line in ledger:
        about = (
            f"{line['run']} {line['module']}@{line['instance']} {line.get('remedy')}"
            f" inside {line.get('inside')}"
        )
        if line["event"] == "begun":
            waiting.append(about)
        elif line["event"] == "ended" and about in waiting:
            waiting.remove(about)
    return waiting
