"""Makes a server's tree, starts it and takes it down."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from campaign_lab import account, config, database, initscript, process, seed, serverconf, sockets
from campaign_lab.lab import Lab
from campaign_lab.layout import (
    IMPLEMENTATIONS,
    PROGRAMS,
    Home,
    Server,
    read_json,
    write_json,
    write_text,
)
from campaign_lab.modules import trackinglogd
from campaign_lab.monitor import missing_tasks
from campaign_lab.runtime import kill, syslogd_address
from campaign_lab.source import lab_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Sequence

    from campaign_lab.outside import Outside

CUSTOMER_SH = """\
# This site's own environment, read by env.sh. Examples:
#export XTK_VAR_DIR=/data/campaign/var
#export TMPDIR=/usr/local/neolane/nl6/var/tmp
#export JDK_HOME=/usr/lib/jvm/java-11-openjdk-amd64
#export TRACE_ADDR=localhost:6666
"""
CUST_INDICATORS_SH = """\
#!/bin/sh
# This site's own indicators: nlserver monitor shows them.
cat <<'END'
<indicator name='Files to send'><current label='Current Value' value='0' display=''/></indicator>
END
"""
PREAMBLE = """\
import sys
sys.executable = {python!r}
sys.dont_write_bytecode = True
sys.path.insert(0, {library!r})
"""
MODULE = PREAMBLE + """\
from campaign_lab.runtime import main
main({server!r})
"""
NLSERVER = "#!{python} -IS\n" + PREAMBLE + """\
from campaign_lab.nlserver import main
sys.exit(main({home!r}, {build!r}))
"""


class ServerError(Exception):
    """One line for the person at labctl."""


# ------------------------------------------------------------------------------- creation


def create(
    lab: Lab, server: Server, python: account.Python, database_url: str = ""
) -> None:
    """Make what is missing of the tree; a configuration that is there stays as it is.

    ``database_url`` is the PostgreSQL database of instances that are new; empty: SQLite.
    """
    home = server.home
    has_script = not home.build.unit and not server.installed
    for name in ("nl6", "apache2", *(("init.d",) if has_script else ())):
        account.give(os.path.join(server.folder, name))
    for directory in ("bin", "conf", "lib", "var/default/log", "var/.lab/run",
                      "var/.lab/faults", "var/.lab/requests"):
        os.makedirs(home.join(directory), exist_ok=True)
    if "CAMPAIGN_TALLY" in os.environ and not os.path.lexists(home.tally):
        os.symlink(os.path.join(os.environ["CAMPAIGN_TALLY"], "lab"), home.tally)
    _write_programs(lab, server, python.program)
    if has_script:
        initscript.write(os.path.join(server.folder, "init.d"), server)
    _write_once(home.join("env.sh"), _env_sh(home), 0o755)
    _write_once(home.join("customer.sh"), _customer_sh(server), 0o755)
    _write_once(home.join("unicodeenv"), "", 0o644)
    _write_once(home.join("cust_indicators.sh"), CUST_INDICATORS_SH, 0o755)
    _write_once(home.conf + "/serverConf.xml", serverconf.server_conf(server), 0o640)
    _write_once(home.conf + "/config-default.xml", serverconf.config_default(server), 0o640)
    for instance in server.instances:
        for directory in ("log", "redir/log", "redir/url", "mta", "export", "import"):
            os.makedirs(home.join("var", instance, directory), exist_ok=True)
        _write_once("%s/config-%s.xml" % (home.conf, instance),
                    serverconf.config_instance(server, instance, database_url), 0o640)
    seed.create(server)


def outside(server: Server) -> Outside:
    """The mail peers of the server's lab."""
    from campaign_lab.outside import Outside

    return Outside.of(server.root, server.outside)


