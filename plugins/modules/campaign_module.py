#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_module
short_description: Start, stop, restart or reload one module of an Adobe Campaign Classic server
version_added: "1.0.0"
description:
  - Brings one module of one instance to a state, with the commands that the vendor documents,
    and waits until it is there and stays.
  - It looks at the process, not at a marker. A wfserver that already runs with C(-verbose) is not
    restarted for O(log_precision=verbose).
  - Before a change it asks the guards. They are the lock of the host, the restart budget, the
    work in flight and the evidence. A guard that refuses fails the task and says what would make
    it pass.
  - After a change that failed it has the module as it was found, where that can be done, and
    says so.
author:
  - campaign.remediation contributors (@campaign)
extends_documentation_fragment:
  - campaign.remediation.server
  - campaign.remediation.guards
options:
  module:
    description:
      - The module.
      - V(watchdog) is the whole server. It is started and stopped by its systemd unit or its init
        script, if this host has one for this O(home) and the module runs as root, else by
        C(nlserver).
      - V(tracking) can be started, which is one consolidation. V(export) and V(import) can only
        be stopped, see M(campaign.remediation.campaign_job).
    type: str
    required: true
    choices:
      - watchdog
      - syslogd
      - stat
      - mta
      - web
      - trackinglogd
      - tracking
      - inMail
      - wfserver
      - export
      - import
  instance:
    description: The instance, for the modules that belong to one.
    type: str
    default: default
  state:
    description:
      - V(started) and V(stopped) change nothing if it is so.
      - V(restarted) always restarts it, or starts it if it does not run.
      - V(reloaded) always has it read its configuration again (O(module=web) and
        O(module=watchdog) by C(nlserver config -reload)) or its quotas (O(module=stat) by
        C(nlserver stat -reload)).
    type: str
    default: started
    choices: [started, stopped, restarted, reloaded]
  log_precision:
    description:
      - The log precision to run with. A change restarts the module.
      - If left out, it stays as it is.
      - With V(trace) it runs outside the watchdog and logs to C(<module>_debug.log).
    type: str
    choices: [standard, verbose, trace]
  trace_filters:
    description:
      - The filters of O(log_precision=trace), which are V(ncm), V(rdr), V(nms), V(jst), V(timing),
        V(wdbc), V(ldap), V(soap), V(xtk), V(xtkquery), V(session), V(xtkwriter), V(network),
        V(pop3) and V(inmail). V(*) is all and V(!x) leaves V(x) out.
    type: list
    elements: str
    default: []
  precision_for:
    description:
      - How long the raised precision lasts, like V(30m) or V(2h). The expiry is recorded in the
        ledger; this module does not wait for it.
      - If empty, it does not expire.
    type: str
    default: ""
  immediate:
    description: Whether to stop it by C(-immediate) (a C(kill -9)), for one that is hung.
    type: bool
    default: false
  wait:
    description:
      - The settling time in seconds. The process must keep the same process id for this long.
      - After a stop it must stay away for this long, but at most 3 seconds.
    type: float
    default: 30
seealso:
  - module: campaign.remediation.campaign_guard
  - module: campaign.remediation.campaign_info
  - name: Usual commands
    description: The commands used here, as the vendor documents them.
    link: https://experienceleague.adobe.com/docs/campaign-classic/
"""

EXAMPLES = r"""
- name: Restart a workflow server when its workflows have come to an end
  campaign.remediation.campaign_module:
    module: wfserver
    instance: prod
    state: restarted
    in_flight: wait
    in_flight_timeout: 900
    because: [wfserver.hung]
  become: true

- name: End a web server that hangs, and start it
  campaign.remediation.campaign_module:
    module: web
    state: restarted
    immediate: true
    accept_lost_work: true
  become: true

- name: Log every SQL statement of the mta for half an hour
  campaign.remediation.campaign_module:
    module: mta
    instance: prod
    log_precision: trace
    trace_filters: [wdbc]
    precision_for: 30m
  become: true

- name: Have the quotas read again, without the loss of statistics that a restart brings
  campaign.remediation.campaign_module:
    module: stat
    instance: prod
    state: reloaded
  become: true
"""

RETURN = r"""
changed:
  description: Whether something was done, in check mode whether something would be.
  type: bool
  returned: always
