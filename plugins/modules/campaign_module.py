#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_module
short_description: Start, stop, restart or reload one module of an Adobe Campaign Classic server
version_added: "1.0.0"
description:
  - Brings one module of one instance to a state, with the commands that the vendor documents,
    and waits until it runs and stays up.
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
- name: Restart a workflow server when its workflows have finished
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
    - How the module is left. V(as_before), in its earlier state and with its earlier log precision,
      also if they were restored or a new process has them; V(changed), C(after) says
      how; V(unknown) if it could no longer be checked.
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
  description: The guard that refused. V(lock), V(pause), V(budget), V(in_flight), V(evidence) or V(record).
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DEFAULT,
    MODULES,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    answer,
    control,
    guard,
    module_change,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

    Entry = Dict[str, Any]


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


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    answer.run(module, module_change.Change, module_change.blank_result(), module.params["module"])


if __name__ == "__main__":
    main()
