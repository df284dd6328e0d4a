"""An Avro schema compiled into one Python function that writes a record's body: what fastavro writes, twice as fast.

fastavro is handed dictionaries, and looks up each field's schema for each record anew. Here that is done once: the function
reads the record's attributes, and appends the bytes of each. It takes what the types of `schemas.records` promise, and
raises `Unusual` for anything else: that is fastavro's to judge, so that what does not fit is refused by one rule and in one
set of words. Avro 1.11, binary encoding.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Write = Callable[[Any], bytes]

CACHED = 65_536
"""Texts whose bytes are kept, of all records together: most are said again and again."""
REPEATED = frozenset(
    [
        "path",
        "definition",
        "status",
        "topic",
        "mode",
        "element",
        "state",
        "source",
        "window",
        "window_name",
        "order",
        "product",
        "tag",
        "name",
        "category",
        "reason",
        "kind",
        "shift",
        "severity",
        "subject",
        "characteristic",
        "chart",
        "phase",
    ]
)
"""Fields whose texts repeat. Ids and messages do not, and would push these out."""
_SMALL = 1024

_ACCEPTS = {
    "null": "{0} is None",
    "boolean": "{0} is True or {0} is False",
    "int": "type({0}) is int",
    "long": "type({0}) is int",
    "string": "type({0}) is str",
}
"""When a branch of a union is the value's."""


class Unusual(Exception):
    """A value that the compiled function does not take; it may fit all the same."""


def compiled(schema: Mapping[str, Any]) -> Write:
    """The function for a record's schema. It takes a record, and raises `Unusual`."""
    source = _Source(schema)
    space: dict[str, Any] = {
        "small": _NUMBERS,
        "truth": _TRUTH,
        "zigzag": _zigzag,
        "narrow": _narrow,
        "text": _text,
        "cached": _cached,
        "double": struct.Struct("<d").pack,
        "join": b"".join,
        "unusual": _unusual,
        "faults": (AttributeError, KeyError, TypeError, ValueError, OverflowError, struct.error),
        "Unusual": Unusual,
    }
    exec(compile(source.text, f"<writer of {schema['name']}>", "exec"), space)
    write: Write = space["write"]
    return write


class _Source:
    """The function's text. Bytes of fields in a row are put down as expressions, and go out together."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._named: dict[str, Any] = {}
        self._lines: list[str] = []
        self._names = 0
        self._said: list[str] = []
        """Expressions of bytes that are still to be written, in order."""
        self._chosen = 0
        """Whether in a record that is a branch of a union: fastavro takes true for 1, but not where it has to choose."""
        self._line(0, "def write(record):")
        self._line(1, "parts = []")
        self._line(1, "put = parts.extend")
        self._line(1, "try:")
        self._value(2, schema, "record", "")
        self._line(2, f"return join((*parts, {', '.join(self._said)},))")
        self._line(1, "except faults as fault:")
        self._line(2, "raise Unusual(str(fault)) from fault")
        self.text = "\n".join(self._lines)

    def _line(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def _write(self, depth: int) -> None:
        """Writes what was put down, before anything that is not written in any case, or more than once."""
        if self._said:
            self._line(depth, f"put(({', '.join(self._said)},))")
            self._said = []

    def _value(self, depth: int, schema: Any, value: str, field: str) -> None:
        if isinstance(schema, list):
            return self._union(depth, schema, value, field)
        kind = _kind(schema)
        if self._chosen and kind in ("long", "int", "double", "boolean"):
            self._line(depth, f"if type({value}) {'is not' if kind == 'boolean' else 'is'} bool:")
            self._line(depth + 1, f"unusual({value})")
        match kind:
            case "record":
                self._record(depth, schema, value)
            case named if named in self._named:
                self._record(depth, self._named[named], value)
            case "array":
                self._block(depth, value, lambda item: self._value(depth + 2, schema["items"], item, field))
            case "map":
                self._map(depth, schema["values"], value, field)
            case "string" if field not in REPEATED:
                body = self._name()
                self._line(depth, f"{body} = {value}.encode()")
                length = f"len({body})"
                self._said += [f"small[{length}] if {length} < {_SMALL} else zigzag({length})", body]
            case _:
                self._said.append(_expression(kind, value, field))
        return None

    def _record(self, depth: int, schema: Mapping[str, Any], value: str) -> None:
        self._named[schema["name"]] = schema
        for field in schema["fields"]:
            name = self._name()
            self._line(depth, f"{name} = {value}.{field['name']}")
            self._value(depth, field["type"], name, field["name"])

    def _block(self, depth: int, value: str, items: Callable[[str], None], pairs: str = "") -> None:
        """An array or map: one block, then its end."""
        item = self._name()
        fits = f"type({value}) is dict" if pairs else f"type({value}) is tuple or type({value}) is list"
        self._write(depth)
        self._line(depth, f"if not ({fits}):")
        self._line(depth + 1, f"unusual({value})")
        self._line(depth, f"if {value}:")
        self._line(depth + 1, f"put((zigzag(len({value})),))")
        self._line(depth + 1, f"for {pairs}{item} in {value}{'.items()' if pairs else ''}:")
        items(item)
        self._write(depth + 2)
        self._said.append("b'\\0'")

    def _map(self, depth: int, values: Any, value: str, field: str) -> None:
        key = self._name()

        def items(item: str) -> None:
            self._said.append(f"cached({key})")
            self._value(depth + 2, values, item, field)

        self._block(depth, value, items, f"{key}, ")

    def _union(self, depth: int, branches: list[Any], value: str, field: str) -> None:
        """The branch's number, and its value: one expression where all branches are plain, else written on the spot."""
        plain = all(_kind(branch) in _ACCEPTS or _kind(branch) == "double" for branch in branches)
        chosen = self._name()
        if not plain:
            self._write(depth)
        for n, branch in enumerate(branches):
            kind = _kind(branch)
            if kind == "double":  # it takes whole numbers too, where there is nothing better for them
                whole = "long" in branches[:n] or "int" in branches[:n]
                accepts = f"type({value}) is float" + ("" if whole else f" or type({value}) is int")
            else:
                accepts = _ACCEPTS.get(kind, "{0} is not None").format(value)
            self._line(depth, f"{'elif' if n else 'if'} {accepts}:")
            if plain:
                written = "" if kind == "null" else f" + ({_expression(kind, value, field)})"
                self._line(depth + 1, f"{chosen} = {_NUMBERS[n]!r}{written}")
                continue
            self._said.append(repr(_NUMBERS[n]))
            if kind != "null":
                self._chosen += kind not in _ACCEPTS and kind != "double"
                self._value(depth + 1, branch, value, field)
                self._chosen -= kind not in _ACCEPTS and kind != "double"
            self._write(depth + 1)
        self._line(depth, "else:")
        self._line(depth + 1, f"unusual({value})")
        if plain:
            self._said.append(chosen)


