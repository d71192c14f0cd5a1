#!/usr/bin/env python3
# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Hosts for the Molecule scenarios: podman containers with systemd as PID 1, reached by SSH.

usage: tools/hosts.py image                build the image unless it is there
       tools/hosts.py up SCENARIO          create the hosts of molecule/SCENARIO/hosts.yml
       tools/hosts.py down SCENARIO        remove them, or what there is of them
       tools/hosts.py down                 remove all hosts of this run
       tools/hosts.py clean                remove all hosts of this checkout, whatever the run
       tools/hosts.py list                 the hosts of this run, and how to log in
       tools/hosts.py missing              what this machine lacks; nothing if it can run them

A run is named by $CAMPAIGN_MOLECULE_RUN (dev); two runs and two checkouts do not meet. What a run
has on disk lies in build/molecule/RUN/SCENARIO: the inventory, an SSH key, the hosts file.
Needs root, and Debian's podman, runc, netavark and mmdebstrap. See docs/developer/molecule.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from common.command_line import Parser

CHECKOUT = Path(__file__).resolve().parent.parent
SCENARIOS = CHECKOUT / "molecule"
IMAGE_SOURCE = SCENARIOS / "shared" / "image"
LAB = CHECKOUT / "lab"
SUITE = "bookworm"
NAME = "campaign-molecule"
KEPT_IMAGES = 4
COMMANDS = ("podman", "runc", "mmdebstrap", "ssh", "ssh-keygen")
NETAVARK = (Path("/usr/lib/podman/netavark"), Path("/usr/libexec/podman/netavark"))
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
LOCK = Path("/run/lock/campaign-molecule.lock")
MEMORY = "700m"
UP_SECONDS = 60.0
# A machine that is busy with so many hosts answers late.
PATIENT = {"campaign_timeout": 60, "campaign_api_timeout": 40}
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
CAPABILITIES = "SYS_ADMIN,SYS_PTRACE,NET_ADMIN,NET_RAW,AUDIT_WRITE"


class HostsError(Exception):
    """One line for the person at the command."""


class Place(NamedTuple):
    """What a scenario has in this run."""

    scenario: str
    run: str

    @property
    def directory(self) -> Path:
        """Inventory, key and hosts file."""
        return CHECKOUT / "build" / "molecule" / self.run / self.scenario

    @property
    def prefix(self) -> str:
        """Of the names of the containers and of the network."""
        return f"{checkout_prefix()}-{self.run}-{self.scenario}"

    @property
    def key(self) -> Path:
        """The SSH key of the run."""
        return self.directory / "key"

    @property
    def inventory(self) -> Path:
        """What Ansible reads."""
        return self.directory / "inventory" / "hosts.yml"

    def container(self, host: str) -> str:
        """The name of a host's container."""
        return f"{self.prefix}.{host}"


def checkout_prefix() -> str:
    """Two checkouts on one machine do not meet."""
    return f"campaign-{hashlib.sha1(str(CHECKOUT).encode()).hexdigest()[:6]}"


def run_name() -> str:
    """The name of this run."""
    return os.environ.get("CAMPAIGN_MOLECULE_RUN") or "dev"


# ------------------------------------------------------------------------------- commands


