# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Why a run gave no report, and what to do about it."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .runner import Access, Ended

ERRORS_SHOWN = 3
FILES_LOOKED_AT = 1000  # below the directories of an inventory, for encrypted ones
BYTES_LOOKED_AT = 200_000
VAULT = re.compile(r"vault|decrypt", re.IGNORECASE)
NO_HOST = re.compile(r"no hosts to target|no host matches", re.IGNORECASE)
NAME_ONE = (
    "No inventory is named: -i hosts.yml names one, or the line inventory = \"hosts.yml\" in"
    " campaign-doctor.toml."
)


def reason(ended: Ended, access: Access) -> str:
    """For the operator."""
    if ended.stopped:
        return "It was interrupted before there was a report."
    if ended.errors:
        distinct = list(dict.fromkeys(ended.errors))
        rest = len(distinct) - ERRORS_SHOWN
        told = "Run failed: " + " ".join(_sentence(text) for text in distinct[:ERRORS_SHOWN])
        told += f" (and {rest} more)" if rest > 0 else ""
        return f"{told}{_what_to_do(told, access)}"
    if ended.stats is not None and not ended.stats.get("processed"):
        told = "Run failed: no host matches the inventory and the limit."
        return f"{told}{_what_to_do(told, access)}"
    return f"Ansible ended with code {ended.rc} and wrote no report; -v shows its own output."


def _what_to_do(told: str, access: Access) -> str:
    """After what Ansible said; begins with a blank where there is something to say."""
    named = access.inventory or "ANSIBLE_INVENTORY" in os.environ
    if NO_HOST.search(told) and not named:
        return f" {NAME_ONE}"
    files = list(encrypted(access))
    # With a vault that stays closed Ansible says of its inventory that it cannot be read.
    if VAULT.search(told) or (files and "parse inventory source" in told):
        which = f" {', '.join(map(str, files[:ERRORS_SHOWN]))} {_are(files)} encrypted." if files \
            else ""
        given = access.vault_password_files or access.vault_ids or access.passwords
        wrong = " The vault's password is wrong or missing:" if given else " A vault is closed:"
        return f"{wrong} give it with --ask-vault-pass or --vault-password-file FILE.{which}"
    return ""


def encrypted(access: Access) -> Iterator[Path]:
    """The files of variables of this call that a vault's password opens."""
    for path in _files(access):
        try:
            with path.open("rb") as file:
                head = file.read(BYTES_LOOKED_AT)
        except OSError:
            continue
        if head.startswith(b"$ANSIBLE_VAULT") or b"!vault" in head:
            yield path


def _files(access: Access) -> Iterator[Path]:
    for text in access.extra:
        if text.startswith("@"):
            yield Path(text[1:]).expanduser()
    for name in access.inventory:
        path = Path(name).expanduser()
        if path.is_file():
            yield path
        if path.exists():
            folder = path if path.is_dir() else path.parent
            places = [folder] if path.is_dir() else [folder / "group_vars", folder / "host_vars"]
            found = (each for place in places for each in sorted(place.rglob("*")))
            yield from (each for each in itertools.islice(found, FILES_LOOKED_AT) if each.is_file())


def _are(files: list[Path]) -> str:
    return "is" if len(files) == 1 else "are"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
