"""``labctl``: brings the lab up and down, shows it, breaks and heals it."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
import time

from campaign_lab import account, install, leftovers, process, server as servers
from campaign_lab.builds import BUILDS, CURRENT
from campaign_lab.config import Config, ConfigError
from campaign_lab.database import POSTGRESQL, DatabaseError, Target, drop
from campaign_lab.lab import Lab, default_root
from campaign_lab.layout import FRONT, ROLES, Server, task_name
from campaign_lab.outside import OutsideError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional, Sequence, Tuple

DEFAULT_SERVER = "app1"
DEFAULT_INSTANCE = "prod"
FRONT_SECONDS = 30.0
DELETED_SECONDS = 5.0
UP_SECONDS, SERVER_SECONDS = 30.0, 10.0
"""How long a start may take on a slow and busy machine: for the lab, and for each server."""


class UsageError(Exception):
    """One line for the person at labctl."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    # SUPPRESS: a --root before the command is not undone by the command's own default.
    root = argparse.ArgumentParser(add_help=False)
    root.add_argument("--root", default=argparse.SUPPRESS, metavar="DIR",
                      help="directory of the lab (default: $CAMPAIGN_LAB_ROOT or .lab)")
    main_parser = argparse.ArgumentParser(
        prog="labctl", description="A stand-in for Adobe Campaign Classic servers.",
        parents=[root])
    commands = main_parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[root])

    up = command("up", "create and start servers")
    up.add_argument("--server", action="append", default=[], metavar="NAME",
                    help="a server (several allowed; default: those of the lab, or app1)")
    up.add_argument("--instance", action="append", default=[], metavar="NAME",
                    help="an instance of each server (several allowed; default: prod)")
    up.add_argument("--database", default="", metavar="URL",
                    help="PostgreSQL for instances that are new: "
                         "postgresql://account:password@host:port/database (default: SQLite)")
    up.add_argument("--account", default="", metavar="NAME",
                    help="whom the servers run as, for root (default: the owner of the checkout, "
                         "else %s, which is made)" % account.NAME)
    up.add_argument("--build", default="", choices=list(BUILDS),
                    help="the build of servers that are new (default: %s)" % CURRENT.name)
    up.add_argument("--role", default="", choices=list(ROLES),
                    help="what runs on servers that are new (default: all)")
    up.add_argument("--front", default="", metavar="NAME",
                    help="the server of the lab that tracks for a new application server")
    down = command("down", "stop everything")
    down.add_argument("--purge", action="store_true", help="remove the files, too")
    command("status", "show servers, modules and ports")
    command("root", "print the directory of the lab")
    command("inventory", "print the inventory for Ansible (JSON)")
    install.add_options(command("install", "install one server as a package would, for root"))
    front = command("front", "start or stop the web server in front, as its unit would")
    front.add_argument("action", choices=["start", "stop"])
    front.add_argument("--server", default="", metavar="NAME")
    command("faults", "list the faults that break knows")
    for name, text in (("break", "break something"), ("heal", "undo a fault (default: all)")):
        fault = command(name, text)
        fault.add_argument("fault", metavar="FAULT", nargs=None if name == "break" else "?")
        fault.add_argument("--server", default="", metavar="NAME")
        fault.add_argument("--instance", default="", metavar="NAME")
        fault.add_argument("--module", default="", metavar="NAME",
                           help="for a fault that can hit any module")
        if name == "heal":
            fault.add_argument("--all", action="store_true", help="every fault (the default)")
    return main_parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Entry of labctl; gives the exit code."""
    options = parser().parse_args(arguments)
    root = getattr(options, "root", None) or default_root()
    try:
        if options.command == "install":
            install.install(options, getattr(options, "root", ""))
            return 0
        if options.command in ("status", "inventory", "faults", "root"):
            return COMMANDS[options.command](Lab(root), options)
        # Only what is done to one named server leaves the others free for another labctl.
        alone = options.command in ("break", "heal") and options.server
        with locked(root, create=options.command == "up", server=alone or ""):
            lab = Lab(root)
            if options.command != "up" and lab.account:
                act_as(lab.account, options.command)
            return COMMANDS[options.command](lab, options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except (UsageError, ConfigError, servers.ServerError, OutsideError, DatabaseError,
            RuntimeError, ValueError, OSError) as error:
        print("labctl: %s" % error, file=sys.stderr)
        return 1


def act_as(name: str, command: str) -> None:
    """Act as the servers' account; a lab whose account is gone can still be taken down."""
    try:
        account.act_as(name)
    except account.AccountError:
        if command != "down":
            raise


@contextlib.contextmanager
def locked(root: str, create: bool, server: str = "") -> Iterator[None]:
    """One labctl at a time changes a lab, or one of its servers."""
    if create:
        os.makedirs(root, exist_ok=True)
    elif not os.path.isdir(root):
        yield
        return
    with contextlib.ExitStack() as locks:
        _lock(locks, os.path.join(root, ".lock"), fcntl.LOCK_SH if server else fcntl.LOCK_EX)
        if server and os.path.isdir(os.path.join(root, server)):
            _lock(locks, os.path.join(root, server, ".lock"), fcntl.LOCK_EX)
        yield


