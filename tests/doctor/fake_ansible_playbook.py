"""In the place of ansible-playbook: the events of a saved run, or of a diagnosis of many hosts.

Written as ansible-runner's own callback plugin writes them: the data in a file, its name between
escape sequences on the terminal. With the standard library alone: it starts quickly.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MODULES = ("watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "tracking", "inMail",
           "wfserver", "export", "import")
TASK = {
    "task": "Take a snapshot and diagnose it", "task_path": "/c/playbooks/tasks/diagnose.yml:6",
    "task_action": "campaign.remediation.campaign_diagnose",
}
STOP_SECONDS = 120
"""No stop file comes for as long only when what writes it is broken."""
ASIDE = ("campaign_report_dir", "campaign_report_formats", "campaign_stop_file",
         "campaign_report_previous", "campaign_plan_file", "campaign_plan_write", "campaign_ask",
         "_campaign_mute_memory")
"""Variables that name files of one run, and the one that no plan depends on."""

Json = dict[str, Any]


def asked(
    playbook: str, variables: Mapping[str, Any], extra: Mapping[str, Any], check: bool,
    limit: str | None,
) -> Json:
    """What a run is about: one that is saved answers this question, and no other."""
    given = {key: value for key, value in variables.items() if key not in ASIDE}
    return {"playbook": playbook, "variables": given, "extra": {**extra}, "check": check,
            "limit": limit}


def marked(data: Json) -> str:
    text = base64.b64encode(json.dumps(data).encode()).decode()
    return f"\x1b[K{text}\x1b[{len(text)}D\x1b[K"


def tell(kind: str, stdout: str = "", **data: Any) -> None:
    name = str(uuid.uuid4())
    told = {"event": kind, "uuid": name, "pid": os.getpid(), "event_data": data,
            "created": datetime.now(UTC).isoformat()}
    folder = Path(os.environ["AWX_ISOLATED_DATA_DIR"]) / "job_events"
    half = folder / f"{name}-partial.json.tmp"
    half.write_text(json.dumps(told))
    half.replace(folder / f"{name}-partial.json")
    sys.stdout.write(marked({"uuid": name}) + stdout + marked({}))
    sys.stdout.flush()


def diagnosis() -> Json:
    """Of a server with three instances, about as long as a real one."""
    return {
        "error": None, "home": "/usr/local/neolane/nl6", "instances": ["a", "b", "c"],
        "modules": [{"module": module, "instance": instance, "verdict": "healthy", "pid": 4711,
                     "state": "running", "memory_mb": 12.3, "findings": []}
                    for module in MODULES for instance in "abc"],
        "findings": [{"key": "host.disk_filling", "severity": "warning", "summary": "x" * 800}] * 5,
    }


def tells(data: Json) -> None:
    """What the callback plugin of campaign-doctor tells."""
    told = Path(os.environ["CAMPAIGN_DOCTOR_TELLS"])
    half = told.with_suffix(".half")
    half.write_text(json.dumps(data))
    half.replace(told)


def fleet(variables: Json) -> int:
    """A diagnosis of as many hosts as `hosts` says."""
    names = [f"app{number}" for number in range(1, variables.get("hosts", 1) + 1)]
    tells({"hosts": names, "wait": {}})
    tell("playbook_on_start")
    if "FAKE_RUNS" in os.environ:  # it runs until the test says that it may end, or dies
        begun = Path(os.environ["FAKE_RUNS"])
        begun.write_text(json.dumps([*sys.argv, os.environ["CAMPAIGN_DOCTOR_TELLS"]]))
        for _ in range(1200):
            if not begun.exists():
                break
            time.sleep(0.1)
    tell("playbook_on_play_start", "\nPLAY [Diagnose] ***\n", name="Diagnose")
    for name in names:
        tell("runner_on_start", host=name, **TASK)
    for name in names:
        tell("runner_on_ok", f"ok: [{name}]\n", host=name, res={"diagnosis": diagnosis()}, **TASK)
    tell("playbook_on_stats", processed=dict.fromkeys(names, 1), ok=dict.fromkeys(names, 1))
    return 0


def options() -> argparse.Namespace:
    """Of ansible-playbook's own, those that campaign-doctor uses."""
    parser = argparse.ArgumentParser()
    parser.add_argument("playbook")
    parser.add_argument("-i", "--inventory", action="append", default=[])
    parser.add_argument("-e", "--extra-vars", action="append", default=[])
    parser.add_argument("-l", "--limit")
    parser.add_argument("-f", "--forks")
    parser.add_argument("-v", action="count")
    parser.add_argument("--vault-password-file", action="append", default=[])
    parser.add_argument("--become-password-file")
    for flag in ("--check", "--diff"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def replay(place: Path, given: argparse.Namespace, variables: Json) -> int:
    """Note what was asked; tell what happened then, and leave what it left."""
    name = Path(given.playbook).stem
    extra: Json = {}
    for word in given.extra_vars:
        if re.search(r"/env/(configured|extra\d+)$", word):
            extra.update(json.loads(Path(word[1:]).read_text()))
    question = asked(name, variables, extra, given.check, given.limit)
    with (place / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps({**question, "inventory": given.inventory,
                                "words": sys.argv[1:]}) + "\n")
    runs = {each: json.loads((each / "run.json").read_text())
            for each in (place / "now").resolve().iterdir()}
    found = [(folder, run) for folder, run in runs.items() if run["asked"] == question]
    if len(found) != 1:
        saved = [run["asked"] for run in runs.values()]
        print(f"[ERROR]: The test replays no run for this: {question}. There are: {saved}")
        return 1
    ((folder, run),) = found
    tells(run["tells"])
    for number, event in enumerate(run["events"]):
        if number == run.get("interrupted_after"):
            end = time.monotonic() + STOP_SECONDS
            while not Path(variables["campaign_stop_file"]).exists():
                if time.monotonic() > end:
                    print("[ERROR]: Nobody asked the run to stop.")
                    return 1
                time.sleep(0.05)
        tell(event["event"], event["stdout"], **event["event_data"])
    if run["report"]:
        shutil.copytree(folder / "report", variables["campaign_report_dir"])
    if run["plan"] and "campaign_plan_write" in variables:
        Path(variables["campaign_plan_write"]).write_text(json.dumps(run["plan"]))
    return int(run["rc"])


def main() -> int:
    (Path(os.environ["AWX_ISOLATED_DATA_DIR"]) / "job_events").mkdir(mode=0o700, exist_ok=True)
    given = options()
    (file,) = [word[1:] for word in given.extra_vars if word.endswith("/env/extravars")]
    variables: Json = json.loads(Path(file).read_text())
    if "hosts" in variables or "FAKE_RUNS" in os.environ:
        return fleet(variables)
    return replay(Path(os.environ["CAMPAIGN_SAVED_RUNS"]), given, variables)


if __name__ == "__main__":
    sys.exit(main())
