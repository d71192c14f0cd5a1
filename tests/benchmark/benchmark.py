"""Compare diagnose.yml with a single ping and with eleven command tasks, on many lab servers.

All three run in turn, several rounds, against the same servers, with the same forks
and interpreter; medians are compared. Beside the times stand the processor seconds of each
candidate and of all that it starts: they tell more on a machine that has other work, too. See
docs/developer/benchmark.md.

Before, with few servers on the machine: the processor time of a snapshot on the host, and of a
repair beside a diagnosis.

usage: benchmark.py [--servers 50] [--rounds 6] [--forks 10] [--only-repairs]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import pwd
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# The eleven tasks take most of the time, and how often they run matters least: every third round.
SELDOM = {"commands": 3}
MODULES = ("watchdog", "syslogd", "stat", "mta", "web", "trackinglogd", "tracking", "inMail",
           "wfserver", "export", "import")

# What docs/developer/benchmark.md promises.
MOST_OF_PING = 0.9
TIMES_FASTER = 8.0
CONTROLLER_MB = 150
HOST_SECONDS = 2.0
PDUMP_SECONDS = 0.06
SNAPSHOT_SECONDS = 0.1
SNAPSHOTS = 20
REPAIR_TIMES = 2.0

# For how many servers, and of which modules of each, the memory is too high: a restart for each.
ILL: dict[str, tuple[int, tuple[str, ...]]] = {
    "one host, one step": (1, ("wfserver",)),
    "five hosts, one step each": (5, ("wfserver",)),
    "one host, three steps": (1, ("wfserver", "mta", "inMail")),
}
REPAIR_ROUNDS = 3
SETTLING_SECONDS = 2  # that a module must stay up; what it takes longer is time, and no work

PR_SET_CHILD_SUBREAPER = 36  # of prctl(2)

Checks = dict[str, tuple[float, bool]]  # what is promised: the value, and whether it held


class Measure(NamedTuple):
    """One run of one playbook."""

    seconds: float
    cpu_seconds: float
    controller_mb: float


def write_playbooks(folder: Path) -> dict[str, Path]:
    """The candidates. JSON is YAML."""
    def play(tasks: list[dict[str, Any]]) -> str:
        return json.dumps([
            {"hosts": "campaign", "gather_facts": False, "tasks": tasks}
        ], indent=1)

    ping = folder / "ping.yml"
    ping.write_text(play([{"name": "Ping", "ansible.builtin.ping": {}}]))
    commands = folder / "commands.yml"
    commands.write_text(play([
        {
            "name": f"Ask for {module}",
            "ansible.builtin.command": {"argv": as_account(
                "{{ campaign_user }}", "{{ campaign_home }}/bin/nlserver", "pdump")},
            "register": "answer",
            "changed_when": False,
            "failed_when": f"'no task' in answer.stdout | lower and '{module}' == 'watchdog'",
        }
        for module in MODULES
    ]))
    return {
        "diagnose": CHECKOUT / "playbooks" / "diagnose.yml", "ping": ping, "commands": commands,
    }


def as_account(account: str, *command: str) -> list[str]:
    """Root has to become the account that the servers run as."""
    return [*(("runuser", "-u", account, "--") if os.geteuid() == 0 else ()), *command]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder. However this process ends, nothing of it and of its servers stays."""
    with tempfile.TemporaryDirectory(prefix="campaign-benchmark-") as scratch:
        subprocess.run([sys.executable, "-IS", CHECKOUT / "tools" / "caretaker.py",
                        str(os.getpid()), scratch],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        Path(scratch).chmod(0o711)  # the account of the servers has to get to its lab
        os.environ["TMPDIR"] = scratch  # so all that is started is known to belong to it
        yield Path(scratch)


def count_orphans(really: bool) -> None:
    """Whether a process whose parent ends before it comes to this one, to be counted: not while the
    servers of a lab begin, which must leave.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(really), 0, 0, 0)


@contextmanager
def running_lab(root: Path, servers: int) -> Iterator[dict[str, Any]]:
    """Bring up the servers; give their inventory."""
    labctl = [sys.executable, str(CHECKOUT / "lab" / "labctl")]
    where = ["--root", str(root)]
    names = [word for number in range(1, servers + 1)
             for word in ("--server", f"app{number:02}")]
    try:
        subprocess.run([*labctl, "up", *where, *names], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        printed = subprocess.run([*labctl, "inventory", *where], check=True,
                                 stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
        loaded: dict[str, Any] = json.loads(printed)
        yield loaded
    finally:
        subprocess.run([*labctl, "down", "--purge", *where], check=False, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)


def static_inventory(dynamic: dict[str, Any], path: Path) -> None:
    """The same hosts in a file: no candidate pays for a script."""
    hosts = dynamic["_meta"]["hostvars"]
    path.write_text(json.dumps({"campaign": {"hosts": hosts}}))


def high_water_mb(pid: int) -> float:
    """The most memory that a process itself has held so far."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def children_seconds() -> float:
    """Processor seconds of all children so far, with what they left behind to end."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def bare_environment() -> dict[str, str]:
    """Of a login: without variables that make an interpreter slow."""
    return {
        "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", "TERM": "dumb",
        "PATH": os.pathsep.join([str(BIN), "/usr/local/bin", "/usr/bin", "/bin",
                                 "/usr/sbin", "/sbin"]),
        "TMPDIR": os.environ["TMPDIR"],
    }  # fmt: skip


def measure(
    playbook: Path, inventory: Path, report: Path, forks: int, **variables: Any
) -> Measure:
    """Run one candidate. The main process is watched; its workers are counted as time only."""
    environment = {**bare_environment(), "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")}
    command: list[str | Path] = [
        BIN / "ansible-playbook", playbook, "-i", inventory, "--forks", str(forks),
        # Compared is what commands can see: not the server's API.
        "-e", json.dumps({"campaign_report_dir": str(report), "campaign_api": [], **variables}),
    ]
    output = report.with_suffix(".log")
    used = children_seconds()
    with output.open("wb") as log:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        memory = 0.0
        while True:
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if pid:
                break
            memory = max(memory, high_water_mb(process.pid))
            time.sleep(0.05)
        seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{playbook.name} failed:\n{output.read_text()[-3000:]}")
    return Measure(seconds, children_seconds() - used, memory)


def pdump_seconds(variables: dict[str, Any]) -> float:
    """How long the lab's `nlserver pdump` takes: the median of some, after a first one."""
    command = [f"{variables['campaign_home']}/bin/nlserver", "pdump"]
    account = pwd.getpwnam(variables["campaign_user"])
    whom: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if (
        os.geteuid() == 0) else {}
    taken = []
    for _number in range(16):
        began = time.monotonic()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       **whom)
        taken.append(time.monotonic() - began)
    return statistics.median(taken[1:])


