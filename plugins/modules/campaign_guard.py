#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_guard
short_description: Guards and ledger around changes that other Ansible modules make
version_added: "1.0.0"
description:
  - Guards a run, and each remedy in it that is done by Ansible's own modules, with the same
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
      - V(paused) has every change of this host refused for O(pause_for), with O(reason). It takes no
        lock. A repair that has begun goes on to its end. It replaces an earlier pause.
      - V(resumed) ends the pause.
      - A lock expires by itself. The next run from the same controller takes over the host immediately
        if the previous run's process has ended; a run from elsewhere does so after two minutes
        without a sign of life. A step that is still running on the host is waited for.
    type: str
    required: true
    choices: [looked, opened, begun, ended, closed, shown, freed, paused, resumed]
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
    description:
      - Why it ended that way, for O(state=ended). Who approved the plan, for O(state=opened). Why
        repairs are paused, in at most 200 characters, for O(state=paused), which needs it.
    type: str
    default: ""
  pause_for:
    description: How long a pause lasts, from V(1m) to V(30d), such as V(30m) or V(2h), for O(state=paused).
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

- name: Pause repairs while the disk is replaced
  campaign.remediation.campaign_guard:
    state: paused
    pause_for: 2h
    reason: CHG-4711 replaces the disk
  become: true

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
pause:
  description:
    - The pause that holds. Its C(since) and C(until), in seconds since 1970, C(who), C(from) and
      C(reason). Where it cannot be known whether repairs are paused, C(unknown) says why.
    - Null without one.
  returned: with O(state=shown), O(state=freed), O(state=paused) and O(state=resumed)
  type: dict
  sample: {since: 1763894400.5, until: 1763901600.5, who: anna, from: ansible1,
    reason: CHG-4711 replaces the disk, unknown: null}
replaced:
  description: The pause that held before. Null without one.
  returned: with O(state=paused) and O(state=resumed)
  type: dict
unusual:
  description:
    - Whether what was seen asks to look at the host again before the planned steps are applied.
      RV(sibling), RV(waited), RV(meanwhile), RV(done_elsewhere) or RV(interrupted) says what it was.
  returned: with O(state=opened)
  type: bool
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
  description: The guard that refused. V(lock), V(pause), V(budget), V(in_flight), V(evidence) or V(record).
  returned: always
  type: str
msg:
  description: What was done, or why not, in a sentence.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    MODULES,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    answer,
    guard,
    guard_call,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

    Entry = Dict[str, Any]


def argument_spec() -> "Dict[str, Entry]":
    """The options."""
    return dict(
        guard.argument_spec(),
        state=dict(type="str", required=True, choices=guard_call.STATES),
        module=dict(type="str", default="", choices=[""] + list(MODULES)),
        instance=dict(type="str", default=DEFAULT),
        since=dict(type="float"),
        other_names=dict(type="str", default="refuse", choices=["refuse", "wait"]),
        restart=dict(type="bool", default=True),
        whole_server=dict(type="bool", default=False),
        result=dict(type="str", default="done", choices=["done", "failed", "unchanged"]),
        reason=dict(type="str", default=""),
        pause_for=dict(type="str", default=""),
        commands=dict(type="list", elements="list", default=[]),
        seconds=dict(type="float"),
        before=dict(type="dict"),
        after=dict(type="dict"),
        fetch=dict(type="list", elements="str", default=[]),
        fetch_to=dict(type="path", default=""),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    answer.run(module, guard_call.Call, guard_call.blank_result())


if __name__ == "__main__":
    main()
