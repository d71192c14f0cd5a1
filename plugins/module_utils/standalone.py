# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The beginning of the program that campaign_diagnose sends to a host: it takes a snapshot.

Unlike an Ansible module it needs nothing of Ansible there, and leaves no file behind: what it
imports comes along in its own text and stays in memory. plugin_utils/program.py writes the rest.
"""

import binascii
import json
import os
import sys
import traceback
import zlib

PACKAGE = "ansible_collections.campaign.remediation.plugins.module_utils"
OLDEST = (3, 6)


class Sources(object):
    """Finds and loads the files that came along: name to base64 of the deflated text."""

    def __init__(self, packed, specification):
        self._packed = packed
        self._specification = specification
        self._packages = [PACKAGE[:end] for end, sign in enumerate(PACKAGE + ".") if sign == "."]

    def find_spec(self, name, *_more):
        """The specification of a file that came along or of a folder above it, else None."""
        if name in self._packages:
            return self._specification(name, self, is_package=True)
        package, _dot, file = name.rpartition(".")
        if package == PACKAGE and file in self._packed:
            return self._specification(name, self)
        return None

    def create_module(self, _spec):
        """Nothing special."""

    def exec_module(self, module):
        """Run the text of a file; a folder has none."""
        if module.__name__ not in self._packages:
            path = module.__name__.replace(".", "/") + ".py"
            exec(compile(self.get_source(module.__name__), path, "exec"), module.__dict__)

    def get_source(self, name):
        """The text of a file, for tracebacks too."""
        packed = self._packed[name.rpartition(".")[2]]
        return zlib.decompress(binascii.a2b_base64(packed)).decode("utf-8")


def passwords(options):
    """Every value of an option that is named so."""
    if isinstance(options, dict):
        own = [options["password"]] if options.get("password") else []
        return own + passwords(list(options.values()))
    if isinstance(options, list):
        return [word for option in options for word in passwords(option)]
    return []


def without(words, value):
    """The value with none of these words in it."""
    if isinstance(value, dict):
        return dict((without(words, key), without(words, value[key])) for key in value)
    if isinstance(value, list):
        return [without(words, item) for item in value]
    if isinstance(value, str):
        for word in words:
            value = value.replace(word, "***")
    return value


def answer(packed, options):
    """What campaign_info returns for these options."""
    if sys.version_info < OLDEST:
        return {
            "failed": True,
            "msg": "The host's Python (%s) is %s, needed is %d.%d or newer: set"
            " ansible_python_interpreter to one."
            % ((sys.executable, sys.version.split()[0]) + OLDEST),
        }
    from importlib.machinery import ModuleSpec  # Python 2 has none

    sys.meta_path.insert(0, Sources(packed, ModuleSpec))
    try:
        from ansible_collections.campaign.remediation.plugins.module_utils.taking import take

        snapshot, bad_input = take(options)
    except Exception:
        defect = traceback.format_exc().strip()
        return {
            "failed": True,
            "msg": "No snapshot was taken, for a defect of campaign.remediation: "
            + defect.splitlines()[-1],
            "exception": defect,
        }
    if bad_input:
        return {"failed": True, "msg": bad_input}
    return {"changed": False, "snapshot": snapshot}


def main(packed, options):
    """Print the answer, and leave at once: to clear up behind it takes as long as some probes."""
    given = answer(packed, options)
    words = passwords(options)
    sys.stdout.write(json.dumps(without(words, given) if words else given) + "\n")
    sys.stdout.flush()
    os._exit(1 if "failed" in given else 0)
