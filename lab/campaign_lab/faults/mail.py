"""Faults of sending and of bounces: mta, stat, inMail, and the mail servers outside."""

from __future__ import annotations

import os
import time

from campaign_lab import database
from campaign_lab.account import privileged
from campaign_lab.config import Config
from campaign_lab.faults import undo
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.system import FaultError, pid_of, udp_held
from campaign_lab.modules import stat
from campaign_lab.modules.mta import spool_path
from campaign_lab.outside import OutsideError

NOBODY = 249
"""The last number of an address of the lab's network at which nothing is."""
BACKLOG = 1000
PUT_OFF_SECONDS = 86400.0
MARK = "backlog"


def nobody(work: Work) -> str:
    """An address of another host that is down."""
    return "%s.%d" % (work.server.address.rpartition(".")[0], NOBODY)


def quota_file(work: Work) -> str:
    """The quotas of the instance."""
    return stat.quota_path(work.home, work.instance)


class StatAddressMissing(Fault):
    """statServerAddress of mta is empty: the mta does not start."""

    scope = "instance"
    rereads = True
    seen = "`statServerAddress=\"\"`; mta missing, tried again by the watchdog; mta.log says why"

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="mta", instance=work.instance)
        work.set_attributes("mta", {"statServerAddress": ""}, work.instance)
        log = work.log("mta")
        work.kill("mta")
        work.expect(log, "statServerAddress")

    def present(self, work: Work) -> bool:
        return not Config(work.home).settings("mta", work.instance).get("statServerAddress")


class StatUnreachable(Fault):
    """stat listens on another port than the one that mta asks."""

    scope = "instance"
    rereads = True
    seen = ("stat runs and holds port 7790; the port of mta's statServerAddress refuses (ICMP); "
            "mta.log: `Unable to reach the statistics server`; the spool does not move")
    PORT = 7790

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="stat", instance=work.instance)
        work.set_attributes("stat", {"port": str(self.PORT)}, work.instance)
        work.restart("stat")
        log = work.log("mta")
        work.deliver()
        work.expect(log, "Unable to reach the statistics server")

    def present(self, work: Work) -> bool:
        settings = Config(work.home).settings("mta", work.instance)
        host, port = stat.address_of(settings.get("statServerAddress"))
        return not udp_held(host, port)


class StatRemoteUnreachable(Fault):
    """mta uses a statistics server on another host, and that host is down."""

    scope = "instance"
    rereads = True
    seen = "statServerAddress names 127.….249, where nothing is; the local stat is fine; mta.log"

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="mta", instance=work.instance)
        address = "%s:%d" % (nobody(work), stat.PORT)
        work.set_attributes("mta", {"statServerAddress": address}, work.instance)
        work.restart("mta")
        log = work.log("mta")
        work.deliver()
        work.expect(log, "Unable to reach the statistics server: " + nobody(work))

    def present(self, work: Work) -> bool:
        settings = Config(work.home).settings("mta", work.instance)
        return settings.get("statServerAddress").startswith(nobody(work))


class TmpOtherDevice(Fault):
    """The temporary directory is on another device than the spool."""

    scope = "instance"
    rereads = True
    seen = ("env.sh exports TMPDIR=/dev/shm/…; mta.log: `Unable to rename '…' to '…' errno=18 "
            "(iRc=-52)`; mail is not sent; all modules have the variable in their environment")

    def strike(self, work: Work) -> None:
        path = work.server.other_device
        work.undo_with("remove", path=path)
        os.makedirs(path, exist_ok=True)
        if os.stat(path).st_dev == os.stat(work.home.var).st_dev:
            raise FaultError("the home is on the device of /dev/shm, too")
        work.undo_with("restart_all")
        # Not in customer.sh: what a site has written there itself is left to the site.
        customer = work.home.join("customer.sh")
        with open(customer, encoding="utf-8") as stream:
            lines = stream.read().splitlines(True)
        work.write(customer, "".join(x for x in lines if not x.startswith("export TMPDIR=")))
        with open(work.home.join("env.sh"), encoding="utf-8") as stream:
            before, sourced, after = stream.read().partition("if [ -f")
        exported = 'export TMPDIR="%s"\n' % path
        work.write(work.home.join("env.sh"), before + exported + sourced + after)
        work.restart_all()
        for instance in work.server.instances:  # each has the variable: each is to meet it now
            self._put_off(work, instance)
            log = work.log("mta", instance)
            work.deliver(instance=instance)
            work.expect(log, "errno=18")

    @staticmethod
    def _put_off(work: Work, instance: str) -> None:
        """Until the fault is healed no other mail goes out: each leaves its trace in the folder of TMPDIR,
        also in the one that a repair has chosen, at some moment while somebody looks."""
        now = time.time()
        change = "UPDATE xtk_workflow SET labNext = ? WHERE internalName = 'welcomeMail'"
        work.undo_with("sql", instance=instance, statements=[[change, [now]]])
        undo.run(work.lab, work.server, "sql", {
            "instance": instance, "statements": [[change, [now + PUT_OFF_SECONDS]]]})

    def present(self, work: Work) -> bool:
        with open(work.home.join("env.sh"), encoding="utf-8") as stream:
            return "\nexport TMPDIR=" in stream.read()


