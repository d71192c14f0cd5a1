"""The web server in front, seen from outside; shared memory and semaphores of two accounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    ProbeError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import (
    front,
    ipc,
    proc,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot import probes
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.text import user_name

LIBRARY = "/usr/local/neolane/nl6/lib/libnlsrvmod.so"
MAP = "7f0c1e000000-7f0c1e021000 r-xp 00000000 08:01 1311 {}\n"
FILE = "/usr/local/neolane/nl6/tomcat-7/conf/apache_neolane.conf"


def running(folder: Path, pid: int, program: str, *mapped: str) -> None:
    place = folder / str(pid)
    place.mkdir()
    (place / "exe").symlink_to(program)
    (place / "cwd").symlink_to("/")
    (place / "stat").write_text(f"{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 5 0 9\n")
    (place / "maps").write_text("".join(MAP.format(path) for path in ("/lib/libc.so", *mapped)))


def test_processes_that_keep_a_replaced_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "PROC", str(tmp_path))
    running(tmp_path, 30, "/usr/sbin/apache2", f"{LIBRARY} (deleted)")
    running(tmp_path, 9, "/usr/sbin/httpd (deleted)", LIBRARY)
    running(tmp_path, 31, "/usr/sbin/apache2", "/usr/lib/other.so (deleted)")
    running(tmp_path, 32, "/usr/bin/other", f"{LIBRARY} (deleted)")
    pids = proc.scan("/usr/local/neolane/nl6").fronts
    assert sorted(pids) == [9, 30, 31]
    assert front.processes([*pids, 33]) == [  # 33 has ended
        {"pid": 9, "library": LIBRARY, "deleted": False},
        {"pid": 30, "library": LIBRARY, "deleted": True},
    ]


@pytest.fixture
def apache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as /etc/apache2, of ours in place of root's."""
    folder = tmp_path / "etc" / "apache2"
    for name in ("mods-enabled", "mods-available", "conf.d"):
        (folder / name).mkdir(parents=True)
    owner = os.getuid()

    def roots(status: os.stat_result) -> bool:
        closed = not status.st_mode & 0o022 or bool(status.st_mode & 0o1000)
        return status.st_uid in (0, owner) and closed

    monkeypatch.setattr(front, "_of_root", roots)
    monkeypatch.setattr(front, "FOLDERS", (str(folder),))
    return folder


def test_where_the_old_file_is_included(apache: Path) -> None:
    own = apache / "mods-available" / "nlsrv.conf"
    own.write_text(f"# Include {FILE}\nLoadModule x y\n  Include {FILE}\n")
    (apache / "mods-enabled" / "nlsrv.conf").symlink_to("../mods-available/nlsrv.conf")
    (apache / "conf.d" / "CampaignApache.conf").write_text(f'IncludeOptional "{FILE}"\r\n')
    (apache / "conf.d" / "notes.txt").write_text(f"Include {FILE}\n")
    assert front.includes() == [
        {"path": f"{apache}/conf.d/CampaignApache.conf", "line": 1, "file": FILE},
        {"path": f"{apache}/mods-enabled/nlsrv.conf", "line": 3, "file": FILE},
    ]


def test_what_others_could_change_is_not_opened(apache: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "nlsrv.conf"
    elsewhere.write_text(f"Include {FILE}\n")
    (apache / "mods-enabled" / "nlsrv.conf").symlink_to(elsewhere)
    (apache / "mods-enabled" / "two.conf").symlink_to("../../../../.." + str(elsewhere))
    open_to_all = apache / "conf.d" / "open.conf"
    open_to_all.write_text(f"Include {FILE}\n")
    open_to_all.chmod(0o666)
    os.mkfifo(apache / "conf.d" / "pipe.conf")  # would be waited for
    (apache / "conf.d" / "folder.conf").mkdir()
    assert front.includes() == []


def test_a_folder_that_others_can_change_is_left_out(apache: Path) -> None:
    (apache / "conf.d" / "nlsrv.conf").write_text(f"Include {FILE}\n")
    (apache / "conf.d").chmod(0o777)
    assert front.includes() == []


class Refusing:
    """A context in which systemctl fails."""

    def __init__(self, data: object) -> None:
        self.data = data

    def service(self) -> None:
        raise ProbeError("failed", "systemctl show: no answer", self.data)

    def table(self) -> proc.Table:
        return proc.Table([], [], 1, [])


def test_the_web_server_is_told_where_the_units_are_not_seen() -> None:
    with pytest.raises(ProbeError, match="no answer") as raised:
        probes.probe_service(Refusing({"manager": "systemd"}))
    assert raised.value.data["manager"] == "systemd"
    assert raised.value.data["web_server"]["processes"] == []
    with pytest.raises(ProbeError) as raised:
        probes.probe_service(Refusing(None))
    assert raised.value.data is None


SHM = """\
       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid
1375864441    2097153   666      93608   {pid}   900 {attached}   33    33    33    33
      4660         18   600         99    77   900      0   1002  1002  1002  1002
"""
SEM = """\
       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime
1375864440    4227081   666          1    33    33    33    33          0 1763894400
         7         11   666          1   998   998   998   998          0 1763894400
      4661         12   666          1  1002  1002  1002  1002          0 1763894400
"""


@pytest.mark.parametrize(
    ("pid", "attached", "stale"), [(2**22 + 1, 0, True), (2**22 + 1, 3, False), (1, 0, False)]
)
def test_what_the_web_servers_account_owns(
    monkeypatch: pytest.MonkeyPatch, pid: int, attached: int, stale: bool
) -> None:
    tables = {"shm": SHM.format(pid=pid, attached=attached), "sem": SEM}
    monkeypatch.setattr(proc, "read", lambda *path: tables[path[-1]])
    found = ipc.shared_memory(998, set())
    assert [(one["id"], one["key"]) for one in found["segments"]] == [(2097153, "0x52020679")]
    assert [(one["id"], one["key"], one["stale"]) for one in found["semaphores"]] == [
        (4227081, "0x52020678", stale),
        (11, "0x00000007", False),  # the account's own, and nobody knows what it goes with
    ]
    assert {one["owner"] for one in found["segments"]} == {user_name(33)}
    (known,) = ipc.shared_memory(998, {4660})["segments"]
    assert known["id"] == 18


def test_a_semaphore_without_a_segment_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"shm": "key shmid\n", "sem": SEM}
    monkeypatch.setattr(proc, "read", lambda *path: tables[path[-1]])
    semaphores = ipc.shared_memory(998, set())["semaphores"]
    assert [(one["id"], one["stale"]) for one in semaphores] == [(4227081, True), (11, False)]


def test_a_kernel_without_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*path: str) -> str:
        if path[-1] == "sem":
            raise FileNotFoundError
        return SHM.format(pid=1, attached=1)

    monkeypatch.setattr(proc, "read", read)
    assert ipc.shared_memory(998, set())["semaphores"] == []
