#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_diagnose
short_description: Find out what is wrong with an Adobe Campaign Classic server, and why
version_added: 1.0.0
description:
  - Takes a snapshot of the server with M(campaign.remediation.campaign_info) and judges it on the
    controller by the catalogue of problems, in one task and one round trip.
  - Each finding has its evidence, the findings that explain it, the documented fix as a command to
    paste, and its source. The catalogue is in C(docs/user/problems.md).
  - An option that the task leaves out is taken from the host's variable C(campaign_<option>), if
    there is one, for example O(home) from C(campaign_home); not so O(snapshot),
    O(return_snapshot), O(unless_stopped) and O(gone). So a site writes its values once, in its
    inventory.
  - The host needs a Python of 3.6 or newer and nothing else. Nothing of Ansible's own library is
    sent, and with pipelining no file is written there. Only to ask the server's API from the host
    (O(api), O(api_from)), and O(plain_module), take an Ansible module like any other.
  - Nothing is changed on the host; with O(api), the server writes its usual lines on a logon.
    The same snapshot always gives the same diagnosis.
extends_documentation_fragment:
  - campaign.remediation.server
  - campaign.remediation.snapshot
  - campaign.remediation.jobs
  - campaign.remediation.api
options:
  thresholds:
    description:
      - Thresholds by name that replace the catalogue's, for example C(disk_alert_percent).
      - The names and the defaults are in C(docs/user/problems.md).
    type: dict
    default: {}
  snapshot:
    description:
      - A snapshot to judge instead of a server, without any connection.
      - The mapping itself, or the path of a JSON file on the controller.
    type: raw
  return_snapshot:
    description: Return the snapshot, too, so that it can be saved.
    type: bool
    default: false
  fail_on:
    description: Fail when there is a finding of this severity or above.
    type: str
    choices: [critical, warning, never]
    default: never
  unless_stopped:
    description:
      - Skip the host if the run was asked to stop, by the file on the controller that the variable
        C(campaign_stop_file) names, and has no C(campaign_diagnosis) of it yet.
    type: bool
    default: false
  gone:
    description:
      - Ids of findings that a remedy should have fixed. The diagnosis is repeated until none of them
        is still found, or the time of O(gone_within) is over.
      - A finding is gone only if the probes that show it have answered, and proved to be gone only
        if it had a chance to show itself again. For example, dying workflow processes show only
        when a workflow runs.
      - Whether they are gone does not fail the task, see RV(remaining).
    type: list
    elements: str
    default: []
  gone_within:
    description: How long a repaired finding may take to disappear, in seconds.
    type: float
    default: 60
  plain_module:
    description:
      - Send M(campaign.remediation.campaign_info) the way Ansible sends every module, instead of
        the collection's own program. The diagnosis is the same, but slower.
      - The variable C(campaign_plain_module) also holds for M(campaign.remediation.campaign_guard)
        and M(campaign.remediation.campaign_module).
      - For troubleshooting (C(docs/developer/fast-path.md)).
    type: bool
    default: false
attributes:
  check_mode:
    description: The diagnosis is the same in check mode, as it changes nothing.
    support: full
seealso:
  - module: campaign.remediation.campaign_info
  - module: campaign.remediation.campaign_report
author:
  - campaign.remediation contributors (@campaign)
"""

EXAMPLES = r"""
- name: Diagnose everything on a standard installation
  campaign.remediation.campaign_diagnose:
  register: campaign_diagnosis

- name: Has the restart helped?
  campaign.remediation.campaign_diagnose:
    modules: [web]
    gone: [web.blank_page@default]
  register: proof

- name: Only the workflow server of one instance; fail if it does not work
  campaign.remediation.campaign_diagnose:
    instances: [prod]
    modules: [wfserver]
    fail_on: critical

- name: Judge a saved snapshot with other thresholds
  campaign.remediation.campaign_diagnose:
    snapshot: "{{ playbook_dir }}/snapshot.json"
    thresholds:
      disk_alert_percent: 95
"""

RETURN = r"""
remaining:
  description:
    - The findings of O(gone) that are not proved to be gone, by their id, and why.
    - Empty when all are.
  returned: when the snapshot could be taken
  type: dict
  sample:
    web.blank_page@default: The logon page of web is blank.
unproved:
  description:
    - The findings of O(gone) that no longer show, but had no chance to show again until
      the time of O(gone_within) was over, by their id, and why.
  returned: when the snapshot could be taken
  type: dict
  sample:
    wfserver.children_dying@prod: no workflow has run since wfserver@prod began
diagnosis:
  description: What was found.
  returned: when the snapshot could be taken
  type: dict
  contains:
    name:
      description: Name of the host in the inventory.
      type: str
    reachable:
      description: Always V(true); a host that is not reached has no diagnosis.
      type: bool
    error:
      description: Why nothing could be judged, for example that Campaign is not installed.
      type: str
    started_at:
      description: When the task began, by the controller's clock, in seconds since the epoch.
      type: float
    taken_at:
      description: When the snapshot was taken, by the host's clock, in seconds since the epoch.
      type: float
    seconds:
      description: How long the snapshot took.
      type: float
    home:
      description: Directory of the installation.
      type: str
    user:
      description: Account that Campaign runs as.
      type: str
    addresses:
      description: Further names and addresses of the host.
      type: list
      elements: str
    build:
      description: Build of Campaign.
      type: str
    installed:
      description: Whether Campaign is installed there.
      type: bool
    instances:
      description: Instances that were judged.
      type: list
      elements: str
    modules:
      description:
        - Each Campaign module of each instance.
        - Its C(state) is V(running), V(stopped), V(hung), V(idle) or V(unknown).
        - Its C(verdict) is V(healthy), V(degraded), V(down), V(unknown) or V(not_expected).
      type: list
      elements: dict
    findings:
      description:
        - What is wrong, root causes first. C(caused_by_ids) of a finding name what explains it,
          C(fix) is a command to paste.
      type: list
      elements: dict
    unseen:
      description: Probes that failed; what depends on them was not judged.
      type: list
      elements: dict
    thresholds:
      description: Numbers by which it was judged.
      type: dict
    paused:
      description:
        - The pause of repairs on the host. Its C(until), C(since), C(who) and C(reason), or in
          C(unknown) why it is unknown whether there is one. Not there without a pause.
      type: dict
    repaired:
      description:
        - Earlier repairs of what was found, by the ledger of the host, each with C(id), C(at) and
          C(remedy). Not there without one.
      type: list
      elements: dict
    ledger_begins_at:
      description: When the part of the ledger begins that was read. Not there if all of it was.
      type: float
snapshot:
  description: The snapshot that was judged.
  returned: when O(return_snapshot=true)
  type: dict
"""
