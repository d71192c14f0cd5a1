"""XTK expressions: read, checked against a schema, written as SQL with parameters.

The grammar is the part of the documented one that queries of the API need: comparisons,
``LIKE``, ``IN``, ``IS NULL``, ``AND``, ``OR``, ``NOT``, sums and products, paths (``@state``,
``[folder/@name]``), literals (``'it\\'s'``, ``#2026-01-31 10:00:00Z#``, numbers) and the functions
of ``FUNCTIONS``. No text of an expression becomes text of a statement: names are
looked up, values are parameters.
"""

from __future__ import annotations

import datetime
import re
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from campaign_lab.api.schemas import NUMBERS, Attribute, Schema, schema

TOKENS = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | \#(?P<date>[^#]*)\#
  | (?P<number>\d+(?:\.\d+)?)
  | \[(?P<bracket>[^\]\[]+)\]
  | (?P<path>(?:[A-Za-z_]\w*/)*@[A-Za-z_]\w*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign><=|>=|<>|!=|==|[=<>(),+\-*/])
    )""",
    re.VERBOSE,
)
COMPARISONS = {"=": "=", "==": "=", "!=": "<>", "<>": "<>", "<": "<", "<=": "<=", ">": ">",
               ">=": ">="}  # fmt: skip
WORDS = ("and", "or", "not", "in", "like", "is", "null", "true", "false")
AGGREGATES = {"count": "long", "sum": "double", "min": "", "max": "", "avg": "double"}
DEPTH = 40


class ExpressionError(Exception):
    """An expression that cannot be read, or that names what the schema does not have."""


class Sql(NamedTuple):
    """A piece of a statement: text, parameters, and the value's type in XTK."""

    text: str
    parameters: Tuple[Any, ...] = ()
    type: str = ""
    literal: bool = False


class Tables:
    """The table of a query and the tables that its links lead to."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.joins: Dict[Tuple[str, ...], Tuple[str, str]] = {}

    @property
    def text(self) -> str:
        """``FROM …``."""
        joins = [join for _, join in self.joins.values()]
        return " ".join(["FROM %s t0" % self.root.table, *joins])

    def column(self, path: str) -> Tuple[str, Attribute]:
        """A path's column and attribute. Raises ExpressionError."""
        here, alias, done = self.root, "t0", ()  # type: Schema, str, Tuple[str, ...]
        rest = path.strip().lstrip("/").split("/")
        while True:
            found = here.attributes.get("/".join(rest))
            if found is not None:
                return "%s.%s" % (alias, found.column), found
            link = here.links.get(rest[0])
            target = schema(link.target) if link else None
            if link is None or target is None or len(rest) < 2:
                kind, name = ("Attribute", rest[0][1:]) if rest[0][:1] == "@" else (
                    "Element", rest[0])  # fmt: skip
                raise ExpressionError("%s '%s' unknown (see definition of schema '%s (%s)')." % (
                    kind, name, here.label, here.id))  # fmt: skip
            done = (*done, rest.pop(0))
            if done not in self.joins:
                name = "t%d" % (len(self.joins) + 1)
                self.joins[done] = (name, "LEFT JOIN %s %s ON %s.id = %s.%s" % (
                    target.table, name, name, alias, link.column))  # fmt: skip
            here, alias = target, self.joins[done][0]


def translate(text: str, tables: Tables) -> Sql:
    """An expression as SQL. Raises ExpressionError."""
    parser = _Parser(text, tables)
    result = parser.either()
    parser.end()
    return result


def stamp(text: str) -> float:
    """A date of an expression, in seconds since 1970; UTC unless it says otherwise."""
    plain = text.strip().replace("T", " ")
    if plain.endswith("Z"):
        plain = plain[:-1] + "+0000"
    for form in ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        for zone in ("%z", ""):
            try:
                moment = datetime.datetime.strptime(plain, form + zone)
            except ValueError:
                continue
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=datetime.timezone.utc)
            return moment.timestamp()
    raise ExpressionError("'%s' is no date." % text)


