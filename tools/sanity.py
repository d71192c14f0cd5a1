#!/usr/bin/env python3
"""Run ansible-test sanity on the collection as it is built, with no ignore files.

It runs twice: all of it with the ansible-core of this environment, on the Python of this environment or
with --every-python on each that it knows and finds; and with the oldest ansible-core that is supported
(tools/common/cores.py) what only that one knows, target code on the oldest Python. With other options it
runs once, with --oldest the second run alone.

The archive is unpacked in a temporary folder, because ansible-test wants to stand in
ansible_collections/<namespace>/<name> and outside any other git checkout. Its home is
private (build/sanity-home): it holds the environments that ansible-test makes, and a bootstrap
script that unpacks pip from an ordinary `pip download`, where ansible-test would fetch one from a
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
from pathlib import Path

from common.command_line import Parser
from common.cores import CORES, OLDEST, environment
from pythons import interpreters

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
HOME = BUILD / "sanity-home"
BIN = Path(sys.executable).parent

GET_PIP = """\
import sysconfig
import zipfile

zipfile.ZipFile({wheel!r}).extractall(sysconfig.get_path("purelib"))
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


def prepare_home(python: Path) -> None:
    """Give ansible-test a home with pip's settings and pip's bootstrap script."""
    (HOME / ".config" / "pip").mkdir(parents=True, exist_ok=True)
    settings: dict[str, list[str]] = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").splitlines():
        match = re.fullmatch(r"(?:global|:env:|install|user|site)\.([a-z-]+)='(.*)'", line)
        if match and match[1] != "quiet":
            settings[match[1]] = match[2].split("\\n")
    config = HOME / ".config" / "pip" / "pip.conf"
    config.touch(mode=0o600)
    # What is imported of an environment is compiled then.
    config.write_text("[install]\nno-compile = true\n[global]\nquiet = 2\n" + "".join(
        f"{name} = {' '.join(' '.join(values).split())}\n" for name, values in settings.items()
    ))

    source = Path(run(python, "-c", "import ansible_test; print(*ansible_test.__path__)").strip())
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
    parser.add_argument("--every-python", action="store_true", help="run with each that is found")
    parser.add_argument("file", nargs="*", help="look only at these files, such as README.md")
    parser.add_argument("--oldest", action="store_true", help="with the oldest ansible-core")
    given = parser.parse_args()
    options = [word for name in ("test", "skip_test") for value in getattr(given, name) or ()
               for word in (f"--{name.replace('_', '-')}", value)]  # fmt: skip
    options += ["--python", given.python] if given.python else []
    options += given.file
    own = "{}.{}".format(*sys.version_info)
    pythons = [] if given.python or given.every_python else ["--python", own]
    runs = [] if given.oldest else [(BIN, [*pythons, *options])]
    if given.oldest or not options:
        folder = environment(CORES[OLDEST])
        if isinstance(folder, str):
            print(f"not with the oldest ansible-core: {folder}")
        else:
            runs.append((folder / "bin", options or of_the_oldest()))
    shutil.rmtree(BUILD / "junit" / "sanity", ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="campaign-sanity-") as trees:
        target = unpack(Path(trees))
        return max((check(target, *each) for each in runs), default=0)


def of_the_oldest() -> list[str]:
    """What is worth a second run: the target code, on a Python that later ones have given up."""
    names = ("compile", "import", "validate-modules", "future-import-boilerplate",
             "metaclass-boilerplate")  # fmt: skip
    python = "{}.{}".format(*CORES[OLDEST].oldest_target)
    return ["--python", python, *(word for name in names for word in ("--test", name))]


def check(target: Path, programs: Path, options: list[str]) -> int:
    """Run ansible-test of one environment, and keep its results."""
    prepare_home(programs / "python")
    # Real interpreters come before the shims of version managers.
    real = [str(python.parent) for python in interpreters("ensurepip, venv")]
    path = [str(programs), *real, *os.environ.get("PATH", "").split(os.pathsep)]
    variables = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": os.pathsep.join(dict.fromkeys(path)),
        "PYTHONPYCACHEPREFIX": str(BUILD / "pycache"),
    }
    for name in ("XDG_CONFIG_HOME", "ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "VIRTUAL_ENV"):
        variables.pop(name, None)
    done = subprocess.run(
        [programs / "ansible-test", "sanity", "--color", "no", "--junit", *options],
        cwd=target, env=variables, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    results = target / "tests" / "output" / "junit"
    if results.is_dir():
        shutil.copytree(results, BUILD / "junit" / "sanity" / programs.parent.name)
        shutil.rmtree(results)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
