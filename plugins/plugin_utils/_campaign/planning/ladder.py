# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The remedies: the one declaration of each, and what may follow if it did not help.

All else that is said of them is derived from here: the ladders, the commands in a plan, the tables
in docs/ and in the roles' READMEs, and the task files of those that are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import (
    DECLARED,
    MODULES,
)

from ..diagnosis.model import HOST

PERSON = "person"  # above the last rung of every ladder

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Guard:
    """How campaign_guard guards a remedy that is done with Ansible's own modules.

    `restart`: it restarts its module. `whole_server`: it stops all of Campaign. `lasting`: it leaves
    more behind than processes.
    """

    restart: bool = False
    whole_server: bool = False
    lasting: bool = True


@dataclass(frozen=True)
class Call:
    """The options of campaign_module, for a remedy that is one call of it.

    `precision_of_site`: the site sets the log precision and its duration.
    """

    state: str
    log_precision: str | None = None
    immediate: bool = False
    precision_of_site: bool = False


@dataclass(frozen=True)
class Remedy:
    """A documented fix: everything about it but its tasks.

    `level`: its place from mild to strong. `does`, `risks`: what a role's README says of it; without `risks`
    it is what a stop of the module interrupts. `then`: what is documented if it did not help.
    `covers`: remedies that are not needed beside it on the same module. `host_wide`: it stops the
    whole service, and covers for all modules.
    `independent`: it touches no process of the module, so it neither covers nor is covered.
    `subject_fact`: it is for one thing of the module, which this fact of a finding names.
    `shared`: it changes what all instances share, so one step is for all that have met it.
    `cuts_off`: running work of the module may be lost.
    `finishes`: it ends what a repair has begun, so it comes before all others, and neither a window
    nor a list of allowed remedies keeps it back.
    `offered`: a person may order it for each permanent module but the watchdog.
    `harmless`: it needs neither nlserver nor a configuration that can be read.
    `call`: it is one call of campaign_module, and its task file is written by tools/roles.py.
    `guard`: none for a remedy that is one call of campaign_module, campaign_job or
    campaign_workflow, which ask the guards by themselves.
    `undeclared`: what of a finding the site must declare for the remedy not to be refused.
    """

    name: str
    level: int
    title: str
    does: str
    risks: str = ""
    then: tuple[str, ...] = ()
    covers: frozenset[str] = frozenset()
    host_wide: bool = False
    independent: bool = False
    subject_fact: str = ""
    shared: bool = False
    cuts_off: bool = False
    finishes: bool = False
    offered: bool = False
    harmless: bool = False
    call: Call | None = None
    guard: Guard | None = None
    undeclared: Callable[[Facts, Facts], str | None] | None = None


# The variables of the inventory that the functions below, announce.py and held.py take.
DECLARATIONS = (
    "accept_pause", "free_port_units", "front_service", "front_commands", "front_url", "jobs", "mode",
)


def _port_holder(evidence: Facts, declared: Facts) -> str | None:
    names = [name for name in (evidence.get("unit"), evidence.get("holder")) if name]
    if set(names) & set(_texts(declared.get("free_port_units"))):
        return None
    name = names[0] if names else "the process that holds the port"
    return f"refused unless campaign_free_port_units names {name}"


def _front_stopped(_evidence: Facts, declared: Facts) -> str | None:
    if (
        declared.get("front_service") or declared.get("front_commands")
        or declared.get("front_url", "unknown") == ""
    ):
        return None
    return (
        "refused unless campaign_front_service, campaign_front_commands or an empty"
        " campaign_front_url says how to stop the front-end web server"
    )


def _texts(value: Any) -> Collection[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, Sequence) else []


_READS = frozenset({"reload"})
_BEGINS = frozenset({"reload", "start", "restart"})
_RESTORES = _BEGINS | {"restore_log_precision"}
_SERVICE = _RESTORES | {"start_service"}
_LEFT_ALONE = "nothing: running modules are left alone"
_ALL_STOPS = "everything stops for a short time"

