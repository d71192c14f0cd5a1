"""What is shown to be typed, and what is said where a run could not begin."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from campaign_doctor import hints, reasons
from campaign_doctor.options import AnsibleOptions
from campaign_doctor.runner import Access, Ended
from doctor.replay import Replay

SECRET = "campaign_note=Tr0ub4dor"


def test_a_hint_has_all_that_the_call_said_of_the_servers() -> None:
    servers = AnsibleOptions(
        inventory=["my hosts.yml"], limit="app1:app2", extra_vars=["@vars.yml"],
        ask_become_pass=True, ask_vault_pass=True, vault_password_file=[Path("pw")],
        vault_id=["prod@x"], become_password_file=Path("sudo"),
    )
    assert shlex.split(hints.command(servers, Path("c.toml"), "remediate", "--plan", "p.json")) == [
        "campaign-doctor", "--config", "c.toml", "remediate", "--plan", "p.json",
        "-i", "my hosts.yml", "--limit", "app1:app2", "-e", "@vars.yml", "--ask-become-pass",
        "--become-password-file", "sudo", "--ask-vault-pass", "--vault-password-file", "pw",
        "--vault-id", "prod@x",
    ]


def test_a_hint_repeats_no_value_that_may_be_secret() -> None:
    told = hints.command(AnsibleOptions(extra_vars=[SECRET]), None, "diagnose")
    assert told == "campaign-doctor diagnose (and the -e of this call)"


def test_a_host_that_is_named_is_the_limit() -> None:
    told = hints.command(AnsibleOptions(limit="app1"), None, "ledger", "app1")
    assert told == "campaign-doctor ledger app1"


def test_a_saved_plan_says_how_it_is_applied(replay: Replay) -> None:
    replay.can("planned")
    done = replay.doctor("plan", "--module", "inMail", "--save", "plan.json")
    line = done.err.splitlines()[-1]
    assert line.partition("Apply it with: ")[2] == (
        "campaign-doctor remediate --plan plan.json --module=inMail -i app1,"
    ), str(done)


def failed(folder: Path, *errors: str) -> Ended:
    return Ended(folder=folder, errors=list(errors))


@pytest.mark.parametrize(("given", "error", "told"), [
    ({}, "Attempting to decrypt but no vault secrets found.", "A vault is closed"),
    ({"vault_password_files": (Path("pw"),)},
     "Decryption failed (no vault secrets were found that could decrypt).", "wrong or missing"),
])  # fmt: skip
def test_a_closed_vault_is_named_with_what_opens_it(
    tmp_path: Path, given: dict[str, tuple[Path, ...]], error: str, told: str
) -> None:
    (tmp_path / "hosts").write_text("app1\n")
    sealed = tmp_path / "group_vars" / "all.yml"
    sealed.parent.mkdir()
    sealed.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    (sealed.parent / "web.yml").write_text("campaign_wait: 3\n")
    access = Access(inventory=(str(tmp_path / "hosts"),), **given)  # type: ignore[arg-type]
    said = reasons.reason(failed(tmp_path, error), access)
    assert told in said and "--ask-vault-pass" in said, said
    assert said.endswith(f"{sealed} is encrypted."), said


def test_an_encrypted_file_of_variables_is_named_where_ansible_blames_the_inventory(
    tmp_path: Path,
) -> None:
    sealed = tmp_path / "vars.yml"
    sealed.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    error = "Completely failed to parse inventory source app1,."
    access = Access(inventory=("app1,",), extra=(f"@{sealed}",))
    assert f"{sealed} is encrypted." in reasons.reason(failed(tmp_path, error), access)
    assert "vault" not in reasons.reason(failed(tmp_path, error), Access(inventory=("app1,",)))


def test_without_an_inventory_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANSIBLE_INVENTORY", raising=False)
    nobody = Ended(folder=tmp_path, stats={"processed": {}})
    assert "-i hosts.yml names one" in reasons.reason(nobody, Access())
    assert "-i hosts.yml" not in reasons.reason(nobody, Access(inventory=("hosts",)))