def install_sources(lab: Lab, python: account.Python) -> None:
    """Make the package that the lab's processes load: links to the checkout's files, or copies.

    Its bytecode is put there here and now: processes only read it, and the checkout stays clean.
    """
    source = os.path.join(lab_source(), "campaign_lab")
    package = os.path.join(lab.library, "campaign_lab")
    readable = os.access(os.path.join(source, "__init__.py"), os.R_OK)
    with account.privileged():
        for directory, names, files in os.walk(source):
            names[:] = [name for name in names if name != "__pycache__"]
            target = os.path.join(package, os.path.relpath(directory, source))
            os.makedirs(target, exist_ok=True)
            wanted = {name: os.path.join(directory, name) for name in sorted(files)
                      if name.endswith(".py")}
            (_link_all if readable else _copy_all)(target, wanted)
            if python.is_own:
                _put_bytecode(target, list(wanted.values()))
        if not python.is_own:
            subprocess.run([python.program, "-IS", "-m", "compileall", "-q", package],
                           stdin=subprocess.DEVNULL, check=True)


def _copy_all(directory: str, files: Dict[str, str]) -> None:
    """Have copies of these files in a directory, with their times: the bytecode names them."""
    for name, path in files.items():
        target = os.path.join(directory, name)
        if (os.path.islink(target) or not os.path.exists(target)
                or os.stat(target).st_mtime_ns != os.stat(path).st_mtime_ns):
            draft = "%s.%d" % (target, os.getpid())
            shutil.copy2(path, draft)
            os.chmod(draft, 0o644)
            os.rename(draft, target)


def _put_bytecode(package: str, sources: List[str]) -> None:
    """Bytecode for the files of a package: a copy of labctl's own, which is compiled once."""
    from importlib.util import cache_from_source

    os.makedirs(os.path.join(package, "__pycache__"), exist_ok=True)
    for source in sources:
        tag = os.path.basename(cache_from_source(source))
        target = os.path.join(package, "__pycache__", tag)
        cached = cache_from_source(source) if sys.pycache_prefix else target
        if not _as_new(cached, source):
            import py_compile

            py_compile.compile(source, cached, doraise=False, quiet=2)
        if cached != target and not _as_new(target, source):
            draft = "%s.%d" % (target, os.getpid())
            shutil.copyfile(cached, draft)
            os.rename(draft, target)


def _as_new(made: str, source: str) -> bool:
    """Was it made after the last change of what it is made of?"""
    try:
        return os.stat(made).st_mtime > os.stat(source).st_mtime
    except FileNotFoundError:
        return False


def install_driver(lab: Lab, python: account.Python) -> None:
    """Let the lab's processes, which see no site-packages, load the driver of PostgreSQL."""
    import importlib.util

    with account.privileged():
        found = importlib.util.find_spec("psycopg2")
    if found is None or not found.origin or not python.is_own:
        raise ServerError("PostgreSQL needs psycopg2 in %s, and the servers' Python is to be of "
                          "the same version (Debian: python3-psycopg2)" % sys.executable)
    package = os.path.dirname(found.origin)
    beside = os.path.join(os.path.dirname(package), "psycopg2_binary.libs")
    links = {"psycopg2": package}
    readable = os.access(found.origin, os.R_OK)
    with account.privileged():
        if os.path.isdir(beside):
            links["psycopg2_binary.libs"] = beside
        if readable:
            _link_all(lab.library, links)
            return
        for name, path in links.items():
            if not os.path.isdir(os.path.join(lab.library, name)):
                shutil.copytree(path, os.path.join(lab.library, name))


def databases(server: Server) -> Iterator[database.Target]:
    """The databases of the instances that are configured."""
    settings = config.Config(server.home)
    return (database.configured(settings, instance) for instance in settings.instances)


def install_python(lab: Lab, python: account.Python) -> None:
    """Make a PYTHONHOME: the standard library without what else is installed beside it."""
    target = os.path.join(lab.python_home, os.path.relpath(python.library, python.prefix))
    left_out = ("site-packages", "dist-packages", "sitecustomize.py", "usercustomize.py")
    with account.privileged():
        os.makedirs(target, exist_ok=True)
        _link_all(target, {name: os.path.join(python.library, name)
                           for name in os.listdir(python.library) if name not in left_out})