def snapshot_seconds(variables: dict[str, Any]) -> float:
    """Processor time of a snapshot as a host takes it, interpreter and children included: the
    median of some, after a first one.
    """
    sys.path.insert(0, str(CHECKOUT / "playbooks" / "collections"))
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.campaign.remediation.plugins.modules.campaign_info import argument_spec
    from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.ansible.payload import (
        program,
    )

    known = argument_spec()
    given = {name.removeprefix("campaign_"): value for name, value in variables.items()}
    given = {name: value for name, value in given.items() if name in known} | {"api": []}
    text = program(ArgumentSpecValidator(known).validate(given).validated_parameters)
    taken = []
    for _number in range(SNAPSHOTS + 1):
        used = children_seconds()
        done = subprocess.run(
            [sys.executable, "-"], input=text, check=True,
            stdout=subprocess.PIPE, env=bare_environment(),
        )  # fmt: skip
        taken.append(children_seconds() - used)
        assert json.loads(done.stdout)["snapshot"]["installed"]
    return statistics.median(taken[1:])


def host_seconds(report: Path) -> list[float]:
    """How long each host's diagnosis took on the host, and that all were found healthy."""
    hosts = json.loads((report / "report.json").read_text())["hosts"]
    unseen = [host["name"] for host in hosts if host.get("seconds") is None]
    if unseen:
        sys.exit(f"{len(unseen)} of {len(hosts)} hosts were not diagnosed: {' '.join(unseen[:5])}")
    ill = [host["name"] for host in hosts if host["findings"]]
    if ill:
        print(f"note: {len(ill)} of {len(hosts)} hosts were not healthy: {' '.join(ill[:5])}")
    return [float(host["seconds"]) for host in hosts]


class Repair(NamedTuple):
    """Processor seconds: of diagnose.yml, of remediate.yml up to its plan, and of all of it."""

    hosts: int
    steps: int
    diagnosis: float
    plan: float
    whole: float

    @property
    def step(self) -> float:
        """A step, with the host's lock and its diagnosis afterwards."""
        return (self.whole - self.plan) / self.steps

    @property
    def share(self) -> float:
        """A step in what each host adds to a diagnosis: the start of Ansible is shared by all."""
        return self.step / (self.diagnosis / self.hosts)


