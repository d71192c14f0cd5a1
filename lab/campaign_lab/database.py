"""The database of an instance: one SQLite file, beside the server's home.

In life this is PostgreSQL, Oracle or SQL Server on another machine, reached with the
``dbcnx`` of ``config-<instance>.xml``. The stand-in keeps the names of Campaign's schemas
and attributes (``xtk:workflow/@internalName`` is column ``internalName`` of table
``xtk_workflow``), so that an API over it can translate a query word by word. Columns that
start with ``lab`` have no counterpart in life.

A connection lives as long as one unit of work: a database that is moved away, locked or
damaged is noticed by the next statement and not by the next restart. ``sqlite3`` is imported
when the first connection is opened, so that ``nlserver`` itself never pays for it.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Tuple

if TYPE_CHECKING:
    import sqlite3

    from campaign_lab.config import Config

BUSY_SECONDS = 3.0

# xtk:workflow/@state. 13 and 20 are documented; the others are the lab's reading.
EDITED, START_PENDING, STARTED, PAUSED, STOPPED = 0, 1, 11, 13, 20
# nms:delivery/@state and nms:broadLog/@status, as far as the lab needs them.
DELIVERY_READY, DELIVERY_RUNNING, DELIVERY_DONE = 51, 55, 95
LOG_PENDING, LOG_SENT, LOG_FAILED = 6, 1, 2
# xtk:job/@status, documented.
JOB_EDITED, JOB_RUNNING, JOB_CANCELLED, JOB_FINISHED, JOB_ERROR = 0, 2, 4, 5, 6

SCHEMA = """
CREATE TABLE xtk_option (name TEXT PRIMARY KEY, dataType INTEGER DEFAULT 6, value TEXT);
CREATE TABLE xtk_operator (id INTEGER PRIMARY KEY, name TEXT UNIQUE, label TEXT, email TEXT,
    labPassword TEXT, accountDisabled INTEGER DEFAULT 0, labAdmin INTEGER DEFAULT 0);
CREATE TABLE xtk_workflow (id INTEGER PRIMARY KEY, internalName TEXT UNIQUE, label TEXT,
    state INTEGER DEFAULT 0, failed INTEGER DEFAULT 0, processId INTEGER DEFAULT 0,
    lastStart REAL, labActivity TEXT, labPeriod INTEGER DEFAULT 0, labNext REAL DEFAULT 0,
    labErrors INTEGER DEFAULT 0, isTechnical INTEGER DEFAULT 0);
CREATE TABLE xtk_workflowLog (id INTEGER PRIMARY KEY, workflowId INTEGER, logDate REAL,
    logType INTEGER, activity TEXT, message TEXT);
CREATE TABLE xtk_job (id INTEGER PRIMARY KEY, name TEXT, label TEXT, kind TEXT, operator TEXT,
    status INTEGER DEFAULT 0, startDate REAL, endDate REAL, processId INTEGER DEFAULT 0,
    processed INTEGER DEFAULT 0, rejected INTEGER DEFAULT 0, labArguments TEXT);
CREATE TABLE xtk_jobLog (id INTEGER PRIMARY KEY, jobId INTEGER, logDate REAL,
    logType INTEGER, message TEXT);
CREATE TABLE nms_recipient (id INTEGER PRIMARY KEY, email TEXT, firstName TEXT, lastName TEXT,
    externalId TEXT, lastModified REAL, labBounces INTEGER DEFAULT 0);
CREATE TABLE nms_delivery (id INTEGER PRIMARY KEY, internalName TEXT, label TEXT,
    state INTEGER DEFAULT 0, contactDate REAL, toSend INTEGER DEFAULT 0,
    success INTEGER DEFAULT 0, errors INTEGER DEFAULT 0, subject TEXT);
CREATE TABLE nms_broadLog (id INTEGER PRIMARY KEY, deliveryId INTEGER, recipientId INTEGER,
    address TEXT, status INTEGER DEFAULT 6, lastModified REAL, labReason TEXT);
CREATE INDEX nms_broadLog_delivery ON nms_broadLog (deliveryId, status);
CREATE TABLE nms_broadLogMsg (id INTEGER PRIMARY KEY, received REAL, address TEXT,
    messageId TEXT UNIQUE, text TEXT);
CREATE TABLE nms_trackingLog (id INTEGER PRIMARY KEY, logDate REAL, deliveryId INTEGER,
    broadLogId INTEGER, url TEXT, sourceIp TEXT);
CREATE TABLE nms_extAccount (id INTEGER PRIMARY KEY, name TEXT UNIQUE, label TEXT, type TEXT,
    server TEXT, port INTEGER, account TEXT, labPassword TEXT, active INTEGER DEFAULT 1);
