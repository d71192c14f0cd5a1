"""Faults that a site has written itself: in its configuration, its environment, its programs.

And what looks like one and is none: what the vendor's documentation permits.
"""

from __future__ import annotations

import os
import re
import shutil
import time

from campaign_lab import database
from campaign_lab.config import Config, ConfigError
from campaign_lab.faults.base import Fault, Work
from campaign_lab.faults.processes import SUPERVISED
from campaign_lab.faults.system import FaultError, http, pid_of, udp_held, wait_until
from campaign_lab.layout import INSTANCE_MODULES
from campaign_lab.process import command_line

COPY_OF = "%s-20261101"
LIBRARY = ("nlserver: error while loading shared libraries: libicuuc.so.50: cannot open shared "
           "object file: No such file or directory")
SLOW_SECONDS = 9


def conf_file(work: Work, instance: str = "") -> str:
    """The file of an instance, else serverConf.xml."""
    name = "config-%s.xml" % instance if instance else "serverConf.xml"
    return os.path.join(work.home.conf, name)


def text_of(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read()


# ------------------------------------------------------------------------------ configuration


class VerboseConfigured(Fault):
    """The configured arguments of a module make it verbose: no restart ends it."""

    scope = "module"
    modules = ["mta", *(name for name in SUPERVISED if name not in ("mta", "web"))]
    rereads = True
    seen = ("config-<instance>.xml: `args=\"-verbose -tracefilter:*\"`; the same in the command "
            "line, also after a restart")

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module=work.module, instance=work.instance)
        work.set_attributes(work.module, {"args": "-verbose -tracefilter:*"}, work.instance)
        work.restart()

    def present(self, work: Work) -> bool:
        args = Config(work.home).settings(work.module, work.instance).args
        return "-verbose" in args and "-verbose" in command_line(work.pid)


class SharedConfigInvalid(Fault):
    """serverConf.xml ends in the middle of the element of mta: everything after it is unknown."""

    seen = "serverConf.xml ends inside `<relay addr`; nlserver refuses with file and line; all runs"

    def strike(self, work: Work) -> None:
        work.rewrite(conf_file(work), lambda text: text[: text.index("<relay address=") + 11],
                     keep_time=False)

    def present(self, work: Work) -> bool:
        try:
            Config(work.home)
        except ConfigError as error:
            return error.path.endswith("serverConf.xml")
        return False


class ModuleSwitchedOff(Fault):
    """A module is switched off as refreshed environments do it: `_autoStart`; that is correct."""

    scope = "module"
    modules = ["inMail", *(name for name in INSTANCE_MODULES if name != "inMail")]
    rereads = True
    seen = ("config-<instance>.xml: `_autoStart=\"true\"`; not in pdump, not named by monitor "
            "-missing")

    def strike(self, work: Work) -> None:
        work.undo_with("start", module=work.module, instance=work.instance)
        work.rewrite(conf_file(work, work.instance), lambda text: text.replace(
            "<%s autoStart=" % work.module, "<%s _autoStart=" % work.module))
        work.nlserver("stop", "%s@%s" % (work.module, work.instance))

    def present(self, work: Work) -> bool:
        return not work.pid and "<%s _autoStart=" % work.module in text_of(
            conf_file(work, work.instance))


class SharedModuleInInstanceFile(Fault):
    """trackinglogd is switched on in the file of an instance, as the vendor has it; no fault."""

    scope = "instance"
    seen = "config-default.xml does not name trackinglogd, config-<instance>.xml does; it runs"
    LINE = '  <trackinglogd autoStart="true"/>\n'

    def strike(self, work: Work) -> None:
        work.rewrite(conf_file(work, "default"), lambda text: text.replace(self.LINE, ""))
        work.rewrite(conf_file(work, work.instance), lambda text: text.replace(
            "</serverconf>", self.LINE + "</serverconf>"))

    def present(self, work: Work) -> bool:
        return self.LINE in text_of(conf_file(work, work.instance)) and self.LINE not in text_of(
            conf_file(work, "default"))


class SyslogdReplaced(Fault):
    """Another log daemon has taken the place of syslogd, which is switched off; no fault."""

    seen = "config-default.xml: autoStart of syslogd is false; its port is held by `rsyslogd`"

    def strike(self, work: Work) -> None:
        server = work.server
        work.undo_with("start", module="syslogd", instance="default")
        work.set_attributes("syslogd", {"autoStart": "false"}, "default")
        work.nlserver("stop", "syslogd")
        work.helper("hold_udp", server.address, str(server.ports["syslogd"]), title="rsyslogd")

    def present(self, work: Work) -> bool:
        off = not Config(work.home).settings("syslogd").auto_start
        return off and udp_held(work.server.address, work.server.ports["syslogd"])


class RelayPortMismatch(Fault):
    """Tomcat's port was changed, and the relay's targetUrl was not."""

    rereads = True
    seen = "web holds 8081; every targetUrl says 8080; the front answers 502 for /nl/"
    PORT = 8081

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="web", instance="default")
        work.set_attributes("web", {"httpPort": str(self.PORT)})
        work.restart("web")

    def present(self, work: Work) -> bool:
        return http(work.server, "front", "/nl/jsp/logon.jsp")[0] == 502