def of_repairs(folder: Path, forks: int) -> dict[str, list[Repair]]:
    """What repairs cost beside diagnoses of the same hosts."""
    found: dict[str, list[Repair]] = {}
    for name, (servers, modules) in ILL.items():
        print(f"Repairing {name} ...", flush=True)
        place = folder / name.replace(" ", "-").replace(",", "")
        place.mkdir()
        with running_lab(place / "lab", servers) as dynamic:
            static_inventory(dynamic, place / "hosts.json")
            time.sleep(10)  # until every module has written its first lines
            rounds = [
                a_repair(place, number, dynamic["_meta"]["hostvars"], modules, forks)
                for number in range(REPAIR_ROUNDS + 1)
            ]
        found[name] = rounds[1:]  # the first round warms caches up
    return found


def a_repair(
    place: Path, number: int, hosts: dict[str, Any], modules: tuple[str, ...], forks: int
) -> Repair:
    """One round: break each host, diagnose, plan, repair."""
    labctl = [sys.executable, str(CHECKOUT / "lab" / "labctl"), "--root", str(place / "lab")]
    for host in hosts:
        for module in modules:
            subprocess.run([*labctl, "break", "module_memory_high", "--module", module,
                            "--server", host],
                           check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    known = next(iter(hosts.values()))["campaign_thresholds"]
    site = {
        "campaign_wait": SETTLING_SECONDS,
        # The same module is restarted in each round: that is neither a crash loop nor a repair in vain.
        "campaign_restart_budget": 100,
        "campaign_recurrence": {"times": 100},
        # And the same finding on all of them is no storm, nor does one host go first.
        "campaign_accept_storm": True,
        "campaign_canary": 0,
        "campaign_thresholds": {**known, "crash_loop_restarts": 100},
    }
    runs: tuple[tuple[str, dict[str, Any]], ...] = (
        ("diagnose", {}), ("remediate", {"campaign_plan_only": True}), ("remediate", {}),
    )  # fmt: skip
    count_orphans(True)
    seconds = [
        measure(CHECKOUT / "playbooks" / f"{book}.yml", place / "hosts.json",
                place / f"{number}-{step}", forks, **site, **more).cpu_seconds
        for step, (book, more) in enumerate(runs)
    ]
    count_orphans(False)
    report = json.loads((place / f"{number}-2" / "report.json").read_text())
    actions = [(host["name"], action) for host in report["hosts"] for action in host["actions"]]
    results = [action["result"] for _host, action in actions]
    if results != ["repaired"] * (len(hosts) * len(modules)):
        reasons = [f"{host}: {action['reason']}" for host, action in actions if action["reason"]]
        sys.exit("\n".join(["not repaired as planned:", *(reasons or ["nothing was done"])]))
    return Repair(len(hosts), len(results), *seconds)


def of_repair(rounds: list[Repair]) -> Repair:
    """The medians of some rounds."""
    first, *_others = rounds
    seconds = (statistics.median(each[column] for each in rounds) for column in (2, 3, 4))
    return Repair(first.hosts, first.steps, *seconds)


def repair_checks(found: dict[str, list[Repair]]) -> Checks:
    """Print what repairs cost; whether that is what was promised."""
    checks: Checks = {}
    medians = {name: of_repair(rounds) for name, rounds in found.items()}
    one = min(each.diagnosis for each in medians.values() if each.hosts == 1)
    print(f"\nRepairs, in processor seconds; a diagnosis of one host takes {one:.2f}:")
    for name, middle in medians.items():
        times = middle.step / one
        print(f"  {name:25} diagnosis {middle.diagnosis:5.2f}   plan {middle.plan:5.2f}   repair with both"
              f" {middle.whole:5.2f}   a step {middle.step:.2f}, {times:.2f} diagnoses of one host,"
              f" {middle.share:.2f} of what a host adds to a diagnosis")
        checks[f"a step at most {REPAIR_TIMES:g} diagnoses of one host ({name})"] = (
            times, times <= REPAIR_TIMES,
        )  # fmt: skip
    return checks


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare diagnose.yml with simpler playbooks.")
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--forks", type=int, default=10)
    parser.add_argument("--only-repairs", action="store_true", help="measure nothing else")
    options = parser.parse_args()

    with scratch_folder() as folder:
        repairs = of_repairs(folder, options.forks)
        if options.only_repairs:
            return told(repair_checks(repairs))
        snapshot = of_one_server(folder)
        print(f"Starting {options.servers} lab servers ...", flush=True)
        with running_lab(folder / "lab", options.servers) as dynamic:
            count_orphans(True)
            inventory = folder / "hosts.json"
            static_inventory(dynamic, inventory)
            candidates = write_playbooks(folder)
            time.sleep(10)  # until every module has written its first lines
            pdump = pdump_seconds(next(iter(dynamic["_meta"]["hostvars"].values())))
            measured: dict[str, list[Measure]] = {name: [] for name in candidates}
            on_host: list[float] = []
            for number in range(options.rounds + 1):
                for name, playbook in candidates.items():
                    if number % SELDOM.get(name, 1):
                        continue
                    report = folder / f"{name}-{number}"
                    taken = measure(playbook, inventory, report, options.forks)
                    if number:  # the first round warms caches up
                        measured[name].append(taken)
                        if name == "diagnose":
                            on_host += host_seconds(report)
                    print(f"  round {number}  {name:9} {taken.seconds:7.2f} s"
                          f"   processor {taken.cpu_seconds:7.2f} s", flush=True)
                if not number:
                    print("  (round 0 is not counted)", flush=True)
    return verdict(options, measured, on_host, pdump, snapshot, repairs)


def of_one_server(folder: Path) -> float:
    """What a snapshot costs where one server is on the machine."""
    print("Starting a server ...", flush=True)
    with running_lab(folder / "one", 1) as dynamic:
        time.sleep(10)  # until every module has written its first lines
        count_orphans(True)
        seconds = snapshot_seconds(next(iter(dynamic["_meta"]["hostvars"].values())))
        count_orphans(False)
    print(f"  a snapshot costs {1000 * seconds:.0f} ms of processor time on the host", flush=True)
    return seconds


def told(checks: Checks) -> int:
    """Print what held and what did not; the exit code."""
    for name, (value, held) in checks.items():
        print(f"  {'ok  ' if held else 'MISS'}  {name}: {value:.2f}")
    return 0 if all(held for _value, held in checks.values()) else 1


def verdict(
    options: argparse.Namespace, measured: dict[str, list[Measure]], on_host: list[float],
    pdump: float, snapshot: float, repairs: dict[str, list[Repair]],
) -> int:
    """Print the comparison, keep it as JSON, and say whether it is what was promised."""
    middle = {
        name: Measure(*(statistics.median(column) for column in zip(*runs, strict=True)))
        for name, runs in measured.items()
    }
    of_ping = middle["diagnose"].seconds / middle["ping"].seconds
    faster = middle["commands"].seconds / middle["diagnose"].seconds
    processor = {
        "diagnose / ping": middle["diagnose"].cpu_seconds / middle["ping"].cpu_seconds,
        "commands / diagnose": middle["commands"].cpu_seconds / middle["diagnose"].cpu_seconds,
    }
    peak = max(run.controller_mb for run in measured["diagnose"])
    slowest = max(on_host) if on_host else float("nan")
    checks: Checks = {
        f"diagnose / ping at most {MOST_OF_PING}": (of_ping, of_ping <= MOST_OF_PING),
        f"commands / diagnose at least {TIMES_FASTER:g}": (faster, faster >= TIMES_FASTER),
        f"controller's peak memory under {CONTROLLER_MB} MB": (peak, peak < CONTROLLER_MB),
        f"slowest host under {HOST_SECONDS:g} s": (slowest, slowest < HOST_SECONDS),
        f"nlserver pdump of the lab under {PDUMP_SECONDS:g} s": (pdump, pdump < PDUMP_SECONDS),
        f"processor time of a snapshot on the host at most {SNAPSHOT_SECONDS:g} s":
            (snapshot, snapshot <= SNAPSHOT_SECONDS),
        **repair_checks(repairs),
    }
    print(f"\n{options.servers} servers, {options.forks} forks, {options.rounds} rounds, "
          f"{os.cpu_count()} cores, Python {platform.python_version()}")
    for name, taken in middle.items():
        print(f"  {name:9} median {taken.seconds:7.2f} s   processor {taken.cpu_seconds:7.2f} s"
              f"   controller {taken.controller_mb:5.0f} MB")
    if on_host:
        print(f"  on the host: median {statistics.median(on_host):.2f} s, slowest {slowest:.2f} s")
    print("  processor: " + ", ".join(f"{n} {ratio:.2f}" for n, ratio in processor.items()))
    code = told(checks)
    result = {
        "servers": options.servers, "forks": options.forks, "rounds": options.rounds,
        "cores": os.cpu_count(), "python": platform.python_version(),
        "runs": {name: [run._asdict() for run in runs] for name, runs in measured.items()},
        "medians": {name: taken._asdict() for name, taken in middle.items()},
        "processor": processor,
        "host_seconds": sorted(on_host),
        "repairs": {name: [each._asdict() for each in rounds] for name, rounds in repairs.items()},
        "checks": {name: {"value": value, "held": held}
                   for name, (value, held) in checks.items()},
    }
    (CHECKOUT / "build").mkdir(exist_ok=True)
    path = CHECKOUT / "build" / "benchmark.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"  written to {path.relative_to(CHECKOUT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
