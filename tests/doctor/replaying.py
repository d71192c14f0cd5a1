"""campaign-doctor as it is, but what it starts as ansible-playbook is FAKE_ANSIBLE."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from campaign_doctor import cli, runner
from campaign_doctor.runner import Access

Environment = Callable[[Access, Path], dict[str, str]]


def finds(command: Path, real: Environment) -> Environment:
    """What campaign-doctor gives Ansible, with this command before all others."""

    def environment(access: Access, folder: Path) -> dict[str, str]:
        found = real(access, folder)
        return {**found, "PATH": f"{command.parent}{os.pathsep}{found['PATH']}"}

    return environment


if __name__ == "__main__":
    fake = finds(Path(os.environ["FAKE_ANSIBLE"]), runner._environment)
    runner._environment = fake  # type: ignore[assignment]
    cli.main()
