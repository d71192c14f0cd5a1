# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with inMail, which reads the bounce mailboxes."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    CRITICAL,
    WARNING,
    Catalogue,
    Evidence,
    Facts,
    advice,
    as_account,
    as_root,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.common import (
    RESTART,
    add_to,
    unreachable,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.snapshot import (
    Server,
    Task,
)

problems = Catalogue("inMail")


@problems.problem(
    title="The bounce mailbox is unreachable",
    severity=CRITICAL,
    summary="The mailbox {mailbox} of {instance} does not answer ({error}).",
    source="network",
    needs=("network",),
    reason="the mail server, or the way to it, is not Campaign's",
    fix=as_root("nc -vz {host} {port}"),
)
def mailbox_unreachable(server: Server) -> Iterator[Evidence]:
    return unreachable(server, "mailbox", lambda target: target.error != "login")


@problems.problem(
    title="The bounce mailbox refuses the login",
    severity=CRITICAL,
    summary="The mailbox {mailbox} of {instance} refuses the account's name or password.",
    source="modules",
    needs=("network",),
    reason="name and password stand in the external account: an administrator corrects them",
    fix=advice("check the external account of the bounce mails, and campaign_mailboxes"),
)
def mailbox_login_refused(server: Server) -> Iterator[Evidence]:
    for target in server.targets("mailbox"):
        if target.error == "login":
            yield Evidence({"mailbox": target.address}, target.instance, target.address)


@problems.problem(
    title="Bounce mails pile up",
    severity=WARNING,
    summary="{messages} mails wait in the mailbox {mailbox} of {instance}.",
    source="modules",
    needs=("network",),
    remedy="restart",
    fix=as_account("nlserver restart inMail@{instance}"),
    causes=(
        "inMail.not_running", "inMail.hung", "inMail.crash_loop", "inMail.log_silent",
        "inMail.mailbox_login_refused", "watchdog.nothing_runs", "host.database_unreachable",
    ),
)
def mailbox_backlog(server: Server) -> Iterator[Evidence]:
    for target in server.targets("mailbox"):
        messages = target.detail.get("messages")
        if isinstance(messages, int) and messages >= server.limits.mailbox_messages:
            yield Evidence(
                {"mailbox": target.address, "messages": messages}, target.instance, target.address
            )


@problems.each(
    title="The log is silent",
    severity=WARNING,
    summary="{target} runs and has logged nothing since {last_at:time}.",
    source="modules",
    needs=("logs", "processes"),
    remedy="restart",
    fix=RESTART,
    causes=(
        "inMail.hung", "syslogd.not_running", "syslogd.hung", "syslogd.crash_loop",
        "syslogd.logs_not_growing", "syslogd.port_taken", "syslogd.log_not_writable",
        "inMail.mailbox_unreachable",
    ),
)
def log_silent(server: Server, task: Task) -> Facts | None:
    log = server.log("inMail", task.instance)
    last = log.written_at if log and log.exists else None
    if not task.alive or not server.older(last, server.limits.mail_silence_minutes):
        return None
    return {"last_at": last, "pid": task.pid}


@problems.each(
    title="No bounce account is active",
    severity=WARNING,
    summary="{target} has no mailbox to read: {found}.",
    source="modules",
    needs=("api",),
    reason="which mailbox the bounce mails go to is the site's decision",
    fix=advice("enable the external account of the bounce mails in the console"),
)
def account_missing(server: Server, task: Task) -> Facts | None:
    database = server.database(task.instance)
    if database is None or database.accounts is None or not (task.expected or task.alive):
        return None
    if any(account.active for account in database.accounts):
        return None
    names = [account.name for account in database.accounts]
    return {"found": f"{', '.join(names)} is not active" if names else "there is no such account"}


@problems.each(
    title="No bounce mail was processed for long",
    severity=WARNING,
    summary="{target} last processed a bounce mail at {last_at:time}.",
    source="modules",
    needs=("api",),
    reason="whether bounces went missing shows in the mailbox; what is not sent does not bounce",
    fix=advice("look into the mailbox, and at the sender's error address of the deliveries"),
    causes=(
        "inMail.not_running", "inMail.hung", "inMail.crash_loop", "inMail.log_silent",
        "inMail.mailbox_unreachable", "inMail.mailbox_login_refused", "inMail.mailbox_backlog",
        "inMail.account_missing", "watchdog.nothing_runs", "host.database_unreachable",
    ),
)
def bounces_stale(server: Server, task: Task) -> Facts | None:
    database = server.database(task.instance)
    rows = (database.last_bounce if database else None) or ()
    last = rows[0].at if rows else None
    if not (task.expected or task.alive):
        return None
    if last is None or not server.older(last, 60 * server.limits.bounce_hours):
        return None
    return {"last_at": last}


add_to(problems, works_by=("inMail.mailbox_unreachable", "inMail.mailbox_login_refused"))
