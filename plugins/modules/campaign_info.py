#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_info
short_description: Gather everything that tells how an Adobe Campaign Classic server is
version_added: "1.0.0"
description:
  - Reads the state of an Adobe Campaign Classic v7 server on Linux in one call.
    It covers the configuration, C(nlserver pdump), C(nlserver monitor -missing), processes,
    sockets, shared memory, log files, file systems, the service, HTTP answers, peers,
    declared jobs and what this collection itself has changed there.
  - It judges nothing. M(campaign.remediation.campaign_diagnose) turns the result into findings.
  - It changes nothing. No file is written, no process is signalled, no session is opened.
    With O(api) it logs on to the server's API, reads and logs off, and the server itself writes its
    usual lines on that.
  - Every probe has its own time limit and all run side by side. A probe that fails is data
    in the result, not a failed task.
  - What looks like a password is dropped or masked on the host.
author:
  - campaign.remediation contributors (@campaign)
extends_documentation_fragment:
  - campaign.remediation.server
  - campaign.remediation.snapshot
  - campaign.remediation.jobs
  - campaign.remediation.api
attributes:
  check_mode:
    support: full
    description: Can run in check mode and gives the same result.
  diff_mode:
    support: none
    description: Returns details of what has changed or would change in diff mode.
  platform:
    support: full
    platforms: posix
    description: The target systems the module runs on. Linux only, it reads C(/proc).
notes:
  - Times are seconds since 1970 (UTC) and their names end in C(_at).
    Sizes end in C(_bytes) or C(_mb) (1 MB is 1048576 bytes). What could not be found out is null.
  - A host without Campaign is a result (RV(snapshot.installed) is false), not a failure.
  - The statistics server of an mta gets an empty UDP datagram if it is on another host.
    On this host the table of sockets is read instead.
  - A mailbox with a login is opened for a moment, in which a POP3 server may refuse inMail.
seealso:
  - module: campaign.remediation.campaign_diagnose
  - name: Adobe Campaign Classic documentation
    description: The vendor's documentation, with the commands used here (usual commands).
    link: https://experienceleague.adobe.com/docs/campaign-classic/
"""

EXAMPLES = r"""
- name: Read the state of a standard installation
  campaign.remediation.campaign_info:
  become: true
  become_user: neolane
  register: campaign

- name: Read only what tells which modules run
  campaign.remediation.campaign_info:
    probes: [pdump, missing, processes]
    instances: [prod]

- name: Read a host without a web server, with its bounce mailbox
  campaign.remediation.campaign_info:
    front_url: ""
    mailboxes:
      - instance: prod
        host: mail.example.com
        login: bounces
        password: "{{ bounce_password }}"
  become: true
"""

RETURN = r"""
snapshot:
  description: The state of the server.
  returned: success
  type: dict
  contains:
    schema:
      description: The version of this structure. Keys are only ever added.
      type: int
      returned: always
      sample: 1
    taken_at:
      description: When it was taken, by the clock of the host.
      type: float
      returned: always
    utc_offset_seconds:
      description: The offset of local time on the host.
      type: int
      returned: always
    seconds:
      description: How long it took.
      type: float
      returned: always
    home:
      description: The installation directory.
      type: str
      returned: always
    user:
      description: The Campaign account.
      type: str
      returned: always
    uid:
      description: Its number, null on a host without Campaign.
      type: int
      returned: always
    address:
      description: The address at which local ports were looked for.
      type: str
      returned: always
    asked:
      description:
        - What was asked for, resolved (modules, instances, log_window, probes, expected_ports).
      type: dict
      returned: always
    jobs_declared:
      description: The declared jobs without their arguments.
      type: list
      elements: dict
      returned: always
    installed:
      description:
        - Is there a Campaign server? If not, only the probes C(machine) and C(service) were run.
      type: bool
      returned: always
    probes:
      description:
        - For each probe its C(seconds), its C(error) and its C(data).
        - An error has a C(kind) (V(timeout), V(denied), V(missing), V(invalid), V(failed),
          V(skipped)) and a C(message). Data may be there beside an error, else it is null.
        - C(missing) runs C(nlserver monitor -missing) only if C(pdump) does not list every module
          with autoStart; its C(return_code) is null where it did not have to.
        - C(sockets) lists TCP sockets only if Tomcat does not give its logon page; the kernel takes
          long to list them.
        - C(api) holds, for each instance with credentials, what its database records of workflows,
          deliveries and jobs in trouble, by number, name, label, state and times.
        - C(ledger) holds, from the end of the ledger, which repairs were begun and never ended, which
          log precisions are raised until when, what was reloaded when, and what was restarted
          within O(log_window). C(answered) lists which findings were repaired in the last 30 days,
          and C(begins) says when the lines begin if there are earlier ones. C(paused) holds the
          pause of repairs, if there is one. Without a ledger its lists are empty.
      type: dict
      returned: always
      sample:
        pdump:
          seconds: 0.05
          error: null
          data:
            build: 7.0 build 9356@5ba3f8b
            header: Application server for Adobe Campaign Classic (7.0 build 9356@5ba3f8b)
            tasks:
              - module: wfserver
                instance: prod
                pid: 7832
                memory_mb: 11.5
            unrecognised: []
            return_code: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import options
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    MODULES,
    PROBES,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload import (
    zip_imports,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload.isolated import (
    take,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict


def argument_spec() -> "Dict[str, Dict[str, Any]]":
    """The options."""

    def words(**more: "Any") -> "Dict[str, Any]":
        return dict(dict(type="list", elements="str", default=[]), **more)

    return dict(
        dict(options.server(), **options.api()),
        instances=words(),
        modules=words(choices=list(MODULES)),
        probes=words(choices=list(PROBES)),
        syslogd_port=dict(type="int", default=0),
        log_window=dict(type="int", default=60),
        timeout=dict(type="float", default=20),
        probe_timeout=dict(type="float", default=8),
        front_url=dict(type="str"),
        tomcat_url=dict(type="str", default=""),
        redirection_urls=words(),
        mailboxes=dict(
            type="list",
            elements="dict",
            default=[],
            options=dict(
                instance=dict(type="str", required=True),
                host=dict(type="str", required=True),
                port=dict(type="int"),
                login=dict(type="str"),
                password=dict(type="str", no_log=True),
            ),
        ),
        jobs=dict(
            type="list",
            elements="dict",
            default=[],
            options=options.job(),
        ),
        quota_files=words(elements="path"),
        shared_memory_keys=words(no_log=False),
        pid_file=dict(type="str", default=""),
        front_service=dict(type="str", default=""),
        restartable_workflows=words(),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    snapshot, bad_input = take(module.params)
    if bad_input:
        module.fail_json(msg=bad_input)
    zip_imports.leave_at_once()
    module.exit_json(changed=False, snapshot=snapshot)


if __name__ == "__main__":
    main()
