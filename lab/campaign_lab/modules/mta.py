"""mta and mtachild: sending mail.

Imitated: mta does not start without ``statServerAddress``, asks stat, keeps its spool in
``workingPath`` (``var/<instance>/mta/``) and leaves the sending to ``mtachild`` processes; a
temporary directory on another device gives the ``Unable to rename … errno=18 (iRc=-52)`` of
the documentation, because the rename is really tried; a domain beyond its quota gives
``Messages queued (connection quotas met)``. The lab's own: the spool's file form and all
other log lines.
"""

from __future__ import annotations

import os
import time

from campaign_lab import database
from campaign_lab.lean import signal
from campaign_lab.modules import redir, stat
from campaign_lab.process import Task
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set, Tuple

    from campaign_lab.config import Config
    from campaign_lab.layout import Home

PERIOD_SECONDS = 5.0
CHILD_PERIOD_SECONDS = 3.0
MESSAGES_A_CYCLE = 200
MESSAGES_A_CHILD = 100
RETRY_SECONDS = 10.0
SMTP_SECONDS = 60.0
LANDING_PAGE = "https://www.example.com/welcome"
MESSAGE = """\
From: Lab newsletter <newsletter@example.com>
To: <{address}>
Subject: {subject}
Message-ID: <{name}@{server}.lab>
Date: {date}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Dear {first},

read more: {link}
"""


def spool_path(home: Home, config: Config, instance: str) -> str:
    """The ``workingPath`` of an instance."""
    path = config.settings("mta", instance).get("workingPath") or "var/$(INSTANCE_NAME)/mta/"
    path = path.replace("$(INSTANCE_NAME)", instance).replace("$(XTK_INSTALL_DIR)/", "")
    if path.startswith("var/"):
        return os.path.join(home.var, path[len("var/"):]).rstrip("/")
    return os.path.join(home.path, path).rstrip("/")


class Message:
    """A spooled message: ``<delivery>-<broad log>.eml``, envelope lines, then the mail.

    While a child works on it, its name ends in the child's pid; once sent, in ``sent``.
    """

    __slots__ = ("broad_log", "delivery", "name", "state")

    def __init__(self, name: str) -> None:
        self.name = name
        base, _, self.state = name.partition(".eml")
        self.state = self.state.lstrip(".")
        delivery, _, broad_log = base.partition("-")
        self.delivery = int(delivery)
        self.broad_log = int(broad_log)

    @property
    def due(self) -> bool:
        """Is there something to do with it? A foreign state is left alone."""
        return self.state in ("", "sent") or self.state.isdigit()

    @property
    def base(self) -> str:
        """The name without state."""
        return "%d-%d.eml" % (self.delivery, self.broad_log)


def spooled(directory: str) -> List[Message]:
    """The messages of a spool, oldest delivery first; foreign files are left out."""
    found = []
    for name in os.listdir(directory):
        try:
            found.append(Message(name))
        except ValueError:
            continue
    return sorted(found, key=lambda message: (message.delivery, message.broad_log))