def _expression(kind: str, value: str, field: str) -> str:
    """The bytes of a plain value."""
    match kind:
        case "long" | "int":
            larger = "zigzag" if kind == "long" else "narrow"
            return f"small[{value}] if 0 <= {value} < {_SMALL} else {larger}({value})"
        case "double":
            return f"double({value})"
        case "boolean":
            return f"truth[{value}]"
        case "string":
            return f"{'cached' if field in REPEATED else 'text'}({value})"
    raise NotImplementedError(f"Avro type {kind}")


def _kind(schema: Any) -> str:
    """A type's name; a logical type is written as what it is made of."""
    while isinstance(schema, Mapping):
        schema = schema["type"]
    return str(schema)


def _narrow(number: int) -> bytes:
    """An Avro int."""
    if not -(1 << 31) <= number < 1 << 31:
        raise ValueError(f"{number} does not fit 32 bits")
    return _zigzag(number)


def _zigzag(number: int) -> bytes:
    """A whole number in as few bytes as it takes, the sign in the lowest bit; fourteen bits at a time."""
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} does not fit 64 bits")
    rest = (number << 1) ^ (number >> 63)
    if rest < _PAIR:
        return _LAST[rest]
    if rest < 1 << 28:
        return _PAIRS[rest & _MASK] + _LAST[rest >> 14]
    if rest < 1 << 42:
        return _PAIRS[rest & _MASK] + _PAIRS[rest >> 14 & _MASK] + _LAST[rest >> 28]
    long = _PAIRS[rest & _MASK] + _PAIRS[rest >> 14 & _MASK] + _PAIRS[rest >> 28 & _MASK]
    return long + (_LAST[rest >> 42] if rest < 1 << 56 else _PAIRS[rest >> 42 & _MASK] + _LAST[rest >> 56])


_PAIR = 1 << 14
_MASK = _PAIR - 1
_PAIRS = [bytes((n & 127 | 128, n >> 7 | 128)) for n in range(_PAIR)]
"""Two bytes of a longer number, of its fourteen bits."""
_LAST = [bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7)) for n in range(_PAIR)]
"""A number's last one or two bytes."""


_NUMBERS = [_LAST[2 * n] for n in range(_SMALL)]

_TRUTH = {True: b"\x01", False: b"\x00"}


def _text(text: str) -> bytes:
    body = text.encode()
    return _zigzag(len(body)) + body


_cached = lru_cache(CACHED)(_text)


def _unusual(value: Any) -> None:
    raise Unusual(f"{type(value).__name__} in a union that has none")
