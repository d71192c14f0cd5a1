# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""catalogue.json: packed when the wheel is built, and written in a checkout when it is needed.

A checkout has the collection beside this package. There the file is written again whenever a file
of the collection is newer, by a process of its own: campaign_doctor imports no plugin.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from .errors import DoctorError
from .files import write_whole

FILE = Path(__file__).resolve().with_name("catalogue.json")
TOP = FILE.parents[1]
WRITER = TOP / "tools" / "catalogue_docs.py"
SECONDS = 60.0


def catalogue() -> bytes:
    """The catalogue as JSON. Raises DoctorError."""
    if WRITER.is_file() and _changed() > _time(FILE):
        return _made()
    try:
        return FILE.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DoctorError(f"{FILE}: {reason}. Install campaign-doctor again.") from error


def _changed() -> float:
    """When a file that the catalogue is made from was last changed."""
    sources = (path for path in (TOP / "plugins").glob("*_utils/**/*")
               if path.suffix in (".py", ".ini"))
    return max([_time(WRITER), *map(_time, sources)])


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _made() -> bytes:
    """Make it, and keep it where that is possible."""
    try:
        done = subprocess.run(
            [sys.executable, WRITER, "--data"], stdin=subprocess.DEVNULL, capture_output=True,
            check=True, timeout=SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        last = said.decode("utf-8", "replace").strip().splitlines()[-1]
        raise DoctorError(f"{WRITER} cannot make the catalogue: {last}") from error
    with suppress(OSError):  # the checkout of another account
        write_whole(FILE, done.stdout, mode=0o644)
    return done.stdout
