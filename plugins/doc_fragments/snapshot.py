# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to check and how: the options of campaign_info, which campaign_diagnose passes on.

Their argument specification is in modules/campaign_info.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of a snapshot."""

    DOCUMENTATION = r"""
options:
  instances:
    description:
      - The instances to look at. If empty, all that have a C(config-<instance>.xml).
      - The processes and the configuration are always those of the whole server.
    type: list
    elements: str
    default: []
  modules:
    description:
      - The modules that the caller is interested in, passed on in the result. If empty, all.
      - The probes do not depend on it, because the cause of a problem may be in another module.
    type: list
    elements: str
    default: []
    choices:
      - watchdog
      - syslogd
      - stat
      - mta
      - web
      - trackinglogd
      - tracking
      - inMail
      - wfserver
      - export
      - import
  probes:
    description:
      - The probes to run. If empty, all.
      - V(environment) and V(configuration) always run.
    type: list
    elements: str
    default: []
    choices:
      - environment
      - configuration
      - pdump
      - missing
      - processes
      - sockets
      - shared_memory
      - logs
      - storage
      - machine
      - service
      - http
      - network
      - jobs
      - ledger
      - api
  syslogd_port:
    description:
      - The UDP port of syslogd. If V(0), the one of C(TRACE_ADDR), in the environment of the
        running module or in C(customer.sh), else 666 or 6666.
    type: int
    default: 0
  log_window:
    description: How far back log files are read, in minutes. At most 1 MB of each is read.
    type: int
    default: 60
  timeout:
    description: The time limit of the whole call in seconds.
    type: float
    default: 20
  probe_timeout:
    description: The time limit of one probe in seconds.
    type: float
    default: 8
  front_url:
    description:
      - The URL of the front-end web server, before Tomcat, without a path.
        By default C(http://<address>).
      - An empty string means that there is none on this host.
      - Asked for C(/r/test) and C(/nl/jsp/logon.jsp). The certificate is not verified.
    type: str
  tomcat_url:
    description:
      - The URL of Tomcat, without a path.
        If empty, C(http://<address>:<httpPort>) with the configured port.
      - Asked for C(/nl/jsp/logon.jsp), and for C(/nl/jsp/soaprouter.jsp) with a GET, which is not
        a SOAP call and needs no session.
    type: str
    default: ""
  redirection_urls:
    description: URLs of other redirection servers that the tracking of this host fetches from.
    type: list
    elements: str
    default: []
  mailboxes:
    description:
      - The bounce mailboxes of the instances. They are in the database, so they are declared here.
      - Without a login and a password, only the greeting of the server is read.
    type: list
    elements: dict
    default: []
    suboptions:
      instance:
        description: The instance that reads the mailbox.
        type: str
        required: true
      host:
        description: The POP3 server.
        type: str
        required: true
      port:
        description:
          - Its port. With V(995) the connection is encrypted (POP3S).
          - If omitted, 110 is tried, then 995 if nothing answers. The port of the
            external account in the database takes precedence.
        type: int
      login:
        description: The login of the mailbox.
        type: str
      password:
        description: The password of the mailbox. It is never returned.
        type: str
  quota_files:
    description: Files that require C(nlserver stat -reload) after a change.
    type: list
    elements: path
    default: []
  shared_memory_keys:
    description:
      - The keys of the shared memory segments and semaphores that belong to the server, decimal or
        with C(0x).
      - If empty, all of the account, and those with the keys that the vendor publishes
        (C(0x52020679), C(0x52020678)), which the web server's account may own.
    type: list
    elements: str
    default: []
  pid_file:
    description: The pid file of the server. If empty, the one that the unit of the service names.
    type: str
    default: ""
  front_service:
    description: The systemd unit of the front-end web server, for example V(apache2).
    type: str
    default: ""
  restartable_workflows:
    description:
      - Internal names of the site's own workflows that may be started again when they have failed.
      - The vendor's technical workflows need not be listed.
    type: list
    elements: str
    default: []
"""
