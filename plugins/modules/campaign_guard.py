#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_guard
short_description: Guards and ledger around changes that other Ansible modules make
version_added: "1.0.0"
description:
  - Brackets a run, and each remedy in it that is done by Ansible's own modules, with the same
    guards and the same ledger as M(campaign.remediation.campaign_module).
  - It changes nothing on the server itself. What it writes is below O(state_dir), and does not
    count as a change.
author:
  - campaign.remediation contributors (@campaign)
extends_documentation_fragment:
  - campaign.remediation.server
  - campaign.remediation.guards
options:
  state:
    description:
      - V(looked) reports what work is in flight on the whole server, and does nothing else.
      - V(opened) takes the lock of the host for O(run), saves evidence of the whole server if
        O(evidence), and reports which repairs were begun and never ended.
      - V(begun) asks the guards for a remedy of O(module) and writes it into the ledger.
      - V(ended) writes down how it ended.
      - V(closed) releases the lock. Remedies of this run that are still open are reported.
      - V(shown) reports who holds the host, until when, and the last lines of the ledger.
      - V(freed) reports the same and releases the lock, whoever holds it. It refuses while a process
        of the holder is running on the host, unless O(accept_other_run).
      - A lock expires by itself. The next run from the same controller takes the host over at once
        if the previous run's process has ended; a run from elsewhere does so after two minutes
        without a sign of life. A step that is still running on the host is waited for.
    type: str
    required: true
    choices: [looked, opened, begun, ended, closed, shown, freed]
  module:
    description: The module that the remedy is for. If empty, the host.
    type: str
    default: ""
    choices:
      - ""
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
  since:
    description:
      - When the caller last checked the host, in seconds since 1970 by the clock of the host,
        for O(state=opened).
    type: float
  other_names:
    description:
      - What O(state=opened) does if this same run has the host under another name of the inventory.
      - V(refuse) refuses at once, with RV(sibling), so that the run can first do the steps that it
        has to wait for. V(wait) waits for O(lock_timeout).
    type: str
    default: refuse
    choices: [refuse, wait]
  restart:
    description:
      - Whether the remedy restarts O(module). Only then are budget and work in flight checked.
    type: bool
    default: true
  whole_server:
    description:
      - Whether the remedy stops the whole server. Then the work in flight of all modules is checked,
        and all steps until O(state=ended) count as steps of this remedy.
    type: bool
    default: false
  result:
    description: How the remedy ended, for O(state=ended).
    type: str
    default: done
    choices: [done, failed, unchanged]
  reason:
    description: Why it ended that way, for O(state=ended).
    type: str
    default: ""
  commands:
    description: The commands that it runs or ran, for the ledger.
    type: list
    elements: list
    default: []
  seconds:
    description:
      - How long it took, in seconds, for O(state=ended). By default since O(state=begun).
    type: float
  before:
    description: The state before, for the ledger. By default O(module) as it is at O(state=begun).
    type: dict
  after:
    description: The state after, for the ledger. By default O(module) as it is at O(state=ended).
    type: dict
  fetch:
    description:
      - Evidence directories to bring to the controller, for O(state=closed).
      - Needs O(fetch_to).
    type: list
    elements: str
    default: []
  fetch_to:
    description:
      - Directory on the controller for O(fetch). Each evidence directory becomes one below it,
        for its owner alone.
    type: path
    default: ""
seealso:
  - module: campaign.remediation.campaign_module
"""

EXAMPLES = r"""
- name: Take the lock of the host for this run
  campaign.remediation.campaign_guard:
    state: opened
    run: "{{ campaign_run }}"
    who: anna
  become: true

- name: Move the temporary directory of the server
  become: true
  block:
    - name: Ask the guards
      campaign.remediation.campaign_guard:
        state: begun
        run: "{{ campaign_run }}"
        module: mta
        instance: prod
        remedy: move_tmp
        because: [mta.temporary_device]

    - name: Export TMPDIR
      ansible.builtin.lineinfile:
        path: /usr/local/neolane/nl6/customer.sh
        regexp: ^export TMPDIR=
        line: export TMPDIR=/usr/local/neolane/nl6/var/tmp

    - name: Write down that it is done
      campaign.remediation.campaign_guard:
        state: ended
        run: "{{ campaign_run }}"
        module: mta
        instance: prod
        remedy: move_tmp

