"""The database of an instance: a SQLite file beside the server's home, or PostgreSQL.

The ``provider`` of the ``dbcnx`` in ``config-<instance>.xml`` says which. The tables are those of
the API's schemas (api/schemas.py): ``xtk:workflow/@internalName`` is column ``internalName`` of
table ``xtk_workflow``. Columns that start with ``lab`` have no counterpart in life.

Statements are written once for both: parameters are ``?``, rows answer to column names in
any case, an INSERT gives the new ``lastrowid``. A connection lives as long as one unit of work: a
database that is moved away, locked or damaged is noticed by the next statement and not by the
next restart. Its driver is imported when the first connection is opened, so that ``nlserver``
itself never pays for it.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Type

    from campaign_lab.config import Config

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
BUSY_SECONDS = 10.0
"""A writer waits so long for another one."""
CONNECT_SECONDS = 10
"""A busy machine is no database that is down."""

# xtk:workflow/@state. 13 and 20 are documented; the others are the lab's reading.
EDITED, START_PENDING, STARTED, PAUSED, STOPPED = 0, 1, 11, 13, 20
# nms:delivery/@state and nms:broadLog/@status, as far as the lab needs them.
DELIVERY_EDITED, DELIVERY_FAILED, DELIVERY_PREPARED = 0, 37, 45
DELIVERY_READY, DELIVERY_RUNNING, DELIVERY_DONE = 51, 55, 95
LOG_PENDING, LOG_SENT, LOG_FAILED = 6, 1, 2
# xtk:workflowTask/@status, the lab's reading.
TASK_PENDING, TASK_RUNNING, TASK_DONE, TASK_ERROR = 0, 1, 2, 3
# The lab's reading of @logType.
LOG_INFO, LOG_ERROR = 1, 3
# xtk:job/@status, documented.
JOB_EDITED, JOB_RUNNING, JOB_CANCELLING, JOB_CANCELLED, JOB_FINISHED = 0, 2, 3, 4, 5
JOB_ERROR, JOB_PAUSING, JOB_PAUSED, JOB_PURGING = 6, 7, 8, 9

API_LOGIN = "remediation"
"""The operator that the product logs on as."""
OPERATORS = (
    # name, label, administrator
    ("admin", "Administrator", 1),
    ("internal", "Internal", 1),
    ("anna.berg", "Anna Berg", 0),
    ("paul.roux", "Paul Roux", 0),
    (API_LOGIN, "Remediation", 1),
)
TECHNICAL_FOLDER = ("nmsTechnicalWorkflow", "Technical workflows")
CAMPAIGN_FOLDER = ("labCampaignWorkflows", "Campaigns")
WORKFLOWS = (
    # internal name, label, activity, period in seconds, technical, owner
    ("contactsExport", "Export of the contacts", "job:export contacts_export anna.berg", 21600, 0,
     "anna.berg"),
    ("contactsImport", "Import of the contacts", "job:import contacts_import paul.roux", 21600, 0,
     "paul.roux"),
    ("tracking", "Tracking", "tracking", 300, 1, "internal"),
    ("cleanup", "Database cleanup", "cleanup", 300, 1, "internal"),
    ("deliverabilityUpdate", "Update for deliverability", "deliverability", 600, 1, "internal"),
    ("operationMgt", "Jobs on campaigns", "operations", 300, 1, "internal"),
    ("welcomeMail", "Welcome mail", "delivery", 60, 0, "anna.berg"),
    ("catalogueLoad", "Load of the catalogue", "load:upload/catalogue.csv", 300, 0, "paul.roux"),
)  # fmt: skip
AT_ONCE = ("contactsExport", "contactsImport", "tracking", "welcomeMail")
"""A new server begins with these, one after the other; the others are due after their period."""
# The types of options: those of XTK.
LONG, TEXT, DATETIME = 3, 6, 7
OPTIONS = (
    ("NmsOperation_LimitConcurrency", LONG, "10"),
    ("NmsServer_LastPostUpgrade", TEXT, "9356"),
    ("NmsTracking_Pointer", TEXT, ""),
    ("XtkInstance_Locale", TEXT, "en"),
    ("XtkDatabaseId", TEXT, "u0000000000000000000000000000LAB0"),
)
NAMES = (
    "Ada Byron", "Alan Kay", "Barbara Liskov", "Claude Shannon", "Donald Knuth",
    "Edsger Dijkstra", "Frances Allen", "Grace Hopper", "Hedy Lamarr", "Ivan Sutherland",
    "Jean Bartik", "Ken Thompson",
)  # fmt: skip
BOUNCING = "bounce.example"  # the sink answers mail to this domain with a bounce


class DatabaseError(Exception):
    """A statement failed; its text is the line Campaign would log."""


class Target:
    """Where a database is: what a ``dbcnx`` says."""

    __slots__ = ("login", "password", "provider", "schema", "server")

    def __init__(
        self, provider: str, server: str, login: str = "", password: str = "", schema: str = ""
    ) -> None:
        self.provider = provider
        self.server = server
        """SQLite: the file. PostgreSQL: ``host`` or ``host:port``."""
        self.login = login
        """PostgreSQL: ``database:account``, as ``nlserver config -setdblogin`` writes it."""
        self.password = password
        self.schema = schema
        """``dbSchema``: so several instances can share a PostgreSQL database."""

    @classmethod
    def of_url(cls, url: str, schema: str) -> Target:
        """Read ``postgresql://account:password@host:port/database``. Raises ValueError."""
        from urllib.parse import unquote, urlsplit

        parts = urlsplit(url)
        name = parts.path.strip("/")
        if parts.scheme != "postgresql" or not parts.hostname or not parts.username or not name:
            raise ValueError("--database wants postgresql://account:password@host:port/database")
        return cls(POSTGRESQL, "%s:%d" % (parts.hostname, parts.port or 5432),
                   "%s:%s" % (name, unquote(parts.username)), unquote(parts.password or ""),
                   schema)  # fmt: skip

    def dbcnx(self) -> Dict[str, str]:
        """The attributes of the ``dbcnx`` element."""
        found = {"provider": self.provider, "server": self.server, "login": self.login,
                 "password": self.password, "encrypted": "false"}  # fmt: skip
        return {**found, "dbSchema": self.schema} if self.schema else found


