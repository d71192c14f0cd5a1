# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a site can set: the specifications of the roles, their page, and the names that are known.

The variables of a site are options of the collection's modules: option `x` that a task leaves out
is taken from variable `campaign_x`. What is no option stands in KEYWORDS and OF_ROLES below. Those
that all roles share are the entry point `validate` of the role `campaign`, which every role runs
first; a role's own specification has only what it alone knows. tools/roles.py writes all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import yaml

from ansible_collections.campaign.remediation.plugins.action import campaign_job, campaign_module
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.changing import (
    GUARDS,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.documentation import (
    options_of as options_documented,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.variables import (
    HANDED_ON,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning import (
    brakes,
    policy,
)

from . import CHECKOUT as TOP

Json = dict[str, Any]

# Options that are no variable of a site: the role's own choice, and what serves work offline.
NOT_SHARED = {"modules", "snapshot", "return_snapshot", "unless_stopped", "gone"}
# Options of campaign_module that a site may set: those of a raised log precision.
PRECISION: Json = {"log_precision": "verbose", "trace_filters": [], "precision_for": "30m"}
# Shared variables that are no option but a keyword of the task.
TASK_TIMEOUT = 120
KEYWORDS: Json = {
    "campaign_task_timeout": {
        "type": "int",
        "default": TASK_TIMEOUT,
        "description": "Seconds after which the task gives up on a host that does not answer.",
    },
    "campaign_remediate": {
        "type": "bool",
        "default": False,
        "description": "Whether to repair what is found (C(docs/user/plan.md),"
        " C(docs/user/playbooks.md)).",
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
    "campaign_ask_seconds": {
        "type": "float",
        "default": 300,
        "description": "How long each question of V(campaign_ask) waits for an answer, in seconds.",
    },
    "campaign_stop_file": {
        "type": "path",
        "default": "",
        "description": "File on the controller. Once it is there, no further step is begun.",
    },
    "campaign_mute_memory": {
        "type": "path",
        "default": "",
        "description": "File on the controller that remembers how long muted findings have been gone"
        " (C(docs/user/plan.md)). By default C(mutes.json) in V(campaign_report_dir).",
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
        "description": "Argument lists C(start) and C(stop), for a front-end web server with no"
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
OF_ROLES: Json = {
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
# Shared options that matter to this role above all.
MATTER = {
    "export": ["jobs", "api"],
    "import": ["jobs", "api"],
    "inmail": ["mailboxes"],
    "mta": ["api"],
    "stat": ["quota_files"],
    "syslogd": ["syslogd_port"],
    "tracking": ["redirection_urls", "restartable_workflows", "api"],
    "trackinglogd": ["shared_memory_keys", "front_service"],
    "watchdog": ["service", "pid_file", "front_service"],
    "web": ["front_url", "tomcat_url", "front_service"],
    "wfserver": ["restartable_workflows", "api"],
}
FIELDS = ("type", "elements", "required", "choices", "default")
PAGE = "docs/user/variables.md"
VARIABLES_FILE = "plugins/plugin_utils/_campaign/ansible/site_variables.py"
WIDTH = 100


def documented(name: str) -> Json:
    """The options of a module, those of its fragments among them."""
    module = import_module("ansible_collections.campaign.remediation.plugins.modules." + name)
    return options_documented(module.DOCUMENTATION)


def diagnosing_options() -> Json:
    """Variable name to specification, for what a diagnosis takes."""
    options = documented("campaign_diagnose")
    return _options(options, [name for name in options if name not in NOT_SHARED])


def sections() -> dict[str, Json]:
    """The same for all that the roles share, by what it is about. The words of the first hold for
    what is an option of several modules.
    """
    module = documented("campaign_module")
    guards = [name for name in module if name in GUARDS and name not in HANDED_ON]
    own = [name for name in campaign_module.ActionModule.OPTIONS if name not in GUARDS]
    precision = {name: {**module[name], "default": PRECISION[name]} for name in PRECISION}
    found = {
        "The server, and how it is diagnosed": diagnosing_options(),
        "What a site allows": _options(documented("campaign_plan"), policy.OPTIONS),
        "The brakes of a run": _options(documented("campaign_plan"), brakes.OPTIONS),
        "Guards and changes": {**_options(module, guards), **_options(module, own)},
        "A raised log precision": _options(precision, precision),
        "The run": KEYWORDS,
    }
    seen: set[str] = set()
    for title, options in found.items():
        found[title] = {name: each for name, each in options.items() if name not in seen}
        seen |= set(options)
    return found


def shared_options() -> Json:
    """All of them in one."""
    return {name: each for options in sections().values() for name, each in options.items()}


def own_options(role: str) -> Json:
    """The same for what only this role knows."""
    jobs: Json = {}
    if role in ("export", "import"):
        shared = shared_options()
        names = [n for n in campaign_job.ActionModule.OPTIONS if f"campaign_{n}" not in shared]
        jobs = _options(documented("campaign_job"), [n for n in names if n not in HANDED_ON])
    return {**jobs, **OF_ROLES.get(role, {})}


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


# -- specifications ----------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def dump(data: object, width: int) -> str:
    """YAML as ansible-lint wants it."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=width, allow_unicode=True))


def _specification(entry_points: Json) -> str:
    return "---\n" + dump({"argument_specs": entry_points}, WIDTH)


def specification(role: str, module: str) -> str:
    """The meta/argument_specs.yml of a role."""
    meta = yaml.safe_load((TOP / "roles" / role / "meta" / "main.yml").read_text("utf-8"))
    subject = meta["galaxy_info"]["description"]
    matter = ", ".join(f"V(campaign_{name})" for name in MATTER[role])
    shared = [
        "The options that all roles share are those of the entry point C(validate) of"
        " P(campaign.remediation.campaign#role), which this role runs first. The page"
        f" C({PAGE}) has them all.",
        f"Of those, this role uses above all {matter}.",
    ]
    judged = f"{subject}. Takes a snapshot of the host, and registers what is wrong with {module}" \
        f" and why as C({role}_diagnosis), in the form of M(campaign.remediation.campaign_diagnose)."
    main: Json = {
        "short_description": f"Find out what is wrong with {module}, and repair it if asked to",
        "description": [
            judged,
            "Changes nothing unless V(campaign_remediate=true). Then it applies the documented"
            " remedies that the site allows, each until it is proved to help, and registers what it"
            " did as C(campaign_actions).",
            *shared,
        ],
    }
    if own := own_options(role):
        main["options"] = own
    diagnose = {
        "short_description": f"Find out what is wrong with {module}, and nothing else",
        "description": [judged, *shared[:1]],
    }
    return _specification({"main": main, "diagnose": diagnose})


def specification_of_shared() -> str:
    """That of the role `campaign`."""
    return _specification({
        "main": {
            "short_description": "Apply to this host its steps of a plan",
            "description": "The other roles and the playbooks use it, after C(tasks_from: plan)."
            " What its modules take they check themselves, with an answer for the report.",
            "options": {
                "campaign_steps": {
                    "type": "list",
                    "elements": "dict",
                    "description": "Steps to apply to this host, as"
                    " M(campaign.remediation.campaign_plan) gives them. By default those of the plan"
                    " that was made.",
                },
            },
        },
        "validate": {
            "short_description": "Check the options that all roles share",
            "description": "Each role of a Campaign module runs it first, so that a value that is"
            f" not possible fails the role before it does anything. All options are optional. C({PAGE})"
            " has them with those of each role.",
            "options": shared_options(),
        },
    })


# -- documents ---------------------------------------------------------------------------------


def table(options: Json) -> str:
    """Options as a table in Markdown, those within lists of mappings below their list."""
    rows = ["| variable | type | default | |", "|---|---|---|---|"]
    for name, option in _flat(options):
        kind = f"list of {option['elements']}" if "elements" in option else option["type"]
        default = _code(option["default"]) if "default" in option else ""
        description = option["description"]
        words = description if isinstance(description, str) else " ".join(description)
        if option.get("required"):
            words = f"Required. {words}"
        rows.append(f"| `{name}` | {kind} | {default} | {_markdown(words)} |")
    return "\n".join(rows) + "\n"


def _flat(options: Json) -> Iterator[tuple[str, Json]]:
    for name, option in options.items():
        yield name, option
        yield from _flat({f"{name}[].{key}": each for key, each in option.get("options", {}).items()})


def _code(value: object) -> str:
    return f"`{value}`" if value != "" else "`''`"


def _markdown(text: str) -> str:
    return re.sub(r"[CV]\(([^)]*)\)", r"`\1`", text).replace("|", "\\|")


def readme_part(role: str) -> str:
    """What a role's README says of its variables."""
    link = f"[{PAGE}](../../{PAGE})"
    own = own_options(role)
    head = "This role's own variables are optional:\n\n" + table(own) + "\n" if own else \
        "This role has no variables of its own.\n\n"
    matter = ", ".join(f"`campaign_{name}`" for name in MATTER[role])
    return f"{head}All variables that the roles share are in {link}. Of those, this role uses above all\n" \
        f"{matter}.\n"


def page(modules: Json) -> str:
    """The page of all variables; given the roles with their Campaign modules."""
    parts = [
        "# The variables of the roles\n\n"
        "Set them in the inventory; all are optional. The playbooks and `campaign-doctor` take them, too;\n"
        "what only a playbook takes is in [playbooks.md](playbooks.md).\n\n"
        "Each role checks the shared variables first (entry point `validate` of the role `campaign`), then\n"
        "its own: a value that is not possible fails the role before it does anything. A variable\n"
        "that begins with `campaign_` and is nearly one of these is a warning that names the one meant.\n\n"
        "The same in the terminal: `ansible-doc -t role -e validate campaign.remediation.campaign`.\n"
    ]
    parts += [f"\n## {title}\n\n{table(options)}" for title, options in sections().items()]
    parts.append("\n## What only some roles have\n")
    together: dict[str, list[str]] = {}
    for role in modules:
        if own := own_options(role):
            together.setdefault(table(own), []).append(f"`{role}`")
    parts += [f"\n### {', '.join(names)}\n\n{text}" for text, names in together.items()]
    return "".join(parts)


# -- known names -------------------------------------------------------------------------------

NAME = re.compile(r"(?<![\w./])campaign_[a-z_]*[a-z]\b")
# A variable of a playbook. One that an operator gives is in the playbook's head, too.
TAKEN = re.compile(r"\b(campaign_\w+) (?:\| (?:default|mandatory)\(|is defined)")


def known_names() -> set[str]:
    """What a site can set, and what an operator gives to a playbook."""
    found = {"campaign_modules", *shared_options()}
    for role in OF_ROLES:
        found |= set(own_options(role))
    modules = {path.stem for path in (TOP / "plugins" / "modules").glob("campaign_*.py")}
    playbooks = TOP / "playbooks"
    for path in [*playbooks.glob("*.yml"), *playbooks.glob("[pt]*/*.yml")]:
        if path.name.endswith(".meta.yml"):  # written from the others
            continue
        text = path.read_text(encoding="utf-8")
        head = "".join(line for line in text.splitlines(True) if line.startswith("#"))
        found |= {*TAKEN.findall(text), *(set(NAME.findall(head)) - modules - {"campaign_x"})}
    return found


def variables_file() -> str:
    """The file that the action plugins read them from."""
    lines = "".join(f'    "{name}",\n' for name in sorted(known_names()))
    return (
        "# Copyright: (c) 2026, campaign.remediation contributors\n"
        "# GNU General Public License v3.0+"
        " (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)\n\n"
        '"""The variables that a site or an operator can set. Written by tools/roles.py."""\n\n'
        "from __future__ import annotations\n\n"
        f"VARIABLES = frozenset({{\n{lines}}})\n"
    )