- name: Give the lock back
  campaign.remediation.campaign_guard:
    state: closed
    run: "{{ campaign_run }}"
  become: true
"""

RETURN = r"""
run:
  description: The name of the run, made up by O(state=opened) if O(run) is empty.
  returned: when the options are valid
  type: str
  sample: 20251123T104210Z-1f2e3d
state_dir:
  description: Where ledger, lock and evidence are.
  returned: when the options are valid
  type: str
  sample: /usr/local/neolane/remediation
evidence:
  description: The directory of the evidence on the host. Null if there is none.
  returned: when the options are valid
  type: str
before:
  description: O(module) as it was when the remedy began. Null for the host.
  returned: with O(state=begun) and O(state=ended)
  type: dict
  sample: {state: hung, pid: 7832, started_at: 1763894400.5, precision: standard, filters: [],
    memory_mb: 11.5}
after:
  description: O(module) as it is now. Null for the host.
  returned: with O(state=ended)
  type: dict
seconds:
  description: How long the remedy took.
  returned: with O(state=ended)
  type: float
left:
  description:
    - V(as_before) if O(module) is in the state and with the log precision in which it was when the
      remedy began, else V(changed), and V(unknown) if that was not seen. What is beside the
      process, such as a file or another service, is not looked at.
  returned: with O(state=ended)
  type: str
work:
  description:
    - The work in flight. Of each its C(kind) (V(workflow), V(job) or V(session)), C(what) it is,
      the C(module) whose end cancels it, its C(instance), C(pid) or where it comes C(from), and
      C(since) when, in seconds since 1970. Sessions are those that were active in the last 15
      minutes.
  returned: with O(state=looked)
  type: list
  elements: dict
  sample:
    - kind: workflow
      what: "runwf -instance:prod -wf:nightly"
      module: wfserver
      instance: prod
      pid: 4711
      since: 1763894400.5
meanwhile:
  description: Other runs that have written into the ledger after O(since).
  returned: with O(state=opened)
  type: list
  elements: str
done_elsewhere:
  description:
    - What this same run has done to the server under other names of it, each with C(module),
      C(instance), C(remedy) and C(host), the name.
  returned: with O(state=opened)
  type: list
  elements: dict
taken_over:
  description: Whose host this run took over and why, in a sentence. Empty if it was free.
  returned: when the options are valid
  type: str
sign:
  description: The file whose time is a sign of life of the run. Null if none could be made.
  returned: with O(state=opened)
  type: str
holder:
  description:
    - The run that has the host. Its C(run), C(host) (by which name it calls the host), C(who),
      C(from), C(since), C(scope), C(controller) (the process that runs its playbook) and C(state).
  returned: with O(state=shown) and O(state=freed), and when the guard V(lock) refuses
  type: dict
sibling:
  description: Whether it refused because this same run has the host under another name.
  returned: with O(state=opened)
  type: bool
text:
  description: Who holds the host and the last lines of the ledger, for people.
  returned: with O(state=shown) and O(state=freed)
  type: list
  elements: str
waited:
  description: How long another run had the host before this one got it, in seconds.
  returned: with O(state=opened)
  type: float
fetched:
  description: The directories on the controller that the evidence was brought to.
  returned: with O(fetch)
  type: list
  elements: str
interrupted:
  description:
    - Repairs that were begun and never ended, with the present state of their modules and what they
      have stopped and not started again (C(unfinished)). For O(state=closed) those of this run,
      else those of earlier runs.
  returned: when the options are valid
  type: list
  elements: dict
precisions:
  description:
    - The log precisions that were raised and not restored, with their end (C(until), in seconds
      since 1970, null for none), and whether it is over (C(expired)).
  returned: when the options are valid
  type: list
  elements: dict
  sample:
    - module: wfserver
      instance: prod
      value: verbose
      filters: []
      at: 1763894400.5
      until: 1763896200.5
      who: anna
      expired: false
refused:
  description: Whether a guard refused.
  returned: always
  type: bool
