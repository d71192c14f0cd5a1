"""What the tests keep between two starts of Ansible (tests/compiled) is never older than its source."""

from __future__ import annotations

from pathlib import Path

from integration.harness import BIN, CHECKOUT, run

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