def call(
    command: Sequence[str | Path], *, text: str = "", timeout: float = 120, check: bool = True
) -> str:
    """Run a command; gives its standard output. HostsError with what it said if it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command], input=text, capture_output=True, encoding="utf-8",
            errors="replace", timeout=timeout, check=False, env=environment(),
        )
    except subprocess.TimeoutExpired:
        raise HostsError(f"{command[0]} {command[1]} took more than {timeout:g} s") from None
    if check and done.returncode:
        words = " ".join(str(word) for word in command[:3])
        raise HostsError(f"{words} … failed ({done.returncode}): {done.stderr.strip()[-800:]}")
    return done.stdout


def podman(*words: str | Path, text: str = "", timeout: float = 120, check: bool = True) -> str:
    """Run podman."""
    return call(["podman", *words], text=text, timeout=timeout, check=check)


def environment() -> dict[str, str]:
    """With the settings that nested and small machines need."""
    path = CHECKOUT / "build" / "molecule" / "containers.conf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(CONTAINERS_CONF)
        draft.replace(path)
    return {**os.environ, "CONTAINERS_CONF": str(path), "LC_ALL": "C"}


def missing() -> list[str]:
    """What this machine lacks."""
    lacks = []
    if os.geteuid() != 0:
        lacks.append("root")
    lacks += [name for name in COMMANDS if not shutil.which(name)]
    if not any(path.exists() for path in NETAVARK):
        lacks.append("netavark")
    return lacks


# ---------------------------------------------------------------------------------- image


def digest(*paths: Path, text: str = "") -> str:
    """A short hash of files and of all below directories: names, modes, content."""
    found = hashlib.sha256(text.encode())
    for top in paths:
        for path in sorted([top, *top.rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                mode = path.stat().st_mode & 0o111
                found.update(f"{path.relative_to(top)}\0{mode}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def packages() -> list[str]:
    """What is installed into the base."""
    lines = (IMAGE_SOURCE / "packages.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def base_image() -> str:
    """Debian with the packages."""
    return f"localhost/{NAME}-base:{digest(text=SUITE + ' '.join(packages()))}"


def image() -> str:
    """The base with the lab and the settings of the hosts."""
    return f"localhost/{NAME}:{digest(IMAGE_SOURCE, LAB, text=base_image())}"


def exists(name: str) -> bool:
    """Is there an image of this name?"""
    return name in podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()


def build() -> str:
    """Build what is not there yet; gives the name of the image."""
    wanted = image()
    with turn():
        if not exists(base_image()):
            say(f"building {base_image()}: Debian {SUITE}, {len(packages())} packages")
            _build_base()
        if not exists(wanted):
            say(f"building {wanted}: the lab and the settings of the hosts")
            _build_image(wanted)
            _forget_old_images()
    return wanted


def _build_base() -> None:
    # A machine with mirrors of its own has them here.
    own = SOURCES.exists() and SUITE in SOURCES.read_text()
    with subprocess.Popen(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(packages()),
         "--aptopt=Acquire::Languages \"none\"",
         "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
         SUITE, "-", *([str(SOURCES)] if own else [])],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment(),
    ) as made:  # fmt: skip
        subprocess.run(["podman", "import", "--quiet", "-", base_image()], stdin=made.stdout,
                       stdout=subprocess.DEVNULL, env=environment(), check=True, timeout=900)
    if made.returncode:
        podman("rmi", base_image(), check=False)
        raise HostsError("mmdebstrap failed: see above")


def _build_image(name: str) -> None:
    context = CHECKOUT / "build" / "molecule" / f"image.{os.getpid()}"
    try:
        shutil.copytree(IMAGE_SOURCE, context)
        shutil.copytree(LAB, context / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        podman("build", "--quiet", "--format=docker", "--network=none", "--build-arg",
               f"BASE={base_image()}", "--tag", name, context, timeout=600)  # fmt: skip
    finally:
        shutil.rmtree(context, ignore_errors=True)


def _forget_old_images() -> None:
    """The newest stay; one that is in use stays, too."""
    listed = podman("images", "--sort=created", "--format", "{{.Repository}}:{{.Tag}}",
                    "--filter", f"reference=localhost/{NAME}").split()  # fmt: skip
    for old in listed[KEPT_IMAGES:]:
        podman("rmi", old, check=False)


@contextmanager
def turn() -> Iterator[None]:
    """One at a time on this machine: whoever waits finds the image built."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---------------------------------------------------------------------------------- hosts


