#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_plan
short_description: Plan which findings are repaired, how and in which order
version_added: 1.0.0
description:
  - Turns what M(campaign.remediation.campaign_diagnose) registered on every host, and the policy of
    each, into ordered steps. What is not to be repaired is listed with the reason.
  - Only findings that no other one explains are repaired, each with the mildest documented remedy.
  - Nothing is done on the hosts, and no connection is made. Run it once for all of them, with
    O(ignore:run_once=true).
  - The plan, its policy and the ladder of remedies are described in C(docs/user/plan.md).
options:
  hosts:
    description: Hosts to plan for. By default all hosts of the play.
    type: list
    elements: str
  variable:
    description: Variable of each host that holds the registered result of the diagnosis.
    type: str
    default: campaign_diagnosis
  actions_variable:
    description:
      - Variable of each host that lists what this run has done so far.
      - A finding whose remedies did not help is not planned again.
    type: str
    default: campaign_actions
  work_variable:
    description:
      - Variable of each host that holds the registered result of
        M(campaign.remediation.campaign_guard) with C(state=looked), which reports the work in flight.
      - Each step lists what it would interrupt. Null means that this is unknown.
    type: str
    default: campaign_work
  mute_memory:
    description:
      - File on the controller in which M(campaign.remediation.campaign_report) remembers how long
        muted findings have been gone. A mute ends when that was a day.
      - By default the variable C(campaign_mute_memory), else C(mutes.json) in the directory that
        C(campaign_report_dir) names (C(campaign-report)).
    type: path
  plan_file:
    description:
      - File on the controller to write the plan to, for its owner alone. Empty means none.
      - It is written in check mode, too, as it changes no host.
    type: path
    default: ''
  read_file:
    description:
      - File of a plan to apply instead of making one. Empty means to make one, or to apply the
        plan in the variable C(campaign_plan_data), which has the plan as data or as JSON text.
      - A plan that has expired is refused. A host whose findings or processes are no longer those
        that the plan was made for gets no step; the other hosts go on.
      - Today's policy holds for it as well.
    type: path
    default: ''
  valid_minutes:
    description: Minutes after which a plan expires.
    type: float
    default: 60
  validate_only:
    description:
      - Only check the policy of each host, and the plan of O(read_file) or C(campaign_plan_data),
        without the diagnoses. So a policy that says something impossible, and a plan that cannot be
        applied, are refused before any host is asked.
      - Whether its hosts are still in the state that it was made for is not checked.
    type: bool
    default: false
  required:
    description: Whether a plan must be given, by O(read_file) or C(campaign_plan_data).
    type: bool
    default: false
  plan_only:
    description: Whether the plan is made to be read, and nothing of it is applied in this run.
    type: bool
    default: false
  who:
    description:
      - Who makes the plan. By default the variable C(campaign_who), else the user of the automation
        controller, else the account on the controller.
    type: str
  run:
    description: Name of the run. By default a new one.
    type: str
    default: ''
  remedies_allowed:
    description:
      - Remedies that may be applied. Empty means all that are documented.
      - By default each host's variable C(campaign_remedies_allowed).
    type: list
    elements: str
  remedies_denied:
    description:
      - Remedies that may not be applied, whatever else allows them.
      - By default each host's variable C(campaign_remedies_denied).
    type: list
    elements: str
  modules_excluded:
    description:
      - Modules that are left alone, such as V(mta) or V(wfserver@prod2).
      - A remedy that stops the whole service is not applied where one of them is.
      - By default each host's variable C(campaign_modules_excluded).
    type: list
    elements: str
  windows:
    description:
      - Maintenance windows, each a mapping of C(days) (V(mon) to V(sun), on which it opens; empty
        means all), C(from) and C(to) (such as V(22:00); over midnight if C(to) is not later), and
        C(remedies) (empty means all).
      - A remedy that a window names is applied only while such a window is open. A remedy that none
        names is applied always.
      - By default each host's variable C(campaign_windows).
    type: list
    elements: dict
  windows_timezone:
    description:
      - Time zone of O(windows), and of the days in O(freezes) and O(muted), such as
        V(Europe/Paris).
      - By default each host's variable C(campaign_windows_timezone), else the zone of the
        controller.
    type: str
  freezes:
    description:
      - Times in which remedies are not applied, whatever O(windows) says, each a mapping of
        C(from), C(to), C(reason), and if need be C(remedies) (empty means all).
      - C(from) and C(to) are dates, with C(to) included, or moments.
      - By default each host's variable C(campaign_freezes).
    type: list
    elements: dict
  muted:
    description:
      - Findings that are known and left alone, each a mapping of C(key), C(until) and C(reason),
        and if need be C(instance), C(host), C(severity_at) and C(evidence_at).
      - C(until) is a date, that day included, or a moment.
      - A mute ends early when the finding, or one that it explains, is graver than C(severity_at)
        (by default the finding's own severity), or when a number of its evidence is above the one
        that C(evidence_at) gives for it.
      - A mute also ends when its finding has been gone for a day (O(mute_memory)).
      - By default each host's variable C(campaign_muted).
    type: list
    elements: dict
  ask:
    description:
      - Whether to ask for confirmation of each step, before the first one is applied.
      - Without a terminal, as in a job of AWX, nobody is asked and these steps are not applied.
      - By default each host's variable C(campaign_ask), else V(false).
    type: bool
  ask_seconds:
    description: How long to wait for the answer to each question, in seconds. Then nothing more is asked.
    type: float
    default: 300
  approval:
    description:
      - V(required) applies only a plan that another person than its maker has approved, with
        C(campaign-doctor approve).
      - By default each host's variable C(campaign_approval), else V(none).
    type: str
  highest_rung:
    description:
      - The strongest remedy that may be applied, one of V(restart), V(kill_and_start),
        V(rebuild_shared_memory), V(restart_service).
      - By default each host's variable C(campaign_highest_rung), else V(restart_service).
    type: str
  recurrence:
    description:
      - How often a finding may come back and be repaired again, C(times) within C(days).
        One that came back more often is left to an operator.
      - The ledger of the host is counted. C(times) is 1 to 100, C(days) 1 to 30.
      - By default each host's variable C(campaign_recurrence), else 3 times in 7 days.
    type: dict
  min_healthy:
    description:
      - For groups of the inventory how many of their hosts must stay healthy, as a number or a
        percentage. A host that was not diagnosed is not healthy, nor is one on which a module is
        stopped for its repair.
      - This and all options below hold for the whole run. By default the variable of the same name that
        all hosts have, such as C(campaign_min_healthy).
    type: dict
  canary:
    description:
      - How many hosts try a remedy for a finding before others, if more than O(canary_from) hosts
        need it. The others follow only if it was proved to help. With 0 none does. The default is 1.
    type: raw
  canary_from:
    description: How many hosts with the same finding need no canary. The default is 3.
    type: raw
  batch:
    description:
      - How many hosts follow a canary at once, as a number or as a percentage of the planned hosts;
        after each success twice as many. The default is V(25%).
    type: raw
  max_failures:
    description:
      - How many repairs that fail or are not proved to help end the run for all hosts that have not
        begun, as a number or as a percentage of the planned hosts. The default is 3 or V(25%),
        whichever is less, and at least 1.
    type: raw
  storm_percent:
    description:
      - If more than this percentage of the hosts of a group, and at least four, have the same new
        finding, its repair waits for O(accept_storm). The default is 30.
    type: raw
  accept_storm:
    description: Keys of findings to repair although so many hosts have them, or V(true) for all.
    type: raw
  serial:
    description:
      - How many hosts are repaired at once at most, as a number or as a percentage of the planned
        hosts. The default is V(100%).
    type: raw
  previous:
    description:
      - The report of an earlier run. If it is at least a day old, what it has of a host is not new
        there and makes no storm.
      - By default the variable C(campaign_report_previous).
    type: path
attributes:
  check_mode:
    description: The plan is made in check mode, too, as it changes no host.
    support: full
author:
  - campaign.remediation contributors (@campaign)
"""

EXAMPLES = r"""
- name: Plan
  campaign.remediation.campaign_plan:
    plan_file: /var/reports/campaign/plan.json
  run_once: true
  register: campaign_plan

- name: Apply the plan that was read
  campaign.remediation.campaign_plan:
    read_file: /var/reports/campaign/plan.json
  run_once: true
  register: campaign_plan
"""

RETURN = r"""
plan:
  description: The plan. The file of O(plan_file) holds the same.
  returned: when not O(validate_only)
  type: dict
  contains:
    schema:
      description: Number of the format.
      type: int
    made_at:
      description: When it was made, in UTC.
      type: str
    expires_at:
      description: Until when it can be applied, in UTC.
      type: str
    run:
      description: Name of the run.
      type: str
    made_by:
      description: Who made it.
      type: str
    approval:
      description: Who approved it (C(by)), when (C(at)), and the hash of what they saw (C(sha256)).
      type: dict
    hosts:
      description:
        - For each host its C(steps), what is C(left) and why, and the C(fingerprint) of its state.
      type: list
      elements: dict
steps:
  description: The steps of each host, in order.
  returned: when not O(validate_only)
  type: dict
  sample: {app1: [{order: 1, module: wfserver, instance: prod, remedy: start}]}
approved:
  description: Who made and who approved the plan, in a sentence. Empty without an approval.
  returned: when not O(validate_only)
  type: str
read:
  description: Whether the plan was given, as a file or as data.
  returned: when not O(validate_only)
  type: bool
confirmed:
  description: The orders of the steps that the operator confirmed, by host.
  returned: when not O(validate_only)
  type: dict
  sample: {app1: [1]}
unconfirmed:
  description: Why further steps were not asked about. Empty if all were.
  returned: when not O(validate_only)
  type: str
ansible_stats:
  description:
    - What an automation controller keeps of the job and gives to the next one of a workflow, as
      M(ansible.builtin.set_stats) would. C(campaign_plan_summary) is the summary,
      C(campaign_plan_verdict) one of V(planned), V(nothing to do) and V(refused).
    - C(campaign_plan_data) is the plan without what is not needed to apply it, if it was made here.
      If it is larger than 256 KB it is a sentence instead, which the next job refuses.
  returned: when not O(validate_only)
  type: dict
fleet:
  description:
    - The brakes of the run, its C(waves), C(storms) and C(trials) among them. It is also in RV(plan).
  returned: always
  type: dict
waves:
  description: For each host that is repaired the number of its wave.
  returned: always
  type: dict
  sample: {app1: 1, app2: 2}
at:
  description: When the plan was made, or was found to hold still, in seconds since 1970.
  returned: when not O(validate_only)
  type: float
summary:
  description: Numbers of hosts, of steps, of findings left, and of hosts refused.
  returned: when not O(validate_only)
  type: dict
  sample: {hosts: 2, steps: 1, left: 3, refused: 0}
file:
  description: Absolute path of the file that was written, or an empty string.
  returned: when not O(validate_only)
  type: str
"""
