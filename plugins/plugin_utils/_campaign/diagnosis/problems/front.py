# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with the front-end web server after an upgrade, and with the files that it reads
for Campaign."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from ...snapshot.records import LogGroup, UnreadableFile
from ...snapshot.server import Server
from ..model import INFO, WARNING, Evidence, advice, as_account, as_root
from ..rules import Catalogue
from .common import named
from .logged import lines, logged, reported

problems = Catalogue("web")

_NUMBER = re.compile(r"\d{3,6}")
# The delivery in a tracked link, in hexadecimal behind h (HTML) or t (text).
_DELIVERY = re.compile(r"\bid=[ht]([0-9a-f]{1,16})\b", re.IGNORECASE)


def _unit(server: Server) -> str:
    return server.service.front.unit if server.service.front else "apache2"


@problems.problem(
    title="The front-end web server uses the library of an older build",
    severity=WARNING,
    summary="The front-end web server still has Campaign's library from {loaded} loaded; the server"
    " is build {build}.",
    source="linux_web_server",
    needs=(),
    reason="after an upgrade, stop and start the web server: a reload keeps the old library, and a"
    " restart of a Campaign module does not change it",
    fix=as_root("systemctl stop {unit}", "systemctl start {unit}"),
)
def front_library_old(server: Server) -> Iterator[Evidence]:
    build = server.build_number
    check = server.check("front_test")
    told = str(((check.verdict_hints.redir if check else None) or {}).get("build") or "")
    front = int(told) if _NUMBER.fullmatch(told) else None
    replaced = [process for process in server.service.web_server.processes if process.deleted]
    old = front < build if front is not None and build is not None else bool(replaced)
    if old:
        yield Evidence({
            "loaded": "a replaced file" if front is None else f"build {front}",
            "build": build,
            "pids": " ".join(str(process.pid) for process in replaced) or None,
            "unit": _unit(server),
        })


@problems.problem(
    title="The web server includes the Campaign file for an older Tomcat",
    severity=WARNING,
    summary="{path}, line {line}, includes {file}{state}.",
    source="linux_web_server",
    needs=("service", "storage"),
    reason="since Tomcat 8 the file is in nl6/conf; until the line names it, the next start of the"
    " web server {outcome}",
    fix=as_root("apachectl configtest").then(
        advice(
            "change line {line} of {path} to include {wanted}, and check the result before a start"
        )
    ),
)
def front_include_old(server: Server) -> Iterator[Evidence]:
    there = server.storage.front_files
    wanted = f"{server.home}/conf/apache_neolane.conf"
    for include in server.service.web_server.includes:
        if there is None or not include.file.startswith(f"{server.home}/"):
            continue
        missing = include.file not in there
        if missing or (include.file != wanted and wanted in there):
            yield Evidence(
                {
                    "path": include.path, "line": include.line, "file": include.file,
                    "wanted": wanted, "state": ", which does not exist" if missing else "",
                    "outcome": "fails" if missing else "uses the old file",
                },
                subject=f"{include.path}:{include.line}", severity=None if missing else INFO,
            )


@problems.problem(
    title="The web server cannot read the addresses of tracked links",
    severity=WARNING,
    summary="Tracked links are not found ({count:# time}), and the web server cannot read the file"
    " with their addresses: {files} ({mode}).",
    source="tracking_logs",
    needs=("logs", "storage"),
    reason="the file mode must be at least 644; a restart does not change it",
    fix=as_account("chmod 644 {path}").then(advice("and the same for each other file listed")),
)
def link_file_unreadable(server: Server) -> Iterator[Evidence]:
    groups = reported("web.tracked_link_unknown", server, server.instances_of("web"))
    for entry in server.storage.redirection:
        files = _asked_for(groups, entry.unreadable)
        if groups and files:
            facts = {
                **lines(groups), "path": files[0].path, "mode": files[0].mode,
                "files": named(posixpath.basename(file.path) for file in files),
                "unreadable": entry.unreadable_files,
            }
            yield replace(logged(facts, groups), instance=entry.instance)


def _asked_for(
    groups: list[LogGroup], files: tuple[UnreadableFile, ...]
) -> list[UnreadableFile]:
    """The files of the deliveries that the lines name; all if none of them names one."""
    asked = {
        int(found.group(1), 16) for group in groups if (found := _DELIVERY.search(group.sample))
    }
    return [
        file for file in files
        if not asked or posixpath.splitext(posixpath.basename(file.path))[0] in map(str, asked)
    ]
