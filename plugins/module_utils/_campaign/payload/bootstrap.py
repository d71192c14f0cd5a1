# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The beginning of a program that is sent to a host: it takes a snapshot, or changes something.

Unlike an Ansible module it needs nothing of Ansible there, and leaves no file behind: what it
imports comes along in its own text and stays in memory.
plugin_utils/_campaign/ansible/payload.py writes the rest.
"""

import binascii
import json
import os
import sys
import zlib

MYPY = False  # Python 2 must be able to read this file: its types are in comments
if MYPY:
    from importlib.machinery import ModuleSpec  # noqa: F401
    from types import ModuleType  # noqa: F401
    from typing import Any, Callable, Dict, List, Optional, Tuple  # noqa: F401

    Files = Dict[str, str]

PACKAGE = "ansible_collections.campaign.remediation.plugins.module_utils._campaign"
OLDEST = (3, 6)
# What a defect has come to, by the file that was called.
BROKEN_OFF = {"payload.isolated": "No snapshot was taken"}
# Compiled by which Python, and the files.
COMPILED = ("", {})  # type: Tuple[str, Files]


class Sources(object):
    """Finds and loads the files that came along: name below the package to base64 of the deflated
    text. A name with a dot is a file in a room.
    """

    def __init__(self, packed, specification):
        # type: (Files, Callable[..., ModuleSpec]) -> None
        self._packed = dict((PACKAGE + "." + name, packed[name]) for name in packed)
        self._specification = specification
        self._packages = set(
            name[:end] for name in self._packed for end, sign in enumerate(name) if sign == "."
        )

    def find_spec(self, name, *_more):
        # type: (str, *object) -> Optional[ModuleSpec]
        """The specification of a file that came along or of a folder above it, else None."""
        if name in self._packages:
            return self._specification(name, self, is_package=True)
        if name in self._packed:
            return self._specification(name, self)
        return None

    def create_module(self, _spec):
        # type: (ModuleSpec) -> None
        """As Python's loaders do: no special module."""

    def exec_module(self, module):
        # type: (ModuleType) -> None
        """Run the text of a file; a folder has none."""
        if module.__name__ not in self._packages:
            path = module.__name__.replace(".", "/") + ".py"
            exec(self._code(module.__name__, path), module.__dict__)

    def _code(self, name, path):
        # type: (str, str) -> Any
        """Compiled by the controller, where it has the Python that this host has; else here."""
        python, compiled = COMPILED
        if python and python == this_python():
            import marshal

            packed = compiled[name[len(PACKAGE) + 1 :]]
            return marshal.loads(zlib.decompress(binascii.a2b_base64(packed)))
        return compile(self.get_source(name), path, "exec")

    def get_source(self, name):
        # type: (str) -> str
        """The text of a file, for tracebacks too."""
        return zlib.decompress(binascii.a2b_base64(self._packed[name])).decode("utf-8")


def this_python():
    # type: () -> str
    """The Python version that compiled code is for; empty if unknown."""
    try:
        from importlib._bootstrap_external import MAGIC_NUMBER
    except ImportError:
        return ""
    return "%s %s" % (sys.implementation.cache_tag, binascii.hexlify(MAGIC_NUMBER).decode("ascii"))


def passwords(options):
    # type: (Any) -> List[str]
    """Every value of an option that is named so."""
    if isinstance(options, dict):
        own = [options["password"]] if options.get("password") else []
        return own + passwords(list(options.values()))
    if isinstance(options, list):
        return [word for option in options for word in passwords(option)]
    return []


def without(words, value):
    # type: (List[str], Any) -> Any
    """The value with none of these words in it."""
    if isinstance(value, dict):
        return dict((without(words, key), without(words, value[key])) for key in value)
    if isinstance(value, list):
        return [without(words, item) for item in value]
    if isinstance(value, str):
        for word in words:
            value = value.replace(word, "***")
    return value


def answer(packed, entry, options):
    # type: (Files, str, Dict[str, Any]) -> Dict[str, Any]
    """What the module returns for these options. entry: the file that knows it."""
    if sys.version_info < OLDEST:
        return {
            "failed": True,
            "msg": "The Python interpreter of the host (%s) has version %s, but %d.%d or newer is"
                   " needed: set ansible_python_interpreter to a newer one."
            % ((sys.executable, sys.version.split()[0]) + OLDEST),
        }
    from importlib import import_module
    from importlib.machinery import ModuleSpec  # Python 2 has none

    sys.meta_path.insert(0, Sources(packed, ModuleSpec))
    try:
        answered = import_module(
            PACKAGE + "." + entry
        ).answered  # type: Callable[[Dict[str, Any]], Dict[str, Any]]
        return answered(options)
    except Exception:
        import traceback  # late: it takes as long as a probe

        defect = traceback.format_exc().strip()
        return {
            "failed": True,
            "msg": "%s because of a defect in campaign.remediation (please report it): %s"
            % (BROKEN_OFF.get(entry, "It broke off"), defect.splitlines()[-1]),
            "exception": defect,
        }


def main(packed, entry, options):
    # type: (Files, str, Dict[str, Any]) -> None
    """Print the answer, and leave at once: to clear up behind it takes as long as some probes."""
    given = answer(packed, entry, options)
    words = passwords(options)
    sys.stdout.write(json.dumps(without(words, given) if words else given) + "\n")
    sys.stdout.flush()
    os._exit(1 if given.get("failed") else 0)
