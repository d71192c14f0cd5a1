"""What to do about a host without a diagnosis."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    view,
)


@pytest.mark.parametrize(("status", "error", "told"), [
    ("unreachable", "ssh: Could not resolve hostname app9: Name or service not known",
     "ansible_host"),
    ("unreachable", "operator@app1: Permission denied (publickey).", "ansible_user"),
    ("unreachable", "ssh: connect to host app1 port 22: Connection refused", "firewall"),
    ("unreachable", "something else", "log in with ssh"),
    ("failed", "Missing sudo password", "--ask-become-pass"),
    ("failed", "/bin/sh: /usr/bin/python3: not found", "Python 3.6"),
    ("failed", "Attempting to decrypt but no vault secrets found", "--ask-vault-pass"),
    ("failed", None, "-v"),
    ("not_installed", None, "campaign_home"),
])  # fmt: skip
def test_each_error_has_its_advice(status: str, error: str | None, told: str) -> None:
    host = SimpleNamespace(name="app1", status=status, error=error)
    assert told in view.advice(host)  # type: ignore[arg-type]
