# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Messages about what is new, worse or fixed, to people and to machines.

settings: what campaign-doctor.toml says. targets: where to send, and how. message: what is sent.
memory: what each target has heard. notifier: all of it for a run.
"""
