"""tools/snapshots.py: what the rules' tests read is what a broken server shows, and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)
from integration.harness import CHECKOUT

FAULT = "module_stopped_by_hand"


def test_a_snapshot_of_a_broken_server(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "snapshots.py", "--to", tmp_path, FAULT],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / f"{FAULT}.json").read_text(encoding="utf-8")
    assert done.stdout == f"{tmp_path}/{FAULT}.json: {len(text.encode())} bytes\n"
    kept: dict[str, Any] = json.loads(text)
    snapshot = kept["snapshot"]
    diagnosis = diagnose(snapshot, "app1", thresholds=Thresholds.of(kept["thresholds"]))
    causes = {finding.id: list(finding.caused_by_ids) for finding in diagnosis.findings}
    assert [found for found, by in causes.items() if not by] == ["stat.not_running@prod"]
    assert causes["mta.stat_unreachable@prod"] == ["stat.not_running@prod"]
    # As of a standard installation at a fixed time, and only what the finding needs.
    assert (snapshot["home"], snapshot["user"]) == ("/usr/local/neolane/nl6", "neolane")
    assert "campaign-snapshot-" not in text
    assert len(text) < 4000
