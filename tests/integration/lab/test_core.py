"""The lab's core, seen from outside: process table, sockets, files, exit codes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from campaign_lab import sockets
from campaign_lab.layout import LAB_PASSWORD
from integration.harness import owner_of
from integration.lab.console import LINE, MODULES, Eventually, edit, permanent, tasks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def whole(lab: Any, eventually: Eventually) -> Iterator[Any]:
    """The lab; after the test its configuration is put back and everything runs."""
    conf = lab.home / "conf"
    kept = {path: path.read_text() for path in conf.iterdir()}
    yield lab
    for path, text in kept.items():
        path.write_text(text)
    if "watchdog" in tasks(lab):
        lab.nlserver("config", "-reload")
    lab.labctl("up")


# --------------------------------------------------------------------------- what runs


def test_every_module_is_a_process_with_the_documented_command_line(lab: Any) -> None:
    shown = permanent(lab)
    assert sorted(shown) == sorted(["watchdog", *MODULES])
    processes = {process.pid: process for process in lab.processes()}
    for name in MODULES:
        module, _, instance = name.partition("@")
        process = processes[shown[name]]
        expected = ["nlserver", module, f"-tracefile:{name}", f"-instance:{instance}", "-detach"]
        if module == "web":
            expected += ["-tomcat", "-autorepair"]
        if module == "mta":
            expected += ["-tracefilter:nlmta"]
        assert process.arguments == expected
        assert process.parent == shown["watchdog"]
        assert Path(f"/proc/{process.pid}/comm").read_text().strip() == "nlserver"
    watchdog = processes[shown["watchdog"]]
    assert watchdog.arguments == ["nlserver", "watchdog", "-svc", "-noconsole"]
    assert os.getsid(watchdog.pid) != os.getsid(0)


def test_syslogd_starts_first_and_alone_holds_its_port(lab: Any) -> None:
    modules = [process for process in lab.processes() if process.parent == lab.pid("watchdog")]
    assert min(modules).module == "syslogd"  # by pid: the watchdog has just started all
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second, pytest.raises(OSError):
        second.bind((lab.server.address, lab.server.ports["syslogd"]))
    assert (lab.pid("syslogd") in udp_holders(lab.server.address, lab.server.ports["syslogd"]))


def udp_holders(address: str, port: int) -> list[int]:
    """The processes that hold a UDP port, from /proc."""
    where = f"{sockets.encoded(address)}:{port:04X}"
    inodes = {words[9] for words in sockets.table("udp") if words[1] == where}
    holders = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            holders.append(int(link.parts[2]))
    return holders


def test_log_lines_have_the_documented_form(lab: Any) -> None:
    for module in MODULES:
        name, _, instance = module.partition("@")
        lines = lab.log(instance, name).splitlines()
        assert lines, module
        for line in lines:
            assert LINE.match(line), line
        pid = str(permanent(lab)[module])
        assert any(line.split("\t")[1] == pid and " start (pid=" in line for line in lines)


def test_monitor_is_xml_and_nothing_is_missing(lab: Any) -> None:
    document = ET.fromstring(lab.nlserver("monitor").stdout)
    names = [each.get("name") for each in document.iter("indicator")]
    assert names == ["Zombie Processes", "Files to send"]  # the site's own comes last
    names = {task.get("module") for task in document.iter("task")}
    assert {"watchdog", "web", "mta"} <= names
    assert lab.nlserver("monitor", "-missing").stdout == ""


def test_configuration_files_are_private_and_hold_the_password(lab: Any) -> None:
    for path in (lab.home / "conf").glob("*.xml"):
        assert path.stat().st_mode & 0o777 == 0o640
    assert LAB_PASSWORD in (lab.home / "conf" / "config-prod.xml").read_text()


# ------------------------------------------------------------------------------ commands


def test_pdump_who(lab: Any) -> None:
    out = lab.nlserver("pdump", "-who").stdout
    assert "\nConnections ---" in out
    assert "\nLast Access IP Instance Login\n" in out
    assert "\nDatasource Server Provider Login\ndefault " in out
    assert LAB_PASSWORD not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frobnicate"], "Unknown command 'frobnicate'"),
        (["start"], "usage: nlserver start"),
        (["start", "frob@prod"], "No task corresponds to the mask frob@prod"),
        (["stop", "frob*@prod"], "No task corresponds to the mask frob*@prod"),
        (["start", "wfserver@nowhere"], "Instance 'nowhere' does not exist"),
        (["start", "wfserver"], "does not run in instance 'default'"),
        (["start", "wfserver@prod"], "is already running"),
        (["stop", "wfserver@nowhere"], "Instance 'nowhere' does not exist"),
        (["wfserver", "-instance:prod"], "is already running"),
        (["export", "-instance:nowhere"], "Instance 'nowhere' does not exist"),
        (["watchdog", "-svc", "-noconsole"], "is already running"),
        ([], "usage: nlserver"),
    ],
)
def test_wrong_commands_get_one_clear_line(lab: Any, words: list[str], message: str) -> None:
    done = lab.nlserver(*words, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_usage_and_version(lab: Any) -> None:
    assert "usage: nlserver wfserver" in lab.nlserver("wfserver", "-?").stdout
    assert "usage: nlserver <command>" in lab.nlserver("-?").stdout
    assert "Application server for Adobe Campaign Classic" in lab.nlserver("-version").stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is another user here")
def test_another_user_is_refused(lab: Any) -> None:
    done = subprocess.run([lab.home / "bin" / "nlserver", "pdump"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1
    assert "must run as the owner" in done.stderr


# --------------------------------------------------------------------- start, stop, restart


def test_stop_by_hand_holds_and_start_undoes_it(whole: Any) -> None:
    lab = whole
    before = lab.pid("wfserver", "prod")
    out = lab.nlserver("stop", "wfserver@prod").stdout
    assert f"Stop requested (pid={before})" in out
    assert not lab.pid("wfserver", "prod")
    assert lab.nlserver("monitor", "-missing").stdout == "wfserver@prod\n"
    time.sleep(1.5)  # longer than the watchdog's first delay
    assert not lab.pid("wfserver", "prod")
    assert lab.nlserver("stop", "wfserver@prod", check=False).returncode == 1
    out = lab.nlserver("start", "wfserver@prod").stdout
    assert ("Running task 'wfserver@prod' ('nlserver wfserver -tracefile:wfserver@prod "
            "-instance:prod -detach') in a new process") in out
    assert lab.pid("wfserver", "prod") not in (0, before)


def test_restart_verbose_and_back(whole: Any) -> None:
    lab = whole
    before = lab.pid("wfserver", "prod")
    lab.nlserver("restart", "wfserver@prod", "-verbose")
    arguments = next(p.arguments for p in lab.processes() if p.module == "wfserver")
    assert arguments[-1] == "-verbose"
    assert lab.pid("wfserver", "prod") != before
    lab.nlserver("restart", "wfserver@prod", "-noconsole")
    arguments = next(p.arguments for p in lab.processes() if p.module == "wfserver")
    assert arguments[-1] == "-detach"


def test_a_hung_module_is_killed_by_stop_immediate(whole: Any) -> None:
    lab = whole
    hung = lab.running("stat", "prod")
    os.kill(hung, signal.SIGSTOP)
    began = time.monotonic()
    lab.nlserver("stop", "stat@prod", "-immediate")
    assert time.monotonic() - began < 2
    assert not lab.pid("stat", "prod")


def test_trace_mode_runs_in_the_foreground(whole: Any, eventually: Eventually) -> None:
    lab = whole
    lab.nlserver("stop", "wfserver@prod")
    command = [str(lab.home / "bin" / "nlserver"), "wfserver", "-instance:prod", "-verbose",
               "-tracefilter:wdbc", "-tracefile:wfserver_debug@prod"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/",
                          **owner_of(lab.home)) as traced:
        try:
            eventually(lambda: lab.pid("wfserver", "prod") == traced.pid)
            process = next(p for p in lab.processes() if p.pid == traced.pid)
            assert process.arguments == ["nlserver", *command[1:]]
            eventually(lambda: "start (pid=" in lab.log("prod", "wfserver_debug"))
        finally:
            traced.terminate()
        assert traced.wait(10) == 0


def test_shutdown_and_watchdog_svc(whole: Any, eventually: Eventually) -> None:
    lab = whole
    lab.nlserver("shutdown")
    assert lab.nlserver("pdump").stdout.splitlines()[1:] == ["No tasks"]
    assert lab.nlserver("monitor", "-missing").stdout.split() == ["watchdog", *sorted(
        MODULES, key=lab.nlserver("monitor", "-missing").stdout.split().index)]
    assert [p.arguments[0] for p in lab.processes()] == ["apache2"]
    lab.nlserver("watchdog", "-svc", "-noconsole")
    eventually(lambda: sorted(permanent(lab)) == sorted(["watchdog", *MODULES]))
    pid_file = Path(lab.server.home.pid_file)
    assert int(pid_file.read_text()) == tasks(lab)["watchdog"]


def test_reload_keeps_the_process(lab: Any, eventually: Eventually) -> None:
    before = permanent(lab)
    lab.nlserver("config", "-reload")
    lab.nlserver("stat", "-reload")
    eventually(lambda: "Configuration reloaded" in lab.log("default", "web"))
    eventually(lambda: "reloaded" in lab.log("prod", "stat"))
    assert permanent(lab) == before


# -------------------------------------------------------------------------------- watchdog


def test_a_killed_module_comes_back(lab: Any, eventually: Eventually) -> None:
    before = lab.running("inMail", "prod")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: lab.pid("inMail", "prod") not in (0, before))
    assert (f"\terror\tlog\tTask 'inMail@prod' ended unexpectedly (pid={before}, signal 9)"
            in lab.log("default", "watchdog"))
    assert not [p for p in lab.processes() if p.state == "Z"]


def test_the_watchdog_backs_off(whole: Any, eventually: Eventually) -> None:
    lab = whole
    script = lab.home / "lib" / "inMail"
    kept = script.read_text()
    script.write_text("raise SystemExit(3)\n")
    os.kill(lab.running("inMail", "prod"), signal.SIGKILL)
    try:
        eventually(lambda: "exit code 3); restart in 4 s" in lab.log("default", "watchdog"), 12)
    finally:
        script.write_text(kept)
    delays = re.findall(r"'inMail@prod' ended unexpectedly .* restart in (\d+) s",
                        lab.log("default", "watchdog"))
    assert delays[-2:] == ["2", "4"]
    lab.nlserver("start", "inMail@prod")  # at once, not after the delay
    assert lab.pid("inMail", "prod")


def test_a_new_watchdog_adopts_what_still_runs(whole: Any, eventually: Eventually) -> None:
    lab = whole
    before = permanent(lab)
    os.kill(before["watchdog"], signal.SIGKILL)
    eventually(lambda: "watchdog" not in tasks(lab))
    assert {name: pid for name, pid in before.items() if name != "watchdog"} == permanent(lab)
    assert lab.nlserver("monitor", "-missing").stdout == "watchdog\n"
    lab.nlserver("start", "watchdog")
    time.sleep(0.5)
    after = permanent(lab)
    assert after.pop("watchdog") != before.pop("watchdog")
    assert after == before
    os.kill(before["stat@prod"], signal.SIGKILL)  # no child of the new one, and yet it notices
    eventually(lambda: permanent(lab).get("stat@prod") not in (None, before["stat@prod"]), 12)


def test_the_daily_restart(whole: Any, eventually: Eventually) -> None:
    lab = whole
    before = permanent(lab)
    soon = time.strftime("%H:%M:%S", time.localtime(time.time() + 3))
    edit(lab.home / "conf" / "config-prod.xml", "<wfserver ",
         f'<wfserver processRestartTime="{soon}" ')
    lab.nlserver("config", "-reload")
    eventually(lambda: permanent(lab).get("wfserver@prod")
               not in (None, before["wfserver@prod"]), 12)
    after = permanent(lab)
    assert "Daily restart of task 'wfserver@prod'" in lab.log("default", "watchdog")
    assert {**before, "wfserver@prod": 0} == {**after, "wfserver@prod": 0}


def test_without_a_watchdog_a_module_starts_and_nobody_restarts_it(whole: Any) -> None:
    lab = whole
    lab.nlserver("shutdown")
    lab.nlserver("start", "syslogd")
    pid = lab.running("syslogd")
    assert tasks(lab) == {"syslogd@default": pid}
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGKILL)
    time.sleep(1.5)
    assert tasks(lab) == {}


def test_customer_sh_reaches_the_modules(whole: Any) -> None:
    lab = whole
    custom = lab.home / "customer.sh"
    kept = custom.read_text()
    custom.write_text(kept + f"export TMPDIR={lab.home}/var/tmp\n")
    try:
        lab.nlserver("shutdown")
        lab.nlserver("start", "syslogd")
        environment = Path(f"/proc/{lab.pid('syslogd')}/environ").read_bytes().split(b"\0")
        assert f"TMPDIR={lab.home}/var/tmp".encode() in environment
        lab.nlserver("shutdown")
    finally:
        custom.write_text(kept)


# --------------------------------------------------------------------------- configuration


def test_a_module_without_auto_start_is_neither_started_nor_missing(whole: Any) -> None:
    lab = whole
    edit(lab.home / "conf" / "config-prod.xml", '<inMail autoStart="true"/>',
         '<inMail autoStart="false"/>')
    lab.nlserver("stop", "inMail@prod")
    assert lab.nlserver("monitor", "-missing").stdout == ""


def test_invalid_xml_is_named_with_file_and_line(whole: Any) -> None:
    lab = whole
    path = lab.home / "conf" / "config-prod.xml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], "<broken", *lines[3:]]))
    done = lab.nlserver("restart", "wfserver@prod", check=False)
    assert done.returncode == 1
    assert re.search(r"config-prod\.xml, line 5: ", done.stderr)
    assert lab.pid("wfserver", "prod")  # what could not start again was not stopped
    assert "wfserver@prod" in tasks(lab)
    assert LAB_PASSWORD not in done.stderr


# --------------------------------------------------------------------------------- syslogd


def send(lab: Any, text: str, instance: str = "prod", name: str = "probe") -> None:
    """What a module sends to syslogd."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(f"{instance}\0{name}\0{text}".encode(),
                      (lab.server.address, lab.server.ports["syslogd"]))