def path_of(home: str, instance: str) -> str:
    """Where the SQLite file of a new instance is made; not below the home, as in life."""
    return os.path.join(os.path.dirname(home.rstrip("/")), "database", instance + ".sqlite")


def configured(config: Config, instance: str) -> Target:
    """The database that an instance uses."""
    cnx = config.database(instance)
    return Target(str(cnx.get("provider", "")), str(cnx.get("server", "")),
                  str(cnx.get("login", "")), str(cnx.get("password", "")),
                  str(cnx.get("dbSchema", "")))  # fmt: skip


class Connection:
    """One open database, the same for both drivers."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        """One statement; gives a cursor (fetchone, fetchall, rowcount, lastrowid)."""
        return self.driver.execute(text, parameters)

    def executemany(self, text: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for many rows."""
        self.driver.executemany(text, list(rows))

    def close(self) -> None:
        """Give it back."""
        self.driver.close()


class PostgresConnection(Connection):
    """psycopg2: other placeholders, other rows, and a key must be asked for."""

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        inserts = text.startswith("INSERT ")
        cursor = self.driver.cursor()
        cursor.execute(*self._translated(text + (" RETURNING id" if inserts else ""), parameters))
        return PostgresResult(cursor, inserts)

    def executemany(self, text: str, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self.driver.cursor().execute(*self._translated(text, row))

    @staticmethod
    def _translated(text: str, parameters: Sequence[Any]) -> Tuple[str, Optional[Tuple[Any, ...]]]:
        if not parameters:
            return text, None
        return text.replace("%", "%%").replace("?", "%s"), tuple(parameters)


class PostgresResult:
    """What a statement gave."""

    def __init__(self, cursor: Any, inserts: bool) -> None:
        self.cursor = cursor
        self.rowcount: int = cursor.rowcount
        self.names = {column[0]: at for at, column in enumerate(cursor.description or ())}
        row = cursor.fetchone() if inserts else None
        self.lastrowid: int = row[0] if row else 0

    def fetchone(self) -> Any:
        """The next row, or None."""
        row = self.cursor.fetchone()
        return None if row is None else PostgresRow(row, self.names)

    def fetchall(self) -> List[Any]:
        """All rows."""
        return [PostgresRow(row, self.names) for row in self.cursor.fetchall()]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class PostgresRow(tuple):  # type: ignore[type-arg]
    """A row by number or by name; PostgreSQL folds names to lower case."""

    names: Dict[str, int]

    def __new__(cls, values: Tuple[Any, ...], names: Dict[str, int]) -> PostgresRow:
        row = super().__new__(cls, values)
        row.names = names
        return row

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names[key.lower()] if isinstance(key, str) else key)

    def keys(self) -> List[str]:
        """The columns' names."""
        return list(self.names)


