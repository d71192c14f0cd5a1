"""The collection as people install it: built, installed offline, called by its full name."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from integration.harness import BIN, Lab, playbook, run

PLACE = Path("ansible_collections", "campaign", "remediation")
SHIPPED = {
    "CHANGELOG.rst", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "SECURITY.md",
    "changelogs", "contrib", "docs", "execution-environment.yml", "extensions", "inventories", "meta",
    "playbooks", "plugins", "roles", "tests",
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built collection."""
    folder = tmp_path_factory.mktemp("build")
    built = run([BIN / "ansible-galaxy", "collection", "build", "--output-path", folder])
    assert built.code == 0, str(built)
    (path,) = folder.glob("campaign-remediation-*.tar.gz")
    return path


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    done = run([
        BIN / "ansible-galaxy", "collection", "install", "--offline", "--force", "-p", folder,
        archive,
    ])
    assert done.code == 0, str(done)
    return folder


def test_archive_holds_the_product_and_nothing_else(archive: Path) -> None:
    with tarfile.open(archive) as built:
        names = built.getnames()
    assert {name.split("/")[0] for name in names} <= SHIPPED
    assert not [name for name in names if name.startswith(("playbooks/collections",
                                                           "inventories/lab"))]
    assert {name for name in names if name.startswith("tests/")} == {"tests/config.yml"}
    assert not [name for name in names if "__pycache__" in name or "campaign-report" in name]


def test_installed_playbook_diagnoses(
    lab: Lab, installed: Path, report_dir: Path, tmp_path: Path
) -> None:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(lab.ctl("inventory").output)
    (tmp_path / "hosts").write_text(f"#!/bin/sh\nexec cat '{inventory}'\n")
    (tmp_path / "hosts").chmod(0o755)
    done = playbook(
        "campaign.remediation.diagnose", report_dir=report_dir, inventory=tmp_path / "hosts",
        cwd=tmp_path, env={**lab.env, "ANSIBLE_COLLECTIONS_PATH": str(installed)},
    )
    assert done.code == 0, str(done)
    assert done.findings("app1") == [], str(done)


def test_every_plugin_has_documentation(installed: Path, tmp_path: Path) -> None:
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    for path in sorted((installed / PLACE / "plugins" / "modules").glob("campaign_*.py")):
        name = f"campaign.remediation.{path.stem}"
        done = run([BIN / "ansible-doc", "-t", "module", name], env=env, cwd=tmp_path)
        assert done.code == 0 and "EXAMPLES" in done.output, str(done)


def test_every_role_has_documentation(installed: Path, tmp_path: Path) -> None:
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    listed = run([BIN / "ansible-doc", "-t", "role", "-l", "campaign.remediation"],
                 env=env, cwd=tmp_path)
    assert listed.code == 0, str(listed)
    for role in sorted((installed / PLACE / "roles").iterdir()):
        assert f"campaign.remediation.{role.name}" in listed.output, str(listed)
