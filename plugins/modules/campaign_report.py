#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_report
short_description: Report the diagnoses of all hosts of a play
version_added: 1.0.0
description:
  - Gathers what M(campaign.remediation.campaign_diagnose) registered on every host, finds the
    causes on another host, shows the result on the terminal and writes it as files on the
    controller.
  - Nothing is done on the hosts, and no connection is made. Run it once for all of them, with
    C(run_once) and in a play of its own, so that hosts that could not be diagnosed are in the
    report, too.
options:
  hosts:
    description:
      - Hosts in the report.
      - By default all hosts of the play, those that could not be reached or failed among them.
    type: list
    elements: str
  variable:
    description:
      - Variable of each host that holds the registered result of the diagnosis.
    type: str
    default: campaign_diagnosis
  plan_variable:
    description:
      - Variable of the hosts that holds the registered result of
        M(campaign.remediation.campaign_plan), after a remediation.
    type: str
    default: campaign_plan
  actions_variable:
    description: Variable of each host that lists what a remediation did there.
    type: str
    default: campaign_actions
  directory:
    description:
      - Directory on the controller for the files. It is made if it is missing, for its owner.
      - A relative path starts from the directory in which the playbook was called.
    type: path
    default: campaign-report
  mute_memory:
    description:
      - File on the controller that remembers from run to run how long findings have been gone that
        C(campaign_muted) names. A mute ends when that was a day (C(docs/user/plan.md)).
      - By default the variable C(campaign_mute_memory), else C(mutes.json) in O(directory). If it
        cannot be read or written, the task warns, and mutes end at their date.
    type: path
  formats:
    description:
      - Files to write. V(json) is C(report.json), V(html) is C(report.html), V(junit) is
        C(junit.xml), V(openmetrics) is C(campaign.prom) for the textfile collector of
        node_exporter, which every account can read.
      - The counters of V(openmetrics) go on from the C(campaign.prom) of the run before, in the
        same directory.
      - An empty list writes nothing.
    type: list
    elements: str
    choices: [json, html, junit, openmetrics]
    default: [json, html, junit]
  display:
    description:
      - Show the report on the terminal.
      - Turn it off where the output of a callback plugin is read by a program.
    type: bool
    default: true
  mode:
    description:
      - What the run was for; it is written in the report.
      - V(replay) is the diagnosis of a saved snapshot.
    type: str
    choices: [diagnose, plan, remediate, targeted, replay]
    default: diagnose
  report:
    description:
      - Path of a saved C(report.json) to show and write again, in place of a report of the play's
        hosts.
      - O(hosts), O(variable), O(plan_variable), O(actions_variable) and O(mode) are not looked at
        then.
    type: path
  previous:
    description:
      - Path of the C(report.json) of an earlier run. The report then says what is new, gone, worse
        or better since.
      - If it cannot be read, the task warns.
    type: path
  fail_on:
    description:
      - Fail the task, once all is written, when there is a finding of this severity or above.
      - With V(critical) and V(warning), hosts without a diagnosis and failed repairs make it fail,
        too. With V(not_repaired), only failed repairs do.
    type: str
    choices: [critical, warning, not_repaired, never]
    default: never
  notify_url:
    description:
      - URL to which the report is posted as a CloudEvent in JSON, such as an Event Stream, a rulebook
        or a ticket system has it; C(docs/user/notifications.md) describes the event. It holds the root
        causes and names of hosts, and no evidence.
      - It begins with V(https://) or V(http://). A user and a password in it are sent as HTTP Basic.
      - Certificates are verified, and a redirect is not followed. Three attempts are made within 45
        seconds; if none is accepted, the task warns and does not fail.
    type: str
  notify_token:
    description: Token that is sent with the event as C(Authorization) C(Bearer).
    type: str
  notify_link:
    description: URL or path at which whoever gets the event finds the report; it is written in the event.
    type: str
attributes:
  check_mode:
    description: The report is shown and written in check mode, too, as it changes no host.
    support: full
author:
  - campaign.remediation contributors (@campaign)
"""

EXAMPLES = r"""
- name: Report
  hosts: all
  gather_facts: false
  tasks:
    - name: Report all hosts
      campaign.remediation.campaign_report:
        directory: /var/reports/campaign
        fail_on: critical
        notify_url: https://tickets.example.com/campaign
        notify_token: "{{ vault_ticket_token }}"
      run_once: true

- name: Show a saved report again
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Render it as a page
      campaign.remediation.campaign_report:
        report: /var/reports/campaign/monday/report.json
        previous: /var/reports/campaign/sunday/report.json
        directory: /var/www/html/campaign
        formats: [html]
"""

RETURN = r"""
report_dir:
  description: Absolute path of the directory.
  returned: always
  type: str
  sample: /home/operator/campaign-report
files:
  description: Paths of the files that were written.
  returned: always
  type: list
  elements: str
  sample: [/home/operator/campaign-report/report.json]
ansible_stats:
  description:
    - What an automation controller keeps of the job and gives to the next one of a workflow, as
      M(ansible.builtin.set_stats) would. Numbers and keys, nothing of the evidence. Not of a run that
      fails because of O(fail_on), as Ansible drops it then.
    - C(campaign_summary) is the summary, C(campaign_verdict) the worst verdict on a host, and
      C(campaign_roots) the C(host), C(key), C(instance) and C(severity) of at most 100 root causes.
  returned: always
  type: dict
summary:
  description: Numbers of hosts and of findings.
  returned: always
  type: dict
  sample: {hosts: 2, healthy: 1, down: 1, unreachable: 0, critical: 3, warning: 0, roots: 1}
"""