def _link_all(directory: str, links: Dict[str, str]) -> None:
    """Have exactly these symbolic links in a directory (and what else is no link)."""
    present = {entry.name: os.readlink(entry.path) for entry in os.scandir(directory)
               if entry.is_symlink()}
    for name, path in present.items():
        if links.get(name) != path:
            os.unlink(os.path.join(directory, name))
    for name, path in links.items():
        if present.get(name) != path:
            os.symlink(path, os.path.join(directory, name))


def _write_programs(lab: Lab, server: Server, python: str) -> None:
    """bin/nlserver, and in lib one starting script per process name.

    ``exec`` of a link named nlserver gives the processes the documented name; argv[1] is the
    script that Python runs, so that the command line is the documented one, too.
    """
    home = server.home
    values = {"python": python, "library": lab.library, "home": home.path,
              "build": home.build.name, "server": server.as_json()}
    if (os.path.exists(home.lab + "/programs.json")
            and read_json(home.lab + "/programs.json") == values):
        return  # as they are: one of them may be broken on purpose
    for name in IMPLEMENTATIONS:
        write_text(home.join("lib", name), MODULE.format(**values), 0o644)
    links = {**dict.fromkeys(("nlserver", *PROGRAMS.values()), python), "python": lab.python_home}
    _link_all(home.lib, links)
    write_text(home.join("bin/nlserver"), NLSERVER.format(**values), 0o755)
    write_json(home.lab + "/programs.json", values)


def _env_sh(home: Home) -> str:
    return (
        "# Environment of the Campaign server; customer.sh adds the site's own.\n"
        'export NL_HOME="%s"\n'
        'export PATH="$NL_HOME/bin:$PATH"\n'
        'export LD_LIBRARY_PATH="$NL_HOME/lib"\n'
        'if [ -f "$NL_HOME/customer.sh" ]; then . "$NL_HOME/customer.sh"; fi\n' % home.path
    )


def _customer_sh(server: Server) -> str:
    """With TMPDIR as documented where /tmp is another device than var (errno 18 otherwise), and
    with syslogd's port if it is not the default of the build.
    """
    home, text = server.home, CUSTOMER_SH
    if os.stat("/tmp").st_dev != os.stat(home.var).st_dev:
        os.makedirs(home.var + "/tmp", exist_ok=True)
        text += "export TMPDIR=%s/tmp\n" % home.var
    if server.ports["syslogd"] != home.build.syslogd_port:
        text += "export TRACE_ADDR=%s:%d\n" % (server.local, server.ports["syslogd"])
    return text


def _write_once(path: str, text: str, mode: int) -> None:
    if not os.path.exists(path):
        write_text(path, text, mode)


# ---------------------------------------------------------------------------- start, stop


def nlserver(server: Server, *words: str, timeout: float = 90) -> subprocess.CompletedProcess:  # type: ignore[type-arg]
    """Run ``nlserver`` as an operator does, with the environment of env.sh."""
    return subprocess.run(
        [server.home.join("bin/nlserver"), *words], env=process.environment(server.home),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8", timeout=timeout, check=False,
    )


def begin(server: Server) -> None:
    """Start what does not run: the front end, the watchdog, missing modules."""
    home = server.home
    if server.has_front and not process.find(home, "front", "default"):
        process.spawn(home, ["front"], process.environment(home), detach=True)
    if not process.find(home, "watchdog", "default"):
        done = nlserver(server, "watchdog", "-svc", "-noconsole")
        if done.returncode:
            raise ServerError("%s: %s" % (server.name, done.stderr.strip() or "no watchdog"))
        return
    for name in missing_tasks(home):
        nlserver(server, "start", name)


def start_front(server: Server, deadline: float) -> None:
    """Start the web server in front unless it runs; comes back when it answers."""
    if not process.find(server.home, "front", "default"):
        process.spawn(server.home, ["front"], process.environment(server.home), detach=True)
    while not _accepts(server.address, server.ports["front"]):
        if time.monotonic() > deadline:
            raise ServerError("%s: the web server in front does not answer" % server.name)
        time.sleep(0.03)


