# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the probes share, and those that look at the machine from outside. Nothing here judges."""

import os
import time
from functools import partial

from .. import command
from ..account import child
from ..addresses import split_address
from ..errors import ProbeError
from ..host import front, ipc, network, proc, services
from ..installation import Installation
from ..names import DEFAULT, LEDGER_LISTS, STAT_PORT, SYSLOGD_PORTS
from ..record.state_dir import default_state_dir
from ..text import clean
from . import settled

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

    from ..account import probes as account_probes
    from ..account.child import Account, Channel, Child

    Entry = Dict[str, Any]
    Server = account_probes.Server

GRACE = 0.15  # reserved for the answer itself, out of the total time
RELAYS = 20  # that are checked for one mta
API_GRACE = 0.5  # for the API's probe, to return what it got before its time-out
NO_CREDENTIALS = (
    "campaign_api has no credentials, so workflows, deliveries, jobs and operators in the database"
    " are not checked"
)


def prepare() -> None:
    """Import what a child may be unable to import once it is the account."""
    import encodings.iso8859_15  # noqa: F401 (see text.decode)

    from ..account import probes  # noqa: F401


class Context(Installation):
    """The options, the account, its child's answers, and cached values."""

    def __init__(self, options: "Entry", account: "Account", home: "Optional[str]" = None) -> None:
        super().__init__()
        self.options = options
        self.account = account
        self.home = home or os.path.realpath(options["home"])
        self.now = time.time()
        self.runner = command.Runner()
        self.once = command.Once()
        self.environment: "Dict[str, Optional[str]]" = {"var_dir": None, "tmp_dir": None, "jdk_home": None}
        self.limit: float = options["probe_timeout"]
        self.end = time.monotonic() + 3600  # when all of it must be over
        self.child_pid: "Optional[int]" = None  # of who works as the account beside this process

    def seconds_for(self, probe: str) -> float:
        """How long a probe may take: the API has its own limit."""
        own: float = self.options["api_timeout"] + API_GRACE
        return own if probe == "api" else self.limit

    # ------------------------------------------------------------------ what is where

    @property
    def var_dir(self) -> str:
        return self.environment["var_dir"] or os.path.join(self.home, "var")

    @property
    def tmp_dir(self) -> str:
        return self.environment["tmp_dir"] or "/tmp"

    @property
    def front_url(self) -> str:
        url: "Optional[str]" = self.options["front_url"]
        return "http://%s" % self.options["address"] if url is None else url.rstrip("/")

    @property
    def tomcat_url(self) -> str:
        port = self.settings("web").get("http_port") or 8080
        url: str = self.options["tomcat_url"] or "http://%s:%d" % (self.options["address"], port)
        return url.rstrip("/")

    @property
    def tomcat_known(self) -> bool:
        """Is it known where Tomcat should listen?"""
        known = self.settings("web").get("http_port", 8080)
        return bool(self.options["tomcat_url"]) or known is not None

    def expected_ports(self) -> "Dict[str, int]":
        """The ports that the configuration and the caller say."""
        web = self.settings("web")
        ports = {
            "syslogd": self.configuration.get("syslogd_port", SYSLOGD_PORTS[0]),
            "web": web.get("http_port", 8080),
            "web_control": web.get("control_port", 8005),
        }
        for instance, settings in self.per_instance("stat"):
            ports["stat@" + instance] = settings.get("port", STAT_PORT)
        if self.front_url:
            ports["front"] = network.split_url(self.front_url)[2]
        return dict((name, ports[name]) for name in ports if ports[name])  # None: unknown

    def interesting_ports(self) -> "Set[int]":
        """Those, the ones that syslogd and a web server may hold instead, and Tomcat's."""
        ports = {80, 443, network.split_url(self.tomcat_url)[2]}
        ports.update(SYSLOGD_PORTS)
        ports.update(self.expected_ports().values())
        return set(port for port in ports if port)

    # ------------------------------------------------------------ values for several probes

    def table(self) -> proc.Table:
        return self.once.get("table", lambda: proc.scan(self.home))

    def processes(self) -> "Dict[str, List[Entry]]":
        return self.once.get("processes", self._processes)

    def _processes(self) -> "Dict[str, List[Entry]]":
        groups = proc.processes(self.table(), self.child_pid)
        remaining = self.end - GRACE - time.monotonic()
        proc.look_again(groups["modules"], min(proc.DISK_SECONDS, remaining))
        return groups

    def listening(self, proto: str, *expected: "Tuple[str, int]") -> "List[Entry]":
        """The sockets on ports of interest.

        Where one is missing at an expected (address, port), the table is read several times more:
        the kernel may have left it out.
        """
        found = self.once.get("listening " + proto, lambda: self._listening(proto, 1))
        if not proc.held(found, expected):
            found = self.once.get(
                "listening again " + proto, lambda: self._listening(proto, proc.READINGS)
            )
        return found

    def _listening(self, proto: str, readings: int) -> "List[Entry]":
        ports = set(self.interesting_ports())
        for dummy, settings in self.per_instance("mta"):
            if settings.get("stat_address"):
                ports.add(split_address(settings["stat_address"], STAT_PORT)[1] or STAT_PORT)
        return proc.listening(proto, ports, readings)

    def logon_page(self) -> "Entry":
        """Tomcat's logon page, as a check of the probe http."""
        network.require(self.tomcat_url, "tomcat_url")
        url = self.tomcat_url + "/nl/jsp/logon.jsp"
        limit = self.limit * 0.85
        return self.once.get("logon", lambda: network.check("tomcat_logon", url, limit))

    # ------------------------------------------------------------------- the account's part

    def ask(
        self,
        function: "Callable[[Server], Any]",
        seconds: "Optional[float]" = None,
        shape: "Any" = None,
        ready: bool = True,
    ) -> "Any":
        """What function(server) returns, worked out by a child that is the account: server is the
        installation as the account sees it, with its environment read (ready).
        """
        from ..account import probes as account_probes

        def work() -> "Any":
            server = account_probes.Server(self.options, self.account)
            if ready:
                account_probes.ready(server)
            return function(server)

        seconds = (self.limit if seconds is None else seconds) + self.limit + 1.0
        return child.ask(self.account, work, seconds, shape, prepare)

    def begin(
        self, function: "Callable[[Channel, Server], object]", keep: "Iterable[int]" = ()
    ) -> "Child":
        """A child that is the account and does function(channel, server)."""
        from ..account import probes as account_probes

        def work(channel: "Channel") -> None:
            server = account_probes.Server(self.options, self.account)
            account_probes.ready(server)
            function(channel, server)

        return child.begin(self.account, work, prepare, keep)

    def nlserver(self, *arguments: str) -> "Tuple[int, str, str]":
        """The output of a read-only nlserver command; both texts when it failed."""
        return tuple(self.ask(lambda server: server.nlserver(*arguments)))

    def service(self) -> "Entry":
        return self.once.get(
            "service", lambda: services.read_service(self.options, self.runner, self.limit)
        )


