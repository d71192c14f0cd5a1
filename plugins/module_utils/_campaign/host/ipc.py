# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shared memory and semaphores, from the kernel.

They belong to the account that created them: Campaign's or the web server's.
"""

import os

from ..text import user_name
from . import proc

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Collection, Dict, Iterator, List

    Entry = Dict[str, Any]

# The keys that the vendor publishes: trackinglogd's segment, and the semaphore beside it.
SEGMENT, SEMAPHORE = 0x52020679, 0x52020678
LIMIT = 200


def parse(text: str) -> "List[Dict[str, int]]":
    """A table of /proc/sysvipc as mappings, by the names of its first line."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    return [
        dict(zip(lines[0], (int(word) for word in words)))
        for words in lines[1:]
        if len(words) == len(lines[0]) and all(w.lstrip("-").isdigit() for w in words)
    ]


def shared_memory(uid: int, keys: "Collection[int]") -> "Entry":
    """The account's segments and semaphores and those with the published keys, whoever owns them;
    or those with these keys.
    """
    found = [_segment(entry) for entry in _of(proc.read("sysvipc", "shm"), uid, keys)]
    try:
        table = proc.read("sysvipc", "sem")
    except OSError:  # a kernel without semaphores
        table = ""
    known = set(keys) or {SEGMENT, SEMAPHORE}
    semaphores = [_semaphore(entry, found, known) for entry in _of(table, uid, keys)]
    return {"segments": found[:LIMIT], "semaphores": semaphores[:LIMIT], "denied": False}


def _of(table: str, uid: int, keys: "Collection[int]") -> "Iterator[Dict[str, int]]":
    for entry in parse(table):
        key = _key(entry)
        if key in keys if keys else (
            uid in (entry.get("uid"), entry.get("cuid")) or key in (SEGMENT, SEMAPHORE)
        ):
            yield entry


def _key(entry: "Dict[str, int]") -> int:
    """The kernel writes it as a signed number."""
    return entry.get("key", 0) & 0xFFFFFFFF


def _common(entry: "Dict[str, int]", name: str) -> "Entry":
    return {
        "id": entry.get(name),
        "key": "0x%08x" % _key(entry),
        "owner": user_name(entry.get("uid", 0)),
        "changed_at": float(entry.get("ctime", 0)),
    }


def _segment(entry: "Dict[str, int]") -> "Entry":
    creator = entry.get("cpid", 0)
    return dict(
        _common(entry, "shmid"),
        size_bytes=entry.get("size"),
        attached=entry.get("nattch"),
        creator_pid=creator,
        creator_alive=os.path.exists(os.path.join(proc.PROC, str(creator))),
    )


def _semaphore(
    entry: "Dict[str, int]", segments: "List[Entry]", known: "Collection[int]"
) -> "Entry":
    """`stale`: it goes with segments that nobody uses, or its key is known and there is none left.

    Of a semaphore the kernel does not tell who uses it: its key is the one before the segment's.
    """
    key = _key(entry)
    beside = [one for one in segments if int(one["key"], 16) in (key, key + 1)]
    used = any(one["attached"] or one["creator_alive"] for one in beside)
    return dict(
        _common(entry, "semid"),
        count=entry.get("nsems"),
        stale=not used and (bool(beside) or key in known),
    )
