"""Where everything of one server is: addresses, ports, paths.

Next to nothing is imported at the top: ``nlserver pdump`` loads this file and has to
answer within milliseconds.
"""

from __future__ import annotations

import os

from campaign_lab.builds import BUILDS, CURRENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence, Tuple

    from campaign_lab.builds import Build

LAB_PASSWORD = "neolane-secret-42"
"""The one password of the lab. It is in every configuration file: tests search for it."""

SHARED_MODULES = ("watchdog", "syslogd", "trackinglogd", "web")
"""Modules that run once a server, under the instance ``default``."""
INSTANCE_MODULES = ("stat", "mta", "inMail", "wfserver")
"""Modules that run once an instance."""
UTILITIES = ("tracking", "export", "import")
"""Processes that come, work and go."""
CHILDREN = ("mtachild", "runwf")
"""Processes of a module's own."""
ROLES = {
    "all": (*SHARED_MODULES, *INSTANCE_MODULES),
    "front": SHARED_MODULES,
    "application": ("watchdog", "syslogd", "web", *INSTANCE_MODULES),
    "mid": ("watchdog", "syslogd", "web", "stat", "mta", "inMail"),
}
"""What starts by itself on a server of each role."""
FRONT = ("front", "redirection")
"""The small web server in front of Tomcat, or what an Apache in front asks about ``/r/``: no
modules of Campaign."""
PROGRAMS = {"front": "apache2", "redirection": "nlsrvmod"}
"""Names of the processes that are no ``nlserver``."""

IMPLEMENTATIONS = {
    "watchdog": "campaign_lab.watchdog:Watchdog",
    "syslogd": "campaign_lab.syslogd:Syslogd",
    "trackinglogd": "campaign_lab.modules.trackinglogd:TrackingLogd",
    "web": "campaign_lab.modules.web:Web",
    "stat": "campaign_lab.modules.stat:Stat",
    "mta": "campaign_lab.modules.mta:Mta",
    "mtachild": "campaign_lab.modules.mta:MtaChild",
    "inMail": "campaign_lab.modules.inmail:InMail",
    "wfserver": "campaign_lab.modules.wfserver:WfServer",
    "runwf": "campaign_lab.modules.wfserver:RunWf",
    "tracking": "campaign_lab.modules.tracking:Tracking",
    "export": "campaign_lab.modules.jobs:Export",
    "import": "campaign_lab.modules.jobs:Import",
    "front": "campaign_lab.modules.frontend:FrontEnd",
    "redirection": "campaign_lab.modules.frontend:Redirection",
}
"""Process name -> where its class is. Each name has a starting script in ``<home>/lib``."""

DOCUMENTED_PORTS = {"front": 80, "http": 8080, "control": 8005, "stat": 7777, "smtp": 25,
                    "pop3": 110}
"""Besides that of syslogd, which depends on the build."""
PEERS = ("address", "smtp_port", "pop3_port")
"""What servers of a lab know of the mail servers."""
SERVER_PORTS = ("syslogd", "front", "http", "control", "stat")
REDIRECTION_PORT = 8082
"""Where an Apache in front asks about ``/r/`` (the lab's own)."""
EVERYWHERE = "0.0.0.0"
UNPRIVILEGED_OFFSET = 10000
"""Added to a port below 1024 where this account may not bind it."""


def default_instance(module: str) -> bool:
    """True if the module runs under the instance ``default``."""
    return module in SHARED_MODULES


def task_name(module: str, instance: str) -> str:
    """The name pdump prints: ``wfserver@prod``; the watchdog has no instance."""
    return module if module == "watchdog" else module + "@" + instance


class Home:
    """The paths of one installation (``…/nl6``)."""

    __slots__ = ("build", "path")

    def __init__(self, path: str, build: str = CURRENT.name) -> None:
        self.path = path
        self.build = BUILDS[build]

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def join(self, *parts: str) -> str:
        """A path below the home."""
        return os.path.join(self.path, *parts)

    @property
    def conf(self) -> str:
        """The directory of the XML files."""
        return self.path + "/conf"

    @property
    def var(self) -> str:
        """The data directory: ``XTK_VAR_DIR`` if customer.sh exports it, else ``<home>/var``."""
        return os.environ.get("XTK_VAR_DIR") or self.path + "/var"

    @property
    def lib(self) -> str:
        """The starting scripts, and ``nlserver``, a link to the Python that runs them."""
        return self.path + "/lib"

    @property
    def lab(self) -> str:
        """What is the lab's own (a real server has no such directory)."""
        return self.path + "/var/.lab"

    @property
    def run(self) -> str:
        """Run records, one file a task."""
        return self.lab + "/run"

    @property
    def faults(self) -> str:
        """Switches of the few faults that cannot be done to the system itself."""
        return self.lab + "/faults"

    @property
    def requests(self) -> str:
        """What ``nlserver start`` asks of the watchdog."""
        return self.lab + "/requests"

    @property
    def tally(self) -> str:
        """A link to the file that counts the processes, if one is configured."""
        return self.lab + "/tally"

    @property
    def pid_file(self) -> str:
        """The watchdog's pid."""
        return self.run + "/nlserver.pid"

    @property
    def sessions(self) -> str:
        """Connected operators, kept by web, read by ``pdump -who``."""
        return self.lab + "/sessions.json"

    def logs(self, instance: str) -> str:
        """The log directory of an instance."""
        return os.path.join(self.var, instance, "log")

    def record(self, module: str, instance: str) -> str:
        """The run record of a task."""
        return "%s/%s@%s.json" % (self.run, module, instance)

    def fault(self, name: str, instance: str = "") -> bool:
        """Is this fault switched on, for all instances or for this one?"""
        base = self.faults + "/" + name
        return os.path.exists(base) or (instance != "" and os.path.exists(base + "@" + instance))


