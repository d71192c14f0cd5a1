"""mute and unmute: what they write into an inventory, and what they refuse."""

from __future__ import annotations

import os
import stat
import textwrap
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from ansible_collections.campaign.remediation.plugins.plugin_utils._campaign.planning.policy import (
    InvalidPolicy,
    Policy,
)
from campaign_doctor import doctor, inventories, mute
from campaign_doctor.errors import DoctorError
from campaign_doctor.muted import CannotChangeError, added, entries, removed
from campaign_doctor.runner import Ended, PlaybookRun
from doctor.harness import SECONDS, Done
from doctor.replay import Replay

KEY = "host.disk_filling"
ENTRY: dict[str, Any] = {"key": KEY, "until": date(2099, 12, 31), "reason": "CHG-1: enlarges it"}
BLOCK = ["- key: host.disk_filling", "  until: 2099-12-31", "  reason: 'CHG-1: enlarges it'"]
FLOW = "{key: host.disk_filling, until: 2099-12-31, reason: 'CHG-1: enlarges it'}"


def lines(*given: str, column: int = 0) -> str:
    return "".join(f"{' ' * column}{line}\n" for line in given)


# --- the text ---------------------------------------------------------------------------------

OTHER = "key: web.slow, until: 2099-01-01, reason: known"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "campaign_muted:\n" + lines(*BLOCK, column=2)),
        ("---\n# ours\na: 1", "---\n# ours\na: 1\ncampaign_muted:\n" + lines(*BLOCK, column=2)),
        ("campaign_muted: []\nb: 2\n", "campaign_muted:\n" + lines(*BLOCK, column=2) + "b: 2\n"),
        ("campaign_muted:   # known\nb: 2\n",
         "campaign_muted:   # known\n" + lines(*BLOCK, column=2) + "b: 2\n"),
        ("campaign_muted: [] # known\n", "campaign_muted: # known\n" + lines(*BLOCK, column=2)),
        # The columns, the comments and the quotes of whoever wrote the file stay.
        ("campaign_muted:\n- {%s}  # until May\n\n# next\nb:   'x'\n" % OTHER,
         "campaign_muted:\n- {%s}  # until May\n" % OTHER + lines(*BLOCK) + "\n# next\nb:   'x'\n"),
        ("campaign_muted:\n    # disks\n    - key: web.slow\n      until: 2099-01-01\n      reason: >-\n"
         "        two\n        lines\n    # the end\nb: [1,2]",
         "campaign_muted:\n    # disks\n    - key: web.slow\n      until: 2099-01-01\n      reason: >-\n"
         "        two\n        lines\n" + lines(*BLOCK, column=4) + "    # the end\nb: [1,2]"),
        ("campaign_muted:\n  - {%s}" % OTHER,
         "campaign_muted:\n  - {%s}\n" % OTHER + lines(*BLOCK, column=2)),
        ("campaign_muted:\r\n  - {%s}\r\nb: 1\r\n" % OTHER,
         ("campaign_muted:\n  - {%s}\n" % OTHER + lines(*BLOCK, column=2)).replace("\n", "\r\n")
         + "b: 1\r\n"),
        ("campaign_muted: [{%s}]  # one\n" % OTHER, "campaign_muted: [{%s}, %s]  # one\n" % (OTHER, FLOW)),
        # A block scalar at the end, in which a line looks like a comment.
        ("campaign_muted:\n  - key: web.slow\n    until: 2099-01-01\n    reason: |\n      a\n      # b\n",
         "campaign_muted:\n  - key: web.slow\n    until: 2099-01-01\n    reason: |\n      a\n      # b\n"
         + lines(*BLOCK, column=2)),
        # What a vault closes stays as it is.
        ("secret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nb: &x 1\nc: *x\n",
         "secret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nb: &x 1\nc: *x\ncampaign_muted:\n"
         + lines(*BLOCK, column=2)),
    ],
)  # fmt: skip
def test_an_entry_is_added_and_nothing_else_is_touched(before: str, after: str) -> None:
    assert added(before, ENTRY) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\ncampaign_muted: # known\n" + lines(*BLOCK) + "b: 2\n",
         "a: 1\ncampaign_muted: [] # known\nb: 2\n"),
        ("campaign_muted:\n  - {%s}  # slow\n  # the disk\n" % OTHER + lines(*BLOCK, column=2) + "\nb: 2\n",
         "campaign_muted:\n  - {%s}  # slow\n  # the disk\n\nb: 2\n" % OTHER),
        ("campaign_muted:\n" + lines(*BLOCK, column=2) + "  # slow\n  - {%s}\n" % OTHER,
         "campaign_muted:\n  # slow\n  - {%s}\n" % OTHER),
        ("campaign_muted: [{%s}, %s]\n" % (OTHER, FLOW), "campaign_muted: [{%s}]\n" % OTHER),
        ("campaign_muted: [%s, {%s}]\n" % (FLOW, OTHER), "campaign_muted: [{%s}]\n" % OTHER),
        ("campaign_muted: [%s]\n" % FLOW, "campaign_muted: []\n"),
        ("campaign_muted:\n" + lines(*BLOCK, *BLOCK), "campaign_muted: []\n"),
        ("campaign_muted:\n- {%s}\n" % OTHER, "campaign_muted:\n- {%s}\n" % OTHER),
        ("a: 1\n", "a: 1\n"),
    ],
)  # fmt: skip
def test_an_entry_is_removed_and_nothing_else_is_touched(before: str, after: str) -> None:
    assert removed(before, lambda entry: entry["key"] == KEY) == after


