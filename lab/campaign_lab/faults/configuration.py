"""Faults of the configuration files."""

from __future__ import annotations

import os

from campaign_lab.config import Config, ConfigError
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.processes import SUPERVISED


class ConfigInvalidXml(Fault):
    """An instance's configuration was saved in the middle of an edit: it is no longer valid XML."""

    scope = "instance"
    seen = "config-<instance>.xml ends inside a tag; nlserver refuses with file and line; all runs"

    def strike(self, work: Work) -> None:
        path = os.path.join(work.home.conf, "config-%s.xml" % work.instance)
        work.rewrite(path, lambda text: text[: text.rindex("autoStart")], keep_time=False)

    def present(self, work: Work) -> bool:
        try:
            Config(work.home)
        except ConfigError:
            return True
        return False


class ConfigChangedNotReloaded(Fault):
    """serverConf.xml was edited and nobody reloaded it."""

    seen = "serverConf.xml is younger than every module and than the last `Configuration reloaded`"

    def strike(self, work: Work) -> None:
        work.set_attributes("web", {"MaxThreads": "100"}, keep_time=False)

    def present(self, work: Work) -> bool:
        return Config(work.home).settings("web").get("MaxThreads") == "100"


class AutostartDisabled(Fault):
    """A module's autoStart was switched off: it does not run and nothing misses it."""

    scope = "module"
    modules = SUPERVISED
    rereads = True
    seen = "autoStart=\"false\"; not in pdump, not named by monitor -missing"

    def strike(self, work: Work) -> None:
        work.ensure_running()
        work.undo_with("start", module=work.module, instance=work.instance)
        work.set_attributes(work.module, {"autoStart": "false"}, work.instance)
        work.nlserver("stop", "%s@%s" % (work.module, work.instance))

    def present(self, work: Work) -> bool:
        return not work.pid and not Config(work.home).settings(
            work.module, work.instance).auto_start


class UnexpectedModule(Fault):
    """A module runs though its autoStart is off."""

    scope = "module"
    modules = ["inMail", *(name for name in SUPERVISED if name != "inMail")]
    seen = "autoStart=\"false\", and in pdump"

    def strike(self, work: Work) -> None:
        work.ensure_running()
        work.set_attributes(work.module, {"autoStart": "false"}, work.instance)

    def present(self, work: Work) -> bool:
        return bool(work.pid) and not Config(work.home).settings(
            work.module, work.instance).auto_start
