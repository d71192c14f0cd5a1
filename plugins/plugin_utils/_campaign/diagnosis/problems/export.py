# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with export, which runs the declared export jobs."""

from __future__ import annotations

from ..rules import Catalogue
from . import every_module
from .jobs import JOBS

problems = Catalogue("export")
problems.include(JOBS, *every_module.UTILITY, causes_of_errors=("export.failed",))