def _lock(locks: contextlib.ExitStack, path: str, kind: int) -> None:
    """Hold a lock until the stack is left."""
    stream = open(path, "w", encoding="ascii")  # noqa: SIM115
    fcntl.flock(locks.enter_context(stream), kind)


# ------------------------------------------------------------------------------- up, down


def up(lab: Lab, options: argparse.Namespace) -> int:
    """Create and start servers; comes back when all of them work."""
    began = time.monotonic()
    check_names(options.server + options.instance)
    if options.database:
        Target.of_url(options.database, "")
    open_folder(lab)
    account.act_as(account.choose(lab.root, options.account, lab.account))
    account.check_reach(lab.root)
    names = options.server or list(lab.servers) or [DEFAULT_SERVER]
    chosen = [declare(lab, name, options) for name in dict.fromkeys(names)]
    end_deleted(lab)
    lab.save()
    python = account.python()
    servers.install_sources(lab, python)
    servers.install_python(lab, python)
    if options.database or on_postgresql(chosen):
        servers.install_driver(lab, python)
    for server in chosen:
        servers.create(lab, server, python, options.database)
    servers.outside(chosen[0]).start()
    for server in chosen:
        servers.begin(server)
    deadline = time.monotonic() + UP_SECONDS + SERVER_SECONDS * len(chosen)
    for server in chosen:
        servers.wait_until_up(server, deadline)
        print("%s is up: %s, instances %s, %s" % (
            server.name, server.address, " ".join(server.instances), server.home))
    print("%d server(s) in %.1f s" % (len(chosen), time.monotonic() - began))
    return 0


def open_folder(lab: Lab) -> None:
    """From here on it is a lab's folder; root's is open to the account of the servers."""
    if not os.path.exists(lab.state_path):
        lab.save()
    if os.geteuid() == 0:
        os.chmod(lab.root, os.stat(lab.root).st_mode | 0o111)


def end_deleted(lab: Lab) -> None:
    """What is left of a lab that was here, deleted a moment ago, holds the ports."""
    deadline = time.monotonic() + DELETED_SECONDS
    with account.privileged():
        while any(leftovers.left_behind(lab.root)) and time.monotonic() < deadline:
            leftovers.end_all(lab.root, ())
            time.sleep(0.03)


def on_postgresql(chosen: List[Server]) -> bool:
    """Does an instance that is there already use PostgreSQL?"""
    return any(target.provider == POSTGRESQL for server in chosen
               if os.path.exists(server.home.conf + "/serverConf.xml")
               for target in servers.databases(server))


def declare(lab: Lab, name: str, options: argparse.Namespace) -> Server:
    """The server of this name, with these instances at least."""
    instances, build, role = options.instance, options.build, options.role
    server = lab.servers.get(name)
    if server is None:
        return lab.new_server(name, list(dict.fromkeys(instances or [DEFAULT_INSTANCE])),
                              build or CURRENT.name, role or "all", front_of(lab, options))
    if build and build != server.home.build.name:
        raise UsageError("%s is of build '%s', and stays so" % (name, server.home.build.name))
    if role and set(ROLES[role]) != set(server.modules):
        raise UsageError("%s has another role, and keeps it" % name)
    server.instances += [instance for instance in dict.fromkeys(instances)
                         if instance not in server.instances]
    return server


def front_of(lab: Lab, options: argparse.Namespace) -> Optional[Server]:
    """The server that tracks for an application server; the others do so themselves."""
    found = lab.servers.get(options.front)
    if (options.role == "application") != bool(options.front):
        raise UsageError("--role application needs --front, and nothing else does")
    if options.front and not (found and found.has_front and "trackinglogd" in found.modules):
        raise UsageError("'%s' is no server of this lab that tracks" % options.front)
    return found


def check_names(names: List[str]) -> None:
    """Names become file names and parts of a command line."""
    for name in names:
        if not name.replace("-", "").replace("_", "").isalnum() or name == "default":
            raise UsageError("'%s' is no name for a server or an instance" % name)


def down(lab: Lab, options: argparse.Namespace) -> int:
    """Heal, then stop everything; with --purge remove the files."""
    for server in lab.servers.values():
        heal_quietly(server)
        servers.end(server, at_once=options.purge)
        with account.privileged():
            servers.unmount_below(server.home.path)
        if options.purge:
            drop_databases(server)
        print("%s is down" % server.name)
    if lab.servers:
        servers.outside(next(iter(lab.servers.values()))).stop()
    elif not options.purge:
        print("no lab at %s" % lab.root)
    if not options.purge:
        return 0
    with account.privileged():
        if os.path.exists(lab.state_path):
            servers.purge(lab)
            print("%s removed" % lab.root)
        account.release(lab.root)
    return 0


