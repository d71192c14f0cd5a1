#!/usr/bin/python
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: campaign_job
short_description: Launch a declared export or import of Adobe Campaign Classic again
version_added: "1.0.0"
description:
  - Launches an export or an import that the inventory declares, and follows it to its end, with its
    exit code, the errors in its log, its result and its rejects.
  - The command line is C(nlserver export|import -instance:<instance>) and then the arguments of
    the declaration, as they are written there. Nothing else knows them.
  - A running job is never launched a second time.
  - The job runs in a session of its own. If the controller, the connection or this module is
    killed, it goes on, its exit code is kept on the host, and the next call tells it.
author:
  - campaign.remediation contributors (@campaign)
extends_documentation_fragment:
  - campaign.remediation.server
  - campaign.remediation.guards
  - campaign.remediation.jobs
  - campaign.remediation.jobs.job
  - campaign.remediation.api
options:
  state:
    description:
      - V(launched) launches the job and follows it.
      - V(followed) launches nothing. It follows what an earlier call launched, and tells how that
        ended.
    type: str
    choices: [launched, followed]
    default: launched
  mode:
    description:
      - Whether to launch the job for what has changed or in full. It is never guessed.
      - It may be left out for an import whose declaration has arguments for one mode only.
    type: str
    choices: [delta, full]
  operator:
    description:
      - The operator who scheduled the job and agrees that it is launched again. It must be the
        operator of the declaration.
    type: str
  taken_over_by:
    description: The name of the operator who takes the job over from the operator who scheduled it.
    type: str
  duplicates_found:
    description:
      - For an import, how many values of its keys are in the database more than once, if
        this was checked. With any number but V(0) the import is refused.
      - Where O(api) has credentials for the instance and the job declares its keys, the
        database itself is asked, and its answer counts.
    type: int
  duplicates_seen:
    description:
      - What the API answered to the controller, with O(api_from=controller). Only for the action
        plugin of the same name, which asks there.
    type: dict
  no_duplicates_confirmed_by:
    description:
      - For an import, the name of the operator who has looked for duplicates and found none.
        Needed where neither the database can be asked nor O(duplicates_found) is given.
    type: str
  accept_duplicates:
    description: Launch an import although there may be duplicates in the database.
    type: bool
    default: false
  accept_cut_import:
    description:
      - Launch an import again that was interrupted after its launch, by a signal or with its run, and whose
        data may be there in part. The value is the name of the run that launched it, as the refusal
        names it, so that this permits only one case.
    type: str
    default: ""
  wait:
    description:
      - How long to follow the job, in seconds. Then it is left running, and the result says so.
      - With V(0) it is launched and not followed.
      - If not set, C(max_minutes) of the job, else an hour.
    type: float
notes:
  - O(restart_budget) counts the launches of this job.
  - O(in_flight) and O(accept_lost_work) have no effect, because a launch cancels no work.
    Without a place for the record of the job nothing is launched, whatever O(accept_no_record) is.
  - Who launched a job, for what reason, and how it ended is in the ledger. The record of the
    last launch is in C(jobs) of O(state_dir).
  - The lock of the host is held while the job is followed.
seealso:
  - module: campaign.remediation.campaign_info
  - module: campaign.remediation.campaign_module
  - name: Modules and frequent issues
    description: The vendor's advice on exports and imports that failed.
    link: https://experienceleague.adobe.com/docs/campaign-classic/using/monitoring-campaign-classic/troubleshooting/modules-and-frequent-issues.html
"""

EXAMPLES = r"""
- name: Launch an export again in full, for the operator who scheduled it
  campaign.remediation.campaign_job:
    job:
      name: contacts_export
      kind: export
      instance: prod
      operator: anna.berg
      arguments:
        full: ["-job:contacts_export", "-mode:full"]
        delta: ["-job:contacts_export", "-mode:delta"]
      result: export/contacts_export*.csv
      max_minutes: 60
    mode: full
    operator: anna.berg
  become: true

- name: Launch an import again, taken over from its operator, after a look for duplicates
  campaign.remediation.campaign_job:
    job: "{{ campaign_jobs | selectattr('name', 'eq', 'contacts_import') | first }}"
    jobs: "{{ campaign_jobs }}"
    mode: delta
    taken_over_by: maria.keller
    no_duplicates_confirmed_by: maria.keller
    wait: 600
  become: true

- name: Wait for the end of a job that was left running
  campaign.remediation.campaign_job:
    job: "{{ campaign_jobs | selectattr('name', 'eq', 'contacts_import') | first }}"
    state: followed
  become: true
"""

RETURN = r"""
launched:
  description: Whether this call launched the job.
  type: bool
  returned: always
outcome:
  description:
    - How it ended. V(succeeded), V(failed), V(running) if it was not followed to its end, or
      V(unknown) if nothing tells. The task fails with V(failed) and V(unknown).
    - Null in check mode, and if nothing was launched.
  type: str
  returned: always
timed_out:
  description: Whether the job still ran when the time to follow it was over.
  type: bool
  returned: always
mode:
  description: The mode it was launched in.
  type: str
  returned: always
