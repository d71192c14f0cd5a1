"""Writes serverConf.xml and the config-<instance>.xml files of a new server.

``serverconf.tsv`` beside this file is the table of all attributes with the defaults that the vendor
ships; serverConf.xml is made of it. What a site has set is in :func:`site` and in the files of the
instances. The lab's own: which networks are in which security zone, which paths the relay knows.
"""

from __future__ import annotations

import os
import time

from campaign_lab.account import privileged
from campaign_lab.layout import INSTANCE_MODULES, LAB_PASSWORD, SHARED_MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

    from campaign_lab.layout import Server

    Attributes = Dict[str, Any]

TABLE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "serverconf.tsv")
AS_TEXT = {("web/jsp", "classpath"), ("shared/dataStore/dataSource/sqlParams", "postConnectSQL")}
"""What is no attribute but the text of an element."""
SHIPPED_EMPTY = ("shared/dataStore/dataSource/dbcnx",)
"""Elements whose secrets stand in the files of the instances."""
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
INNER = {"allowDebug": "true", "allowHTTP": "true", "showErrors": "true",
         "sessionTokenOnly": "true"}
ZONES: Tuple[Tuple[str, Attributes, Tuple[Tuple[str, str], ...]], ...] = (
    ("public", {}, (("all", "*"),)),
    ("vpn", {"allowDebug": "true", "showErrors": "true"}, (("vpn1", "172.16.0.0/12"),)),
    ("lan", INNER, (("lan1", "192.168.0.0/16"), ("lan2", "10.0.0.0/8"),
                    ("localhost", "127.0.0.0/8"), ("localhost6", "::1/128"))),
)
"""Each is inside the one before: name, what differs from the defaults, sub-networks."""
FIRST = ("stat", "mta", "inMail")


class Element:
    """One element of the table."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.attributes: Dict[str, str] = {}
        self.texts: Dict[str, str] = {}
        self.children: Dict[str, Element] = {}

    def at(self, path: str) -> Element:
        """The element at a path below this one, made if it is not there."""
        name, _, rest = path.partition("/")
        child = self.children.setdefault(name, Element(name))
        return child.at(rest) if rest else child

    def xml(self, indent: int) -> str:
        """It, with what is below it; several times if a value has several parts."""
        below = "".join(element(indent + 2, name, {}, text=text)
                        for name, text in self.texts.items())
        below += "".join(child.xml(indent + 2) for child in self.children.values())
        parts = {name: value.split(" | ") for name, value in self.attributes.items()}
        number = max(map(len, parts.values()), default=1)
        return "".join(
            element(indent, self.tag, {name: each[min(at, len(each) - 1)]
                                       for name, each in parts.items()}, below)
            for at in range(number))


def rows() -> List[Tuple[str, str, str, bool]]:
    """The table: element, attribute, default, and whether it is a secret."""
    found = []
    with privileged(), open(TABLE, encoding="utf-8") as stream:
        for line in stream:
            if not line.startswith("#"):
                path, name, value, secret = [*line.rstrip("\n").split("\t"), "", ""][:4]
                found.append((path, name, value, secret == "secret"))
    return found


def element(
    indent: int, tag: str, attributes: Attributes, content: str = "", text: str = ""
) -> str:
    """One XML element, on lines of its own."""
    from xml.sax.saxutils import escape, quoteattr

    pairs = "".join(" %s=%s" % (key, quoteattr(str(value))) for key, value in attributes.items())
    space = " " * indent
    if text:
        return "%s<%s%s>%s</%s>\n" % (space, tag, pairs, escape(text), tag)
    if not content:
        return "%s<%s%s/>\n" % (space, tag, pairs)
    return "%s<%s%s>\n%s%s</%s>\n" % (space, tag, pairs, content, space, tag)


def site(server: Server) -> Dict[str, Attributes]:
    """What the site has set in serverConf.xml: Tomcat's ports, the relay of mta."""
    ports, outside = server.ports, server.outside
    tomcat = "http://localhost:%d" % ports["http"]
    return {
        "web": {"httpPort": ports["http"], "controlPort": ports["control"]},
        "web/relay/url": {"targetUrl": " | ".join([tomcat] * 5 + ["http://localhost:7781"])},
        "mta/relay": {"address": outside["address"], "port": outside["smtp_port"]},
        "shared/proxyConfig/proxyHTTP": {"login": "proxy"},
    }


