# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with inMail, which reads the bounce mailboxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...snapshot.records import ModuleInstance, Target
from ...snapshot.server import Server
from ...snapshot.work import Account
from ..knowledge import reported_by
from ..model import CRITICAL, WARNING, Evidence, Facts, advice, as_account, as_root
from ..rules import Catalogue
from . import every_module
from .common import RESTART, turning_away, unreachable
from .logged import lines, logged

problems = Catalogue("inMail")

TALKED = ("login", "protocol")  # errors of a mailbox that answers


@problems.per_instance(
    title="Copies of bounce mails are filling the disk",
    severity=WARNING,
    summary="dump is on in the msgDump element of {target} in {file}: inMail keeps a copy of every"
    " mail that it reads, and nothing deletes the copies.",
    source="configuration_file",
    needs=("configuration",),
    reason="the copies are for troubleshooting: whoever set dump must turn it off, then restart"
    " inMail; a restart alone changes nothing",
    fix=advice('set dump="false" in the msgDump element in {home}/conf/{file}').then(
        as_account("nlserver restart {target}")
    ),
)
def messages_dumped(_server: Server, module: ModuleInstance) -> Facts | None:
    known = module.configuration
    if known is None or not known.flag("dump") or not (module.expected or module.alive):
        return None
    return {"file": known.origin("dump"), "dump": True}


@problems.problem(
    title="The bounce mailbox is unreachable",
    severity=CRITICAL,
    summary="The mailbox {mailbox} of {instance} does not answer ({error}): bounces are not"
    " processed.",
    source="network",
    needs=("network",),
    reason="the mail server and the network to it are not part of Campaign",
    fix=as_root("nc -vz {host} {port}"),
)
def mailbox_unreachable(server: Server) -> Iterator[Evidence]:
    return unreachable(
        server, "mailbox",
        lambda target: target.error not in TALKED and not _read_elsewhere(server, target),
    )


def _account(server: Server, instance: str, host: str | None = None) -> Account | None:
    """The external account that says how the mailbox is reached."""
    answers = server.api_answers_of(instance)
    return next((
        account for account in (answers.accounts if answers else None) or ()
        if account.active and host in (None, account.server.lower())
    ), None)


def _read_elsewhere(server: Server, target: Target) -> bool:
    """Whether inMail reads this mailbox by another port: POP3S has one, and 110 proves nothing."""
    if any(
        other.host == target.host and other.port != target.port and other.reachable
        for other in server.targets("mailbox") if other.instance == target.instance
    ):
        return True
    account = _account(server, target.instance, target.host.lower())
    port = account.port if account else None
    if account and port is None and "pop3s" in account.encryption.lower():
        port = 995
    asked = target.detail.get("ports")
    return port is not None and port not in (asked if isinstance(asked, list) else [target.port])


@problems.problem(
    title="The bounce mailbox refuses the login",
    severity=CRITICAL,
    summary="The mailbox {mailbox} of {instance} refuses the user name or password{note}.",
    source="modules",
    needs=(),
    reason="user name and password are in the external account: an administrator must correct"
    " them{note}",
    fix=advice(
        "check the external account for bounce mails, and campaign_mailboxes; with Microsoft OAuth"
        " 2.0, set up its connection again, then restart inMail"
    ),
)
def mailbox_login_refused(server: Server) -> Iterator[Evidence]:
    asked = {target.instance for target in server.targets("mailbox") if not target.error}
    for target in server.targets("mailbox"):
        if target.error == "login":
            asked.add(target.instance)
            yield Evidence({"mailbox": target.address, "note": ""}, target.instance, target.address)
    for module in server.instances_of("inMail"):
        groups = [
            group for group in reported_by("inMail.mailbox_login_refused", server.history.errors(module))
            if not server.older(group.last_at, server.limits.mail_silence_minutes)
        ]
        if groups and module.instance not in asked:
            account = _account(server, module.instance)
            facts: Facts = {
                "mailbox": f"of {account.name}" if account else "in its log",
                "oauth": (account.oauth or None) if account else None,
                "note": _token(server, account), **lines(groups),
            }
            yield replace(logged(facts, groups), instance=module.instance)


