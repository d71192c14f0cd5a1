"""The texts of each finding: all there, none too many, without holes."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis import (
    explained,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.catalogue import (
    BY_KEY,
    CATALOGUE,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.diagnosis.model import (
    Problem,
)
from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.snapshot.thresholds import (
    Thresholds,
)


@pytest.mark.parametrize("problem", CATALOGUE, ids=lambda problem: problem.key)
def test_a_finding_has_all_texts(problem: Problem) -> None:
    texts = explained.explained(problem)
    for text in astuple(texts):
        assert text and "MODULE" not in text and "  " not in text, text
        assert not re.search(r"<\w+>|\{\w+\}|`", text), text
    for text in (texts.means, texts.users, texts.seen, texts.fails):
        assert text.endswith((".", ")")), text


def test_no_text_is_about_a_finding_that_is_no_more() -> None:
    names = {problem.name for problem in CATALOGUE}
    for section in explained.sections():
        module, _dot, name = section.partition(".")
        assert section in BY_KEY or (module == "MODULE" and name in names), section


def test_a_threshold_that_is_named_is_one() -> None:
    known = set(dict(Thresholds().values()))
    for problem in CATALOGUE:
        for name in re.findall(r"(\w+_\w+) \(campaign_thresholds\)", explained.explained(problem).seen):
            assert name in known, f"{problem.key}: {name}"
