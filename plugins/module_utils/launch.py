# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Launching a declared export or import again, and following it to its end.

A job is guarded by a lock of its own, ``jobs/<kind>-<instance>-<name>.lock``, which the process
that supervises the job holds for as long as the job runs: whatever becomes of the controller or of
this module, nobody launches the job a second time through here, and its exit code is kept.
"""

import errno
import fcntl
import json
import os
import re
import subprocess
import time
from collections import namedtuple

from ansible_collections.campaign.remediation.plugins.module_utils import (
    guard,
    jobs,
    ledger,
    logs,
    parsers,
    proc,
)
from ansible_collections.campaign.remediation.plugins.module_utils.model import (
    InputError,
    ProbeError,
    clean,
    mask_arguments,
)

MODES = ("full", "delta")
LAUNCHED, FOLLOWED = "launched", "followed"
SUCCEEDED, FAILED, RUNNING, UNKNOWN = "succeeded", "failed", "running", "unknown"
DEFAULT_WAIT = 3600
START_LIMIT = 10  # seconds until the supervising process must have started the job
LOCK_LIMIT = 1.5  # seconds; somebody who only looks holds the lock for a moment
NOT_RUNNING = {"state": "stopped", "pid": None}  # else it would not have been launched
QUIET = 0.15  # seconds without a new line after which a log is taken as complete
LOG_LIMIT = 1.5  # seconds for the last lines of a failure to arrive through syslogd
SUCCESS_LOG_LIMIT = 0.4
CLOCK_SECONDS = 60  # what two ways to tell the start of a process may differ by
LIST_LIMIT = 20
OUTPUT_LIMIT = 8192
PREVIOUS = ("outcome", "exit_code", "pid", "started_at", "ended_at", "seconds", "rejects", "msg")
BLANK = b" " * 120 + b"\n"
NO_NAMES = ("", "true", "false", "yes", "no", "none", "null", "ok", "0", "1", "n/a", "-")

# Standard input of the outer shell is the lock. Process id and exit code overwrite blanks, which
# needs no room on a full disk. The inner shell becomes the job, so its process id is the job's.
SUPERVISOR = r"""
begun=$1 ended=$2 said=$3
shift 3
sh -c 'printf "%d %s\n" $$ "$(date +%s.%N)" 1<>"$0"; exec "$@" </dev/null' \
    "$begun" "$@" >"$said" 2>&1
