#!/usr/bin/env python3
"""Save runs of campaign-doctor on a lab, for the tests that look at what it makes of them.

usage: tools/saved_runs.py [NAME...]

Each is a file in tests/doctor/saved_runs: what was asked, the events as ansible-runner passed them
on, the report and the plan. tests/doctor/fake_ansible_playbook.py replays them. Of the results in
the events only the parts are kept that campaign-doctor reads. Run it again after a change of the
playbooks, of their task names or of the report.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from common import CHECKOUT as TOP
from common.command_line import Parser

from campaign_doctor import cli, doctor, runner
from campaign_doctor.interrupts import Interrupts
from campaign_doctor.runner import Access, Ended, Event, PlaybookRun, Watcher
from doctor.fake_ansible_playbook import asked
from doctor.harness import FAST, UNREACHABLE
from integration.harness import INVENTORY, Lab, environment

FILES = TOP / "tests" / "doctor" / "saved_runs"
ONLY = ("--module", "inMail")
STOPPED = "module_stopped_by_hand:inMail"
RESULT = ("changed", "msg", "number", "skipped", "steps", "unreachable")

Json = dict[str, Any]


class Saved(NamedTuple):
    """A run: what is broken before, the words of the command, hosts beside app1."""

    words: tuple[str, ...]
    broken: tuple[str, ...] = ()
    others: Mapping[str, Any] = {}
    interrupted_at: str = ""
    """It is asked to stop when this task begins on a host."""


RUNS = {
    "healthy": Saved(("diagnose", *ONLY)),
    "stopped": Saved(("diagnose", *ONLY), (STOPPED,)),
    "one_unreachable": Saved(("diagnose", *ONLY), (STOPPED,), {"gone": UNREACHABLE}),
    "all_unreachable": Saved(("diagnose", "--limit", "gone"), (), {"gone": UNREACHABLE}),
    "wrong_instance": Saved(("diagnose", "--instance", "prdo")),
    "wrong_option": Saved(("diagnose", "-e", "campaign_timeout=soon")),
    "planned": Saved(("plan", *ONLY), (STOPPED,)),
    "planned_repaired": Saved(("remediate", "--yes", *ONLY, *FAST), (STOPPED,)),
    "checked": Saved(("remediate", "--check", *ONLY, *FAST), (STOPPED,)),
    "repaired_in_vain": Saved(("remediate", "--yes", "--module", "mta", *FAST),
                              ("mta_children_missing",)),
    "launched_in_vain": Saved(("relaunch", "export", "contacts_export", "--full", "--operator",
                               "anna.berg", "--yes", *FAST), ("export_failed",)),
    "nothing_to_repair": Saved(("remediate", "--yes", *ONLY, *FAST)),
    "interrupted": Saved(
        ("remediate", "--yes", "--module", "stat", *ONLY, *FAST),
        ("module_stopped_by_hand:stat", STOPPED), interrupted_at="Start stat",
    ),
    "precision_checked": Saved(("precision", "raise", "inMail@prod", "--check", *FAST)),
    "no_such_job": Saved(("relaunch", "export", "no_such_job", "--delta", "--operator", "anna.berg",
                          "--yes")),
    "no_such_instance": Saved(("precision", "raise", "mta@elsewhere", "--yes")),
}


class Tee:
    """Passes on what happens to the one who shows it, and keeps it."""

    def __init__(self, watcher: Watcher, heard: Callable[[Event], None]) -> None:
        self.watcher = watcher
        self.heard = heard
        self.tells: Json = {"hosts": [], "wait": {}}
        self.stopping = watcher.stopping
        self.tick = watcher.tick

    def event(self, event: Event) -> None:
        """One more."""
        self.heard(event)
        self.watcher.event(event)

    def play_started(self, hosts: list[str], wait: Mapping[str, float | None]) -> None:
        """The hosts of a play."""
        self.tells = {"hosts": hosts, "wait": {**self.tells["wait"], **wait}}
        self.watcher.play_started(hosts, wait)


def short(event: Event) -> Json:
    """What campaign-doctor reads of an event."""
    data = {key: value for key, value in (event.get("event_data") or {}).items()
            if key in ("host", "name", "task", "task_path", "task_action", "res", "processed",
                       "failures", "ok", "dark")}
    result = data.get("res")
    if isinstance(result, dict):
        data["res"] = {key: result[key] for key in RESULT if key in result}
        diagnosis = result.get("diagnosis")
        if isinstance(diagnosis, dict):
            data["res"]["diagnosis"] = {
                "error": diagnosis["error"],
                "modules": [{key: each[key] for key in ("module", "instance", "verdict")}
                            for each in diagnosis["modules"]],
                "findings": [{"severity": each["severity"]} for each in diagnosis["findings"]],
            }
    return {"event": event["event"], "stdout": event.get("stdout") or "", "event_data": data}


def read(path: Path) -> Json | None:
    """What a run wrote, if it did."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def record(saved: Saved, lab: Lab, folder: Path) -> Json:
    """Run the command as it is, and keep what came of it."""
    kept: Json = {}

    def run(
        playbook_run: PlaybookRun, access: Access, private: Path, watcher: Watcher,
        interrupts: Interrupts,
    ) -> Ended:
        events: list[Json] = []

        def heard(event: Event) -> None:
            if event["event"] != "verbose" or event.get("stdout"):
                events.append(short(event))
            data = event.get("event_data") or {}
            if event["event"] == "runner_on_start" and data.get("task") == saved.interrupted_at:
                kept["interrupted_after"] = len(events)
                signal.raise_signal(signal.SIGTERM)

        extra = dict(access.variables)
        for text in access.extra:
            extra.update(runner.extra_variables(text))
        tee = Tee(watcher, heard)
        ended = runner.run(playbook_run, access, private, tee, interrupts)
        written = playbook_run.variables.get("campaign_plan_write")
        kept.update(
            command=" ".join(word for word in saved.words),
            asked=asked(playbook_run.playbook, playbook_run.variables, extra, playbook_run.check,
                        access.limit),
            rc=ended.rc, tells=tee.tells, events=events,
            report=read(ended.report_file), plan=read(Path(written)) if written else None,
        )
        kept["private"] = str(private)
        return ended

    hosts = folder / "hosts.json"
    hosts.write_text(json.dumps(
        {"campaign": {"hosts": {"app1": lab.variables(), **saved.others}}}))
    inventory = str(hosts if saved.others else INVENTORY)
    words = [*saved.words, "-i", inventory, "--history", str(folder / "history.db")]
    with mock.patch.object(sys, "argv", ["campaign-doctor", *words]), \
            mock.patch.object(doctor, "run", run), contextlib.redirect_stdout(io.StringIO()):
        code = cli.call()
    print(f"  code {code}, {len(kept['events'])} events")
    return retold(kept, lab, folder)


