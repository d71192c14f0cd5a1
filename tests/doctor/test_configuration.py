"""campaign-doctor.toml and the environment: what holds, and what is wrong in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.main import get_command

from campaign_doctor import configuration
from campaign_doctor.cli import app, defaults_for
from campaign_doctor.configuration import Settings, seconds
from campaign_doctor.errors import DoctorError
from doctor.replay import Replay


def load(path: Path, text: str) -> Settings:
    path.write_text(text)
    return configuration.load(path)


def test_every_key_is_an_option_of_a_command() -> None:
    keys = set(Settings.model_fields) - {"extra_vars"}
    taken = defaults_for(get_command(app), dict.fromkeys(keys, "x"))

    def names(node: dict[str, object]) -> set[str]:
        found: set[str] = set()
        for name, value in node.items():
            found |= names(value) if isinstance(value, dict) else {name}
        return found

    assert names(taken) == keys


def test_relative_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path / "campaign-doctor.toml",
        'inventory = "hosts.yml"\noutput = "out"\nvault_password_file = ["v", "/abs"]\n',
    )
    assert settings.defaults(tmp_path) == {
        "inventory": [str(tmp_path / "hosts.yml")],
        "output": str(tmp_path / "out"),
        "vault_password_file": [str(tmp_path / "v"), "/abs"],
    }
    named = Settings(inventory=["app1,app2,"])
    assert named.defaults(tmp_path) == {"inventory": ["app1,app2,"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inventroy = 'x'", ["inventroy", "unknown key", "inventory"]),
        ("forks = 'many'", ["forks", "integer"]),
        ("forks = 0", ["forks", "greater"]),
        ("history_days = -1", ["history_days"]),
        ("[extra_vars]\na = 1\n[limits]\nb = 2", ["limits", "unknown key"]),
        ("forks = = 1", ["not valid TOML", "line 1"]),
        ("yes = true", ["yes", "unknown key"]),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "campaign-doctor.toml"
    with pytest.raises(DoctorError) as caught:
        load(path, text)
    (line,) = str(caught.value).splitlines()
    assert str(path) in line
    for word in words:
        assert word in line, line


def test_a_mistake_in_the_file_is_code_5(replay: Replay) -> None:
    (replay.work / "campaign-doctor.toml").write_text("colour = 'blue'\n")
    done = replay.run("diagnose")
    assert done.code == 5 and "unknown key 'colour'" in done.err, str(done)
    assert len(done.err.strip().splitlines()) == 1, str(done)


def inventory_of(replay: Replay, *words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """The name of the one inventory that Ansible is given: there is no such file."""
    before = len(replay.calls)
    assert replay.run(*words, env=env).code == 5
    (call,) = replay.calls[before:]
    (path,) = call["inventory"]
    return Path(path).name


def test_the_command_line_wins_then_the_environment_then_the_file(replay: Replay) -> None:
    (replay.work / "campaign-doctor.toml").write_text('inventory = "from-file.yml"\n')
    assert inventory_of(replay, "diagnose") == "from-file.yml"
    env = {"CAMPAIGN_DOCTOR_INVENTORY": "from-environment.yml"}
    assert inventory_of(replay, "diagnose", env=env) == "from-environment.yml"
    option = inventory_of(replay, "diagnose", "-i", "from-option.yml", env=env)
    assert option == "from-option.yml"


def test_the_file_of_the_directory_wins_over_the_persons_own(replay: Replay) -> None:
    own = replay.home / ".config" / "campaign-doctor.toml"
    own.parent.mkdir()
    own.write_text('inventory = "own.yml"\n')
    assert inventory_of(replay, "diagnose") == "own.yml"
    (replay.work / "campaign-doctor.toml").write_text('inventory = "here.yml"\n')
    assert inventory_of(replay, "diagnose") == "here.yml"
    other = replay.work / "other.toml"
    other.write_text('inventory = "other.yml"\n')
    assert inventory_of(replay, "--config", other, "diagnose") == "other.yml"
    other.write_text('inventory = "elsewhere.yml"\n')
    env = {"CAMPAIGN_DOCTOR_CONFIG": str(other)}
    assert inventory_of(replay, "diagnose", env=env) == "elsewhere.yml"


def test_a_file_that_others_may_write_is_not_read(replay: Replay) -> None:
    """It decides what is run as whoever calls the command."""
    planted = replay.work / "campaign-doctor.toml"
    planted.write_text('inventory = "planted.yml"\n')
    planted.chmod(0o666)
    done = replay.run("diagnose")
    assert "is ignored" in done.err, str(done)
    (call,) = replay.calls
    assert call["inventory"] == []
    assert inventory_of(replay, "--config", planted, "diagnose") == "planted.yml"


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("30s", 30), ("5m", 300), ("2h", 7200), ("1.5d", 129600)]
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "-5m", "1h30m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        seconds(text)
