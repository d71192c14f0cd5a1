# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Every run kept, in an SQLite file, and what changed between two of them.

The history is a convenience: problems with its file are reported by `warn`, and no run fails
because of them. A damaged file is set aside, never deleted. Several processes may write at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .explain import catalogue
from .model import Changes, InvalidReport, Report
from .shared import changes, openmetrics

_CORRUPT, _NOTADB = 11, 26  # result codes of SQLite; Python has names for them since 3.11
INTERRUPTED = 130  # outcome.ExitCode, which knows the report
BUSY_SECONDS = 10.0  # how long one writer waits for another

# One script for each version of the file; `user_version` is how many of them it has seen. Only ever
# add one: files of all earlier versions exist.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT,
            command TEXT NOT NULL,
            exit_code INTEGER NOT NULL,
            mode TEXT NOT NULL,
            inventory TEXT NOT NULL,
            host_limit TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT NOT NULL,
            added_at REAL NOT NULL,
            summary TEXT NOT NULL,
            report BLOB NOT NULL
        )
        """,
        "CREATE INDEX runs_added ON runs (added_at)",
        "CREATE INDEX runs_scope ON runs (inventory, host_limit, number)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN who TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN scope TEXT NOT NULL DEFAULT ''",
    ),
    ("CREATE TABLE metrics (inventory TEXT PRIMARY KEY, memory TEXT NOT NULL)",),
)
_COLUMNS = (
    "number, run, command, exit_code, mode, inventory, host_limit, started, finished, added_at,"
    " who, scope, summary"
)

T = TypeVar("T")


class UnknownRun(LookupError):
    """No such run in the history; the text says what there is."""


class Run(NamedTuple):
    """A run as the history lists it. `number` identifies it for the operator."""

    number: int
    run: str | None  # the report's own id
    command: str
    exit_code: int
    mode: str
    inventory: str
    limit: str
    started: str
    finished: str
    added_at: float
    who: str
    scope: str  # empty where every module was looked at
    summary: dict[str, int]

    @property
    def kind(self) -> str:
        """What it was for, in a word or two."""
        kinds = {"remediate": "repair", "remediate --check": "check"}
        kind = kinds.get(self.command, self.command)
        return f"{kind}, interrupted" if self.exit_code == INTERRUPTED else kind


class History:
    """The runs in a file, which is made with its directory when the first run is added."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path = path
        self._warn = warn

    def add(
        self,
        report: Mapping[str, Any],
        command: str,
        exit_code: int,
        *,
        inventory: str = "",
        limit: str = "",
        who: str = "",
        scope: str = "",
    ) -> int | None:
        """Keep a run; its number, or None where it could not be kept, which was reported.

        `command` is shown later: it must hold no secret. `inventory` and `limit` say which runs
        can be compared with each other.
        """
        row = (
            report.get("run"), command, exit_code, report.get("mode", "diagnose"), inventory,
            limit, report["started"], report["finished"], time.time(), who, scope,
            json.dumps(report["summary"]),
            zlib.compress(json.dumps(report, separators=(",", ":")).encode("utf-8", "replace")),
        )

        def insert(database: sqlite3.Connection) -> int | None:
            columns = _COLUMNS.removeprefix("number, ") + ", report"
            marks = ", ".join("?" * len(row))
            return database.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", row).lastrowid

        return self._do(insert, None, "this run is not kept", write=True)

    def runs(self, limit: int = 20) -> list[Run]:
        """The newest runs, the last one first."""
        query = f"SELECT {_COLUMNS} FROM runs ORDER BY number DESC LIMIT ?"
        return self._listed(query, limit)

    def find(self, name: str) -> Run:
        """A run by its number, `last`, `last~2`, or the report's id. Raises UnknownRun."""
        word, _, back = name.partition("~")
        if word == "last" and (not back or back.isdecimal()):
            query = f"SELECT {_COLUMNS} FROM runs ORDER BY number DESC LIMIT 1 OFFSET ?"
            found = self._listed(query, int(back or 0))
        elif name.isascii() and name.isdecimal():
            # A number that SQLite cannot hold is none of a run either.
            query = f"SELECT {_COLUMNS} FROM runs WHERE number = ?"
            found = self._listed(query, min(int(name), 2**63 - 1))
        else:
            found = self._listed(f"SELECT {_COLUMNS} FROM runs WHERE run = ?", name)
        if found:
            return found[0]
        newest = self.runs(1)
        known = f"the last run is {newest[0].number}" if newest else "it holds no run"
        raise UnknownRun(f"No run '{name}' in the history {self.path}: {known}.")

    def get(self, number: int) -> Report:
        """A run's report. Raises UnknownRun; InvalidReport where another version wrote it."""
        return Report.of(self.data(number), f"run {number}")

    def data(self, number: int) -> dict[str, Any]:
        """A run's report as JSON has it. Raises UnknownRun and InvalidReport."""

        def select(database: sqlite3.Connection) -> bytes | None:
            query = "SELECT report FROM runs WHERE number = ?"
            found: tuple[bytes] | None = database.execute(query, (number,)).fetchone()
            return found[0] if found else None

        packed = self._do(select, None, "the run cannot be read")
        if packed is None:
            raise UnknownRun(f"No run {number} in the history {self.path}.")
        try:
            loaded: dict[str, Any] = json.loads(zlib.decompress(packed))
        except (zlib.error, ValueError) as error:
            raise InvalidReport(f"run {number} of {self.path} is damaged: {error}") from None
        return loaded

    def of(self, inventory: str, before: int | None = None, limit: int = 20) -> list[Run]:
        """The newest runs of an inventory, the last one first, or those before a run."""
        query = (
            f"SELECT {_COLUMNS} FROM runs WHERE inventory = ? AND number < ?"
            " ORDER BY number DESC LIMIT ?"
        )
        return self._listed(query, inventory, 2**63 - 1 if before is None else before, limit)

    def since(self, moment: float) -> list[Run]:
        """The runs that were kept since then, the first one first."""
        query = f"SELECT {_COLUMNS} FROM runs WHERE added_at >= ? ORDER BY number"
        return self._listed(query, moment)

    def prune(self, days: float) -> int:
        """Forget the runs that are older; how many they were. The newest one always stays."""
        oldest = time.time() - days * 86400

        def delete(database: sqlite3.Connection) -> int:
            query = (
                "DELETE FROM runs WHERE added_at < ?"
                " AND number < (SELECT max(number) FROM runs)"
            )
            return database.execute(query, (oldest,)).rowcount

        return self._do(delete, 0, "old runs are not removed", write=True) if self.path.exists() \
            else 0

    def memory(self, inventory: str) -> openmetrics.Memory:
        """What the metrics of an inventory carry on from run to run; it outlives the runs."""
        return self._do(lambda database: _memory(database, inventory), openmetrics.NOTHING,
                        "it cannot be read")

    def remember(self, inventory: str, report: Report) -> None:
        """Count the repairs of a run, and when its root causes were first seen."""

        def update(database: sqlite3.Connection) -> None:
            memory = openmetrics.carried(_memory(database, inventory), report)
            database.execute("INSERT OR REPLACE INTO metrics VALUES (?, ?)",
                             (inventory, openmetrics.as_text(memory)))

        self._do(update, None, "its repairs are not counted", write=True)

    def _listed(self, query: str, *values: object) -> list[Run]:
        def select(database: sqlite3.Connection) -> list[Run]:
            rows = database.execute(query, values).fetchall()
            return [Run._make((*row[:-1], json.loads(row[-1]))) for row in rows]

        return self._do(select, [], "it cannot be read")

    def _do(
        self,
        work: Callable[[sqlite3.Connection], T],
        otherwise: T,
        consequence: str,
        *,
        write: bool = False,
    ) -> T:
        """Work on the file; if that fails, report it and go on without."""
        if not write and not self.path.exists():
            return otherwise
        for attempt in (1, 2):
            try:
                with closing(self._open(write)) as database:
                    return _transaction(database, work, write=write)
            except _TooNewError as error:
                self._warn(f"History: {self.path} {error}; {consequence}.")
                return otherwise
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    self._warn(f"History: {self.path}: {error}; {consequence}.")
                    return otherwise
                if attempt == 2 or not self._set_aside(error):
                    self._warn(f"History: {self.path} is damaged ({error}); {consequence}.")
                    return otherwise
                if not write:
                    return otherwise
            except OSError as error:
                reason = error.strerror or error
                self._warn(f"History: {self.path}: {reason}; {consequence}.")
                return otherwise
        return otherwise

    def _open(self, write: bool) -> sqlite3.Connection:
        if write:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made here, so that it is never readable for others, not even for a moment.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        # Never "ro": a reader, too, may have to finish what a killed writer left, or to upgrade.
        address = f"{self.path.absolute().as_uri()}?mode=rw"
        database = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _migrate(database)
        except BaseException:
            database.close()
            raise
        return database

    def _set_aside(self, error: sqlite3.DatabaseError) -> bool:
        """Rename the damaged file; whether its name is free now."""
        kept = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            with _lock(self.path):
                # Another process may have done it, and made a new one, in the meantime.
                if not _damaged(self.path):
                    return True
                for ending in ("-journal", "-wal", "-shm"):
                    with suppress(FileNotFoundError):
                        beside = self.path.with_name(f"{self.path.name}{ending}")
                        beside.rename(kept.with_name(f"{kept.name}{ending}"))
                self.path.rename(kept)
        except OSError:
            return False
        self._warn(f"History: {self.path} is damaged ({error}). It is set aside as {kept.name}.")
        return True


