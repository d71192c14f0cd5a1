# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side, in the order of the pipeline: snapshot, diagnosis, planning, report; ansible
ties them to a run. An import points to an earlier folder, never to a later one.
"""
