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
  description: The guard that refused. V(workflow), V(budget), V(lock), V(evidence) or V(record).
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

import collections
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import (
    options as shared_options,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    WORKFLOW_STATES,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    answer,
    guard,
    workflow,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, Optional, Union

    from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot.probes import (
        Context,
    )

    Entry = Dict[str, Any]

MODULE = "wfserver"
REMEDY = "start_workflow"


Told = collections.namedtuple("Told", "before after commands seconds")


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


class Change:
    """One call: the guards and the ledger of the host around what the API is asked to do."""

    def __init__(self, options: "Entry", check_mode: bool, result: "Entry") -> None:
        self.options = options
        self.result = result
        self.name = "%s of %s" % (options["workflow"], options["instance"])
        if not 0 <= options["wait"] <= 3600:
            raise InputError("wait must be 0 to 3600 seconds.")
        self.context = guard.open_context(options)
        guard.check_subject(self.context, MODULE, options["instance"])
        self.bracket = guard.Bracket(self.context, check_mode)
        self.result.update(run=self.bracket.run, interrupted=self.bracket.interrupted)

    def line(self, **values: "Any") -> "Entry":
        """What every line of the ledger says of it."""
        options = self.options
        return dict(
            {"module": MODULE, "instance": options["instance"], "state": options["state"],
             "remedy": options["remedy"] or REMEDY, "because": options["because"],
             "workflow": options["workflow"]}, **values
        )  # fmt: skip

    def run(self) -> None:
        """All of it, or the step that the controller has come to."""
        if self.options["answer"]:
            self.told(self.options["answer"])
        else:
            self.here()

    def here(self) -> None:
        """All of it, with the calls made from this host."""
        options = self.options
        place = workflow.place_of(options, _tomcat(self.context))
        start = workflow.Start(place, options, self.bracket.check_mode)
        failure = None
        try:
            done = start.run(self.ask)
        except workflow.NotAllowed as error:
            raise self.refuse(str(error)) from None
        except workflow.StartError as error:
            failure, done = self.bracket.scrub(str(error)), bool(self.result["changed"])
        finally:
            self.tell(start)
        self.end(done, failure)

    def told(self, answer: "Entry") -> None:
        """One step of it, with the calls made by the controller: begin, end, or refused."""
        if answer["step"] == "refused":
            raise self.refuse(answer["reason"])
        names = ("before", "after", "commands", "seconds")
        start = Told(*[answer.get(name) for name in names])
        self.tell(start)
        if answer["step"] == "begin":
            self.ask(start)
            self.bracket.leave(keep=True)
            return
        self.result["changed"] = bool(answer["done"])
        self.end(answer["done"], answer["failure"] and self.bracket.scrub(answer["failure"]))
        if answer["close"]:
            self.bracket.leave(close=True)

    def tell(self, start: "Union[workflow.Start, Told]") -> None:
        """What was seen and done, into the answer."""
        self.result.update(
            before=start.before, after=start.after, commands=start.commands, seconds=start.seconds
        )

    def refuse(self, why: str) -> guard.Refused:
        """A workflow that may not be started; written down like every refusal."""
        refused = guard.Refused(
            "workflow", why, "If it may be, list it in restartable_workflows"
            " (campaign_restartable_workflows).",
        )  # fmt: skip
        self.bracket.note("refused", **self.line(result="refused", reason=str(refused)))
        return refused

    def ask(self, start: "Union[workflow.Start, Told]") -> None:
        """The guards, and the line of the ledger that it begins."""
        bracket = self.bracket
        bracket.enter()
        try:
            inside = bracket.inside(MODULE, self.options["instance"])
            if not inside:
                self.check_budget()
                bracket.check(MODULE, self.options["instance"], False, False)
            self.result.update(changed=True, evidence=bracket.evidence)
            self.result["left"] = "as_before" if bracket.check_mode else "unknown"
            bracket.write(
                "begun", **self.line(command=start.commands, before=start.before, inside=inside)
            )
        except guard.Refused as refused:
            bracket.note("refused", **self.line(result="refused", reason=str(refused)))
            bracket.leave()
            raise

    def check_budget(self) -> None:
        """A workflow that fails again and again needs a person, not another start."""
        minutes, budget = self.options["restart_budget_minutes"], self.options["restart_budget"]
        since = time.time() - 60.0 * minutes
        count = len([
            line for line in self.bracket.lines()
            if line["event"] == "begun" and line["at"] >= since
            and line["instance"] == self.options["instance"]
            and line.get("workflow") == self.options["workflow"]
        ])  # fmt: skip
        if count < budget or self.options["accept_restart_loop"]:
            return
        raise guard.Refused(
            "budget",
            "%s was started %d times in %g minutes, and %d are allowed."
            % (self.name, count, minutes, budget),
            "Read its journal, raise restart_budget, or set accept_restart_loop: true.",
        )

    def end(self, done: bool, failure: "Optional[str]") -> None:
        """The line of the ledger that ends it, and the sentence."""
        before, after = self.result["before"], self.result["after"]
        if not done and not failure:
            self.result["msg"] = "%s is %s already." % (self.name, workflow.describe(before))
            return
        if self.bracket.check_mode and not failure:
            self.result["msg"] = "%s, which is %s, would be started." % (
                self.name, workflow.describe(before))  # fmt: skip
            self.bracket.leave()
            return
        if done:
            self.result["left"] = workflow.left(before, after)
            self.bracket.note("ended", **self.line(
                result="failed" if failure else "done", reason=failure or "", before=before,
                after=after, seconds=self.result["seconds"], command=self.result["commands"],
            ))  # fmt: skip
            self.bracket.leave()
        if failure:
            self.result["in_vain"] = True
            raise answer.Failed("%s could not be started through the API: %s" % (self.name, failure))
        self.result["msg"] = "%s was started: %s." % (self.name, workflow.describe(after))

    def diff(self) -> "Optional[Entry]":
        """Before and after, as --diff shows it."""
        before, after = self.result["before"], self.result["after"] or {}
        if not before:
            return None
        if self.result["changed"] and after == before:  # check mode
            after = dict(before, state=WORKFLOW_STATES["started"], failed=False,
                         process_id="a new process")  # fmt: skip
        shown = ("state", "failed", "process_id")
        return {
            "before": {self.name: dict((key, before.get(key)) for key in shown)},
            "after": {self.name: dict((key, after.get(key)) for key in shown)},
        }


def _tomcat(context: "Context") -> str:
    """Where Tomcat of this host listens, if the credentials do not say where."""
    port = context.settings("web").get("http_port") or 8080
    return "http://%s:%d" % (context.options["address"], port)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    result: "Entry" = {
        "changed": False, "refused": False, "guard": None, "holder": None, "before": None,
        "after": None, "commands": [], "seconds": 0.0, "evidence": None, "in_vain": False,
        "left": "as_before",
    }  # fmt: skip
    answer.run(module, Change, result, module.params["workflow"])


if __name__ == "__main__":
    main()