def test_lines_are_lost_without_syslogd(whole: Any, eventually: Eventually) -> None:
    lab = whole
    lab.nlserver("stop", "syslogd")
    send(lab, "never seen")
    lab.nlserver("restart", "stat@prod")
    pid = lab.pid("stat", "prod")
    lab.nlserver("start", "syslogd")
    send(lab, "seen")
    eventually(lambda: "seen" in lab.log("prod", "probe"))
    assert "never" not in lab.log("prod", "probe")
    assert f"\t{pid}\t" not in lab.log("prod", "stat")


def test_rotation_keeps_two_files(whole: Any, eventually: Eventually) -> None:
    lab = whole
    edit(lab.home / "conf" / "serverConf.xml", 'maxFileSizeMb="10"', 'maxFileSizeMb="1"')
    lab.nlserver("restart", "syslogd")
    directory = lab.home / "var" / "prod" / "log"
    block = "x" * 30000
    for _ in range(80):
        send(lab, block, name="rotated")
        time.sleep(0.001)
    eventually((directory / "rotated_2.log").exists)
    sizes = {path.name: path.stat().st_size for path in directory.glob("rotated*")}
    assert sorted(sizes) == ["rotated.log", "rotated_2.log"]
    assert (1 << 20) <= sizes["rotated_2.log"] < (2 << 20)


