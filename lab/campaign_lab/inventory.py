"""The lab as an Ansible inventory (the JSON of a dynamic inventory)."""

from __future__ import annotations

import os

from campaign_lab.database import API_LOGIN
from campaign_lab.layout import LAB_PASSWORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from campaign_lab.lab import Lab
    from campaign_lab.layout import Server

QUIET_THRESHOLDS = (
    "load_warning_percent", "load_alert_percent", "memory_warning_percent",
    "memory_alert_percent", "swap_warning_percent", "swap_alert_percent",
)
"""What the machine under the lab does is no finding of the lab."""
# Nor does the time of the day matter: no line of the lab's is one of another server's daily restart.
CLOCKLESS = {"daily_restart_minutes": 0}


def inventory(lab: Lab) -> Dict[str, Any]:
    """Group ``campaign`` with one host a server."""
    hosts = {server.name: host_variables(server) for server in lab.servers.values()}
    return {"campaign": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}}


def host_variables(server: Server) -> Dict[str, Any]:
    """What a site would write for this server."""
    home = server.home
    described: Dict[str, Any] = {
        "campaign_home": home.path,
        "campaign_user": server.user,
        "campaign_thresholds": {**dict.fromkeys(QUIET_THRESHOLDS, 10000), **CLOCKLESS},
    }
    if os.geteuid() == 0 and not server.installed and os.stat(server.folder).st_uid == 0:
        # All of root's lab is below one folder; of another's, root keeps its record elsewhere.
        described["campaign_state_dir"] = os.path.join(server.folder, "remediation")
    if "web" in server.modules:
        described["campaign_api"] = [api(server, name) for name in server.instances]
    if "inMail" in server.modules:
        described["campaign_mailboxes"] = [mailbox(server, name) for name in server.instances]
    if "wfserver" in server.modules:
        described["campaign_jobs"] = [job for name in server.instances
                                      for job in jobs(server, name)]
    if "stat" in server.modules:
        described["campaign_quota_files"] = [home.join("conf", "quota-%s.conf" % name)
                                             for name in server.instances]
    return {**described, **(_installed(server) if server.installed else _beside_others(server))}


def _installed(server: Server) -> Dict[str, Any]:
    """A unit for the front end; all else is as the product expects it."""
    front = {"web", "trackinglogd"} & set(server.modules)
    return {"campaign_front_service": "apache2"} if front else {}


def _beside_others(server: Server) -> Dict[str, Any]:
    """It shares the machine with other servers and with whoever runs the lab."""
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "ansible_become": False,
        "campaign_address": server.address,
        "campaign_syslogd_port": server.ports["syslogd"],
        **_front(server),
        "campaign_tomcat_url": server.tomcat_url,
        "campaign_pid_file": server.home.pid_file,
        "campaign_shared_memory_keys": ["0x%08x" % key for key in server.shared_memory_keys],
    }


def _front(server: Server) -> Dict[str, Any]:
    """The web server in front, or the one elsewhere that tracks."""
    if not server.has_front:
        return {"campaign_front_url": "",
                "campaign_redirection_urls": [server.outside["redirection"]]}
    return {"campaign_front_url": server.front_url,
            "campaign_front_commands": {action: front_command(server, action)
                                        for action in ("start", "stop")}}


def front_command(server: Server, action: str) -> List[str]:
    """The web server in front is no unit here: labctl starts and stops it."""
    labctl = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "labctl")
    return [labctl, "front", action, "--root", server.root, "--server", server.name]


def api(server: Server, instance: str) -> Dict[str, Any]:
    """The operator that the tools log on as; where there is a choice, the host names the instance.

    The name fits the ``hosts`` of the instance's ``dataStore``.
    """
    found = {"instance": instance, "url": server.tomcat_url, "login": API_LOGIN,
             "password": LAB_PASSWORD}  # fmt: skip
    return found if len(server.instances) == 1 else {**found, "host": instance + ".example.com"}


def mailbox(server: Server, instance: str) -> Dict[str, Any]:
    """The bounce mailbox of an instance."""
    return {
        "instance": instance, "host": server.outside["address"],
        "port": server.outside["pop3_port"], "login": server.mailbox(instance),
        "password": LAB_PASSWORD,
    }


def jobs(server: Server, instance: str) -> List[Dict[str, Any]]:
    """One export and one import, as an operator would declare them."""
    var = server.home.join("var", instance)
    return [
        {
            "name": "contacts_export", "kind": "export", "instance": instance,
            "operator": "anna.berg",
            "arguments": {"full": ["-job:contacts_export", "-operator:anna.berg", "-mode:full"],
                          "delta": ["-job:contacts_export", "-mode:delta"]},
            "result": var + "/export/contacts_export*.csv",
            "rejects": "", "max_age_hours": 26, "max_minutes": 60, "keys": [],
        },
        {
            "name": "contacts_import", "kind": "import", "instance": instance,
            "operator": "paul.roux",
            "arguments": {"full": ["-job:contacts_import", "-mode:full"],
                          "delta": ["-job:contacts_import", "-mode:delta"]},
            "result": var + "/import/contacts_import*.done",
            "rejects": var + "/import/rejects*", "max_age_hours": 26, "max_minutes": 60,
            "keys": ["email"],
        },
    ]
