"""``labctl install``: one server as a package would install it, on a machine of its own.

The account, ``/usr/local/neolane/nl6``, the unit ``nlserver.service`` and, if there is an Apache,
the configuration that makes it the front end. Nothing is started: that is for systemd. The mail
servers, the database and the other servers of the topology are the machine's or elsewhere.
"""

from __future__ import annotations

import os
import pwd
import subprocess

from campaign_lab import account, initscript, server as servers
from campaign_lab.builds import BUILDS, CURRENT
from campaign_lab.lab import Lab
from campaign_lab.layout import (
    DOCUMENTED_PORTS,
    EVERYWHERE,
    INSTANCE_MODULES,
    REDIRECTION_PORT,
    SERVER_PORTS,
    SHARED_MODULES,
    Server,
    documented_ports,
    write_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

HOME = "/usr/local/neolane/nl6"
ACCOUNT = "neolane"
UNITS = "/etc/systemd/system"
INIT_SCRIPTS = "/etc/init.d"
APACHE = "/etc/apache2"
ALWAYS = ("syslogd",)
"""Runs wherever anything of Campaign runs."""

# The vendor's unit is not public. What is: its name, what it starts and as whom. The capability
# is for syslogd's port, where that is one of root's: the account is not root.
NLSERVER_UNIT = """\
[Unit]
Description=Adobe Campaign server (stand-in)
After=network.target

[Service]
Type=forking
User={account}
PIDFile={home}/var/.lab/run/nlserver.pid
ExecStart={home}/bin/nlserver watchdog -svc -noconsole
ExecStop={home}/bin/nlserver shutdown
{capability}KillMode=process

[Install]
WantedBy=multi-user.target
"""
# The redirection module is the vendor's, and part of Apache's process in life.
REDIRECTION_UNIT = """\
[Unit]
Description=Adobe Campaign redirection (stand-in for the Apache module)
PartOf=apache2.service

[Service]
User={account}
WorkingDirectory={home}/lib
Environment=PYTHONHOME={home}/lib/python
ExecStart=@{home}/lib/nlsrvmod nlsrvmod redirection -instance:default -noconsole

[Install]
WantedBy=apache2.service
"""
APACHE_CONF = """\
# The front end of a Campaign server: the relay to Tomcat, and the redirection.
ServerName {name}
ProxyTimeout 10
<Proxy *>
  Require all granted
</Proxy>
ProxyPass /nl/ http://127.0.0.1:{http}/nl/ retry=0
ProxyPass /r/ http://127.0.0.1:{redirection}/r/ retry=0
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command line of ``labctl install``."""
    parser.add_argument("--home", default=HOME, metavar="DIR", help="default: %s" % HOME)
    parser.add_argument("--account", default=ACCOUNT, metavar="NAME",
                        help="made if it is not there (default: %s)" % ACCOUNT)
    parser.add_argument("--name", default=os.uname().nodename, metavar="HOST",
                        help="how others call this machine (default: its name)")
    parser.add_argument("--instance", action="append", default=[], metavar="NAME",
                        help="several allowed; default: prod")
    parser.add_argument("--module", action="append", default=[], metavar="NAME",
                        help="what runs here (several allowed; default: all); syslogd always does")
    parser.add_argument("--build", default=CURRENT.name, choices=list(BUILDS),
                        help="default: %s" % CURRENT.name)
    parser.add_argument("--syslogd-port", type=int, default=0, metavar="PORT",
                        help="default: that of the build")
    parser.add_argument("--database", default="", metavar="URL",
                        help="postgresql://login:password@host:port/name; the instance's schema"
                             " there is shared by all servers (default: SQLite on this machine)")
    parser.add_argument("--stat", default="", metavar="HOST[:PORT]",
                        help="the statistics server of mta (default: this machine's)")
    parser.add_argument("--mail", default="127.0.0.1", metavar="HOST",
                        help="relay of mta and POP3 server of inMail (default: this machine)")
    parser.add_argument("--redirection", default="", metavar="URL",
                        help="where tracking fetches from (default: http://<name>)")


def install(options: argparse.Namespace, root: str) -> None:
    """Install the server, or update the installed one to these options."""
    modules = tuple(options.module) or SHARED_MODULES + INSTANCE_MODULES
    unknown = set(modules) - set(SHARED_MODULES + INSTANCE_MODULES)
    if unknown:
        raise servers.ServerError("no module: %s" % " ".join(sorted(unknown)))
    if os.geteuid() != 0:
        raise servers.ServerError("install is for root")
    place = os.path.dirname(options.home)
    _account(options.account, place)
    lab = Lab(root or place + "/.lab")
    build = BUILDS[options.build]
    ports = {**documented_ports(SERVER_PORTS, build), "redirection": REDIRECTION_PORT}
    if options.syslogd_port:
        ports["syslogd"] = options.syslogd_port
    outside = {"address": options.mail, "smtp_port": DOCUMENTED_PORTS["smtp"],
               "pop3_port": DOCUMENTED_PORTS["pop3"], "redirection": options.redirection,
               "stat": options.stat}
    server = Server(options.name, lab.root, EVERYWHERE, options.instance or ["prod"], ports,
                    options.account, outside, options.home, [*ALWAYS, *modules], installed=True,
                    build=build.name)
    lab.servers = {server.name: server}
    os.makedirs(lab.root, exist_ok=True)
    lab.save()
    python = account.python()
    servers.install_sources(lab, python)
    servers.install_python(lab, python)
    if options.database:
        servers.install_driver(lab, python)
    servers.create(lab, server, python, options.database)
    _own(place, options.account)
    values = {"account": server.user, "home": server.home.path, "name": server.name,
              "http": ports["http"], "redirection": REDIRECTION_PORT}
    if build.unit:
        capability = "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" * (ports["syslogd"] < 1024)
        write_text(UNITS + "/nlserver.service",
                   NLSERVER_UNIT.format(capability=capability, **values), 0o644)
    else:
        initscript.write(INIT_SCRIPTS, server)
    if os.path.isdir(APACHE):
        write_text(UNITS + "/nlsrvmod.service", REDIRECTION_UNIT.format(**values), 0o644)
        write_text(APACHE + "/conf-available/campaign.conf", APACHE_CONF.format(**values), 0o644)
        for command in (["a2enmod", "-q", "proxy_http"], ["a2enconf", "-q", "campaign"]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _account(name: str, home: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", "--create-home", "--home-dir", home,
                        "--shell", "/bin/bash", name], check=True)
    os.makedirs(home, exist_ok=True)


def _own(place: str, name: str) -> None:
    """All of it is the account's."""
    found = pwd.getpwnam(name)
    for directory, names, files in os.walk(place):
        for each in [".", *names, *files]:
            os.lchown(os.path.join(directory, each), found.pw_uid, found.pw_gid)