def test_a_second_syslogd_cannot_bind_and_the_watchdog_backs_off(
    whole: Any, eventually: Eventually
) -> None:
    lab = whole
    lab.nlserver("stop", "syslogd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as intruder:
        intruder.bind((lab.server.address, lab.server.ports["syslogd"]))
        done = lab.nlserver("start", "syslogd", check=False)
        assert done.returncode == 1
        assert not lab.pid("syslogd")
    eventually(lambda: lab.pid("syslogd"), 35)


def test_a_log_that_cannot_be_written_is_reported(whole: Any, eventually: Eventually) -> None:
    lab = whole
    (lab.home / "var" / "prod" / "log" / "blocked.log").mkdir()  # holds for root, too
    send(lab, "lost", name="blocked")
    eventually(lambda: "Unable to write log file" in lab.log("default", "syslogd"))
    send(lab, "written", name="other")
    eventually(lambda: "written" in lab.log("prod", "other"))


def test_names_in_datagrams_do_not_leave_the_log_directory(
    lab: Any, eventually: Eventually
) -> None:
    send(lab, "evil", instance="../../conf", name="x")
    send(lab, "evil", name="../../../escaped")
    send(lab, "good", name="fence")
    eventually(lambda: "good" in lab.log("prod", "fence"))
    assert not list(lab.root.rglob("escaped*"))
    assert not (lab.home / "conf" / "log").exists()
