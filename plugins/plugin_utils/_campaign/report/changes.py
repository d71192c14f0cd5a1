# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed from one report to the next.

Uses the standard library only and imports nothing of the collection: campaign_doctor has this very
file, by a link, and compares the reports of its history with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

SEVERITIES = ("critical", "warning", "info")

# The same trouble in several degrees, the mildest first: from one to the next it got worse.
DEGREES = (
    ("disk_filling", "disk_almost_full", "disk_full"),
    ("memory_high", "memory_exhausted"),
    ("load_rising", "load_high"),
    ("memory_warning", "memory_alert"),
    ("errors_few", "errors_many"),
)
_DEGREE = {name: (row[0], place) for row in DEGREES for place, name in enumerate(row)}

Trouble = tuple[str, str]  # module and place, in whichever degree


def between(
    old: Mapping[str, Any], new: Mapping[str, Any], needs: Mapping[str, Sequence[str]]
) -> Json:
    """What is new, gone, worse, better or no longer to be seen; `changes` of report.json.

    `needs` are, by key, the probes without which a problem is not judged: a finding that is not
    there because its probe failed is not gone.
    """
    before = {str(host["name"]): host for host in old["hosts"]}
    after = {str(host["name"]): host for host in new["hosts"]}
    result: Json = {
        "since": {"run": old.get("run"), "finished": old["finished"]},
        "new": [], "gone": [], "worse": [], "better": [], "unseen": [],
        "hosts": {
            "appeared": [name for name in after if name not in before],
            "vanished": [name for name in before if name not in after],
            "lost": [],
            "back": [],
        },
        "scores": [],
    }
    for name, host in after.items():
        _host(name, before.get(name), host, needs, result)
    for kind in ("new", "worse", "better", "gone", "unseen"):
        result[kind].sort(key=lambda entry: SEVERITIES.index(entry["severity"]))
    return result


def _host(
    name: str,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    needs: Mapping[str, Sequence[str]],
    result: Json,
) -> None:
    had = old is not None and old["status"] == "diagnosed"
    has = new["status"] == "diagnosed"
    if old is not None and had != has:
        result["hosts"]["back" if has else "lost"].append(name)
    score, was = new.get("score"), None if old is None else old.get("score")
    if None not in (score, was) and score != was:
        result["scores"].append({"host": name, "score": score, "was": was})
    former = dict(_findings(old)) if old is not None else {}
    present = dict(_findings(new))
    for trouble, finding in present.items():
        earlier = former.get(trouble)
        if earlier is None:
            result["new"].append(_entry(name, finding))
        elif _rank(finding) != _rank(earlier):
            kind = "worse" if _rank(finding) < _rank(earlier) else "better"
            result[kind].append(_entry(name, finding, earlier))
    for trouble, finding in former.items():
        if trouble not in present and old is not None:
            seen = has and _looked_at(finding, old, new, needs)
            result["gone" if seen else "unseen"].append(_entry(name, finding))


def _findings(host: Mapping[str, Any]) -> Iterator[tuple[Trouble, Mapping[str, Any]]]:
    """A host's findings by what they are about, the gravest degree of each."""
    for finding in sorted(host["findings"], key=_rank, reverse=True):
        name = finding["key"].partition(".")[2]
        place = finding["id"].removeprefix(finding["key"])
        yield (f"{finding['module']}.{_DEGREE.get(name, (name, 0))[0]}", place), finding


def _rank(finding: Mapping[str, Any]) -> tuple[int, int]:
    """The less, the graver."""
    degree = _DEGREE.get(finding["key"].partition(".")[2], ("", 0))[1]
    return SEVERITIES.index(finding["severity"]), -degree


def _looked_at(
    finding: Mapping[str, Any],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    needs: Mapping[str, Sequence[str]],
) -> bool:
    """Whether a finding of the old run would have been found again in the new one."""
    failed = {probe["probe"] for probe in new["unseen"]}
    if failed.intersection(needs.get(finding["key"], ())):
        return False
    modules = {(module["module"], module["instance"]) for module in new["modules"]}
    if finding["module"] == "host":
        # The machine is judged only where all modules were asked for.
        return modules >= {(module["module"], module["instance"]) for module in old["modules"]}
    return (finding["module"], finding["instance"]) in modules


def _entry(
    host: str, finding: Mapping[str, Any], earlier: Mapping[str, Any] | None = None
) -> Json:
    kept = ("id", "key", "module", "instance", "severity", "title", "summary")
    return {
        "host": host,
        **{key: finding[key] for key in kept},
        "was": None if earlier is None else {key: earlier[key] for key in ("id", "severity")},
    }
