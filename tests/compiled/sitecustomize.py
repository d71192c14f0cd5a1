"""What Python compiles from an archive is compiled once for all tests, not once for each start.

An Ansible module comes to its host as an archive without bytecode: half of what its start costs is
to compile Ansible's library and the collection again. The tests put this folder on PYTHONPATH; the
bytecode lies in PYTHONPYCACHEPREFIX, by a hash of the source and the Python that compiled it.
"""

import os
import sys

try:
    import zipimport

    _compile = zipimport._compile_source
except (ImportError, AttributeError):  # before Python 3.8
    _compile = None


def _cached(pathname, source):
    import hashlib
    import marshal

    name = "%s-%s" % (hashlib.sha256(source).hexdigest(), sys.implementation.cache_tag)
    path = os.path.join(os.environ["PYTHONPYCACHEPREFIX"], "archives", name)
    try:
        with open(path, "rb") as stream:
            return marshal.loads(stream.read())
    except (OSError, ValueError, EOFError, TypeError):
        code = _compile(pathname, source)
    draft = "%s.%d" % (path, os.getpid())
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(draft, "wb") as stream:
            stream.write(marshal.dumps(code))
        os.rename(draft, path)
    except OSError:
        pass  # then it is compiled again
    return code


if _compile and "PYTHONPYCACHEPREFIX" in os.environ:
    zipimport._compile_source = _cached
