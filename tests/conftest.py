"""Settings of all tests: nothing of the caller's Ansible may change what is tested."""

from __future__ import annotations

import os

KEPT = {"ANSIBLE_HOME"}

for name in list(os.environ):
    if name.startswith("ANSIBLE_") and name not in KEPT:
        del os.environ[name]
os.environ.pop("CAMPAIGN_LAB_ROOT", None)
