"""The local connection, until a file says that it is cut: tests put that file there."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import local

DOCUMENTATION = """
name: cut
short_description: the local connection, until it is cut
description: Runs commands here, and fails as a lost connection does once the file is there.
options:
  cut_file:
    description: The file whose presence cuts the connection.
    vars: [{name: cut_file}]
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(local.Connection):
    """What runs when the connection is cut goes on; nobody hears of its end."""

    transport = "cut"

    def exec_command(self, *arguments: Any, **more: Any) -> Any:
        """Run it, unless or until the connection is cut."""
        self._look()
        result = super().exec_command(*arguments, **more)
        self._look()
        return result

    def _look(self) -> None:
        if os.path.exists(self.get_option("cut_file")):
            raise AnsibleConnectionFailure("the connection was cut")