def described(scenario: str) -> dict[str, Any]:
    """The hosts of a scenario."""
    path = SCENARIOS / scenario / "hosts.yml"
    if not path.exists():
        known = sorted(found.parent.name for found in SCENARIOS.glob("*/hosts.yml"))
        raise HostsError(f"no scenario '{scenario}'; there are: {' '.join(known)}")
    hosts: dict[str, Any] = yaml.safe_load(path.read_text())
    return hosts


def up(place: Place) -> None:
    """Create the hosts, wait until they answer, write the inventory."""
    began = time.monotonic()
    hosts = described(place.scenario)
    name = build()
    down(place)
    place.inventory.parent.mkdir(parents=True)
    place.directory.chmod(0o700)
    call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", place.prefix, "-f", place.key])
    subnet = _network(place)
    addresses = {host: f"{subnet}.{number}" for number, host in enumerate(hosts, start=11)}
    lines = ["127.0.0.1 localhost", *(f"{address} {host}" for host, address in addresses.items())]
    (place.directory / "hosts").write_text("\n".join(lines) + "\n")
    for host, wanted in hosts.items():  # in this order: what others need comes first
        _create(place, name, host, addresses[host], wanted)
    inventory = {host: _variables(place, host, addresses[host], hosts[host]) for host in hosts}
    text = yaml.safe_dump({"campaign": {"hosts": {
        host: values for host, values in inventory.items() if _has_campaign(hosts[host])}},
        "machines": {"hosts": {
            host: values for host, values in inventory.items() if not _has_campaign(hosts[host])}},
    })  # fmt: skip
    place.inventory.write_text(text)
    for host in hosts:
        _reachable(place, host, addresses[host])
    say(f"{len(hosts)} host(s) of {place.scenario} in {time.monotonic() - began:.1f} s")


def _has_campaign(host: dict[str, Any]) -> bool:
    return "campaign" in host["services"]


def _network(place: Place) -> str:
    """A network of its own, with no way out; gives the first three numbers of its addresses."""
    seed = int(hashlib.sha1(f"{place.prefix}{os.getpid()}".encode()).hexdigest()[:8], 16)
    refused = ""
    for attempt in range(30):
        number = (seed + attempt * 977) % (56 * 256)
        subnet = f"10.{200 + number // 256}.{number % 256}"
        try:
            podman("network", "create", "--internal", "--disable-dns", "--subnet",
                   f"{subnet}.0/24", "--gateway", f"{subnet}.1", place.prefix)  # fmt: skip
            return subnet
        except HostsError as error:
            refused = str(error)
    raise HostsError(f"no free network: {refused}")


def _create(place: Place, name: str, host: str, address: str, wanted: dict[str, Any]) -> None:
    public = place.key.with_suffix(".pub")
    podman(
        "run", "--detach", "--systemd=always", "--name", place.container(host),
        "--hostname", host, "--no-hosts", "--network", place.prefix, "--ip", address,
        "--volume", f"{place.directory / 'hosts'}:/etc/hosts:ro",
        "--memory", wanted.get("memory", MEMORY), "--pids-limit=800",
        "--cap-add", CAPABILITIES, *wanted.get("podman", ()), name,
    )  # fmt: skip
    container = place.container(host)
    _booted(container)
    podman("exec", "--interactive", container, "install", "-o", "operator", "-m", "0600",
           "/dev/stdin", "/home/operator/.ssh/authorized_keys", text=public.read_text())
    podman("exec", "--interactive", container, "host-setup", text=json.dumps(wanted), timeout=180)


def _booted(container: str) -> None:
    """Until systemd has started what it starts by itself."""
    end = time.monotonic() + UP_SECONDS
    while True:
        state = podman("exec", container, "systemctl", "is-system-running", check=False).strip()
        if state in ("running", "degraded"):
            return
        if time.monotonic() > end:
            raise HostsError(f"{container} does not come up: {state or 'no answer'}")
        time.sleep(0.2)


