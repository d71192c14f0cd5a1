# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the tools share. With it come the checkout's packages: the collection, lab, command, tests."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

for folder in ("tests", "lab", "playbooks/collections", "."):
    if (place := str(CHECKOUT / folder)) not in sys.path:
        sys.path.insert(0, place)
