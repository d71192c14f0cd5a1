#!/usr/bin/env python3
"""Write what the roles have in common.

For every role: meta/argument_specs.yml and the variables in README.md (tools/common/site_variables.py),
tasks/main.yml and diagnose.yml, and the remedies that several roles have. Besides the specification
that they share (roles/campaign), the page of all variables, and the names that are known.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from common import CHECKOUT as TOP, site_variables
from common.site_variables import PRECISION, TASK_TIMEOUT
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import names
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import ladder

# Role, and the Campaign module that it looks after.
ROLES = {module.name.lower(): module.name for module in names.DECLARED}
MARK = "<!-- variables: written by tools/roles.py -->"

Json = dict[str, Any]


def files(role: str) -> dict[str, str]:
    """The files of a role that are written here, by their path in the role."""
    module = ROLES[role]
    return {
        "meta/argument_specs.yml": site_variables.specification(role, module),
        "tasks/diagnose.yml": _diagnose(role, module),
        "tasks/main.yml": _main(role, module),
        "README.md": _readme(role),
        **_remedies(role, module),
    }


def shared_files() -> dict[str, str]:
    """Those that are no role's own, by their path in the checkout."""
    return {
        "roles/campaign/meta/argument_specs.yml": site_variables.specification_of_shared(),
        site_variables.PAGE: site_variables.page(ROLES),
        site_variables.VARIABLES_FILE: site_variables.variables_file(),
    }


def remedies_of(role: str) -> list[str]:
    """The remedies of a role, from mild to strong: of its problems, with all rungs, and what
    an operator can order."""
    module = ROLES[role]
    found = {
        rung
        for problem in CATALOGUE
        if problem.remedy and ladder.ROLES[problem.module] == role
        for rung in ladder.rungs(problem.key, problem.remedy)
    }
    if module in (*names.SHARED, *names.PER_INSTANCE) and module != "watchdog":
        found |= {name for name, remedy in ladder.REMEDIES.items() if remedy.offered}
    return sorted(found, key=ladder.RANK.__getitem__)


def _remedies(role: str, module: str) -> dict[str, str]:
    """The task files of the remedies that are one call of campaign_module."""
    subject = {"module": module}
    if module not in names.SHARED:
        subject["instance"] = "{{ _campaign_step.instance }}"
    words = {"target": module, "module": module, "instance": "the instance"}
    return {
        f"tasks/{remedy.name}.yml": _tasks(
            {
                "name": remedy.title.format(**words),
                "campaign.remediation.campaign_module": {**subject, **_options_of(remedy.call)},
                "register": f"_{role}_change",
            }
        )
        for remedy in map(ladder.REMEDIES.__getitem__, remedies_of(role))
        if remedy.call
    }


def _options_of(call: ladder.Call) -> Json:
    """The options of campaign_module that a call gives it."""
    if call.precision_of_site:
        return {name: _variable(name) for name in PRECISION}
    given = {
        "state": call.state, "log_precision": call.log_precision, "immediate": call.immediate,
    }
    return {name: value for name, value in given.items() if value}


def _variable(name: str) -> str:
    default = repr(PRECISION[name]) if PRECISION[name] else "omit"
    return f"{{{{ campaign_{name} | default({default}) }}}}"


def _tasks(*tasks: Json) -> str:
    lines = site_variables.dump(list(tasks), 200)
    return "---\n" + re.sub(r"'(\{\{.*\}\})'", lambda m: '"' + m[1].replace("''", "'") + '"', lines)


def _main(role: str, module: str) -> str:
    return f"""---
- name: Diagnose {module}
  ansible.builtin.import_tasks: diagnose.yml

- name: Repair {module}
  when: campaign_remediate | default(false) | bool
  vars:
    _campaign_diagnosis_variable: {role}_diagnosis
  block:
    - name: Plan the steps
      ansible.builtin.include_role:
        name: campaign.remediation.campaign
        tasks_from: plan

    - name: Apply the steps
      ansible.builtin.include_role:
        name: campaign.remediation.campaign

    - name: Diagnose {module} again
      ansible.builtin.include_tasks: diagnose.yml
      when:
        - campaign_actions | length > 0
        - not ansible_check_mode
"""


def _diagnose(role: str, module: str) -> str:
    return f"""---
- name: Check the options that all roles share
  ansible.builtin.import_role:
    name: campaign.remediation.campaign
    tasks_from: validate

- name: Take a snapshot and diagnose {module}
  campaign.remediation.campaign_diagnose:
    modules: [{module}]
  register: {role}_diagnosis
  timeout: "{{{{ campaign_task_timeout | default({TASK_TIMEOUT}) }}}}"
"""


def _readme(role: str) -> str:
    path = TOP / "roles" / role / "README.md"
    before, _, after = path.read_text(encoding="utf-8").split(MARK)
    return f"{before}{MARK}\n\n{site_variables.readme_part(role)}\n{MARK}{after}"


def written() -> dict[Path, str]:
    """The files of all roles, and what is no role's own."""
    of_roles = {f"roles/{role}/{name}": text for role in ROLES for name, text in files(role).items()}
    return {TOP / name: text for name, text in {**of_roles, **shared_files()}.items()}


WRITER = Writer(__doc__, written)

if __name__ == "__main__":
    sys.exit(WRITER.main())