def retold(kept: Json, lab: Lab, folder: Path) -> Json:
    """The same, with nothing of this machine in it."""
    text = json.dumps(kept)
    places = {kept.pop("private"): "/private", str(lab.root): "/srv/lab", str(folder): "/tmp",
              str(TOP): "/srv/collection", sys.prefix: "/srv/venv"}
    for place, name in places.items():
        text = text.replace(place, name)
    told: Json = json.loads(text)
    del told["private"]
    return told


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*RUNS, []])
    names = parser.parse_args().names or list(RUNS)
    FILES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="campaign-saved-") as place:
        Path(place).chmod(0o755)  # the lab's account must reach it
        lab, home = Lab(Path(place) / "lab"), Path(place) / "home"
        home.mkdir()
        os.environ.clear()
        os.environ.update(environment(HOME=str(home), COLUMNS="120", **lab.env))
        os.environ.pop("ANSIBLE_DEPRECATION_WARNINGS")
        try:
            lab.up()
            for name in names:
                print(name)
                lab.forget()
                folder = Path(place) / name
                folder.mkdir()
                for fault in RUNS[name].broken:
                    lab.ctl("break", fault)
                told = record(RUNS[name], lab, folder)
                lab.ctl("heal")
                (FILES / f"{name}.json").write_text(
                    json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        finally:
            lab.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