def test_in_an_inventory_the_list_of_the_group_is_changed() -> None:
    text = textwrap.dedent("""\
        campaign:
          vars:
            campaign_muted: []
          hosts:
            app1: {campaign_muted: []}  # the first
        """)
    where = ("campaign", "vars")
    changed = added(text, ENTRY, where)
    assert changed == text.replace("muted: []\n", "muted:\n" + lines(*BLOCK, column=6))
    assert entries(changed, where) == [ENTRY]
    assert removed(changed, lambda _entry: True, where) == text


@pytest.mark.parametrize(
    "text",
    [
        "campaign_muted: '{{ ours + theirs }}'\n",
        "campaign_muted: {key: mta.hung}\n",
        "- a list\n",
        "{a: 1}\n",  # nothing can follow it
        "a: 1\n...\n",
        "a: &x [{key: 1}]\ncampaign_muted: *x\n",  # the same list as another
        "a: [1\n",
    ],
)
def test_what_only_a_person_can_change_is_left_alone(text: str) -> None:
    with pytest.raises(CannotChangeError):
        added(text, ENTRY)


# --- what is written is what the policy takes ---------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2099-12-31", "2099-12-31T06:00", "2099-12-31T06:00:00Z", "2099-12-31 06:00:00+01:00",
     "2099-12-32", "soon", "2099-12", "2099", "9999-12-31", "31.12.2099"],
)  # fmt: skip
def test_an_end_is_taken_exactly_if_the_policy_takes_it(text: str) -> None:
    def policy(until: Any) -> float:
        written = yaml.safe_load(added("", {"key": KEY, "until": until, "reason": "known"}))
        return Policy.of({"muted": written["campaign_muted"]}).mutes[0].until

    try:
        end = mute._end(text)
    except DoctorError:
        with pytest.raises(InvalidPolicy):
            policy(text)
    else:
        assert policy(end) == policy(text)


# --- the command ------------------------------------------------------------------------------

TOMORROW = (datetime.now() + timedelta(days=1)).date().isoformat()
INVENTORY = """\
campaign:
  hosts:
    app1:
    app2:
    app3:
"""


@pytest.fixture
def site(replay: Replay) -> Replay:
    files(replay, {"hosts.yml": INVENTORY, "campaign-doctor.toml": 'inventory = "hosts.yml"\n'})
    return replay


def files(site: Replay, contents: dict[str, str]) -> None:
    for name, text in contents.items():
        path = site.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def muted(site: Replay, *words: str, key: str = KEY) -> Done:
    return site.run("mute", key, "--until", TOMORROW, "--reason", "CHG-1", *words)


def found(site: Replay, name: str) -> Any:
    return yaml.safe_load((site.work / name).read_text())["campaign_muted"]


