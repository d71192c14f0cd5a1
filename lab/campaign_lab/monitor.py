"""``nlserver monitor``: what a supervision tool reads. The XML is the lab's own."""

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
    sys.stdout.write("\n".join([*out, "</monitor>"]) + "\n")
    return 0


def cpu_seconds(pid: int) -> List[float]:
    """User and system time."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return [0.0, 0.0]
    return [int(fields[11]) / HERTZ, int(fields[12]) / HERTZ]
