# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Argument specifications that several modules share."""

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from typing import Any, Dict


def server() -> "Dict[str, Dict[str, Any]]":
    """Which server is meant (doc fragment `server`)."""
    return {
        "home": dict(type="path", default="/usr/local/neolane/nl6"),
        "user": dict(type="str", default="neolane"),
        "address": dict(type="str", default="127.0.0.1"),
        "state_dir": dict(type="path", default=""),
        "service": dict(type="str", default="nlserver"),
    }


def api() -> "Dict[str, Dict[str, Any]]":
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


def job() -> "Dict[str, Dict[str, Any]]":
    """An export or import that a site declares (doc fragment `jobs`)."""
    words = dict(type="list", elements="str")
    return dict(
        name=dict(type="str", required=True),
        kind=dict(type="str", choices=["export", "import"], required=True),
        instance=dict(type="str", required=True),
        operator=dict(type="str"),
        arguments=dict(type="dict", options=dict(full=words, delta=words)),
        result=dict(type="str"),
        rejects=dict(type="str"),
        max_age_hours=dict(type="float"),
        max_minutes=dict(type="float"),
        keys=dict(type="list", elements="str", no_log=False),
        schema=dict(type="str", default="nms:recipient"),
    )