class Mta(Module):
    """The mail server of an instance: prepares messages and looks after the children."""

    title = "Mail server"

    def prepare(self) -> None:
        """As documented: no start without the address of the statistics server."""
        if not self.settings.get("statServerAddress").strip():
            self.error("The address of the statistics server is missing: "
                       "mta/statServerAddress is empty")  # fmt: skip
            raise SystemExit(1)

    def run(self) -> None:
        """Every few seconds: what is there to send?"""
        self.spool = spool_path(self.home, self.config, self.instance)
        os.makedirs(self.spool, exist_ok=True)
        self.database = database.configured(self.config, self.instance)
        while not self.stopping.is_set():
            self._reap()
            try:
                self._cycle()
            except database.DatabaseError as error:
                self.error(str(error))
            except OSError as error:
                self.error("Unable to use the spool '%s': %s errno=%s (iRc=-52)" % (
                    self.spool, error.strerror, error.errno))  # fmt: skip
            self.due = time.monotonic() + PERIOD_SECONDS
            while not self.stopping.is_set() and time.monotonic() < self.due:
                self.wait(self.due - time.monotonic())
                self._reap()

    def on_reload(self) -> None:
        """SIGHUP: look at once."""
        self.due = 0.0
        for pid in self.children:
            os.kill(pid, signal.SIGHUP)

    def _reap(self) -> None:
        for pid, code in self.reap():
            if code:
                self.warning("mtachild (pid=%d) ended with %d" % (pid, code))

    def _cycle(self) -> None:
        waiting = [message for message in spooled(self.spool) if message.due]
        with database.session(self.database) as connection:
            deliveries = connection.execute(
                "SELECT * FROM nms_delivery WHERE state IN (?, ?)"
                " AND coalesce(contactDate, 0) <= ? AND labAffinity = '' ORDER BY id",
                (database.DELIVERY_READY, database.DELIVERY_RUNNING, time.time()),
            ).fetchall()
        if not deliveries and not waiting:
            return
        address = self.settings.get("statServerAddress")
        try:
            stat.ask(address, "hello")
        except stat.StatUnreachable as error:
            self.error("Unable to reach the statistics server: %s" % error)
            return
        self._free_abandoned(waiting)
        for delivery in deliveries:
            self._prepare(delivery, {message.broad_log for message in waiting})
        waiting = spooled(self.spool)
        master = self.config.attributes("mta/master", self.instance)
        children = int(master.get("maxSpareServers") or 2)
        wanted = min(children, -(-sum(message.due for message in waiting) // MESSAGES_A_CHILD))
        while len(self.children) < wanted and not self.stopping.is_set():
            pid = self.spawn("mtachild")
            self.info("mtachild started (pid=%d)" % pid)

    def _free_abandoned(self, waiting: List[Message]) -> None:
        """Messages of a child that died are for the next one."""
        for message in waiting:
            if message.state.isdigit() and int(message.state) not in self.children:
                os.rename(os.path.join(self.spool, message.name),
                          os.path.join(self.spool, message.base))  # fmt: skip

    def _prepare(self, delivery: Any, present: Set[int]) -> None:
        with database.session(self.database, write=True) as connection:
            if delivery["state"] == database.DELIVERY_READY:
                connection.execute("UPDATE nms_delivery SET state = ? WHERE id = ?",
                                   (database.DELIVERY_RUNNING, delivery["id"]))  # fmt: skip
                self._publish(delivery["id"])
                self.info("Delivery '%s' starts (%d messages)" % (
                    delivery["internalName"], delivery["toSend"]))  # fmt: skip
            pending = connection.execute(
                "SELECT b.id, b.address, r.firstName FROM nms_broadLog b"
                " LEFT JOIN nms_recipient r ON r.id = b.recipientId"
                " WHERE b.deliveryId = ? AND b.status = ? ORDER BY b.id LIMIT ?",
                (delivery["id"], database.LOG_PENDING, MESSAGES_A_CYCLE),
            ).fetchall()
            if not pending:
                self._close(connection, delivery)
            bounces = database.account(connection, "pop3")
            tracking = database.account(connection, "redirection")
        sender = "%s@bounces.lab" % bounces["account"] if bounces else "nobody@bounces.lab"
        front = tracking["server"] if tracking else ""
        for row in pending:
            if row["id"] not in present:
                text = self._message(delivery, row, front)
                head = "MAIL FROM:<%s>\nRCPT TO:<%s>\n\n" % (sender, row["address"])
                if not self._write("%d-%d.eml" % (delivery["id"], row["id"]), head + text):
                    return

    def _publish(self, delivery: int) -> None:
        """The tracked addresses of a delivery, for the redirection server."""
        year = time.strftime("%Y", time.gmtime())
        redir.publish(redir.links_path(self.server.links_var, self.instance, delivery, year),
                      [LANDING_PAGE])

    def _message(self, delivery: Any, row: Any, front: str) -> str:
        link = "%s/r/?id=h%x,%x,1&i=%s" % (front, delivery["id"], row["id"], self.instance)
        return MESSAGE.format(
            address=row["address"], subject=delivery["subject"] or delivery["label"],
            name="%d.%d" % (delivery["id"], row["id"]), server=self.server.name,
            date=time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
            first=row["firstName"] or "reader", link=link,
        )  # fmt: skip

    def _write(self, name: str, text: str) -> bool:
        """Through the temporary directory, as Campaign does; False if that cannot work now."""
        temporary = os.path.join(self.temporary, "nl-%d-%s" % (os.getpid(), name))
        target = os.path.join(self.spool, name)
        try:
            with open(temporary, "w", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            self.error("BAS-010015 Cannot open file '%s' errno=%s (iRc=-52)" % (
                temporary, error.errno))  # fmt: skip
            _unlink(temporary)
            return False
        try:
            os.rename(temporary, target)
        except OSError as error:
            self.error("Unable to rename '%s' to '%s' errno=%s (iRc=-52)" % (
                temporary, target, error.errno))  # fmt: skip
            _unlink(temporary)
            return False
        return True

    def _close(self, connection: database.Connection, delivery: Any) -> None:
        counts: Dict[int, int] = dict(connection.execute(
            "SELECT status, count(*) FROM nms_broadLog WHERE deliveryId = ? GROUP BY status",
            (delivery["id"],)).fetchall())  # fmt: skip
        success, errors = counts.get(database.LOG_SENT, 0), counts.get(database.LOG_FAILED, 0)
        connection.execute(
            "UPDATE nms_delivery SET state = ?, success = ?, errors = ? WHERE id = ?",
            (database.DELIVERY_DONE, success, errors, delivery["id"]),
        )
        self.info("Delivery '%s' finished: %d sent, %d errors" % (
            delivery["internalName"], success, errors))  # fmt: skip


class MtaChild(Module):
    """Sends what is in the spool by SMTP; ends when there was nothing to do for a while."""

    title = "Mail sender"

    def run(self) -> None:
        """Take messages, send them, record them."""
        self.spool = spool_path(self.home, self.config, self.instance)
        self.database = database.configured(self.config, self.instance)
        mta = self.config.settings("mta", self.instance)
        self.stat_address = mta.get("statServerAddress")
        self.queued: Dict[str, float] = {}
        """Domain to the time when it may be tried again."""
        self.retry_at = 0.0
        child = self.config.attributes("mta/child", self.instance)
        patience = float(child.get("idleChildTimeoutSec") or 60)
        idle_since = time.monotonic()
        while not self.stopping.is_set():
            if time.monotonic() >= self.retry_at and self._batch():
                idle_since = time.monotonic()
            if time.monotonic() - idle_since > patience:
                return
            self.wait(CHILD_PERIOD_SECONDS)

    def on_reload(self) -> None:
        """SIGHUP: the statistics server may have moved; try again what waits."""
        self.queued.clear()
        self.retry_at = 0.0
        self.stat_address = self.config.settings("mta", self.instance).get("statServerAddress")

    @property
    def relay(self) -> Tuple[str, int]:
        """Where mail goes: ``mta/relay``."""
        relay = self.config.attributes("mta/relay", self.instance)
        port = relay.get("port", "")
        return relay.get("address", "localhost"), int(port) if port.isdigit() else 25

    @property
    def too_big(self) -> bool:
        """Has it reached maxWorkingSetMb? Then it sends no more, until it is replaced."""
        limit = self.config.attributes("mta/child", self.instance).get("maxWorkingSetMb", "")
        own = Task(self.module, self.instance, os.getpid(), "")
        return limit.isdigit() and own.memory_mb > int(limit)

    def _batch(self) -> bool:
        if self.too_big:
            return False
        try:
            taken = self._take()
        except OSError as error:
            self.error("Unable to read the spool '%s': %s errno=%s (iRc=-52)" % (
                self.spool, error.strerror, error.errno))  # fmt: skip
            return False
        if not taken:
            return False
        try:
            self._send_all(taken)
        except stat.StatUnreachable as error:
            self._later("Unable to reach the statistics server: %s" % error)
        except database.DatabaseError as error:
            self._later(str(error))
        finally:
            for message in taken:
                claimed = os.path.join(self.spool, message.name)
                if message.name.endswith(".%d" % os.getpid()) and os.path.exists(claimed):
                    os.rename(claimed, os.path.join(self.spool, message.base))
        return True

    def _take(self) -> List[Message]:
        now = time.monotonic()
        taken: List[Message] = []
        for message in spooled(self.spool)[:MESSAGES_A_CHILD]:
            path = os.path.join(self.spool, message.name)
            if message.state == "sent":
                self._record(message, database.LOG_SENT)
            elif not message.state and self.queued.get(_domain(path), 0.0) <= now:
                claimed = Message("%s.%d" % (message.base, os.getpid()))
                try:
                    os.rename(path, os.path.join(self.spool, claimed.name))
                except FileNotFoundError:  # another child was faster
                    continue
                taken.append(claimed)
        return taken

    def _send_all(self, messages: List[Message]) -> None:
        import sys

        sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # 4 MB that nobody needs
        import smtplib

        host, port = self.relay
        connection: Optional[smtplib.SMTP] = None
        mta = self.config.settings("mta", self.instance)
        simulated = mta.get("verifyMode") == "true"
        try:
            for message in messages:
                if self.stopping.is_set():
                    return
                path = os.path.join(self.spool, message.name)
                if not self._granted(_domain(path)):
                    continue
                if simulated:  # as documented: all is done but for the transmission
                    self._record(message, database.LOG_SENT)
                    continue
                if connection is None:
                    connection = smtplib.SMTP(host, port, self.server.name, SMTP_SECONDS)
                self._send(connection, message, path)
        except (OSError, smtplib.SMTPException) as error:
            reason = getattr(error, "strerror", None) or error
            self._later("SMTP connection to the relay %s:%d failed: %s" % (host, port, reason))
        finally:
            if connection is not None:
                try:
                    connection.quit()
                except (OSError, smtplib.SMTPException):
                    connection.close()

    def _granted(self, domain: str) -> bool:
        if self.queued.get(domain, 0.0) > time.monotonic():
            return False
        answer = stat.ask(self.stat_address, "ask %s 1" % domain)
        if answer[:1] == ["grant"]:
            return True
        self.queued[domain] = time.monotonic() + RETRY_SECONDS
        self.warning("%s: Messages queued (connection quotas met)" % domain)
        return False

    def _send(self, connection: object, message: Message, path: str) -> None:
        import smtplib

        assert isinstance(connection, smtplib.SMTP)
        with open(path, "rb") as stream:
            head, _, text = stream.read().partition(b"\n\n")
        sender, recipient = (line.partition(b"<")[2].rstrip(b">").decode()
                             for line in head.split(b"\n")[:2])  # fmt: skip
        try:
            connection.sendmail(sender, [recipient], text)
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = error.recipients[recipient]
            self.warning("%s refused: %d %s" % (recipient, code, reason.decode("utf-8", "replace")))
            if code < 500:
                return
            self._record(message, database.LOG_FAILED)
            return
        sent = Message(message.base + ".sent")
        os.rename(path, os.path.join(self.spool, sent.name))
        self.verbose("%s: sent to %s" % (message.base, recipient))
        self._record(sent, database.LOG_SENT)

    def _record(self, message: Message, status: int) -> None:
        with database.session(self.database, write=True) as connection:
            connection.execute(
                "UPDATE nms_broadLog SET status = ?, lastModified = ? WHERE id = ?",
                (status, time.time(), message.broad_log),
            )
        _unlink(os.path.join(self.spool, message.name))

    def _later(self, reason: str) -> None:
        self.error(reason)
        self.retry_at = time.monotonic() + RETRY_SECONDS


def _domain(path: str) -> str:
    """The recipient's domain of a spooled message; empty if the file is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            stream.readline()
            return stream.readline().partition("@")[2].strip().rstrip(">").lower()
    except OSError:
        return ""


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
