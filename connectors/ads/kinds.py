"""What a variable is, by what its symbol says of it. Pure.

Sources: Beckhoff Information System, *ADS data types* (`ADST_…`), *AdsSymbolEntry*, and the data types of IEC 61131-3 in
TwinCAT: all numbers are little endian, STRING(n) has n + 1 bytes, WSTRING(n) 2 n + 2, DATE and DATE_AND_TIME are s and
TIME_OF_DAY is ms, the long ones are ns.
"""

import re
import struct
from math import prod
from typing import Literal, NamedTuple

Kind = Literal[
    "bool",
    "sint",
    "usint",
    "int",
    "uint",
    "dint",
    "udint",
    "lint",
    "ulint",
    "real",
    "lreal",
    "time",
    "ltime",
    "time_of_day",
    "ltime_of_day",
    "date",
    "date_and_time",
    "ldate",
    "ldt",
    "string",
    "wstring",
]
LAYOUTS: dict[Kind, struct.Struct] = {
    "bool": struct.Struct("<B"),
    "sint": struct.Struct("<b"),
    "usint": struct.Struct("<B"),
    "int": struct.Struct("<h"),
    "uint": struct.Struct("<H"),
    "dint": struct.Struct("<i"),
    "udint": struct.Struct("<I"),
    "lint": struct.Struct("<q"),
    "ulint": struct.Struct("<Q"),
    "real": struct.Struct("<f"),
    "lreal": struct.Struct("<d"),
    "time": struct.Struct("<I"),
    "ltime": struct.Struct("<Q"),
    "time_of_day": struct.Struct("<I"),
    "ltime_of_day": struct.Struct("<Q"),
    "date": struct.Struct("<I"),
    "date_and_time": struct.Struct("<I"),
    "ldate": struct.Struct("<Q"),
    "ldt": struct.Struct("<Q"),
}
"""Of all but texts, whose length each variable has for itself."""
WHOLE: frozenset[Kind] = frozenset({"sint", "usint", "int", "uint", "dint", "udint", "lint", "ulint"})
_BY_CODE: dict[int, Kind] = {
    2: "int",
    3: "dint",
    4: "real",
    5: "lreal",
    16: "sint",
    17: "usint",
    18: "uint",
    19: "udint",
    20: "lint",
    21: "ulint",
    30: "string",
    31: "wstring",
    33: "bool",
}
_OTHER_NAMES: dict[str, Kind] = {
    "bit": "bool",
    "byte": "usint",
    "word": "uint",
    "dword": "udint",
    "lword": "ulint",
    "tod": "time_of_day",
    "ltod": "ltime_of_day",
    "dt": "date_and_time",
    "ldate_and_time": "ldt",
}
_ARRAY = re.compile(r"ARRAY\s*\[(?P<bounds>[^\]]*)\]\s*OF\s+(?P<of>.+)", re.IGNORECASE | re.DOTALL)
_BOUNDS = re.compile(r"\s*(-?\d{1,10})\s*\.\.\s*(-?\d{1,10})\s*")
_TEXT = re.compile(r"(W?STRING)(?:\s*\(\s*\d+\s*\))?", re.IGNORECASE)
_ADDRESS = re.compile(r"(POINTER|REFERENCE)\s+TO\s", re.IGNORECASE)


class Symbol(NamedTuple):
    """What a controller says of a variable."""

    size: int
    """Bytes."""
    code: int
    """ADST_…, of an array that of its elements."""
    type: str
    """As it was declared: `INT`, `ARRAY [0..3] OF REAL`, `STRING(80)`, `E_State`."""
    handle: int = 0


class Form(NamedTuple):
    """Elements of a kind, each so long."""

    kind: Kind
    elements: int
    size: int


class Formless(ValueError):
    """A variable that cannot be a value; says what it is and what to do."""


def form(symbol: Symbol, said: Kind | None = None) -> Form:
    """What the bytes of a variable are; `said`: by the configuration. Raises `Formless`."""
    element, count = unfolded(symbol.type)
    if _ADDRESS.match(element):
        raise Formless("it is an address of something else; name that itself")
    kind = said or _kind(element, symbol.code)
    if kind is None:
        raise Formless(
            f"it is a structure, or no value otherwise ({symbol.type}): name its members, each by its own tag"
        )
    layout = LAYOUTS.get(kind)
    if layout is not None:
        size = layout.size
        if count == 1:  # a type of its own can be an array, too
            count = symbol.size // size
    else:
        size = symbol.size // count
    if not size or not count or size * count != symbol.size or (kind == "wstring" and size % 2):
        raise Formless(f"its {symbol.size} bytes ({symbol.type}) are no {kind}; say another `type`")
    return Form(kind, count, size)


def unfolded(name: str) -> tuple[str, int]:
    """The type of the elements of a type, and how many they are, in the order of memory. Raises `Formless`."""
    count = 1
    while found := _ARRAY.fullmatch(name.strip()):
        bounds = [_BOUNDS.fullmatch(each) for each in found["bounds"].split(",")]
        count *= prod(max(0, int(each[2]) - int(each[1]) + 1) if each else 0 for each in bounds)
        if not count:
            raise Formless(f"what is in {name} is not known; name an element")
        name = found["of"]
    return name.strip(), count


def _kind(element: str, code: int) -> Kind | None:
    """By its name where that is one of IEC 61131-3, else (a type or an enumeration of the project) by what it is made of."""
    name = element.lower()
    if text := _TEXT.fullmatch(element):
        return "wstring" if text[1].lower() == "wstring" else "string"
    if name in LAYOUTS:
        return name
    return _OTHER_NAMES.get(name) or _BY_CODE.get(code)
