# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What of a plan goes to the next job of a workflow, in the statistics of the run.

Small, and without what is about people: the work in flight, which names operators, is looked up
again when the plan is applied.
"""

from __future__ import annotations

import json
from dataclasses import replace

from ..diagnosis.records import Json
from .records import Plan

LIMIT_BYTES = 256 * 1024  # an automation controller keeps it in its database, for each job


def handed_on(plan: Plan) -> Json | str:
    """The plan as data. If it is too large, a sentence instead: a job that gets it refuses it, and
    does not make a plan of its own.
    """
    hosts = tuple(
        replace(
            host, error=None, left=(), notes=(),
            steps=tuple(replace(step, work=None) for step in host.steps),
        )
        for host in plan.hosts if host.steps
    )
    data = replace(plan, hosts=hosts).as_dict()
    size = len(json.dumps(data))
    if size <= LIMIT_BYTES:
        return data
    return (
        f"The plan has {size} bytes, and at most {LIMIT_BYTES} are handed on as data. Limit the run"
        " to fewer hosts, or hand the plan on as a file (campaign_plan_write)."
    )
