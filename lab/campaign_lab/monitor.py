"""``nlserver monitor``: what a supervision tool reads.

``<indicator>`` is public, and so is that Campaign calls ``cust_indicators.sh`` of the home, by
which a site adds its own; the elements around them are the lab's own.
"""

from __future__ import annotations

import os
import sys
import time

from campaign_lab import process
from campaign_lab.config import Config
from campaign_lab.layout import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

    from campaign_lab.layout import Home

SCRIPT_SECONDS = 10
HERTZ = os.sysconf("SC_CLK_TCK")


def missing_tasks(home: Home) -> List[str]:
    """The autoStart modules that do not run, the watchdog first."""
    running = {task_name(task.module, task.instance) for task in process.running(home)}
    expected = [task_name(settings.module, settings.instance)
                for settings in Config(home).tasks() if settings.auto_start]
    return [name for name in ["watchdog", *expected] if name not in running]


def missing(home: Home) -> int:
    """``nlserver monitor -missing``: one a line, nothing when all run."""
    for name in missing_tasks(home):
        print(name)
    return 0


def monitor(home: Home) -> int:
    """``nlserver monitor``."""
    import shutil
    from xml.sax.saxutils import quoteattr

    def element(tag: str, **attributes: object) -> str:
        text = "".join(" %s=%s" % (key, quoteattr(str(value)))
                       for key, value in attributes.items())
        return "<%s%s/>" % (tag, text)

    disk = shutil.disk_usage(home.var)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    out = ['<monitor date="%s" version="%s" build="%s">' % (
        now, home.build.version, home.build.number)]
    for task in process.running(home):
        user, system = cpu_seconds(task.pid)
        out.append("  " + element(
            "task", module=task.module, instance=task.instance, pid=task.pid,
            memoryMb="%.1f" % task.memory_mb, userSeconds="%.2f" % user,
            systemSeconds="%.2f" % system))
    out += ["  " + element("missing", task=name) for name in missing_tasks(home)]
    out.append("  " + element("disk", path=home.var, totalMb=disk.total >> 20,
                              freeMb=disk.free >> 20))
    out.append("  " + element("load", **dict(zip(("min1", "min5", "min15"), os.getloadavg()))))
    out.append("  " + indicator("Zombie Processes", zombies(home), 2, 2))
    out += ["  " + line for line in of_the_site(home)]
    sys.stdout.write("\n".join([*out, "</monitor>"]) + "\n")
    return 0


def indicator(name: str, value: int, warning: int, alert: int) -> str:
    """One indicator, as published."""
    return ("<indicator name='%s'><current label='Current Value' value='%d' display=''/><warning "
            "value='%d'/><alert value='%d'/><max label='Max Value' value='%d'/></indicator>" % (
                name, value, warning, alert, alert))


def zombies(home: Home) -> int:
    """Dead children that the server's modules have not collected."""
    parents = {task.pid for task in process.recorded(home)}
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
        except OSError:
            continue
        found += fields[0] == b"Z" and int(fields[1]) in parents
    return found


def of_the_site(home: Home) -> List[str]:
    """What ``cust_indicators.sh`` says; nothing if there is none, or it fails."""
    import subprocess

    script = home.join("cust_indicators.sh")
    if not os.access(script, os.X_OK):
        return []
    try:
        done = subprocess.run([script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=SCRIPT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line for line in done.stdout.decode("utf-8", "replace").splitlines()
            if line.startswith("<indicator ")]


def cpu_seconds(pid: int) -> List[float]:
    """User and system time."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return [0.0, 0.0]
    return [int(fields[11]) / HERTZ, int(fields[12]) / HERTZ]
