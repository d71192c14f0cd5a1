# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the server's API reports of each instance: one logon, a fixed set of queries, one logoff.

Only read, and only what a finding needs: counts, names and times, nothing of the people in the
database. A query that fails costs its own findings and no other.
"""

import time
from functools import partial

from .. import command
from ..errors import ProbeError
from ..names import BOUNCE_ACCOUNT, DELIVERY_STATES, TECHNICAL_WORKFLOWS
from ..text import clean, number
from .soap import Client, Query, SoapError, literal, moment

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import (
        Any,
        Callable,
        Collection,
        Dict,
        Iterable,
        List,
        Mapping,
        Optional,
        Sequence,
        Tuple,
    )

    Entry = Dict[str, Any]
    Options = Mapping[str, Any]
    Row = Dict[str, Optional[str]]
    Reader = Callable[[Optional[str]], Any]
    Value = Tuple[str, str, Reader]  # its name in the snapshot, its path, how it is read

ROWS = 500  # of one query; beyond, the snapshot says that there are more
GROUPS = 20  # of duplicates that are shown
UNKNOWN_ATTRIBUTE = "XTK-170036"
SLACK = 0.3  # seconds between the end of the calls and that of the wait for them


def text(value: "Optional[str]") -> str:
    return clean(value or "", 200)


def flag(value: "Optional[str]") -> bool:
    return (value or "").lower() in ("1", "true")


class Question:
    """A query, the name of its rows in the snapshot, and how each value is read.

    maybe: values of which nobody publishes that every build has them; those are None without.
    """

    def __init__(self, name: str, schema: str, *values: "Value", **more: "Any") -> None:
        self.name = name
        self.limit = more.pop("limit", ROWS)
        self.maybe = more.pop("maybe", ())
        self.readers = [(field, reader) for field, dummy, reader in values]
        self.query = Query(schema, [(field, path) for field, path, dummy in values], **more)

    def ask(self, client: Client) -> "Tuple[List[Entry], bool]":
        """(rows, whether there are more)."""
        query, maybe = self.query, list(self.maybe)
        while True:
            try:
                rows, more = client.select(query, self.limit)
                break
            except SoapError as error:
                if not maybe or UNKNOWN_ATTRIBUTE not in (error.code or "") + error.message:
                    raise
                paths = dict(query.nodes)
                dropped = [field for field in maybe if paths[field] in error.message] or maybe
                query = query.without(dropped)
                maybe = [field for field in maybe if field not in dropped]
        return [
            dict((field, reader(row.get(field))) for field, reader in self.readers) for row in rows
        ], more


def among(expression: str, values: "Iterable[str]") -> str:
    """The condition that a value is one of some."""
    return "%s in (%s)" % (expression, ", ".join(values))


ID, LABEL = ("id", "@id", number), ("label", "@label", text)
JOB = (
    ID,
    ("name", "@name", text),
    ("kind", "@kind", text),
    ("operator", "[createdBy/@name]", text),
    ("status", "@status", number),
    ("started_at", "@startDate", moment),
    ("ended_at", "@endDate", moment),
    ("process_id", "@pid", number),
    ("processed", "@processed", number),
    ("rejected", "@rejected", number),
)

QUESTIONS = (
    Question(
        "workflows",
        "xtk:workflow",
        ID,
        ("name", "@internalName", text),
        LABEL,
        ("state", "@state", number),
        ("failed", "@failed", flag),
        ("process_id", "@processId", number),
        ("last_start_at", "@lastStart", moment),
        ("folder", "[folder/@name]", text),
        order="@id",
    ),
    Question(
        "journal",  # when technical workflows last wrote a line
        "xtk:workflowLog",
        ("workflow", "[workflow/@internalName]", text),
        ("last_at", "Max(@logDate)", moment),
        where=(among("[workflow/@internalName]", map(literal, TECHNICAL_WORKFLOWS)),),
        groups=("workflow",),
    ),
    Question(
        "disabled_owners",  # workflows whose operator may no longer log on
        "xtk:workflow",
        ("name", "@internalName", text),
        ("operator", "[createdBy/@name]", text),
        where=("[createdBy/@accountDisabled] = 1",),
    ),
    Question(
        "deliveries",
        "nms:delivery",
        ID,
        ("name", "@internalName", text),
        LABEL,
        ("state", "@state", number),
        ("contact_at", "[scheduling/@contactDate]", moment),
        ("to_send", "[properties/@toDeliver]", number),
        where=(among("@state", map(str, DELIVERY_STATES.values())),),
        order="@id",
    ),
    Question("jobs", "xtk:job", *JOB, order="@id", descending=True, limit=200),
    Question(
        "accounts",
        "nms:extAccount",
        ("name", "@name", text),
        LABEL,
        ("server", "@server", text),
        ("active", "@active", flag),
        ("port", "@port", number),
        ("encryption", "@encryption", text),
        ("oauth", "@oauth", text),
        maybe=("port", "encryption", "oauth"),
        where=("@name = " + literal(BOUNCE_ACCOUNT),),
    ),
    Question("last_bounce", "nms:broadLogMsg", ("at", "Max(@lastModified)", moment)),
    Question("last_id", "nms:delivery", ("id", "Max(@id)", number)),
)
OPTIONS: "Tuple[Value, ...]" = (
    ("concurrency", "NmsOperation_LimitConcurrency", number),
    ("last_consolidation_at", "NmsTracking_LastConsolidation", moment),
)


def blank(credentials: "Entry") -> "Entry":
    """An instance of which nothing is known yet."""
    data = {
        "instance": credentials["instance"],
        "url": clean(credentials["url"], 200),
        "login": clean(credentials["login"], 100),
        "seconds": None,
        "error": None,
        "server": None,
        "unanswered": [],
        "more": [],
    }
    data.update((question.name, None) for question in QUESTIONS)
    data.update((option[0], None) for option in OPTIONS)
    return data


def look(
    credentials: "Entry",
    options: "Entry",
    seconds: float,
    data: "Entry",
    questions: "Sequence[Question]" = QUESTIONS,
) -> "Entry":
    """Send all queries to an instance; `data` fills up, so that answers in time count."""
    started = time.monotonic()
    try:
        with Client(credentials, options, seconds) as client:
            data["server"] = client.server
            _ask(client, data, questions)
    except SoapError as error:
        data["error"] = error.as_data()
    data["seconds"] = round(time.monotonic() - started, 4)
    return data


def _ask(client: Client, data: "Entry", questions: "Sequence[Question]") -> None:
    """Each question; what ends the session ends the rest of them, too."""
    asking: "List[Tuple[str, Callable[[], Tuple[Any, bool]]]]" = [
        (question.name, partial(question.ask, client)) for question in questions
    ]
    asking.extend(
        (name, partial(_option, client, option, reader)) for name, option, reader in OPTIONS
    )
    for name, ask in asking:
        try:
            data[name], more = ask()
            if more:
                data["more"].append(name)
        except SoapError as error:
            data["unanswered"].append(dict(error.as_data(), question=name))
            if error.kind not in ("fault", "invalid", "too_big", "database"):
                raise


def _option(client: Client, option: str, reader: "Reader") -> "Tuple[Any, bool]":
    return reader(client.option(option)), False


def settings(options: "Options") -> "Entry":
    """The options of the client, out of those of the Ansible module."""
    names = ("validate_certs", "ca_path", "client_cert", "client_key", "use_proxy")
    return dict((name, options["api_" + name]) for name in names)


def credentials_for(options: "Options", instances: "Collection[str]", default_url: str) -> "List[Entry]":
    """Where and as whom to log on, for the instances that are looked at."""
    return [
        dict(credentials, url=credentials.get("url") or default_url)
        for credentials in options["api"]
        if credentials["instance"] in instances
    ]


def collect(
    options: "Options", instances: "Collection[str]", default_url: str, seconds: float
) -> "Entry":
    """The probe's data. Raises ProbeError, with what is known, if an instance did not answer."""
    asked = credentials_for(options, instances, default_url)
    if not asked:
        text = "campaign_api has no credentials for any of these instances"
        raise ProbeError("skipped", text)
    entries = [blank(credentials) for credentials in asked]
    seconds = min(seconds, options["api_timeout"])  # what is left of it
    functions = [
        partial(look, credentials, settings(options), max(0.5, seconds - SLACK - 1.0), entry)
        for credentials, entry in zip(asked, entries)
    ]
    calls = command.side_by_side(functions, seconds)
    failed: "List[str]" = []
    for entry, call in zip(entries, calls):
        if call.error and not entry["error"]:
            entry["error"] = {
                "kind": call.error.kind, "code": None, "message": call.error.message,
            }  # fmt: skip
        problems = [entry["error"]] if entry["error"] else entry["unanswered"][:1]
        failed.extend("%s: %s" % (entry["instance"], problem["message"]) for problem in problems)
    data = {"instances": [dict(entry) for entry in entries]}
    if failed:
        raise ProbeError("failed", "; ".join(failed), data)
    return data