class _Parser:
    """Recursive descent; each level gives SQL."""

    def __init__(self, text: str, tables: Tables) -> None:
        self.tables = tables
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    # ------------------------------------------------------------------------- tokens

    def peek(self) -> Tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *wanted: str) -> bool:
        """Go past a sign or word, if it is next."""
        kind, value = self.peek()
        if kind in ("sign", "word") and value in wanted:
            self.at += 1
            return True
        return False

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise ExpressionError("'%s' expected instead of '%s'." % (wanted, self.peek()[1]))

    def end(self) -> None:
        if self.peek()[0] != "end":
            raise ExpressionError("'%s' is one too many." % self.peek()[1])

    # ------------------------------------------------------------------------- levels

    def either(self) -> Sql:
        self.depth += 1
        if self.depth > DEPTH:
            raise ExpressionError("too deeply nested.")
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        self.depth -= 1
        return _joined(parts, " OR ")

    def both(self) -> Sql:
        parts = [self.negated()]
        while self.take("and"):
            parts.append(self.negated())
        return _joined(parts, " AND ")

    def negated(self) -> Sql:
        if self.take("not"):
            inner = self.negated()
            return Sql("NOT (%s)" % inner.text, inner.parameters, "boolean")
        return self.compared()

    def compared(self) -> Sql:
        left = self.sum()
        kind, value = self.peek()
        if kind == "sign" and value in COMPARISONS:
            self.at += 1
            left, right = _alike(left, self.sum())
            return _boolean("%s %s %s" % (left.text, COMPARISONS[value], right.text), left, right)
        if self.take("is"):
            negative = "NOT " if self.take("not") else ""
            self.need("null")
            return _boolean("%s IS %sNULL" % (left.text, negative), left)
        negative = "NOT " if self.take("not") else ""
        if self.take("like"):
            right = self.sum()
            return _boolean("%s %sLIKE %s" % (left.text, negative, right.text), left, right)
        if self.take("in"):
            self.need("(")
            choices = [_alike(left, self.sum())[1]]
            while self.take(","):
                choices.append(_alike(left, self.sum())[1])
            self.need(")")
            return _boolean("%s %sIN (%s)" % (
                left.text, negative, ", ".join(each.text for each in choices)), left, *choices)
        if negative:
            raise ExpressionError("LIKE or IN expected after NOT.")
        return left

    def sum(self) -> Sql:
        left = self.product()
        while True:
            if self.take("+"):
                left = _calculated(left, "+", self.product())
            elif self.take("-"):
                left = _calculated(left, "-", self.product())
            else:
                return left

    def product(self) -> Sql:
        left = self.factor()
        while True:
            if self.take("*"):
                left = _calculated(left, "*", self.factor())
            elif self.take("/"):
                left = _calculated(left, "/", self.factor())
            else:
                return left

    def factor(self) -> Sql:
        kind, value = self.peek()
        if self.take("("):
            inner = self.either()
            self.need(")")
            return Sql("(%s)" % inner.text, inner.parameters, inner.type, inner.literal)
        if self.take("-"):
            inner = self.factor()
            return Sql("-" + inner.text, inner.parameters, inner.type)
        self.at += 1
        if kind == "number":
            number = float(value) if "." in value else int(value)
            return Sql("?", (number,), "double" if "." in value else "long", True)
        if kind == "string":
            return Sql("?", (re.sub(r"\\(.)", r"\1", value[1:-1]),), "string", True)
        if kind == "date":
            return Sql("?", (stamp(value),), "datetime", True)
        if kind == "word" and value in ("true", "false"):
            return Sql("?", (int(value == "true"),), "boolean", True)
        if kind == "word" and value == "null":
            return Sql("NULL", (), "", True)
        if kind in ("path", "bracket"):
            column, attribute = self.tables.column(value)
            return Sql(column, (), attribute.type)
        if kind == "name" and self.take("("):
            return self.call(value)
        raise ExpressionError("'%s' is not understood." % (value or "the end"))

    def call(self, name: str) -> Sql:
        """A function and its arguments; the bracket is open."""
        arguments: List[Sql] = []
        if not self.take(")"):
            if name.lower() == "count" and self.take("*"):
                self.need(")")
                return Sql("count(*)", (), "long")
            arguments.append(self.either())
            while self.take(","):
                arguments.append(self.either())
            self.need(")")
        if name.lower() in AGGREGATES and len(arguments) <= 1:
            return _aggregate(name.lower(), arguments)
        function = FUNCTIONS.get(name.lower())
        if function is None or len(arguments) not in function[0]:
            raise ExpressionError("Function '%s' with %d arguments is not known." % (
                name, len(arguments)))  # fmt: skip
        return function[1](arguments)


def _tokens(text: str) -> List[Tuple[str, str]]:
    found = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = TOKENS.match(text, at)
        if match is None:
            raise ExpressionError("'%s' is not understood." % text[at:at + 20])
        kind = str(match.lastgroup)
        value = match.group(kind)
        if kind == "name" and value.lower() in WORDS:
            kind, value = "word", value.lower()
        found.append((kind, value))
        at = match.end()
    return found


def _joined(parts: Sequence[Sql], word: str) -> Sql:
    if len(parts) == 1:
        return parts[0]
    return _boolean("(%s)" % word.join(part.text for part in parts), *parts)


