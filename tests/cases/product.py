"""The product at work on the server of a case: its collectors, its rules, its plan.

The collectors run as they do on a host: begun by root, with a child that becomes the Campaign
account. Given are only the clock, /proc, the accounts, and where addresses lead.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.campaign.remediation.plugins.module_utils._campaign.account import programs
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.errors import (
    InputError,
)
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.host import proc
from ansible_collections.campaign.remediation.plugins.module_utils._campaign.snapshot import (
    collect,
    probes,
)
from ansible_collections.campaign.remediation.plugins.modules import campaign_info
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.diagnose import (
    diagnose,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.records import (
    Diagnosis,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.make import (
    make,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    Policy,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)
from cases import database
from cases.form import CaseError
from cases.healthy import HOME, USER, Server
from cases.wire import Wire
from cases.world import NEWPID, World, apart

NAME = "server1"
PR_SET_PDEATHSIG = 1  # of prctl(2)
SECONDS = 60.0  # of a probe: how fast this machine is, is no part of a case
SHORT_SECONDS = 2.0  # where the case has something that never answers
# Nor is it of a finding.
THRESHOLDS = {"http_slow_seconds": 3600.0}

Json = dict[str, Any]


class Defect(Exception):
    """The product or the harness broke down: the text of it."""


def options(server: Server) -> Json:
    """What the inventory says of the server: the defaults, and what a case's facts ask for."""
    found: Json = {}
    for name, spec in campaign_info.argument_spec().items():
        default = spec.get("default")
        found[name] = list(default) if isinstance(default, list) else default
    never = any(page.error == "timeout" for page in server.given.http.values())
    limit = SHORT_SECONDS if never else SECONDS
    found.update(home=HOME, user=USER, timeout=4 * SECONDS, probe_timeout=limit,
                 api_timeout=limit, state_dir="/run/campaign-state")  # fmt: skip
    if server.given.api is not None:
        instance = next(iter(server.instances), "prod")
        found["api"] = [{
            "instance": instance, "url": None, "host": None, "login": database.LOGIN,
            "password": database.PASSWORD,
        }]  # fmt: skip
    found["mailboxes"] = mailboxes(server)
    found["redirection_urls"] = [
        f"http://{peer.host}:{peer.port or 80}" for peer in server.given.network
        if peer.name == "redirection" and peer.host
    ]  # fmt: skip
    fronts = [unit for unit in server.given.service if unit in ("apache2", "httpd")]
    found["front_service"] = fronts[0] if fronts else ""
    return found


def mailboxes(server: Server) -> list[Json]:
    """What the inventory says of the mailboxes that the case has: their host; and their port only
    where no external account says it.
    """
    accounts = {
        str(row.get("server")).lower() for row in server.given.api or ()
        if row["schema"] == "nms:extAccount"
    }  # fmt: skip
    instance = next(iter(server.instances), "prod")
    default = campaign_info.argument_spec()["mailboxes"]["options"]["port"].get("default")
    found: list[Json] = []
    for peer in server.given.network:
        if peer.name != "mailbox" or not peer.host:
            continue
        known = peer.host.lower() in accounts
        box = {"instance": instance, "host": peer.host, "login": None, "password": None,
               "port": default if known or peer.port is None else peer.port}  # fmt: skip
        if box not in found:
            found.append(box)
    return found


# ----------------------------------------------------------------------------- the snapshot


def snapshot(server: Server, world: World, ports: Mapping[str, int]) -> Json:
    """What the collectors tell, worked out by a process that is the first of its namespace."""
    return in_child(lambda: _collect(server, world, ports))


def _collect(server: Server, world: World, ports: Mapping[str, int]) -> Json:
    given = options(server)
    _settle(server, world, ports)
    before = time.time()
    collect.check_options(given)
    taken: Json = collect.collect(given)
    taken["controller"] = {"before_at": before, "after_at": time.time()}
    return taken


