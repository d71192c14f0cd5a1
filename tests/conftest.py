"""Settings of all tests: nothing of the caller's Ansible may change what is tested."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import caretaker
import pytest
from durations import Durations

KEPT = {"ANSIBLE_HOME"}

for name in list(os.environ):
    if name.startswith("ANSIBLE_") and name not in KEPT:
        del os.environ[name]
os.environ.pop("CAMPAIGN_LAB_ROOT", None)
# A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true",
                     help="deal the faults to the fleets anew, and run the tests marked nightly")


def pytest_configure(config: pytest.Config) -> None:
    """Measure it for tools/stages.py, and see to it that nothing stays however it ends.

    What tests write is removed: to look at it, say --basetemp. Within make test all of this is up
    to tools/stages.py; the processes of xdist belong to the one that started them.
    """
    if "CAMPAIGN_DURATIONS" in os.environ:
        measured = Durations(config, os.environ["CAMPAIGN_DURATIONS"])
        config.pluginmanager.register(measured, "campaign-durations")
    option = config.option
    if hasattr(config, "workerinput") or option.collectonly or "CAMPAIGN_STAGES" in os.environ:
        return
    caretaker.temporary_folder(*(["--lab", option.basetemp] if option.basetemp else []))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked nightly run with --nightly only."""
    if config.getoption("nightly"):
        return
    left_out = [item for item in items if item.get_closest_marker("nightly")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Thousands of tests stay: nothing of them is garbage, and to look at them takes time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def open_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """pytest's temporary folders are closed to others; a lab's account has to get to its lab."""
    make = tmp_path_factory.mktemp

    def opened(path: Path) -> Path:
        path.chmod(0o711)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tmp_path_factory, "mktemp",
                      lambda *arguments, **more: opened(make(*arguments, **more)))
        base = opened(tmp_path_factory.getbasetemp())
        top = Path(tempfile.gettempdir())
        for folder in base.parents:
            if folder == top or top not in folder.parents:
                break
            opened(folder)
        yield


@pytest.fixture(scope="session")
def nightly(pytestconfig: pytest.Config) -> bool:
    """Whether this is the nightly run: the faults are dealt to the fleets anew."""
    return bool(pytestconfig.getoption("nightly"))
