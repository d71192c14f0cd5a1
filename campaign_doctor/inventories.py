# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The inventory as files: which hosts it has, and which file a variable of a host is from.

For commands that change it. What a program makes, or a vault closes, is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .errors import DoctorError
from .muted import NAME, CannotChangeError, Where, entries

ENCRYPTED = "$ANSIBLE_VAULT"
ENDINGS = ("", ".yml", ".yaml", ".json")  # as Ansible looks for them
VARIABLES = ("group_vars", "host_vars")


class Place(NamedTuple):
    """Where a variable is set: a file, the keys in it, and the hosts that it holds for."""

    path: Path
    where: Where
    hosts: frozenset[str]


class Inventory:
    """Static inventories, as Ansible reads them. Raises DoctorError for anything else."""

    def __init__(self, names: Iterable[str]) -> None:
        self._sources = [_source(name) for name in names]
        self._files = [each for source in self._sources for each in _files(source)]
        for path in self._files:
            _refuse_dynamic(path)
        self._read = _read(self._sources)
        self.hosts: list[str] = sorted(self._read.hosts)
        if not self.hosts:
            raise DoctorError(f"{self._sources[0]} holds no host. Nothing was changed.")

    @property
    def folders(self) -> list[Path]:
        """Where group_vars and host_vars are."""
        found = (path if path.is_dir() else path.parent for path in self._sources)
        return list(dict.fromkeys(found))

    @property
    def mode(self) -> int:
        """The rights that a new file gets: those of the inventory."""
        return self._files[0].stat().st_mode & 0o666

    def place(self, host: str) -> Place | None:
        """Where the list that holds for a host is: what Ansible takes last."""
        return next(self._places(host), None)

    def default(self, kind: str, name: str) -> Path:
        """Where it goes if it is nowhere yet: host_vars/app1.yml, or the directory of that name."""
        for folder in self.folders:
            for ending in ENDINGS[:3]:
                path = folder / kind / f"{name}{ending}"
                if path.is_dir():
                    return path / "main.yml"
                if path.is_file():
                    return path
        return self.folders[0] / kind / f"{name}.yml"

    def _places(self, host: str) -> Iterator[Place]:
        """Those that set it, the one that wins first."""
        known = self._read.hosts[host]
        yield from self._in_files("host_vars", host, frozenset({host}))
        if NAME in known.vars:
            yield self._inline("hosts", host, frozenset({host}))
        groups = sorted(known.get_groups(), key=lambda each: (each.depth, each.priority, each.name))
        for group in [*(each for each in reversed(groups) if each.name != "all"),
                      self._read.groups["all"]]:  # fmt: skip
            yield from self._in_files("group_vars", group.name, _hosts(group))
        for group in reversed(groups):
            if NAME in group.vars:
                yield self._inline("vars", group.name, _hosts(group))

    def _in_files(self, kind: str, name: str, hosts: frozenset[str]) -> Iterator[Place]:
        for folder in reversed(self.folders):
            for path in reversed(_variables(folder / kind / name)):
                text = content(path)
                if text.startswith(ENCRYPTED):
                    continue  # a list that is known is not in a vault
                try:
                    if entries(text) is not None:
                        yield Place(path, (), hosts)
                except CannotChangeError as error:
                    raise DoctorError(f"{path}: {error}. Nothing was changed.") from None

    def _inline(self, kind: str, name: str, hosts: frozenset[str]) -> Place:
        """In a YAML inventory itself; elsewhere nothing is changed."""
        for path in reversed(self._files):
            if path.suffix in (".yml", ".yaml"):
                for where in _mappings(yaml.safe_load(content(path)), kind, name):
                    return Place(path, where, hosts)
        raise DoctorError(
            f"{NAME} of {name} is in {', '.join(map(str, self._files))}, which is not YAML: move it to"
            f" {self.default('host_vars' if kind == 'hosts' else 'group_vars', name)} first. Nothing"
            " was changed."
        )


