# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The catalogue: every problem that this collection knows, the machine first, then start order."""

from __future__ import annotations

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES

from .model import HOST, Problem
from .problems import (
    export,
    front,
    host,
    host_logs,
    import_,
    inmail,
    mta,
    nlserver,
    stat,
    syslogd,
    tracking,
    trackinglogd,
    watchdog,
    web,
    wfserver,
)

CATALOGUE: tuple[Problem, ...] = tuple(
    problem
    for file in (
        host, host_logs, nlserver, watchdog, syslogd, stat, mta, web, front, trackinglogd,
        tracking, inmail, wfserver, export, import_,
    )
    for problem in file.problems
)
BY_KEY: dict[str, Problem] = {problem.key: problem for problem in CATALOGUE}
ORDER: dict[str, int] = {module: n for n, module in enumerate((HOST, *MODULES))}