REMEDIES: dict[str, Remedy] = {
    remedy.name: remedy
    for remedy in (
        Remedy(
            "finish_repair", 1, "Finish the interrupted repair of {target}",
            does="starts what an interrupted repair had stopped: Campaign or the module, and the"
            " front-end web server; the first step of a run",
            risks=_LEFT_ALONE, independent=True, finishes=True, guard=Guard(),
        ),
        Remedy(
            "enable_service", 1, "Enable {target} at boot",
            does="enables the service at boot",
            independent=True, harmless=True, guard=Guard(),
        ),
        Remedy(
            "clear_pid_file", 1, "Remove the stale pid file of {target}",
            does="removes the pid file that does not name a watchdog",
            independent=True, harmless=True, guard=Guard(),
        ),
        Remedy(
            "reload", 1, "Reload the configuration of {target}",
            does="`nlserver {reload} -reload`", risks="nothing: no process is restarted",
            then=("restart", "kill_and_start"), call=Call("reloaded"),
        ),
        Remedy(
            "start", 2, "Start {target}",
            does="`nlserver start`", risks="nothing: a running module is left alone",
            covers=_READS, call=Call("started"),
        ),
        Remedy(
            "start_service", 2, "Start the Campaign service",
            does="starts the service: its unit, its init script, or `nlserver watchdog -svc"
            " -noconsole`",
            risks=_LEFT_ALONE, covers=_READS | {"start"}, call=Call("started"),
        ),
        Remedy(
            "start_front_end", 2, "Start the front-end web server",
            does="starts the front-end web server, with `campaign_front_service` or"
            " `campaign_front_commands`",
            risks="nothing; refuses if neither is set",
            independent=True, harmless=True, guard=Guard(),
        ),
        Remedy(
            "consolidate", 2, "Consolidate the tracking logs of {instance}",
            does="`nlserver start tracking@<instance>`: one consolidation",
            independent=True, call=Call("started"),
        ),
        Remedy(
            "relaunch", 2, "Launch {module} {subject} of {instance} again",
            does="launches the declared job again and follows it; needs `campaign_mode`,"
            " `campaign_operator` or `campaign_taken_over_by`, an import also"
            " `campaign_no_duplicates_confirmed_by`",
            risks="refuses while the job is running, or if no operator is"
            " named", independent=True, subject_fact="job",
        ),
        Remedy(
            "start_workflow", 2, "Start {subject} of {instance} again",
            does="starts the workflow and its pending tasks, through the server's API",
            risks="nothing; refuses without `campaign_api`",
            independent=True, harmless=True, subject_fact="workflow",
        ),
        Remedy(
            "restart", 3, "Restart {target}",
            does="`nlserver restart`",
            then=("kill_and_start",), covers=_BEGINS - {"restart"}, cuts_off=True,
            call=Call("restarted"),
        ),
        Remedy(
            "restore_log_precision", 3, "Restart {target} with its normal log precision",
            does="restarts it with its normal log precision",
            then=("kill_and_start",), covers=_BEGINS, cuts_off=True, offered=True,
            call=Call("started", log_precision="standard"),
        ),
        Remedy(
            "raise_log_precision", 3, "Restart {target} with a raised log precision",
            does="restarts it with a raised log precision, for a limited time",
            risks="{lost}; its log grows", cuts_off=True, offered=True,
            call=Call("started", precision_of_site=True),
        ),
        Remedy(
            "free_port", 3, "Free the port of {target} and restart it",
            does="stops the unit that holds the port, if `campaign_free_port_units` names it, and"
            " restarts {module}",
            risks="what that unit does; refuses if the unit is not named",
            covers=_BEGINS, cuts_off=True, guard=Guard(restart=True), undeclared=_port_holder,
        ),
        Remedy(
            "move_tmp", 3, "Move the temporary directory and restart {target}",
            does="creates `tmp` in the server's `var` (`XTK_VAR_DIR` if that is set), exports it"
            " as `TMPDIR` in `customer.sh`, and restarts each {module} that reported the old one",
            covers=_BEGINS, shared=True, cuts_off=True, guard=Guard(restart=True),
        ),
        Remedy(
            "kill_and_start", 4, "Kill {target} and start it",
            does="`nlserver stop -immediate`, then start",
            risks="{lost}; for a module that is hung or that a restart did not help",
            covers=_RESTORES, cuts_off=True, call=Call("restarted", immediate=True),
        ),
        Remedy(
            "rebuild_shared_memory", 5, "Stop Campaign, rebuild the shared memory, start Campaign",
            does="stops the front-end web server and Campaign, removes the unused segments of the"
            " account, and starts both",
            risks=_ALL_STOPS, covers=_SERVICE, host_wide=True, cuts_off=True,
            guard=Guard(restart=True, whole_server=True), undeclared=_front_stopped,
        ),
        Remedy(
            "restart_service", 6, "Restart the whole Campaign service",
            does="stops all modules, including any that a watchdog left behind, and starts the"
            " service",
            risks=_ALL_STOPS, covers=_SERVICE, host_wide=True, cuts_off=True,
            guard=Guard(restart=True, whole_server=True, lasting=False),
        ),
    )
}
RANK: dict[str, int] = {name: number for number, name in enumerate(REMEDIES)}

# The rungs at which a site can end all ladders: campaign_highest_rung.
HIGHEST: tuple[str, ...] = (
    "restart", "kill_and_start", "rebuild_shared_memory", "restart_service",
)

# The documented next remedies of a finding, where they differ from those
# of its remedy (`then`). After the last one an operator must look.
AFTER_KEY: dict[str, tuple[str, ...]] = {
    "watchdog.nothing_runs": ("restart_service",),
    "watchdog.stopped": ("restart_service",),
    # The watchdog alone cannot be restarted: it takes all modules along, and so says the plan.
    "watchdog.configuration_stale": ("restart_service",),
    # The machine has no process: an operator chooses the modules to restart.
    "host.configuration_changed": (),
    # stat killed loses its statistics twice: no further than a restart.
    "stat.quotas_not_loaded": ("restart",),
}

# When the last rung did not help: what gives the operator more information.
AFTERWARDS: dict[str, str] = {"wfserver": "raise_log_precision"}

# What a stop may cut off, by module.
WORK: dict[str, str] = {module.name: module.lost for module in DECLARED}
ALL_WORK = "all of Campaign on this host is interrupted"

# The role that has a module's remedies. The machine's one remedy, to load the configuration, is
# the watchdog's: it is on every host, web is not.
ROLES: dict[str, str] = {HOST: "watchdog", **{module: module.lower() for module in MODULES}}


def rungs(key: str, remedy: str) -> tuple[str, ...]:
    """The ladder of a finding: its remedy, then the documented ones if that did not help."""
    known = REMEDIES.get(remedy)
    after = AFTER_KEY.get(key, known.then if known else ())
    return (remedy, *after)


def cancels(remedy: str, module: str) -> str | None:
    """What running work a remedy may cut off."""
    known = REMEDIES[remedy]
    if not known.cuts_off:
        return None
    # What restarts the watchdog restarts all that it supervises.
    return ALL_WORK if known.host_wide or module == "watchdog" else WORK.get(module) or None


def covers(stronger: str, milder: str) -> bool:
    """Whether one remedy makes another one on the same module needless."""
    return stronger == milder or milder in REMEDIES[stronger].covers
