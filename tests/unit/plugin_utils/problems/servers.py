"""All servers that are entered for the problems of the catalogue."""

from __future__ import annotations

from unit.plugin_utils.problems import (  # noqa: F401 each enters its servers
    cases,
    test_api,
    test_configuration,
    test_every_module,
    test_host,
    test_mta,
    test_stat,
    test_syslogd,
    test_tracking,
    test_watchdog,
    test_web,
    test_wfserver,
)
from unit.plugin_utils.problems.cases import Change


def _id(finding: str) -> str:
    """`wfserver.errors@@CODE@prod` → `wfserver.errors@prod#CODE`."""
    if "@@" not in finding:
        return finding
    key, rest = finding.split("@@")
    code, instance = rest.split("@")
    return f"{key}@{instance}#{code}"


HOLDS: list[tuple[str, bool | None, Change]] = [
    (_id(finding), root, change) for (finding, _), (root, change) in cases.HOLDS.items()
]
NAMES = [f"{_id(finding)}-{name}" for finding, name in cases.HOLDS]
NEAR = [(key, change) for (key, _), change in cases.NEAR.items()]