code=$?
printf '%d %s\n' "$code" "$(date +%s.%N)" 1<>"$ended"
"""

Started = namedtuple("Started", "pid at")
Ended = namedtuple("Ended", "exit_code at")


class LaunchError(Exception):
    """The job could not be started."""


# ----------------------------------------------------------------------- what is asked for


def title(job, mode=None):
    """How messages name a job."""
    text = "%s %s@%s" % (job["kind"].capitalize(), job["name"], job["instance"])
    return "%s (%s)" % (text, mode) if mode else text


def choose_mode(job, asked):
    """The mode; where there is a choice nobody guesses."""
    given = job.get("arguments") or {}
    declared = [mode for mode in MODES if given.get(mode)]
    if not declared:
        raise InputError(
            "%s: its declaration has no arguments for full or delta, and nobody but the site"
            " knows them." % title(job)
        )
    if asked and asked not in declared:
        raise InputError(
            "%s: its declaration has no arguments for %s, only for %s."
            % (title(job), asked, " and ".join(declared))
        )
    if not asked and (job["kind"] == "export" or len(declared) > 1):
        text = "delta or full" if len(declared) > 1 else "%s, the only one declared" % declared[0]
        raise InputError("%s: say which mode to launch: %s." % (title(job), text))
    return asked or declared[0]


def arguments(job, mode):
    """The command line after `nlserver <kind>`: the instance, and what the site wrote."""
    words = list(job["arguments"][mode])
    named = [word for word in words if word.startswith("-instance:")]
    if any(word != "-instance:" + job["instance"] for word in named):
        raise InputError(
            "%s: its arguments name another instance (%s)." % (title(job), " ".join(named))
        )
    return words if named else ["-instance:" + job["instance"]] + words


def person(text, option):
    """A name as somebody gave it, None for an empty one."""
    name = " ".join((text or "").split())
    if not name:
        return None
    if name.lower() in NO_NAMES:
        raise InputError("%s wants the name of a person, not '%s'." % (option, clean(name, 40)))
    return name


def check_operator(options):
    """Who answers for the launch: the operator who scheduled the job, or who takes it over."""
    job = options["job"]
    scheduled = person(job.get("operator"), "operator of job %s" % job["name"])
    operator = person(options.get("operator"), "operator")
    successor = person(options.get("taken_over_by"), "taken_over_by")
    if successor:
        return {"scheduled_by": scheduled, "operator": operator, "taken_over_by": successor}
    if not scheduled:
        raise guard.Refused(
            "operator",
            "%s: its declaration does not say who scheduled it." % title(job),
            "Declare its operator, or name who takes it over in taken_over_by.",
        )
    if not operator:
        raise guard.Refused(
            "operator",
            "%s was scheduled by %s, who launches it again." % (title(job), scheduled),
            "Name them in operator, or name who takes the job over in taken_over_by.",
        )
    if operator != scheduled:
        raise guard.Refused(
            "operator",
            "%s was scheduled by %s, not by %s." % (title(job), scheduled, operator),
            "If %s takes the job over, say so in taken_over_by." % operator,
        )
    return {"scheduled_by": scheduled, "operator": operator, "taken_over_by": None}


def find_duplicates(options, default_url):
    """What the database says of the keys of an import; None if it cannot be asked.

    Imported late: who has no credentials does not pay for the client.
    """
    job = options["job"]
    if job["kind"] != "import" or not job.get("keys"):
        return None
    if options.get("duplicates_seen"):  # the controller has asked
        return options["duplicates_seen"]
    if not options.get("api") or options["api_from"] == "controller":
        return None
    from ansible_collections.campaign.remediation.plugins.module_utils import api

    return api.look_for_duplicates(options, default_url)


def describe_duplicates(seen):
    """`, such as a***(18) 4 times`."""
    shown = ["%s %d times" % (", ".join(g["values"]), g["count"]) for g in seen["largest"][:3]]
    return ", such as " + "; ".join(shown) if shown else ""


def check_duplicates(options, seen=None):
    """For an import: duplicates were looked for and there are none, or a person says so.

    `seen`: what the database answered; a person is believed only where it did not.
    """
    job = options["job"]
    if job["kind"] != "import":
        return None
    found = options.get("duplicates_found")
    error = seen and seen.get("error")
    if seen and not error:
        found = seen["groups"]
    confirmed = person(options.get("no_duplicates_confirmed_by"), "no_duplicates_confirmed_by")
    accepted = bool(options.get("accept_duplicates"))
    state = {"found": found, "confirmed_by": confirmed, "accepted": accepted}
    state["by"] = "api" if seen and not error else None
    keys = ", ".join(job.get("keys") or []) or "its key"
    if found is not None and found < 0:
        raise InputError("duplicates_found cannot be negative.")
    if found and not accepted:
        raise guard.Refused(
            "duplicates",
            "%s: the database has duplicates (%d values of %s are there more than once%s), and"
            " another import would build on them."
            % (title(job), found, keys, describe_duplicates(seen) if state["by"] else ""),
            "Remove them first, or set accept_duplicates: true.",
        )
    unasked = ", and the database was not to be asked: %s" % error if error else ""
    if found is None and not confirmed and not accepted:
        raise guard.Refused(
            "duplicates",
            "%s: nobody has looked for duplicates (by %s)%s." % (title(job), keys, unasked),
            "Look for them in the database; if there are none, name who looked in"
            " no_duplicates_confirmed_by.",
        )
    return state


# --------------------------------------------------------------------- what is kept of it


class Record(object):
    """The files that are kept of the last launch of a job, in `jobs` of the state directory."""

    def __init__(self, store, job):
        self.store = ledger.Store(store.join("jobs"), store.uid, store.gid)
        name = re.sub(r"[^\w.-]", "_", job["name"], flags=re.ASCII)
        if name != job["name"]:  # two names must not become one
            name += "-%08x" % hash_of(job["name"])
        base = "%s-%s-%s" % (job["kind"], job["instance"], name)
        self.name = base + ".json"
        self.path = self.store.join(self.name)
        self._begun, self._ended, self._said = base + ".pid", base + ".exit", base + ".out"
        self._lock = base + ".lock"
        self.files = [self.store.join(part) for part in (self._begun, self._ended, self._said)]

    def prepare(self):
        """Blank files for the supervising process to write into."""
        self.store.replace(self._begun, BLANK)
        self.store.replace(self._ended, BLANK)
        self.store.replace(self._said, b"")

    def save(self, content):
        """Replace the record."""
        self.store.replace(self.name, json.dumps(content, sort_keys=True).encode("ascii") + b"\n")

    def forget(self):
        """The launch that it tells of did not take place."""
        self.store.remove(self.name)

    def forget_output(self):
        """What was worth keeping of it is in the record, without passwords."""
        self.store.remove(self._said)

    def load(self):
        """The record of the last launch, None without one."""
        try:
            content = json.loads((self.store.read(self.name) or b"").decode("ascii"))
        except ValueError:
            return None
        if not isinstance(content, dict):
            return None
        needed = ("launched_at", "run", "who", "command", "facts")
        return content if all(name in content for name in needed) else None

    def _numbers(self, name):
        words = (self.store.read(name) or b"").split()
        try:
            return (int(words[0]), float(words[1])) if len(words) == 2 else None
        except ValueError:
            return None

    def started(self):
        """The job's process, None before it runs."""
        found = self._numbers(self._begun)
        return Started(*found) if found else None

    def end(self):
        """Exit code and time, None as long as the job runs, or if nobody saw its end."""
        found = self._numbers(self._ended)
        return Ended(*found) if found else None

    def output(self):
        """The last lines that the command printed."""
        try:
            descriptor = self.store.open(self._said, os.O_RDONLY)
        except OSError:
            return []
        with os.fdopen(descriptor, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - OUTPUT_LIMIT))
            text = parsers.decode(stream.read(OUTPUT_LIMIT))
        return [clean(line, 300) for line in text.splitlines() if line.strip()][-LIST_LIMIT:]

    def lock(self, limit=LOCK_LIMIT):
        """A descriptor that holds the lock; None if a launch holds it."""
        try:
            descriptor = self.store.open(self._lock, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self.store.error("open", error, self.store.join(self._lock)) from None
        if take(descriptor, limit):
            return descriptor
        os.close(descriptor)
        return None

    def supervised(self):
        """Does a launch hold the lock at this moment?"""
        try:
            descriptor = self.store.open(self._lock, os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self.store.error("open", error, self.store.join(self._lock)) from None
        free = take(descriptor, 0, fcntl.LOCK_SH)  # those who only look are not in each other's way
        os.close(descriptor)
        return not free


def take(descriptor, limit, kind=fcntl.LOCK_EX):
    """Get the lock within some seconds."""
    end = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)


def hash_of(text):
    """A short number for a text, the same on every host."""
    import zlib

    return zlib.crc32(text.encode("utf-8", "surrogateescape")) & 0xFFFFFFFF


def secrets(words):
    """What looks like a password in a command line: Ansible is to hide it everywhere."""
    found = set()
    for word, masked in zip(words, mask_arguments(words)):
        before, hidden, after = masked.partition("***")
        if hidden and word.startswith(before) and word.endswith(after):
            found.add(word[len(before) : len(word) - len(after)])
    return set(word for word in found if len(word) > 2)


# ----------------------------------------------------------------------------- the server


def read_environment(context):
    """What an operator's shell has after env.sh. Its locale stays: it may matter to the data."""
    script = os.path.join(context.home, "env.sh")
    if not os.path.exists(script):
        return {}
    shell = 'unset LC_ALL; . "$1" >/dev/null 2>&1; exec env -0'
    try:
        result = context.runner.run(["sh", "-c", shell, "sh", script], context.limit)
    except ProbeError as error:
        raise LaunchError("%s: %s" % (script, error.message)) from None
    variables = parsers.environment(result.out)
    if result.return_code or not variables:
        said = clean(parsers.decode(result.err).strip(), 200) or "no output"
        raise LaunchError("%s ended with %d: %s" % (script, result.return_code, said))
    return variables


def spawn(context, words, record, descriptor):
    """Start the supervising process, in a session of its own; it takes the lock with it."""
    nlserver = os.path.join(context.home, "bin", "nlserver")
    home = context.account.pw_dir
    environment = dict(context.runner.environment)
    environment.pop("LC_ALL", None)
    environment.update(read_environment(context))
    shell = ["sh", "-c", SUPERVISOR, "campaign_job"] + record.files
    try:
        return subprocess.Popen(
            context.runner.command(shell + [nlserver] + words),
            stdin=descriptor,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home if os.path.isdir(home) else "/",
            env=environment,
            close_fds=True,
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError("sh: %s" % (error.strerror or error)) from None


def alive(home, started):
    """Is this process there, one of the home, and not another with a used process id?"""
    boot = proc.boot_time()
    tick = float(os.sysconf("SC_CLK_TCK"))
    return any(
        status.pid == started.pid
        and (boot is None or abs(boot + status.start / tick - started.at) < CLOCK_SECONDS)
        for status in proc.scan(home).own
    )


# ---------------------------------------------------------------------------- its outcome


def changed_file(before, after, keys=("path", "mtime_at", "size_bytes", "lines")):
    """The file of `after`, if it is not just the one of `before`."""
    if not after:
        return None
    same = before and all(before.get(key) == after.get(key) for key in keys)
    return None if same else after


def newer_file(before, after, since):
    """A file that was made since: another one, or written again."""
    if after and after["mtime_at"] >= since:
        return after
    return changed_file(before, after)


def judge(exit_code, result, wants_result, error):
    """(outcome, reason): as diagnosis would see it, and by the exit code."""
    later = error is None or (result is not None and result["mtime_at"] > error["at"])
    if exit_code:
        text = "ended with exit code %d" % exit_code
        if 128 < exit_code < 160:
            text += " (signal %d)" % (exit_code - 128)
        return FAILED, text
    known = "ended with exit code 0" if exit_code == 0 else "ended, its exit code is not known,"
    if not later:
        return FAILED, "%s and wrote an error into its log" % known
    if wants_result and result is None:
        return FAILED, "%s and left no file that fits its declared result" % known
    if exit_code is None and not wants_result:
        return UNKNOWN, "ended, and its exit code is not known"
    return SUCCEEDED, ""


def seconds(value):
    """A length of time for people."""
    if value >= 120:
        return "%d min" % round(value / 60.0)
    return "%.1f s" % value if value < 10 else "%d s" % round(value)


def moment(at):
    """A time for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) if at else "an unknown time"


# ---------------------------------------------------------------------------- the launch


class Launch(object):
    """One call: gates, launch, following, outcome. `result` is what the module answers."""

    def __init__(self, context, bracket, result, clock=time.time, sleep=time.sleep):
        self.context = context
        self.bracket = bracket
        self.options = context.options
        self.job = self.options["job"]
        self.check_mode = bracket.check_mode
        self.record = Record(bracket.store, self.job)
        self.clock = clock
        self.sleep = sleep
        self.result = result
        self.result["record"] = self.record.path
        mine = (self.job["kind"], self.job["instance"])
        self.alone = not any(
            (job["kind"], job["instance"]) == mine and job["name"] != self.job["name"]
            for job in self.options["jobs"]
        )

    # ------------------------------------------------------------------------- the server

    def look(self):
        """The job as campaign_info sees it: running, its files, its last error."""
        running = proc.processes(proc.scan(self.context.home), self.context.runner.sessions)
        return jobs.collect(self.job, running["modules"], self.context.var_dir, self.alone)

    def log_lines(self, pid, since):
        """The log lines of the process since a time.

        If no line has its id (builds differ), those of any process, unless other jobs write there.
        """
        directory = os.path.join(self.context.var_dir, self.job["instance"], "log")
        try:
            texts = logs.window(os.path.join(directory, self.job["kind"] + ".log"), since)[0]
        except OSError:
            return []
        since = int(since * 1000) / 1000.0  # as exact as the log
        parsed = [line for line in map(logs.parse_line, texts) if line and line.at >= since]
        mine = [line for line in parsed if line.pid == pid]
        return mine if mine or not self.alone else parsed

    def settled_lines(self, pid, since, limit):
        """The same, once syslogd has written what was under way."""
        lines = self.log_lines(pid, since)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.sleep(QUIET)
            count, lines = len(lines), self.log_lines(pid, since)
            if lines and len(lines) == count:
                break
        return lines

    # --------------------------------------------------------------------------- the call

    def run(self):
        """Launch or follow. Raises InputError, Refused, LaunchError, StoreError, ProbeError."""
        if self.options["state"] == FOLLOWED:
            self.run_followed()
            return
        mode = choose_mode(self.job, self.options["mode"])
        words = [self.job["kind"]] + arguments(self.job, mode)
        self.result["mode"] = mode
        content = {
            "run": self.bracket.run, "who": self.bracket.who, "from": self.bracket.origin,
            "job": self.job["name"], "kind": self.job["kind"], "instance": self.job["instance"],
            "mode": mode, "because": self.options["because"], "facts": None, "inside": None,
            "command": mask_arguments(
                [os.path.join(self.context.home, "bin", "nlserver")] + words
            ),
        }  # fmt: skip
        try:
            content["people"] = check_operator(self.options)
            content["duplicates"] = self.duplicates()
            self.guarded(words, content)
        except guard.Refused as refused:
            self.note_refusal(content, refused)
            raise

    def duplicates(self):
        """Looked for in the database, where there are credentials for it."""
        port = self.context.settings("web").get("http_port") or 8080
        url = "http://%s:%d" % (self.context.options["address"], port)
        self.result["duplicates"] = find_duplicates(self.options, url)
        return check_duplicates(self.options, self.result["duplicates"])

    def note_refusal(self, content, refused):
        """Who was refused is recorded, too."""
        if self.check_mode:
            return
        try:
            self.bracket.store.prepare()
        except ledger.StoreError as error:
            self.bracket.warnings.append(str(error))
            return
        line = self.line(content)
        self.bracket.note("refused", result="refused", reason=str(refused), **line)

    def guarded(self, words, content):
        """The guards of every change, and the launch within them."""
        asked_at = self.clock()
        self.refuse_running(self.look())
        self.bracket.enter()
        try:
            self.tell_previous()
            self.refuse_running(self.look())
            content["inside"] = self.bracket.inside(self.job["kind"], self.job["instance"])
            if not content["inside"]:
                self.check_budget()
                self.bracket.check(self.job["kind"], self.job["instance"], False, False)
            self.result.update(
                changed=True, command=content["command"], evidence=self.bracket.evidence
            )
            self.result["diff"] = self.diff(content["mode"])
            if self.check_mode:
                self.result["commands"] = [content["command"]]
                self.result["msg"] = "%s would be launched." % title(self.job, content["mode"])
                return
            self.launch(words, content, asked_at)
        finally:
            self.bracket.leave()

    def refuse_running(self, seen, locked=False):
        """A job that runs is never launched a second time, whoever launched it.

        Args:
            locked: the lock of the job is ours, so that it tells nothing.
        """
        running = seen["running"]
        record = self.record.load() or {}
        if running:
            self.result["pid"], self.result["started_at"] = running["pid"], running["started_at"]
            text = "pid %d, since %s" % (running["pid"], moment(running["started_at"]))
        elif not locked and self.record.supervised():
            text = "since %s" % moment(record.get("launched_at"))
        else:
            return
        if record and not record["facts"]:
            text += ", launched by %s from %s" % (record.get("who"), record.get("from"))
        self.result["outcome"] = RUNNING
        raise guard.Refused(
            "running",
            "%s is running already (%s); it is not launched a second time."
            % (title(self.job), text),
            "Wait for its end (state: followed).",
        )

    def check_budget(self):
        """A job that is launched again and again needs a person, not another launch."""
        minutes, budget = self.options["restart_budget_minutes"], self.options["restart_budget"]
        since = self.clock() - 60.0 * minutes
        count = len([
            line for line in self.bracket.lines()
            if line["event"] == "begun" and line["at"] >= since and not line.get("restart")
            and ledger.is_of(line, self.job["kind"], self.job["instance"])
            and line.get("job") == self.job["name"]
        ])  # fmt: skip
        if count < budget or self.options["accept_restart_loop"]:
            return
        raise guard.Refused(
            "budget",
            "%s was launched %d times in %g minutes, and %d are allowed."
            % (title(self.job), count, minutes, budget),
            "Find out why that was not enough, raise restart_budget, or set"
            " accept_restart_loop: true.",
        )

    def diff(self, mode):
        """The change, the same before it is made and after."""
        name = "%s %s@%s" % (self.job["kind"], self.job["name"], self.job["instance"])
        text = "launched (%s): %s\n" % (mode, " ".join(self.result["command"]))
        return {
            "before_header": name, "after_header": name, "before": "not running\n", "after": text,
        }  # fmt: skip

    def launch(self, words, content, asked_at):
        """From the lock of the job to its outcome."""
        self.record.store.prepare()
        descriptor = self.record.lock()
        if descriptor is None:
            self.refuse_running(self.look())
            raise guard.Refused(
                "running", "%s is being launched by another." % title(self.job), "Try again."
            )
        try:
            other = self.record.load() or {}
            if other.get("launched_at", 0) >= asked_at:
                raise guard.Refused(
                    "running",
                    "%s was launched by %s from %s while this call waited."
                    % (title(self.job), other.get("who"), other.get("from")),
                    "Look at how it ended; ask again if it must run once more.",
                )
            before = self.look()
            self.refuse_running(before, locked=True)
            content["before"] = dict((name, before[name]) for name in ("result", "rejects"))
            content["launched_at"] = self.clock()
            self.bracket.write("begun", **self.line(content))
            try:
                self.record.prepare()
                self.record.save(content)
                process = spawn(self.context, words, self.record, descriptor)
            except (LaunchError, ledger.StoreError) as error:
                self.result.update(changed=False, outcome=FAILED)
                self.bracket.note(
                    "ended", result="failed", reason=str(error), **self.line(content)
                )
                self.record.forget()
                raise
        finally:
            os.close(descriptor)
        self.result.update(launched=True, commands=[self.result["command"]])
        self.follow(content, process)

    def line(self, content):
        """What the lines of the ledger say of a launch."""
        people, duplicates = content.get("people") or {}, content.get("duplicates")
        return {
            "module": self.job["kind"], "instance": self.job["instance"], "remedy": "relaunch",
            "state": LAUNCHED, "because": content.get("because") or [],
            "command": [content["command"]],
            "job": self.job["name"], "mode": content.get("mode"), "inside": content.get("inside"),
            "operator": people.get("operator"), "scheduled_by": people.get("scheduled_by"),
            "taken_over_by": people.get("taken_over_by"), "duplicates": duplicates,
            "before": NOT_RUNNING,
        }  # fmt: skip

    # ------------------------------------------------------------------------- following

    def wait_limit(self):
        """How long the job is followed."""
        asked = self.options["wait"]
        if asked is not None:
            return asked
        minutes = self.job.get("max_minutes")
        return 60.0 * minutes if minutes else DEFAULT_WAIT

    def follow(self, content, process=None):
        """To the end of the job, or of the time; the job goes on in any case."""
        limit = self.wait_limit()
        self.until(limit if limit > 0 else START_LIMIT, process, limit <= 0)
        started, ended = self.record.started(), self.record.end()
        if ended is None and not self.present(started):
            ended = self.record.end() or Ended(None, None)
        if started:
            self.result.update(pid=started.pid, started_at=started.at)
        if ended is None:
            self.still_running(content, limit)
        else:
            self.finish(content, started, ended)

    def present(self, started):
        """Is the job there, or somebody who will write down its end?"""
        if self.record.supervised():
            return True
        return bool(started and not self.record.end() and alive(self.context.home, started))

    def until(self, limit, process=None, only_start=False):
        """Wait for the end (or the start) of the job."""
        end = time.monotonic() + limit
        pause = 0.03
        while True:
            if process is not None:
                process.poll()
            started = self.record.started()
            if self.record.end() or (only_start and started) or not self.present(started):
                return
            left = end - time.monotonic()
            if left <= 0:
                return
            self.beat()
            self.sleep(min(pause, left))
            pause = min(pause * 1.5, 2.0)

    def beat(self):
        """The lock of the host stays ours for as long as the job is followed."""
        if self.bracket.lock.mine or self.options["run"]:
            try:
                self.bracket.lock.beat()
            except ledger.StoreError:
                pass  # the job matters more

    def still_running(self, content, limit):
        pid = self.result["pid"]
        text = "%s runs%s and was left running." % (
            title(self.job, content.get("mode")), " (pid %d)" % pid if pid else "",
        )  # fmt: skip
        if limit > 0:
            self.result["timed_out"] = True
            text = "%s still runs after %s%s. It was left running." % (
                title(self.job, content.get("mode")), seconds(limit),
                " (pid %d)" % pid if pid else "",
            )  # fmt: skip
        text += " Its end will be recorded; state: followed waits for it."
        self.result.update(outcome=RUNNING, msg=text)
        self.result["seconds"] = round(self.clock() - content["launched_at"], 3)
        if self.options["state"] == LAUNCHED:
            self.bracket.note(
                "ended", result="done", reason=text, after={"outcome": RUNNING, "pid": pid},
                seconds=self.result["seconds"], **self.line(content)
            )  # fmt: skip

    def finish(self, content, started, ended):
        """The outcome, into the answer, the record and the ledger."""
        self.result.update(content["facts"] or self.tell(content, started, ended))

    def tell(self, content, started, ended):
        """What became of a launch, written down: once, by whoever is the first to see it."""
        facts = self.facts(content, started, ended)
        if self.check_mode:
            return facts
        try:
            self.record.save(dict(content, facts=facts))
            self.record.forget_output()
        except ledger.StoreError as error:
            self.bracket.warnings.append(str(error))
        names = ("outcome", "exit_code", "pid", "started_at", "ended_at")
        after = dict((name, facts[name]) for name in names)
        after["rejects"] = facts["rejects"] and facts["rejects"]["lines"]
        self.bracket.note(
            "ended", result="done" if facts["outcome"] == SUCCEEDED else "failed",
            reason=facts["msg"], after=after, seconds=facts["seconds"], run=content["run"],
            who=content["who"], **self.line(content)
        )  # fmt: skip
        return facts

    def facts(self, content, started, ended):
        """What became of a launch."""
        since = content["launched_at"]
        pid = started.pid if started else None
        limit = SUCCESS_LOG_LIMIT if ended.exit_code == 0 else LOG_LIMIT
        lines = self.settled_lines(pid, since, limit) if pid else []
        errors = [
            {"at": line.at, "sample": self.bracket.scrub(clean(logs.unfold(line.message).strip())),
             "codes": logs.codes(line.message)}
            for line in lines if line.level == "error"
        ]  # fmt: skip
        seen, before = self.look(), content.get("before") or {}
        made = newer_file(before.get("result"), seen["result"], since)
        rejects = newer_file(before.get("rejects"), seen["rejects"], since)
        output = [self.bracket.scrub(line) for line in self.record.output()]
        if started:
            outcome, reason = judge(
                ended.exit_code, made, bool(self.job.get("result")), errors[-1] if errors else None
            )
        else:
            outcome, reason = FAILED, "could not be started"
        took = None
        if ended.at is not None:
            took = round(max(0.0, ended.at - (started.at if started else since)), 3)
        name = title(self.job, content.get("mode"))
        if outcome == SUCCEEDED:
            text = "%s succeeded" % name
            text += " in %s" % seconds(took) if took is not None else ""
            text += ": %s." % made["path"] if made else "."
        else:
            why = errors[-1]["sample"] if errors else output[-1] if output else ""
            text = "%s %s%s" % (name, reason, ": " + why if why else "")
            text = text.rstrip(".") + "."
        if rejects and rejects["lines"]:
            text += " %d lines were rejected: %s." % (rejects["lines"], rejects["path"])
        return {
            "pid": pid, "started_at": started.at if started else None, "ended_at": ended.at,
            "exit_code": ended.exit_code, "seconds": took, "outcome": outcome,
            "errors": errors[-LIST_LIMIT:], "result": made, "rejects": rejects,
            "output": output, "msg": text,
        }  # fmt: skip

    # ------------------------------------------------------------------ what was before

    def tell_previous(self):
        """The launch before this one; what nobody saw the end of is written down now."""
        content = self.record.load()
        if not content:
            return
        told = dict(
            (name, content.get(name)) for name in ("launched_at", "run", "who", "from", "mode")
        )
        told["known"] = bool(content["facts"])
        facts = content["facts"]
        if not facts:
            ended = self.record.end()
            started = self.record.started()
            if not ended and not self.present(started):
                ended = self.record.end() or Ended(None, None)
            facts = self.tell(content, started, ended) if ended else {"outcome": RUNNING}
        told.update((name, facts.get(name)) for name in PREVIOUS)
        self.result["previous"] = told

    def run_followed(self):
        """Only follow what was launched here before."""
        content = self.record.load()
        if not content:
            self.result["msg"] = "%s was not launched here yet." % title(self.job)
            return
        self.result["mode"] = content.get("mode")
        if self.check_mode:
            self.options["wait"] = 0
        self.result["command"] = content["command"]
        self.follow(content)


# ---------------------------------------------------------------------------- the answer


def blank():
    """The answer when nothing has been done yet."""
    answer = dict.fromkeys(
        ("mode", "pid", "exit_code", "started_at", "ended_at", "outcome", "result", "rejects",
         "previous", "evidence", "guard", "record", "duplicates")
    )  # fmt: skip
    answer.update(
        changed=False, launched=False, refused=False, timed_out=False, seconds=0.0,
        command=[], commands=[], errors=[], output=[], msg="", warnings=[], failed=False,
        before={}, after={}, left="as_before",
    )  # fmt: skip
    return answer


def check_options(options):
    """What an argument specification cannot say."""
    wait = options["wait"]
    if wait is not None and not 0 <= wait <= 7 * 86400:
        raise InputError("wait must be 0 to 604800 seconds.")
    job = options["job"]
    for name in ("name", "instance"):
        if not job[name].strip() or any(ord(letter) < 32 for letter in job[name]):
            raise InputError("job: its %s must be one line, and not empty." % name)


def answer(options, check_mode):
    """All of it; what the module is to return, with `failed`."""
    result = blank()
    launch = None
    try:
        check_options(options)
        context = guard.open_context(options)
        guard.check_subject(context, options["job"]["kind"], options["job"]["instance"])
        launch = Launch(context, guard.Bracket(context, check_mode), result)
        launch.run()
        result["failed"] = result["outcome"] in (FAILED, UNKNOWN)
    except guard.Refused as refused:
        result.update(refused=True, guard=refused.guard, changed=False, failed=True)
        result["msg"] = "Refused (%s): %s" % (refused.guard, refused)
    except InputError as error:
        result.update(failed=True, msg=str(error))
    except (ProbeError, LaunchError, ledger.StoreError) as error:
        text = "%s in %s: %s" % (title(options["job"]), options["home"], error)
        result.update(failed=True, msg=text)
    if result["launched"]:
        # A job leaves data behind, whatever its end.
        names = ("outcome", "exit_code", "pid")
        result.update(before=NOT_RUNNING, after=dict((name, result[name]) for name in names))
        result["left"] = "unknown" if result["outcome"] in (None, UNKNOWN) else "changed"
    if launch:
        result["warnings"] = launch.bracket.warnings + (
            [result["msg"]] if result["timed_out"] else []
        )
        result.update(run=launch.bracket.run, interrupted=launch.bracket.interrupted)
    return result
