# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Campaign server on the host is meant: the options that all modules share.

Their argument specification is in module_utils/_campaign/options.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the server."""

    DOCUMENTATION = r"""
options:
  home:
    description: The installation directory of the server, the one with C(bin/nlserver).
    type: path
    default: /usr/local/neolane/nl6
  user:
    description:
      - The Campaign account. C(nlserver) runs as this account, never as root.
      - The module must be run as this account, or as root. As root, it leaves the account's files and
        programs to a child process that becomes the account for good.
    type: str
    default: neolane
  address:
    description: The address of this host at which its local ports are checked.
    type: str
    default: 127.0.0.1
  state_dir:
    description:
      - Where the ledger of the repairs, the lock and the evidence are kept on the host.
      - If empty, a folder of its own for this O(home) in C(/var/lib/campaign_remediation) where the
        module runs as root; else C(remediation) beside O(home).
      - Where the module runs as root, a directory that another account could replace is refused,
        such as one below O(home).
    type: path
    default: ""
  service:
    description:
      - The systemd unit of the server, with which root starts and stops the watchdog.
      - It is used only if it exists and is the unit of this O(home). If empty, never.
    type: str
    default: nlserver
"""
