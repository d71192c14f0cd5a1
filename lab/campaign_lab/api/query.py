"""``xtk:queryDef#ExecuteQuery``: a queryDef becomes one SELECT, its rows become XML.

As documented: operations get, getIfExists, select and count; nodes with aliases and ``groupBy``;
conditions nested and joined by ``boolOperator`` (which says how a condition is joined to the
next one); ``orderBy`` with ``sortDesc``; ``groupBy``, ``having``; ``distinct``; ``lineCount`` (200
unless ``noLineCount``) and ``startLine``. A value that is not there is an empty attribute.

As seen live: a page that begins at a ``startLine`` repeats the last row of the one before; each row
has attributes that nobody asked for (``_operation`` and ``_cs`` are the lab's own).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Sequence, Tuple
from xml.etree import ElementTree

from campaign_lab.api.expression import ExpressionError, Sql, Tables, translate, value_text
from campaign_lab.api.schemas import schema

if TYPE_CHECKING:
    from campaign_lab.database import Connection

LINE_COUNT = 200
UNASKED = {"_operation": "none", "_cs": ""}
OPERATIONS = ("get", "getIfExists", "select", "count")
OPERATORS = {"": " AND ", "and": " AND ", "or": " OR ", "and not": " AND NOT ",
             "or not": " OR NOT "}  # fmt: skip


class QueryError(Exception):
    """A query that cannot be run; the text starts with or holds Campaign's code."""


class Node(NamedTuple):
    """A selected expression and where its value goes."""

    sql: Sql
    alias: str
    grouped: bool