TOKEN_BUILD = 9390  # from here on inMail keeps the refresh token of Microsoft's OAuth 2.0


def _token(server: Server, account: Account | None) -> str:
    """What such a refusal means for a mailbox with OAuth."""
    build = server.build_number
    if build is not None and build >= TOKEN_BUILD:
        return ""
    found = f"build {build} does" if build else f"builds below {TOKEN_BUILD} do"
    if account and account.oauth:
        return (
            f": it uses {account.oauth}, and the refresh token has expired; {found} not keep it,"
            f" build {TOKEN_BUILD} does (NEO-80683), and a restart does not help before the"
            " connection is set up again"
        )
    return (
        " (with Microsoft OAuth 2.0, it means that the refresh token has expired: "
        f"{found} not keep it, build {TOKEN_BUILD} does)"
    )


@problems.problem(
    title="The bounce mailbox answers with an error",
    severity=WARNING,
    summary=(
        "The mailbox {mailbox} of {instance} answers with an error ({answer}): it is unknown how"
        " many bounce mails are waiting."
    ),
    source="modules",
    needs=("network",),
    reason="the mail server is not part of Campaign; a mailbox that is in use is free again when"
    " that session ends",
    fix=advice("check the mailbox on its mail server, and the log of inMail"),
)
def mailbox_error(server: Server) -> Iterator[Evidence]:
    return turning_away(server, "mailbox")


@problems.problem(
    title="Bounce mails are piling up",
    severity=WARNING,
    summary="{messages:# mail} {messages:? is|are} waiting in the mailbox {mailbox} of {instance}.",
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


@problems.per_instance(
    title="inMail has stopped logging",
    severity=WARNING,
    summary="{target} is running but has logged nothing since {last_at:time}.",
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
def log_silent(server: Server, module: ModuleInstance) -> Facts | None:
    log = server.log("inMail", module.instance)
    last = log.written_at if log and log.exists else None
    if not module.alive or not server.older(last, server.limits.mail_silence_minutes):
        return None
    if not server.has_syslogd:
        return None  # another daemon writes the lines, and not necessarily here
    return {"last_at": last, "pid": module.pid}


@problems.per_instance(
    title="No bounce account is active",
    severity=WARNING,
    summary="{target} has no mailbox to read ({found}): bounces are not processed.",
    source="modules",
    needs=("api",),
    reason="your site decides which mailbox receives bounce mails",
    fix=advice("enable the external account for bounce mails in the console"),
)
def account_missing(server: Server, module: ModuleInstance) -> Facts | None:
    answers = server.api_answers_of(module.instance)
    if answers is None or answers.accounts is None or not (module.expected or module.alive):
        return None
    if any(account.active for account in answers.accounts):
        return None
    names = [account.name for account in answers.accounts]
    return {"found": f"{', '.join(names)} is not active" if names else "there is no such account"}


@problems.per_instance(
    title="No bounce mail was processed recently",
    severity=WARNING,
    summary="{target} last processed a bounce mail at {last_at:time}.",
    source="modules",
    needs=("api",),
    reason="the mailbox shows whether bounces are missing; if nothing was sent, nothing bounces",
    fix=advice("check the mailbox, and the error address of the deliveries"),
    causes=(
        "inMail.not_running", "inMail.hung", "inMail.crash_loop", "inMail.log_silent",
        "inMail.mailbox_unreachable", "inMail.mailbox_login_refused", "inMail.mailbox_backlog",
        "inMail.account_missing", "watchdog.nothing_runs", "host.database_unreachable",
    ),
)
def bounces_stale(server: Server, module: ModuleInstance) -> Facts | None:
    answers = server.api_answers_of(module.instance)
    rows = (answers.last_bounce if answers else None) or ()
    last = rows[0].at if rows else None
    if not (module.expected or module.alive):
        return None
    if last is None or not server.older(last, 60 * server.limits.bounce_hours):
        return None
    return {"last_at": last}


problems.include(*every_module.SUPERVISED, causes_of_errors=(
    "inMail.mailbox_unreachable", "inMail.mailbox_login_refused",
))