def test_of_one_host_and_back(site: Replay) -> None:
    done = muted(site, "--host", "app1", "--instance", "prod", "--yes")
    assert done.code == 0, str(done)
    assert f"+    until: {TOMORROW}" in done.out and "Written: " in done.err
    path = site.work / "host_vars" / "app1.yml"
    (entry,) = found(site, "host_vars/app1.yml")
    assert entry == {"key": KEY, "instance": "prod", "until": date.fromisoformat(TOMORROW),
                     "reason": "CHG-1"}  # fmt: skip
    (policy,) = Policy.of({"muted": [entry]}).mutes
    assert (policy.key, policy.instance, policy.host) == (KEY, "prod", None)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((site.work / "hosts.yml").stat().st_mode)
    done = site.run("unmute", KEY, "--host", "app1", "--yes")
    assert done.code == 0 and found(site, "host_vars/app1.yml") == [], str(done)
    done = site.run("unmute", KEY, "--host", "app1", "--yes")
    assert done.code == 0 and "There is no such mute. Nothing was changed." in done.err


def test_of_all_hosts(site: Replay) -> None:
    assert muted(site, "--yes").code == 0
    assert [entry["key"] for entry in found(site, "group_vars/all.yml")] == [KEY]


def test_a_second_time_it_takes_the_place_of_the_first(site: Replay) -> None:
    assert muted(site, "--yes").code == 0
    assert muted(site, "--yes", "--instance", "prod").code == 0
    done = site.run("mute", KEY, "--until", "2099-12-31", "--reason", "CHG-2", "--yes")
    assert done.code == 0, str(done)
    told = [(entry.get("instance"), entry["reason"]) for entry in found(site, "group_vars/all.yml")]
    assert told == [("prod", "CHG-1"), (None, "CHG-2")]


GROUP = f"# by hand\ncampaign_muted:\n- {{{OTHER}}}\n"