class Query:
    """A queryDef, checked and translated."""

    def __init__(self, definition: ElementTree.Element) -> None:
        """Read it. Raises QueryError."""
        found = schema(definition.get("schema", ""))
        if found is None or not found.stored:
            raise QueryError("XFR-180000 There is no document with identifier '%s' of type "
                             "'xtk:schema'." % definition.get("schema", ""))  # fmt: skip
        self.schema = found
        self.operation = definition.get("operation", "select")
        if self.operation.lower() == "getifexist":
            self.operation = "getIfExists"
        if self.operation not in OPERATIONS:
            raise QueryError("XTK-170036 Unable to parse the query: the operation '%s' is not "
                             "known." % self.operation)  # fmt: skip
        self.tables = Tables(found)
        self.nodes = self._nodes(definition)
        self.where = self._conditions(definition, "where")
        self.having = self._conditions(definition, "having")
        self.groups = [node.sql for node in self.nodes if node.grouped]
        self.groups += [sql for sql, _ in self._expressions(definition, "groupBy")]
        self.order = self._expressions(definition, "orderBy")
        self.distinct = _true(definition.get("distinct"))
        unlimited = any(_true(definition.get(name)) for name in ("noLineCount", "forceNoLineCount"))
        self.limit = 0 if unlimited else _number(definition, "lineCount", LINE_COUNT)
        self.offset = max(0, _number(definition, "startLine", 0) - 1)
        if self.operation in ("get", "getIfExists"):
            self.limit, self.offset = 1, 0

    def statement(self) -> Tuple[str, Tuple[Any, ...]]:
        """The SELECT and its parameters."""
        parameters: List[Any] = []

        def add(pieces: Sequence[Sql]) -> List[str]:
            for piece in pieces:
                parameters.extend(piece.parameters)
            return [piece.text for piece in pieces]

        if self.operation == "count" and not (self.groups or self.distinct or self.having):
            text = "SELECT count(*)"
        else:
            names = add([node.sql for node in self.nodes]) or ["t0.id"]
            text = "SELECT %s%s" % ("DISTINCT " if self.distinct else "", ", ".join(names))
        text += " " + self.tables.text
        if self.where:
            text += " WHERE " + "".join(add([self.where]))
        if self.groups:
            text += " GROUP BY " + ", ".join(add(self.groups))
        if self.having:
            text += " HAVING " + "".join(add([self.having]))
        if self.operation == "count":
            if not text.startswith("SELECT count(*) "):
                text = "SELECT count(*) FROM (%s) counted" % text
            return text, tuple(parameters)
        if self.order:
            directions = [" DESC" if down else "" for _, down in self.order]
            text += " ORDER BY " + ", ".join(map(
                "".join, zip(add([sql for sql, _ in self.order]), directions)))  # fmt: skip
        if self.limit:
            text += " LIMIT %d OFFSET %d" % (self.limit, self.offset)
        return text, tuple(parameters)

    def run(self, connection: Connection) -> str:
        """The document that the query answers with. Raises QueryError, DatabaseError."""
        text, parameters = self.statement()
        rows = connection.execute(text, parameters).fetchall()
        name = self.schema.name
        if self.operation == "count":
            return "<%s count='%d'/>" % (name, rows[0][0])
        entities = [self._entity(row) for row in rows]
        if self.operation == "select":
            collection = ElementTree.Element(name + "-collection")
            collection.extend(entities)
            return _serialized(collection)
        if not entities and self.operation == "get":
            raise QueryError("XTK-170036 The query on '%s' found no record." % self.schema.id)
        return _serialized(entities[0]) if entities else "<%s/>" % name

    # ------------------------------------------------------------------------ reading

    def _translate(self, text: str) -> Sql:
        try:
            return translate(text, self.tables)
        except ExpressionError as error:
            raise QueryError("%s XTK-170036 Unable to parse expression '%s'." % (
                error, text)) from None  # fmt: skip

    def _nodes(self, definition: ElementTree.Element) -> List[Node]:
        found = []
        for number, node in enumerate(_below(definition, "select", "node")):
            text = node.get("expr", "")
            sql = self._translate(text)
            alias = node.get("alias") or (text if _is_path(text) else "@expr%d" % number)
            found.append(Node(sql, alias.strip().strip("[]"), _true(node.get("groupBy"))))
        return found

    def _expressions(self, definition: ElementTree.Element, part: str) -> List[Tuple[Sql, bool]]:
        return [(self._translate(node.get("expr", "")), _true(node.get("sortDesc")))
                for node in _below(definition, part, "node")]

    def _conditions(self, parent: ElementTree.Element, part: str) -> Optional[Sql]:
        for element in parent:
            if _local(element) == part:
                return self._group(element)
        return None

    def _group(self, element: ElementTree.Element) -> Optional[Sql]:
        """The conditions directly below an element, joined; None if there are none."""
        text, parameters, operator = "", [], ""  # type: str, List[Any], str
        for condition in element:
            if _local(condition) != "condition":
                continue
            if condition.get("setOperator"):
                raise QueryError("XTK-170036 Unable to parse the query: the lab knows no "
                                 "setOperator.")  # fmt: skip
            inner = (self._translate(condition.get("expr", "")) if condition.get("expr")
                     else self._group(condition))  # fmt: skip
            if inner is None:
                continue
            text += (operator if text else "") + "(%s)" % inner.text
            parameters += inner.parameters
            word = condition.get("boolOperator") or condition.get("bool-operator") or ""
            if word.lower() not in OPERATORS:
                raise QueryError("XTK-170036 Unable to parse the query: the operator '%s' is not "
                                 "known." % word)  # fmt: skip
            operator = OPERATORS[word.lower()]
        return Sql(text, tuple(parameters), "boolean") if text else None

    # ------------------------------------------------------------------------ writing

    def _entity(self, row: Any) -> ElementTree.Element:
        entity = ElementTree.Element(self.schema.name)
        if not self.groups:
            entity.attrib.update(UNASKED)
        for node, value in zip(self.nodes, row):
            text = value_text(value, node.sql.type)
            element = entity
            *path, name = node.alias.split("/")
            for step in path if name.startswith("@") else [*path, name]:
                found = element.find(step)
                element = ElementTree.SubElement(element, step) if found is None else found
            if name.startswith("@"):
                element.set(name[1:], text or "")
            else:
                element.text = text
        return entity


def _below(definition: ElementTree.Element, part: str, tag: str) -> List[ElementTree.Element]:
    return [element for group in definition if _local(group) == part
            for element in group if _local(element) == tag]


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _is_path(text: str) -> bool:
    plain = text.strip().strip("[]")
    return "@" in plain and plain.replace("/", "").replace("@", "").replace(
        "-", "").replace("_", "").isalnum()  # fmt: skip


def _true(text: Optional[str]) -> bool:
    return (text or "").lower() in ("true", "1")


def _number(definition: ElementTree.Element, name: str, default: int) -> int:
    text = definition.get(name)
    if not text:
        return default
    try:
        return max(0, int(text))
    except ValueError:
        raise QueryError("XTK-170036 Unable to parse the query: %s='%s' is no number." % (
            name, text)) from None  # fmt: skip


def _serialized(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode")
