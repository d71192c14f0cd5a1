#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_port
short_description: End the process that holds a port of an Adobe Campaign Classic server
version_added: "1.0.0"
description:
  - Ends a process by SIGTERM, immediately after it has made sure that it is still the one that was
    found.
  - If its number belongs to another process by now, that is left alone and the task fails. Nothing
    is done if the process is gone or no longer holds the port.
  - Guards and ledger are those of M(campaign.remediation.campaign_guard), around it.
author:
  - campaign.remediation contributors (@campaign)
options:
  port:
    description: The port.
    type: int
    required: true
  proto:
    description: Its protocol.
    type: str
    default: udp
    choices: [tcp, udp]
  pid:
    description: The process that was found to hold it.
    type: int
    required: true
  holder:
    description: The name under which it was found, as the findings have it.
    type: str
    required: true
  found_at:
    description: When it was found, in seconds since 1970 by the clock of the host.
    type: float
attributes:
  check_mode:
    description: Reports what would be done, after the same checks.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: End what holds the port of syslogd
  campaign.remediation.campaign_port:
    port: 666
    pid: 4711
    holder: rsyslogd
"""

RETURN = r"""
commands:
  description: What was done, or would be, as commands.
  returned: always
  type: list
  elements: list
  sample: [[kill, "4711"]]
msg:
  description: What was done, or why not, in a sentence.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import ports

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict


def argument_spec() -> "Dict[str, Dict[str, Any]]":
    """The options."""
    return dict(
        port=dict(type="int", required=True),
        proto=dict(type="str", default="udp", choices=["tcp", "udp"]),
        pid=dict(type="int", required=True),
        holder=dict(type="str", required=True),
        found_at=dict(type="float"),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = ports.end_holder(module.params, not module.check_mode)
    except (ports.NotEnded, ProbeError) as error:
        module.fail_json(msg=str(error), commands=[])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
