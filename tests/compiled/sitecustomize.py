"""What tests start is compiled once for all of them; Ansible does not poll, or look for garbage.

An Ansible module comes to its host as an archive without bytecode. Ansible compiles the plugins of a
collection at each start, puts the archive of a module together, reads 2,000 lines of options and
the routes of its own plugins, and the report compiles its templates: half of what such a start
costs. The tests put this folder on PYTHONPATH; what was made lies in PYTHONPYCACHEPREFIX, by what it
was made from and the Python that made it.

A command of Ansible lives for seconds and forks for each task of each host. To look for garbage
takes a tenth of its time, in each fork with a copy of the memory that was looked at. While forks
are at work it looks for results a hundred times a second, and for a fork that has ended ten thousand
times where there may not be more.
"""

import os
import sys

LONGEST_SLEEP = 0.2
SHORTEST_SLEEP = 0.001
COMMANDS = ("ansible", "ansible-doc", "ansible-galaxy", "ansible-playbook")


def _name(*parts):
    import hashlib

    return "%s-%s" % (hashlib.sha256(b"\0".join(parts)).hexdigest(), sys.implementation.cache_tag)


def _place(name):
    return os.path.join(os.environ["PYTHONPYCACHEPREFIX"], name)


def _is_ours(folder):
    """Whether this account can keep something there."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _kept(make, *parts):
    """What `make()` returns, or has returned for the same parts before: code or plain data."""
    import marshal

    path = os.path.join(_place("archives"), _name(*parts))
    try:
        with open(path, "rb") as stream:
            return marshal.loads(stream.read())
    except (OSError, ValueError, EOFError, TypeError):
        made = make()
    draft = "%s.%d" % (path, os.getpid())
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(draft, "wb") as stream:
            stream.write(marshal.dumps(made))
        os.rename(draft, path)
    except OSError:
        pass  # then it is made again
    return made


def _as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _keep_of_archives():
    try:
        import zipimport

        compile_source = zipimport._compile_source
    except (ImportError, AttributeError):  # before Python 3.8
        return
    zipimport._compile_source = lambda path, source: _kept(
        lambda: compile_source(path, source), b"archive", _as_bytes(source))


def _keep_of_collections():
    """Their plugins, and the routes in their meta/runtime.yml: those of Ansible's own are long."""
    from ansible.utils.collection_loader import _collection_finder as finder

    def compile_(source, filename, mode, flags, dont_inherit):
        return _kept(lambda: compile(source, filename, mode, flags, dont_inherit),
                     b"plugin", os.fsencode(filename), _as_bytes(source))

    finder.compile = compile_
    routes = finder._meta_yml_to_dict
    finder._meta_yml_to_dict = lambda text, content: _kept(
        lambda: dict(routes(text, content)), b"routes", _as_bytes(text))


def _keep_of_options():
    """Those of Ansible itself."""
    from ansible.config import manager

    load = manager.yaml_load

    def kept(stream, *more, **named):
        if not hasattr(stream, "read"):
            return load(stream, *more, **named)
        text = stream.read()
        return _kept(lambda: load(text, *more, **named), b"options", _as_bytes(text))

    manager.yaml_load = kept


def _keep_of_templates():
    """Those that Jinja loads from files: the report's."""
    from jinja2 import FileSystemBytecodeCache, loaders

    load = loaders.BaseLoader.load

    def kept(self, environment, name, *more, **named):
        if environment.bytecode_cache is None:
            environment.bytecode_cache = FileSystemBytecodeCache(_place("templates"))
        return load(self, environment, name, *more, **named)

    if _is_ours(_place("templates")):
        loaders.BaseLoader.load = kept


def _keep_of_modules():
    """What Ansible puts together to send a module. Before a fork, as its workers do that."""
    if _keep_of_modules in _done:
        return
    constants = sys.modules.get("ansible.constants")
    collection = sys.modules.get("ansible_collections.campaign.remediation")
    if not constants or not collection:
        return
    _done.append(_keep_of_modules)
    from ansible import __file__, __version__

    # What may go along lies where it lay, and is as it was.
    seen = [__file__, __version__]
    for root in collection.__path__:
        for part in ("modules", "module_utils"):
            for folder, _folders, names in os.walk(os.path.join(root, "plugins", part)):
                for path in (os.path.join(folder, name) for name in names):
                    facts = os.stat(path)
                    seen.append("%s %d %d" % (path, facts.st_size, facts.st_mtime_ns))
    folder = os.path.join(_place("modules"), _name(*map(_as_bytes, sorted(seen))))
    if _is_ours(folder):
        os.symlink(folder, os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))


class _Time:
    """The time for Ansible's strategies, which only sleep: until a fork of theirs has ended."""

    @staticmethod
    def sleep(seconds):
        import multiprocessing.connection
        import time

        forks = [child.sentinel for child in multiprocessing.active_children()]
        if forks:
            multiprocessing.connection.wait(forks, LONGEST_SLEEP)
        time.sleep(min(seconds, SHORTEST_SLEEP))  # another thread takes the result


def _wait_for_forks():
    """Before a fork, as strategies are loaded then."""
    for name, module in list(sys.modules.items()):
        if "plugins.strategy" in name and hasattr(module, "time"):
            module.time = _Time


def _keep_of_ansible():
    import atexit
    import gc

    gc.disable()
    os.register_at_fork(before=gc.freeze)
    atexit.register(gc.freeze)  # Python collects twice at its end
    os.register_at_fork(before=_keep_of_modules)
    os.register_at_fork(before=_wait_for_forks)
    _keep_of_collections()
    _keep_of_options()
    _keep_of_templates()


_done = []
if "PYTHONPYCACHEPREFIX" in os.environ:
    _keep_of_archives()
    if os.path.basename([*getattr(sys, "orig_argv", []), "", ""][1]) in COMMANDS:
        _keep_of_ansible()
