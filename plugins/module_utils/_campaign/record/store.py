# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state directory: its owner, its protection and its files.

If this process is root, it belongs to root, and no other account can replace it: so nothing
in it is of the Campaign account's making.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Iterator, List, Optional

MAX_BYTES = 1024 * 1024
MUTEX_SECONDS = 10.0
LINKS = 40


class StoreError(Exception):
    """The state directory or the ledger cannot be used."""


def walk(path: str) -> int:
    """A descriptor of a directory, reached from the root by folders and links that only root can
    change. Raises StoreError for any other, OSError where there is none.
    """
    remaining = [name for name in reversed(path.split("/")) if name]
    links = LINKS
    stack = [(os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "/")]
    try:
        while remaining:
            name = remaining.pop()
            descriptor, place = stack[-1]
            if name == "..":
                if len(stack) > 1:
                    os.close(stack.pop()[0])
                continue
            if name == ".":
                continue
            where = os.path.join(place, name)
            _only_roots(os.fstat(descriptor), place, path)
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if status.st_uid != 0:
                raise _replaceable(where, path)
            if stat.S_ISLNK(status.st_mode):
                links -= 1
                if links < 0:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), where)
                target = os.readlink(name, dir_fd=descriptor)
                remaining.extend(part for part in reversed(target.split("/")) if part)
                if target.startswith("/"):
                    while len(stack) > 1:
                        os.close(stack.pop()[0])
                continue
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            stack.append((os.open(name, flags, dir_fd=descriptor), where))
            if os.fstat(stack[-1][0]).st_uid != 0:
                raise _replaceable(where, path)
        return os.dup(stack[-1][0])
    finally:
        for descriptor, dummy in stack:
            os.close(descriptor)


def _only_roots(status: os.stat_result, place: str, path: str) -> None:
    """Can an account other than root replace what is in this folder? It cannot replace root's
    entries of a sticky folder (/tmp).
    """
    open_to_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid != 0 or (open_to_others and not status.st_mode & stat.S_ISVTX):
        raise _replaceable(place, path)


def _replaceable(place: str, path: str) -> StoreError:
    return StoreError(
        "%s is not safe to use: an account other than root can change %s. Choose a state_dir"
        " (campaign_state_dir) that only root can change." % (path, place)
    )


class Store:
    """The directory and its files: those of the account that this process is."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen = False

    def join(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def prepare(self) -> None:
        """Make the directory if there is none."""
        try:
            if os.geteuid() == 0:
                self._make_as_root()
            else:
                os.makedirs(self.path, 0o700, exist_ok=True)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
                raise self._no_directory() from None
            raise self.error("make", error) from None
        self._seen = False
        self.check()

    def _make_as_root(self) -> None:
        """Create missing folders, each only below a folder that only root can change."""
        missing: "List[str]" = []
        path = self.path
        while not os.path.lexists(path) and path != "/":
            missing.append(os.path.basename(path))
            path = os.path.dirname(path)
        descriptor = walk(path)
        try:
            _only_roots(os.fstat(descriptor), path, self.path)
            for name in reversed(missing):
                try:
                    os.mkdir(name, 0o700, dir_fd=descriptor)
                except FileExistsError:
                    pass  # another run was faster; whose it is is looked at below
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(name, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Raises StoreError if it is not our own directory, or if another account could
        replace it. A missing one is not an error.
        """
        if self._seen:
            return
        try:
            if os.geteuid() == 0:
                descriptor = walk(self.path)
            else:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(self.path, flags)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise self._no_directory() from None
            raise self.error("use", error) from None
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                raise self._no_directory()
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                os.fchmod(descriptor, 0o700)
        except OSError as error:
            raise self.error("use", error) from None
        finally:
            os.close(descriptor)
        self._seen = True

    def _no_directory(self) -> StoreError:
        return StoreError(
            "%s is not a directory owned by the account that runs this (uid %d): remove it or"
            " choose another state_dir." % (self.path, os.geteuid())
        )

    def error(self, verb: str, error: OSError, path: "Optional[str]" = None) -> StoreError:
        text = "Cannot %s %s: %s." % (verb, path or self.path, error.strerror or error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = "Cannot %s %s: the disk is full." % (verb, path or self.path)
        return StoreError(text)

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """A descriptor of a regular file here; never through a link, and never waited for."""
        self.check()
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.join(name), flags, mode)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a regular file", self.join(name))
        return descriptor

    @contextlib.contextmanager
    def mutex(self) -> "Iterator[None]":
        """One process at a time between here and the end; freed by the kernel when it dies."""
        descriptor = None
        try:
            descriptor = self.open(".mutex", os.O_RDWR | os.O_CREAT)
            _flock(descriptor, time.monotonic() + MUTEX_SECONDS)
        except OSError as error:
            if descriptor is not None:
                os.close(descriptor)
            raise self.error("lock", error, self.join(".mutex")) from None
        try:
            yield
        finally:
            os.close(descriptor)

    def read(self, name: str, limit: int = 4 * MAX_BYTES, end: bool = False) -> "Optional[bytes]":
        """The first bytes of a file here, or the last ones (end); None if there is none."""
        try:
            descriptor = self.open(name, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self.error("read", error, self.join(name)) from None
        try:
            if end:
                size = os.fstat(descriptor).st_size
                os.lseek(descriptor, max(0, size - limit), os.SEEK_SET)
            return _read(descriptor, limit)
        except OSError as error:
            raise self.error("read", error, self.join(name)) from None
        finally:
            os.close(descriptor)

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file atomically."""
        temporary = ".%s.new" % name
        try:
            descriptor = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(self.join(temporary), self.join(name))
        except OSError as error:
            self.remove(temporary)
            raise self.error("write", error, self.join(name)) from None

    def remove(self, name: str) -> None:
        try:
            os.unlink(self.join(name))
        except OSError:
            pass  # what must not stay is looked at again by its reader


def _read(descriptor: int, limit: int) -> bytes:
    """Up to this many bytes from a descriptor's position."""
    parts = []
    while limit > 0:
        part = os.read(descriptor, limit)
        if not part:
            break
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _flock(descriptor: int, end: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise OSError(errno.EBUSY, "another process has locked it") from None
            time.sleep(0.02)
