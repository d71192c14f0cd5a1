#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_event
short_description: Find the hosts that an event of Event-Driven Ansible names
version_added: 1.0.0
description:
  - Reads the event that C(ansible-rulebook) hands to a playbook or a job template in the variable
    C(ansible_eda), and returns the hosts of the inventory that it names.
  - A report as a CloudEvent (C(campaign_notify_url)) names the hosts of those causes that can be repaired
    automatically. Alerts of Alertmanager name a host in the label C(host), if they are firing.
  - A host name of an event is compared with the names in the inventory. It is never read as a pattern or a
    template. An event that names another host is refused as a whole.
  - No connection is made.
options: {}
attributes:
  check_mode:
    description: It is the same in check mode, as it changes nothing.
    support: full
author:
  - campaign.remediation contributors (@campaign)
"""

EXAMPLES = r"""
- name: Match the event against the inventory
  campaign.remediation.campaign_event:
  run_once: true
  register: campaign_event
"""

RETURN = r"""
hosts:
  description: The hosts of the inventory that the event names.
  returned: success
  type: list
  elements: str
  sample: [app1]
"""
