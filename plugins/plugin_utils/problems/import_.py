# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What can be wrong with import, which runs the declared import jobs."""

from __future__ import annotations

from ansible_collections.campaign.remediation.plugins.plugin_utils.model import (
    Catalogue,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils.problems.jobs import add_jobs

problems = Catalogue("import")
add_jobs(problems)
