# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declared exports and imports: from processes, files and their logs."""

import os

from ansible_collections.campaign.remediation.plugins.module_utils import logs
from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    clean,
    mask_arguments,
)

LOG_LIMIT = 512 * 1024
COMPARED = 30  # arguments
COUNT_LIMIT = 4 * 1024 * 1024


def newest(pattern, directory):
    """(path, status) of the newest file that fits; None without one."""
    if not pattern:
        return None
    import glob

    found = []
    for path in glob.glob(os.path.join(directory, pattern))[:10000]:
        try:
            found.append((os.stat(path).st_mtime, path))
        except OSError:
            continue
    if not found:
        return None
    path = max(found)[1]
    return path, os.stat(path)


def count_lines(path):
    """The lines of a file (of its first megabytes)."""
    count = read = 0
    with open(path, "rb") as stream:
        while read < COUNT_LIMIT:
            block = stream.read(65536)
            if not block:
                break
            read += len(block)
            count += block.count(b"\n")
    return count


def runs(job, processes, alone):
    """The process that runs this job, as far as its arguments tell."""
    # What is seen of a process is masked and may be cut, so the same is done to what is declared.
    variants = [
        mask_arguments(arguments)[:COMPARED]
        for arguments in (job.get("arguments") or {}).values()
        if arguments
    ]
    for process in processes:
        if process["name"] != job["kind"] or process["instance"] != job["instance"]:
            continue
        given = process["arguments"]
        if alone or any(all(word in given for word in words) for words in variants):
            return {"pid": process["pid"], "started_at": process["started_at"]}
    return None


def history(lines, job, alone):
    """(first, last, error) of the last run that the log tells of."""
    parsed = [line for line in map(logs.parse_line, lines) if line]
    named = set(line.pid for line in parsed if job["name"] in line.message)
    if not named and not alone:
        return None, None, None
    last = next((one.pid for one in reversed(parsed) if not named or one.pid in named), None)
    chosen = [line for line in parsed if line.pid == last]
    if not chosen:
        return None, None, None
    error = next((line for line in reversed(chosen) if line.level == "error"), None)
    return chosen[0].at, chosen[-1].at, error


def collect(job, processes, var_dir, alone):
    """One entry of the snapshot's `jobs`."""
    directory = os.path.join(var_dir, job["instance"])
    running = runs(job, processes, alone)
    entry = {
        "name": job["name"],
        "kind": job["kind"],
        "instance": job["instance"],
        "operator": job.get("operator"),
        "running": running,
        "result": None,
        "rejects": None,
        "last_start_at": None,
        "last_end_at": None,
        "last_error": None,
    }
    found = newest(job.get("result"), directory)
    if found:
        path, status = found
        entry["result"] = {
            "path": path,
            "mtime_at": status.st_mtime,
            "size_bytes": status.st_size,
        }
    found = newest(job.get("rejects"), directory)
    if found:
        path, status = found
        entry["rejects"] = {
            "path": path,
            "lines": count_lines(path),
            "mtime_at": status.st_mtime,
        }
    try:
        path = os.path.join(directory, "log", job["kind"] + ".log")
        lines = logs.read_tail(path, None, LOG_LIMIT)[0]
    except FileNotFoundError:
        return entry
    first, last, error = history(lines, job, alone)
    entry["last_start_at"] = first
    entry["last_end_at"] = None if running else last
    if error:
        message = logs.unfold(error.message)
        entry["last_error"] = {
            "sample": clean(message.strip(), 500),
            "codes": logs.codes(message),
            "at": error.at,
        }
    return entry
