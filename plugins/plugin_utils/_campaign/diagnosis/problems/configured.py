# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the configuration of a module says that no restart puts right: someone must edit it."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.precision import (
    filters,
    precision,
)

from ...snapshot.records import SERVER_FILE, ModuleInstance
from ...snapshot.server import Server
from ..model import WARNING, ByHand, Evidence, Facts, advice
from ..rules import SharedRules

IN_A_FILE = ByHand(
    reason="a restart does not help: {attribute} is in {file}, and each start uses it",
    summary="{attribute} of {target} in {file} raises the log precision ({value}) at every start.",
    fix=advice(
        "remove {value} from {attribute} of {module} in {home}/conf/{file}, then restart {target}"
    ),
)


def configured_precision(module: ModuleInstance) -> Iterator[Evidence]:
    """Raised log precision in the arguments that a file has for a module or its children."""
    known = module.configuration
    if known is None:
        return
    for name, attribute in (("args", "args"), ("extra_args", "child extraArgs")):
        value = (known.args if name == "args" else known.text(name)) or ""
        raised = precision(value.split())
        if raised == "standard":
            continue
        facts: Facts = {
            "precision": raised, "attribute": attribute, "file": known.origin(name),
            "value": value[:200], "module": module.name,
            "filters": ",".join(filters(value.split())) or None,
        }
        yield Evidence(facts, module.instance, name, by_hand=IN_A_FILE)


CONFIGURED = SharedRules()  # for a module with its own element


@CONFIGURED.per_instance(
    title="MODULE has no daily restart",
    severity=WARNING,
    summary="{target} has no daily restart: processRestartTime is missing from its element in"
    " {file}.",
    source="configuration_file",
    needs=("configuration",),
    reason="each process must restart once a day; the time can be moved, not deleted",
    fix=advice(
        'add processRestartTime="06:00:00", or another time, to the element {module} of'
        " {home}/conf/{file}; it takes effect at the next start of {target}"
    ),
    causes=("host.configuration_unreadable",),
)
def restart_time_missing(_server: Server, module: ModuleInstance) -> Facts | None:
    known = module.configuration
    if known is None or not known.restart_time_missing or not (module.expected or module.alive):
        return None
    return {"file": SERVER_FILE, "module": module.name}
