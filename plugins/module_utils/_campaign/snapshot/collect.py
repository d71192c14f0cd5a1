# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The snapshot: the results of the account's child and of the machine's probes together.

The child is begun before anything else is imported here, so that it and this process work side by
side from the beginning.
"""

import json
import os
import pwd
import re
import time
from functools import partial

from .. import command
from ..account import child
from ..account.answers import WrongAnswer, fitted
from ..addresses import split_url
from ..errors import InputError, ProbeError
from ..names import ALWAYS, HOST_PROBES, MODULES, PROBES
from ..text import clean, user_name, with_texts

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set

    from ..account.child import Account, Answer, Channel, Child, Problem
    from .probes import Context

    Entry = Dict[str, Any]
    Table = Mapping[str, Callable[[Any], Any]]

SCHEMA = 1
GRACE = 0.15  # reserved for the answer itself, out of the total time
SPARE = 0.1  # what the child has less than this process, to be heard
TEXTS_BYTES = 48 * 1024  # that the child is given to take passwords out: a pipe takes more at once
TEXTS_SECONDS = 1.0  # for that
SLOW_START = 0.5  # seconds beyond a probe's own that the first answers may take
DECLARED = (
    "name",
    "kind",
    "instance",
    "operator",
    "result",
    "rejects",
    "max_age_hours",
    "max_minutes",
)


def find_account(options: "Entry") -> "child.Account":
    """The Campaign account, which this process must be, or be able to become."""
    try:
        account = pwd.getpwnam(options["user"])
    except KeyError:
        text = "There is no account '%s' on this host (option user)." % options["user"]
        raise InputError(text) from None
    if os.geteuid() not in (0, account.pw_uid):
        raise InputError(
            "'%s' cannot become the Campaign account '%s': connect as that account,"
            " or set become: true." % (user_name(os.geteuid()), options["user"])
        )
    return child.account_of(account)


def installed(options: "Entry") -> bool:
    """Is there a Campaign server, as far as this process can see? Raises InputError if it cannot.

    For a machine on which the account is missing, so that there is no child.
    """
    try:
        os.stat(os.path.join(options["home"], "bin", "nlserver"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise hidden(options, user_name(os.geteuid())) from None
    return True


def hidden(options: "Entry", name: str) -> InputError:
    """The error if this process has no access to the installation."""
    text = "'%s' has no access to %s: connect as the Campaign account, or set become: true."
    return InputError(text % (name, options["home"]))


def blank(options: "Entry") -> "Entry":
    """A snapshot in which nothing has been seen yet."""
    return {
        "schema": SCHEMA,
        "taken_at": time.time(),
        "utc_offset_seconds": time.localtime().tm_gmtoff,
        "seconds": 0.0,
        "home": options["home"],
        "user": options["user"],
        "uid": None,
        "address": options["address"],
        "asked": {
            "modules": [m for m in MODULES if m in options["modules"]] or list(MODULES),
            "instances": list(options["instances"]),
            "log_window": options["log_window"],
            "probes": chosen_probes(options),
            "expected_ports": {},
            "restartable_workflows": list(options["restartable_workflows"]),
        },
        "jobs_declared": [declared(job) for job in options["jobs"]],
        "installed": True,
        "probes": {},
    }


def declared(job: "Entry") -> "Entry":
    """What a snapshot may show of a declaration (never its arguments)."""
    return dict((name, job.get(name)) for name in DECLARED)


def chosen_probes(options: "Entry") -> "List[str]":
    asked = options["probes"]
    return [name for name in PROBES if not asked or name in asked or name in ALWAYS]


def collect(
    options: "Entry",
    started: "Optional[float]" = None,
    account_table: "Optional[Table]" = None,
    table: "Optional[Table]" = None,
) -> "Entry":
    """The snapshot. Raises InputError for what the caller has to put right.

    The tables, name of a probe to function, are for tests.
    """
    started = time.monotonic() if started is None else started
    end = started + max(0.1, options["timeout"] - GRACE)
    snapshot = blank(options)
    try:
        account = find_account(options)
    except InputError:
        if installed(options):
            raise
        account = child.account_of(pwd.getpwuid(os.geteuid()))
    names = snapshot["asked"]["probes"]
    asked = child.begin(
        account,
        lambda channel: _in_child(channel, options, account, names, account_table, end),
        _prepare_child,
    )
    try:
        _put_together(snapshot, options, account, asked, table, end)
    finally:
        asked.end()
    probes = snapshot["probes"]
    snapshot["probes"] = dict((name, probes[name]) for name in names if name in probes)
    snapshot["seconds"] = round(time.monotonic() - started, 4)
    return snapshot


def _prepare_child() -> None:
    """Import what only the account's part needs."""
    import encodings.iso8859_15  # noqa: F401 (see text.decode)

    from ..account import probes as dummy_probes  # noqa: F401


