# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cheaper imports for an Ansible module that runs from the archive in which it was sent.

To import this file is enough for the files of all rooms that are imported after it to be compiled
once (Finder). Nothing here does anything where the files lie in a directory, as in tests.
"""

import atexit
import os
import sys
from importlib.machinery import ModuleSpec
from zipimport import ZipImportError, zipimporter

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Optional, Sequence

    __loader__: Any

# Not of __package__, which the zipimport of Python 3.6 leaves empty.
ROOT = __name__.rpartition(".")[0].rpartition(".")[0] + "."


class Finder:
    """Finds the files of this collection, without compiling them for that.

    zipimport compiles a file to tell its name, and once more to run it: half of the time that
    an import takes. A specification without a file name spares the first.
    """

    @staticmethod
    def find_spec(
        name: str, path: "Optional[Sequence[str]]" = None, *_more: object
    ) -> "Optional[ModuleSpec]":
        """The specification of a file of the collection, None for anything else, also for a room:
        a room has next to nothing to compile.
        """
        if not name.startswith(ROOT) or not path:
            return None
        try:
            known = sys.path_importer_cache.get(path[0])
            loader: "Any" = known or zipimporter(path[0])
            if loader.is_package(name):
                return None
        except (AttributeError, ZipImportError):
            return None
        return ModuleSpec(name, loader)


def leave_at_once() -> None:
    """Let a success be the last thing this process does.

    An interpreter gives its memory back piece by piece, which takes as long as several probes; the
    kernel does it all the same.
    """
    if isinstance(__loader__, zipimporter):
        atexit.register(_leave)


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if isinstance(__loader__, zipimporter) and Finder not in sys.meta_path:
    sys.meta_path.insert(0, Finder)
