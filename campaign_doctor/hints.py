# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Commands that are shown to be typed: for the servers of this call, and complete."""

from __future__ import annotations

import shlex
from pathlib import Path

from .options import AnsibleOptions


def command(servers: AnsibleOptions, config: Path | None, *words: str) -> str:
    """campaign-doctor with these words and what this call said of the servers.

    A value of -e may be a secret: only names of files are repeated.
    """
    said = ["campaign-doctor", *(["--config", str(config)] if config else []), *words]
    for name in servers.inventory:
        said += ["-i", name]
    # The hosts that are named as an argument are the limit.
    if servers.limit and words[:1] not in (("ledger",), ("unlock",)):
        said += ["--limit", servers.limit]
    files = [text for text in servers.extra_vars if text.startswith("@")]
    for text in files:
        said += ["-e", text]
    said += ["--ask-become-pass"] if servers.ask_become_pass else []
    if servers.become_password_file:
        said += ["--become-password-file", str(servers.become_password_file)]
    said += ["--ask-vault-pass"] if servers.ask_vault_pass else []
    for file in servers.vault_password_file:
        said += ["--vault-password-file", str(file)]
    for name in servers.vault_id:
        said += ["--vault-id", name]
    others = len(servers.extra_vars) > len(files)
    return shlex.join(said) + (" (and the -e of this call)" if others else "")
