# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can go wrong before or beside a run."""

from __future__ import annotations


class DoctorError(Exception):
    """One line for the operator: what was tried, what happened, what to do."""