class Server:
    """One server of the lab: what ``lab.json`` and its starting scripts hold."""

    __slots__ = ("address", "home", "installed", "instances", "modules", "name", "outside",
                 "ports", "root", "user")

    def __init__(
        self, name: str, root: str, address: str, instances: List[str], ports: Dict[str, int],
        user: str, outside: Dict[str, Any], home: str = "", modules: Sequence[str] = (),
        installed: bool = False, build: str = CURRENT.name,
    ) -> None:
        self.name = name
        self.root = root
        self.address = address
        self.instances = instances
        self.ports = ports
        """syslogd, front, http, control, stat; redirection if it is installed"""
        self.user = user
        self.outside = outside
        """The peers of the whole lab: {"address", "smtp_port", "pop3_port"}; also "redirection"
        and "stat" if they are elsewhere, and "links": where a redirection of the same lab reads
        published addresses."""
        self.home = Home(home or os.path.join(root, name, "nl6"), build)
        self.modules = list(modules) or [*SHARED_MODULES, *INSTANCE_MODULES]
        """Those that are to start by themselves."""
        self.installed = installed
        """As a package would: the only one of its machine, with an Apache in front, mail servers
        elsewhere, and units of the machine that start it."""

    @property
    def folder(self) -> str:
        """What a site has beside the home: databases, the web server's files."""
        return os.path.dirname(self.home.path)

    @property
    def has_front(self) -> bool:
        """Is there a web server in front? Not where the redirection is another server's."""
        return self.installed or not self.outside.get("redirection")

    @property
    def links_var(self) -> str:
        """The data directory of the server that answers to tracked links."""
        return str(self.outside.get("links") or self.home.var)

    @property
    def shared_memory_key(self) -> int:
        """The key of the tracking segment."""
        import zlib

        return 0x4C000001 | zlib.crc32(self.home.path.encode()) & 0xFFFFF0

    @property
    def semaphore_key(self) -> int:
        """The key of the semaphore that goes with it: the one before, as in life."""
        return self.shared_memory_key - 1

    @property
    def shared_memory_keys(self) -> range:
        """The keys that belong to this server, of segments and of semaphores."""
        return range(self.semaphore_key, self.semaphore_key + 16)

    @property
    def other_device(self) -> str:
        """A folder on another device than the home, for a fault."""
        return "/dev/shm/campaign-%s-%s" % (self.name, self.address)

    @property
    def local(self) -> str:
        """The address at which this machine reaches it."""
        return "127.0.0.1" if self.address == EVERYWHERE else self.address

    @property
    def front_url(self) -> str:
        """The web server in front."""
        port = self.ports["front"]
        host = self.name if self.installed else self.address
        return "http://" + host + ("" if port == 80 else ":%d" % port)

    @property
    def tomcat_url(self) -> str:
        """Tomcat itself."""
        return "http://%s:%d" % (self.local, self.ports["http"])

    def mailbox(self, instance: str) -> str:
        """The POP3 login of an instance's bounce mailbox."""
        return instance if self.installed else self.name + "-" + instance

    def as_json(self) -> Dict[str, Any]:
        """For the state files."""
        return {
            "name": self.name, "root": self.root, "home": self.home.path, "address": self.address,
            "instances": self.instances, "ports": self.ports, "user": self.user,
            "outside": self.outside, "modules": self.modules, "installed": self.installed,
            "build": self.home.build.name,
        }

    @classmethod
    def from_json(cls, data: Dict[str, Any]) -> Server:
        """The reverse of as_json."""
        return cls(data["name"], data["root"], data["address"], data["instances"],
                   data["ports"], data["user"], data["outside"], data["home"],
                   data.get("modules", ()), data.get("installed", False),
                   data.get("build", CURRENT.name))


def documented_ports(names: Tuple[str, ...], build: Build = CURRENT) -> Dict[str, int]:
    """The ports of a build."""
    known = {"syslogd": build.syslogd_port, **DOCUMENTED_PORTS}
    return {name: known[name] for name in names}


def usable_ports(
    address: str, names: Tuple[str, ...], build: Build = CURRENT
) -> Dict[str, int]:
    """The documented ports, moved up by 10000 where this account may not bind them.

    This is the only place that decides it.
    """
    ports = {}
    for name, port in documented_ports(names, build).items():
        ports[name] = port if may_bind(address, port) else port + UNPRIVILEGED_OFFSET
    return ports


def may_bind(address: str, port: int) -> bool:
    """Try it: neither the user id nor a sysctl tells the whole truth (capabilities, containers)."""
    import socket

    if port >= 1024:
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, port))
        except PermissionError:
            return False
        except OSError:  # in use: then someone may
            return True
    return True


def read_json(path: str) -> Any:
    """One JSON file."""
    import json

    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def write_json(path: str, data: Any, mode: int = 0o640) -> None:
    """Replace a JSON file in one step: a reader sees the old one or the new one."""
    import json

    write_text(path, json.dumps(data, indent=1) + "\n", mode)


def write_text(path: str, text: str, mode: Optional[int] = None) -> None:
    """Replace a file in one step."""
    temporary = "%s.%d" % (path, os.getpid())
    with open(temporary, "w", encoding="utf-8") as stream:
        stream.write(text)
    if mode is not None:
        os.chmod(temporary, mode)
    os.rename(temporary, path)
