# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the terminal and the page show alike: hosts in a few words, equal root causes together.

Uses the standard library only: campaign_doctor has this very file, by a link, and reads its own
model.py with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import words

if TYPE_CHECKING:
    from ..model import Finding, Host, Report

STATUS_WORDS = {
    "unreachable": "UNREACHABLE",
    "failed": "NOT DIAGNOSED",
    "not_installed": "NO CAMPAIGN",
}
VERDICT_WORDS = {
    "down": "DOWN",
    "degraded": "DEGRADED",
    "unknown": "UNKNOWN",
    "healthy": "healthy",
}
# The order of module verdicts for the reader.
VERDICTS = ("down", "degraded", "unknown", "healthy")
# Kinds of change with their tone, and those of hosts in words.
CHANGES = {
    "new": "critical", "worse": "critical", "better": "ok", "gone": "ok", "unseen": "warning",
}
CHANGE_WORDS = {"gone": "fixed", "unseen": "not checked"}  # else the kind itself
HOST_CHANGES = {
    "appeared": "Hosts that were not in that run",
    "vanished": "Hosts that are not in this run",
    "lost": "Hosts without a diagnosis now",
    "back": "Hosts that have a diagnosis again",
}


# What to do about an error that holds one of these, in lower case; the first that fits.
ADVICE = (
    (("could not resolve hostname", "name or service not known"),
     "Correct the name in the inventory, or set ansible_host."),
    (("permission denied",),
     "Check ansible_user and its key: ssh must log in without a question."),
    (("host key verification failed",), "Check the host's key, and add it to known_hosts."),
    (("connection refused", "timed out", "no route to host", "network is unreachable"),
     "Check that the server runs and that ssh reaches it: ansible_host, ansible_port, firewall."),
    (("missing sudo password", "a password is required", "incorrect sudo password",
      "not in the sudoers", "sudo: command not found"),
     "Give sudo's password (--ask-become-pass), or see what the login may do: sudo -l."),
    (("vault",), "Give the vault's password: --ask-vault-pass, or --vault-password-file."),
    (("interpreter", "python"), "Install Python 3.6 or later, or set ansible_python_interpreter."),
    (("no space left",), "Free disk space on the host."),
    (("unknown instance",), "Name one of those that the server has."),
    (("was asked to stop",), "Run it again."),
)
OTHERWISE = ("Run it again with -v: it shows what Ansible said.", "Try to log in with ssh.")


class Cause(NamedTuple):
    """Root causes that are the same on one or more hosts."""

    finding: Finding  # of the first host
    places: list[tuple[str, Finding]]  # host and its finding
    explains: list[tuple[str, Finding]]

    @property
    def hosts(self) -> list[str]:
        """The hosts, each once."""
        return list(dict.fromkeys(host for host, _finding in self.places))

    @property
    def one_fix(self) -> bool:
        """Whether the fix reads the same everywhere."""
        return len({str(finding.fix) for _host, finding in self.places}) == 1


def causes(report: Report) -> list[Cause]:
    """The root causes; those of the same id are one entry with several hosts."""
    findings = {
        (host.name, finding.id): finding for host in report.hosts for finding in host.findings
    }
    groups: dict[str, Cause] = {}
    known: set[tuple[str, str, str]] = set()  # a cause, and host and id of its effects
    for root in report.roots:
        finding = findings[root.host, root.id]
        group = groups.setdefault(finding.id, Cause(finding, [], []))
        group.places.append((root.host, finding))
        for effect in root.explains:
            if (finding.id, effect.host, effect.id) not in known:
                known.add((finding.id, effect.host, effect.id))
                group.explains.append((effect.host, findings[effect.host, effect.id]))
    return list(groups.values())


def status_word(host: Host) -> str:
    """The verdict on a host in one or two words."""
    return STATUS_WORDS.get(host.status) or VERDICT_WORDS[host.verdict]


def advice(host: Host) -> str:
    """What to do about a host that has no diagnosis."""
    told = (host.error or "").casefold()
    if host.status == "not_installed":
        return (
            "Say where Campaign is installed (campaign_home), or leave the host out"
            f" (--limit 'all:!{words.clean(host.name)}')."
        )
    return next((text for marks, text in ADVICE if any(mark in told for mark in marks)), OTHERWISE[
        host.status == "unreachable"
    ])


def module_names(host: Host, verdict: str) -> list[str]:
    """Names of a host's modules with this verdict; the instance only where it matters."""
    alone = len(own_instances(host)) <= 1
    return [
        module.module if alone else words.label(module.module, module.instance)
        for module in host.modules
        if module.verdict == verdict
    ]


def own_instances(host: Host) -> list[str]:
    """A host's instances without the one that shared modules are said to belong to."""
    return [instance for instance in host.instances if instance != "default"]