class Session:
    """One transaction; any failure of the database becomes a DatabaseError."""

    name = ""

    def __init__(self, target: Target, write: bool) -> None:
        self.target = target
        self.write = write
        self.driver: Any = None

    def open(self) -> Connection:
        """Connect, and begin."""
        raise NotImplementedError

    def commit(self) -> None:
        """End it well."""
        raise NotImplementedError

    @property
    def failure(self) -> Type[Exception]:
        """What the driver raises."""
        raise NotImplementedError

    def __enter__(self) -> Connection:
        try:
            return self.open()
        except self.failure as error:
            self.close()
            raise self.translated(error) from error

    def __exit__(self, kind: Any, error: Any, _trace: Any) -> None:
        try:
            if kind is None:
                self.commit()
            elif issubclass(kind, self.failure):
                raise self.translated(error) from error
        except self.failure as late:
            raise self.translated(late) from late
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back; what is not committed is undone."""
        if self.driver is not None:
            self.driver.close()

    def translated(self, error: Exception) -> DatabaseError:
        """As Campaign would log it."""
        return DatabaseError("%s error: %s (iRc=-2006)" % (self.name, " ".join(str(error).split())))


class SqliteSession(Session):
    """A missing file is an error (mode=rw), never a new empty database."""

    name = SQLITE

    def open(self) -> Connection:
        self.driver = sqlite3().connect(
            "file:%s?mode=rw" % self.target.server.replace("?", "%3f").replace("#", "%23"),
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        self.driver.row_factory = sqlite3().Row
        self.driver.execute("PRAGMA synchronous=OFF")
        self.driver.execute("BEGIN IMMEDIATE" if self.write else "BEGIN")
        return Connection(self.driver)

    def commit(self) -> None:
        self.driver.execute("COMMIT")

    @property
    def failure(self) -> Type[Exception]:
        error: Type[Exception] = sqlite3().Error
        return error


class PostgresSession(Session):
    """By psycopg2, which need not be there."""

    name = POSTGRESQL

    def open(self) -> Connection:
        target = self.target
        host, _, port = target.server.partition(":")
        name, _, account = target.login.partition(":")
        self.driver = psycopg2().connect(
            host=host, port=port or 5432, dbname=name, user=account, password=target.password,
            connect_timeout=CONNECT_SECONDS, application_name="nlserver",
            options="-c search_path=%s -c lock_timeout=%d" % (
                target.schema or "public", BUSY_SECONDS * 1000),
        )  # fmt: skip
        return PostgresConnection(self.driver)

    def commit(self) -> None:
        self.driver.commit()

    @property
    def failure(self) -> Type[Exception]:
        error: Type[Exception] = psycopg2().Error
        return error


def sqlite3() -> Any:
    """The driver itself: its Python face loads datetime and collections for nothing."""
    import _sqlite3

    return _sqlite3


def psycopg2() -> Any:
    """The driver."""
    try:
        import psycopg2 as driver  # type: ignore[import-untyped]
    except ImportError:
        raise DatabaseError("PostgreSQL error: psycopg2 is not installed (iRc=-2006)") from None
    return driver


def session(target: Target, write: bool = False) -> Session:
    """A transaction, for ``with``."""
    kind = PostgresSession if target.provider == POSTGRESQL else SqliteSession
    return kind(target, write)


def create(
    target: Target, pop3: Tuple[str, int, str, str], front_url: str, password: str,
    workflows: bool = True,
) -> None:
    """Make the database of an instance with its seed; an existing one is left alone.

    ``pop3`` is the bounce mailbox (host, port, login, password), ``front_url`` the redirection
    server that tracking fetches from, ``password`` that of every operator. Where nobody runs
    workflows there are none.
    """
    if target.provider == POSTGRESQL:
        with session(target, write=True) as connection:
            # Servers of one instance may be installed at the same time.
            connection.execute("SELECT pg_advisory_xact_lock(666)")
            if connection.execute(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?",
                (target.schema,),
            ).fetchone():
                return
            connection.execute("CREATE SCHEMA " + target.schema)
            _fill(connection, "BIGSERIAL", (pop3, front_url, password), workflows)
        return
    if os.path.exists(target.server):
        return
    from campaign_lab.account import give

    give(os.path.dirname(target.server))
    draft = Target(SQLITE, "%s.%d" % (target.server, os.getpid()))
    with open(draft.server, "xb"):
        pass
    with session(draft, write=True) as connection:
        _fill(connection, "INTEGER", (pop3, front_url, password), workflows)
    os.rename(draft.server, target.server)


def drop(target: Target) -> None:
    """Remove a PostgreSQL schema with all that is in it; a SQLite file goes with its server."""
    if target.provider == POSTGRESQL and target.schema:
        with session(target, write=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS %s CASCADE" % target.schema)


def _fill(
    connection: Connection, identity: str, seed: Tuple[Tuple[str, int, str, str], str, str],
    workflows: bool,
) -> None:
    from campaign_lab.api import schemas

    for each in schemas.tables():
        connection.execute(each.ddl(identity))
    for index in schemas.INDEXES:
        connection.execute(index)
    _seed(connection, *seed, WORKFLOWS if workflows else ())


def _seed(
    connection: Connection, pop3: Tuple[str, int, str, str], front_url: str, password: str,
    workflows: Sequence[Tuple[Any, ...]],
) -> None:
    now = time.time()
    connection.executemany(
        "INSERT INTO xtk_operator (name, label, email, labPassword, labAdmin)"
        " VALUES (?, ?, ?, ?, ?)",
        [(name, label, "%s@example.com" % name, password, administrator)
         for name, label, administrator in OPERATORS],
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO xtk_option (name, dataType, value) VALUES (?, ?, ?)", OPTIONS)
    connection.executemany("INSERT INTO xtk_folder (name, label, fullName) VALUES (?, ?, ?)", [
        (name, label, "/%s/" % label) for name, label in (TECHNICAL_FOLDER, CAMPAIGN_FOLDER)])
    for order, (name, label, activity, period, technical, owner) in enumerate(workflows):
        at_once = name in AT_ONCE
        connection.execute(
            "INSERT INTO xtk_workflow (internalName, label, state, labActivity, labPeriod,"
            " isTechnical, labNext, lastStart, created, lastModified, folderId, createdById) SELECT"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT id FROM xtk_folder WHERE name = ?), id"
            " FROM xtk_operator WHERE name = ?",
            (name, label, STARTED, activity, period, technical,
             now + max(0, order - 1) + (0 if at_once else period), None if at_once else now,
             now, now, (TECHNICAL_FOLDER if technical else CAMPAIGN_FOLDER)[0], owner),
        )  # fmt: skip
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


def option(connection: Connection, name: str, default: str = "") -> str:
    row = connection.execute("SELECT value FROM xtk_option WHERE name = ?", (name,)).fetchone()
    return default if row is None or row["value"] is None else str(row["value"])


def set_option(connection: Connection, name: str, value: str, kind: int = TEXT) -> None:
    connection.execute(
        "INSERT INTO xtk_option (name, dataType, value) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value, dataType = excluded.dataType",
        (name, kind, value),
    )


def account(connection: Connection, kind: str) -> Any:
    """The active external account of a type, or None."""
    return connection.execute(
        "SELECT * FROM nms_extAccount WHERE type = ? AND active = 1 ORDER BY id", (kind,)
    ).fetchone()
