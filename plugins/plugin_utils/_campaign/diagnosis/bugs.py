# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Known bugs of builds, by the vendor's release notes and support articles: a note at the finding
that one explains, never a separate finding.

The table is asked last: a finding that another one explains needs no bug.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..snapshot.server import Server
from .model import LinkedFinding


@dataclass(frozen=True)
class Bug:
    """Its effect, the findings it explains, and the first build without it.

    `keys`: ids or keys of findings, with * for any text. `words`: what the finding's text must
    have. `begins`: the build that brings it. `when`: what the server must be like.
    """

    text: str
    fixed_in: int
    source: str
    keys: tuple[str, ...]
    words: str = ""
    begins: int = 0
    when: Callable[[Server], bool] = lambda _server: True

    def explains(self, server: Server, build: int, linked: LinkedFinding) -> bool:
        """Whether a finding on a server of this build shows it."""
        if not self.begins <= build < self.fixed_in or not self.when(server):
            return False
        finding = linked.finding
        names = (finding.key, finding.id)
        if not any(fnmatchcase(name, key) for name in names for key in self.keys):
            return False
        said = (finding.summary, linked.evidence.words, *finding.evidence.values())
        text = "\n".join(map(str, said))
        return re.search(self.words, text, re.IGNORECASE) is not None


def on_sql_server(server: Server) -> bool:
    """Whether a database of the server is Microsoft's."""
    return any("mssql" in source.provider.lower() for source in server.configuration.databases)


LOGGED = ("*.errors_restart_useless*", "*.errors_many@*", "*.errors_few@*",
          "wfserver.workflow_errors@*")  # fmt: skip
NEVER = 10**6

BUGS: tuple[Bug, ...] = (
    Bug("a deadlock of the database is not tried again", 9026, "KA-14033",
        LOGGED, r"deadlock"),
    Bug("an index on sourceId is missing for web tracking", 9277, "NEO-25206",
        LOGGED, r"no index on the field|sourceId"),
    Bug("mta stops answering until it is restarted", 9277, "NEO-27455",
        ("mta.hung", "mta.spool_stuck", "mta.no_children")),
    Bug("the pool of an external account fills with DisableFOH2=1", 9277, "NEO-26258",
        ("web.connection_pool_full", *LOGGED), r"pool|FOH2|connection"),
    Bug("a port in a host name breaks calls over SSL", 9277, "NEO-29146",
        LOGGED, r"\b(?:ssl|tls|certificate)\b[\s\S]{0,300}:\d{2,5}\b"),
    Bug("workflows stop after the daily restart of wfserver", 9330, "NEO-30047",
        ("wfserver.workflow_process_gone", "wfserver.daily_restart_errors",
         "wfserver.technical_workflow_late")),
    Bug("web crashes on a SOAP call, and hangs when IMS hangs", 9330, "NEO-28796, NEO-29600",
        ("web.crash_loop", "web.hung", "web.not_answering")),
    Bug("the workflow billing fails", 9330, "NEO-16828, NEO-37066, KA-14457",
        ("wfserver.technical_workflow_failed*",), r"\bbilling\b"),
    Bug("tracking fails on Oracle with high volumes", 9346, "NEO-39653",
        ("tracking.workflow_failed", "tracking.workflow_in_error"), r"\bORA-\d{5}|oracle"),
    Bug("crashes that need a complete restart, with core files", 9352, "NEO-44645, NEO-30549",
        ("host.core_file", "*.crash_loop")),
    Bug("mta crashes without a time zone of the database engine (SQL Server)", 9356, "NEO-46619",
        ("mta.crash_loop",), when=on_sql_server),
    Bug("tracking logs have a negative lastMsgId", 9364, "NEO-52290",
        ("tracking.*", "wfserver.errors_*", "wfserver.workflow_errors"), r"lastMsgId"),
    Bug("the OAuth token of the bounce mailbox expires", 9390, "NEO-80683",
        ("inMail.mailbox_login_refused",), r": it uses "),
    Bug("slots of mtachild are blocked, and deliveries stay on 'Start pending'; deliveries are"
        " stuck behind a paused one", 9390, "NEO-82351, NEO-84553, NEO-85150, NEO-83809",
        ("mta.deliveries_waiting",)),
    Bug("Apache ends with segmentation faults", 9390, "NEO-59059",
        ("web.front_down",)),
    Bug("TLS between console and server fails", 9391, "NEO-87432",
        ("web.api_tls", "web.logon_failed", *LOGGED), r"\b(?:tls|ssl)\b"),
    Bug("forms that pass ctx stop working (disableCtxInWebForm, a change of 9397)", NEVER,
        "the release notes", LOGGED, r"\bctx\b", begins=9397),
)  # fmt: skip


def noted(server: Server, linked: LinkedFinding) -> LinkedFinding:
    """The finding with the bug of the server's build that explains it, if there is one."""
    build = server.build_number
    if build is None or linked.causes:
        return linked
    bug = next((bug for bug in BUGS if bug.explains(server, build, linked)), None)
    if bug is None:
        return linked
    end = "" if bug.fixed_in == NEVER else f", fixed in build {bug.fixed_in}"
    note = f"known bug of build {build}: {bug.text}{end} ({bug.source})"
    finding = linked.finding
    return replace(linked, finding=replace(
        finding, evidence={**finding.evidence, "known_bug": note},
        summary=f"{finding.summary} Possibly a {note}.",
    ))
