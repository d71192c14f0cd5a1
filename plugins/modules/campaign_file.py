#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_file
short_description: Change a file of an Adobe Campaign Classic server that a remedy must change
version_added: "1.0.0"
description:
  - Where the module runs as root, the files of the Campaign account are read and changed by a child
    process that has become the account for good. So nothing is reached through a link of the
    account's that the account could not change itself.
  - Guards and ledger are those of M(campaign.remediation.campaign_guard), around it.
author:
  - campaign.remediation contributors (@campaign)
extends_documentation_fragment:
  - campaign.remediation.server
options:
  state:
    description:
      - With V(tmp_on_spool_device) C(TMPDIR) is C(tmp) in the server's C(var), by a line at the end
        of C(customer.sh). That directory is made. C(var) is C(XTK_VAR_DIR) if that is set.
      - It is refused, and nothing is changed, if that directory is not on the device of each
        instance's spool, or if C(customer.sh) has a C(TMPDIR) of the site's own.
      - With V(no_stale_pid_file) the watchdog's pid file is removed, if it names a process that is
        no watchdog.
    type: str
    required: true
    choices: [tmp_on_spool_device, no_stale_pid_file]
  pid_file:
    description: The pid file of the watchdog. If empty, the one that the server's unit names.
    type: path
    default: ""
attributes:
  check_mode:
    description: Reports what would be changed, after the same checks.
    support: full
  diff_mode:
    description: Shows the line that is added, or the file that is removed.
    support: full
"""

EXAMPLES = r"""
- name: Have the temporary directory on the device of the spool
  campaign.remediation.campaign_file:
    state: tmp_on_spool_device

- name: Remove a stale pid file
  campaign.remediation.campaign_file:
    state: no_stale_pid_file
    pid_file: /run/nlserver.pid
"""

RETURN = r"""
commands:
  description: What was changed, or would be, as commands (or a file, and the line to add to it).
  returned: always
  type: list
  elements: list
  sample: [[mkdir, -p, /usr/local/neolane/nl6/var/tmp]]
msg:
  description: What was done, or why not, in a sentence.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import options
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import files

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

STATES = {"tmp_on_spool_device": files.move_tmp, "no_stale_pid_file": files.remove_pid_file}


def argument_spec() -> "Dict[str, Dict[str, Any]]":
    """The options."""
    return dict(
        options.server(),
        state=dict(type="str", required=True, choices=list(STATES)),
        pid_file=dict(type="path", default=""),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = STATES[module.params["state"]](module.params, not module.check_mode)
    except (InputError, files.NotChanged) as error:
        module.fail_json(msg=str(error), commands=[])
    except ProbeError as error:
        module.fail_json(msg="%s: %s" % (module.params["home"], error), commands=[])
    if not module._diff:
        result.pop("diff")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
