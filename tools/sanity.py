#!/usr/bin/env python3
"""Run ansible-test sanity on the collection as it is built, with no ignore files.

The archive is unpacked in a temporary folder, because ansible-test wants to stand in
ansible_collections/<namespace>/<name> and outside any other git checkout. Its home is
private (build/sanity-home): it holds the environments that ansible-test makes, and a bootstrap
script that takes pip from an ordinary `pip download`, where ansible-test would fetch one from a
site of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path

from common.command_line import Parser
from pythons import interpreters

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
HOME = BUILD / "sanity-home"
BIN = Path(sys.executable).parent

GET_PIP = """\
import sys
sys.path.insert(0, {wheel!r})
from pip._internal.cli.main import main
sys.exit(main(["install", "--quiet", "--no-index", "--no-deps",
               "--disable-pip-version-check", {wheel!r}]))
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, cwd=cwd
    )
    return done.stdout


def unpack(trees: Path) -> Path:
    """Build the collection and unpack it where ansible-test accepts it."""
    target = trees / "ansible_collections" / "campaign" / "remediation"
    target.mkdir(parents=True)
    run(BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path", trees,
        cwd=CHECKOUT)
    (archive,) = trees.glob("*.tar.gz")
    with tarfile.open(archive) as built:
        # Python 3.11.2, Debian 12's, has no filters yet.
        built.extraction_filter = getattr(tarfile, "data_filter", None)
        built.extractall(target)
    return target


def prepare_home() -> None:
    """Give ansible-test a home with pip's settings and pip's bootstrap script."""
    (HOME / ".config" / "pip").mkdir(parents=True, exist_ok=True)
    settings: dict[str, list[str]] = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").splitlines():
        match = re.fullmatch(r"(?:global|:env:|install|user|site)\.([a-z-]+)='(.*)'", line)
        if match and match[1] != "quiet":
            settings[match[1]] = match[2].split("\\n")
    config = HOME / ".config" / "pip" / "pip.conf"
    config.touch(mode=0o600)
    config.write_text("[global]\nquiet = 2\n" + "".join(
        f"{name} = {' '.join(' '.join(values).split())}\n" for name, values in settings.items()
    ))

    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("tools/sanity.py: ansible-core with ansible-test is not installed")
    source = Path(next(iter(spec.submodule_search_locations)))
    requirements = (source / "_internal" / "python_requirements.py").read_text()
    for version in set(re.findall(r"\bpip='([0-9.]+)'", requirements)):
        stub = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        stub.parent.mkdir(parents=True, exist_ok=True)
        wheels = list(stub.parent.glob(f"pip-{version}-*.whl"))
        if not wheels:
            run(sys.executable, "-m", "pip", "download", "--quiet", "--quiet", "--no-deps",
                "--disable-pip-version-check", "--dest", stub.parent, f"pip=={version}")
            wheels = list(stub.parent.glob(f"pip-{version}-*.whl"))
        stub.write_text(GET_PIP.format(wheel=str(wheels[0])))


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("--test", action="append", help="run only this test (several times)")
    parser.add_argument("--skip-test", action="append", help="leave this test out (several times)")
    parser.add_argument("--python", help="run only with this version of Python, such as 3.12")
    parser.add_argument("file", nargs="*", help="look only at these files, such as README.md")
    given = parser.parse_args()
    options = [word for name in ("test", "skip_test") for value in getattr(given, name) or ()
               for word in (f"--{name.replace('_', '-')}", value)]  # fmt: skip
    options += ["--python", given.python] if given.python else []
    with tempfile.TemporaryDirectory(prefix="campaign-sanity-") as trees:
        return check(unpack(Path(trees)), [*options, *given.file])


def check(target: Path, options: list[str]) -> int:
    prepare_home()
    # Real interpreters come before the shims of version managers.
    real = [str(python.parent) for python in interpreters("ensurepip, venv")]
    path = [str(BIN), *real, *os.environ.get("PATH", "").split(os.pathsep)]
    environment = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": os.pathsep.join(dict.fromkeys(path)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in ("XDG_CONFIG_HOME", "ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    done = subprocess.run(
        [BIN / "ansible-test", "sanity", "--color", "no", "--junit", *options],
        cwd=target, env=environment, stdin=subprocess.DEVNULL, check=False,
    )
    junit = BUILD / "junit" / "sanity"
    shutil.rmtree(junit, ignore_errors=True)
    results = target / "tests" / "output" / "junit"
    if results.is_dir():
        shutil.copytree(results, junit)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