class MtaChildrenMissing(Fault):
    """mtachild crashes at its start: mta runs, and nobody sends."""

    scope = "instance"
    seen = "mta runs without mtachild below it; mta.log: `mtachild (pid=…) ended with -11`; spool"

    def strike(self, work: Work) -> None:
        log = work.log("mta")
        work.damage("mtachild", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
        work.nlserver("restart", "mta@" + work.instance)
        work.deliver()
        work.expect(log, "ended with -11")

    def present(self, work: Work) -> bool:
        with open(os.path.join(work.home.lib, "mtachild"), encoding="utf-8") as stream:
            return "'-instance:%s'" % work.instance in stream.read()


class SpoolStuck(Fault):
    """Old messages are in the spool and are not sent."""

    scope = "instance"
    seen = "25 files `9000000-N.eml.hold` in var/<instance>/mta, six hours old; mta is fine"
    NUMBER = 25

    def strike(self, work: Work) -> None:
        now = time.time()
        for number in range(1, self.NUMBER + 1):
            path = self._path(work, number)
            work.undo_with("remove", path=path)
            with open(path, "w", encoding="utf-8") as stream:
                stream.write("MAIL FROM:<news@bounces.lab>\nRCPT TO:<reader@example.com>\n\nOld\n")
            os.utime(path, (now - 6 * 3600, now - 6 * 3600))

    def present(self, work: Work) -> bool:
        return os.path.exists(self._path(work, 1))

    @staticmethod
    def _path(work: Work, number: int) -> str:
        spool = spool_path(work.home, Config(work.home), work.instance)
        return os.path.join(spool, "9000000-%d.eml.hold" % number)


class QuotaMet(Fault):
    """A domain's quota is used up: mail to it waits."""

    scope = "instance"
    seen = "mtachild.log: `example.com: Messages queued (connection quotas met)`; all runs"

    def strike(self, work: Work) -> None:
        work.undo_with("hang_up", module="stat", instance=work.instance)
        work.write(quota_file(work), "example.com  0\n*  5000\n")
        reloaded = work.log("stat")
        work.nlserver("stat", "-reload", "-instance:" + work.instance)
        work.expect(reloaded, "Quotas reloaded")
        log = work.log("mtachild")
        work.deliver()
        work.expect(log, "connection quotas met", seconds=40)

    def present(self, work: Work) -> bool:
        return stat.read_quotas(quota_file(work)).get("example.com") == 0


class QuotasChangedNotReloaded(Fault):
    """The quotas were edited and stat was not told."""

    scope = "instance"
    seen = "conf/quota-<instance>.conf is younger than stat and than its last `Quotas reloaded`"

    def strike(self, work: Work) -> None:
        work.rewrite(quota_file(work), lambda text: text.replace("2000", "1500"), keep_time=False)

    def present(self, work: Work) -> bool:
        return stat.read_quotas(quota_file(work)).get("example.com") == 1500


class SmtpDown(Fault):
    """The mail relay refuses connections."""

    scope = "machine"
    seen = "the relay's port refuses; mtachild.log: `SMTP connection to the relay … failed`"
    service = "smtp"

    def strike(self, work: Work) -> None:
        work.undo_with("open_service", service=self.service)
        try:
            undo.outside(work.lab).close(self.service)
        except OutsideError as error:
            raise FaultError(str(error)) from None
        self.provoke(work)

    def provoke(self, work: Work) -> None:
        """Let a module meet it."""
        if pid_of(work.home, "mta", work.instance):
            log = work.log("mtachild")
            work.deliver()
            work.expect(log, "SMTP connection to the relay", seconds=40)

    def present(self, work: Work) -> bool:
        return not undo.outside(work.lab).is_open(self.service)


class MailboxDown(SmtpDown):
    """The server of the bounce mailboxes refuses connections."""

    seen = "the POP3 port refuses; inMail.log: `Unable to read the mailbox`"
    service = "pop3"

    def provoke(self, work: Work) -> None:
        if pid_of(work.home, "inMail", work.instance):
            work.expect(work.log("inMail"), "Unable to read the mailbox", seconds=40)


class MailboxBacklog(Fault):
    """A thousand bounces wait, and inMail reads one a second."""

    scope = "instance"
    seen = "POP3 STAT says about 1000 messages; inMail runs and its log moves slowly"

    def strike(self, work: Work) -> None:
        work.entry["module"] = "inMail"
        login = work.server.mailbox(work.instance)
        work.undo_sql("DELETE FROM nms_broadLogMsg WHERE address = ?", MARK + "@bounce.example")
        work.undo_with("restart", module="inMail", instance=work.instance)
        work.undo_with("empty_mailbox", login=login, mark=MARK)
        work.poison("from campaign_lab.modules import inmail\ninmail.MESSAGES_A_POLL = 1")
        box = undo.outside(work.lab).mailbox(login)
        with privileged():
            box.mkdir(parents=True, exist_ok=True)
            for number in range(BACKLOG):
                (box / ("%.6f.%s.%04d" % (time.time(), MARK, number))).write_text(
                    "Message-ID: <%s-%d@bounce.example>\r\n\r\n"
                    "<%s@bounce.example>: 550 unknown\r\n" % (MARK, number, MARK))

    def present(self, work: Work) -> bool:
        box = undo.outside(work.lab).mailbox(work.server.mailbox(work.instance))
        return box.is_dir() and sum(MARK in name for name in os.listdir(box)) > BACKLOG // 2

    def healed(self, work: Work) -> bool:
        box = undo.outside(work.lab).mailbox(work.server.mailbox(work.instance))
        return not box.is_dir() or not any(MARK in name for name in os.listdir(box))


class DeliveriesWaiting(Fault):
    """Three deliveries are past their contact date and still wait."""

    scope = "instance"
    seen = "in the database only: three deliveries in state 51, contact date three hours ago"
    NAME = "Spring news"

    def strike(self, work: Work) -> None:
        then = time.time() - 3 * 3600
        for number in range(3):
            work.insert("nms_delivery", "internalName", internalName="DMlate%d" % number,
                        label=self.NAME, state=database.DELIVERY_READY, contactDate=then,
                        toSend=1000, created=then, lastModified=then, labAffinity="mta7")

    def present(self, work: Work) -> bool:
        return work.row("nms_delivery", "label", self.NAME) is not None


class DeliveryPreparationFailed(Fault):
    """The preparation of two deliveries failed."""

    scope = "instance"
    seen = "in the database only: two deliveries in state 37"
    NAME = "Autumn news"

    def strike(self, work: Work) -> None:
        now = time.time()
        for number in range(2):
            work.insert("nms_delivery", "internalName", internalName="DMfailed%d" % number,
                        label=self.NAME, state=database.DELIVERY_FAILED, contactDate=now + 3600,
                        created=now - 600, lastModified=now - 300)

    def present(self, work: Work) -> bool:
        return work.row("nms_delivery", "label", self.NAME) is not None


class BouncesNotProcessed(Fault):
    """The bounce mailbox's account was switched off: the last bounce is three days old."""

    scope = "instance"
    seen = ("in the database: no active external account of type pop3; the newest row of "
            "nms:broadLogMsg is three days old; inMail runs and reads nothing")
    SECONDS, MARK = 3 * 86400.0, "<old@bounces>"

    def strike(self, work: Work) -> None:
        work.change("nms_extAccount", "type", "pop3", active=0)
        work.restart("inMail")  # what it is reading now would still be recorded
        last = work.sql("SELECT max(id) AS last FROM nms_broadLogMsg")[0]["last"] or 0
        shift = "UPDATE nms_broadLogMsg SET received = received %s ? WHERE id <= ?"
        work.undo_sql(shift % "+", self.SECONDS, last)
        work.sql(shift % "-", self.SECONDS, last)
        work.insert("nms_broadLogMsg", "messageId", messageId=self.MARK,
                    address="old@bounce.example", text="550 unknown",
                    received=time.time() - self.SECONDS)

    def present(self, work: Work) -> bool:
        return not work.sql("SELECT id FROM nms_extAccount WHERE type = 'pop3' AND active = 1")
