"""What a JSON object holds at a path like `author.id`, also where it says so twice or spells the name otherwise.

RFC 8259 leaves open which of two members of one name counts, and readers differ. So all of them are told: a record goes
when any of them names the person.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from downstream.engines.records import MISSING, Several, Values

# an ASCII letter written as an escape; writers that escape everything else never do that
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")
_LARGEST = 2.0**63
_PLAIN_NAME = re.compile(r"[\x20\x21\x23-\x2e\x30-\x5b\x5d-\x7e]*")


_plainly = json.JSONDecoder().decode


class NotJson(Exception):
    """The text is no JSON."""


class _Pairs(list[tuple[str, Any]]):
    """An object as its members stand there."""


_with_all_members = json.JSONDecoder(object_pairs_hook=_Pairs).decode


class Paths:
    """Reads the values at some paths. A column's name as it is comes first, then its parts between dots."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = [(name, tuple(name.split("."))) for name in columns]
        names = {part for name, parts in self._columns for part in (name, *parts)}
        self._quoted = [b'"' + name.encode("utf-8", "surrogatepass") + b'"' for name in sorted(names)]
        # a name that JSON may or must escape can be spelled in more ways than can be searched for
        self._plain = all(_PLAIN_NAME.fullmatch(name) for name in names)
        self._simple = all(len(parts) == 1 for _, parts in self._columns)
        self._first = self._columns[0][0] if self._simple and len(self._columns) == 1 else None

    @property
    def nothing(self) -> Values:
        """What is told where there is no JSON."""
        return (MISSING,) * len(self._columns)

    def read(self, text: bytes) -> Values:
        """The columns' values in a JSON text. Raises NotJson."""
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            # NaN, or half a surrogate pair, which Python writes; or no JSON at all
            return self.read_again(text)
        if self._is_doubtful(text):
            return self.read_again(text)
        if type(found) is not dict:
            return self.nothing
        if self._first is not None:
            values: Values = (found.get(self._first, MISSING),)
        elif self._simple:
            values = tuple(found.get(name, MISSING) for name, _ in self._columns)
        else:
            values = self._all_of(found)
        for value in values:
            # a whole number too large for it, which it gives as a fraction
            if type(value) is float and abs(value) >= _LARGEST:
                return self.read_again(text)
        return values

    def read_again(self, text: bytes) -> Values:
        """The same by Python's own reader. Raises NotJson."""
        read = _with_all_members if self._is_doubtful(text) else _plainly
        try:
            return self._all_of(read(text.decode("utf-8")))
        except (ValueError, RecursionError):
            raise NotJson from None

    def _is_doubtful(self, text: bytes) -> bool:
        for name in self._quoted:
            if text.count(name) > 1:
                return True
        if not self._plain:
            return b"\\" in text
        return b"\\u00" in text and _ESCAPED_LETTER.search(text) is not None

    def _all_of(self, found: Any) -> Values:
        if self._first is not None and type(found) is dict:
            return (found.get(self._first, MISSING),)
        return tuple(_value_at(found, name, parts) for name, parts in self._columns)


def names(text: bytes) -> list[str]:
    """The names of an object's members; none where the text is something else, or no JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return list(found) if isinstance(found, dict) else []


def whole(text: bytes) -> Any:
    """A JSON text with all that it holds; a member that is there more than once is a list of it. Raises NotJson."""
    try:
        return _as_it_stands(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotJson from None


def _with_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        return {name: [value for one, value in pairs if one == name] for name in found}
    return found


_as_it_stands = json.JSONDecoder(object_pairs_hook=_with_repeated).decode


def _value_at(found: Any, name: str, parts: Sequence[str]) -> Any:
    values = list(_members(found, name)) if len(parts) > 1 else []
    values += _at(found, parts)
    if not values:
        return MISSING
    return values[0] if len(values) == 1 else Several(values)


def _at(node: Any, parts: Sequence[str]) -> Iterator[Any]:
    if not parts:
        yield _without_pairs(node)
    elif isinstance(node, dict | _Pairs):
        for member in _members(node, parts[0]):
            yield from _at(member, parts[1:])
    elif isinstance(node, list):
        # the people of a list of objects are a list of people
        inner = [value for item in node for value in _at(item, parts)]
        if inner:
            yield inner


def _members(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, _Pairs):
        yield from (value for key, value in node if key == name)
    elif isinstance(node, dict) and name in node:
        yield node[name]


def _without_pairs(node: Any) -> Any:
    return {} if isinstance(node, _Pairs) else node