def _in_child(
    channel: "Channel",
    options: "Entry",
    account: "Account",
    names: "List[str]",
    table: "Optional[Table]",
    end: float,
) -> None:
    """The account's part."""
    from ..account import probes as account_probes

    there = child.installed(options)
    channel.send("installed", there)
    if not there:
        return
    table = account_probes.TABLE if table is None else table
    server = account_probes.Server(options, account)
    account_probes.look(channel, server, [name for name in names if name in table], table, end - SPARE)


def _put_together(
    snapshot: "Entry",
    options: "Entry",
    account: "Account",
    asked: "Child",
    table: "Optional[Table]",
    end: float,
) -> None:
    """The snapshot's probes: the account's as they come, and meanwhile those of the machine."""
    from . import probes, settled, shapes

    answers = Answers(asked, snapshot["asked"]["probes"], shapes.ACCOUNT)
    first = min(end, time.monotonic() + options["probe_timeout"] + command.LATE + SLOW_START)
    there = answers.installed(first)
    if there is None:
        raise hidden(options, account.name)
    if not there:
        snapshot["installed"] = False
        answers.over = True
    # A disk that does not answer the child must not hold this process.
    home = None if there and not answers.over else options["home"]
    context = probes.Context(options, account, home)
    context.end, context.child_pid = end, asked.pid
    table = probes.TABLE if table is None else table
    names = [name for name in snapshot["asked"]["probes"] if name in table]
    if there:
        snapshot["uid"] = account.uid
    else:
        names = [name for name in names if name in HOST_PROBES]
    early = [name for name in names if name in probes.NEED_NO_CONFIGURATION]
    calls = command.begin([partial(table[name], context) for name in early])
    if there:
        answers.until(ALWAYS, first)
        context.environment = answers.data("environment") or context.environment
        configured = answers.data("configuration")
        if configured:
            settled.settle(context, configured)
        context.configuration = configured or context.configuration
        choose_instances(context, answers.data("configuration"), options["instances"])
        snapshot["asked"]["instances"] = context.instances
        snapshot["asked"]["expected_ports"] = context.expected_ports()
    late = [name for name in names if name not in early]
    calls += command.begin([partial(table[name], context) for name in late])
    if "storage" in snapshot["asked"]["probes"] and there:
        command.begin([lambda: asked.send(pid_file=_pid_file(context))])
    found = snapshot["probes"]
    if there:
        answers.until(answers.wanted, end)
        found.update(answers.found)
    own: "Entry" = {}
    for name, seconds, data, error in command.awaited(
        early + late, calls, context.seconds_for, end
    ):
        own[name] = entry(seconds, data, error)
    found.update(answers.without_passwords(own, end) if there else own)
    if there:
        probes.complete(context, found)


def _pid_file(context: "Context") -> "Optional[str]":
    """The pid file that the server's unit names; None if that cannot be seen."""
    try:
        path: "Optional[str]" = context.service()["pid_file"]
    except ProbeError:
        return None
    return path


def entry(seconds: float, data: "Any", error: "Optional[Problem]") -> "Entry":
    """What a snapshot holds of a probe."""
    if isinstance(error, InputError):  # no probe of ours answers so
        error = ProbeError("invalid", str(error))
    return {
        "seconds": round(seconds, 4),
        "error": error.as_data() if error else None,
        "data": data,
    }


class Answers:
    """What the child has said so far of the probes that are its own."""

    def __init__(self, asked: "Child", names: "Iterable[str]", shapes: "Mapping[str, Any]") -> None:
        self.found: "Entry" = {}
        self.wanted = [name for name in names if name in shapes]
        self.over = False  # it says no more, or nothing that can be believed
        self._asked = asked
        self._shapes = shapes
        self._began = time.monotonic()
        self._defect: "Optional[Problem]" = None

    def installed(self, end: float) -> "Optional[bool]":
        """True or False, or None: that may not be seen. True if it does not answer."""
        said = self._next(end)
        if said is None:
            self.over = True
            return True
        return said[1] if said[1] in (False, None) else True

    def _next(self, end: float) -> "Optional[Answer]":
        try:
            return self._asked.receive(end)
        except WrongAnswer as error:
            self._defect = ProbeError("invalid", "the Campaign account's process: %s" % error)
            return None

    def until(self, names: "Iterable[str]", end: float) -> None:
        """Wait until these have answered, or to the end; missing ones are time-outs."""
        while not self.over and not all(name in self.found for name in names):
            said = self._next(end)
            if said is None:
                self.over = True
                break
            name, data, error, seconds = said
            if name == "defect":
                self._defect = error
            elif name in self._shapes and name not in self.found:
                self.found[name] = self._checked(name, data, error, seconds)
        for name in names:
            if name not in self.found:
                seconds = time.monotonic() - self._began
                error = self._defect or ProbeError("timeout", "no answer in %.1f s" % seconds)
                self.found[name] = entry(seconds, None, error)

    def without_passwords(self, data: "Entry", end: float) -> "Entry":
        """Data of the machine without the passwords that only the child knows.

        If it does not answer, what looks like a password is removed anyway.
        """
        texts: "Set[str]" = set()
        size = TEXTS_BYTES
        with_texts(data, texts.add)
        asked = []
        for text in sorted(texts, key=lambda text: (len(text), text)):
            size -= len(json.dumps(text)) + 2
            if size > 0 and len(text) > 3:
                asked.append(text)
        if self.over or not asked:
            return data
        self._asked.send(texts=asked)
        said = self._next(min(end, time.monotonic() + TEXTS_SECONDS))
        answer = said[1] if said and said[0] == "texts" else None
        if not isinstance(answer, list) or len(answer) != len(asked):
            return data
        hidden = dict(
            (text, without) for text, without in zip(asked, answer) if only_hides(text, without)
        )
        shown: "Entry" = with_texts(data, lambda text: hidden.get(text, text))
        return shown

    def _checked(
        self, name: str, data: "Any", error: "Optional[Problem]", seconds: float
    ) -> "Entry":
        try:
            if data is not None:
                fitted(data, self._shapes[name], name)
        except WrongAnswer as wrong:
            data, error = None, ProbeError("invalid", "the Campaign account's process: %s" % wrong)
        return entry(seconds, data, error)

    def data(self, name: str) -> "Any":
        return self.found[name]["data"]


