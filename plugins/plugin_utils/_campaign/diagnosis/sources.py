# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where the vendor documents what the catalogue says: every page once, by a short name."""

from __future__ import annotations

BASE = "https://experienceleague.adobe.com/docs/campaign-classic/using/"

ARTICLES = "https://experienceleague.adobe.com/docs/experience-cloud-kcs/kbarticles/"

_MONITORING = "monitoring-campaign-classic/"
_INSTALLING = "installing-campaign-classic/"

SOURCES: dict[str, str] = {
    "administration": _MONITORING + "production-procedures/administration",
    "configuration": _MONITORING + "production-procedures/configuration",
    "configuration_file": _INSTALLING + "appendices/the-server-configuration-file",
    "connect": _MONITORING + "troubleshooting/failure-to-connect",
    "delivery_statuses": "sending-messages/monitoring-deliveries/delivery-statuses",
    "deliverability": _INSTALLING + "additional-configurations/email-deliverability",
    "delivery_failures": "sending-messages/monitoring-deliveries/understanding-delivery-failures",
    "imports_exports": "getting-started/importing-and-exporting-data/generic-imports-and-exports",
    "linux": _INSTALLING
    + "installing-campaign-in-linux-/prerequisites-of-campaign-installation-in-linux",
    "linux_packages": _INSTALLING
    + "installing-campaign-in-linux-/installing-packages-with-linux",
    "linux_web_server": _INSTALLING
    + "installing-campaign-in-linux-/integration-into-a-web-server-for-linux",
    "log_files": _MONITORING + "production-procedures/log-files",
    "log_precision": _MONITORING + "troubleshooting/log-precision",
    "modules": _MONITORING + "troubleshooting/modules-and-frequent-issues",
    "monitoring": _MONITORING + "production-procedures/monitoring-processes",
    "network": _INSTALLING + "prerequisites-and-recommendations-/network-configuration",
    "operating_principle": _MONITORING + "production-procedures/operating-principle",
    "performance": _MONITORING + "troubleshooting/performance-and-throughput-issues",
    "release_notes": "release-notes/latest-release",
    "security_zones": _INSTALLING + "additional-configurations/security-zones",
    "stack_trace": _MONITORING + "troubleshooting/stack-trace-in-linux",
    "temporary_files": _MONITORING + "troubleshooting/temporary-files",
    "tracking_logs": _MONITORING + "troubleshooting/tracking-logs-issues",
    "tracking_troubleshooting": "sending-messages/tracking-messages/tracking-troubleshooting",
    "tracking_parameters": "configuring-campaign-classic/setting-up-web-tracking/"
    "additional-parameters",
    "url_permissions": _INSTALLING + "additional-configurations/url-permissions",
    "usual_commands": _MONITORING + "production-procedures/usual-commands",
    "workflow": _MONITORING + "troubleshooting/workflow-execution",
    "workflow_life_cycle": "automating-with-workflows/executing-a-workflow/workflow-life-cycle",
}


def shown(name: str) -> str:
    """A source of the table of log lines: a page, an article of the vendor's support, or words."""
    if name in SOURCES:
        return url(name)
    return f"{ARTICLES}{name}.html" if name.startswith("KA-") else name


def url(name: str) -> str:
    """The address of a page."""
    return f"{BASE}{SOURCES[name]}.html"
