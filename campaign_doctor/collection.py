# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which copy of the collection is used: one that a person has chosen, else the one that came along.

First the checkout that this package is in, then a checkout that the command is called in, then an
installed collection, then the copy in the wheel.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from .configuration import trusted

HERE = Path(__file__).resolve().parent
NAMESPACE, NAME = "campaign", "remediation"
COLLECTION = f"{NAMESPACE}.{NAME}"
PACKED = HERE / "collections"
DEFAULT_PATHS = ("{home}/collections", "/usr/share/ansible/collections")
CONFIGURATIONS = ("ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg")


@dataclass(frozen=True)
class Copy:
    """A copy of the collection; `kind` says how it got there."""

    kind: str
    path: Path

    @property
    def version(self) -> str:
        """Its version; "unknown" where it does not say."""
        try:
            manifest = json.loads((self.path / "MANIFEST.json").read_text(encoding="utf-8"))
            return str(manifest["collection_info"]["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return str(_galaxy(self.path).get("version", "unknown"))

    def playbook(self, name: str) -> str:
        """How ansible-playbook is given a playbook of it."""
        if self.kind in ("checkout", "checkout here"):
            return str(self.path / "playbooks" / f"{name}.yml")
        return f"{COLLECTION}.{name}"


@cache
def used() -> Copy | None:
    """The copy that is used; None where there is none at all."""
    return next(_copies(), None)


def environment() -> dict[str, str]:
    """What Ansible needs to find it."""
    copy = used()
    if copy is None or copy.kind != "packed":
        return {}
    # The collections of a person, such as a connection plugin's, are found as ever.
    return {"ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, [*_paths(), PACKED]))}


def _copies() -> Iterator[Copy]:
    if _is_collection(HERE.parent):
        yield Copy("checkout", HERE.parent)
    here = Path.cwd()
    if _is_collection(here) and trusted(here / "galaxy.yml"):
        yield Copy("checkout here", here)
    for base in [*_paths(), *map(Path, sys.path)]:
        path = _below(base)
        if (path / "playbooks").is_dir() and path.resolve() != _below(PACKED).resolve():
            yield Copy("installed", path)
    if _below(PACKED).is_dir():
        yield Copy("packed", _below(PACKED))


def _below(base: Path) -> Path:
    return base / "ansible_collections" / NAMESPACE / NAME


def _is_collection(path: Path) -> bool:
    told = _galaxy(path)
    return (told.get("namespace"), told.get("name")) == (NAMESPACE, NAME)


def _galaxy(path: Path) -> dict[str, object]:
    try:
        loaded = yaml.safe_load((path / "galaxy.yml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _paths() -> list[Path]:
    """Where Ansible looks for collections: as the environment, its configuration or it itself says."""
    told = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or _configured()
    if told:
        return [Path(each).expanduser() for each in told.split(os.pathsep) if each]
    home = os.environ.get("ANSIBLE_HOME", "~/.ansible")
    return [Path(each.format(home=home)).expanduser() for each in DEFAULT_PATHS]


def _configured() -> str | None:
    named = os.environ.get("ANSIBLE_CONFIG")
    for name in [named] if named else CONFIGURATIONS:
        path = Path(name).expanduser()
        if path.is_file():
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            try:
                parser.read(path, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError):
                return None
            told = parser.get("defaults", "collections_path", fallback="")
            # Relative paths are meant from the file.
            return os.pathsep.join(
                str(path.absolute().parent / Path(each).expanduser())
                for each in told.split(os.pathsep) if each
            ) or None
    return None
