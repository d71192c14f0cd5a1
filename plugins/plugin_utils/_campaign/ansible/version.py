# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The collection's version, from what an installed build or a checkout has at its top."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from ansible.module_utils.common.yaml import yaml_load


def collection_version() -> str:
    """Such as `1.0.0`."""
    top = Path(__file__).resolve().parents[4]
    try:
        manifest = json.loads((top / "MANIFEST.json").read_text(encoding="utf-8"))
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        return str(yaml_load((top / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return "unknown"