# ------------------------------------------------------------------------------ probes


def probe_processes(context: Context) -> "Dict[str, List[Entry]]":
    return context.processes()


def probe_sockets(context: Context) -> "Entry":
    own = set(status.pid for status in context.table().own)
    address = context.options["address"]
    expected = context.expected_ports()
    bound = [expected[name] for name in expected if name.partition("@")[0] in ("syslogd", "stat")]
    found = context.listening("udp", *((address, port) for port in bound))
    if "web" in expected and context.logon_page()["status"] != 200:  # who holds web's port?
        found = found + context.listening("tcp", (address, expected["web"]))
    return {"listening": proc.sockets(found, context.interesting_ports(), address, own)}


def probe_shared_memory(context: Context) -> "Entry":
    keys = set(int(key, 0) & 0xFFFFFFFF for key in context.options["shared_memory_keys"])
    return ipc.shared_memory(context.account.uid, keys)


def probe_machine(context: Context) -> "Entry":
    return proc.machine(context.table())


def probe_service(context: Context) -> "Entry":
    """The units, how the server is started, and the front-end web server."""

    def complete_with(data: "Entry") -> "Entry":
        return dict(data, starts_by=None, web_server=front.look(context.table().fronts))

    try:
        data = complete_with(context.service())
    except ProbeError as error:
        if error.data is None:
            raise
        raise ProbeError(error.kind, error.message, complete_with(error.data)) from None
    try:
        data["starts_by"] = services.way(
            context.options, context.home, context.runner, context.limit, data
        )
    except services.NotRoots:
        pass  # the caller that starts it gets the reason
    return data


def probe_http(context: Context) -> "Entry":
    front, tomcat = context.front_url, context.tomcat_url
    # A GET is not a SOAP call: it opens no session and leaves nothing in logins.log.
    checks, functions = [], []
    if context.tomcat_known:
        checks.append(("soap_session", tomcat + "/nl/jsp/soaprouter.jsp"))
        functions.append(context.logon_page)
    if front:
        network.require(front, "front_url")
        checks.append(("front_test", front + "/r/test"))
        checks.append(("front_logon", front + "/nl/jsp/logon.jsp"))
    limit = context.limit * 0.9
    functions.extend(partial(network.check, name, url, limit * 0.95) for name, url in checks)
    calls = command.side_by_side(functions, limit)
    return {"checks": [call.value for call in calls if call.value]}


