# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""serverConf.xml and config-<instance>.xml. Only listed attributes are ever kept."""

import os
import pyexpat

from ..names import DEFAULT
from ..text import clean
from .files import regular
from .settings import LIST, SERVER_FILE, SETTINGS, WANTED_ATTRIBUTES, Document, modules_of

MYPY = False  # to import typing costs the host as much as a probe
if MYPY:
    from pyexpat import ExpatError, XMLParserType
    from typing import Any, Callable, Collection, Dict, List, Optional, Tuple

    Entry = Dict[str, Any]

SIZE_LIMIT = 16 * 1024 * 1024
DEPTH = 100
ATTRIBUTES = 1000
INSTANCES = 500
SOURCES = 1000
TARGETS = 200
# Errors of the parser that mean an unclosed element.
UNCLOSED = (
    pyexpat.errors.XML_ERROR_TAG_MISMATCH,
    pyexpat.errors.XML_ERROR_NO_ELEMENTS,
    pyexpat.errors.XML_ERROR_UNCLOSED_TOKEN,
)
# The attributes of which every element counts, not only the first.
LISTS = frozenset(
    "%s/%s" % (module, attribute)
    for module, known in SETTINGS.items()
    for attribute, dummy, kind in known.values()
    if kind is LIST
)


class TooMuch(Exception):
    """XML that is not read, and why."""


def instances(conf: str) -> "List[str]":
    """`default` and the instances that have a file."""
    names = set(
        name[len("config-") : -len(".xml")]
        for name in os.listdir(conf)
        if name.startswith("config-") and name.endswith(".xml")
    )
    return [DEFAULT] + sorted(names - {DEFAULT, ""})[:INSTANCES]


class _Reader:
    """Takes the elements of one file as the parser meets them."""

    def __init__(self, document: Document, parser: "XMLParserType") -> None:
        self.document = document
        self.parser = parser
        self.open: "List[Tuple[str, int]]" = []  # (tag, line) of the elements that have begun
        self.source: "Optional[str]" = None

    def start(self, tag: str, attributes: "Dict[str, str]") -> None:
        self.open.append((tag, self.parser.CurrentLineNumber))
        if len(self.open) > DEPTH:
            raise TooMuch("nested deeper than %d: not read" % DEPTH)
        if len(attributes) > ATTRIBUTES:
            raise TooMuch("an element with more than %d attributes: not read" % ATTRIBUTES)
        if tag == "dataSource":
            self.source = attributes.get("name")
        elif tag == "dbcnx":
            self._database(attributes)
        else:
            self._keep(self._path(), attributes)

    def _path(self) -> str:
        """Where the element is, below the root and `shared`."""
        tags = [tag for tag, dummy in self.open[1:5]]
        return "/".join(tags[1:] if tags[:1] == ["shared"] else tags)

    def _keep(self, path: str, attributes: "Dict[str, str]") -> None:
        wanted = WANTED_ATTRIBUTES.get(path)
        if wanted is None or len(self.open) > 5:
            return
        kept = self.document.elements.setdefault(path, {})
        for name, value in attributes.items():
            if name not in wanted:
                continue
            if "%s/%s" % (path, name) in LISTS:
                values = kept.setdefault(name, [])
                if value not in values and len(values) < TARGETS:
                    values.append(value)
            else:
                kept.setdefault(name, value)

    def _database(self, attributes: "Dict[str, str]") -> None:
        if len(self.document.sources) == SOURCES:
            raise TooMuch("more than %d data sources: not read" % SOURCES)
        self.document.sources.append(
            {
                "name": self.source,
                "provider": attributes.get("provider"),
                "server": attributes.get("server"),
            }
        )

    def end(self, tag: str) -> None:
        path = self._path()
        if path in WANTED_ATTRIBUTES and "/" not in path:
            self.document.ended.add(path)
        self.open.pop()
        if tag == "dataSource":
            self.source = None

    def explain(self, error: "ExpatError") -> "Entry":
        """The parser's error, with the element that it is about."""
        message = pyexpat.ErrorString(error.code)
        if len(self.open) > 1 and message in UNCLOSED:
            tag, line = self.open[-1]
            message += ": <%s>, opened in line %d, is not closed" % (clean(tag, 60), line)
        return {"line": error.lineno, "message": message}


