# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outcome of a job, judged by its exit code, its files and its log."""

import time

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Iterable, Optional, Tuple

    File = Dict[str, Any]

SUCCEEDED, FAILED, RUNNING, UNKNOWN = "succeeded", "failed", "running", "unknown"


def changed_file(
    before: "Optional[File]",
    after: "Optional[File]",
    keys: "Iterable[str]" = ("path", "mtime_at", "size_bytes", "lines"),
) -> "Optional[File]":
    """The file of `after`, if it is not just the one of `before`."""
    if not after:
        return None
    same = before and all(before.get(key) == after.get(key) for key in keys)
    return None if same else after


def newer_file(before: "Optional[File]", after: "Optional[File]", since: float) -> "Optional[File]":
    """A file that was made since: another one, or written again."""
    if after and after["mtime_at"] >= since:
        return after
    return changed_file(before, after)


def judge(
    exit_code: "Optional[int]",
    result: "Optional[File]",
    wants_result: bool,
    error: "Optional[File]",
) -> "Tuple[str, str]":
    """(outcome, reason): as diagnosis would see it, and by the exit code."""
    later = error is None or (result is not None and result["mtime_at"] > error["at"])
    if exit_code:
        text = "ended with exit code %d" % exit_code
        if 128 < exit_code < 160:
            text += " (signal %d)" % (exit_code - 128)
        return FAILED, text
    known = "ended with exit code 0" if exit_code == 0 else "ended with an unknown exit code"
    if not later:
        return FAILED, "%s and logged an error" % known
    if wants_result and result is None:
        return FAILED, "%s but wrote no file that matches its declared result" % known
    if exit_code is None and not wants_result:
        return UNKNOWN, "ended with an unknown exit code"
    return SUCCEEDED, ""


def seconds(value: float) -> str:
    """A length of time for people."""
    if value >= 120:
        return "%d min" % round(value / 60.0)
    return "%.1f s" % value if value < 10 else "%d s" % round(value)


def moment(at: "Optional[float]") -> str:
    """A time for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) if at else "an unknown time"
