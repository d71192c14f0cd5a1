# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The remedies: how mild each is, what it does besides, and what may follow if it did not help.

Everything that the plan knows of remedies stands in the three tables of this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.names import MODULES

from ..diagnosis.model import HOST

PERSON = "person"  # stands above the last rung of every ladder


@dataclass(frozen=True)
class Guard:
    """How campaign_guard brackets a remedy that is done with Ansible's own modules.

    `restart`: it restarts its module. `whole_server`: it stops all of Campaign. `lasting`: it leaves
    more behind than processes.
    """

    restart: bool = False
    whole_server: bool = False
    lasting: bool = True


@dataclass(frozen=True)
class Remedy:
    """A documented fix.

    `level`: its place from mild to strong. `covers`: remedies that are not needed beside it on
    the same module. `host_wide`: it stops the whole service, and covers for all modules.
    `apart`: it touches no process of the module, so it neither covers nor is covered.
    `each`: it is for one thing of the module, which this fact of a finding names.
    `shared`: it changes what all instances share, so one step is for all that have met it.
    `cuts_off`: running work of the module may be lost.
    `finishes`: it ends what a repair has begun, so it comes before all others, and neither a window
    nor a list of allowed remedies keeps it back.
    `guard`: none for a remedy that is one call of campaign_module, campaign_job or
    campaign_workflow, which ask the guards by themselves.
    """

    name: str
    level: int
    title: str
    covers: frozenset[str] = frozenset()
    host_wide: bool = False
    apart: bool = False
    each: str = ""
    shared: bool = False
    cuts_off: bool = False
    finishes: bool = False
    guard: Guard | None = None


_READS = frozenset({"reload"})
_BEGINS = frozenset({"reload", "start", "restart"})
_RESTORES = _BEGINS | {"restore_log_precision"}
_SERVICE = _RESTORES | {"start_service"}

REMEDIES: dict[str, Remedy] = {
    remedy.name: remedy
    for remedy in (
        Remedy(
            "finish_repair", 1, "Finish the interrupted repair of {target}", apart=True,
            finishes=True, guard=Guard(),
        ),
        Remedy(
            "enable_service", 1, "Let {target} start at boot", apart=True, guard=Guard(),
        ),
        Remedy(
            "clear_pid_file", 1, "Remove the stale pid file of {target}", apart=True,
            guard=Guard(),
        ),
        Remedy("reload", 1, "Load the configuration of {target} again"),
        Remedy("start", 2, "Start {target}", covers=_READS),
        Remedy("start_service", 2, "Start the Campaign service", covers=_READS | {"start"}),
        Remedy(
            "start_front_end", 2, "Start the web server in front", apart=True, guard=Guard(),
        ),
        Remedy("consolidate", 2, "Consolidate the tracking logs of {instance}", apart=True),
        Remedy(
            "relaunch", 2, "Launch {module} {subject} of {instance} again", apart=True, each="job",
        ),
        Remedy(
            "start_workflow", 2, "Start {subject} of {instance} again", apart=True,
            each="workflow",
        ),
        Remedy(
            "restart", 3, "Restart {target}", covers=_BEGINS - {"restart"}, cuts_off=True,
        ),
        Remedy(
            "restore_log_precision", 3, "Restart {target} with its normal log precision",
            covers=_BEGINS, cuts_off=True,
        ),
        Remedy(
            "raise_log_precision", 3, "Restart {target} with a raised log precision",
            cuts_off=True,
        ),
        Remedy(
            "free_port", 3, "Free the port of {target} and restart it", covers=_BEGINS,
            cuts_off=True, guard=Guard(restart=True),
        ),
        Remedy(
            "move_tmp", 3, "Move the temporary directory and restart {target}", covers=_BEGINS,
            shared=True, cuts_off=True, guard=Guard(restart=True),
        ),
        Remedy(
            "kill_and_start", 4, "Kill {target} and start it", covers=_RESTORES, cuts_off=True,
        ),
        Remedy(
            "rebuild_shared_memory", 5, "Stop all, rebuild the shared memory, start all",
            covers=_SERVICE, host_wide=True, cuts_off=True,
            guard=Guard(restart=True, whole_server=True),
        ),
        Remedy(
            "restart_service", 6, "Restart the whole Campaign service", covers=_SERVICE,
            host_wide=True, cuts_off=True,
            guard=Guard(restart=True, whole_server=True, lasting=False),
        ),
    )
}
RANK: dict[str, int] = {name: number for number, name in enumerate(REMEDIES)}

# The rungs by which a site can bound all ladders: campaign_highest_rung.
HIGHEST: tuple[str, ...] = (
    "restart", "kill_and_start", "rebuild_shared_memory", "restart_service",
)

# What is documented for a finding beyond its remedy, in this order. The first table that
# knows the finding counts: its key, else its remedy. What none knows goes to a person.
AFTER_KEY: dict[str, tuple[str, ...]] = {
    "watchdog.nothing_runs": ("restart_service",),
    "watchdog.stopped": ("restart_service",),
    # The watchdog alone cannot be restarted: it takes all modules along, and so says the plan.
    "watchdog.configuration_stale": ("restart_service",),
    # The machine has no process of its own: which modules are to restart, a person says.
    "host.configuration_changed": (),
    # stat killed loses its statistics twice: no further than a restart.
    "stat.quotas_not_loaded": ("restart",),
}
AFTER_REMEDY: dict[str, tuple[str, ...]] = {
    "reload": ("restart", "kill_and_start"),
    "restart": ("kill_and_start",),
    "restore_log_precision": ("kill_and_start",),
}

# When the last rung did not help, what shows a person more.
AFTERWARDS: dict[str, str] = {"wfserver": "raise_log_precision"}

# What a stop may cut off, by module.
WORK: dict[str, str] = {
    "syslogd": "log lines sent meanwhile are lost",
    "stat": "its statistics of connections are lost",
    "mta": "deliveries stop; messages in hand are sent again later",
    "web": "consoles and web pages are cut off, and SOAP calls in hand",
    "trackinglogd": "clicks and opens of that moment may be lost",
    "tracking": "a consolidation in hand begins anew",
    "inMail": "the bounce mails in hand are read again",
    "wfserver": "workflow tasks in hand are interrupted and started again",
    "export": "an export in hand is lost",
    "import": "an import in hand is cut off, and may leave part of its data",
}
ALL_WORK = "everything that Campaign does on this host is cut off for the time"

# The role that has a module's remedies. The machine's one remedy, to load the configuration, is
# the watchdog's: it is on every host, web is not.
ROLES: dict[str, str] = {HOST: "watchdog", **{module: module.lower() for module in MODULES}}


def rungs(key: str, remedy: str) -> tuple[str, ...]:
    """The ladder of a finding: its remedy, then what is documented if that did not help."""
    after = AFTER_KEY.get(key, AFTER_REMEDY.get(remedy, ()))
    return (remedy, *after)


def cancels(remedy: str, module: str) -> str | None:
    """What running work a remedy may cut off."""
    known = REMEDIES[remedy]
    if not known.cuts_off:
        return None
    # What restarts the watchdog restarts all that it supervises.
    return ALL_WORK if known.host_wide or module == "watchdog" else WORK.get(module)


def covers(stronger: str, milder: str) -> bool:
    """Whether one remedy makes another one on the same module needless."""
    return stronger == milder or milder in REMEDIES[stronger].covers