def parse(data: bytes, name: str = "") -> Document:
    """The Document of one file's bytes.

    What comes before an error is kept. Passwords are dropped here: they never enter a value.
    """
    document = Document(name)

    def refuse(*dummy: object) -> None:
        raise TooMuch("it has a DOCTYPE: not read")

    parser = pyexpat.ParserCreate()
    reader = _Reader(document, parser)
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(data, True)
    except TooMuch as error:
        document = Document(name)
        document.error = {"line": parser.CurrentLineNumber, "message": str(error)}
    except pyexpat.ExpatError as error:
        document.error = reader.explain(error)
    except (LookupError, ValueError) as error:  # an unknown encoding
        document.error = {"line": 1, "message": clean(str(error), 200)}
    return document


def read(path: str, name: str) -> "Tuple[Entry, Document]":
    """(entry of the snapshot's `files`, the Document)."""
    entry: "Entry" = {
        "path": path, "name": name, "mtime_at": None, "size_bytes": None, "error": None,
    }  # fmt: skip
    document = Document(name)
    try:
        status = os.stat(path)
        entry["mtime_at"], entry["size_bytes"] = status.st_mtime, status.st_size
        with regular(path) as stream:
            data = stream.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            document.error = {"line": None, "message": "larger than 16 MB: not read"}
        else:
            document = parse(data, name)
    except OSError as error:
        document.error = {"line": None, "message": error.strerror or str(error)}
    entry["error"] = document.error
    return entry, document


def has_lived(var_dir: str, instance: str) -> bool:
    """Has the instance ever run here, as far as its var directory says?"""
    return os.path.isdir(os.path.join(var_dir, instance))


def load(
    conf: str,
    var_dir: "Callable[[], Optional[str]]" = lambda: None,
    named: "Collection[Optional[str]]" = (),
) -> "Tuple[Entry, str]":
    """The probe's data, and what is wrong with which file (an empty text if nothing is).

    `var_dir` says where instances leave traces, None: that is unknown. `named`: instances that the
    inventory names. What has a file and nothing else is no instance, and told apart (`copies`).
    """
    names = instances(conf)
    files: "List[Entry]" = []
    documents: "Dict[str, Document]" = {}
    broken: "List[str]" = []
    for name in [SERVER_FILE] + ["config-%s.xml" % name for name in names]:
        path = os.path.join(conf, name)
        entry, document = read(path, name)
        documents[name] = document
        if name == "config-default.xml" and not os.path.lexists(path):
            document.error = None
            continue  # a server without one uses serverConf.xml alone
        if entry["error"]:
            line = entry["error"]["line"]
            where = path if line is None else "%s, line %d" % (path, line)
            broken.append("%s: %s" % (where, entry["error"]["message"]))
        files.append(entry)
    var = var_dir()
    lived = [
        name
        for name in names
        if name == DEFAULT or name in named or var is None or has_lived(var, name)
    ]
    modules: "List[Entry]" = []
    databases: "List[Entry]" = []
    for instance in lived:
        modules.extend(modules_of(instance, documents, lived))
        databases.extend(_databases(instance, documents))
    copies = [
        {
            "name": name,
            "path": os.path.join(conf, "config-%s.xml" % name),
            "modules": modules_of(name, documents, lived),
            "databases": _databases(name, documents),
        }
        for name in names
        if name not in lived
    ]
    data = {
        "files": files,
        "instances": lived,
        "modules": modules,
        "databases": databases,
        "copies": copies,
    }
    return data, "; ".join(broken)


def _databases(instance: str, documents: "Dict[str, Document]") -> "List[Entry]":
    return [
        dict(
            (key, value and clean(value, 200))
            for key, value in dict(source, instance=instance).items()
        )
        for source in documents["config-%s.xml" % instance].sources
    ]
