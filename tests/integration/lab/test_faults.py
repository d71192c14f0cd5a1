"""Every fault of the lab: broken, seen from outside, healed, and nothing left of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from campaign_lab import faults
from campaign_lab.layout import INSTANCE_MODULES
from integration.lab.view import SEEN, View, contents, healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def two_instances(empty_lab: Callable[[], Any]) -> Iterator[Any]:
    """One server with two instances for all tests here."""
    lab = empty_lab()
    lab.labctl("up", "--instance", "prod", "--instance", "prod2")
    yield lab


def test_every_fault_is_looked_at() -> None:
    assert set(SEEN) == set(faults.FAULTS)


def test_documented_table_is_the_registry() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "developer", "lab.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    assert rows == [(name, kind.scope, kind.summary.rstrip("."), kind.seen)
                    for name, kind in faults.FAULTS.items()]


RESTART_ALL = ("everything_down", "tmp_other_device", "web_java_broken", "nlserver_wrong_system",
               "tmp_missing", "tmp_not_writable", "two_stats_one_port", "working_set_reached")
"""Their healing restarts modules of the other instance, too."""


@pytest.mark.parametrize("name", faults.FAULTS)
def test_fault(name: str, two_instances: Any, eventually: Callable[..., Any]) -> None:
    lab = two_instances
    before, others = contents(lab.home), {m: lab.pid(m, "prod2") for m in ("mta", "wfserver")}
    view = View(lab)
    assert healthy(view)
    try:
        lab.labctl("break", name)
        assert SEEN[name](view), f"{name} is not to be seen from outside"
        again = lab.labctl("break", name)
        assert "is broken already" in again.stdout
    finally:
        lab.labctl("heal", name)
    assert contents(lab.home) == before
    eventually(lambda: healthy(view), 15, f"not healthy after {name}")
    assert "is not broken" in lab.labctl("heal", name).stdout
    if name not in RESTART_ALL:
        assert others == {module: lab.pid(module, "prod2") for module in others}


@pytest.mark.parametrize("errors", [1, 2])
def test_tracking_workflow_fails_whatever_came_before(errors: int, two_instances: Any) -> None:
    view = View(two_instances)
    view.rows(f"UPDATE xtk_workflow SET labErrors = {errors} WHERE internalName = 'tracking'")
    try:
        two_instances.labctl("break", "tracking_workflow_failed")
        assert SEEN["tracking_workflow_failed"](view)
    finally:
        two_instances.labctl("heal")


@pytest.mark.parametrize("module", faults.FAULTS["module_killed"].modules)
def test_any_module_can_be_killed(
    module: str, two_instances: Any, eventually: Callable[..., Any]
) -> None:
    lab = two_instances
    victim = lab.pid(module, "prod" if module in INSTANCE_MODULES else "")
    lab.labctl("break", f"module_killed:{module}")
    try:
        assert victim not in [process.pid for process in lab.processes()]
    finally:
        lab.labctl("heal")
    eventually(lambda: healthy(View(lab)), 15, f"not healthy after {module}")


def test_one_instance_only(two_instances: Any) -> None:
    lab = two_instances
    first = lab.pid("wfserver", "prod")
    lab.labctl("break", "module_killed:wfserver@prod2")
    try:
        assert not lab.pid("wfserver", "prod2")
        assert lab.pid("wfserver", "prod") == first
    finally:
        lab.labctl("heal", "module_killed:wfserver@prod2")
    assert lab.pid("wfserver", "prod2")


def test_all_are_healed_the_last_one_first(
    two_instances: Any, eventually: Callable[..., Any]
) -> None:
    lab = two_instances
    before = contents(lab.home)
    for name in ("stat_address_missing", "syslogd_wrong_port", "module_hung:web", "watchdog_killed",
                 "nlserver_hangs"):  # fmt: skip
        lab.labctl("break", name)
    said = lab.labctl("heal").stdout.splitlines()
    assert [line.split()[1].partition("@")[0].partition(":")[0] for line in said] == [
        "nlserver_hangs", "watchdog_killed", "module_hung", "syslogd_wrong_port",
        "stat_address_missing"]  # fmt: skip
    assert contents(lab.home) == before
    eventually(lambda: healthy(View(lab)), 15)


def test_a_fault_repaired_by_someone_else_can_be_broken_again(two_instances: Any) -> None:
    lab = two_instances
    lab.labctl("break", "module_killed:wfserver")
    lab.nlserver("start", "wfserver@prod")
    said = lab.labctl("break", "module_killed:wfserver").stdout
    assert "was repaired meanwhile" in said
    assert not lab.pid("wfserver", "prod")
    lab.labctl("heal")
    assert lab.pid("wfserver", "prod")


@pytest.mark.parametrize(("words", "message"), [
    (("no_such_fault",), "no fault 'no_such_fault'"),
    (("module_killed:export",), "cannot be done to 'export'"),
    (("disk_full", "--instance", "test"), "no instance 'test'"),
    (("disk_full:web",), "is no fault of a module"),
])
def test_bad_input_gets_one_line(two_instances: Any, words: tuple[str, ...], message: str) -> None:
    done = two_instances.labctl("break", *words, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
