"""inMail: reads the bounce mailbox by POP3.

Imitated: the mailbox is the external account of the database (``nms:extAccount``); what is
recorded is deleted from the mailbox. The lab's own: the period (``popMailPeriodSec``, else 10 s)
and all log lines (error codes of inMail are not public).
"""

from __future__ import annotations

import sys
import time

from campaign_lab import database
from campaign_lab.runtime import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    import poplib
    from typing import Any, List, Tuple

PERIOD_SECONDS = 10
POP3_SECONDS = 60.0
AFTER_ERROR_SECONDS = 10.0
MESSAGES_A_POLL = 20


class InMail(Module):
    """The bounce mail reader of an instance."""

    title = "Inbound mail server"

    def run(self) -> None:
        """Poll the mailbox."""
        self.database = database.configured(self.config, self.instance)
        while not self.stopping.is_set():
            period = self.settings.number("popMailPeriodSec", PERIOD_SECONDS)
            pause = float(max(2, min(period, PERIOD_SECONDS)))
            try:
                pause = 0.0 if self._poll() else pause
            except database.DatabaseError as error:
                self.error(str(error))
                pause = AFTER_ERROR_SECONDS
            self.wait(max(pause, 1.0))

    def _poll(self) -> bool:
        """Read some mails; True if there are more."""
        with database.session(self.database) as connection:
            account = database.account(connection, "pop3")
        if account is None:
            self.verbose("No bounce mailbox is configured")
            return False
        sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]  # 4 MB that nobody needs
        import poplib

        where = "%s@%s:%d" % (account["account"], account["server"], account["port"])
        try:
            mailbox = poplib.POP3(account["server"], account["port"], POP3_SECONDS)
            try:
                return self._read(mailbox, account, where)
            finally:
                mailbox.quit()
        except (OSError, poplib.error_proto) as error:
            self.error("Unable to read the mailbox %s: %s" % (where, _reason(error)), "pop3")
            return False

    def _read(self, mailbox: poplib.POP3, account: Any, where: str) -> bool:
        mailbox.user(account["account"])
        mailbox.pass_(account["labPassword"])
        waiting, size = mailbox.stat()
        self.trace("pop3", "%s: %d messages, %d bytes" % (where, waiting, size))
        numbers = range(1, min(waiting, MESSAGES_A_POLL) + 1)
        bounces = [_bounce(mailbox.retr(number)[1]) for number in numbers]
        if not bounces:
            return False
        with database.session(self.database, write=True) as connection:
            for address, message_id, text in bounces:
                connection.execute(
                    "INSERT INTO nms_broadLogMsg (received, address, messageId, text)"
                    " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (time.time(), address, message_id, text))  # fmt: skip
                connection.execute("UPDATE nms_recipient SET labBounces = labBounces + 1"
                                   " WHERE email = ?", (address,))  # fmt: skip
        for number in numbers:
            mailbox.dele(number)
        self.info("%d bounce mails processed (%d left in %s)" % (
            len(bounces), waiting - len(bounces), where), "inmail")  # fmt: skip
        return waiting > len(bounces)


def _bounce(lines: List[bytes]) -> Tuple[str, str, str]:
    """Address, message id and reason of a bounce, as far as they are there."""
    address, text = "", ""
    message_id = "unknown-%.6f-%d" % (time.time(), id(lines))
    for line in (raw.decode("utf-8", "replace") for raw in lines):
        if line.lower().startswith("message-id:"):
            message_id = line.partition(":")[2].strip()
        elif line.startswith("<") and ">:" in line and not text:
            address, _, text = line[1:].partition(">:")
    return address, message_id, text.strip()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    words = error.args[0] if error.args else ""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
