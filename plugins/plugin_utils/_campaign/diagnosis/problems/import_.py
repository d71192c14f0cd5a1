# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with import, which runs the declared import jobs."""

from __future__ import annotations

from ..model import WARNING
from ..rules import Catalogue
from . import every_module
from .jobs import JOBS
from .logged import add_line, as_documented

problems = Catalogue("import")
add_line(
    problems,
    "duplicate_key",
    title="An import writes records that already exist",
    severity=WARNING,
    summary="{target} logged {count:# time} that a record already exists (duplicate): {sample}",
    source="modules",
    **as_documented("PGS-220000/duplicate"),
)
problems.include(JOBS, *every_module.UTILITY, causes_of_errors=("import.failed",))
