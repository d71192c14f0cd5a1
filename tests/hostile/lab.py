"""The lab, as the account runs it in its own home, and Ansible as root against it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from hostile.world import World
from integration.harness import CHECKOUT, Run, playbook

PYTHONS = (str(Path(sys.executable).resolve()), "/usr/bin/python3")
QUICK = {"campaign_wait": 1, "campaign_gone_within": 3}


def needed_by(name: str) -> set[str]:
    """A distribution that is installed, with all that it requires."""
    found = {name}
    for requirement in metadata.requires(name) or ():
        word = re.match(r"[\w.-]+", requirement)
        if word and "extra ==" not in requirement and word[0] not in found:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found |= needed_by(word[0])
    return found


class AccountLab:
    """A server app1 with one instance, prod."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.source = world.base / "lab"
        self.root = world.home / "lab"
        self.home = self.root / "app1" / "nl6"
        self.inventory = world.base / "inventory.json"
        self.environment = {"PATH": os.defpath, "HOME": str(world.home), "LANG": "C.UTF-8"}

    def up(self) -> None:
        """Start it; its code is copied to where the account may read it."""
        shutil.copytree(CHECKOUT / "lab", self.source, ignore=shutil.ignore_patterns("__pycache__"))
        self.environment["CAMPAIGN_LAB_PEERS_PYTHON"] = str(self._peers_python())
        self.ctl("up")
        told = json.loads(self.ctl("inventory"))["_meta"]["hostvars"]
        self.inventory.write_text(json.dumps({"campaign": {"hosts": told}}))

    def down(self) -> None:
        """Stop it and remove it."""
        self.ctl("down", "--purge", check=False)
        shutil.rmtree(self.source)

    def _peers_python(self) -> Path:
        """A Python with Twisted for the lab's mail servers: .venv's may be out of reach."""
        folder = self.world.base / "peers"
        command = [self.python(), "-m", "venv", "--without-pip", str(folder)]
        subprocess.run(command, check=True, timeout=60)
        site = next(folder.glob("lib/python3*/site-packages"))
        for name in needed_by("twisted"):
            distribution = metadata.distribution(name)
            for file in distribution.files or ():
                target = site / file
                if ".." not in file.parts and "__pycache__" not in file.parts:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(str(distribution.locate_file(file)), target)
        return folder / "bin" / "python"

    def ctl(self, *arguments: str, check: bool = True) -> str:
        """Run labctl as the account."""
        command = [self.python(), str(self.source / "labctl"), *arguments, "--root", str(self.root)]
        return self.run(command, check)

    def run(self, command: list[str], check: bool = True) -> str:
        """Run a command as the account; what it says."""
        account = self.world.account
        done = subprocess.run(
            command, cwd="/", user=account.pw_uid, group=account.pw_gid, extra_groups=[],
            env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def python(self) -> str:
        """A Python that the account may run."""
        for python in PYTHONS:
            try:
                self.run([python, "-c", "import sys; assert sys.version_info >= (3, 8)"])
            except (OSError, AssertionError):
                continue
            return python
        raise AssertionError(f"the account may run none of {PYTHONS}")

    def play(
        self, name: str, report: Path, variables: Mapping[str, Any], env: Mapping[str, str]
    ) -> Run:
        """Run a playbook as root."""
        return playbook(
            CHECKOUT / "playbooks" / f"{name}.yml", report_dir=report, inventory=self.inventory,
            variables={**QUICK, **variables}, env=env,
        )  # fmt: skip