def stop_front(server: Server, deadline: float) -> None:
    """Stop the web server in front; comes back when it is gone."""
    task = process.find(server.home, "front", "default")
    if task:
        kill(task.pid, signal.SIGTERM)
    while process.find(server.home, "front", "default"):
        if time.monotonic() > deadline:
            raise ServerError("%s: the web server in front does not stop" % server.name)
        time.sleep(0.03)


def wait_until_up(server: Server, deadline: float) -> None:
    """Until every autoStart module runs and every port answers."""
    while True:
        missing = missing_tasks(server.home)
        if (server.has_front and not server.installed
                and not process.find(server.home, "front", "default")):
            missing.append("front end")
        missing = missing or _silent_ports(server)
        if not missing:
            return
        if time.monotonic() > deadline:
            raise ServerError("%s is not up: %s missing; see %s/log" % (
                server.name, ", ".join(missing), server.home.join("var/*")))
        time.sleep(0.03)


def _silent_ports(server: Server) -> List[str]:
    """The ports of started modules that do not answer.

    TCP ones are connected to; that a UDP one is held shows in /proc/net/udp.
    """
    settings = config.Config(server.home)
    web, syslogd = settings.settings("web"), settings.settings("syslogd")
    silent = []
    tcp = {}
    if server.has_front and not server.installed:
        tcp["front"] = server.ports["front"]
    if web.auto_start:
        tcp["web"] = web.number("httpPort", 8080)
    for name, port in tcp.items():
        if not _accepts(server.address, port):
            silent.append("%s (port %d)" % (name, port))
    port = syslogd_address(server, process.environment(server.home))[1]
    if syslogd.auto_start and not sockets.udp_bound(port, server.address):
        silent.append("syslogd (port %d)" % port)
    return silent


def _accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 0.5).close()
    except OSError:
        return False
    return True


def end(server: Server, at_once: bool = False) -> None:
    """Stop everything of a server, and leave nothing of it in the system; `at_once`: nothing of it
    is needed any more.
    """
    home = server.home
    if not at_once and os.path.exists(home.join("bin/nlserver")):
        try:
            subprocess.run([home.join("bin/nlserver"), "shutdown"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30,
                           check=False)
        except (OSError, subprocess.TimeoutExpired):
            pass  # broken by a fault; what follows needs no cooperation
    with account.privileged():
        _end_below(home.path, (signal.SIGKILL,) if at_once else (signal.SIGTERM, signal.SIGKILL))
        for name in os.listdir(home.run) if os.path.isdir(home.run) else []:
            os.unlink(os.path.join(home.run, name))
        trackinglogd.clear(server.shared_memory_keys)
        shutil.rmtree(server.other_device, ignore_errors=True)


def _end_below(path: str, signals: Sequence[signal.Signals]) -> None:
    """These signals, one after the other, to what works in a directory below this one."""
    for signal_number in signals:
        for pid in processes_below(path):
            kill(pid, signal_number)
            kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 2.0
        while processes_below(path) and time.monotonic() < deadline:
            time.sleep(0.03)


def processes_below(path: str) -> List[int]:
    """Every process that works in a directory below this one: the lab's modules and faults."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                where = os.readlink("/proc/%s/cwd" % name)
                with open("/proc/%s/stat" % name, "rb") as stream:
                    zombie = stream.read().rpartition(b")")[2].split()[0] == b"Z"
            except OSError:
                continue
            if (where + "/").startswith(path + "/lib/") and not zombie:
                found.append(int(name))
    return found


def unmount_below(path: str) -> None:
    """Undo the mounts that faults left."""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as table:
        points = [line.split()[1].replace("\\040", " ") for line in table]
    for point in reversed(points):
        if (point + "/").startswith(path + "/"):
            subprocess.run(["umount", point], check=False)


def purge(lab: Lab) -> None:
    """Remove the lab's whole tree."""
    unmount_below(lab.root)
    shutil.rmtree(lab.root)
