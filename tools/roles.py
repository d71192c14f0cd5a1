#!/usr/bin/env python3
"""Write what the roles have in common.

The variables of a site are options of the collection's modules: option `x` that a task leaves out
is taken from variable `campaign_x`. From the modules' documentation come, for every role,
meta/argument_specs.yml, tasks/diagnose.yml and the table of variables in README.md; what is no
option stands in KEYWORDS and OF_ROLES below. A role's own variables are kept: they are those in its
argument_specs that do not start with `campaign_`, and the only ones that have their defaults in the
role (defaults/main.yml).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from common import CHECKOUT as TOP
from common.writer import Writer

from ansible_collections.campaign.remediation.plugins.action import campaign_job, campaign_module
from ansible_collections.campaign.remediation.plugins.module_utils._campaign import names
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.changing import (
    GUARDS,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.documentation import (
    options_of as options_documented,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    ladder,
    policy,
)

# Role, and the Campaign module that it looks after.
ROLES = {module.name.lower(): module.name for module in names.DECLARED}
# Options that are no variable of a site: the role's own choice, and what serves work offline.
NOT_SHARED = {"modules", "snapshot", "return_snapshot", "unless_stopped", "gone"}
# Options of the guards that a remedy gives itself.
OF_A_REMEDY = {"remedy", "because", "run"}
# Options of campaign_module that a site may set: those of a raised log precision.
PRECISION = {"log_precision": "verbose", "trace_filters": [], "precision_for": "30m"}
# Shared variables that are no option but a keyword of the task.
TASK_TIMEOUT = 120
KEYWORDS = {
    "campaign_task_timeout": {
        "type": "int",
        "default": TASK_TIMEOUT,
        "description": "Seconds after which the task gives up on a host that does not answer.",
    },
    "campaign_remediate": {
        "type": "bool",
        "default": False,
        "description": "Whether to repair what is found (C(docs/user/plan.md), C(docs/user/playbooks.md)).",
    },
    "campaign_plan_file": {
        "type": "path",
        "default": "",
        "description": "Plan on the controller to apply, instead of making one.",
    },
    "campaign_plan_write": {
        "type": "path",
        "default": "",
        "description": "File on the controller to write the plan to.",
    },
    "campaign_plan_minutes": {
        "type": "float",
        "default": 60,
        "description": "Minutes for which a plan holds.",
    },
    "campaign_stop_file": {
        "type": "path",
        "default": "",
        "description": "File on the controller. Once it is there, no further step is begun.",
    },
    "campaign_report_dir": {
        "type": "path",
        "default": "campaign-report",
        "description": "Directory on the controller to which evidence is brought.",
    },
}
FRONT_COMMANDS = {
    "campaign_front_commands": {
        "type": "dict",
        "default": {},
        "description": "Argument lists C(start) and C(stop), for a web server in front that has no"
        " unit.",
    },
}
JOB_WAIT = {
    "campaign_job_wait": {
        "type": "float",
        "description": "Seconds that a launched job is followed. By default its C(max_minutes),"
        " else an hour.",
    },
}
WORKFLOW_WAIT = {
    "campaign_workflow_wait": {
        "type": "float",
        "default": 60,
        "description": "Seconds until a process must have run a workflow that was started.",
    },
}
# What only some roles know and is no option.
OF_ROLES: dict[str, dict[str, Any]] = {
    "syslogd": {
        "campaign_free_port_units": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Units that may be stopped when they hold the port of syslogd. A process"
            " without a unit goes by its name.",
        },
    },
    "watchdog": FRONT_COMMANDS,
    "trackinglogd": FRONT_COMMANDS,
    "web": FRONT_COMMANDS,
    "export": JOB_WAIT,
    "import": JOB_WAIT,
    "tracking": WORKFLOW_WAIT,
    "wfserver": WORKFLOW_WAIT,
}
FIELDS = ("type", "elements", "required", "choices", "default")
MARK = "<!-- variables: written by tools/roles.py -->"

Json = dict[str, Any]


def documented(name: str) -> Json:
    """The options of a module, those of its fragments among them."""
    module = import_module("ansible_collections.campaign.remediation.plugins.modules." + name)
    return options_documented(module.DOCUMENTATION)


def diagnosing_options() -> Json:
    """Variable name to specification, for what a diagnosis takes."""
    options = documented("campaign_diagnose")
    return _options(options, [name for name in options if name not in NOT_SHARED])


def shared_options() -> Json:
    """The same for all that the roles share."""
    module = documented("campaign_module")
    guards = [name for name in module if name in GUARDS and name not in OF_A_REMEDY]
    own = [name for name in campaign_module.ActionModule.OPTIONS if name not in GUARDS]
    precision = {name: {**module[name], "default": PRECISION[name]} for name in PRECISION}
    diagnosing = diagnosing_options()
    return {
        **diagnosing,
        **_options(documented("campaign_plan"), policy.OPTIONS),
        **_options(module, guards),
        **_options(module, own),
        **_options(precision, precision),
        **diagnosing,  # its words hold for what is an option of several modules
        **KEYWORDS,
    }


def options_of(role: str) -> Json:
    """The same for one role, with what only it knows."""
    jobs: Json = {}
    if role in ("export", "import"):
        jobs = _options(
            documented("campaign_job"),
            [n for n in campaign_job.ActionModule.OPTIONS if n not in GUARDS and n != "jobs"],
        )
    return {**_own(role), **shared_options(), **jobs, **OF_ROLES.get(role, {})}


def _options(known: Json, names: Iterable[str]) -> Json:
    return {f"campaign_{name}": _option(name, known[name]) for name in names}


def _option(name: str, option: Json) -> Json:
    found: Json = {field: option[field] for field in FIELDS if field in option}
    text = option["description"]
    lines = [text] if isinstance(text, str) else text
    # That it comes from a variable goes without saying where it is one.
    plain = [_plain(each) for each in lines if not each.startswith("By default each host's")]
    found["description"] = plain[0] if len(plain) == 1 else plain
    if name == "password":
        found["no_log"] = True
    if "suboptions" in option:
        inner = option["suboptions"].items()
        found["options"] = {key: _option(key, suboption) for key, suboption in inner}
    return found


def _plain(text: str) -> str:
    """Markup of options as that of the roles' variables."""
    text = re.sub(r"M\((?:\w+\.)*(\w+)\)", r"C(\1)", " ".join(text.split()))
    text = re.sub(r"O\((\w+)\[\]\.(\w+)\)", r"V(campaign_\1[].\2)", text)
    return re.sub(r"O\((\w+(?:=[^)]*)?)\)", r"V(campaign_\1)", text)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _dump(data: object, indent: int = 0) -> str:
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=96 - indent, allow_unicode=True)
    return "".join(f"{'':{indent}}{line}\n" for line in text.splitlines())