class TwoStatsOnePort(Fault):
    """Two instances have a statistics server each, on the same port: one of them cannot start."""

    rereads = True
    seen = ("config-<second instance>.xml: stat has the port of the first, its mta asks there; "
            "stat of the second is missing, tried again by the watchdog")

    def strike(self, work: Work) -> None:
        if len(work.server.instances) < 2:
            raise FaultError("it needs a second instance")
        first, second = work.server.instances[:2]
        address = Config(work.home).settings("mta", first).get("statServerAddress")
        for module in ("mta", "stat"):
            work.undo_with("restart", module=module, instance=second)
        work.remember(second=second)
        work.set_attributes("mta", {"statServerAddress": address}, second)
        work.set_attributes("stat", {"port": ""}, second)
        work.nlserver("restart", "mta@" + second)
        work.nlserver("restart", "stat@" + second, check=False)

    def present(self, work: Work) -> bool:
        second = work.notes.get("second", "")
        if not second:
            return False
        configured = Config(work.home).settings("stat", second).get("port")
        return not configured and not pid_of(work.home, "stat", second)


class AffinityWithoutComma(Fault):
    """wfserver runs the workflows of one affinity only: the comma behind it is missing."""

    scope = "instance"
    rereads = True
    seen = ("config-<instance>.xml: `affinity=\"batch\"`; a workflow without affinity stays in "
            "state 1, processId 0; wfserver runs")
    NAME = "dailyScores"

    def strike(self, work: Work) -> None:
        then = time.time() - 3000
        work.undo_with("restart", module="wfserver", instance=work.instance)
        work.set_attributes("wfserver", {"affinity": "batch"}, work.instance)
        work.restart("wfserver")
        work.insert("xtk_workflow", "internalName", internalName=self.NAME, label="Daily scores",
                    state=database.START_PENDING, created=then, lastModified=then,
                    labActivity="operations")

    def present(self, work: Work) -> bool:
        row = work.row("xtk_workflow", "internalName", self.NAME)
        return row is not None and row["state"] == database.START_PENDING


class RestartTimeDeleted(Fault):
    """processRestartTime of wfserver was deleted from serverConf.xml."""

    seen = "serverConf.xml: the element wfserver has no processRestartTime, all others have it"

    def strike(self, work: Work) -> None:
        work.rewrite(conf_file(work), lambda text: re.sub(
            r'(<wfserver [^>]*?) processRestartTime="[^"]*"', r"\1", text))

    def present(self, work: Work) -> bool:
        return next(Config(work.home).server.all("wfserver")).get("processRestartTime") is None


class VerifyMode(Fault):
    """mta only verifies: all looks well, and no mail leaves."""

    scope = "instance"
    rereads = True
    seen = ("config-<instance>.xml: `verifyMode=\"true\"`; deliveries end well; nothing reaches "
            "the relay")

    def strike(self, work: Work) -> None:
        work.undo_with("restart", module="mta", instance=work.instance)
        work.set_attributes("mta", {"verifyMode": "true"}, work.instance)
        work.restart("mta")

    def present(self, work: Work) -> bool:
        return Config(work.home).settings("mta", work.instance).get("verifyMode") == "true"


class WorkingSetReached(Fault):
    """maxWorkingSetMb is too low for what the children hold: they stop sending."""

    rereads = True
    seen = "serverConf.xml: maxWorkingSetMb 4; each mtachild has more; messages stay in the spool"

    def strike(self, work: Work) -> None:
        for instance in work.server.instances:
            work.undo_with("restart", module="mta", instance=instance)
        # It sends nothing, and so would be replaced as idle, once a minute.
        work.set_attributes("child", {"maxWorkingSetMb": "4", "idleChildTimeoutSec": "86400"})
        for instance in work.server.instances:
            work.nlserver("restart", "mta@" + instance)
            work.deliver(instance=instance)
        spools = [os.path.join(work.home.var, name, "mta") for name in work.server.instances]
        wait_until(lambda: all(any(".eml" in name for name in os.listdir(spool))
                               for spool in spools), 40, "a message waits in each instance")

    def present(self, work: Work) -> bool:
        return Config(work.home).attributes("mta/child").get("maxWorkingSetMb") == "4"


class InstanceCopied(Fault):
    """An operator kept a copy of an instance's file next to it: it looks like an instance."""

    scope = "instance"
    seen = "conf/config-<instance>-20261101.xml, with its database; nothing of it runs"

    def strike(self, work: Work) -> None:
        copy = self._path(work)
        work.undo_with("remove", path=copy)
        shutil.copyfile(conf_file(work, work.instance), copy)
        os.chmod(copy, 0o640)

    def present(self, work: Work) -> bool:
        return os.path.exists(self._path(work))

    @staticmethod
    def _path(work: Work) -> str:
        return conf_file(work, COPY_OF % work.instance)


# ---------------------------------------------------------------------- nlserver, environment


