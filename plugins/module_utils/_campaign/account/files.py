# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Opening files of an account that may have put anything there.

A link is followed: a site may keep a log or `var` elsewhere, and this process has no more rights
than the account itself. What is no regular file is not waited for.
"""

import errno
import os
import stat

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import BinaryIO


def regular(path: str) -> "BinaryIO":
    """A stream of the bytes of a regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        return os.fdopen(descriptor, "rb")
    except Exception:
        os.close(descriptor)
        raise
