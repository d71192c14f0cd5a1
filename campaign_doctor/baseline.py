# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a run is compared with: the last complete diagnosis of each host of the same inventory.

An interrupted run is none, nor is a host that could not be diagnosed, nor a look at some modules
only, unless this run looks at the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .history import INTERRUPTED, History
from .model import Changes, InvalidReport, Report

RUNS_LOOKED_AT = 10

Json = dict[str, Any]


def find(
    history: History, inventory: str, limit: str, scope: str, before: int | None = None
) -> Report | None:
    """The report to compare with, put together of as many runs as it takes; None if there is none."""
    names: list[str] | None = None
    alone = re.split(r"[,:]", limit) if limit else None
    chosen: dict[str, Json] = {}
    origins: dict[str, Json] = {}
    newest: Json | None = None
    for same, data in _complete(history, inventory, limit, scope, before):
        hosts = {host["name"]: host for host in data["hosts"]}
        newest = newest or data
        if same and names is None:  # whoever has left the inventory since is not missed for ever
            names = list(hosts)
        for name, host in hosts.items():
            known = chosen.get(name)
            if known is None or (known["status"] != "diagnosed" and host["status"] == "diagnosed"):
                chosen[name], origins[name] = host, data
        wanted = names if names is not None else alone
        if wanted is not None and all(_diagnosed(chosen, name) for name in wanted):
            break
    wanted = names if names is not None else alone if alone is not None else list(chosen)
    return _joined(newest, {name: chosen[name] for name in wanted if name in chosen}, origins)


def merged(former: Report | None, latest: Report) -> Report:
    """The latest report, with the former diagnosis of each host that has none now."""
    if former is None:
        return latest
    old, new = former.as_json(), latest.as_json()
    known = {host["name"]: host for host in old["hosts"]}
    chosen, origins = {}, {}
    for host in new["hosts"]:
        name = host["name"]
        keep = host["status"] != "diagnosed" and _diagnosed(known, name)
        chosen[name], origins[name] = (known[name], old) if keep else (host, new)
    return _joined(new, chosen, origins) or latest


def since_then(found: Changes, dark: Collection[str], latest: Report) -> Changes:
    """The changes against a merged report, with hosts lost and back since the last look alone."""
    back = [host.name for host in latest.hosts if host.status == "diagnosed" and host.name in dark]
    lost = [name for name in found.hosts.lost if name not in dark]
    return found.model_copy(update={
        "hosts": found.hosts.model_copy(update={"lost": tuple(lost), "back": tuple(back)}),
    })


def _complete(
    history: History, inventory: str, limit: str, scope: str, before: int | None
) -> Iterator[tuple[bool, Json]]:
    """The newest complete reports; whether each is of the same limit."""
    for run in history.of(inventory, before, RUNS_LOOKED_AT):
        if run.exit_code == INTERRUPTED or run.scope not in ("", scope):
            continue
        try:
            yield run.limit == limit, history.data(run.number)
        except (InvalidReport, LookupError):
            continue


def _diagnosed(hosts: Mapping[str, Json], name: str) -> bool:
    return name in hosts and hosts[name]["status"] == "diagnosed"


def _joined(base: Json | None, chosen: dict[str, Json], origins: dict[str, Json]) -> Report | None:
    """One report of these hosts, each with the roots of the report that it is from."""
    if base is None or not chosen:
        return None
    there = {(name, each["id"]) for name, host in chosen.items() for each in host["findings"]}
    roots = []
    for name in chosen:
        for root in origins[name].get("roots", ()):
            if root["host"] == name and (name, root["id"]) in there:
                kept = [node for node in root["explains"] if (node["host"], node["id"]) in there]
                roots.append({**root, "explains": kept})
    joined = {**base, "hosts": list(chosen.values()), "roots": roots, "changes": None}
    try:
        return Report.of(joined)
    except InvalidReport:
        return None
