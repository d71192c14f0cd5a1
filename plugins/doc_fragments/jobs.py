# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declared exports and imports: `jobs` for all of them, `jobs.job` for one.

Their argument specification is in module_utils/_campaign/options.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of jobs."""

    # The suboptions are written twice, because ansible-test cannot read composed text.
    DOCUMENTATION = r"""
options:
  jobs:
    description:
      - The exports and imports that a site runs regularly on this host.
      - Used to tell the processes and log lines of one job from those of another. If no other job
        of its kind is declared for an instance, any process of this kind counts as the job.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the job, as it is in its log lines if several share a log.
        type: str
        required: true
      kind:
        description: The utility that runs it.
        type: str
        choices: [export, import]
        required: true
      instance:
        description: The instance it works on.
        type: str
        required: true
      operator:
        description: Who scheduled it, and who is asked before it is launched again.
        type: str
      arguments:
        description: The command line arguments of the job, one list for each way to launch it.
        type: dict
        suboptions:
          full:
            description: The arguments of a full run.
            type: list
            elements: str
          delta:
            description: The arguments of a run for what has changed.
            type: list
            elements: str
      result:
        description:
          - A pattern for the files that a success leaves behind, absolute or below
            C(var/<instance>).
          - If it is set, a launched run that leaves no new file has failed.
        type: str
      rejects:
        description: A pattern for its files of rejects, absolute or below C(var/<instance>).
        type: str
      max_age_hours:
        description: How old its last result may be, in hours.
        type: float
      max_minutes:
        description: How long it may run, in minutes.
        type: float
      keys:
        description: The attributes that identify a record, by which duplicates are looked for.
        type: list
        elements: str
      schema:
        description: The schema of the records that an import writes, for the search for duplicates.
        type: str
        default: nms:recipient
"""

    JOB = r"""
options:
  job:
    description:
      - The job, declared as for M(campaign.remediation.campaign_info).
      - Anybody on the host can read the arguments of a process, so keep passwords out of them.
    type: dict
    required: true
    suboptions:
      name:
        description: The name of the job, as it is in its log lines if several share a log.
        type: str
        required: true
      kind:
        description: The utility that runs it.
        type: str
        choices: [export, import]
        required: true
      instance:
        description: The instance it works on.
        type: str
        required: true
      operator:
        description: Who scheduled it, and who is asked before it is launched again.
        type: str
      arguments:
        description: The command line arguments of the job, one list for each way to launch it.
        type: dict
        suboptions:
          full:
            description: The arguments of a full run.
            type: list
            elements: str
          delta:
            description: The arguments of a run for what has changed.
            type: list
            elements: str
      result:
        description:
          - A pattern for the files that a success leaves behind, absolute or below
            C(var/<instance>).
          - If it is set, a launched run that leaves no new file has failed.
        type: str
      rejects:
        description: A pattern for its files of rejects, absolute or below C(var/<instance>).
        type: str
      max_age_hours:
        description: How old its last result may be, in hours.
        type: float
      max_minutes:
        description: How long it may run, in minutes.
        type: float
      keys:
        description: The attributes that identify a record, by which duplicates are looked for.
        type: list
        elements: str
      schema:
        description: The schema of the records that an import writes, for the search for duplicates.
        type: str
        default: nms:recipient
"""
