"""labctl, seen from outside: up, down, several servers, what they cost, bad arguments."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from campaign_lab.lab import Lab
from campaign_lab.layout import IMPLEMENTATIONS
from integration.lab.conftest import CHECKOUT, LabUnderTest
from integration.lab.console import MODULES, permanent, tasks
from needs import needs

if TYPE_CHECKING:
    pass


def test_up_is_idempotent_and_completes(lab: Any) -> None:
    before = permanent(lab)
    lab.labctl("up")
    assert permanent(lab) == before
    lab.nlserver("stop", "mta@prod")
    lab.labctl("up")
    assert sorted(permanent(lab)) == sorted(before)
    status = lab.labctl("status").stdout
    assert lab.server.address in status
    assert re.search(r"mta@prod +running +\d+", status)


def test_an_idle_server_is_cheap(lab: Any, eventually: Callable[..., Any]) -> None:
    """At most 1 % of a core: what it does all the time, and each workflow at its period."""
    database = lab.home.parent / "database" / "prod.sqlite"

    def sql(text: str, *values: float) -> list[Any]:
        with contextlib.closing(sqlite3.connect(database, 10, isolation_level=None)) as connection:
            return connection.execute(text, values).fetchall()

    def runs_since(moment: float) -> int:
        """Workflows that were started since then; none runs now."""
        return int(sql("SELECT CASE WHEN sum(processId) = 0 THEN sum(lastStart > ?) ELSE 0 END"
                       " FROM xtk_workflow WHERE labPeriod > 0", moment)[0][0] or 0)

    number, rate = sql("SELECT count(*), sum(1.0 / labPeriod) FROM xtk_workflow"
                       " WHERE labPeriod > 0 AND state = 11")[0]
    sql("UPDATE xtk_workflow SET labNext = labNext + 86400")
    try:
        eventually(lambda: sql("SELECT sum(processId) FROM xtk_workflow") == [(0,)], 60)
        began, at_first = time.monotonic(), processor_seconds(lab)
        time.sleep(20)
        idle = (processor_seconds(lab) - at_first) / (time.monotonic() - began)

        moment, began, at_first = time.time(), time.monotonic(), processor_seconds(lab)
        sql("UPDATE xtk_workflow SET labNext = 0 WHERE labPeriod > 0")
        eventually(lambda: runs_since(moment) == number, 60)
        seconds = time.monotonic() - began
        each = (processor_seconds(lab) - at_first - idle * seconds) / number
    finally:
        sql("UPDATE xtk_workflow SET labNext = ? + labPeriod WHERE labNext > ?",
            time.time(), time.time() + 21600)
    assert idle + each * rate < 0.01, f"{idle:.4f} + {each:.3f} s * {rate:.3f} / s"

    def memory_mb() -> float:
        kilobytes = 0
        for process in lab.processes():
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            kilobytes += int(re.search(r"^Pss: +(\d+)", rollup, re.M)[1])  # type: ignore[index]
        return kilobytes / 1024

    assert memory_mb() < 150


@pytest.mark.parametrize("module", ["runwf", "tracking", "export", "wfserver", "mta", "stat"])
def test_what_starts_often_loads_little(module: str, lab: Any) -> None:
    """enum and re alone take as long as all the rest of a start."""
    file = IMPLEMENTATIONS[module].partition(":")[0]
    code = (f"import sys; sys.path.insert(0, {str(lab.root / '.lib')!r}); import {file}\n"
            "import campaign_lab.runtime, campaign_lab.database\n"
            "campaign_lab.database.sqlite3(); print(*sys.modules)")
    lib = lab.home / "lib"
    done = subprocess.run([lib / "nlserver", "-c", code], capture_output=True, text=True,
                          timeout=30, check=True, env={"PYTHONHOME": str(lib / "python")})
    costly = {"enum", "re", "json", "socket", "signal", "threading", "datetime", "contextlib"}
    assert costly & set(done.stdout.split()) == set()


def processor_seconds(lab: Any) -> float:
    """Of all processes of a lab of one server since their start, those included that have ended."""
    table = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # zombies too: their parent has not got their time yet
            table[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
    mail_servers = int((lab.root / "outside" / "peers.pid").read_text())
    family = {lab.pid("watchdog"), lab.pid("front"), mail_servers}
    while True:
        more = {pid for pid, fields in table.items() if int(fields[1]) in family} - family
        if not more:
            break
        family |= more
    ticks = sum(int(field) for pid in family for field in table[pid][11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_several_servers_hold_the_documented_ports_side_by_side(
    empty_lab: Callable[..., Any]
) -> None:
    lab = empty_lab()
    lab.labctl("up", "--server", "app1", "--server", "app2", "--instance", "prod",
               "--instance", "second")
    first, second = lab.servers.values()
    assert first.ports == second.ports
    assert first.address != second.address
    expected = ["watchdog", *MODULES, "stat@second", "mta@second", "inMail@second",
                "wfserver@second"]
    for name in ("app1", "app2"):
        assert sorted(permanent(lab, server=name)) == sorted(expected)
    pids = set(permanent(lab, server="app1").values())
    assert not pids & set(permanent(lab, server="app2").values())
    lab.nlserver("shutdown", server="app1")
    assert tasks(lab, server="app1") == {}
    assert sorted(permanent(lab, server="app2")) == sorted(expected)


def test_a_network_that_another_lab_uses_is_left_alone(tmp_path: Path) -> None:
    """Two paths may lead to the same one."""
    usual = Lab(str(tmp_path)).network()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((f"{usual}.7", 0))
        lab = Lab(str(tmp_path))
        chosen = lab.new_server("app1", ["prod"]).address.rpartition(".")[0]
        assert chosen not in (usual, "127.0.0")
        assert lab.servers["app1"].outside["address"] == f"{chosen}.250"
        lab.save()
    again = Lab(str(tmp_path)).new_server("app2", ["prod"]).address
    assert again.rpartition(".")[0] == chosen


def test_down_leaves_nothing(empty_lab: Callable[..., Any]) -> None:
    lab = empty_lab()
    lab.labctl("up")
    pids = {process.pid for process in lab.processes()}
    assert segments(pids)
    os.kill(lab.running("web"), signal.SIGSTOP)
    lab.labctl("down")
    assert lab.processes() == []
    assert segments(pids) == []
    assert str(lab.root) not in Path("/proc/mounts").read_text()
    assert (lab.home / "conf" / "serverConf.xml").exists()
    assert lab.labctl("status", check=False).returncode == 1
    lab.labctl("down", "--purge")
    assert not lab.root.exists()
    assert "no lab at" in lab.labctl("inventory", check=False).stderr


def segments(creators: set[int]) -> list[str]:
    """System V segments created by these processes."""
    table = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [line for line in table if int(line.split()[4]) in creators]


def test_bad_arguments_get_one_clear_line(empty_lab: Callable[..., Any]) -> None:
    lab = empty_lab()
    for words, message in (
        (["status"], "no lab at"),
        (["break", "module_killed"], "no lab at"),
        (["up", "--instance", "../x"], "is no name"),
        (["up", "--server", "default"], "is no name"),
    ):
        done = lab.labctl(*words, check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["", "[]", '{"app1": {"hosts": []}}'])
def test_a_file_of_another_program_is_left_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text(text)
    done = LabUnderTest(tmp_path).labctl("down", "--purge", check=False)
    assert done.returncode == 1
    assert done.stderr == f"labctl: {tmp_path}/lab.json is not the file of a lab\n"
    assert (tmp_path / "lab.json").read_text() == text


def python_with_twisted(folder: Path) -> Path:
    """A Python that any account may run, with copies of what the mail servers import.

    Without their compiled parts, which other versions cannot load: the packages do without.
    """
    python = Path("/usr/bin/python3")
    needs(python.exists(), "there is no /usr/bin/python3")
    version = subprocess.run(
        [python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
        capture_output=True, text=True, timeout=30, check=True).stdout.strip()  # fmt: skip
    libraries = folder / "lib" / version / "site-packages"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(python)
    (folder / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\n")
    for name in ("twisted", "zope", "constantly", "incremental", "hyperlink", "automat", "attr",
                 "attrs", "idna", "typing_extensions"):  # fmt: skip
        found = importlib.util.find_spec(name)
        assert found, name
        source = Path(next(iter(found.submodule_search_locations or ()), found.origin or ""))
        if source.is_dir():
            shutil.copytree(source, libraries / source.name,
                            ignore=shutil.ignore_patterns("__pycache__", "test", "*.so"))
        else:
            shutil.copy(source, libraries)
    return folder / "bin" / "python"


def test_an_ordinary_user_gets_high_ports(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a checkout and a Python of its own: it may read neither root's."""
    needs(os.geteuid() == 0, "only root can become someone else")
    needs(shutil.which("setpriv"), "there is no setpriv")
    root = Path("/var/tmp") / f"campaign-lab-user-{os.getpid()}"
    root.mkdir(mode=0o755)
    try:
        python = python_with_twisted(root / "python")
        shutil.copytree(CHECKOUT / "lab", root / "checkout" / "lab")
        for path in (root, *root.rglob("*")):
            os.lchown(path, 65534, 65534)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
                   f"CAMPAIGN_LAB_ROOT={root}/lab", f"HOME={root}",
                   f"CAMPAIGN_LAB_PEERS_PYTHON={python}", "/usr/bin/python3",
                   f"{root}/checkout/lab/labctl"]  # fmt: skip
        done = subprocess.run([*command, "up"], capture_output=True, text=True, check=False,
                              cwd="/")
        assert done.returncode == 0, done.stderr
        shown = subprocess.run([*command, "inventory"], capture_output=True, text=True,
                               check=False, cwd="/").stdout
        assert '"campaign_syslogd_port": 10666' in shown
        assert "10080" in shown
        customer = (root / "lab" / "app1" / "nl6" / "customer.sh").read_text()
        assert re.search(r"^export TRACE_ADDR=127\.[0-9.]+:10666$", customer, re.MULTILINE)
        subprocess.run([*command, "down", "--purge"], check=True, capture_output=True, cwd="/")
        assert not (root / "lab").exists()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def test_the_checkout_gets_no_bytecode(lab: Any) -> None:
    lab.nlserver("monitor")
    source = Path(__file__).resolve().parents[3] / "lab"
    assert not [path for path in source.rglob("*.pyc")]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 200_000
