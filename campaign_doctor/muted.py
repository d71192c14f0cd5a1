# Copyright: (c) 2026, campaign.remediation contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""`campaign_muted` in the text of a YAML file: an entry more, or some less, and not a byte else.

The parser only says where the list is; the text around it is never written again. Whatever comes
out is parsed once more and must say exactly what was wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml

NAME = "campaign_muted"
WIDE = 10_000  # no line is folded

Entry = dict[str, Any]
Where = tuple[str, ...]  # the keys that lead to the mapping that has the list


class CannotChangeError(ValueError):
    """The text has to be changed by hand; says why."""


class _Loader(yaml.SafeLoader):
    """Reads what Ansible reads; values with a tag, such as !vault, are compared and not opened."""


def _tagged(_loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> object:
    return tag, yaml.serialize(node)


_Loader.add_multi_constructor("!", _tagged)


def entries(text: str, where: Where = ()) -> list[Any] | None:
    """The list as it is; None if there is none. Raises CannotChangeError if that cannot be known."""
    data = _at(_parsed(text), where)
    if NAME not in data:
        return None
    found = data[NAME]
    if found is not None and not isinstance(found, list):
        raise CannotChangeError(f"its {NAME} is not a plain list")
    return list(found or [])


def added(text: str, entry: Entry, where: Where = ()) -> str:
    """The text with an entry at the end of the list, which is made if there is none."""
    known = entries(text, where)
    data = deepcopy(_parsed(text))
    _at(data, where)[NAME] = [*(known or []), entry]
    return _checked(_with(text, entry, where, known), data)


def _with(text: str, entry: Entry, where: Where, known: list[Any] | None) -> Iterator[str]:
    newline = "\r\n" if "\r\n" in text else "\n"
    if known is None:
        head = text if not text or text.endswith("\n") else text + newline
        yield head + _block([entry], 2, newline, head=f"{NAME}:")
        return
    key, value = _pair(text, where)
    start, end = value.start_mark.index, value.end_mark.index
    if known and value.flow_style:
        stop = value.value[-1].end_mark.index
        flow = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=WIDE,
                              allow_unicode=True).strip()  # fmt: skip
        yield f"{text[:stop]}, {flow}{text[stop:]}"
    elif known:
        for comments in (True, False):
            stop = _last(text, start, end, comments=comments)
            gap = "" if text[:stop].endswith("\n") else newline
            block = _block([entry], value.start_mark.column, newline)
            yield f"{text[:stop]}{gap}{block}{text[stop:]}"
    else:  # [] or nothing; a comment after it stays where it is
        after = key.end_mark.index + 1
        rest = text[end:] if end > after else text[after:]
        line, _newline, others = rest.partition("\n")
        column = key.start_mark.column + 2
        yield f"{text[:after]}{line.rstrip()}{newline}{_block([entry], column, newline)}{others}"


def removed(text: str, fits: Callable[[Mapping[str, Any]], bool], where: Where = ()) -> str:
    """The text without the entries that fit; an empty list stays if there was no other."""
    known = entries(text, where) or []
    gone = [number for number, each in enumerate(known) if isinstance(each, dict) and fits(each)]
    for number in reversed(gone):
        data = deepcopy(_parsed(text))
        mapping = _at(data, where)
        del mapping[NAME][number]
        text = _checked(_without(text, number, where), data)
    return text


def _without(text: str, number: int, where: Where) -> Iterator[str]:
    key, value = _pair(text, where)
    items = value.value
    item, last = items[number], number + 1 == len(items)
    start, end = item.start_mark.index, item.end_mark.index
    if value.flow_style:
        if not last:
            end = items[number + 1].start_mark.index
        elif number:
            start = items[number - 1].end_mark.index
        yield text[:start] + text[end:]
        return
    if len(items) == 1:
        after = key.end_mark.index + 1
        line, newline, _others = text[after:].partition("\n")
        stop = _last(text, value.start_mark.index, value.end_mark.index, comments=True)
        yield f"{text[:after]} []{line}{newline}{text[stop:]}"
        return
    for comments in (True, False):
        stop = _last(text, start, value.end_mark.index if last else items[number + 1].start_mark.index,
                     comments=comments)  # fmt: skip
        yield text[:_line(text, start)] + text[stop:]


def _block(items: list[Entry], column: int, newline: str, head: str = "") -> str:
    """Entries as lines, indented."""
    dumped = yaml.safe_dump(items, sort_keys=False, width=WIDE, allow_unicode=True)
    lines = [head] * bool(head) + [" " * column + line for line in dumped.splitlines()]
    return "".join(line + newline for line in lines)


def _line(text: str, index: int) -> int:
    """Where the line of a character begins."""
    return text.rfind("\n", 0, index) + 1


def _last(text: str, start: int, end: int, *, comments: bool) -> int:
    """Where the last line of a part ends: the parser counts what follows as its own, up to `end`."""
    stop = len(text) if end >= len(text) else _line(text, end)
    while stop > start:
        begin = _line(text, stop - 1)
        line = text[begin:stop].strip()
        if line and not (comments and line.startswith("#")):
            break
        stop = begin
    return stop


def _checked(candidates: Iterator[str], wanted: object) -> str:
    """The first candidate that says what was wanted, and nothing else."""
    for text in candidates:
        try:
            if _parsed(text) == wanted:
                return text
        except CannotChangeError:
            continue
    raise CannotChangeError(f"its {NAME} is written in a way that only an operator can change")


def _parsed(text: str) -> Any:
    try:
        loaded = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise CannotChangeError(f"it is not valid YAML: {problem}{line}") from None
    if loaded is not None and not isinstance(loaded, dict):
        raise CannotChangeError("it is not a file of variables")
    return loaded or {}


def _at(data: Any, where: Where) -> dict[str, Any]:
    for key in where:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _pair(text: str, where: Where) -> tuple[yaml.Node, Any]:
    """The nodes of the list's name and of the list."""
    node: Any = yaml.compose(text, _Loader)
    for name in (*where, NAME):
        for key, value in node.value:
            if key.value == name:
                found, node = key, value
    return found, node
