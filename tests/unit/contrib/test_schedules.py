"""contrib/systemd and contrib/cron, read by systemd and by cron."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from unit.contrib import tools

from campaign_doctor.configuration import seconds

UNITS = sorted((tools.CONTRIB / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
CRONTAB = tools.CONTRIB / "cron" / "crontab"
COMMAND = "/usr/local/bin/campaign-doctor"
EXPOSURE = "20"  # in tenths: what systemd calls OK ends at 4.0


def value(unit: Path, key: str) -> str:
    """The last value of a setting of a unit."""
    found: list[str] = re.findall(rf"^{key}=(.*)$", unit.read_text(), re.M)
    return found[-1]


def test_the_units_are_found() -> None:
    assert [path.name for path in UNITS] == [
        "campaign-doctor-watch.service", "campaign-doctor.service", "campaign-doctor.timer"]


@pytest.fixture
def there(tmp_path: Path) -> list[Path]:
    """The units, with a program of this machine in place of one that is not installed."""
    found = []
    for unit in UNITS:
        path = tmp_path / unit.name
        path.write_text(unit.read_text().replace(COMMAND, "/bin/true"))
        found.append(path)
    return found


def test_systemd_has_nothing_against_them(there: list[Path]) -> None:
    systemd = tools.installed("systemd-analyze", "systemd")
    assert tools.run(systemd, "verify", *there) == (0, "")
    there[0].write_text(there[0].read_text().replace("WatchdogSec=", "WatchDogSec="))
    assert "WatchDogSec" in tools.run(systemd, "verify", *there)[1], "it would say so"


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_they_may_do_little(service: Path) -> None:
    systemd = tools.installed("systemd-analyze", "systemd")
    code, said = tools.run(systemd, "security", "--offline=true", f"--threshold={EXPOSURE}", service)
    assert code == 0, said
    assert "Overall exposure level" in said


def test_the_watchdog_waits_for_longer_than_a_round() -> None:
    watch = tools.CONTRIB / "systemd" / "campaign-doctor-watch.service"
    every = shlex.split(value(watch, "ExecStart"))
    assert value(watch, "WatchdogSec") == "20min"
    assert seconds(every[every.index("--every") + 1]) < 20 * 60
    assert value(watch, "Type") == "notify"


def test_results_are_no_failures() -> None:
    assert value(tools.CONTRIB / "systemd" / "campaign-doctor.service", "SuccessExitStatus") == "1 4"


def test_cron_takes_the_crontab() -> None:
    crontab = tools.fetched("cron", "usr/bin/crontab")
    if os.geteuid() != 0:
        pytest.skip("only root may ask cron without being of its group")
    # It wants its spool, even to look at a file only: it gets one that nobody else sees.
    script = 'mount -t tmpfs none /var/spool && mkdir -p /var/spool/cron/crontabs && "$0" -n "$1"'
    code, said = tools.run("unshare", "--mount", "sh", "-c", script, crontab, CRONTAB)
    assert code == 0, said
    assert "successfully checked" in said


def line() -> list[str]:
    """The command of the crontab's only line."""
    (found,) = re.findall(r"^\*/5 \* \* \* \* (.*)$", CRONTAB.read_text(), re.M)
    return shlex.split(found)


def test_cron_starts_no_second_run(tmp_path: Path) -> None:
    tools.installed("flock", "util-linux")
    begun = tmp_path / "begun"
    words = [str(tmp_path / "lock") if word.endswith("cron.lock") else word for word in line()]
    at = words.index(COMMAND)

    def called(*command: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*words[:at], *command], text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip

    first = called("sh", "-c", "echo began; read rest")
    assert first.stdout and first.stdin
    assert first.stdout.readline() == "began\n"
    second = called("touch", str(begun))
    assert second.communicate(timeout=tools.SECONDS)[0] == ""
    assert second.returncode == 0 and not begun.exists(), "the first is still going"
    first.communicate("go on\n", timeout=tools.SECONDS)
    third = called("touch", str(begun))
    third.communicate(timeout=tools.SECONDS)
    assert begun.exists()