guard:
  description: The guard that refused. V(lock), V(budget), V(in_flight), V(evidence) or V(record).
  returned: always
  type: str
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
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    evidence,
    ledger,
    lock as rules,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    answer,
    control,
    guard,
    in_flight,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair.interrupted import (
    FINISH,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict, List, Optional

    Entry = Dict[str, Any]

STATES = ["looked", "opened", "begun", "ended", "closed", "shown", "freed"]
WITHOUT_RUN = ("looked", "opened", "shown", "freed")
LAST_LINES = 10


def argument_spec() -> "Dict[str, Entry]":
    """The options."""
    return dict(
        guard.argument_spec(),
        state=dict(type="str", required=True, choices=STATES),
        module=dict(type="str", default="", choices=[""] + list(MODULES)),
        instance=dict(type="str", default=DEFAULT),
        since=dict(type="float"),
        other_names=dict(type="str", default="refuse", choices=["refuse", "wait"]),
        restart=dict(type="bool", default=True),
        whole_server=dict(type="bool", default=False),
        result=dict(type="str", default="done", choices=["done", "failed", "unchanged"]),
        reason=dict(type="str", default=""),
        commands=dict(type="list", elements="list", default=[]),
        seconds=dict(type="float"),
        before=dict(type="dict"),
        after=dict(type="dict"),
        fetch=dict(type="list", elements="str", default=[]),
        fetch_to=dict(type="path", default=""),
    )


class Call:
    """One call, with what all of them share."""

    def __init__(self, options: "Entry", check_mode: bool, result: "Entry") -> None:
        self.options = options
        self.result = result
        self.module, self.instance = options["module"], options["instance"]
        if options["state"] not in WITHOUT_RUN and not options["run"]:
            raise InputError("state: %s needs the run that was opened." % options["state"])
        if options["state"] in ("begun", "ended") and not options["remedy"]:
            raise InputError("state: %s needs the name of the remedy." % options["state"])
        self.state_before, self.seconds = options["before"], options["seconds"]
        self.state_after = options["after"]
        self.context = guard.open_context(options)
        if self.module:
            guard.check_subject(self.context, self.module, self.instance)
        self.bracket = guard.Bracket(self.context, check_mode)
        result.update(
            run=self.bracket.run,
            state_dir=self.bracket.store.path,
            interrupted=self.bracket.interrupted,
        )

    def line(self) -> "Entry":
        """What every line of the ledger says of this remedy."""
        options = self.options
        names = ("module", "instance", "remedy", "because")
        line = dict((name, options[name]) for name in names)
        line.update(before=self.state_before, after=self.state_after, seconds=self.seconds)
        line["command"] = [[str(word) for word in command] for command in options["commands"]]
        return line

    def run(self) -> None:
        """Do it."""
        bracket = self.bracket
        try:
            self.result["msg"] = getattr(self, self.options["state"])()
        except guard.Refused as refused:
            if self.options["state"] == "begun":
                bracket.note("refused", result="refused", reason=str(refused), **self.line())
            raise
        finally:
            self.result.update(evidence=bracket.evidence, taken_over=bracket.taken_over)
        now = time.time()
        self.result["precisions"] = [
            dict(entry, expired=bool(entry.get("until") and entry["until"] < now))
            for entry in ledger.precisions(bracket.lines())
        ]

    def looked(self) -> str:
        """Nothing begins."""
        work = in_flight.in_flight(self.context, "watchdog", DEFAULT)
        for entry in work:
            entry["what"] = self.bracket.scrub(entry["what"])
        self.result["work"] = work
        return "At work: %s." % (in_flight.describe_work(work) or "nothing")

    def opened(self) -> str:
        """The run begins."""
        self.result["sibling"] = False
        siblings = self.options["other_names"] == "wait"
        try:
            self.result["waited"] = round(self.bracket.enter("run", siblings), 3)
        except guard.Refused as refused:
            self.result["sibling"] = (refused.holder or {}).get("state") == rules.SIBLING
            raise
        self.result["done_elsewhere"] = ledger.done_by(self.bracket.lines(), self.bracket.me)
        try:
            self.result["meanwhile"] = self.others_since(self.options["since"])
            if self.options["evidence"] and not self.bracket.check_mode:
                self.bracket.keep_evidence("", DEFAULT)
            self.bracket.write("run_opened", because=self.options["because"])
        except guard.Refused:
            self.bracket.leave()
            raise
        self.bracket.leave(keep=True)
        self.result["sign"] = None if self.bracket.check_mode else self.bracket.lock.sign_path()
        return "The run %s has this host." % self.bracket.run

    def others_since(self, since: "Optional[float]") -> "List[str]":
        """Other runs that have done something here since then."""
        if since is None:
            return []
        return sorted(set(
            line["run"] for line in self.bracket.lines()
            if line["at"] > since and line["run"] and line.get("result") != "interrupted"
            and not ledger.is_by(line, self.bracket.me)
        ))  # fmt: skip

    def shown(self) -> str:
        """Who has this host."""
        return self.bracket.show(self.result, LAST_LINES)

    def freed(self) -> str:
        """Nobody has it any more."""
        self.shown()
        entry = self.bracket.free()
        self.result["changed"] = bool(entry)
        if not entry:
            return "Nobody holds this host."
        verb = "would be" if self.bracket.check_mode else "was"
        return "The lock of %s %s removed." % (rules.name_run(entry), verb)

    def begun(self) -> str:
        """A remedy begins."""
        bracket = self.bracket
        whole = self.options["whole_server"]
        restart = self.options["restart"] and bool(self.module)
        bracket.enter("run")
        self.state_before = self.result["before"] = self.state_before or self.look()
        try:
            if not bracket.inside(self.module, self.instance):
                self.ask(restart, whole)
            bracket.write("begun", restart=restart, whole_server=whole, **self.line())
        except guard.Refused:
            bracket.leave()
            raise
        bracket.leave(keep=True)
        return "%s of %s@%s has begun." % (
            self.options["remedy"], self.module or "host", self.instance
        )  # fmt: skip

    def look(self) -> "Optional[Entry]":
        """The module as it is; the host has no process."""
        if not self.module:
            return None
        return control.observe(self.context, self.module, self.instance)

    def ask(self, restart: bool, whole: bool) -> None:
        """The guards: first the whole server's work, so that evidence is taken once."""
        bracket = self.bracket
        if whole:
            bracket.check_in_flight("watchdog", DEFAULT)
        runs = restart and bracket.present(self.module, self.instance)["pid"]
        bracket.check(self.module, self.instance, restart, bool(runs) and not whole)

    def ended(self) -> str:
        """A remedy has ended. What cannot be written any more is a warning."""
        begun = self.bracket.open_repair(self.module, self.instance, self.options["remedy"])
        if begun:
            self.state_before = self.state_before or begun.get("before")
            if self.seconds is None:
                self.seconds = round(max(0.0, time.time() - begun["at"]), 3)
        before, after = self.state_before, self.state_after or self.look()
        self.state_after = after
        self.result.update(before=before, after=after, seconds=self.seconds, left="unknown")
        seen = [state for state in (before, after) if state and set(control.KEPT) <= set(state)]
        if len(seen) == 2:
            self.result["left"] = control.left(*seen)
        line = dict(self.line(), result=self.options["result"], reason=self.options["reason"])
        self.bracket.note("ended", **line)
        if self.options["remedy"] == FINISH and self.options["result"] == "done":
            self.bracket.settle(write=not self.bracket.check_mode, finished=True)
        self.bracket.leave(keep=True)
        return "%s of %s@%s has ended: %s." % (
            self.options["remedy"], self.module or "host", self.instance, self.options["result"]
        )  # fmt: skip

    def closed(self) -> str:
        """The run ends."""
        self.bracket.settle(own=True)
        self.bracket.note("run_closed", reason=self.options["reason"])
        self.bracket.leave(close=True)
        if self.options["fetch"]:
            self.result["packed"] = evidence.packed(self.bracket.store, self.options["fetch"])
        return "The run %s gave this host back." % self.bracket.run

    def diff(self) -> "Dict[str, str]":
        """What freed changes, or would; all else changes nothing on the server."""
        before = after = ""
        if self.result["changed"]:
            before, after = "held by %s\n" % rules.name_run(self.result["holder"]), "free\n"
        return {"before": before, "after": after}


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    answer.run(
        module, Call, {"changed": False, "refused": False, "guard": None, "evidence": None}
    )


if __name__ == "__main__":
    main()