def quiet_hour() -> str:
    """The full hour half a day from now, for daily restarts: at 06:00:00, as shipped, they would be in
    the way of whoever looks at the lab then, and lines logged around it would count as theirs.
    """
    return time.strftime("%H:00:00", time.localtime(time.time() + 12 * 3600))


def server_conf(server: Server) -> str:
    """serverConf.xml: what holds for all instances."""
    top = Element("serverConf")
    own = site(server)
    hour = quiet_hour()
    zone: Dict[str, Dict[str, str]] = {}
    for path, name, default, secret in rows():
        value = hour if name == "processRestartTime" else str(own.get(path, {}).get(name, default))
        if secret and path not in SHIPPED_EMPTY:
            value = LAB_PASSWORD
        if path.startswith("securityZone"):
            zone.setdefault(path, {})[name] = value
            continue
        kind = "texts" if (path, name) in AS_TEXT else "attributes"
        getattr(top.at(path), kind)[name] = value.replace("$(TOMCAT)", server.home.build.tomcat)
    body = "".join(child.xml(2) for child in top.children.values())
    zones = _zones(zone["securityZone"], zone["securityZone/subNetwork"])
    return HEAD + "<serverConf>\n" + body + zones + "</serverConf>\n"


def _zones(zone: Dict[str, str], network: Dict[str, str], at: int = 0) -> str:
    if at == len(ZONES):
        return ""
    name, more, networks = ZONES[at]
    indent = 2 + 2 * at
    content = "".join(
        element(indent + 2, "subNetwork", {**network, "label": each, "name": each, "mask": mask})
        for each, mask in networks)
    return element(indent, "securityZone", {**zone, **more, "label": name, "name": name},
                   content + _zones(zone, network, at + 1))


DATA_STORE = """\
  <shared>
    <dataStore hosts="{hosts},{hosts}.*" lang="en_US">
      <mapping logical="*" physical="default"/>
{source}    </dataStore>
  </shared>
"""


def stat_address(server: Server, port: int) -> str:
    """The statistics server that mta asks: this server's, or one elsewhere."""
    return server.outside.get("stat") or "%s:%d" % (server.local, port)


def only_front(server: Server) -> bool:
    """A front of the enterprise deployment: the vendor has trackinglogd switched on, and all else
    switched off, in the files of the instances.
    """
    return not server.installed and not set(INSTANCE_MODULES) & set(server.modules)


def config_default(server: Server) -> str:
    """config-default.xml: the modules that run once a server."""
    own: Dict[str, Attributes] = {"web": {"args": "-tomcat"}, "syslogd": {"runLevel": 0}}
    started = "".join(element(2, name, {**own.get(name, {}), "autoStart": "true"})
                      for name in ("web", "syslogd", "trackinglogd")
                      if name in SHARED_MODULES and name in server.modules
                      and not (name == "trackinglogd" and only_front(server)))
    return (HEAD + "<serverconf>\n" + DATA_STORE.format(hosts="default", source="") + started
            + "</serverconf>\n")


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
    # Each instance has a statistics server, and a port has one holder.
    port = server.ports["stat"] + server.instances.index(instance)
    own: Dict[str, Attributes] = {
        "stat": {"port": port} if port != server.ports["stat"] else {},
        "mta": {"statServerAddress": stat_address(server, port)},
    }
    modules = "".join(element(2, name, {"autoStart": "true", **own.get(name, {})})
                      for name in FIRST if name in server.modules)
    modules += element(2, "sms", {"autoStart": "false"})
    modules += element(2, "listProtect", {"autoStart": "false"})
    modules += "".join(element(2, name, {"autoStart": "true"}) for name in INSTANCE_MODULES
                       if name not in FIRST and name in server.modules)
    if only_front(server):
        modules += "".join(element(2, name, {"autoStart": "false"}) for name in INSTANCE_MODULES)
        modules += element(2, "trackinglogd", {"autoStart": "true"})
    source = element(6, "dataSource", {"name": "default"}, element(8, "dbcnx", database.dbcnx()))
    return (HEAD + "<serverconf>\n" + DATA_STORE.format(hosts=instance, source=source) + modules
            + "</serverconf>\n")
