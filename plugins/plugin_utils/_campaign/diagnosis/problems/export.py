# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with export, which runs the declared export jobs."""

from __future__ import annotations

from ..model import Catalogue
from .jobs import add_jobs

problems = Catalogue("export")
add_jobs(problems)
