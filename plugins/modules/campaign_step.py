#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_step
short_description: Decide how a repair goes on
version_added: 1.0.0
description:
  - Private to the tasks of the role P(campaign.remediation.campaign#role). Do not use it in playbooks.
  - Decides which remedy of a step is due, what a remedy and its proof came to, and what is left to
    do. It reads what the role's tasks registered, and the state that it returned before.
  - Nothing is done on the host, and no connection is made.
options:
  state:
    description:
      - With V(opened) the repair of the host begins with the first step that is due, unless the
        brakes of the run prevent it.
      - With V(begun) the first step is chosen again, with what was seen when the host was locked.
      - With V(looked) a cut repair was finished, and the next step is chosen by what it has left.
      - With V(failed) a task has failed, and the task is in its C(rescue).
      - With V(ended) a remedy was applied and its proof looked for. The next remedy is chosen.
      - With V(shown) the ladder has ended without success, and the log precision was raised.
      - With V(cut) the repair of the host has failed, and steps may be left that were not begun.
      - With V(awaited) a line was awaited in a log.
    type: str
    required: true
    choices: [opened, begun, looked, failed, ended, shown, cut, awaited]
  last:
    description:
      - For O(state=opened), whether a host that must wait for others is not asked again in this run.
        Its steps are then skipped. Else it is put into the group C(campaign_deferred).
    type: bool
    default: true
  steps:
    description:
      - The steps of the host. By default the variable C(campaign_steps).
    type: list
    elements: dict
  stop_file:
    description:
      - If this file exists on the controller, no step is begun. By default the variable
        C(campaign_stop_file).
    type: path
  gone_within:
    description:
      - The number of seconds for which the proof was looked for. By default the variable
        C(campaign_gone_within), else 60.
    type: raw
  path:
    description: The log, for V(state=awaited).
    type: path
attributes:
  check_mode:
    description: Decides for check mode what a run would do, and says so in the actions.
    support: full
author:
  - campaign.remediation contributors (@campaign)
"""

EXAMPLES = r"""
- name: Choose the first step
  campaign.remediation.campaign_step:
    state: opened
  register: _campaign_repair
"""

RETURN = r"""
actions:
  description: All that this run has done on the host, for the report.
  returned: always
  type: list
  elements: dict
admitted:
  description: Whether the repair of the host was begun.
  returned: always
  type: bool
at:
  description: The index of the step in progress; the number of all steps if the repair has ended.
  returned: always
  type: int
step:
  description: The step in progress.
  returned: if a step is in progress
  type: dict
number:
  description: Its number among the steps of the host, from 1.
  returned: if a step is in progress
  type: int
steps:
  description: All steps of the host in short.
  returned: if a step is in progress
  type: list
  elements: dict
stale:
  description:
    - Whether the plan is so old that the host must be diagnosed again before it is applied.
  returned: if a step is in progress
  type: bool
remaining:
  description:
    - Ids of the findings that remained when they were last looked for between steps. Null if they
      were not.
  returned: always
  type: list
  elements: str
deferred:
  description: Why the host is repaired after all others.
  returned: with O(state=opened), if it is
  type: str
rung:
  description: The remedy that is due; empty if none is.
  returned: always
  type: str
  sample: restart
role:
  description: The role that has the remedy.
  returned: if a step is in progress
  type: str
  sample: wfserver
guard:
  description:
    - How M(campaign.remediation.campaign_guard) guards the remedy that is due; empty for one that
      asks the guards by itself.
  returned: if a step is in progress
  type: dict
  sample: {restart: true, whole_server: true, lasting: false}
open:
  description: Ids of the findings that the step was planned for and that are not gone.
  returned: always
  type: list
  elements: str
not_done:
  description: Why no further remedy is applied; empty if nothing prevents it.
  returned: always
  type: str
lost:
  description: Why the host is no longer reachable; empty if it is.
  returned: always
  type: str
failure:
  description: What failed since the last decision; empty if nothing did.
  returned: always
  type: dict
ended:
  description: How the change ended, in the words of the ledger.
  returned: always
  type: str
  sample: done
next:
  description:
    - The file of the role that comes next. V(rung) is a remedy; V(afterwards) shows an operator more,
      where the ladder has ended without success; V(remaining) finds out whether the findings of the
      other steps are gone as well. Empty if the repair of the host has ended.
  returned: always
  type: str
  sample: rung
began:
  description: When the remedy began, in UTC.
  returned: always
  type: str
"""
