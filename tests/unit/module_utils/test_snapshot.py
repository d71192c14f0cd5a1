"""The whole: what is asked, what runs, what happens when something hangs."""

from __future__ import annotations

import json
import os
import pwd
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.campaign.remediation.plugins.module_utils._campaign import errors, names
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import (
    child,
    probes,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.command import Result
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.payload.isolated import (
    take,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.record import (
    ledger,
    lock,
    pause,
    state_dir,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot import (
    collect as snapshot,
    probes as host_probes,
)
from ansible_collections.campaign.remediation.plugins.modules import campaign_info

SECRET = "s3cr3t-in-xml"
PROD = f"""<serverconf><shared><dataStore><dataSource name="default"><dbcnx provider="X"
server="y" login="z" password="{SECRET}"/></dataSource></dataStore></shared>
<mta autoStart="true" statServerAddress="127.0.0.1:9"/></serverconf>"""
PDUMP = "10:00:00 >   Application server (7.0 build 9356@x) of 06/02/2024\nweb@default (1) - 2 MB\n"
NLSERVER = """#!/bin/sh
echo "$@" >> "{log}"
case "$1" in pdump) printf '%s' '{pdump}';; monitor) echo wfserver@prod;; esac
"""
ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A server in which nothing runs."""
    home = tmp_path / "nl6"
    for name in ("bin", "conf", "var/default/log", "var/prod/log"):
        (home / name).mkdir(parents=True)
    (home / "conf" / "serverConf.xml").write_text("<serverconf><web httpPort='9'/></serverconf>")
    (home / "conf" / "config-default.xml").write_text("<serverconf/>")
    (home / "conf" / "config-prod.xml").write_text(PROD)
    (home / "env.sh").write_text(f'export TMPDIR="{tmp_path}" DB_PASSWORD={SECRET}\n')
    program = home / "bin" / "nlserver"
    program.write_text(NLSERVER.format(log=tmp_path / "calls", pdump=PDUMP))
    program.chmod(0o755)
    return home


def options(home: Path, /, **more: Any) -> dict[str, Any]:
    """The options of the module with their defaults."""
    values = {name: spec.get("default") for name, spec in campaign_info.argument_spec().items()}
    values.update(home=str(home), user=ME, front_url="", timeout=20.0, probe_timeout=8.0)
    values.update(more)
    return values


def test_every_probe_answers(home: Path, tmp_path: Path) -> None:
    data = snapshot.collect(options(home))
    assert list(data["probes"]) == list(names.PROBES)
    errors = {name: probe["error"] for name, probe in data["probes"].items() if probe["error"]}
    assert {name: error["kind"] for name, error in errors.items()} == {"api": "skipped"}
    assert data["installed"] is True
    assert data["asked"]["instances"] == ["default", "prod"]
    assert data["asked"]["modules"] == list(names.MODULES)
    assert data["asked"]["expected_ports"] == {
        "syslogd": 666,
        "web": 9,
        "web_control": 8005,
        "stat@prod": 7777,
    }
    probes = {name: probe["data"] for name, probe in data["probes"].items()}
    assert probes["environment"]["tmp_dir"] == str(tmp_path)
    assert probes["pdump"]["build"] == "7.0 build 9356@x"
    assert probes["missing"]["modules"] == [{"module": "wfserver", "instance": "prod"}]
    assert [c["error"] for c in probes["http"]["checks"]] == ["refused", "refused"]
    assert SECRET not in json.dumps(data)


def test_a_password_of_the_configuration_is_in_no_text(home: Path) -> None:
    """Of the account's own log, and of what the machine's probes see: only the child knows it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    line = f"{now}\t1\t1\t1\terror\tlog\tfor z it was {SECRET}, refused\n"
    (home / "var/prod/log/mta.log").write_text(line)
    def processes(_context: Any) -> Any:
        entry = {"arguments": ["-x", f"a{SECRET}b"], "name": "mta", "instance": SECRET}
        return {"modules": [entry], "children": [], "others": []}

    table = dict(host_probes.TABLE, processes=processes)
    data = snapshot.collect(options(home), table=table)["probes"]
    assert SECRET not in json.dumps(data["logs"])
    assert "for z it was ***, refused" in json.dumps(data["logs"])
    (entry,) = data["processes"]["data"]["modules"]
    assert entry.pop("precision") == "standard"
    assert entry == {"arguments": ["-x", "a***b"], "name": "mta", "instance": SECRET}


def test_two_commands_and_no_more(home: Path, tmp_path: Path) -> None:
    snapshot.collect(options(home))
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sorted(calls) == ["monitor -missing", "pdump"]


def server(home: Path, runner: Any = None, **more: Any) -> Any:
    """The account's part, without a child."""
    account = child.account_of(pwd.getpwuid(os.geteuid()))
    return probes.Server(options(home, **more), account, runner)


def test_argument_lists(home: Path) -> None:
    runner = Recorder()
    made = server(home, runner)
    for name in ("environment", "configuration", "pdump", "missing"):
        probes.TABLE[name](made)
    program = str(home / "bin" / "nlserver")
    calls = sorted((" ".join(arguments), env) for arguments, env in runner.calls)
    assert [call for call, _env in calls] == [
        program + " monitor -missing",
        program + " pdump",
        'sh -c . "$1" >/dev/null; exec env -0 sh %s' % (home / "env.sh"),
    ]
    for call, env in calls:
        if program in call and "sh -c" not in call:
            assert env == {"XTK_VAR_DIR": str(home / "var"), "LC_ALL": "C"}


class Recorder:
    """A runner that runs nothing."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def run(self, arguments: Any, timeout: float, environment: Any = None) -> Result:
        self.calls.append((arguments, environment))
        out = PDUMP.encode()
        if arguments[0] == "sh":
            home = Path(arguments[-1]).parent
            out = b"XTK_VAR_DIR=%s\0" % str(home / "var").encode()
        return Result(0, out, b"", 0.0)


def test_chosen_probes(home: Path, tmp_path: Path) -> None:
    data = snapshot.collect(options(home, probes=["machine"]))
    assert list(data["probes"]) == ["environment", "configuration", "machine"]
    assert not (tmp_path / "calls").exists()


def test_nlserver_hangs(home: Path) -> None:
    (home / "bin" / "nlserver").write_text("#!/bin/sh\ntrap '' TERM\nsleep 60\n")
    started = time.monotonic()
    data = snapshot.collect(options(home, probe_timeout=0.5))
    assert time.monotonic() - started < 250
    errors = {name for name, probe in data["probes"].items() if probe["error"]}
    assert errors == {"pdump", "missing", "api"}  # which has no credentials
    assert data["probes"]["pdump"]["error"]["kind"] == "timeout"


def test_the_environment_hangs(home: Path, tmp_path: Path) -> None:
    """Then nlserver, which reads it too, is not tried; all else is."""
    (home / "env.sh").write_text("sleep 60\n")
    data = snapshot.collect(options(home, probe_timeout=0.4))
    assert data["probes"]["environment"]["error"]["kind"] == "timeout"
    assert data["probes"]["environment"]["error"]["message"].endswith("it is waiting for something")
    assert data["probes"]["pdump"]["error"]["kind"] == "failed"  # not left out: nobody saw it
    assert "its environment could not be read" in data["probes"]["pdump"]["error"]["message"]
    assert data["probes"]["logs"]["error"] is None
    assert not (tmp_path / "calls").exists()


def test_the_total_limit_holds(home: Path) -> None:
    """Even with probes that never answer and limits of their own beyond it."""
    table = dict(probes.TABLE, storage=lambda _server: time.sleep(60))
    release = threading.Event()
    host = dict(host_probes.TABLE, http=lambda _context: release.wait(60))
    started = time.monotonic()
    data = snapshot.collect(
        options(home, timeout=1.0, probe_timeout=30.0), account_table=table, table=host
    )
    release.set()
    assert time.monotonic() - started < 25
    assert data["probes"]["storage"]["error"]["kind"] == "timeout"
    assert data["probes"]["http"]["error"]["kind"] == "timeout"
    assert data["probes"]["logs"]["data"] is not None


def test_a_machine_that_does_not_answer_at_all(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the first look at the disk never came back."""
    monkeypatch.setattr(snapshot, "find_account", lambda _options: time.sleep(60))
    started = time.monotonic()
    data, bad_input = take(options(home, timeout=0.5))
    assert bad_input is None
    assert time.monotonic() - started < 250
    assert {probe["error"]["kind"] for probe in data["probes"].values()} == {"timeout"}


def test_a_disk_that_does_not_answer_costs_only_its_own_probes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the account's first look at its home never came back."""
    monkeypatch.setattr(child, "installed", lambda _options: time.sleep(60))
    monkeypatch.setattr(os.path, "realpath", lambda _path: time.sleep(60))
    started = time.monotonic()
    data = snapshot.collect(options(home, timeout=5.0, probe_timeout=0.4))
    assert time.monotonic() - started < 4
    failed = {n: p["error"]["kind"] for n, p in data["probes"].items() if p["error"]}
    assert failed == {**dict.fromkeys(probes.TABLE, "timeout"), "api": "skipped"}
    assert data["probes"]["machine"]["data"]["cpus"] >= 1


def test_a_child_that_lies_costs_only_its_own_probes(home: Path) -> None:
    answers = {"logs": {"logs": "none"}, "jobs": None, "pdump": {"tasks": [[[]]]}}
    table = dict(probes.TABLE, **{n: (lambda _s, a=a: a) for n, a in answers.items()})
    data = snapshot.collect(options(home), account_table=table)
    failed = {n: p["error"]["kind"] for n, p in data["probes"].items() if p["error"]}
    assert failed == {"logs": "invalid", "pdump": "invalid", "api": "skipped"}
    assert data["probes"]["logs"]["data"] is None


def test_a_child_that_finds_fault_with_the_input(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input is for this process to find: no probe of ours answers so."""
    monkeypatch.setattr(
        probes, "look",
        lambda channel, *_more: channel.send("pdump", error=errors.InputError("you are wrong")),
    )
    data = snapshot.collect(options(home, probe_timeout=0.4))
    assert data["probes"]["pdump"]["error"] == {"kind": "invalid", "message": "you are wrong"}
    assert data["probes"]["sockets"]["error"] is None


def test_a_child_that_is_killed(home: Path) -> None:
    table = dict(probes.TABLE, pdump=lambda _server: os.kill(os.getpid(), signal.SIGKILL))
    data = snapshot.collect(options(home), account_table=table)
    assert data["probes"]["configuration"]["error"] is None
    assert data["probes"]["pdump"]["error"]["kind"] == "timeout"
    assert data["probes"]["sockets"]["error"] is None


def test_nothing_is_left_behind(home: Path, tmp_path: Path) -> None:
    """Neither by a program that hangs until the total time is over."""
    pid = tmp_path / "pid"
    (home / "bin" / "nlserver").write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 60\n")
    data = snapshot.collect(options(home, timeout=1.5, probe_timeout=30.0))
    assert data["probes"]["pdump"]["error"]["kind"] == "timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_pdump_that_hangs_is_not_asked_twice(home: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    (home / "bin" / "nlserver").write_text(f"#!/bin/sh\necho $1 >> {calls}\nexec sleep 60\n")
    snapshot.collect(options(home, probe_timeout=0.4))
    assert calls.read_text() == "pdump\n"


def test_a_defect_in_one_probe_costs_only_that(home: Path) -> None:
    def broken(_context: Any) -> None:
        raise KeyError("x")

    data = snapshot.collect(options(home), account_table=dict(probes.TABLE, logs=broken))
    assert data["probes"]["logs"]["error"] == {"kind": "failed", "message": "KeyError: 'x'"}
    assert data["probes"]["storage"]["error"] is None


def test_a_wrong_build_for_the_system(home: Path) -> None:
    (home / "bin" / "nlserver").write_text(
        "#!/bin/sh\necho 'nlserver: libicuuc.so.42: cannot open shared object file' >&2\nexit 127\n"
    )
    probe = snapshot.collect(options(home))["probes"]["pdump"]
    assert probe["error"]["kind"] == "failed"
    assert "libicuuc.so.42" in probe["error"]["message"]
    assert probe["data"]["return_code"] == 127
    assert "libicuuc.so.42" in probe["data"]["unrecognised"][0]


def test_broken_xml_is_data(home: Path) -> None:
    (home / "conf" / "config-prod.xml").write_text("<serverconf>\n<mta\n</serverconf>")
    probe = snapshot.collect(options(home))["probes"]["configuration"]
    assert probe["error"]["kind"] == "invalid"
    assert "config-prod.xml, line 3" in probe["error"]["message"]
    assert probe["data"]["instances"] == ["default", "prod"]


def test_a_host_without_campaign(tmp_path: Path) -> None:
    data, bad_input = take(options(tmp_path / "nowhere", user="no-such-user"))
    assert bad_input is None
    assert data["installed"] is False
    assert list(data["probes"]) == ["machine", "service"]


def test_logs_in_another_directory(home: Path, tmp_path: Path) -> None:
    (home / "env.sh").write_text("export XTK_VAR_DIR=%s\n" % (tmp_path / "other"))
    data = snapshot.collect(options(home, probes=["logs"]))
    assert data["probes"]["logs"]["data"]["directories"][0]["path"] == str(
        tmp_path / "other" / "default" / "log"
    )


def test_eight_instances(home: Path) -> None:
    for number in range(8):
        (home / "conf" / f"config-i{number}.xml").write_text(PROD)
        (home / "var" / f"i{number}" / "log").mkdir(parents=True)
    data = snapshot.collect(options(home))
    assert len(data["asked"]["instances"]) == 10
    assert {name for name, probe in data["probes"].items() if probe["error"]} == {"api"}


def test_one_instance(home: Path) -> None:
    (home / "conf" / "config-other.xml").write_text(PROD)
    data = snapshot.collect(options(home, instances=["other"], modules=["mta", "stat"]))
    assert data["asked"]["instances"] == ["default", "other"]
    assert data["asked"]["modules"] == ["stat", "mta"]
    logs = data["probes"]["logs"]["data"]["logs"]
    assert {log["instance"] for log in logs} == {"default", "other"}
    # what explains a trouble may be elsewhere
    assert data["probes"]["configuration"]["data"]["instances"] == ["default", "other", "prod"]


@pytest.mark.parametrize(
    ("missed", "readings"), [(False, [1]), (True, [1, host_probes.proc.READINGS])]
)
def test_a_socket_that_the_kernel_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, missed: bool, readings: list[int]
) -> None:
    """The table is read several times more where an expected one is missing, and only there."""
    entry = {"proto": "udp", "address": "127.0.0.1", "port": 666, "queue_bytes": 0, "inode": 1}
    asked: list[int] = []

    def listening(_proto: str, _ports: set[int], times: int) -> list[dict[str, Any]]:
        asked.append(times)
        return [] if missed and times == 1 else [entry]

    monkeypatch.setattr(host_probes.proc, "listening", listening)
    context = host_probes.Context(options(home), child.account_of(pwd.getpwuid(os.geteuid())))
    for _again in range(2):
        assert context.listening("udp", ("127.0.0.1", 666)) == [entry]
    assert asked == readings


EMPTY = {
    "answered": [], "begins": [], "interrupted": [], "paused": [], "precisions": [], "reloads": [],
    "renewals": [], "repairs": [], "restarts": [], "unknown": [],
}


@pytest.fixture(autouse=True)
def default_state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where they are unless an option says otherwise: not those of this machine."""
    monkeypatch.setattr(state_dir, "OF_ROOT", str(tmp_path / "lib"))
    return Path(state_dir.default_state_dir(str(tmp_path / "nl6")))


def ledger_of(home: Path, **more: Any) -> Any:
    """What the probe brings."""
    return snapshot.collect(options(home, probes=["ledger"], **more))["probes"]["ledger"]


def test_no_ledger_is_no_error_and_none_is_made(home: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    probe = ledger_of(home)
    assert (probe["error"], probe["data"]) == (None, EMPTY)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("where", ["", "elsewhere"])
def test_the_ledger_of_a_run_that_was_killed(
    home: Path, tmp_path: Path, default_state_dir: Path, where: str
) -> None:
    path = tmp_path / where if where else default_state_dir
    store = ledger.Store(str(path))
    store.prepare()
    book = ledger.Ledger(store)
    begun = {"module": "wfserver", "instance": "prod", "remedy": "restart", "run": "r1"}
    book.append("begun", restart=True, who="anna", **begun)
    more = {"state_dir": str(path)} if where else {}
    probe = ledger_of(home, **more)
    assert probe["error"] is None
    (left,) = probe["data"]["interrupted"]
    assert (left["module"], left["remedy"], left["who"]) == ("wfserver", "restart", "anna")
    assert [len(entry["times"]) for entry in probe["data"]["restarts"]] == [1]
    # the same while that run still holds the host: under way
    held = {"run": "r1", "scope": "run", "beat": time.time()}
    store.replace(lock.LOCK, json.dumps(held).encode())
    assert ledger_of(home, **more)["data"]["interrupted"] == []


def test_a_pause_is_seen_until_it_ends(home: Path, default_state_dir: Path) -> None:
    store = ledger.Store(str(default_state_dir))
    store.prepare()
    now = time.time()
    entry = {"since": now, "until": now + 60, "who": "anna", "from": "a1", "reason": "a new disk"}
    pause.write(store, entry, now)
    assert ledger_of(home)["data"]["paused"] == [{**entry, "unknown": None}]
    pause.write(store, {**entry, "since": now - 60, "until": now}, now)
    assert ledger_of(home)["data"]["paused"] == []
    store.replace(pause.PAUSE, b"{")
    (unclear,) = ledger_of(home)["data"]["paused"]
    assert "is damaged" in unclear["unknown"]


def test_a_ledger_that_may_not_be_read(home: Path, default_state_dir: Path) -> None:
    default_state_dir.mkdir(parents=True)
    (default_state_dir / "ledger.jsonl").symlink_to("/etc/passwd")
    probe = ledger_of(home)
    assert (probe["error"]["kind"], probe["data"]) == ("failed", None)
    assert "ledger.jsonl" in probe["error"]["message"]


BAD = [
    ({"instances": ["nope"]}, "Unknown instance 'nope': this server has default, prod."),
    ({"modules": ["mda"]}, "Unknown module 'mda'. Valid modules: watchdog, syslogd, "),
    ({"timeout": -1.0}, "timeout must be above 0 and at most 3600 seconds."),
    ({"probe_timeout": 0.0}, "probe_timeout must be above 0 and at most 3600 seconds."),
    ({"log_window": 0}, "log_window must be 1 to 10080 minutes."),
    ({"syslogd_port": 70000}, "syslogd_port must be 0 to 65535."),
    ({"state_dir": "x"}, "state_dir must be an absolute path, not 'x'."),
    ({"home": ""}, "home must be an absolute path, not ''."),
    ({"home": "nl6"}, "home must be an absolute path, not 'nl6'."),
    ({"user": "no-such-user"}, "There is no account 'no-such-user' on this host (option user)."),
    ({"front_url": "app1"}, "front_url must be an http or https URL, not 'app1'."),
    ({"redirection_urls": ["x"]}, "redirection_urls must be an http or https URL, not 'x'."),
    ({"shared_memory_keys": ["abc"]}, "shared_memory_keys: 'abc' is not a number."),
    (
        {"mailboxes": [{"instance": "prod", "host": "x", "port": 0}]},
        "mailboxes: port must be 1 to 65535.",
    ),
]


@pytest.mark.parametrize(("more", "message"), BAD)
def test_bad_input_gets_one_line(home: Path, more: dict[str, Any], message: str) -> None:
    data, bad_input = take(options(home, **more))
    assert data is None
    assert bad_input.startswith(message)
    assert "\n" not in bad_input


def test_neither_root_nor_the_account(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(errors.InputError, match=r"'12345' cannot become the Campaign .* become: true"):
        snapshot.find_account(options(home, user=other.pw_name))


def test_a_home_that_may_not_be_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", denied)
    with pytest.raises(errors.InputError, match="become"):
        snapshot.installed(options(home))
    with pytest.raises(errors.InputError, match=f"'{ME}' has no access to"):
        snapshot.collect(options(home))


def test_only_files_of_the_server_itself_are_read(home: Path) -> None:
    """Nothing below the home is written or changed."""

    def fingerprint() -> list[Any]:
        return sorted(
            (str(path), path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_size)
            for path in home.rglob("*")
        )

    before = fingerprint()
    snapshot.collect(options(home))
    assert fingerprint() == before