before:
  description: The module as it was found.
  returned: when the options are valid
  type: dict
  contains: &state
    state:
      description: V(running), V(stopped) or V(hung) (a halted process).
      type: str
      returned: always
    pid:
      description: Its process id. Null if it does not run, and in check mode if it will be new.
      type: int
      returned: always
    started_at:
      description: When the process began, in seconds since 1970.
      type: float
      returned: always
    precision:
      description: The log precision of the process.
      type: str
      returned: always
    filters:
      description: The trace filters of the process.
      type: list
      elements: str
      returned: always
    memory_mb:
      description: Its resident memory, in MB.
      type: float
      returned: always
  sample:
    state: running
    pid: 7832
    started_at: 1763894400.5
    precision: standard
    filters: []
    memory_mb: 11.5
after:
  description: The module as it is now, in check mode as it would be.
  returned: when the options are valid
  type: dict
  contains: *state
left:
  description:
    - How the module is left. V(as_before), in the state and with the log precision that it was
      found in, which a new process may have, or that it was put back to; V(changed), C(after) says
      how; V(unknown) if it could not be seen any more.
  returned: always
  type: str
commands:
  description: The commands that were run, in check mode those that would be.
  returned: when the options are valid
  type: list
  elements: list
  sample:
    - - /usr/local/neolane/nl6/bin/nlserver
      - restart
      - wfserver@prod
      - -noconsole
seconds:
  description: How long the change and its settling took, in seconds.
  returned: when the options are valid
  type: float
evidence:
  description: The directory of the evidence on the host. Null if there is none.
  returned: when the options are valid
  type: str
refused:
  description: Whether a guard refused.
  returned: always
  type: bool
holder:
  description: The run that has the host, when the guard V(lock) refuses. Null otherwise.
  returned: always
  type: dict
guard:
  description: The guard that refused. V(lock), V(budget), V(in_flight), V(evidence) or V(record).
  returned: always
  type: str
run:
  description: The name of the run in the ledger.
  returned: when the options are valid
  type: str
interrupted:
  description:
    - Repairs of earlier runs that were begun and never ended, with the present state of their
      modules. Each is reported until a run that changes something has recorded it.
  returned: when the options are valid
  type: list
  elements: dict
  sample:
    - run: 20251123T104210Z-1f2e3d
      at: 1763894530.1
      who: anna
      from: ansible1
      module: wfserver
      instance: prod
      remedy: restart
      state: restarted
      command: [[/usr/local/neolane/nl6/bin/nlserver, restart, wfserver@prod, -noconsole]]
      before: {state: running, pid: 7832}
      present: {state: stopped, pid: null}
touched:
  description: Other modules whose processes are not the same after the change. Normally none.
  returned: when the options are valid
  type: list
  elements: str