def test_where_the_hosts_have_it_already(site: Replay) -> None:
    """A list of its own would hide that of the group from the host."""
    files(site, {"group_vars/campaign/main.yml": GROUP, "group_vars/campaign/vault.yml":
                 "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "group_vars/all.yml": GROUP})  # fmt: skip
    assert muted(site, "--host", "app1", "--yes").code == 0
    assert not (site.work / "host_vars").exists()
    text = (site.work / "group_vars/campaign/main.yml").read_text()
    assert text.startswith(GROUP)
    assert found(site, "group_vars/campaign/main.yml")[1]["host"] == "app1"
    assert (site.work / "group_vars/all.yml").read_text() == GROUP


def test_of_all_hosts_it_goes_where_each_of_them_has_it(site: Replay) -> None:
    files(site, {"host_vars/app2.yaml": GROUP, "hosts.yml": INVENTORY.replace(
        "    app3:\n", f"    app3: {{campaign_muted: [{{{OTHER}}}]}}\n")})  # fmt: skip
    assert muted(site, "--yes").code == 0
    assert [len(found(site, name)) for name in ("group_vars/all.yml", "host_vars/app2.yaml")] == [1, 2]
    hosts = yaml.safe_load((site.work / "hosts.yml").read_text())["campaign"]["hosts"]
    assert [entry["key"] for entry in hosts["app3"]["campaign_muted"]] == ["web.slow", KEY]


def named(text: str) -> str:
    """A list whose entry names the place where it is."""
    return f"campaign_muted: [{{key: web.slow, until: 2099-01-01, reason: {text}}}]\n"


TREE = """\
all:
  vars: {campaign_muted: [{key: web.slow, until: 2099-01-01, reason: inline all}]}
  children:
    outer:
      vars: {campaign_muted: [{key: web.slow, until: 2099-01-01, reason: inline outer}]}
      children:
        inner:
          hosts: {app1: , app2: {campaign_muted: [{key: web.slow, until: 2099-01-01, reason: inline app2}]}}
    other: {hosts: {app1: , app3: }}
    loud: {hosts: {app4: }, vars: {ansible_group_priority: 5}}
    zest: {hosts: {app4: , app5: }}
"""
LAYOUTS: list[dict[str, str]] = [
    {}, {"group_vars/all.yml": "all"}, {"group_vars/all/b.yml": "b", "group_vars/all/a.yaml": "a"},
    {"group_vars/outer.yml": "outer", "group_vars/all.yml": "all"},
    {"group_vars/outer.yml": "outer", "group_vars/inner": "inner", "group_vars/other.yml": "other"},
    {"group_vars/loud.yml": "loud", "group_vars/zest.yml": "zest"},
    {"host_vars/app1.yml": "app1", "host_vars/app2/x.yml": "app2", "host_vars/app3": "app3"},
    {"host_vars/app1.yaml": "yaml", "host_vars/app1.yml": "yml", "group_vars/inner/deep/z.yml": "z"},
]


@pytest.mark.parametrize("directory", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_list_that_is_changed_is_the_one_that_ansible_takes(
    tmp_path: Path, layout: dict[str, str], directory: bool
) -> None:
    (tmp_path / "hosts.yml").write_text(TREE)
    for name, text in layout.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(named(text))
    source = str(tmp_path if directory else tmp_path / "hosts.yml")
    loader = DataLoader()
    manager = InventoryManager(loader, sources=[source])
    variables = VariableManager(loader, manager)
    inventory = inventories.Inventory([source])
    assert inventory.hosts == [f"app{number}" for number in range(1, 6)]
    for host in inventory.hosts:
        taken = variables.get_vars(host=manager.get_host(host))["campaign_muted"]
        place = inventory.place(host)
        assert place is not None
        assert entries(place.path.read_text(), place.where) == [dict(taken[0])]
        assert host in place.hosts


def test_an_ini_inventory_gets_files_of_variables(site: Replay) -> None:
    files(site, {"hosts.ini": "[campaign]\napp[1:3]\n", "campaign-doctor.toml": 'inventory = "hosts.ini"\n'})
    assert muted(site, "--host", "app2", "--yes").code == 0
    assert [entry["key"] for entry in found(site, "host_vars/app2.yml")] == [KEY]


def test_what_holds_for_others_is_not_taken_from_one(site: Replay) -> None:
    assert muted(site, "--yes").code == 0
    done = site.run("unmute", KEY, "--host", "app1", "--yes")
    assert done.code == 5 and "holds for 3 hosts: without --host it ends for all" in done.err
    assert site.run("unmute", KEY, "--yes").code == 0


def test_the_rights_and_the_target_of_a_link_stay(site: Replay) -> None:
    files(site, {"shared/ours.yml": GROUP})
    target = site.work / "shared" / "ours.yml"
    target.chmod(0o640)
    (site.work / "group_vars").mkdir()
    (site.work / "group_vars" / "all.yml").symlink_to(target)
    assert muted(site, "--yes").code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o640 and len(found(site, "shared/ours.yml")) == 2
    assert sorted(path.name for path in target.parent.iterdir()) == ["ours.yml"]
    assert (site.work / "group_vars" / "all.yml").is_symlink()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_the_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "all.yml"
    path.write_text("a: 1\n")
    os.chown(path, 1234, 1235)
    inventories.replace(path, "b: 1\n", 0o600)
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (1234, 1235, "b: 1\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["mute", "host.disk_filing"], "Until when? --until is missing"),
        (["mute", "host.disk_filing", "--until", "2099-12-31", "--reason", "x"],
         "'host.disk_filing' is not a key of a finding. Did you mean host.disk_filling?"),
        (["mute", KEY, "--until", "2099-12-31"], "Why is it muted? --reason is missing"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", " "], "--reason is missing"),
        (["mute", KEY, "--until", "2020-01-01", "--reason", "x"], "--until 2020-01-01 is in the past."),
        (["mute", KEY, "--until", "soon", "--reason", "x"], "--until soon is neither a day"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "--host", "ap1"],
         "'ap1' is not a host of the inventory. Did you mean app1?"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "--host", "zzz"],
         "'zzz' is not a host of the inventory. There are: app1, app2, app3."),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "-i", "app1,app2"],
         "The inventory 'app1,app2' is a list of hosts and not a file"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "-i", "nowhere.yml"],
         "The inventory nowhere.yml does not exist."),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "-i", "aws.yml"],
         "aws.yml makes a dynamic inventory"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "-i", "hosts.py"],
         "hosts.py makes a dynamic inventory"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "-i", "closed.yml"],
         "closed.yml is encrypted: change it with ansible-vault edit closed.yml."),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "-i", "hosts.ini"],
         "campaign_muted of ini1 is in hosts.ini, which is not YAML: move it to host_vars/ini1.yml"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "--host", "app2"],
         "host_vars/app2.yml is encrypted: change it with ansible-vault edit"),
        (["mute", KEY, "--until", "2099-12-31", "--reason", "x", "--host", "app3"],
         "host_vars/app3.yml: its campaign_muted is not a plain list."),
        (["unmute", "mta.tired"], "'mta.tired' is not a key of a finding."),
    ],
)  # fmt: skip
def test_what_is_refused_in_one_line(site: Replay, words: list[str], why: str) -> None:
    files(site, {
        "aws.yml": "plugin: aws_ec2\n", "hosts.py": "#!/bin/sh\nexit 1\n",
        "closed.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        "hosts.ini": "ini1 campaign_muted=[]\n",
        "host_vars/app2.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        "host_vars/app3.yml": "campaign_muted: '{{ ours }}'\n",
    })
    (site.work / "hosts.py").chmod(0o755)
    before = {path: path.read_bytes() for path in site.work.rglob("*") if path.is_file()}
    done = site.run(*words, "--yes")
    assert done.code == 5 and why in done.err, str(done)
    assert len(done.err.strip().splitlines()) == 1 and not done.out, str(done)
    assert {path: path.read_bytes() for path in site.work.rglob("*") if path.is_file()} == before


