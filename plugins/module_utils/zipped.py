# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What costs an Ansible module less that runs from the archive in which it came to its host.

To import this file is enough for its neighbours that are imported after it to be compiled once
(Finder). Nothing here does anything where the files lie in a directory, as in tests.
"""

import atexit
import os
import sys
from importlib.machinery import ModuleSpec
from zipimport import zipimporter


class Finder(object):
    """Finds the files beside this one, without compiling them for that.

    zipimport compiles a file to tell its name, and once more to run it: half of the time that
    an import takes. A specification without a file name spares the first.
    """

    @staticmethod
    def find_spec(name, *_more):
        """The specification of a file beside this one, None for anything else."""
        if name.rpartition(".")[0] == __package__:
            return ModuleSpec(name, __loader__)
        return None


def leave_at_once():
    """Let a success be the last thing this process does.

    An interpreter gives its memory back piece by piece, which takes as long as several probes; the
    kernel does it all the same.
    """
    if isinstance(__loader__, zipimporter):
        atexit.register(_leave)


def _leave():
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if isinstance(__loader__, zipimporter) and Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)
