# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A report as a CloudEvent 1.0 in structured mode. docs/user/notifications.md has its keys.

Uses the standard library only: campaign_doctor has this very file, by a link, and reads its own
model.py with it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import words

if TYPE_CHECKING:
    from ..model import Report
    from .news import Effect, Item, News, Silent

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPE = "campaign.remediation.report"
TEST = "campaign.remediation.test"
SCHEMA = 1
# What every intermediary of CloudEvents must hand on.
LARGEST_BYTES = 64 * 1024
HOSTS_OF_A_CUT_EVENT = 20

Json = dict[str, Any]
# By key of a problem: who runs it (root, account, advice) and its text; what depends on the host
# is in angle brackets.
Fixes = Callable[[str], Sequence[tuple[str, str]]]


def of(report: Report, news: News, fixes: Fixes, link: str | None = None) -> Json:
    """The event of a report; at most LARGEST_BYTES as JSON."""
    names = [host.name for host in report.hosts]
    event: Json = {
        "specversion": "1.0",
        "type": TYPE,
        "source": source(),
        "id": report.run or f"{report.started}-{report.finished}",
        "subject": names[0] if len(names) == 1 else f"{len(names)} hosts",
        "time": report.finished,
        "datacontenttype": "application/json",
        "data": _data(report, news, fixes, link),
    }
    return _cut(event)


def test(text: str) -> Json:
    """An event that says only this."""
    return {
        "specversion": "1.0", "type": TEST, "source": source(), "id": secrets.token_hex(8),
        "datacontenttype": "application/json", "data": {"schema": SCHEMA, "message": text},
    }


def source() -> str:
    """The controller, as events name it."""
    return f"/campaign.remediation/{quote(platform.node() or 'controller', safe='')}"


def as_bytes(event: Mapping[str, Any]) -> bytes:
    """As it is sent."""
    return json.dumps(event, separators=(",", ":")).encode("ascii")


def fix_of(item: Item, fixes: Fixes) -> list[tuple[str, str]]:
    """The documented fix, for the module that it is about."""
    label = words.label(item.module, item.instance)
    known = {"<target>": label, "<instance>": item.instance, "<module>": item.module}
    told = []
    for who, text in fixes(item.key):
        for mark, value in known.items():
            if shlex.quote(value) == value:  # else whoever types it must look
                text = text.replace(mark, value)
        told.append((who, text))
    return told


def _data(report: Report, news: News, fixes: Fixes, link: str | None) -> Json:
    counts = report.summary
    names = ("hosts", "healthy", "degraded", "down", "unknown", "unreachable", "failed",
             "not_installed", "critical", "warning", "info", "roots")  # fmt: skip
    return {
        "schema": SCHEMA,
        "run": report.run, "mode": report.mode, "check": report.check,
        "started": report.started, "finished": report.finished, "since": news.since,
        "collection": report.collection, "link": link,
        "summary": {name: getattr(counts, name) for name in names},
        "causes": [_cause(item, news, fixes) for item in news.causes],
        "fixed": [_finding(item) for item in news.fixed],
        "undiagnosed": [_silent(each, news) for each in news.silent],
        "back": list(news.back),
        "hosts": [
            {"name": host.name, "status": host.status, "verdict": host.verdict, "score": host.score}
            for host in report.hosts
        ],
        "truncated": False,
    }


def _finding(item: Item | Effect) -> Json:
    return {
        "fingerprint": fingerprint(item), "key": item.key, "module": item.module,
        "instance": item.instance, "severity": item.severity, "title": item.title,
        "hosts": list(item.hosts), "host_count": len(item.hosts),
    }


def _cause(item: Item, news: News, fixes: Fixes) -> Json:
    return {
        **_finding(item),
        "change": (item.kind or "same") if news.since else None,
        "changed_hosts": list(item.changed) if news.since else None,
        "automatic": item.automatic,
        "fix": [{"who": who, "text": text} for who, text in fix_of(item, fixes)],
        "effects": [_finding(effect) for effect in item.effects],
    }


def _silent(each: Silent, news: News) -> Json:
    return {
        "status": each.status, "advice": each.advice, "hosts": list(each.hosts),
        "host_count": len(each.hosts), "changed_hosts": list(each.changed) if news.since else None,
    }


def fingerprint(item: Item | Effect) -> str:
    """The same for the same problem of the same module and instance, in every run, on any host."""
    told = "\n".join((item.key, item.module, item.instance))
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]


def _cut(event: Json) -> Json:
    """The event within its limit: what is least important goes first, and `truncated` says so."""
    data = event["data"]
    for cut in (_healthy, _effects, _hosts):
        if len(as_bytes(event)) <= LARGEST_BYTES:
            return event
        cut(data)
        data["truncated"] = True
    for name in ("hosts", "fixed", "undiagnosed", "causes", "back"):
        while len(as_bytes(event)) > LARGEST_BYTES and data[name]:
            del data[name][len(data[name]) // 2 :]
    return event


def _healthy(data: Json) -> None:
    data["hosts"] = [host for host in data["hosts"] if host["verdict"] != "healthy"]


def _effects(data: Json) -> None:
    for cause in data["causes"]:
        cause["effects"] = []


def _hosts(data: Json) -> None:
    for entry in (*data["causes"], *data["fixed"], *data["undiagnosed"]):
        for name in ("hosts", "changed_hosts"):
            if entry.get(name):
                del entry[name][HOSTS_OF_A_CUT_EVENT:]
