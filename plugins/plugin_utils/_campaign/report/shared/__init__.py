# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the playbooks and the command campaign-doctor share: it has a link to this folder, and its
own model.py beside that. Standard library only.
"""