def _own(role: str) -> Json:
    path = TOP / "roles" / role / "meta" / "argument_specs.yml"
    if not path.exists():
        return {}
    options = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return {name: option for name, option in options.items() if not name.startswith("campaign_")}


def files(role: str) -> dict[str, str]:
    """The files of a role that are written here, by their path in the role."""
    module = ROLES[role]
    options = options_of(role)
    return {
        "meta/argument_specs.yml": _argument_specs(module, options),
        "tasks/diagnose.yml": _diagnose(role, module),
        "tasks/main.yml": _main(role, module),
        "README.md": _readme(role, options),
        **_remedies(role, module),
    }


def remedies_of(role: str) -> list[str]:
    """The remedies of a role, from mild to strong: of its problems, with all rungs, and what a
    person may order."""
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
        subject["instance"] = "{{ campaign_step.instance }}"
    words = {"target": module, "module": module, "instance": "the instance"}
    return {
        f"tasks/{remedy.name}.yml": _tasks(
            {
                "name": remedy.title.format(**words),
                "campaign.remediation.campaign_module": {**subject, **_options_of(remedy.call)},
                "register": f"{role}_change",
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
    lines = yaml.dump(
        list(tasks), Dumper=_Dumper, sort_keys=False, width=200, allow_unicode=True
    )
    return "---\n" + re.sub(r"'(\{\{.*\}\})'", lambda m: '"' + m[1].replace("''", "'") + '"', lines)


def _main(role: str, module: str) -> str:
    return f"""---
- name: Diagnose {module}
  ansible.builtin.import_tasks: diagnose.yml

- name: Repair {module}
  when: campaign_remediate | default(false) | bool
  vars:
    campaign_diagnosis_variable: {role}_diagnosis
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


def _argument_specs(module: str, options: Json) -> str:
    return (
        "---\nargument_specs:\n"
        "  main:\n"
        f"    short_description: Find out what is wrong with {module}, and repair it if asked to\n"
        "    options: &options\n"
        f"{_dump(options, 6)}"
        "  diagnose:\n"
        f"    short_description: Find out what is wrong with {module}, and nothing else\n"
        "    options: *options\n"
    )


def _diagnose(role: str, module: str) -> str:
    lines = [
        "---",
        f"- name: Take a snapshot and diagnose {module}",
        "  campaign.remediation.campaign_diagnose:",
        f"    modules: [{module}]",
        f"  register: {role}_diagnosis",
        f'  timeout: "{{{{ campaign_task_timeout | default({TASK_TIMEOUT}) }}}}"',
    ]
    return "\n".join(lines) + "\n"


def _readme(role: str, options: Json) -> str:
    path = TOP / "roles" / role / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"{MARK}\n{MARK}\n"
    before, _, after = text.split(MARK)
    rows = ["| variable | type | default | |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = f"list of {option['elements']}" if "elements" in option else option["type"]
        default = _code(option["default"]) if "default" in option else ""
        description = option["description"]
        words = description if isinstance(description, str) else " ".join(description)
        rows.append(f"| `{name}` | {kind} | {default} | {_markdown(words)} |")
    return f"{before}{MARK}\n\n" + "\n".join(rows) + f"\n\n{MARK}{after}"


def _code(value: object) -> str:
    return f"`{value}`" if value != "" else "`''`"


def _markdown(text: str) -> str:
    return re.sub(r"[CV]\(([^)]*)\)", r"`\1`", text).replace("|", "\\|")


def written() -> dict[Path, str]:
    """The files of all roles."""
    return {TOP / "roles" / role / name: text for role in ROLES
            for name, text in files(role).items()}


WRITER = Writer(__doc__, written)

if __name__ == "__main__":
    sys.exit(WRITER.main())
