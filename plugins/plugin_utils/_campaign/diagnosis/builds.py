# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the vendor says of builds (release notes of 11 August 2026)."""

from __future__ import annotations

DEPRECATED = range(9394, 9400)
CURRENT, CURRENT_VERSION = 9400, "7.4.4"
