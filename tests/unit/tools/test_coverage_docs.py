"""docs/developer/coverage.md: each documented symptom and log line is found, or says why not."""

from __future__ import annotations

import coverage_docs
import pytest
from coverage_docs import Row

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES


@pytest.mark.parametrize(
    ("row", "gap"),
    [
        (Row("mta", "it is odd", ()), "it is odd: neither a key nor a reason"),
        (Row("mta", "it is odd", ("mta.odd",)), "it is odd: there is no mta.odd"),
        (Row("mta", "it is odd", ("MODULE.odd",)), "it is odd: there is no MODULE.odd"),
        (Row("mta", "it is odd", (), ("mta.hung",)),
         "it is odd: mta.hung is there: move it to found"),
    ],
)
def test_a_gap(row: Row, gap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_docs, "symptoms", lambda: [row])
    assert coverage_docs.gaps() == [gap]
    assert coverage_docs.WRITER.main(["--check"]) == 1


def test_every_module_of_the_mission_has_symptoms() -> None:
    named = {row.module for row in coverage_docs.symptoms()}
    assert named >= set(MODULES)
