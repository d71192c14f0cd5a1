"""docs/user/notifications.md: each configuration in it is one, and its table has every key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from campaign_doctor import configuration
from campaign_doctor.notify.settings import Notify, Webhook
from campaign_doctor.notify.targets import MISSING, targets
from campaign_doctor.shared import webhook
from integration.harness import CHECKOUT

PAGE = (CHECKOUT / "docs" / "user" / "notifications.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^### ([^\n]*)\n(?:(?!^###).)*?```toml\n(.*?)```", PAGE, re.M | re.S)
SERVICES = {
    "Mail": ["E-Mail"], "Microsoft Teams": ["Power Automate"], "Slack": ["Slack"],
    "A webhook": ["https://events.example.com"], "All keys": ["E-Mail", "Slack"],
}


def test_there_is_a_block_for_each_kind() -> None:
    assert [title for title, _block in BLOCKS] == list(SERVICES)
    assert PAGE.count("```toml") == len(BLOCKS)


@pytest.mark.parametrize(("title", "block"), BLOCKS, ids=[title for title, _block in BLOCKS])
def test_each_block_gives_its_targets(title: str, block: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / "urls").write_text("mailtos://a:b@example.com\n")
    file = tmp_path / "campaign-doctor.toml"
    file.write_text(block.replace("/etc/campaign/event-token", "token")
                    .replace("/etc/campaign/notify-urls", "urls"))
    made = targets(configuration.load(file).notify, [], tmp_path)
    assert len(made) == len(SERVICES[title])
    for target, service in zip(made, SERVICES[title], strict=True):
        assert service in target.name


def test_the_other_mail_of_the_page_is_one() -> None:
    (url,) = re.findall(r"`(mailto://[^`]*)`", PAGE)
    assert "E-Mail" in targets(Notify(), [url], Path())[0].name


def test_the_table_has_every_key() -> None:
    table = PAGE.partition("| key | default |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", table, re.M)
    defaults = {name: Notify().model_dump()[name] for name, _default in rows}
    assert [name for name, _default in rows] == list(Notify.model_fields)
    assert all(str(value).lower() == text.strip("`") for (_name, text), value in
               zip(rows, defaults.values(), strict=True) if text != "none")
    assert all(f"`{name}`" in table for name in Webhook.model_fields)
    all_keys = dict(BLOCKS)["All keys"]
    assert set(re.findall(r"^(\w+) =", all_keys, re.M)) == set(Notify.model_fields) - {"webhook"}


def test_the_attempts_are_those_of_the_code() -> None:
    numbers = {3: "three"}
    within = f"tried {numbers[webhook.ATTEMPTS]} times within {webhook.WHOLE_SECONDS:.0f} seconds"
    assert within in PAGE.replace("\n", " ")


def test_the_version_of_apprise_is_the_one_that_is_declared() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (apprise,) = project["optional-dependencies"]["notify"]
    assert f"'{apprise}'" in MISSING and f"'{apprise}'" in PAGE
