"""What a new server needs besides its configuration: databases, mailboxes, small files.

Idempotent: what exists is left alone. The lab's own.
"""

from __future__ import annotations

import os

from campaign_lab import database
from campaign_lab.layout import LAB_PASSWORD
from campaign_lab.modules import frontend, stat, web

TYPE_CHECKING = False
if TYPE_CHECKING:
    from campaign_lab.layout import Server

CATALOGUE = "reference;label;price\nA-100;Coat;89.00\nA-101;Scarf;19.50\nA-102;Boots;120.00\n"


def create(server: Server) -> None:
    """Fill a new server."""
    from campaign_lab.config import Config
    from campaign_lab.outside import Outside

    peers = Outside.of(server.root, server.outside)
    home = server.home
    config = Config(home)
    _write(web.logon_page(home), web.LOGON_PAGE)
    _write(frontend.conf_path(home), frontend.CONF)
    os.makedirs(os.path.join(home.var, "default", "log"), exist_ok=True)
    for instance in server.instances:
        var = os.path.join(home.var, instance)
        for name in ("log", "mta", "redir/log", "redir/url", "export", "import", "upload"):
            os.makedirs(os.path.join(var, name), exist_ok=True)
        _write(os.path.join(var, "upload", "catalogue.csv"), CATALOGUE)
        _write(stat.quota_path(home, instance), stat.QUOTAS)
        login = server.mailbox(instance)
        if not server.installed:
            peers.add_mailbox(login, LAB_PASSWORD)
        database.create(
            database.configured(config, instance),
            (peers.address, peers.ports["pop3"], login, LAB_PASSWORD),
            server.outside.get("redirection") or server.front_url,
            LAB_PASSWORD,
            workflows=server.installed or "wfserver" in server.modules,
        )
        _write(os.path.join(var, "import", "contacts_import.csv"), _contacts())


def _contacts() -> str:
    lines = ["externalId;email;firstName;lastName"]
    lines += ["N%04d;contact%d@example.com;Contact;Number%d" % (n, n, n) for n in range(1, 9)]
    return "\n".join(lines) + "\n"


def _write(path: str, text: str) -> None:
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
