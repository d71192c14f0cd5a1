"""The XML configuration of a server: written when it is created, read by every module.

Read with expat itself: it says the line of an error, and costs a third of ElementTree's
start-up time.
"""

from __future__ import annotations

import os

from campaign_lab.layout import INSTANCE_MODULES, LAB_PASSWORD, SHARED_MODULES, UTILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Tuple

    from campaign_lab.layout import Home, Server

RUN_LEVELS = {"watchdog": 0, "syslogd": 0, "stat": 5, "trackinglogd": 5, "web": 10, "mta": 10,
              "inMail": 10, "wfserver": 10, "tracking": 10, "export": 10, "import": 10}
RESTART_TIME = "06:00:00"
MEMORY_WARNING_MB = 1600
MEMORY_ALERT_MB = 1800


class ConfigError(Exception):
    """A configuration file that cannot be used."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__("%s, line %d: %s" % (path, line, message))
        self.path = path
        self.line = line
        self.message = message


class Document:
    """One parsed file: every element as (path below the root, attributes), in file order."""

    def __init__(self, path: str) -> None:
        import pyexpat

        self.path = path
        self.elements: List[Tuple[str, Dict[str, str]]] = []
        open_tags: List[str] = []

        def start(tag: str, attributes: Dict[str, str]) -> None:
            open_tags.append(tag)
            self.elements.append(("/".join(open_tags[1:]), attributes))

        def end(_tag: str) -> None:
            open_tags.pop()

        parser = pyexpat.ParserCreate()
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        try:
            with open(path, "rb") as stream:
                parser.ParseFile(stream)
        except pyexpat.ExpatError as error:
            raise ConfigError(path, error.lineno, pyexpat.ErrorString(error.code)) from None
        except OSError as error:
            raise ConfigError(path, 0, error.strerror or str(error)) from None

    def all(self, path: str) -> Iterator[Dict[str, str]]:
        """The attributes of each element at this path (``shared/dataStore/dataSource``)."""
        return (attributes for where, attributes in self.elements if where == path)


class Settings:
    """What is configured for one module of one instance."""

    __slots__ = ("attributes", "instance", "module")

    def __init__(self, module: str, instance: str, attributes: Dict[str, str]) -> None:
        self.module = module
        self.instance = instance
        self.attributes = attributes
        """The merged attributes of the module's element, as written."""

    def get(self, name: str, default: str = "") -> str:
        """An attribute as written."""
        return self.attributes.get(name, default)

    def number(self, name: str, default: int) -> int:
        """An attribute as a number; the default if it is absent or no number."""
        try:
            return int(self.attributes[name])
        except (KeyError, ValueError):
            return default

    @property
    def auto_start(self) -> bool:
        """Does the watchdog start it?"""
        return self.get("autoStart") == "true"

    @property
    def run_level(self) -> int:
        """Low ones start first and stop last."""
        return self.number("runLevel", RUN_LEVELS.get(self.module, 10))

    @property
    def args(self) -> List[str]:
        """Arguments that the watchdog adds to the command line."""
        return self.get("args").split()

    @property
    def restart_time(self) -> str:
        """HH:MM:SS (local time) of the daily restart; empty: none."""
        return self.get("processRestartTime", RESTART_TIME)


class Config:
    """serverConf.xml and the config-<instance>.xml files of one home."""

    def __init__(self, home: Home) -> None:
        """Read all of it. Raises ConfigError (file, line, message)."""
        self.home = home
        self.server = Document(home.conf + "/serverConf.xml")
        self.files: Dict[str, Document] = {}
        """Instance -> its own file; ``default`` among them."""
        for instance in instances(home):
            self.files[instance] = Document("%s/config-%s.xml" % (home.conf, instance))

    @property
    def instances(self) -> List[str]:
        """The instances besides ``default``."""
        return [name for name in self.files if name != "default"]

    def attributes(self, path: str, instance: str = "default") -> Dict[str, str]:
        """The first element at this path, the instance's values over serverConf.xml's."""
        merged: Dict[str, str] = {}
        for document in (self.server, self.files.get(instance)):
            if document is not None:
                merged.update(next(document.all(path), {}))
        return merged

    def settings(self, module: str, instance: str = "default") -> Settings:
        """The settings of a module, for one instance."""
        return Settings(module, instance, self.attributes(module, instance))

    def tasks(self) -> List[Settings]:
        """Every permanent (module, instance) that can exist, by run level."""
        found = [self.settings(module) for module in SHARED_MODULES if module != "watchdog"]
        for instance in self.instances:
            found += [self.settings(module, instance) for module in INSTANCE_MODULES]
        return sorted(found, key=lambda settings: settings.run_level)

    def database(self, instance: str) -> Dict[str, Any]:
        """The attributes of the instance's dbcnx (provider, server, login, password)."""
        return self.attributes("shared/dataStore/dataSource/dbcnx", instance)


