"""A context without a server, for what guards and controls."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import child

OPTIONS = {
    "state_dir": "", "address": "127.0.0.1", "service": "nlserver", "in_flight": "refuse",
    "in_flight_timeout": 300.0, "restart_budget": 3, "restart_budget_minutes": 60.0,
    "lock_timeout": 0.0, "command_timeout": 5.0, "evidence": True, "evidence_keep": 20,
    "evidence_days": 30.0, "evidence_max_mb": 5.0, "remedy": "", "because": [], "who": "anna",
    "from": "ansible1", "run": "", "accept_lost_work": False, "accept_restart_loop": False,
    "accept_no_evidence": False, "accept_no_record": False, "accept_other_run": False,
    "accept_pause": False,
    "controller": None,
}  # fmt: skip


class Context:
    """Like that of the probes; what it asks its child it works out here, as its own server."""

    def __init__(self, tmp_path: Path, who: str = "", **options):
        self.home = str(tmp_path / "nl6")
        Path(self.home, "conf").mkdir(parents=True, exist_ok=True)
        self.account = child.account_of(pwd.getpwuid(os.geteuid()))
        self.options = {
            **OPTIONS, "home": self.home, "user": self.account.name,
            "state_dir": str(tmp_path / "remediation"), **options,
        }  # fmt: skip
        self.configuration = {"instances": ["default", "prod", "prod2"], "modules": []}
        self.var_dir = self.home + "/var"
        self.tmp_dir = "/tmp"
        self.limit = 5.0
        self.who = who

    def ask(self, function, seconds=None, shape=None, ready=True):
        return function(self)

    def arguments(self, module, instance):
        return ""

    def nlserver(self, *arguments):
        return 0, self.who, ""


def process(name="wfserver", instance="prod", pid=10, **more):
    """An entry of proc.processes."""
    entry = {
        "pid": pid, "ppid": 1, "name": name, "instance": instance, "state": "S",
        "arguments": ["-tracefile:%s@%s" % (name, instance), "-instance:" + instance, "-detach"],
        "started_at": 1000.0, "memory_mb": 10.0, "precision": "standard",
    }  # fmt: skip
    if more.get("precision") == "verbose":
        entry["arguments"].append("-verbose")
    return {**entry, **more}


def groups(*modules, children=()):
    """The result of proc.processes."""
    return {"modules": list(modules), "children": list(children), "others": []}
