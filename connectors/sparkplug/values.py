"""What a metric's value is, by its Sparkplug datatype. Pure: what is no value of its type is `BadPayload`."""

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from connectors.kit.payloads import BadPayload, check_text
from connectors.kit.times import shown
from schemas.records import Value

DATA_SET, TEMPLATE = 16, 19
LEAVES_MAX = 1_000
"""Values of one metric: cells of a data set, members of a template, elements of an array."""
DEPTH_MAX = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATETIME_MAX_MS = 253_402_300_800_000
"""The year 10000, which no ISO 8601 text of four digits reaches."""


class Leaf(NamedTuple):
    """One value of a metric: of a plain one the only one, its name empty; inside others its name begins with a dot."""

    name: str
    datatype: int
    value: Value | BadPayload


def scalar(datatype: int, holder: Any) -> Value:
    """The value of a plain datatype, from whatever holds one. Raises `BadPayload`."""
    kind = holder.WhichOneof("value")
    read = _PLAIN.get(datatype)
    if read is None:
        if datatype == 0:
            raise BadPayload("no_type", "neither the message nor a birth says its datatype")
        raise BadPayload("bad_type", f"datatype {datatype} is no value of a tag")
    if kind is None:
        raise BadPayload("bad_value", "there is no value, and `is_null` does not stand there either")
    return read(kind, getattr(holder, kind))


def leaves(datatype: int, metric: Any, known: Callable[[str], int]) -> Iterator[Leaf]:
    """All values of a metric. `known` gives the datatype that a birth said of a member which says none itself; 0: none.

    A data set gives .ROW.COLUMN, rows counted from 0; an array .PLACE; a template .MEMBER, and .PARAMETER where no member
    has that name. A template's definition has no values. Raises `BadPayload` for a metric that gives none at all.
    """
    if datatype == TEMPLATE:
        found = _template(metric.template_value, "", known, 0)
    elif datatype == DATA_SET:
        found = _data_set(metric.dataset_value)
    elif datatype in _ARRAYS:
        found = _array(datatype, metric)
    else:
        found = iter((Leaf("", datatype, scalar(datatype, metric)),))
    for number, leaf in enumerate(found):
        if number == LEAVES_MAX:
            raise BadPayload("too_large", f"it has more than {LEAVES_MAX} values")
        yield leaf


def is_plain(datatype: int) -> bool:
    """Whether a metric of this type is one value."""
    return datatype in _PLAIN


# -- plain values ----------------------------------------------------------------------------------------------


def _integer(bits: int, signed: bool) -> Callable[[str, Any], Value]:
    half, whole = 1 << (bits - 1), 1 << bits

    def read(kind: str, raw: Any) -> Value:
        if kind not in ("int_value", "long_value"):
            raise BadPayload("bad_value", f"an integer is expected, {kind} is there")
        value: int = raw
        if not signed:
            if value >= whole:
                raise BadPayload("bad_value", f"{value} does not fit {bits} bits")
            if value >= 1 << 63:
                raise BadPayload("bad_value", f"{value} does not fit 64 bits with a sign")
            return value
        if value < whole:
            return value if value < half else value - whole
        for wider in (1 << 32, 1 << 64):  # a sign that was carried on into the field's own width
            if wider - half <= value < wider:
                return value - wider
        raise BadPayload("bad_value", f"{value} does not fit {bits} bits with a sign")

    return read


def _real(kind: str, raw: Any) -> Value:
    if kind not in ("float_value", "double_value"):
        raise BadPayload("bad_value", f"a float is expected, {kind} is there")
    return float(raw)


def _boolean(kind: str, raw: Any) -> Value:
    if kind != "boolean_value":
        raise BadPayload("bad_value", f"a boolean is expected, {kind} is there")
    return bool(raw)


def _string(kind: str, raw: Any) -> Value:
    if kind != "string_value":
        raise BadPayload("bad_value", f"a text is expected, {kind} is there")
    return text(raw, "the value")


def _datetime(kind: str, raw: Any) -> Value:
    if kind not in ("int_value", "long_value"):
        raise BadPayload("bad_value", f"a time in ms since 1970 is expected, {kind} is there")
    if raw >= _DATETIME_MAX_MS:
        raise BadPayload("bad_value", f"{raw} ms since 1970 is no year that there is")
    return (_EPOCH + timedelta(milliseconds=raw)).isoformat()


def text(raw: Any, what: str) -> str:
    """A protobuf string; one that is no UTF-8 comes as its bytes. Raises `BadPayload`."""
    if not isinstance(raw, str):
        raise BadPayload("bad_text", f"{what} is not UTF-8: {shown(raw)}")
    if not raw.isascii():
        check_text(raw, what)
    return raw


_PLAIN: dict[int, Callable[[str, Any], Value]] = {
    1: _integer(8, True),
    2: _integer(16, True),
    3: _integer(32, True),
    4: _integer(64, True),
    5: _integer(8, False),
    6: _integer(16, False),
    7: _integer(32, False),
    8: _integer(64, False),
    9: _real,
    10: _real,
    11: _boolean,
    12: _string,
    13: _datetime,
    14: _string,
    15: _string,
}


