"""What tests start is compiled once for all of them, and Ansible does not look for garbage.

An Ansible module comes to its host as an archive without bytecode, and Ansible compiles the plugins
of a collection at each start: half of what such a start costs. The tests put this folder on
PYTHONPATH; the bytecode lies in PYTHONPYCACHEPREFIX, by a hash of what it was compiled from and the
Python that compiled it.

A command of Ansible lives for seconds and forks for each task of each host. To look for garbage
takes a tenth of its time, in each fork with a copy of the memory that was looked at.
"""

import os
import sys

COMMANDS = ("ansible", "ansible-doc", "ansible-galaxy", "ansible-playbook")


def _kept(what, compiled):
    """The code that `compiled()` makes, or has made before of the same `what`."""
    import hashlib
    import marshal

    name = "%s-%s" % (hashlib.sha256(what).hexdigest(), sys.implementation.cache_tag)
    path = os.path.join(os.environ["PYTHONPYCACHEPREFIX"], "archives", name)
    try:
        with open(path, "rb") as stream:
            return marshal.loads(stream.read())
    except (OSError, ValueError, EOFError, TypeError):
        code = compiled()
    draft = "%s.%d" % (path, os.getpid())
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(draft, "wb") as stream:
            stream.write(marshal.dumps(code))
        os.rename(draft, path)
    except OSError:
        pass  # then it is compiled again
    return code


def _keep_of_archives():
    try:
        import zipimport

        compile_source = zipimport._compile_source
    except (ImportError, AttributeError):  # before Python 3.8
        return
    zipimport._compile_source = lambda path, source: _kept(
        source, lambda: compile_source(path, source))


def _keep_of_collections():
    try:
        from ansible.utils.collection_loader import _collection_finder as finder
    except ImportError:
        return

    def compile_(source, filename, mode, flags, dont_inherit):
        text = source if isinstance(source, bytes) else source.encode("utf-8", "surrogateescape")
        return _kept(b"%s\0%s" % (os.fsencode(filename), text),
                     lambda: compile(source, filename, mode, flags, dont_inherit))

    finder.compile = compile_


if "PYTHONPYCACHEPREFIX" in os.environ:
    _keep_of_archives()
    if os.path.basename([*getattr(sys, "orig_argv", []), "", ""][1]) in COMMANDS:
        import gc

        gc.disable()
        os.register_at_fork(before=gc.freeze)
        _keep_of_collections()