def drop_databases(server: Server) -> None:
    """Remove what is not below the lab's directory; what cannot be reached is left, and named."""
    try:
        for target in servers.databases(server):
            drop(target)
    except (DatabaseError, ConfigError) as error:
        print("labctl: %s: database left: %s" % (server.name, error), file=sys.stderr)


def heal_quietly(server: Server) -> None:
    """Undo all faults. A lab too broken for that is taken down all the same."""
    try:
        from campaign_lab import faults

        faults.heal(None, server, "")
    except Exception as error:
        print("labctl: %s: not all healed: %s" % (server.name, error), file=sys.stderr)


# -------------------------------------------------------------------------- status, inventory


def status(lab: Lab, _options: argparse.Namespace) -> int:
    """A table; the exit code is 1 if something that should run does not."""
    complete = True
    for server in existing(lab):
        ports = "  ".join("%s %d" % item for item in sorted(server.ports.items()))
        print("%s  %s  %s\n  ports: %s" % (server.name, server.address, server.home, ports))
        for name, state, pid, memory in states(server):
            complete = complete and state in ("running", "stopped by hand", "off")
            print("  %-24s %-16s %8s %9s" % (name, state, pid or "-", memory))
    if not server.installed:
        peers = servers.outside(server).pid
        print("outside (mail)  %s" % ("pid %d" % peers if peers else "not running"))
        complete = complete and bool(peers)
    return 0 if complete else 1


def states(server: Server) -> Iterator[Tuple[str, str, int, str]]:
    """Each task: name, state, pid, memory."""
    home = server.home
    expected: Dict[str, str] = {"watchdog": "missing"}
    if server.has_front:
        expected["redirection" if server.installed else "front"] = "missing"
    try:
        for settings in Config(home).tasks():
            by_hand = process.wanted(home, settings.module, settings.instance) == "stopped"
            state = "stopped by hand" if by_hand else "missing"
            expected[task_name(settings.module, settings.instance)] = (
                state if settings.auto_start else "off")
    except ConfigError as error:
        print("  %s" % error)
    alive = [task for task in process.recorded(home)
             if process.alive(home, task.module, task.pid)]
    for task in alive:
        name = task.module if task.module in FRONT else task_name(task.module, task.instance)
        expected.pop(name, None)
        yield name, process_state(task.pid), task.pid, "%.1f MB" % task.memory_mb
    for name, state in expected.items():
        yield name, state, 0, ""


def process_state(pid: int) -> str:
    """``running``, or what else the kernel says of it."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            letter = stream.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return "gone"
    return {"T": "halted", "t": "halted", "D": "disk wait"}.get(letter, "running")


def inventory(lab: Lab, _options: argparse.Namespace) -> int:
    """The lab as Ansible sees it."""
    from campaign_lab.inventory import inventory as build

    existing(lab)
    print(json.dumps(build(lab), indent=1))
    return 0


def show_root(lab: Lab, _options: argparse.Namespace) -> int:
    """Where the lab is, or would be."""
    print(lab.root)
    return 0


# ------------------------------------------------------------------------------------ faults


def list_faults(_lab: Lab, _options: argparse.Namespace) -> int:
    """Name, scope and description of each fault."""
    from campaign_lab import faults

    for name, scope, text in faults.names():
        print("%-26s %-10s %s" % (name, scope, text))
    return 0


def front(lab: Lab, options: argparse.Namespace) -> int:
    """Start or stop the web server in front; no word if it is so already."""
    server = chosen_server(lab, options)
    if not server.has_front:
        raise UsageError("%s has no web server in front" % server.name)
    act = servers.start_front if options.action == "start" else servers.stop_front
    act(server, time.monotonic() + FRONT_SECONDS)
    return 0


def break_fault(lab: Lab, options: argparse.Namespace) -> int:
    """Break one thing, and say what was done."""
    server = chosen_server(lab, options)
    from campaign_lab import faults

    for line in faults.break_(options.fault, server, options.instance, options.module):
        print(line)
    return 0


def heal_fault(lab: Lab, options: argparse.Namespace) -> int:
    """Undo one fault or all."""
    targets = [chosen_server(lab, options)] if options.server else existing(lab)
    from campaign_lab import faults

    for server in targets:
        spec = None if options.all else options.fault
        for line in faults.heal(spec, server, options.instance, options.module):
            print(line)
    return 0


def existing(lab: Lab) -> List[Server]:
    """The servers; a clear word if there is none."""
    if not lab.servers:
        raise UsageError("no lab at %s; bring one up with: labctl up" % lab.root)
    return list(lab.servers.values())


def chosen_server(lab: Lab, options: argparse.Namespace) -> Server:
    """The named server, else the first."""
    found = existing(lab)
    if not options.server:
        return found[0]
    if options.server not in lab.servers:
        raise UsageError("no server '%s'; there are: %s" % (options.server,
                                                            " ".join(lab.servers)))
    return lab.servers[options.server]


COMMANDS = {
    "up": up, "down": down, "status": status, "inventory": inventory, "faults": list_faults,
    "root": show_root,
    "front": front, "break": break_fault, "heal": heal_fault,
}