# -- values inside others --------------------------------------------------------------------------------------


def _read(name: str, datatype: int, holder: Any) -> Leaf:
    try:
        return Leaf(name, datatype, scalar(datatype, holder))
    except BadPayload as bad:
        return Leaf(name, datatype, bad)


def _template(template: Any, above: str, known: Callable[[str], int], depth: int) -> Iterator[Leaf]:
    if depth > DEPTH_MAX:
        raise BadPayload("bad_payload", "nested too deep")
    if template.is_definition:
        return
    names = set()
    for member in template.metrics:
        name = f"{above}.{text(member.name, 'the name of a member')}"
        names.add(name)
        datatype = member.datatype or known(name)
        if member.is_null:
            yield Leaf(name, datatype, None)
        elif datatype == TEMPLATE:
            yield from _template(member.template_value, name, known, depth + 1)
        elif datatype == DATA_SET:
            yield from _below(name, _data_set(member.dataset_value))
        elif datatype in _ARRAYS:
            yield from _below(name, _array(datatype, member))
        else:
            yield _read(name, datatype, member)
    for parameter in template.parameters:
        name = f"{above}.{text(parameter.name, 'the name of a parameter')}"
        if name not in names:
            yield _read(name, parameter.type or known(name), parameter)


def _below(name: str, found: Iterator[Leaf]) -> Iterator[Leaf]:
    return (Leaf(name + leaf.name, leaf.datatype, leaf.value) for leaf in found)


def _data_set(data_set: Any) -> Iterator[Leaf]:
    columns, types = list(data_set.columns), list(data_set.types)
    if len(columns) != len(types):
        raise BadPayload("bad_payload", f"a data set of {len(columns)} columns and {len(types)} types")
    names = [text(column, "the name of a column") for column in columns]
    for number, row in enumerate(data_set.rows):
        if len(row.elements) != len(columns):
            raise BadPayload("bad_payload", f"row {number} has {len(row.elements)} elements, not {len(columns)}")
        for name, datatype, element in zip(names, types, row.elements, strict=True):
            if element.WhichOneof("value") is None:  # the only way in which a cell can be null
                yield Leaf(f".{number}.{name}", datatype, None)
            else:
                yield _read(f".{number}.{name}", datatype, element)


_ARRAYS: dict[int, tuple[int, str]] = {
    22: (1, "b"),
    23: (2, "h"),
    24: (3, "i"),
    25: (4, "q"),
    26: (5, "B"),
    27: (6, "H"),
    28: (7, "I"),
    29: (8, "Q"),
    30: (9, "f"),
    31: (10, "d"),
    32: (11, "?"),
    33: (12, "s"),
    34: (13, "Q"),
}
"""Datatype of an array → that of its elements, and how `struct` writes one, little-endian as the specification says."""


def _array(datatype: int, metric: Any) -> Iterator[Leaf]:
    element, code = _ARRAYS[datatype]
    kind = metric.WhichOneof("value")
    if kind != "bytes_value":
        raise BadPayload("bad_value", f"an array is packed in bytes, {kind or 'nothing'} is there")
    packed: bytes = metric.bytes_value
    for number, value in enumerate(_elements(element, code, packed)):
        yield Leaf(f".{number}", element, value)


def _elements(element: int, code: str, packed: bytes) -> Iterator[Value | BadPayload]:
    if code == "?":
        yield from _booleans(packed)
    elif code == "s":
        yield from _strings(packed)
    else:
        if len(packed) % struct.calcsize(f"<{code}"):
            raise BadPayload("bad_value", f"an array of {len(packed)} bytes holds no whole number of elements")
        for (raw,) in struct.iter_unpack(f"<{code}", packed):
            yield _unpacked(element, raw)


def _unpacked(element: int, raw: Any) -> Value | BadPayload:
    try:
        if element == 13:
            return _datetime("long_value", raw)
        return _PLAIN[8]("long_value", raw) if element == 8 else raw
    except BadPayload as bad:
        return bad


def _booleans(packed: bytes) -> Iterator[Value]:
    """A count of four bytes, then bits, the highest of a byte first."""
    count = int.from_bytes(packed[:4], "little")
    if len(packed) < 4 or len(packed) - 4 != (count + 7) // 8:
        raise BadPayload("bad_value", f"an array of {count} booleans in {len(packed)} bytes")
    for number in range(count):
        yield bool(packed[4 + number // 8] >> (7 - number % 8) & 1)


def _strings(packed: bytes) -> Iterator[Value | BadPayload]:
    """Texts, a zero byte behind each."""
    if packed and not packed.endswith(b"\0"):
        raise BadPayload("bad_value", "an array of texts ends without the zero byte of its last one")
    for part in packed.split(b"\0")[:-1]:
        try:
            yield part.decode()
        except UnicodeDecodeError as error:
            yield BadPayload("bad_text", f"not UTF-8: {error}")