def instances(home: Home) -> List[str]:
    """``default`` and every instance with a config file, without reading them."""
    try:
        names = os.listdir(home.conf)
    except OSError as error:
        raise ConfigError(home.conf, 0, error.strerror or str(error)) from None
    found = sorted(name[len("config-"):-len(".xml")] for name in names
                   if name.startswith("config-") and name.endswith(".xml"))
    return ["default"] + [name for name in found if name != "default"]


# ------------------------------------------------------------------------------ writing

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<serverconf>\n  <shared>\n'
DATA_STORE = """\
    <dataStore hosts="{hosts},{hosts}.*" lang="en_US">
      <mapping logical="*" physical="default"/>
{source}    </dataStore>
  </shared>
"""


def element(indent: int, tag: str, attributes: Dict[str, Any], content: str = "") -> str:
    """One XML element, on lines of its own."""
    from xml.sax.saxutils import quoteattr

    text = "".join(" %s=%s" % (key, quoteattr(str(value))) for key, value in attributes.items())
    space = " " * indent
    if not content:
        return "%s<%s%s/>\n" % (space, tag, text)
    return "%s<%s%s>\n%s%s</%s>\n" % (space, tag, text, content, space, tag)


def server_conf(server: Server) -> str:
    """serverConf.xml: what holds for all instances."""
    ports, outside = server.ports, server.outside
    own: Dict[str, Dict[str, Any]] = {
        "watchdog": {},
        "syslogd": {"maxFileSizeMb": 10},
        "stat": {"port": ports["stat"]},
        "mta": {"statServerAddress": stat_address(server, ports["stat"]),
                "workingPath": "var/$(INSTANCE_NAME)/mta/", "maxSpareServers": 2},
        "web": {"args": "-tomcat -autorepair", "httpPort": ports["http"],
                "controlPort": ports["control"], "httpAddress": server.address},
        "trackinglogd": {"maxLogsSizeOnDiskMb": 500, "maxSharedLogs": 25000,
                         "webTrackingParamSize": 64},
        "inMail": {}, "wfserver": {}, **{name: {} for name in UTILITIES},
    }
    if ports["syslogd"] != server.home.build.syslogd_port:
        own["syslogd"]["port"] = ports["syslogd"]
    relay = {"address": outside["address"], "port": outside["smtp_port"], "login": "relay",
             "password": LAB_PASSWORD}
    modules = ""
    for name, attributes in own.items():
        merged = {
            "autoStart": "false", "args": "", "runLevel": RUN_LEVELS[name],
            "processRestartTime": RESTART_TIME, "maxProcessMemoryWarningMb": MEMORY_WARNING_MB,
            "maxProcessMemoryAlertMb": MEMORY_ALERT_MB, **attributes,
        }
        modules += element(2, name, merged, element(4, "relay", relay) if name == "mta" else "")
    proxy = {"enabled": "false", "login": "proxy", "password": LAB_PASSWORD}
    zone = {"name": "lab", "label": "The lab", "allowHTTP": "true", "showErrors": "true"}
    network = {"name": "loopback", "label": "Loopback", "mask": "127.0.0.0/8"}
    return (HEAD + element(4, "authentication", {"internalPassword": LAB_PASSWORD},
                           element(6, "securityZone", zone, element(8, "subNetwork", network)))
            + element(4, "proxyConfig", proxy) + "  </shared>\n" + modules + "</serverconf>\n")


def stat_address(server: Server, port: int) -> str:
    """The statistics server that mta asks: this server's, or one elsewhere."""
    return server.outside.get("stat") or "%s:%d" % (server.local, port)


def config_default(server: Server) -> str:
    """config-default.xml: the modules that run once a server."""
    started = "".join(element(2, name, {"autoStart": "true"})
                      for name in SHARED_MODULES if name != "watchdog" and name in server.modules)
    return (HEAD + DATA_STORE.format(hosts="default", source="") + started + "</serverconf>\n")


def config_instance(server: Server, instance: str, database_url: str = "") -> str:
    """config-<instance>.xml: data source and the modules of one instance.

    Raises ValueError for a URL that names no PostgreSQL database.
    """
    from campaign_lab.database import SQLITE, Target, path_of

    if database_url:
        import re

        whose = instance if server.installed else "%s_%s" % (server.name, instance)
        schema = re.sub(r"\W", "_", whose).lower()
        database = Target.of_url(database_url, schema)
    else:
        database = Target(SQLITE, path_of(server.home.path, instance), instance, LAB_PASSWORD)
    modules: Dict[str, Dict[str, Any]] = {
        name: {"autoStart": "true"} if name in server.modules else {}
        for name in INSTANCE_MODULES}
    number = server.instances.index(instance)
    if number:  # each instance has a statistics server, and a port has one holder
        port = server.ports["stat"] + number
        modules["stat"]["port"] = port
        modules["mta"]["statServerAddress"] = stat_address(server, port)
    source = element(6, "dataSource", {"name": "default"}, element(8, "dbcnx", database.dbcnx()))
    started = "".join(element(2, name, attributes) for name, attributes in modules.items()
                      if attributes)
    return HEAD + DATA_STORE.format(hosts=instance, source=source) + started + "</serverconf>\n"
