# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the server's own API (SOAP) is reached.

Their argument specification is in module_utils/_campaign/options.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the API."""

    DOCUMENTATION = r"""
options:
  api:
    description:
      - The credentials of the server's API, one entry an instance. Keep them in a vault.
      - Without them, what is only in the database is not checked. The report says so.
      - C(docs/user/api.md) says which rights the operator needs.
    type: list
    elements: dict
    default: []
    suboptions:
      instance:
        description: The instance.
        type: str
        required: true
      url:
        description:
          - The URL of its application server, without a path. By default this host's Tomcat.
        type: str
      host:
        description:
          - The HTTP header C(Host), by which the server chooses the instance
            (C(dataStore hosts) of its configuration). By default that of O(api[].url).
        type: str
      login:
        description: The operator to log on as.
        type: str
        required: true
      password:
        description: The password of the operator. It is never returned.
        type: str
        required: true
  api_from:
    description:
      - From where the API is asked.
      - V(target) is the host itself, which security zones mostly allow as C(127.0.0.1).
      - V(controller) is for servers that answer only to other addresses. Then each entry of
        O(api) should have a C(url).
    type: str
    choices: [target, controller]
    default: target
  api_timeout:
    description: The time limit of all calls to the API of an instance together, in seconds.
    type: float
    default: 10
  api_validate_certs:
    description: Whether the certificate of the server is verified.
    type: bool
    default: true
  api_ca_path:
    description: A file with further certificate authorities, where the API is asked from.
    type: path
    default: ""
  api_client_cert:
    description: A client certificate (PEM), where the API is asked from.
    type: path
    default: ""
  api_client_key:
    description: The key of O(api_client_cert), if that file does not hold it.
    type: path
    default: ""
  api_use_proxy:
    description: Whether the proxy of the environment is used.
    type: bool
    default: false
"""
