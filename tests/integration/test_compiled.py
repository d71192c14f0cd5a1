"""What the tests keep between two starts of Ansible (tests/compiled) is never older than its source;
and Ansible sleeps while its hosts are at work.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from integration.harness import BIN, CHECKOUT, environment, run

MODULE = """\
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.campaign.remediation.plugins.module_utils.word import WORD

AnsibleModule({}).exit_json(msg="the word is " + WORD)
"""


def kept() -> set[Path]:
    """What was put together to send the module, each time anew."""
    found = (CHECKOUT / "build" / "pycache" / "modules").glob("*/*.kept_for_a_test-*")
    return {path for path in found if path.suffix != ".lock"}


def test_a_module_is_sent_as_it_is_and_kept_while_it_stays_so(tmp_path: Path) -> None:
    plugins = tmp_path / "ansible_collections" / "campaign" / "remediation" / "plugins"
    (plugins / "modules").mkdir(parents=True)
    (plugins / "module_utils").mkdir()
    (plugins / "modules" / "kept_for_a_test.py").write_text(MODULE)
    before = kept()
    for number, word in enumerate(("red", "red", "tan"), 1):
        file = plugins / "module_utils" / "word.py"
        if not file.exists() or word not in file.read_text():
            file.write_text(f'WORD = "{word}"\n')
        done = run([BIN / "ansible", "localhost", "-m", "campaign.remediation.kept_for_a_test"],
                   cwd=tmp_path, env={"ANSIBLE_COLLECTIONS_PATH": str(tmp_path)})
        assert f"the word is {word}" in done.output, str(done)
        assert len(kept() - before) == (1 if number < 3 else 2)


WAITING = """\
import time
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"seconds": {"type": "int"}})
time.sleep(module.params["seconds"])
module.exit_json()
"""
PLAY = [{
    "hosts": "all", "gather_facts": False,
    "tasks": [{"campaign.remediation.waiting": {"seconds": "{{ seconds }}"}}],
}]  # fmt: skip


@pytest.mark.parametrize(("strategy", "forks"), [("linear", 5), ("free", 1)])
def test_ansible_sleeps_while_its_hosts_are_at_work(
    strategy: str, forks: int, tmp_path: Path
) -> None:
    """By how often it gave up the processor: by itself it looks a hundred times a second for
    results, and ten thousand times for a fork that has ended where there may not be more.
    """
    modules = tmp_path / "ansible_collections" / "campaign" / "remediation" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "waiting.py").write_text(WAITING)
    book = tmp_path / "play.yml"
    book.write_text(json.dumps([{**PLAY[0], "strategy": f"ansible.builtin.{strategy}"}]))
    switches = {}
    for seconds in (0, 2):
        command = [str(BIN / "ansible-playbook"), "-i", "one,two,", "-c", "local", str(book),
                   "--forks", str(forks), "-e", f"seconds={seconds}"]  # fmt: skip
        output = tmp_path / "output"
        with output.open("wb") as file:
            pid = os.posix_spawn(command[0], command, {
                **environment(), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            }, file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), number) for number in (1, 2)])  # fmt: skip
            _pid, status, usage = os.wait4(pid, 0)
        assert status == 0, output.read_text()
        switches[seconds] = usage.ru_nvcsw
    assert switches[2] - switches[0] < 100, switches
