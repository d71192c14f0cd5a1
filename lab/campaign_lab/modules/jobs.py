"""export and import: the two utilities that run a job.

Their command-line arguments are not public; these are the lab's own::

    nlserver export -instance:prod -job:NAME [-operator:LOGIN] [-mode:full|delta] [-file:PATH]
    nlserver import -instance:prod -job:NAME [-operator:LOGIN] [-mode:full|delta] [-file:PATH]
                    [-rejects:PATH] [-key:COLUMN|none]

The files are ``var/<instance>/export/NAME.csv``, ``var/<instance>/import/NAME.csv`` and
``var/<instance>/import/rejects-NAME.csv`` unless said otherwise; an import leaves ``NAME.done``.
A delta is what changed since the last run that succeeded: for an import, further lines.

A job is a row of ``xtk:job`` with the documented states, its lines are in ``xtk:jobLog`` and in
``export.log`` or ``import.log``. Exit code: 0 done (rejected lines or not), 1 error, 2 bad
arguments. As documented, an import stops when its first 100 lines are rejected. An import updates
the recipients that have the key (``email`` unless said otherwise); with ``-key:none`` every line is
a new recipient.
"""

from __future__ import annotations

import os
import time

from campaign_lab import database
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, NoReturn

COLUMNS = ("externalId", "email", "firstName", "lastName")
SEPARATOR = ";"
FIRST_LINES = 100
MODES = ("full", "delta")


class JobError(Exception):
    """The job cannot go on; the text is the log line."""


class Job(Module):
    """What both jobs have in common: arguments, the row of xtk:job, the end."""

    kind = ""

    def run(self) -> None:
        """Run the job."""
        options = self.arguments.options
        self.name = options.get("job", "")
        self.operator = options.get("operator", "")
        self.file = options.get("file") or self.path(self.name + ".csv")
        self.delta = options.get("mode", "full") == "delta"
        self.processed = self.rejected = 0
        if not self.name or "/" in self.name or options.get("mode", "full") not in MODES:
            self._leave("%s: -job:NAME is needed; -mode is full or delta" % self.kind, 2)
        self.database = database.configured(self.config, self.instance)
        self.identifier = 0
        self.info("Job '%s' of operator '%s' starts" % (self.name, self.operator or "unknown"))
        try:
            self._open()
            self.work()
        except (JobError, database.DatabaseError) as error:
            self._end(database.JOB_ERROR, str(error))
            self._leave("Job '%s' stopped on an error: %s" % (self.name, error), 1)
        if self.stopping.is_set():
            self._end(database.JOB_CANCELLED)
            self.warning("Job '%s' cancelled" % self.name)
            raise SystemExit(1)
        self._end(database.JOB_FINISHED)
        self.info("Job '%s' finished: %d lines processed, %d rejected" % (
            self.name, self.processed, self.rejected))  # fmt: skip

    def path(self, name: str) -> str:
        """A file of the job's directory."""
        return os.path.join(self.var, self.kind, name)

    def work(self) -> None:
        """The job itself. Raises JobError."""
        raise NotImplementedError

    def _leave(self, message: str, code: int) -> NoReturn:
        self.error(message)
        raise SystemExit(code)

    def _open(self) -> None:
        with database.session(self.database, write=True) as connection:
            if self.operator and not connection.execute(
                "SELECT 1 FROM xtk_operator WHERE name = ? AND accountDisabled = 0",
                (self.operator,),
            ).fetchone():
                raise JobError("the operator '%s' does not exist" % self.operator)
            self.identifier = connection.execute(
                "INSERT INTO xtk_job (name, label, kind, operator, status, startDate, pid,"
                " labArguments, createdById) VALUES (?, ?, ?, ?, ?, ?, ?, ?,"
                " (SELECT id FROM xtk_operator WHERE name = ?))",
                (self.name, self.name, self.kind, self.operator, database.JOB_RUNNING,
                 time.time(), os.getpid(), " ".join(self.arguments.words), self.operator),
            ).lastrowid or 0  # fmt: skip

    def _end(self, status: int, reason: str = "") -> None:
        if not self.identifier:
            return
        try:
            with database.session(self.database, write=True) as connection:
                connection.execute(
                    "UPDATE xtk_job SET status = ?, endDate = ?, pid = 0, processed = ?,"
                    " rejected = ? WHERE id = ?",
                    (status, time.time(), self.processed, self.rejected, self.identifier),
                )
                connection.execute(
                    "INSERT INTO xtk_jobLog (jobId, logDate, logType, iRc, message)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (self.identifier, time.time(),
                     database.LOG_ERROR if reason else database.LOG_INFO, 16384 if reason else 0,
                     reason or "%d processed, %d rejected" % (self.processed, self.rejected)),
                )  # fmt: skip
        except database.DatabaseError as error:
            self.error(str(error))


