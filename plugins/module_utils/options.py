# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Argument specifications that several modules share."""


def server():
    """Which server is meant (doc fragment `server`)."""
    return {
        "home": dict(type="path", default="/usr/local/neolane/nl6"),
        "user": dict(type="str", default="neolane"),
        "address": dict(type="str", default="127.0.0.1"),
        "state_dir": dict(type="path", default=""),
        "service": dict(type="str", default="nlserver"),
    }


def api():
    """How its API is reached (doc fragment `api`)."""
    return {
        "api": dict(
            type="list",
            elements="dict",
            default=[],
            options=dict(
                instance=dict(type="str", required=True),
                url=dict(type="str"),
                host=dict(type="str"),
                login=dict(type="str", required=True),
                password=dict(type="str", required=True, no_log=True),
            ),
        ),
        "api_from": dict(type="str", default="target", choices=["target", "controller"]),
        "api_timeout": dict(type="float", default=10),
        "api_validate_certs": dict(type="bool", default=True),
        "api_ca_path": dict(type="path", default=""),
        "api_client_cert": dict(type="path", default=""),
        "api_client_key": dict(type="path", default="", no_log=False),
        "api_use_proxy": dict(type="bool", default=False),
    }
