"""In the place of ansible-playbook: the events of a diagnosis of many hosts, and nothing else.

Written as ansible-runner's own callback plugin writes them: the data in a file, its name between
escape sequences on the terminal.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["AWX_ISOLATED_DATA_DIR"]) / "job_events"
MODULES = ("watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "tracking", "inMail",
           "wfserver", "export", "import")
TASK = {
    "task": "Take a snapshot and judge it", "task_path": "/c/playbooks/tasks/diagnose.yml:6",
    "task_action": "campaign.remediation.campaign_diagnose",
}


def marked(data: dict[str, Any]) -> str:
    text = base64.b64encode(json.dumps(data).encode()).decode()
    return f"\x1b[K{text}\x1b[{len(text)}D\x1b[K"


def tell(kind: str, stdout: str = "", **data: Any) -> None:
    name = str(uuid.uuid4())
    told = {"event": kind, "uuid": name, "pid": os.getpid(), "event_data": data,
            "created": datetime.now(UTC).isoformat()}
    half = FOLDER / f"{name}-partial.json.tmp"
    half.write_text(json.dumps(told))
    half.replace(FOLDER / f"{name}-partial.json")
    sys.stdout.write(marked({"uuid": name}) + stdout + marked({}))
    sys.stdout.flush()


def diagnosis() -> dict[str, Any]:
    """Of a server with three instances, about as long as a real one."""
    return {
        "error": None, "home": "/usr/local/neolane/nl6", "instances": ["a", "b", "c"],
        "modules": [{"module": module, "instance": instance, "verdict": "healthy", "pid": 4711,
                     "state": "running", "memory_mb": 12.3, "findings": []}
                    for module in MODULES for instance in "abc"],
        "findings": [{"key": "host.disk_filling", "severity": "warning", "summary": "x" * 800}] * 5,
    }


def main() -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    (variables,) = [word[1:] for word in sys.argv if word.endswith("/env/extravars")]
    count = json.loads(Path(variables).read_text())["hosts"]
    names = [f"app{number}" for number in range(1, count + 1)]
    told = Path(os.environ["CAMPAIGN_DOCTOR_TELLS"])
    told.write_text(json.dumps({"hosts": names, "wait": {}}))
    tell("playbook_on_start")
    tell("playbook_on_play_start", "\nPLAY [Diagnose] ***\n", name="Diagnose")
    for name in names:
        tell("runner_on_start", host=name, **TASK)
    for name in names:
        tell("runner_on_ok", f"ok: [{name}]\n", host=name, res={"diagnosis": diagnosis()}, **TASK)
    tell("playbook_on_stats", processed=dict.fromkeys(names, 1), ok=dict.fromkeys(names, 1))


if __name__ == "__main__":
    main()