def names(sources: Iterable[str]) -> list[str]:
    """The hosts and groups of any inventory; none where it cannot be read."""
    try:
        found = _read([name if "," in name else str(Path(name).expanduser()) for name in sources])
    except DoctorError:
        return []
    return sorted({*found.hosts, *found.groups})


def content(path: Path) -> str:
    """The text of a file. Raises DoctorError."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise DoctorError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise DoctorError(f"{path} is not UTF-8. Nothing was changed.") from None


def _hosts(group: Any) -> frozenset[str]:
    return frozenset(host.name for host in group.get_hosts())


def _source(name: str) -> Path:
    path = Path(name).expanduser()
    if "," in name and not path.exists():
        raise DoctorError(f"The inventory '{name}' is a list of hosts and not a file: there is nothing"
                          " that could be changed.")  # fmt: skip
    if not path.exists():
        raise DoctorError(f"The inventory {path} does not exist.")
    return path


def _files(source: Path) -> list[Path]:
    """The files of hosts; a directory may have several."""
    if source.is_file():
        return [source]
    found = [
        path for path in sorted(source.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts)
        and path.relative_to(source).parts[0] not in VARIABLES
    ]
    if not found:
        raise DoctorError(f"The inventory {source} holds no file.")
    return found


def _refuse_dynamic(path: Path) -> None:
    text = content(path)
    if text.startswith(ENCRYPTED):
        raise DoctorError(f"{path} is encrypted: change it with ansible-vault edit {path}.")
    try:
        loaded = yaml.safe_load(text) if path.suffix in (".yml", ".yaml") else None
    except yaml.YAMLError:
        return  # a tag, or a mistake that Ansible reports
    if text.startswith("#!") or (isinstance(loaded, dict) and "plugin" in loaded):
        raise DoctorError(
            f"{path} makes a dynamic inventory, which is not changed from here. Nothing was changed."
        )


def _read(sources: Sequence[str | Path]) -> Any:
    """The inventory as Ansible has it."""
    # Slow to import, and needed by few commands.
    from ansible.errors import AnsibleError  # noqa: PLC0415
    from ansible.inventory.manager import InventoryManager  # noqa: PLC0415
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415

    try:
        manager = InventoryManager(DataLoader(), sources=[str(path) for path in sources])
    except AnsibleError as error:
        raise DoctorError(f"{sources[0]} cannot be read: {' '.join(str(error).split())}") from None
    return manager


def _variables(path: Path) -> list[Path]:
    """The files of variables with a name, in the order in which Ansible reads them."""
    for ending in ENDINGS:
        file = path.with_name(f"{path.name}{ending}")
        if not ending and file.is_dir():
            return [each for each in sorted(file.rglob("*"))
                    if each.is_file() and each.suffix in ENDINGS and each.name[0] not in ".~"]  # fmt: skip
        if file.is_file():
            return [file]
    return []


def _mappings(data: Any, kind: str, name: str, at: Where = ()) -> Iterator[Where]:
    """The keys that lead to the variables of a host, or of a group, that set the list."""
    for group, body in data.items() if isinstance(data, dict) else ():
        if not isinstance(body, dict):
            continue
        ways = {"hosts": (kind, name), "vars": (kind,)}
        if kind == "hosts" or group == name:
            found: Any = body
            for key in ways[kind]:
                found = found.get(key) if isinstance(found, dict) else None
            if isinstance(found, dict) and NAME in found:
                yield (*at, group, *ways[kind])
        yield from _mappings(body.get("children"), kind, name, (*at, group, "children"))


def replace(path: Path, text: str, mode: int) -> None:
    """Write a file as a whole, with the owner and the rights that it had. Raises OSError."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        number = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            if path.exists():
                was = path.stat()
                mode = was.st_mode & 0o7777
                if (was.st_uid, was.st_gid) != (os.getuid(), os.getgid()):
                    os.chown(number, was.st_uid, was.st_gid)
            os.fchmod(number, mode)
            file.write(text)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
