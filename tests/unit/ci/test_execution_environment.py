"""execution-environment.yml, and what the collection says that it needs: read by ansible-builder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[3]


def builder(*words: str | Path) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-builder"), *words], cwd=CHECKOUT, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_what_the_collection_needs_is_found() -> None:
    found = yaml.safe_load(builder("introspect", "playbooks/collections"))
    assert [each.split()[0] for each in found["python"]] == ["tzdata"]
    assert [each.split()[0] for each in found["system"]] == ["openssh-clients", "openssh-client"]


def test_the_image_can_be_described(tmp_path: Path) -> None:
    builder("create", "--file", "execution-environment.yml", "--context", tmp_path,
            "--output-filename", "Containerfile")  # fmt: skip
    text = (tmp_path / "Containerfile").read_text()
    assert "registry.access.redhat.com/ubi9/ubi" in text
    assert "ansible-core>=2.19" in text
    requirements = yaml.safe_load((tmp_path / "_build" / "requirements.yml").read_text())
    assert requirements == {"collections": [{"name": "campaign.remediation"}]}
