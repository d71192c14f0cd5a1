"""tools/hosts.py: what makes the image, and what a run calls its own."""

from __future__ import annotations

from pathlib import Path

import hosts
import pytest
import yaml


def test_the_image_is_another_one_when_a_file_of_it_changes(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "main.cf"
    file.write_text("one")
    first = hosts.digest(tmp_path)
    assert hosts.digest(tmp_path) == first
    file.write_text("two")
    second = hosts.digest(tmp_path)
    file.chmod(0o755)
    assert len({first, second, hosts.digest(tmp_path)}) == 3


def test_runs_and_checkouts_do_not_share_names(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = hosts.Place("default", "one"), hosts.Place("default", "two")
    names = {one.container("app1"), other.container("app1")}
    monkeypatch.setattr(hosts, "CHECKOUT", Path("/elsewhere"))
    names.add(one.container("app1"))
    assert len(names) == 3


@pytest.mark.parametrize("path", sorted(hosts.SCENARIOS.glob("*/hosts.yml")), ids=str)
def test_the_hosts_of_each_scenario_are_described_as_documented(path: Path) -> None:
    documented = {"services", "modules", "install", "sudoers", "variables", "podman", "memory"}
    for name, host in yaml.safe_load(path.read_text()).items():
        assert set(host) <= documented, name
        assert set(host["services"]) <= {"campaign", "front", "mail", "database"}, name


def test_an_unknown_scenario_is_said_with_those_that_there_are() -> None:
    with pytest.raises(hosts.HostsError, match="no scenario 'x'; there are: .*default"):
        hosts.described("x")


def test_what_is_removed_of_a_run_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also hosts that a killed run did not come to write down; nothing of another run."""
    monkeypatch.setattr(hosts, "CHECKOUT", tmp_path)
    monkeypatch.setattr(hosts, "missing", list)
    files = tmp_path / "build" / "molecule"
    (files / "run1" / "default").mkdir(parents=True)
    (files / "run12").mkdir()
    known = {run: hosts.Place("default", run) for run in ("run1", "run12")}
    containers = [place.container("app1") for place in known.values()]
    networks = [place.prefix for place in known.values()]

    def podman(*words: str, **_options: object) -> str:
        if words[:2] == ("network", "rm"):
            networks.remove(words[-1])
        elif words[0] == "rm":
            for name in words[words.index("--volumes") + 1:]:
                containers.remove(name)
        return "\n".join({"ps": containers, "network": networks}.get(words[0], []))

    monkeypatch.setattr(hosts, "podman", podman)
    hosts.down_run("run1")
    assert containers == [known["run12"].container("app1")]
    assert networks == [known["run12"].prefix]
    assert [path.name for path in files.iterdir()] == ["run12"]
