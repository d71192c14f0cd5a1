"""The XML configuration of a server, as every module reads it (serverconf.py writes it).

Read with expat itself: it says the line of an error, and costs a third of ElementTree's
start-up time.
"""

from __future__ import annotations

import os

from campaign_lab.layout import INSTANCE_MODULES, SHARED_MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Tuple

    from campaign_lab.layout import Home

RESTART_TIME = "06:00:00"
RUN_LEVEL = 10


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

    def zones(self) -> Iterator[Tuple[Dict[str, str], List[str]]]:
        """Each security zone with the masks of its networks, an inner one after the outer one."""
        inside: Dict[str, Tuple[Dict[str, str], List[str]]] = {}
        for where, attributes in self.elements:
            if where.endswith("securityZone"):
                inside[where] = attributes, []
            elif where.endswith("securityZone/subNetwork"):
                masks = attributes.get("mask", "").replace(",", " ").split()
                inside[where.rpartition("/")[0]][1].extend(masks)
        return iter(inside.values())

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
        return self.number("runLevel", RUN_LEVEL)

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

    def __init__(self, home: Home, instance: str = "default") -> None:
        """Read all of it, or what one instance needs. Raises ConfigError (file, line, message)."""
        self.home = home
        self.server = Document(home.conf + "/serverConf.xml")
        self.files: Dict[str, Document] = {}
        """Instance -> its own file; ``default`` among them."""
        for name in instances(home):
            if instance == "default" or name in ("default", instance):
                self.files[name] = Document("%s/config-%s.xml" % (home.conf, name))

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
        """The settings of a module, for one instance.

        A module that runs once a server may be switched on in the file of an instance, too.
        """
        merged = self.attributes(module, instance)
        if module in SHARED_MODULES and merged.get("autoStart") != "true":
            for document in self.files.values():
                merged.update(next((found for found in document.all(module)
                                    if found.get("autoStart") == "true"), {}))
        return Settings(module, instance, merged)

    def tasks(self) -> List[Settings]:
        """Every permanent (module, instance) that can exist, by run level."""
        found = [self.settings(module) for module in SHARED_MODULES if module != "watchdog"]
        for instance in self.instances:
            found += [self.settings(module, instance) for module in INSTANCE_MODULES]
        return sorted(found, key=lambda settings: settings.run_level)

    def zone(self, client: str) -> Dict[str, str]:
        """The attributes of the innermost security zone that an address is in; none: empty."""
        from ipaddress import ip_address, ip_network

        address, found = ip_address(client), {}
        for attributes, masks in self.server.zones():
            if any(mask == "*" or address in ip_network(mask, strict=False) for mask in masks):
                found = attributes
        return found

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
