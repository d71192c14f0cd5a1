#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Writes every generated file that is committed (make generated).

Each of its writers is also a tool of its own. .gitattributes names what they write.
"""

from __future__ import annotations

import sys

import catalogue_docs
import coverage_docs
import declared_docs
import doctor_docs
import errors_docs
import fault_docs
import finding_pages
import metrics
import playbook_specs
import report_schema
import scenario_docs
import security_docs
from common.writer import main

import roles

WRITERS = (
    declared_docs.WRITER,
    catalogue_docs.WRITER,
    coverage_docs.WRITER,
    doctor_docs.WRITER,
    errors_docs.WRITER,
    fault_docs.WRITER,
    finding_pages.WRITER,
    playbook_specs.WRITER,
    metrics.WRITER,
    report_schema.WRITER,
    roles.WRITER,
    scenario_docs.WRITER,
    security_docs.WRITER,
)

if __name__ == "__main__":
    sys.exit(main(__doc__, WRITERS))