def _boolean(text: str, *parts: Sql) -> Sql:
    return Sql(text, tuple(value for part in parts for value in part.parameters), "boolean")


def _alike(left: Sql, right: Sql) -> Tuple[Sql, Sql]:
    """A literal compared with a value of another type becomes one of that type."""
    if right.literal and not left.literal:
        return left, _cast(right, left.type)
    if left.literal and not right.literal:
        return _cast(left, right.type), right
    return left, right


def _cast(literal: Sql, kind: str) -> Sql:
    if not literal.parameters:
        return literal
    value = literal.parameters[0]
    if kind == "datetime" and isinstance(value, str):
        return literal._replace(parameters=(stamp(value),))
    if kind in NUMBERS and isinstance(value, str):
        try:
            return literal._replace(parameters=(float(value) if "." in value else int(value),))
        except ValueError:
            raise ExpressionError("'%s' is no number." % value) from None
    if kind in ("string", "memo") and not isinstance(value, str):
        return literal._replace(parameters=(str(value),))
    return literal


def _calculated(left: Sql, sign: str, right: Sql) -> Sql:
    if sign == "+" and "string" in (left.type, right.type):
        sign, kind = "||", "string"
    elif "datetime" in (left.type, right.type):
        kind = "datetime" if left.type != right.type else "double"
    else:
        kind = "double" if "double" in (left.type, right.type) or sign == "/" else "long"
    return Sql("(%s %s %s)" % (left.text, sign, right.text),
               (*left.parameters, *right.parameters), kind)  # fmt: skip


def _aggregate(name: str, arguments: Sequence[Sql]) -> Sql:
    if not arguments:
        if name != "count":
            raise ExpressionError("Function '%s' needs an argument." % name)
        return Sql("count(*)", (), "long")
    inner = arguments[0]
    return Sql("%s(%s)" % (name, inner.text), inner.parameters, AGGREGATES[name] or inner.type)


def _later(seconds: float) -> Callable[[List[Sql]], Sql]:
    """``AddDays(date, number)`` and its likes."""
    def made(arguments: List[Sql]) -> Sql:
        moment, number = arguments
        return Sql("(%s + %s * %d)" % (moment.text, number.text, seconds),
                   (*moment.parameters, *number.parameters), "datetime")

    return made


def _ago(seconds: float) -> Callable[[List[Sql]], Sql]:
    """``DaysAgo(number)``: a moment before now."""
    def made(arguments: List[Sql]) -> Sql:
        return Sql("(? - %s * %d)" % (arguments[0].text, seconds),
                   (time.time(), *arguments[0].parameters), "datetime")

    return made


def _plain(name: str, kind: str = "") -> Callable[[List[Sql]], Sql]:
    """A function that SQL has under that name."""
    def made(arguments: List[Sql]) -> Sql:
        return Sql("%s(%s)" % (name, ", ".join(each.text for each in arguments)),
                   tuple(value for each in arguments for value in each.parameters),
                   kind or arguments[0].type)

    return made


def _iif(arguments: List[Sql]) -> Sql:
    condition, yes, no = arguments
    return Sql("CASE WHEN %s THEN %s ELSE %s END" % (condition.text, yes.text, no.text),
               (*condition.parameters, *yes.parameters, *no.parameters), yes.type)


FUNCTIONS: Dict[str, Tuple[Tuple[int, ...], Callable[[List[Sql]], Sql]]] = {
    "getdate": ((0,), lambda _: Sql("?", (time.time(),), "datetime")),
    "addseconds": ((2,), _later(1)),
    "addminutes": ((2,), _later(60)),
    "addhours": ((2,), _later(3600)),
    "adddays": ((2,), _later(86400)),
    "minutesago": ((1,), _ago(60)),
    "hoursago": ((1,), _ago(3600)),
    "daysago": ((1,), _ago(86400)),
    "lower": ((1,), _plain("lower", "string")),
    "upper": ((1,), _plain("upper", "string")),
    "trim": ((1,), _plain("trim", "string")),
    "length": ((1,), _plain("length", "long")),
    "coalesce": ((2, 3, 4), _plain("coalesce")),
    "iif": ((3,), _iif),
}


def value_text(value: Any, kind: str) -> Optional[str]:
    """A value as the API writes it; None for no value."""
    if value is None:
        return None
    if kind == "datetime":
        moment = datetime.datetime.fromtimestamp(float(value), datetime.timezone.utc)
        return moment.strftime("%Y-%m-%d %H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)
    if isinstance(value, float):
        return "%d" % value if value == int(value) else repr(value)
    return str(value)
