# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""init: a few questions, then an inventory and a configuration for a site that has neither.

No password is written in clear: it goes into a vault, or nowhere.
"""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from .configuration import NAME
from .errors import DoctorError
from .files import write_new
from .questions import Confirm, Prompt

HOSTS = "hosts.yml"
VAULT = Path("group_vars", "campaign", "vault.yml")
PASSWORD = "vault_campaign_api_password"
HOME = "/usr/local/neolane/nl6"
ACCOUNT = "neolane"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_INSTANCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass
class Site:
    """What was answered."""

    hosts: list[str]
    home: str = HOME
    account: str = ACCOUNT
    login: str = ""
    become: bool = True
    instance: str = ""
    operator: str = ""

    def inventory(self) -> str:
        """hosts.yml: only what differs from the default."""
        settings: dict[str, Any] = {}
        if self.home != HOME:
            settings["campaign_home"] = self.home
        if self.account != ACCOUNT:
            settings["campaign_user"] = self.account
        if self.login:
            settings["ansible_user"] = self.login
        if not self.become:
            settings["ansible_become"] = False
        if self.operator:
            settings["campaign_api"] = [{
                "instance": self.instance, "login": self.operator,
                "password": f"{{{{ {PASSWORD} }}}}",
            }]
        group: dict[str, Any] = {"hosts": dict.fromkeys(self.hosts)}
        if settings:
            group["vars"] = settings
        text: str = yaml.safe_dump({"campaign": group}, sort_keys=False)
        return text.replace(": null\n", ":\n")


def init(console: Console) -> None:
    """Ask, and write the files into the current directory. Raises DoctorError."""
    for path in (Path(HOSTS), Path(NAME), VAULT):
        if path.exists() or path.is_symlink():
            raise DoctorError(f"{path} is there already: init writes only new files. Nothing was"
                              " changed.")  # fmt: skip
    if not sys.stdin.isatty():
        raise DoctorError(
            "init asks questions and needs a terminal. Without one, write hosts.yml yourself:"
            " the tutorial shows how."
        )
    try:
        site, secret, vault_password = ask(console)
    except EOFError:
        raise DoctorError("The questions were not answered. Nothing was written.") from None
    written = write(site, secret, vault_password)
    console.print(f"\nWritten: {', '.join(map(str, written))}", highlight=False)
    if site.operator and not secret:
        console.print(
            f"The API's password is still missing. Create a vault that has it, as {PASSWORD}:\n"
            f"  ansible-vault create {VAULT}", highlight=False, soft_wrap=True,
        )
    more = " --ask-vault-pass" if secret else ""
    console.print(f"Next:\n  campaign-doctor check{more}\n  campaign-doctor diagnose{more}",
                  highlight=False)  # fmt: skip


def ask(console: Console) -> tuple[Site, str, str]:
    """The answers, the password of the API's operator and that of the vault; empty if not given."""
    console.print("Answers in brackets are taken with Enter. Nothing is written before the end.")
    names = _valid(console, "Hosts, separated by commas", "", lambda text: all(
        _HOST.fullmatch(name) for name in _names(text)
    ) and bool(_names(text)), "names or addresses such as app1.example.com")
    site = Site(_names(names))
    site.home = _valid(console, "Directory of the installation", HOME,
                       lambda text: text.startswith("/"), "an absolute path")  # fmt: skip
    site.account = _valid(console, "Account that Campaign runs as", ACCOUNT,
                          lambda text: bool(_ACCOUNT.fullmatch(text)), "an account")  # fmt: skip
    site.login = _valid(console, "Your login on the hosts (empty: as here)", "", lambda text: not text
                        or bool(_ACCOUNT.fullmatch(text)), "an account or nothing")  # fmt: skip
    site.become = Confirm.ask("Become root there with sudo", console=console, default=True)
    if not Confirm.ask("Look into the database through the server's API", console=console,
                       default=False):  # fmt: skip
        return site, "", ""
    site.instance = _valid(console, "Instance", "", lambda text: bool(_INSTANCE.fullmatch(text)),
                           "the name of an instance, such as prod")  # fmt: skip
    site.operator = _valid(console, "Operator of the API", "", bool, "the name of an operator")
    if not Confirm.ask("Keep the operator's password in a new vault", console=console, default=True):
        return site, "", ""
    return site, _secret(console, "Password of the operator"), _secret(console, "Password of the vault")


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _valid(
    console: Console, question: str, default: str, fits: Callable[[str], bool], expected: str
) -> str:
    """Ask until the answer can be used."""
    while True:
        given = Prompt.ask(question, console=console, default=default, show_default=bool(default))
        text = given.strip()
        if fits(text):
            return text
        console.print(f"That must be {expected}.", style="red", highlight=False)


def _secret(console: Console, question: str) -> str:
    """Ask twice, without showing it."""
    while True:
        first = getpass.getpass(f"{question}: ")
        if first and first == getpass.getpass("The same again: "):
            return first
        console.print("These differ, or are empty.", style="red")


def write(site: Site, secret: str, vault_password: str) -> list[Path]:
    """Write the files; all of them or none. Raises DoctorError."""
    contents = {
        Path(HOSTS): site.inventory(),
        Path(NAME): f'inventory = "{HOSTS}"\n',
    }
    if secret:
        contents[VAULT] = encrypted({PASSWORD: secret}, vault_password)
    done: list[Path] = []
    try:
        for path, text in contents.items():
            write_new(path, text.encode())
            done.append(path)
    except OSError as error:
        for path in done:
            path.unlink(missing_ok=True)
        raise DoctorError(
            f"{error.filename or 'A file'} cannot be written: {error.strerror or error}. Nothing was"
            " kept."
        ) from None
    return done


def encrypted(variables: dict[str, str], password: str) -> str:
    """A vault, as ansible-vault writes it."""
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415 -- slow to import

    secret = VaultSecret(password.encode())
    text: bytes = VaultLib([("default", secret)]).encrypt(yaml.safe_dump(variables), secret=secret)
    return text.decode()
