"""Faults of the declared jobs: export and import."""

from __future__ import annotations

import glob
import os
import subprocess
import time
from typing import Any, Dict, List

from campaign_lab import database, inventory
from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.system import gone, start_ticks, wait_until, writable
from campaign_lab.faults.workflows import no_pid

STALE_SECONDS = 3 * 86400
BAD_LINES = ("B0001;no-address;Bad;Line", "B0002;only-two")


def job(work: Work, kind: str) -> Dict[str, Any]:
    """The declared job of this kind."""
    found: List[Dict[str, Any]] = inventory.jobs(work.server, work.instance)
    return next(entry for entry in found if entry["kind"] == kind)


def arguments(work: Work, kind: str) -> List[str]:
    """How its operator launches it in full."""
    return [str(word) for word in job(work, kind)["arguments"]["full"]]


def path(work: Work, kind: str, name: str = "file") -> str:
    """The job's file: what its arguments say, else where the lab's jobs have it by default."""
    start = "-%s:" % name
    for word in arguments(work, kind):
        if word.startswith(start):
            return word[len(start):]
    pattern = "rejects-%s.csv" if name == "rejects" else "%s.csv"
    return os.path.join(work.home.var, work.instance, kind, pattern % job(work, kind)["name"])


def run_at_heal(work: Work, kind: str) -> None:
    """The healing launches the job again, as its operator would."""
    work.undo_with("run_job", kind=kind, instance=work.instance, arguments=arguments(work, kind))


def run(work: Work, kind: str, words: List[str]) -> str:
    """Launch it now."""
    return work.nlserver(kind, "-instance:" + work.instance, *words, check=False)


def results(work: Work) -> List[str]:
    """Files that the export has made."""
    return sorted(glob.glob(job(work, "export")["result"]))


class ExportFailed(Fault):
    """The export stopped on an error: it cannot write its file."""

    scope = "instance"
    seen = "export.log: `Job 'contacts_export' stopped on an error: Unable to write file '…'`"

    def strike(self, work: Work) -> None:
        run_at_heal(work, "export")
        work.lock(self._directory(work))
        log = work.log("export")
        run(work, "export", arguments(work, "export"))
        work.expect(log, "stopped on an error")

    def present(self, work: Work) -> bool:
        return not writable(self._directory(work))

    @staticmethod
    def _directory(work: Work) -> str:
        return os.path.dirname(path(work, "export"))


class ExportStale(Fault):
    """The last export is three days old: nobody launched it since."""

    scope = "instance"
    seen = "the newest file of the job's result is three days old; no error in export.log"

    def strike(self, work: Work) -> None:
        run_at_heal(work, "export")
        if not results(work):
            run(work, "export", arguments(work, "export"))
        for file in results(work):
            work.age(file, STALE_SECONDS)

    def present(self, work: Work) -> bool:
        ages = [time.time() - os.stat(file).st_mtime for file in results(work)]
        return bool(ages) and min(ages) > STALE_SECONDS - 3600


class ExportRunningTooLong(Fault):
    """An export was launched and does not finish."""

    scope = "instance"
    seen = "a process `nlserver export -instance:… -job:contacts_export …` that stays; in pdump"

    def strike(self, work: Work) -> None:
        run_at_heal(work, "export")
        work.damage("export", "from campaign_lab.modules import jobs\n"
                    "jobs.Export.work = lambda self: "
                    "[self.wait(600) for _ in iter(self.stopping.is_set, True)]")
        log = work.log("export")
        process = subprocess.Popen(
            [work.home.join("bin/nlserver"), "export", "-instance:" + work.instance,
             *arguments(work, "export")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True,
        )  # fmt: skip
        process.returncode = 0  # it stays: nobody waits for it here
        work.undo_with("end", **undo.identity(process.pid))
        work.remember(pid=process.pid, ticks=start_ticks(process.pid))
        wait_until(lambda: log.says("starts") or gone(process.pid), 10, "the export starts")
        step = next(entry for entry in work.entry["undo"] if entry[0] == "restore")
        work.entry["undo"].remove(step)
        undo.run(work.lab, work.server, step[0], step[1])

    def present(self, work: Work) -> bool:
        pid = work.notes.get("pid", 0)
        return not gone(pid) and start_ticks(pid) == work.notes["ticks"]


class ImportFailed(Fault):
    """The import stopped on an error: its file has not come."""

    scope = "instance"
    seen = "import.log: `Job 'contacts_import' stopped on an error: Unable to open file … errno=2`"

    def strike(self, work: Work) -> None:
        run_at_heal(work, "import")
        source = path(work, "import")
        work.move(source, source + ".late")
        log = work.log("import")
        run(work, "import", arguments(work, "import"))
        work.expect(log, "stopped on an error")

    def present(self, work: Work) -> bool:
        return not os.path.exists(path(work, "import"))


class ImportRejects(Fault):
    """The import went through and rejected lines."""

    scope = "instance"
    seen = "a file of rejects with two lines; import.log: `2 lines rejected`"

    def strike(self, work: Work) -> None:
        run_at_heal(work, "import")
        source, rejects = path(work, "import"), path(work, "import", "rejects")
        work.will_change(rejects)
        work.rewrite(source, lambda text: text.rstrip("\n") + "\n" + "\n".join(BAD_LINES) + "\n")
        log = work.log("import")
        run(work, "import", arguments(work, "import"))
        work.expect(log, "lines rejected")

    def present(self, work: Work) -> bool:
        with open(path(work, "import"), encoding="utf-8") as stream:
            return BAD_LINES[0] in stream.read()


class ImportDuplicates(Fault):
    """The import was launched twice without a key: recipients are there twice."""

    scope = "instance"
    seen = "in the database only: e-mail addresses of nms:recipient with more than one row"
    TWICE = "SELECT email FROM nms_recipient GROUP BY email HAVING count(*) > 1"

    def strike(self, work: Work) -> None:
        last = work.sql("SELECT max(id) AS last FROM nms_recipient")[0]["last"]
        work.undo_sql("DELETE FROM nms_recipient WHERE id > ?", last)
        words = [word for word in arguments(work, "import") if not word.startswith("-key:")]
        for _ in range(2):
            run(work, "import", [*words, "-key:none"])

    def present(self, work: Work) -> bool:
        return bool(work.sql(self.TWICE))


class JobPaused(Fault):
    """An operator paused an import five hours ago and forgot it."""

    scope = "instance"
    seen = "in the database only: a row of xtk:job in status 8, of paul.roux"
    NAME, STATUS, PROCESSED = "prices_import", database.JOB_PAUSED, 120

    def strike(self, work: Work) -> None:
        owner = work.row("xtk_operator", "name", "paul.roux")
        work.insert("xtk_job", "name", name=self.NAME, label=self.NAME, kind="import",
                    operator=owner["name"], createdById=owner["id"], status=self.STATUS,
                    startDate=time.time() - 5 * 3600, pid=self.process(), processed=self.PROCESSED)

    def process(self) -> int:
        """The process that the row names."""
        return 0

    def present(self, work: Work) -> bool:
        return work.row("xtk_job", "name", self.NAME) is not None


class JobStuck(JobPaused):
    """A job runs by its state since five hours, and its process no longer exists."""

    seen = "in the database only: a row of xtk:job in status 2, pid of no process, of paul.roux"
    NAME, STATUS, PROCESSED = "stores_import", database.JOB_RUNNING, 0

    def process(self) -> int:
        return no_pid()
