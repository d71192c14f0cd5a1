# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes campaign_doctor/catalogue.json from the collection, before campaign-doctor is packed, and
packs the collection beside it: the wheel alone is enough to diagnose.

A source distribution holds the file that was made when it was built: it has not all of the tools.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The parts of the collection that run; galaxy.yml has its version.
PARTS = ("plugins", "roles", "playbooks", "meta")
FILES = ("galaxy.yml", "LICENSE")
PLACE = "campaign_doctor/collections/ansible_collections/campaign/remediation"
# The checkout's link to itself, what Python leaves, and what a run leaves.
LEFT_OUT = ("playbooks/collections", "playbooks/campaign-report")


def collection(top: Path) -> dict[str, str]:
    """Each file of the collection, and where it is in the wheel."""
    found = {str(top / name): f"{PLACE}/{name}" for name in FILES}
    for part in PARTS:
        for folder, _folders, names in os.walk(top / part):  # follows no link
            place = Path(folder).relative_to(top)
            if "__pycache__" in place.parts or str(place).startswith(LEFT_OUT):
                continue
            for name in names:
                if not name.endswith((".pyc", "~", ".swp")):
                    found[str(Path(folder) / name)] = f"{PLACE}/{place / name}"
    return found


class CatalogueHook(BuildHookInterface):
    """Called for a wheel, a source distribution and a development install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the build."""
        writer = Path(self.root) / "tools" / "catalogue_docs.py"
        file = Path(self.root) / "campaign_doctor" / "catalogue.json"
        if writer.is_file():
            made = subprocess.run([sys.executable, writer, "--data"], check=True, capture_output=True)
            half = file.with_suffix(".half")
            half.write_bytes(made.stdout)
            half.replace(file)  # campaign-doctor may be reading it
        elif not file.is_file():
            raise FileNotFoundError(f"neither {writer} nor {file} is there")
        if self.target_name == "wheel" and version != "editable":  # that has the checkout
            build_data["force_include"].update(collection(Path(self.root)))