def only_hides(text: str, without: "Any") -> bool:
    """Whether the second is the first with nothing else done to it than to put *** into it."""
    if not isinstance(without, str):
        return False
    first, *others = without.split("***")
    if not others:
        return text == without
    if not text.startswith(first) or not text[len(first) :].endswith(others[-1]):
        return False
    at, last = len(first), len(text) - len(others[-1])
    for other in others[:-1]:
        at = text.find(other, at, last)
        if at < 0:
            return False
        at += len(other)
    return True


def choose_instances(context: "Context", known: "Any", asked: "Sequence[str]") -> None:
    """The instances to look at; an unknown one is bad input, if the known ones are known."""
    unknown = context.choose(asked)
    if unknown and known:
        raise InputError(
            "Unknown instance %s: this server has %s."
            % (
                ", ".join("'%s'" % name for name in unknown),
                ", ".join(context.configuration["instances"]),
            )
        )


def check_options(options: "Entry") -> None:
    """What an argument specification cannot say."""
    for name in ("timeout", "probe_timeout"):
        if not 0 < options[name] <= 3600:
            raise InputError("%s must be above 0 and at most 3600 seconds." % name)
    if not 0 < options["log_window"] <= 10080:
        raise InputError("log_window must be 1 to 10080 minutes.")
    if not 0 <= options["syslogd_port"] <= 65535:
        raise InputError("syslogd_port must be 0 to 65535.")
    for name, path in (("home", options["home"]), ("state_dir", options["state_dir"] or "/")):
        if not os.path.isabs(path):
            raise InputError("%s must be an absolute path, not '%s'." % (name, path))
    if not re.match(r"^[0-9A-Za-z_.:-]+$", options["address"]):
        raise InputError("address must be one address or host name.")
    unknown = [name for name in options["modules"] if name not in MODULES]
    if unknown:
        raise InputError(
            "Unknown module '%s'. Valid modules: %s." % (unknown[0], ", ".join(MODULES))
        )
    urls = [(name, options[name]) for name in ("front_url", "tomcat_url") if options[name]]
    urls.extend(("redirection_urls", url) for url in options["redirection_urls"])
    for name, url in urls:
        try:
            split_url(url)
        except ValueError:
            text = "%s must be an http or https URL, not '%s'." % (name, clean(url, 200))
            raise InputError(text) from None
    for key in options["shared_memory_keys"]:
        try:
            int(key, 0)
        except ValueError:
            raise InputError("shared_memory_keys: '%s' is not a number." % key) from None
    if not 0.5 <= options["api_timeout"] <= 3600:
        raise InputError("api_timeout must be 0.5 to 3600 seconds.")
    for mailbox in options["mailboxes"]:
        if mailbox["port"] is not None and not 0 < mailbox["port"] <= 65535:
            raise InputError("mailboxes: port must be 1 to 65535.")


def unanswered(options: "Entry", started: float) -> "Entry":
    """The snapshot of a machine on which nothing answered in time."""
    snapshot = blank(options)
    snapshot["seconds"] = round(time.monotonic() - started, 4)
    problem = ProbeError("timeout", "no probe answered within %g s" % options["timeout"])
    for name in snapshot["asked"]["probes"]:
        snapshot["probes"][name] = {
            "seconds": snapshot["seconds"],
            "error": problem.as_data(),
            "data": None,
        }
    return snapshot
