#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_workflow
short_description: Start a workflow of Adobe Campaign Classic that is in error
version_added: "1.0.0"
description:
  - Starts a workflow through the server's API (C(xtk:workflow#Start)), and has its pending tasks
    carried out at once (C(xtk:workflow#Wakeup)). Then waits until a process runs it.
  - The vendor's technical workflows may be started. Those that the site wrote are refused unless
    O(restartable_workflows) lists them.
  - Before a change it asks the guards, which are the lock of the host, the budget and the evidence.
    A start cancels no work, so work in flight is not checked.
  - What was done is recorded in the ledger of the host, with the state before and after.
author:
  - campaign.remediation contributors (@campaign)
extends_documentation_fragment:
  - campaign.remediation.server
  - campaign.remediation.guards
  - campaign.remediation.api
options:
  workflow:
    description: The internal name of the workflow.
    type: str
    required: true
  instance:
    description: The instance it belongs to. O(api) must have credentials for it.
    type: str
    required: true
  state:
    description:
      - V(started) starts it if it is paused, stopped or in error, and changes nothing if it is
        started.
      - V(woken) does the same, and has its pending tasks carried out at once in any case.
    type: str
    default: started
    choices: [started, woken]
  restartable_workflows:
    description: Internal names of the site's own workflows that may be started again.
    type: list
    elements: str
    default: []
  wait:
    description: How long to wait until a process has run it, in seconds.
    type: float
    default: 60
  answer:
    description:
      - What the API answered to the controller, with O(api_from=controller). Only for the action
        plugin of the same name, which makes the calls there.
    type: dict
notes:
  - O(restart_budget) counts the starts of this workflow.
  - O(in_flight) and O(accept_lost_work) have no effect.
seealso:
  - module: campaign.remediation.campaign_diagnose
  - name: Workflow methods of the API
    description: The vendor's reference.
    link: https://experienceleague.adobe.com/developer/campaign-api/api/sm-workflow-Start.html
"""

EXAMPLES = r"""
- name: Start the Tracking workflow again
  campaign.remediation.campaign_workflow:
    workflow: tracking
    instance: prod
    state: woken
    api:
      - instance: prod
        login: remediation
        password: "{{ vault_campaign_api_password }}"
  become: true
"""

RETURN = r"""
changed:
  description: Whether it was started or woken, in check mode whether it would be.
  type: bool
  returned: always
before:
  description: The workflow as it was found. Null if the API did not tell.
  returned: always
  type: dict
  sample: {id: 3, name: tracking, state: 13, failed: true, process_id: 0,
    last_start_at: 1763467179.1, folder: nmsTechnicalWorkflow}
after:
  description: The workflow as it is now.
  returned: always
  type: dict
  sample: {id: 3, name: tracking, state: 11, failed: false, process_id: 4711,
    last_start_at: 1763467190.2, folder: nmsTechnicalWorkflow}
commands:
  description: The methods that were called, in check mode those that would be.
  returned: always
  type: list
  elements: list
  sample: [["xtk:workflow#Start", tracking], ["xtk:workflow#Wakeup", tracking]]
seconds:
  description: How long it took until it ran.
  returned: always
  type: float
evidence:
  description: The directory of the evidence on the host. Null if there is none.
  returned: always
  type: str
left:
  description:
    - How the workflow is left. V(as_before) in the state that it was found in, V(changed) in
      another, V(unknown) if it could not be seen afterwards.
  returned: always
  type: str
in_vain:
  description: Whether it was started but failed again, or no process ran it.
  returned: always
  type: bool
refused:
  description: Whether a guard refused.
  returned: always
  type: bool
holder:
  description: The run that has the host, when the guard V(lock) refuses. Null otherwise.
  returned: always
  type: dict
guard:
  description: The guard that refused. V(workflow), V(budget), V(lock), V(pause), V(evidence) or V(record).
  returned: always
  type: str
run:
  description: The name of the run in the ledger.
  returned: when the options are valid
  type: str
interrupted:
  description: Repairs of earlier runs that were begun and never ended.
  returned: when the options are valid
  type: list
  elements: dict
msg:
  description: What was done, or why not, in a sentence.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import (
    options as shared_options,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    answer,
    guard,
    workflow,
    workflow_change,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

    Entry = Dict[str, Any]


def argument_spec() -> "Dict[str, Entry]":
    """The options."""
    return dict(
        dict(guard.argument_spec(), **shared_options.api()),
        workflow=dict(type="str", required=True),
        instance=dict(type="str", required=True),
        state=dict(
            type="str", default=workflow.STARTED, choices=[workflow.STARTED, workflow.WOKEN]
        ),
        restartable_workflows=dict(type="list", elements="str", default=[]),
        wait=dict(type="float", default=60),
        answer=dict(type="dict"),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    result: "Entry" = {
        "changed": False, "refused": False, "guard": None, "holder": None, "before": None,
        "after": None, "commands": [], "seconds": 0.0, "evidence": None, "in_vain": False,
        "left": "as_before",
    }  # fmt: skip
    answer.run(module, workflow_change.Change, result, module.params["workflow"])


if __name__ == "__main__":
    main()