class Export(Job):
    """Writes the recipients to a file: all of them, or those changed since the last export."""

    kind = "export"
    title = "Export"

    def work(self) -> None:
        """One line a recipient, replacing the file at the end."""
        option = "LabExport_" + self.name
        started = time.time()
        with database.session(self.database) as connection:
            since = float(database.option(connection, option, "0")) if self.delta else 0.0
            rows = connection.execute(
                "SELECT %s FROM nms_recipient WHERE lastModified > ? ORDER BY id"
                % ", ".join(COLUMNS), (since,)).fetchall()  # fmt: skip
        draft = "%s.%d" % (self.file, os.getpid())
        try:
            with open(draft, "w", encoding="utf-8") as stream:
                stream.write(SEPARATOR.join(COLUMNS) + "\n")
                for row in rows:
                    stream.write(SEPARATOR.join(str(value or "") for value in row) + "\n")
            os.rename(draft, self.file)
        except OSError as error:
            if os.path.exists(draft):
                os.unlink(draft)
            raise JobError("Unable to write file '%s' errno=%s (iRc=-52)" % (
                self.file, error.errno)) from None  # fmt: skip
        self.processed = len(rows)
        with database.session(self.database, write=True) as connection:
            database.set_option(connection, option, "%.6f" % started)


class Import(Job):
    """Reads recipients from a file; lines that cannot be used go to the file of rejects."""

    kind = "import"
    title = "Import"

    def work(self) -> None:
        """All lines in one transaction: an error leaves the database as it was."""
        key = self.arguments.options.get("key", "email")
        if key not in (*COLUMNS, "none"):
            raise JobError("the key '%s' is no column" % key)
        try:
            with open(self.file, encoding="utf-8", errors="replace") as stream:
                lines = stream.read().splitlines()
        except OSError as error:
            raise JobError("Unable to open file '%s' errno=%s (iRc=-52)" % (
                self.file, error.errno)) from None  # fmt: skip
        header = lines[0].split(SEPARATOR) if lines else []
        rejects: List[str] = []
        option = "LabImport_" + self.name
        done = 1
        if self.delta:
            with database.session(self.database) as connection:
                done = max(1, int(database.option(connection, option, "1")))
        try:
            self._load(header, lines[done:], key, rejects)
        finally:
            self._write_rejects(rejects)
        with database.session(self.database, write=True) as connection:
            database.set_option(connection, option, str(len(lines)))
        with open(self.path(self.name + ".done"), "w", encoding="utf-8") as stream:
            stream.write("%d processed, %d rejected\n" % (self.processed, self.rejected))

    def _load(self, header: List[str], lines: List[str], key: str, rejects: List[str]) -> None:
        with database.session(self.database, write=True) as connection:
            for number, line in enumerate(lines, 1):
                values = dict(zip(header, line.split(SEPARATOR)))
                email = values.get("email", "")
                if len(line.split(SEPARATOR)) != len(header) or "@" not in email:
                    rejects.append("%d;%s" % (number + 1, line))
                    self.rejected += 1
                    if self.rejected == number == FIRST_LINES:
                        raise JobError("the first %d lines are rejected" % FIRST_LINES)
                    continue
                self.processed += 1
                row = [values.get(column, "") for column in COLUMNS] + [time.time()]
                changed = 0
                if key != "none":
                    changed = connection.execute(
                        "UPDATE nms_recipient SET %s = ?, lastModified = ? WHERE %s = ?"
                        % (" = ?, ".join(COLUMNS), key), (*row, values.get(key, ""))
                    ).rowcount  # fmt: skip
                if not changed:
                    connection.execute(
                        "INSERT INTO nms_recipient (%s, lastModified) VALUES (?, ?, ?, ?, ?)"
                        % ", ".join(COLUMNS), row)  # fmt: skip

    def _write_rejects(self, rejects: List[str]) -> None:
        path = self.arguments.options.get("rejects") or self.path("rejects-%s.csv" % self.name)
        if not rejects:
            if os.path.exists(path):
                os.unlink(path)
            return
        try:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write("".join(line + "\n" for line in rejects))
        except OSError as error:
            self.error("Unable to write the rejects '%s' errno=%s (iRc=-52)" % (path, error.errno))
        self.warning("Job '%s': %d lines rejected, see %s" % (self.name, len(rejects), path))
