# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the state directory is."""

import os
import re
import zlib

OF_ROOT = "/var/lib/campaign_remediation"


def default_state_dir(home: str) -> str:
    """Where it is unless the site says otherwise: root's own place, with a folder for each
    installation; else beside the installation, so that it survives an upgrade.
    """
    if os.geteuid() != 0:
        return os.path.join(os.path.dirname(home), "remediation")
    name = re.sub(r"[^A-Za-z0-9_.]", "-", home.strip("/"))
    if "/" + name.replace("-", "/") != home:  # two installations must not share one
        name += "-%08x" % (zlib.crc32(home.encode("utf-8", "surrogateescape")) & 0xFFFFFFFF)
    return os.path.join(OF_ROOT, name)
