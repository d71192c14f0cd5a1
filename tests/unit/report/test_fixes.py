"""A fix is three things: what changes, what only looks, and words."""

from __future__ import annotations

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.report.shared import (
    fixes,
)

# Words of the catalogue's commands that change something.
CHANGE = ("start", "restart", "stop", "shutdown", "reload", "enable", "rm ", "chmod", "mkdir",
          "-postupgrade", "tracking -instance", "starts_with", "restarts_with", "{stop}")


@pytest.mark.parametrize(("text", "commands", "looks", "advice"), [
    (None, (), False, ""),
    ("# read the journal", (), False, "read the journal"),
    ("nlserver restart web", ("nlserver restart web",), False, ""),
    ("su - neolane -c 'nlserver pdump -who'", ("su - neolane -c 'nlserver pdump -who'",), True, ""),
    ("su - neolane -c 'nlserver pdump && nlserver stop web'",
     ("su - neolane -c 'nlserver pdump && nlserver stop web'",), False, ""),
    ("su - x -c '. /opt/nl6/env.sh; /opt/nl6/bin/nlserver pdump'",
     ("su - x -c '. /opt/nl6/env.sh; /opt/nl6/bin/nlserver pdump'",), True, ""),
    ("du -xk /var | sort -n | tail -20  # delete what is old", ("du -xk /var | sort -n | tail -20",),
     True, "delete what is old"),
    ("ls '/a  # b'  # and c", ("ls '/a  # b'",), True, "and c"),
    ("cat '/a  # b", ("cat '/a  # b",), False, ""),
    ("cat a > b", ("cat a > b",), False, ""),
    ("cat a&& rm b", ("cat a&& rm b",), False, ""),
    ("timedatectl", ("timedatectl",), True, ""),
    ("timedatectl set-ntp true", ("timedatectl set-ntp true",), False, ""),
    ("systemctl stop a\nls b", ("systemctl stop a", "ls b"), False, ""),
])
def test_the_parts(text: str | None, commands: tuple[str, ...], looks: bool, advice: str) -> None:
    assert fixes.of(text) == fixes.Fix(commands, looks, advice)


def test_the_catalogue() -> None:
    """Each of its commands either holds a word that changes, or is known to look."""
    for problem in CATALOGUE:
        for step in problem.fix.steps:
            if step.who != "advice":
                changes = any(word in step.template for word in CHANGE)
                assert fixes.of(step.template).looks is not changes, step.template
