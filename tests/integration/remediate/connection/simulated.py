"""Hosts that are only simulated: saved snapshots, and a remedy that helps where a test wants it.

Whatever runs on the controller is real: plan, engine, playbook. What would be sent to a host is answered
here, and written down in the order in which it happened.
"""

from __future__ import annotations

import ast
import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.connection import local

DOCUMENTATION = """
name: simulated
short_description: answers for a host that there is not
description: Answers our own programs from files, and keeps a record of what was asked.
options:
  simulated_dir:
    description: The folder with the snapshots and the record.
    vars: [{name: simulated_dir}]
  simulated_host:
    description: The name of the host.
    vars: [{name: inventory_hostname}]
extends_documentation_fragment: [connection_pipelining]
"""

WORKS_FOR = 0.05  # seconds that a remedy takes


class Connection(local.Connection):
    """Knows our programs by the file that they call, and their options by the end of their text."""

    transport = "simulated"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Any:
        """What the host would answer."""
        if not in_data or (b"payload.isolated" not in in_data and b"repair.sent" not in in_data):
            return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        text = in_data.decode()
        given = json.loads(ast.literal_eval(text[text.rindex("json.loads(") + 11:].rstrip()[:-2]))
        answer = self._remedy(given) if "module" in given else self._snapshot()
        return 0, json.dumps(answer).encode(), b""

    @property
    def _dir(self) -> Path:
        return Path(self.get_option("simulated_dir"))

    @property
    def _host(self) -> str:
        return str(self.get_option("simulated_host"))

    def _snapshot(self) -> dict[str, Any]:
        ill = self._dir / "ill" / self._host
        name = ill.read_text() if ill.exists() else "healthy"
        saved = json.loads((self._dir / f"{name}.json").read_text())
        return {"changed": False, "snapshot": {**saved["snapshot"], "taken_at": time.time()}}

    def _remedy(self, given: dict[str, Any]) -> dict[str, Any]:
        options = given["options"]
        state = options["state"]
        if given["module"] == "campaign_guard":
            if state in ("opened", "closed"):
                self._note(state)
            return {
                "changed": False, "refused": False, "guard": None, "evidence": None, "msg": state,
                "run": options["run"], "state_dir": "/simulated", "interrupted": [], "work": [],
                "sibling": False, "waited": 0.0, "meanwhile": [], "done_elsewhere": [], "sign": None,
                "precisions": [], "taken_over": "",
            }
        self._note("stopped")
        self._note(f"{state} {options['log_precision']}")
        time.sleep(WORKS_FOR)
        if self._host not in (self._dir / "in_vain").read_text().split():
            (self._dir / "ill" / self._host).unlink(missing_ok=True)
        self._note("started")
        return {
            "changed": True, "refused": False, "guard": None, "evidence": None, "msg": "restarted",
            "commands": [["nlserver", "restart", options["module"]]], "before": {}, "after": {},
            "left": "changed", "seconds": WORKS_FOR,
        }

    def _note(self, what: str) -> None:
        line = json.dumps({"host": self._host, "what": what, "at": time.monotonic()}) + "\n"
        descriptor = os.open(self._dir / "record", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(line)
