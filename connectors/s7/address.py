"""Where a value stands and what it is: `DB1.DBD4`, `M10.1`, and the types that S7 has. Pure."""

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from topology.namespace.path import Path

Area = Literal["DB", "M", "I", "Q"]
Type = Literal[
    "bool",
    "byte",
    "char",
    "sint",
    "usint",
    "int",
    "uint",
    "word",
    "wchar",
    "date",
    "s5time",
    "dint",
    "udint",
    "dword",
    "real",
    "time",
    "time_of_day",
    "lint",
    "ulint",
    "lword",
    "lreal",
    "ltime",
    "ltime_of_day",
    "ldt",
    "date_and_time",
    "dtl",
    "string",
    "wstring",
]
SIZES: dict[Type, int] = {
    "bool": 1,
    "byte": 1,
    "char": 1,
    "sint": 1,
    "usint": 1,
    "int": 2,
    "uint": 2,
    "word": 2,
    "wchar": 2,
    "date": 2,
    "s5time": 2,
    "dint": 4,
    "udint": 4,
    "dword": 4,
    "real": 4,
    "time": 4,
    "time_of_day": 4,
    "lint": 8,
    "ulint": 8,
    "lword": 8,
    "lreal": 8,
    "ltime": 8,
    "ltime_of_day": 8,
    "ldt": 8,
    "date_and_time": 8,
    "dtl": 12,
}
"""Bytes of a type; those of texts follow from their length."""
BYTES_MAX = 65_536
_WIDTHS = {"X": 0, "B": 1, "W": 2, "D": 4}
_DEFAULTS: dict[int, Type] = {0: "bool", 1: "byte", 2: "word", 4: "dword"}
_AREAS: dict[str, Area] = {"M": "M", "F": "M", "I": "I", "E": "I", "Q": "Q", "A": "Q"}
_PLACE = re.compile(
    r"%?(?:DB(?P<db>\d{1,5})\.DB(?P<in_db>[XBWD])|(?P<area>[MFIEQA])(?P<width>[XBWD]?))(?P<byte>\d{1,5})(?:\.(?P<bit>[0-7]))?",
    re.IGNORECASE,
)


class Place(NamedTuple):
    """An address as it is written."""

    area: Area
    db: int
    byte: int
    bit: int
    width: int
    """Bytes by its letter; 0: a bit."""

    @property
    def type(self) -> Type:
        """What stands there where nothing else is said."""
        return _DEFAULTS[self.width]


def place(text: str) -> Place:
    """Reads an address. Raises `ValueError` that says how one looks."""
    found = _PLACE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no address; DB1.DBD4, DB1.DBX0.3, M10.1, MW20, I0.0 or QB4 is expected")
    letter = (found["in_db"] or found["width"] or ("X" if found["bit"] else "")).upper()
    if not letter or (letter == "X") != (found["bit"] is not None):
        raise ValueError(
            f"{text!r}: a bit has a byte and a bit (M10.1, DB1.DBX0.3), anything else B, W or D and a byte"
        )
    byte = int(found["byte"])
    if byte >= BYTES_MAX or int(found["db"] or 0) > 65_535:
        raise ValueError(f"{text!r} is beyond what an address can be")
    area: Area = "DB" if found["db"] else _AREAS[found["area"].upper()]
    return Place(area, int(found["db"] or 0), byte, int(found["bit"] or 0), _WIDTHS[letter])


@dataclass(frozen=True, slots=True)
class Point:
    """One tag of one path, and its place in an area."""

    path: Path
    tag: str
    area: Area
    db: int
    byte: int
    bit: int
    type: Type
    length: int = 0
    """Characters that a text has at most."""

    @property
    def size(self) -> int:
        match self.type:
            case "string":
                return 2 + self.length
            case "wstring":
                return 4 + 2 * self.length
            case _:
                return SIZES[self.type]

    @property
    def end(self) -> int:
        return self.byte + self.size

    def __str__(self) -> str:
        where = f"DB{self.db}.DB" if self.area == "DB" else self.area
        if self.type == "bool":
            return f"{where}{'X' if self.area == 'DB' else ''}{self.byte}.{self.bit}"
        return f"{where}{ {1: 'B', 2: 'W', 4: 'D'}.get(self.size, 'B') }{self.byte}"

    def elements(self, count: int) -> list["Point"]:
        """As an array of so many: each a tag of its own, bits beside each other, texts from even bytes on."""
        if self.type == "bool":
            bits = (8 * self.byte + self.bit + number for number in range(count))
            spots = [(bit // 8, bit % 8) for bit in bits]
        else:
            step = self.size if self.size == 1 else self.size + self.size % 2
            spots = [(self.byte + number * step, 0) for number in range(count)]
        return [
            replace(self, tag=f"{self.tag}.{number}", byte=byte, bit=bit) for number, (byte, bit) in enumerate(spots)
        ]