def probe_network(context: Context) -> "Entry":
    limit = context.limit * 0.9
    wanted = []

    def want(
        name: str,
        instance: str,
        host: str,
        port: "Optional[int]",
        proto: str,
        conversation: "network.Talk",
    ) -> None:
        wanted.append((name, instance, host, port or 0, proto, conversation, limit * 0.95))

    for instance, settings in context.per_instance("mta"):
        if settings.get("stat_address"):
            host, port = split_address(settings["stat_address"], STAT_PORT)
            talk = network.local_udp(lambda port: context.listening("udp", port))
            want("stat", instance, host, port, "udp", talk)
        if settings.get("relay_host"):
            for relay in settings["relay_host"].split(",")[:RELAYS]:
                host, port = split_address(relay, settings.get("relay_port") or 25)
                want("relay", instance, host, port, "tcp", network.smtp)
    for source in context.configuration["databases"]:
        endpoint = network.database(source["server"], source["provider"])
        if endpoint and source["instance"] in context.instances:
            want("database", source["instance"], endpoint[0], endpoint[1], "tcp", network.tcp)
    for mailbox in context.options["mailboxes"]:
        port = mailbox["port"]
        talks = network.pop3 if port else network.mailbox
        talk = talks(mailbox.get("login"), mailbox.get("password"))
        if mailbox["instance"] in context.instances:
            port = port or network.POP3
            want("mailbox", mailbox["instance"], mailbox["host"], port, "tcp", talk)
    for url in context.options["redirection_urls"]:
        network.require(url, "redirection_urls")
        dummy, host, port, dummy = network.split_url(url)
        want("redirection", DEFAULT, host, port, "tcp", network.redirection(url))
    calls = command.side_by_side([partial(network.target, *one) for one in wanted], limit)
    targets = []
    for asked, call in zip(wanted, calls):
        entry = call.value or {
            "name": asked[0],
            "instance": asked[1],
            "host": clean(asked[2], 200),
            "port": asked[3],
            "proto": asked[4],
            "resolved": None,
            "reachable": None if asked[4] == "udp" else False,
            "error": "timeout",
            "seconds": round(limit, 3),
            "detail": {},
        }
        targets.append(entry)
    return {"targets": targets}


def probe_ledger(context: Context) -> "Dict[str, List[Entry]]":
    """Read as who runs this: see record/store.py."""
    path = context.options["state_dir"] or default_state_dir(context.home)
    if not os.path.lexists(path):
        return dict((name, []) for name in LEDGER_LISTS)
    # Here and not above: on most hosts nothing was repaired yet, and to compile it takes longer
    # than all the rest of this probe.
    from ..record import ledger, lock, pause

    store = ledger.Store(path)
    try:
        holder = lock.read(store)
        running = holder if holder and lock.at_work(store, holder, context.now) else None
        book = ledger.Ledger(store)
        lines = book.last_lines()
        paused = pause.look(store, context.now)
    except ledger.StoreError as error:
        raise ProbeError("failed", str(error)) from None
    window = 60.0 * context.options["log_window"]
    step = running is not None and lock.step_lives(running)
    return ledger.summary(lines, context.now, window, running, step, paused, book.cut)


def probe_api(context: Context) -> "Entry":
    """Imported late: a host without credentials does not pay for the client."""
    if not context.options["api"]:
        raise ProbeError("skipped", NO_CREDENTIALS)
    if context.options["api_from"] == "controller":
        raise ProbeError("skipped", "queried from the controller instead")
    end = min(context.end - GRACE, time.monotonic() + context.options["api_timeout"])
    from ..api import api

    remaining = max(0.5, end - time.monotonic())
    return api.collect(context.options, context.instances, context.tomcat_url, remaining)


TABLE = {
    "processes": probe_processes,
    "sockets": probe_sockets,
    "shared_memory": probe_shared_memory,
    "machine": probe_machine,
    "service": probe_service,
    "http": probe_http,
    "network": probe_network,
    "ledger": probe_ledger,
    "api": probe_api,
}
NEED_NO_CONFIGURATION = ("machine", "service", "shared_memory", "processes", "ledger")


# ------------------------------------------------------- what the account tells, completed


def complete(context: Context, found: "Entry") -> None:
    """What only the machine knows: does the process that a pid file names run, do jobs?"""

    def data(name: str) -> "Entry":
        return (found.get(name) or {}).get("data") or {}

    if data("processes"):
        settled.judge_precision(context, data("processes"))
    if data("storage").get("pid_file"):
        data("storage")["pid_file"].update(proc.watchdog(data("storage")["pid_file"]["pid"]))
    if data("jobs").get("jobs"):
        try:
            running = context.processes()["modules"]
        except ProbeError:
            running = []
        complete_jobs(data("jobs")["jobs"], context.options["jobs"], running)


def complete_jobs(
    entries: "List[Entry]", declared: "List[Entry]", processes: "List[Entry]"
) -> None:
    """Whether the declared jobs run."""
    for entry in entries:
        same = [
            job for job in declared
            if (job["kind"], job["instance"]) == (entry["kind"], entry["instance"])
        ]
        job = next((job for job in same if job["name"] == entry["name"]), None)
        complete_job(entry, job and proc.runs(job, processes, len(same) == 1))


def complete_job(entry: "Entry", running: "Optional[Entry]") -> None:
    """A job that runs has no end yet."""
    entry["running"] = running
    if running:
        entry["last_end_at"] = None
