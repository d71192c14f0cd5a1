"""Counts the commands of Ansible that this virtual environment starts: see tools/stages.py.

tools/venv puts this file beside campaign_tally.pth, which loads it where $CAMPAIGN_TALLY is set.
"""

import os
import sys

if os.path.basename((*sys.orig_argv, "", "")[1]).startswith("ansible"):
    try:
        _tally = os.open(os.path.join(os.environ["CAMPAIGN_TALLY"], "ansible"),
                         os.O_WRONLY | os.O_APPEND)
        os.write(_tally, b".")
        os.close(_tally)
    except OSError:
        pass