command:
  description: The command line, without what looks like a password.
  type: list
  elements: str
  returned: always
  sample: [/usr/local/neolane/nl6/bin/nlserver, export, "-instance:prod", "-job:contacts_export"]
commands:
  description: The command lines that were run, one or none.
  type: list
  elements: list
  returned: always
pid:
  description: The process id of the job.
  type: int
  returned: always
exit_code:
  description: Its exit code. Above 128, a signal ended it (128 and its number).
  type: int
  returned: always
started_at:
  description: When it began, in seconds since 1970.
  type: float
  returned: always
ended_at:
  description: When it ended, in seconds since 1970.
  type: float
  returned: always
seconds:
  description: How long it ran, null if its end was not seen.
  type: float
  returned: always
result:
  description: The result file, if this run made one.
  type: dict
  returned: always
  contains:
    path:
      description: Its path.
      type: str
      returned: always
    mtime_at:
      description: When it was changed, in seconds since 1970.
      type: float
      returned: always
    size_bytes:
      description: Its size.
      type: int
      returned: always
rejects:
  description: The file of rejects, if this run made one.
  type: dict
  returned: always
  contains:
    path:
      description: Its path.
      type: str
      returned: always
    lines:
      description: How many lines it has.
      type: int
      returned: always
    mtime_at:
      description: When it was changed, in seconds since 1970.
      type: float
      returned: always
errors:
  description: The errors in its log since the launch.
  type: list
  elements: dict
  returned: always
  contains:
    at:
      description: When, in seconds since 1970.
      type: float
      returned: always
    sample:
      description: The line.
      type: str
      returned: always
    codes:
      description: The error codes in it.
      type: list
      elements: str
      returned: always
output:
  description: The last lines that the command printed.
  type: list
  elements: str
  returned: always
duplicates:
  description:
    - For an import, what the database says of its keys. C(groups) is how many values several
      records have, C(more) whether there are still more, C(largest) the first of them with their
      C(count), each value masked, and C(error) why the database was not to be asked.
    - Null if it was not asked.
  type: dict
  returned: always
  sample: {groups: 1, more: false, largest: [{values: ["a***(18)"], count: 2}], error: null}
previous:
  description:
    - The launch before this one. Its C(known) is false if its end had not been seen until now.
  type: dict
  returned: when there was one
  sample: {launched_at: 1763894400.5, run: 20251123T104210Z-1f2e3d, who: anna, from: ansible1,
    mode: full, known: true, outcome: failed, exit_code: 1, pid: 7832, seconds: 1.2}
record:
  description: The file on the host that tells of the last launch.
  type: str
  returned: always
evidence:
  description: The directory of the evidence on the host. Null if there is none.
  type: str
  returned: always
before:
  description: The job before its launch, empty if it was not launched.
  type: dict
  returned: always
after:
  description: Its C(outcome), C(exit_code) and C(pid), empty if it was not launched.
  type: dict
  returned: always
left:
  description:
    - V(as_before) if it was not launched. V(changed) if it was, as a job leaves data behind even
      when it fails; V(unknown) if its end could not be seen.
  type: str
  returned: always
refused:
  description: Whether a guard refused.
  type: bool
  returned: always
holder:
  description: The run that has the host, when the guard V(lock) refuses. Null otherwise.
  returned: always
  type: dict
guard:
  description:
    - The guard that refused. V(operator), V(duplicates), V(running), V(cut), V(budget), V(lock),
      V(pause), V(evidence) or V(record).
  type: str
  returned: always
run:
  description: The name of the run in the ledger.
  type: str
  returned: when the options are valid
interrupted:
  description:
    - Repairs of earlier runs that were begun and never ended, with the present state of their
      modules.
  type: list
  elements: dict
  returned: when the options are valid
msg:
  description: What was done and how it ended, or why not, in a sentence.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import options
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.repair import (
    guard,
    job_launch,
    job_request,
)

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict

STATES = [job_request.LAUNCHED, job_request.FOLLOWED]


def argument_spec() -> "Dict[str, Dict[str, Any]]":
    """The options."""
    return dict(
        dict(guard.argument_spec(), **options.api()),
        job=dict(type="dict", required=True, options=options.job()),
        jobs=dict(type="list", elements="dict", default=[], options=options.job()),
        state=dict(type="str", default=job_request.LAUNCHED, choices=STATES),
        mode=dict(type="str", choices=["delta", "full"]),
        operator=dict(type="str"),
        taken_over_by=dict(type="str"),
        duplicates_found=dict(type="int"),
        no_duplicates_confirmed_by=dict(type="str"),
        duplicates_seen=dict(type="dict"),
        accept_duplicates=dict(type="bool", default=False),
        accept_cut_import=dict(type="str", default=""),
        wait=dict(type="float"),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    options = module.params
    for job in [options["job"]] + options["jobs"]:
        for words in (job.get("arguments") or {}).values():
            module.no_log_values.update(job_request.secrets(words or []))
    answer = job_launch.answer(options, module.check_mode)
    for text in answer.pop("warnings"):
        module.warn(text)
    if not module._diff:
        answer.pop("diff", None)
    if answer.pop("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