def answer(server: Server, world: World, ports: Mapping[str, int]) -> Json:
    """What the command answers that an operator gave, run by the product as the account."""
    words = (server.given.asked or "").split()
    if words[:1] != ["nlserver"]:
        raise CaseError(f"given.asked: {server.given.asked!r} is no command of nlserver")

    def ask() -> Json:
        given = options(server)
        _settle(server, world, ports)
        context = probes.Context(given, collect.find_account(given), HOME)
        command = [f"{HOME}/bin/nlserver", *words[1:]]
        done: Json = context.ask(lambda at: programs.run(at, command, {}, SECONDS))
        return done

    return in_child(ask)


def _settle(server: Server, world: World, ports: Mapping[str, int]) -> None:
    """Give this process the case's clock, kernel, accounts and network."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.environ.pop("TMPDIR", None)  # of the machine that tests, and not there
    tempfile.tempdir = None
    begun, now = time.monotonic(), server.clock.now
    time.time = lambda: now + time.monotonic() - begun
    proc.PROC = str(world.proc)
    proc.clock_synchronised = lambda: True
    os.getloadavg = lambda: (0.2, 0.2, 0.2)
    names, numbers = pwd.getpwnam, pwd.getpwuid

    def entry(name: str, number: int) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", number, number, name, "/usr/local/neolane", "/bin/sh"))

    def by_name(name: str) -> pwd.struct_passwd:
        number = world.accounts.get(name)
        return names(name) if number is None or name == "root" else entry(name, number)

    def by_number(number: int) -> pwd.struct_passwd:
        known = [name for name in world.accounts if world.accounts[name] == number]
        name = USER if USER in known else next(iter(known), "root")
        return numbers(number) if name == "root" else entry(name, number)

    pwd.getpwnam, pwd.getpwuid = by_name, by_number
    Wire(server, ports).lay()


def with_parent() -> None:
    """This process ends with the one that began it, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def in_child(work: Callable[[], Json]) -> Json:
    """What a child process works out. Raises Defect, InputError, or CaseError, as it did there.

    It has process ids of its own, which begin with 1: none of them is one of the case's.
    """
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            with_parent()
            os.close(reader)
            apart(NEWPID)
            if os.fork():
                # The namespace ends with its first process, which the middle one waits for.
                os.close(writer)
                os.wait()
                os._exit(0)
            with_parent()
            _say(writer, work)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    os.waitpid(middle, 0)
    told: Json = json.loads(said or b'{"defect": "the process of the collectors died"}')
    if "defect" in told:
        raise Defect(told["defect"])
    if "input" in told:
        raise Defect(f"the product refuses its options: {told['input']}")
    if "case" in told:
        raise CaseError(told["case"])
    done: Json = told["done"]
    return done


def _say(writer: int, work: Callable[[], Json]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        told: Json = {"done": work()}
    except InputError as error:
        told = {"input": str(error)}
    except CaseError as error:
        told = {"case": str(error)}
    except BaseException:
        told = {"defect": traceback.format_exc()}
    data = json.dumps(told).encode()
    while data:
        data = data[os.write(writer, data):]
    sys.stdout.flush()
    os._exit(0)


# ------------------------------------------------------------------- diagnosis and plan


def judged(taken: Json) -> Json:
    """The diagnosis."""
    return diagnose(taken, NAME, thresholds=Thresholds.of(THRESHOLDS)).as_dict()


def planned(diagnosis: Json, now: float) -> Json:
    """The host's part of the plan, by the policy that a site has by default."""
    plan = make(
        [Diagnosis.of(diagnosis)], {NAME: Policy()}, now=now, run="case", collection="0",
        work={NAME: ()},
    )
    return plan.hosts[0].as_dict()


def orders_given(calls: Path) -> list[str]:
    """The commands that a diagnosis must not give, and gave."""
    return calls.read_text(encoding="utf-8").splitlines()