def test_variables_of_the_configuration_would_hide_it(site: Replay) -> None:
    files(site, {"campaign-doctor.toml": 'inventory = "hosts.yml"\n[extra_vars]\ncampaign_muted = []\n'})
    done = muted(site, "--yes")
    assert done.code == 5 and "[extra_vars]" in done.err, str(done)


def test_no_inventory(replay: Replay) -> None:
    done = muted(replay, "--yes")
    assert done.code == 5 and "No inventory is named" in done.err, str(done)


def test_it_asks_or_only_shows(site: Replay) -> None:
    done = muted(site)
    assert done.code == 5 and "--yes agrees beforehand" in done.err, str(done)
    done = muted(site, "--check")
    assert done.code == 0 and "+campaign_muted:" in done.out, str(done)
    assert not (site.work / "group_vars").exists()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("y", 0, "Written: "), ("", 5, "Nothing was changed."), ("^C", 130, "Nothing was changed."),
     ("^D", 5, "Nothing was changed.")],
)  # fmt: skip
def test_on_a_terminal(site: Replay, answer: str, code: int, said: str) -> None:
    words = ["mute", KEY, "--until", TOMORROW, "--reason", "CHG-1"]
    child = pexpect.spawn(site.command[0], [*site.command[1:], *words], cwd=str(site.work),
                          env=site.env, timeout=SECONDS, encoding="utf-8", dimensions=(40, 160))  # fmt: skip
    child.expect_exact("Write this?")
    {"^C": child.sendintr, "^D": child.sendeof}.get(answer, lambda: child.sendline(answer))()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code and said in str(child.before)
    assert (site.work / "group_vars" / "all.yml").exists() is (code == 0)


def test_what_another_has_changed_meanwhile_is_not_written_over(
    site: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(site, {"group_vars/all.yml": GROUP})
    show = mute._diff

    def changed(path: Path, before: str, after: str) -> Any:
        path.write_text("a: 1\n")
        return show(path, before, after)

    monkeypatch.setattr(mute, "_diff", changed)
    done = muted(site, "--yes")
    assert done.code == 5 and "has changed meanwhile. Written: nothing." in done.err, str(done)
    assert (site.work / "group_vars/all.yml").read_text() == "a: 1\n"


def test_the_memory_of_mutes_is_beside_the_history_one_for_each_inventory(
    site: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def run(playbook_run: PlaybookRun, _access: object, private: Path, *_more: object) -> Ended:
        given.append(playbook_run.variables["_campaign_mute_memory"])
        return Ended(folder=private)

    monkeypatch.setattr(doctor, "run", run)
    files(site, {"others.yml": INVENTORY})
    for words in (["diagnose"], ["plan"], ["remediate", "--yes"], ["diagnose", "-i", "others.yml"]):
        site.run(*words)
    first, *more, other = map(Path, given)
    assert set(more) == {first} and first != other
    assert first.parent == other.parent == site.history.parent