msg:
  description: What was done, or why not, in a sentence.
  returned: always
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    MODULES,
    UTILITIES,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import ledger
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    answer,
    control,
    guard,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair.steps import (
    steps,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    Entry = Dict[str, Any]

NO_SERVICE = {"unit": None, "active": False, "init_script": None}
VERBS = {"started": "start", "stopped": "stop", "restarted": "restart", "reloaded": "reload"}


def argument_spec() -> "Dict[str, Entry]":
    """The options."""
    return dict(
        guard.argument_spec(),
        module=dict(type="str", required=True, choices=list(MODULES)),
        instance=dict(type="str", default=DEFAULT),
        state=dict(type="str", default="started", choices=list(control.STATES)),
        log_precision=dict(type="str", choices=list(control.LEVELS)),
        trace_filters=dict(type="list", elements="str", default=[]),
        precision_for=dict(type="str", default=""),
        immediate=dict(type="bool", default=False),
        wait=dict(type="float", default=30),
    )


class Change:
    """One call: what it found, what it is to do, and what came of it."""

    def __init__(self, options: "Entry", check_mode: bool, result: "Entry") -> None:
        self.options = options
        self.check_mode = check_mode
        self.result = result
        self.module = options["module"]
        self.instance = options["instance"]
        self.name = "%s@%s" % (self.module, self.instance)
        if not 0 <= options["wait"] <= 3600:
            raise InputError("wait must be 0 to 3600 seconds.")
        self.seconds = guard.duration(options["precision_for"])
        self.wanted = control.check_wanted(self.module, options)
        self.context = guard.open_context(options)
        guard.check_subject(self.context, self.module, self.instance)
        self.bracket = guard.Bracket(self.context, check_mode)
        self.controller = control.Controller(
            self.context, self.module, self.instance, self.bracket.scrub
        )
        self.service = NO_SERVICE
        if self.module == "watchdog":
            self.service = control.read_service(self.context)
        self.result.update(run=self.bracket.run, interrupted=self.bracket.interrupted)
        self.look()

    def look(self) -> None:
        """See how it is, and what has to be done."""
        self.before = self.controller.observe()
        if self.wanted.state == "reloaded" and self.before["pid"] is None:
            raise InputError(
                "%s does not run, so it cannot be reloaded: start it, it then reads everything."
                % self.name
            )
        self.steps = steps(
            self.context.home, self.module, self.instance, self.before, self.wanted, self.service
        )
        self.result.update(before=self.before, after=self.before)

    # ------------------------------------------------------------------------------ doing

    def run(self) -> None:
        """Have it as it is wanted."""
        if not self.steps:
            self.bracket.settle(write=False)
            self.unchanged()
            return
        try:
            self.bracket.enter()
            try:
                self.look()  # a run before us may have done it while we waited
                if self.steps:
                    self.change()
                else:
                    self.unchanged()
            finally:
                self.bracket.leave()
        except guard.Refused as refused:
            line = dict(self.line(), result="refused", reason=str(refused), before=self.before)
            self.bracket.note("refused", **line)
            raise

    def line(self) -> "Entry":
        """What every line of the ledger says of this change."""
        level = self.options["log_precision"]
        remedy = VERBS[self.wanted.state] if level is None else "log_precision_" + level
        return {
            "module": self.module,
            "instance": self.instance,
            "remedy": self.options["remedy"] or remedy,
            "because": self.options["because"],
            "state": self.wanted.state,
        }

    def participle(self) -> str:
        """What is done to it, for sentences."""
        if self.wanted.precision and self.wanted.state == "started" and self.before["pid"]:
            return "set to log precision %s" % self.wanted.precision
        return "%s" % self.wanted.state

    def restarts(self) -> bool:
        """Does it count for the restart budget? The way back from a raised log precision does
        not: a spent budget must not leave it on."""
        if self.module in UTILITIES or self.wanted.state not in ("started", "restarted"):
            return False
        raised = self.before["precision"] in ("verbose", "trace")
        return not (raised and self.participle() == "set to log precision standard")

    def unchanged(self) -> None:
        """Nothing to do; an end of the raised precision that is new is written down."""
        self.result["msg"] = "%s is %s already." % (self.name, control.words_for(self.before))
        raised = self.raised()
        level = self.wanted.precision
        if level == "standard" and raised:
            wrong = True  # somebody else restored it
        else:
            ended = not raised or (raised.get("until") or 0) < time.time()
            wrong = bool(level and self.seconds and ended)
        if wrong and not self.check_mode:
            self.bracket.store.prepare()
            self.bracket.note(
                "ended", result="unchanged", precision=self.precision(self.before),
                before=self.before, after=self.before, **self.line()
            )  # fmt: skip

    def raised(self) -> "Optional[Entry]":
        """What the ledger says of a raised precision of this module."""
        for entry in ledger.precisions(self.bracket.lines()):
            if ledger.is_of(entry, self.module, self.instance):
                return entry
        return None

    def precision(self, after: "Entry") -> "Entry":
        """The precision that it has now, for the ledger."""
        if after["precision"] == "standard":
            return {"value": "standard", "until": None, "filters": []}
        until = time.time() + self.seconds if self.seconds else None
        return {"value": after["precision"], "until": until, "filters": after["filters"]}

    def change(self) -> None:
        """Ask the guards, take the steps, wait, and record it."""
        restart = self.restarts()
        runs = self.before["pid"] is not None
        inside = self.bracket.inside(self.module, self.instance)
        if not inside:
            ends_work = runs and self.wanted.state != "reloaded"
            self.bracket.check(self.module, self.instance, restart, ends_work)
        self.result["evidence"] = self.bracket.evidence
        self.result["changed"] = True
        if self.check_mode:
            self.announce()
            return
        commands = [step.command for step in self.steps]
        self.bracket.write(
            "begun", command=commands, before=self.before, restart=restart, inside=inside,
            **self.line()
        )  # fmt: skip
        began = time.monotonic()
        others = control.others(self.context.home, self.module, self.instance)
        failure = back = None
        self.result["left"] = "unknown"  # until it is seen
        try:
            after = self.perform()
        except control.ControlError as error:
            failure = self.bracket.scrub(str(error))
            back = self.controller.put_back(self.before, self.options["wait"], self.service)
            after = self.controller.observe()
        self.result.update(
            after=after,
            left=control.left(self.before, after),
            commands=self.controller.commands,
            seconds=round(time.monotonic() - began, 3),
            changed=not failure or after["pid"] != self.before["pid"],
            touched=self.touched(others),
        )
        ended = dict(self.line(), before=self.before, after=after, seconds=self.result["seconds"])
        ended["inside"] = inside
        ended["command"] = self.controller.commands
        if failure:
            reason = "%s %s" % (failure, back)
            self.bracket.note("ended", result="failed", reason=reason, **ended)
            raise answer.Failed(self.explain(failure, back))
        if self.wanted.precision or (after["precision"] == "standard" and self.raised()):
            ended["precision"] = self.precision(after)
        self.bracket.note("ended", result="done", **ended)
        self.result["msg"] = "%s was %s: %s." % (
            self.name, self.participle(), control.words_for(after)
        )  # fmt: skip

    def announce(self) -> None:
        """In check mode: what a run would do."""
        after = dict(self.before)
        if self.wanted.state == "stopped":
            after = control.describe([])
        elif self.wanted.state != "reloaded" and self.module not in UTILITIES:
            after.update(state="running", pid=None, started_at=None, memory_mb=None)
            if self.wanted.precision:
                after.update(precision=self.wanted.precision, filters=self.wanted.filters)
            after["precision"] = after["precision"] or "standard"
        self.result.update(after=after, commands=[step.command for step in self.steps])
        self.result["msg"] = "%s would be %s." % (self.name, self.participle())

    def perform(self) -> "Entry":
        """The steps and their proof; the state after them."""
        pids = [p["pid"] for p in self.controller.find()]
        for step in self.steps:
            self.controller.take(step, pids)
        if self.wanted.state == "stopped":
            return self.controller.settle_stopped(self.options["wait"])
        if self.module in UTILITIES:
            return self.controller.observe()
        after = self.controller.settle(
            1.0 if self.wanted.state == "reloaded" else self.options["wait"],
            self.wanted.precision,
        )
        if self.wanted.state == "reloaded" and after["pid"] != self.before["pid"]:
            raise control.ControlError("Its process did not survive the reload.")
        return after

    def touched(self, others: "Dict[str, List[int]]") -> "List[str]":
        """Modules beside it that are no longer the same."""
        if self.module == "watchdog":
            return []
        now = control.others(self.context.home, self.module, self.instance)
        names = sorted(name for name in others if now.get(name) != others[name])
        if names:
            self.bracket.warnings.append(
                "Meanwhile the process of %s changed, too." % ", ".join(names)
            )
        return names

    def explain(self, failure: str, back: "Optional[str]") -> str:
        """The failure for an operator."""
        tried = ", then ".join(" ".join(command) for command in self.controller.commands)
        log = "%s/%s/log/%s.log" % (self.context.var_dir, self.instance, self.module)
        return "%s could not be %s. Tried: %s. %s %s Look into %s%s." % (
            self.name, self.participle(), tried, failure, back, log,
            " and " + self.result["evidence"] if self.result["evidence"] else "",
        )  # fmt: skip

    def diff(self) -> "Entry":
        """Before and after, as --diff shows it."""
        before, after = self.result["before"], self.result["after"]
        announced = after["pid"] is None
        return {
            "before": {self.name: _shown(before, False)},
            "after": {self.name: _shown(after, announced)},
        }


def _shown(state: "Entry", new: bool) -> "Entry":
    """What --diff shows of a state; new: of a process that there will be."""
    shown = dict((name, state[name]) for name in ("state", "pid", "precision", "filters"))
    if new and state["state"] != "stopped":
        shown["pid"] = "a new process"
    return shown


def blank_result() -> "Entry":
    """The result when nothing has been done yet."""
    return {
        "changed": False,
        "refused": False,
        "guard": None,
        "holder": None,
        "left": "as_before",
        "commands": [],
        "seconds": 0.0,
        "evidence": None,
        "touched": [],
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    answer.run(module, Change, blank_result(), module.params["module"])


if __name__ == "__main__":
    main()
