# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a host starts and stops all of Campaign: by its unit, its init script, or nlserver itself."""

from __future__ import annotations

from ...snapshot.server import Server
from ..model import Facts, Fix, as_account
from ..shell import NotShown, Shell

START_BY_HAND = as_account("nlserver watchdog -svc -noconsole")
RESTART_BY_HAND = as_account("nlserver shutdown", "nlserver watchdog -svc -noconsole")


def start_service(server: Server) -> Facts:
    """How this host starts everything: the facts that the fix needs."""
    return {"starts_with": _way(server, START_BY_HAND, "start")}


def restart_service(server: Server) -> Facts:
    """The same for a stop of everything and a start."""
    return {"restarts_with": _way(server, RESTART_BY_HAND, "stop", "start")}


def _way(server: Server, by_hand: Fix, *verbs: str) -> Shell:
    service = server.service
    if service.manager == "systemd" and service.load_state == "loaded":
        unit = service.unit.removesuffix(".service")
        line = " && ".join(f"systemctl {verb} {{unit}}" for verb in verbs)
        return Shell.of(line, {"unit": unit})
    if service.init_script:
        line = " && ".join(f"{{script}} {verb}" for verb in verbs)
        return Shell.of(line, {"script": service.init_script})
    try:
        return by_hand.commands({"home": server.home, "user": server.user})
    except NotShown as error:
        return Shell.missing(str(error))