def _variables(place: Place, host: str, address: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """What a site would write for this host: the lab says it, the scenario has the last word."""
    own: dict[str, Any] = {}
    if _has_campaign(wanted):
        answer = podman("exec", place.container(host), "labctl", "inventory")
        (own,) = json.loads(answer)["_meta"]["hostvars"].values()
    return {
        "ansible_host": address,
        "ansible_user": "operator",
        "ansible_ssh_private_key_file": str(place.key),
        "ansible_ssh_common_args": " ".join(ssh_options()),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_become": True,
        **PATIENT,
        **own,
        **wanted.get("variables", {}),
    }


def ssh_options() -> list[str]:
    """For hosts that are new each time."""
    return ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"]  # fmt: skip


def ssh(place: Place, address: str) -> list[str]:
    """How to log in."""
    return ["ssh", *ssh_options(), "-i", str(place.key), f"operator@{address}"]


def _reachable(place: Place, host: str, address: str) -> None:
    end = time.monotonic() + UP_SECONDS
    command = [*ssh(place, address)[:-1], "-o", "ConnectTimeout=5", "-o", "BatchMode=yes",
               f"operator@{address}", "true"]  # fmt: skip
    while True:
        try:
            call(command, timeout=15)
            return
        except HostsError as error:
            if time.monotonic() > end:
                raise HostsError(f"{host} does not answer by SSH: {error}") from None
            time.sleep(0.2)


def down(place: Place) -> None:
    """Remove the hosts and the network, whatever their state."""
    _remove(f"{place.prefix}.", place.prefix)
    shutil.rmtree(place.directory, ignore_errors=True)


def down_run(run: str) -> None:
    """Remove all hosts and networks of a run, also those that it did not come to write down."""
    if not missing():
        _remove(f"{checkout_prefix()}-{run}-", f"{checkout_prefix()}-{run}-*")
    shutil.rmtree(CHECKOUT / "build" / "molecule" / run, ignore_errors=True)


def clean() -> None:
    """Remove what any run of this checkout has left, also one that was killed."""
    if not missing():
        _remove(f"{checkout_prefix()}-", f"{checkout_prefix()}-*")


def _remove(containers: str, networks: str) -> None:
    """Containers whose names begin so, and then networks of such names."""
    for dummy in range(3):  # a container that is going may need a second word
        names = podman("ps", "--all", "--format", "{{.Names}}").split()
        left = [name for name in names if name.startswith(containers)]
        if not left:
            break
        podman("unpause", *left, check=False)
        podman("rm", "--force", "--time=0", "--volumes", *left, check=False)
    for name in podman("network", "ls", "--format", "{{.Name}}").split():
        if fnmatch(name, networks):
            podman("network", "rm", "--force", name)


def places(run: str) -> list[Place]:
    """The scenarios that this run has something of."""
    top = CHECKOUT / "build" / "molecule" / run
    return [Place(path.name, run) for path in sorted(top.glob("*")) if path.is_dir()]


def list_hosts(run: str) -> None:
    """One line a host."""
    for place in places(run):
        if place.inventory.exists():
            groups = yaml.safe_load(place.inventory.read_text())
            for group in groups.values():
                for host, values in group["hosts"].items():
                    login = " ".join(ssh(place, values["ansible_host"]))
                    print(f"{place.scenario}/{host}  {login}")


def say(text: str) -> None:
    print(f"hosts: {text}", flush=True)


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("command", choices=["image", "up", "down", "clean", "list", "missing"])
    parser.add_argument("scenario", nargs="?", default="")
    options = parser.parse_args()
    run = run_name()
    try:
        if options.command == "missing":
            print("\n".join(missing()), end="\n" if missing() else "")
        elif options.command == "image":
            print(build())
        elif options.command == "up":
            up(Place(options.scenario, run))
        elif options.command == "clean":
            clean()
        elif options.command == "list":
            list_hosts(run)
        elif options.scenario:
            down(Place(options.scenario, run))
        else:
            down_run(run)
    except (HostsError, OSError, subprocess.SubprocessError) as error:
        print(f"hosts: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