# ------------------------------------------------------------------------- duplicates


def duplicates(client: Client, schema: str, keys: "Sequence[str]") -> "Entry":
    """Values of some keys that several records have: how many groups, and the largest of them.

    The values are masked: their first letter and their length let an operator find them.
    """
    nodes = [("key%d" % n, _attribute(key)) for n, key in enumerate(keys)]
    query = Query(
        schema,
        nodes + [("count", "Count(@id)")],
        groups=[name for name, dummy in nodes],
        having="Count(@id) > 1",
        order="Count(@id)",
        descending=True,
    )
    rows, more = client.select(query, ROWS)
    groups = [
        {
            "values": [masked(row[name] or "") for name, dummy in nodes],
            "count": number(row["count"], 0),
        }
        for row in rows
        if all(row[name] for name, dummy in nodes)  # records without a key are not duplicates
    ]
    return {"groups": len(groups), "more": more, "largest": groups[:GROUPS]}


def look_for_duplicates(options: "Options", default_url: str) -> "Optional[Entry]":
    """The same for the job of `options`, in a session of its own; `error` says why not."""
    job = options["job"]
    asked = credentials_for(options, [job["instance"]], default_url)
    if not asked:
        return None
    try:
        with Client(asked[0], settings(options), options["api_timeout"]) as client:
            return dict(duplicates(client, job["schema"], job["keys"]), error=None)
    except SoapError as error:
        return {"groups": None, "more": False, "largest": [], "error": error.message}


def _attribute(key: str) -> str:
    return key if key[:1] in "@[" else "@" + key


def masked(value: str) -> str:
    """`a***(18)`: enough to distinguish groups, too little to identify anybody."""
    return "%s***(%d)" % (clean(value[:1], 1), len(value))
