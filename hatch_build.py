# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes campaign_doctor/catalogue.json from the collection, before campaign-doctor is packed.

A source distribution holds the file that was made when it was built: it has no collection.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


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
