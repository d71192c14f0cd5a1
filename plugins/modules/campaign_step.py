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
      - With V(begun) a step begins. It may turn out not to be done at all.
      - With V(failed) a task has failed, and the task is in its C(rescue).
      - With V(ended) a remedy was applied and its proof looked for.
      - With V(shown) the ladder has ended without success, and the log precision was raised.
      - With V(cut) the repair of the host has failed, and steps may be left that were not begun.
      - With V(awaited) a line was awaited in a log.
    type: str
    required: true
    choices: [begun, failed, ended, shown, cut, awaited]
  steps:
    description:
      - The steps of the host, for V(state=begun) and V(state=cut). By default the variable
        C(campaign_steps).
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
- name: Start the step
  campaign.remediation.campaign_step:
    state: begun
  register: _campaign_repair
"""

RETURN = r"""
actions:
  description: All that this run has done on the host, for the report.
  returned: always
  type: list
  elements: dict
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
  returned: if a step is in progress
  type: str
  sample: done
next:
  description:
    - The file of the role that comes next. V(rung) is a remedy; V(afterwards) shows an operator more,
      where the ladder has ended without success; V(remaining) finds out whether the findings of the
      other steps are gone as well. Empty if the step has ended.
  returned: if a step is in progress
  type: str
  sample: rung
began:
  description: When the remedy began, in UTC.
  returned: always
  type: str
"""
