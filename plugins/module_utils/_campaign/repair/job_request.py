# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a launch of a declared job needs: mode, operators, a check for duplicates."""

from ..errors import InputError
from ..text import clean, mask_arguments
from . import guard
from .job_outcome import FAILED, UNKNOWN, moment
from .steps import title

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Optional, Sequence, Set

    Entry = Dict[str, Any]

LAUNCHED, FOLLOWED = "launched", "followed"
NO_NAMES = ("", "true", "false", "yes", "no", "none", "null", "ok", "0", "1", "n/a", "-")


def person(text: "Optional[str]", option: str) -> "Optional[str]":
    """A given name, None for an empty one."""
    name = " ".join((text or "").split())
    if not name:
        return None
    if name.lower() in NO_NAMES:
        raise InputError("%s must be the name of an operator, not '%s'."
                         % (option, clean(name, 40)))
    return name


def check_operator(options: "Entry") -> "Dict[str, Optional[str]]":
    """Who is responsible for the launch: the operator who scheduled the job, or who takes it over."""
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
            "%s was scheduled by %s, who should launch it again." % (title(job), scheduled),
            "Set operator to this name, or name who takes the job over in taken_over_by.",
        )
    if operator != scheduled:
        raise guard.Refused(
            "operator",
            "%s was scheduled by %s, not by %s." % (title(job), scheduled, operator),
            "If %s takes the job over, say so in taken_over_by." % operator,
        )
    return {"scheduled_by": scheduled, "operator": operator, "taken_over_by": None}


def find_duplicates(options: "Entry", default_url: str) -> "Optional[Entry]":
    """What the database says about the keys of an import; None if it cannot be queried.

    Imported late, so that a call without credentials does not load the client.
    """
    job = options["job"]
    if job["kind"] != "import" or not job.get("keys"):
        return None
    seen: "Optional[Entry]" = options.get("duplicates_seen")
    if seen:  # the controller has asked
        return seen
    if not options.get("api") or options["api_from"] == "controller":
        return None
    from ..api import api

    return api.look_for_duplicates(options, default_url)


def describe_duplicates(seen: "Entry") -> str:
    """`, such as a***(18) 4 times`."""
    shown = ["%s %d times" % (", ".join(g["values"]), g["count"]) for g in seen["largest"][:3]]
    return ", such as " + "; ".join(shown) if shown else ""


def check_duplicates(options: "Entry", seen: "Optional[Entry]" = None) -> "Optional[Entry]":
    """For an import: the database has no duplicates, or an operator says so.

    `seen`: the answer of the database; an operator's word counts only without it.
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
            "%s: the database has duplicates (%d values of %s occur more than once%s), and another"
            " import would add to them."
            % (title(job), found, keys, describe_duplicates(seen) if seen and not error else ""),
            "Remove them first, or set accept_duplicates: true.",
        )
    unasked = ", and the database could not be queried: %s" % error.rstrip(".") if error else ""
    if found is None and not confirmed and not accepted:
        raise guard.Refused(
            "duplicates",
            "%s: nobody has checked for duplicates (by %s)%s." % (title(job), keys, unasked),
            "Check the database for duplicates; if there are none, set no_duplicates_confirmed_by"
            " to the name of the operator who checked.",
        )
    return state


def check_cut(job: "Entry", previous: "Optional[Entry]", accepted: "Optional[str]") -> None:
    """An interrupted import has left part of its data: it is never launched again automatically.

    previous: the launch before. accepted: the run of that launch, as the operator names it.
    """
    if job["kind"] != "import" or not previous or previous["outcome"] not in (FAILED, UNKNOWN):
        return
    code = previous["exit_code"]
    if (code is not None and not 128 < code < 160) or accepted == previous["run"]:
        return
    raise guard.Refused(
        "cut",
        "%s was interrupted after its launch at %s by run %s of %s and may have imported only part"
        " of its data (%s)."
        % (title(job), moment(previous["launched_at"]), previous["run"], previous["who"] or "?",
           "its exit code is unknown" if code is None else "signal %d" % (code - 128)),
        "Check in the database how far it got. To launch it again, set"
        " campaign_accept_cut_import=%s." % previous["run"],
    )  # fmt: skip


def secrets(words: "Sequence[str]") -> "Set[str]":
    """What looks like a password in a command line: Ansible must hide it everywhere."""
    found = set()
    for word, masked in zip(words, mask_arguments(words)):
        before, hidden, after = masked.partition("***")
        if hidden and word.startswith(before) and word.endswith(after):
            found.add(word[len(before) : len(word) - len(after)])
    return set(word for word in found if len(word) > 2)