def compare(old: Report, new: Report) -> Changes:
    """What is new, gone, worse or better in a report, against an earlier one."""
    needs = {problem.key: problem.needs for problem in catalogue().problems}
    return changes.between(old, new, needs)


def _memory(database: sqlite3.Connection, inventory: str) -> openmetrics.Memory:
    query = "SELECT memory FROM metrics WHERE inventory = ?"
    row = database.execute(query, (inventory,)).fetchone()
    return openmetrics.remembered(row[0] if row else "")


class _TooNewError(Exception):
    """A later version of campaign-doctor made the file."""


def _transaction(
    database: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], *, write: bool
) -> T:
    database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        done = work(database)
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    return done


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _migrate(database: sqlite3.Connection) -> None:
    version = _version(database)
    if version > len(MIGRATIONS):
        raise _TooNewError("was made by a later version of campaign-doctor")
    if version == len(MIGRATIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have been faster.
        for number in range(_version(database), len(MIGRATIONS)):
            for statement in MIGRATIONS[number]:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number + 1}")
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is at fault, and not a lock, a right or the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in (_CORRUPT, _NOTADB)
    return not isinstance(error, sqlite3.OperationalError)  # Python 3.10 gives no code


def _damaged(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return bool(database.execute("PRAGMA quick_check").fetchone() != ("ok",))
    except sqlite3.DatabaseError as error:
        return _is_damage(error)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Only one process at a time sets a file aside."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
