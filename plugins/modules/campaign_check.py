#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_check
short_description: Check what a diagnosis needs of a host
version_added: 1.0.0
description:
  - Checks one after the other whether the host can be reached, has a Python, gives the rights that the
    task should have, holds an installation of Campaign at the declared place, can run its C(nlserver),
    and answers through its API where credentials are declared.
  - The first check that fails ends the checks of the host, since the others need it. Its message says
    what to do.
  - Changes nothing. It takes the same variables as M(campaign.remediation.campaign_diagnose).
options: {}
attributes:
  check_mode:
    description: It changes nothing anyway.
    support: full
seealso:
  - module: campaign.remediation.campaign_diagnose
author:
  - campaign.remediation contributors (@campaign)
"""

EXAMPLES = r"""
- name: Check the first hosts of a new inventory
  campaign.remediation.campaign_check:
  become: true
"""

RETURN = r"""
checks:
  description:
    - All checks in their order. Those after a failure are C(skipped).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: V(reachable), V(python), V(become), V(home), V(nlserver) or V(api).
      type: str
      sample: home
    state:
      description: V(passed), V(failed) or V(skipped).
      type: str
      sample: passed
    message:
      description: What was seen.
      type: str
      sample: "/usr/local/neolane/nl6, account neolane; instances: prod"
    advice:
      description: What to do, where a check failed or could be added.
      type: str
      sample: ""
text:
  description: The same, a line for each check.
  returned: always
  type: list
  elements: str
  sample: ["reachable: passed, ssh to app1.example.com"]
"""