class NlserverNotExecutable(Fault):
    """bin/nlserver has lost its x bits."""

    seen = "bin/nlserver has mode 0644; processes, ports and logs are as usual"

    def strike(self, work: Work) -> None:
        path = work.home.join("bin/nlserver")
        work.undo_with("unlock", path=path, bits=os.stat(path).st_mode & 0o7777)
        os.chmod(path, 0o644)

    def present(self, work: Work) -> bool:
        return not os.access(work.home.join("bin/nlserver"), os.X_OK)


class NlserverWrongSystem(Fault):
    """nlserver is of a build for another operating system: nothing starts."""

    seen = ("nothing runs; nlserver: exit code 127, `error while loading shared libraries: "
            "libicuuc.so.50`")

    def strike(self, work: Work) -> None:
        work.undo_with("start_all")
        work.nlserver("shutdown")
        work.write(work.home.join("bin/nlserver"),
                   "#!/bin/sh\necho '%s' >&2\nexit 127\n" % LIBRARY)

    def present(self, work: Work) -> bool:
        return LIBRARY in text_of(work.home.join("bin/nlserver"))


class NlserverSlow(Fault):
    """The nlserver command needs nine seconds for each answer."""

    seen = "bin/nlserver answers after 9 s, and rightly; processes, ports and logs are as usual"

    def strike(self, work: Work) -> None:
        program = work.home.join("bin/nlserver")
        first, _, rest = text_of(program).partition("\n")
        work.write(program, "%s\nimport time\ntime.sleep(%d)\n%s" % (first, SLOW_SECONDS, rest))

    def present(self, work: Work) -> bool:
        return "time.sleep(%d)" % SLOW_SECONDS in text_of(work.home.join("bin/nlserver"))


class CustomerShBroken(Fault):
    """customer.sh has a syntax error since its last edit."""

    seen = ("customer.sh ends with an `if` without `fi`: env.sh fails; all runs, nothing can be "
            "started")
    LINES = "\nif [ -d /data/campaign ]; then\n  export XTK_VAR_DIR=/data/campaign\n"

    def strike(self, work: Work) -> None:
        work.rewrite(work.home.join("customer.sh"), lambda text: text.rstrip("\n") + self.LINES)

    def present(self, work: Work) -> bool:
        return self.LINES in text_of(work.home.join("customer.sh"))


class CustomerShExits(CustomerShBroken):
    """customer.sh ends the shell that reads it."""

    seen = "customer.sh ends with `exit 3`: whoever reads env.sh ends there; all runs"
    LINES = "\n[ -d /data/campaign ] || exit 3\n"


class CustomerShWaits(CustomerShBroken):
    """customer.sh waits for an input that never comes."""

    seen = "customer.sh reads from a FIFO that nobody writes to: env.sh does not end; all runs"

    def strike(self, work: Work) -> None:
        path = self._path(work)
        work.undo_with("remove", path=path)
        if not os.path.exists(path):
            os.mkfifo(path, 0o600)
        work.rewrite(work.home.join("customer.sh"),
                     lambda text: "%s\nread answer < %s\n" % (text.rstrip("\n"), path))

    def present(self, work: Work) -> bool:
        return os.path.exists(self._path(work))

    @staticmethod
    def _path(work: Work) -> str:
        return work.home.lab + "/question"


class TmpMissing(Fault):
    """TMPDIR names a directory that is not there."""

    scope = "instance"
    rereads = True
    seen = "env.sh exports TMPDIR=…/var/gone; mta.log: `BAS-010015 Cannot open file … errno=2`"
    errno = 2

    def strike(self, work: Work) -> None:
        self.prepare(work)
        work.undo_with("restart_all")
        before, sourced, after = text_of(work.home.join("env.sh")).partition("if [ -f")
        customer = work.home.join("customer.sh")
        work.write(customer, "".join(line for line in text_of(customer).splitlines(True)
                                     if not line.startswith("export TMPDIR=")))
        work.write(work.home.join("env.sh"),
                   '%sexport TMPDIR="%s"\n%s%s' % (before, self.path(work), sourced, after))
        work.restart_all()
        for instance in work.server.instances:  # each has the variable: each is to meet it now
            log = work.log("mta", instance)
            work.deliver(instance=instance)
            work.expect(log, "errno=%d" % self.errno)

    def prepare(self, work: Work) -> None:
        """The directory as it is to be."""

    def path(self, work: Work) -> str:
        """The directory."""
        return os.path.join(work.home.var, "gone")

    def present(self, work: Work) -> bool:
        return 'export TMPDIR="%s"' % self.path(work) in text_of(work.home.join("env.sh"))


class TmpNotWritable(TmpMissing):
    """Nobody may write to the temporary directory."""

    seen = "env.sh exports TMPDIR=…/var/closed, mode 0555; mta.log: `BAS-010015 … errno=13`"
    errno = 13

    def prepare(self, work: Work) -> None:
        path = self.path(work)
        work.undo_with("remove", path=path)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o555)

    def path(self, work: Work) -> str:
        return os.path.join(work.home.var, "closed")
