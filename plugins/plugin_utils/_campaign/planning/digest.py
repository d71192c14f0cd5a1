# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The hash of a plan that an approval names. campaign_doctor has this file by a link: standard
library only.

It shows that the plan was changed after it was approved. It is no signature: who can write the file
can write another approval, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Not part of what is approved: the approval itself, and whether a step asks once more.
APPROVAL, ASKS = "approval", "asks"


def digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 of a plan as JSON has it."""
    approved = {
        **{key: value for key, value in plan.items() if key != APPROVAL},
        "hosts": [
            {**host, "steps": [
                {key: value for key, value in step.items() if key != ASKS}
                for step in host["steps"]
            ]}
            for host in plan["hosts"]
        ],
    }
    text = json.dumps(approved, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