"""

OPERATORS = (
    # name, label, administrator
    ("admin", "Administrator", 1),
    ("internal", "Internal", 1),
    ("anna.berg", "Anna Berg", 0),
    ("paul.roux", "Paul Roux", 0),
)
WORKFLOWS = (
    # internal name, label, activity, period in seconds, technical
    ("contactsExport", "Export of the contacts", "job:export contacts_export anna.berg", 21600, 0),
    ("contactsImport", "Import of the contacts", "job:import contacts_import paul.roux", 21600, 0),
    ("tracking", "Tracking", "tracking", 60, 1),
    ("cleanup", "Database cleanup", "cleanup", 300, 1),
    ("deliverabilityUpdate", "Update for deliverability", "deliverability", 600, 1),
    ("operationMgt", "Jobs on campaigns", "operations", 300, 1),
    ("welcomeMail", "Welcome mail", "delivery", 60, 0),
    ("catalogueLoad", "Load of the catalogue", "load:upload/catalogue.csv", 300, 0),
)
OPTIONS = (
    ("NmsOperation_LimitConcurrency", "10"),
    ("NmsServer_LastPostUpgrade", "9356"),
    ("NmsTracking_Pointer", ""),
    ("XtkInstance_Locale", "en"),
)
NAMES = (
    "Ada Byron", "Alan Kay", "Barbara Liskov", "Claude Shannon", "Donald Knuth",
    "Edsger Dijkstra", "Frances Allen", "Grace Hopper", "Hedy Lamarr", "Ivan Sutherland",
    "Jean Bartik", "Ken Thompson",
)  # fmt: skip
BOUNCING = "bounce.example"  # the sink answers mail to this domain with a bounce


class DatabaseError(Exception):
    """A statement failed; its text is the line Campaign would log."""


def path_of(home: str, instance: str) -> str:
    """Where the database of a new instance is made; not below the home, as in life."""
    return os.path.join(os.path.dirname(home.rstrip("/")), "database", instance + ".sqlite")


def configured(config: Config, instance: str) -> str:
    """The database that an instance uses: the ``server`` of its ``dbcnx``."""
    return str(config.database(instance).get("server", ""))


@contextmanager
def session(path: str, write: bool = False) -> Iterator[sqlite3.Connection]:
    """One transaction; any failure of the database becomes a DatabaseError.

    A missing file is an error (mode=rw), never a new empty database.
    """
    import sqlite3

    connection: Optional[sqlite3.Connection] = None
    try:
        connection = sqlite3.connect(
            "file:%s?mode=rw" % path.replace("?", "%3f").replace("#", "%23"),
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise DatabaseError("SQLite error: %s (iRc=-2006)" % error) from error
    finally:
        if connection is not None:
            connection.close()


def create(path: str, pop3: Tuple[str, int, str, str], front_url: str, password: str) -> None:
    """Make the database of an instance with its seed; an existing one is left alone.

    ``pop3`` is the bounce mailbox (host, port, login, password), ``front_url`` the redirection
    server that tracking fetches from, ``password`` that of every operator.
    """
    import sqlite3

    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = "%s.%d" % (path, os.getpid())
    connection = sqlite3.connect(draft)
    try:
        connection.executescript("PRAGMA synchronous=OFF;" + SCHEMA)
        _seed(connection, pop3, front_url, password)
        connection.commit()
    finally:
        connection.close()
    os.rename(draft, path)


def _seed(
    connection: sqlite3.Connection, pop3: Tuple[str, int, str, str], front_url: str, password: str
) -> None:
    now = time.time()
    connection.executemany(
        "INSERT INTO xtk_operator (name, label, labPassword, labAdmin) VALUES (?, ?, ?, ?)",
        [(name, label, password, administrator) for name, label, administrator in OPERATORS],
    )
    connection.executemany("INSERT INTO xtk_option (name, value) VALUES (?, ?)", OPTIONS)
    connection.executemany(
        "INSERT INTO xtk_workflow (internalName, label, state, labActivity, labPeriod,"
        " isTechnical, labNext) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            # The jobs at once, the others spread over the first seconds of a server's life.
            (name, label, STARTED, activity, period, technical, now + max(0, order - 1))
            for order, (name, label, activity, period, technical) in enumerate(WORKFLOWS)
        ],
    )
    people: List[Tuple[str, str, str, str, float]] = []
    for number, name in enumerate(NAMES):
        first, last = name.split()
        domain = BOUNCING if number % 6 == 5 else "example.com"
        email = "%s.%s@%s" % (first.lower(), last.lower(), domain)
        people.append((email, first, last, "C%04d" % (number + 1), now))
    connection.executemany(
        "INSERT INTO nms_recipient (email, firstName, lastName, externalId, lastModified)"
        " VALUES (?, ?, ?, ?, ?)",
        people,
    )
    connection.executemany(
        "INSERT INTO nms_extAccount (name, label, type, server, port, account, labPassword)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            ("defaultPopAccount", "Bounce mails", "pop3", *pop3),
            ("defaultTracking", "Redirection server", "redirection", front_url, 0, "", ""),
        ],
    )


# -- small questions that several modules ask --------------------------------------------


def option(connection: sqlite3.Connection, name: str, default: str = "") -> str:
    row = connection.execute("SELECT value FROM xtk_option WHERE name = ?", (name,)).fetchone()
    return default if row is None or row["value"] is None else str(row["value"])


def set_option(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(
        "INSERT INTO xtk_option (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def account(connection: sqlite3.Connection, kind: str) -> Optional[sqlite3.Row]:
    """The active external account of a type."""
    row: Any = connection.execute(
        "SELECT * FROM nms_extAccount WHERE type = ? AND active = 1 ORDER BY id", (kind,)
    ).fetchone()
    return row  # type: ignore[no-any-return]
