#!/usr/bin/env python3
"""Take snapshots of the lab in its faults, for the rules' tests.

For each entry of tests/integration/faults.yml a server is started, broken, looked at with
campaign_info and stopped. Of the snapshot only that is kept without which the findings would not
be the same, and it is told as if from a standard installation: a file that a person can read.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import caretaker
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from common import CHECKOUT as TOP
from common.command_line import Parser

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload.isolated import (
    take,
)
from ansible_collections.campaign.remediation.plugins.modules.campaign_info import argument_spec
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)
from integration.harness import Lab, wait_until

FILES = TOP / "tests" / "unit" / "plugin_utils" / "snapshots"
TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (TOP / "tests" / "integration" / "faults.yml").read_text(encoding="utf-8")
)["faults"]
NOW = 1_763_467_200  # 2025-11-18 12:00:00 UTC: when each of them seems to be taken
KEPT_WHOLE = "healthy"

Json = dict[str, Any]


def look(lab: Lab, changes: Json) -> tuple[Json, Json]:
    """What campaign_info sees, and the thresholds that the lab's inventory asks for."""
    variables = {
        key.removeprefix("campaign_"): value
        for key, value in {**lab.variables(), **changes}.items()
        if key.startswith("campaign_")
    }
    thresholds: Json = variables.pop("thresholds")
    known = argument_spec()
    options = {key: value for key, value in variables.items() if key in known}
    validated = ArgumentSpecValidator(known).validate(options)
    if validated.error_messages:
        sys.exit(f"snapshots: {validated.error_messages}")
    snapshot, error = take(validated.validated_parameters)
    if error or snapshot is None:
        sys.exit(f"snapshots: {error}")
    snapshot["controller"] = {"before_at": time.time() - 0.1, "after_at": time.time()}
    return retold(snapshot), thresholds


def retold(snapshot: Json) -> Json:
    """The same, from a standard installation, at a fixed time."""
    text = json.dumps(snapshot)
    text = text.replace(snapshot["home"], "/usr/local/neolane/nl6")
    text = text.replace(snapshot["address"], "127.0.0.1")
    text = text.replace(str(Path(snapshot["home"]).parents[1]), "/srv/lab")
    later = NOW - round(snapshot["taken_at"])

    def shift(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: shift(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [shift(inner) for inner in value]
        if key == "user" and value == snapshot["user"]:
            return "neolane"
        if key.endswith("_at") and isinstance(value, (int, float)):
            return round(value + later, 1)
        return value

    told: Json = shift(json.loads(text))
    return told


def findings(snapshot: Json, thresholds: Json) -> set[tuple[str, tuple[str, ...]]]:
    """What the tests compare: each finding with its causes."""
    diagnosis = diagnose(snapshot, "app1", thresholds=Thresholds.of(thresholds))
    return {(each.id, each.caused_by_ids) for each in diagnosis.findings}


def shrunk(snapshot: Json, same: Callable[[], bool]) -> Json:
    """The snapshot, in place, without all that can be left out while `same` holds."""
    for _ in range(3):
        size = len(json.dumps(snapshot))
        _shrink(snapshot, same)
        if len(json.dumps(snapshot)) == size:
            break
    return snapshot


def _shrink(node: Any, same: Callable[[], bool]) -> None:
    for key, value in list(_items(node)):
        if key in ("schema", "home", "user", "taken_at", "probes"):
            if key == "probes":
                _shrink(value, same)
            continue
        del node[key]
        if same():
            continue
        if isinstance(node, dict):
            node[key] = value
        else:
            node.insert(key, value)
        if isinstance(value, (dict, list)):
            _shrink(value, same)


def _items(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    else:
        yield from reversed(list(enumerate(node)))  # later indexes stay valid


def small(snapshot: Json, thresholds: Json) -> Json:
    """Only what the findings need."""
    wanted = findings(snapshot, thresholds)

    def same() -> bool:
        return findings(snapshot, thresholds) == wanted

    _shrink(thresholds, same)
    return shrunk(snapshot, same)


def taken(name: str, root: Path) -> Json:
    """One entry of the table, on a server of its own."""
    entry = TABLE.get(name, {})
    lab = Lab(root)
    try:
        lab.up(instances=entry.get("instances", ()))
        var = lab.home() / "var" / "prod"
        wait_until(lambda: any(var.glob("import/contacts_import*.done")), 15)
        time.sleep(2 + entry.get("after", 0))  # what changes now is younger by the clock, too
        if name != KEPT_WHOLE:
            lab.ctl("break", entry.get("fault", name))
        known = lab.variables()
        changes: Json = {}
        if "thresholds" in entry:
            changes["campaign_thresholds"] = {**known["campaign_thresholds"], **entry["thresholds"]}
        if "jobs" in entry:
            changes["campaign_jobs"] = [{**job, **entry["jobs"]} for job in known["campaign_jobs"]]
        end = time.monotonic() + entry.get("within", 20)
        while True:
            snapshot, thresholds = look(lab, changes)
            seen = {found.partition("#")[0] for found, causes in findings(snapshot, thresholds)
                    if not causes}
            if seen >= set(entry.get("roots", [])) or time.monotonic() > end:
                break
            time.sleep(1)
    finally:
        lab.down()
    if name != KEPT_WHOLE:
        small(snapshot, thresholds)
    return {"thresholds": thresholds, "snapshot": snapshot}


def main() -> int:
    """Write the files."""
    parser = Parser(__doc__)
    parser.add_argument("fault", nargs="*", help="entries of faults.yml, or healthy (all)")
    parser.add_argument("--to", type=Path, default=FILES, metavar="FOLDER",
                        help="write there, and not where the tests read")
    options = parser.parse_args()
    names = options.fault or [KEPT_WHOLE, *TABLE]
    for name in set(names) - {KEPT_WHOLE, *TABLE}:
        parser.error(f"there is no '{name}' in faults.yml")
    options.to.mkdir(parents=True, exist_ok=True)
    caretaker.temporary_folder()
    for name in names:
        with tempfile.TemporaryDirectory(prefix="campaign-snapshot-") as folder:
            Path(folder).chmod(0o711)  # the account of the servers has to get to its lab
            kept = taken(name, Path(folder) / "lab")
        path = options.to / f"{name}.json"
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        sys.stdout.write(f"{path}: {path.stat().st_size} bytes\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
