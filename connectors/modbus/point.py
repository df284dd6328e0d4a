"""What one tag is on the wire: where its registers or bits are, and what they mean. Pure data."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from topology.namespace.path import Path

Table = Literal["holding", "input", "coil", "discrete"]
Order = Literal["big", "little"]
Type = Literal[
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "bcd",
    "bits",
    "bool",
    "string",
]
WORDS: dict[Type, int] = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "int64": 4,
    "uint64": 4,
    "float32": 2,
    "float64": 4,
    "bcd": 1,
    "bits": 1,
    "bool": 1,
    "string": 16,
}
"""Registers of a type; of `bcd`, `bits` and `string` the default."""
BIT_TABLES = ("coil", "discrete")


@dataclass(frozen=True, slots=True)
class Layout:
    """How registers become a value."""

    type: Type
    words: int = 1
    word_order: Order = "big"
    """Which register of several is the most significant: the first (`big`) or the last."""
    byte_order: Order = "big"
    bit: int = 0
    """The lowest bit of `bits`, or the one of `bool`; 0 is the least significant."""
    width: int = 1
    scale: Decimal | None = None
    offset: Decimal | None = None
    not_available: frozenset[int] = frozenset()
    """Bit patterns by which the device says that it has no value."""


@dataclass(frozen=True, slots=True)
class Point:
    """One tag of one path, and its place in a table of a unit."""

    path: Path
    tag: str
    table: Table
    address: int
    """Counted from 0, as on the wire."""
    layout: Layout
    scale_address: int | None = None
    """Where the power of ten by which the value counts stands (SunSpec's `sunssf`): it must come with it, it may change."""

    @property
    def first(self) -> int:
        """The first address that is read for it."""
        return self.address if self.scale_address is None else min(self.address, self.scale_address)

    @property
    def end(self) -> int:
        """One behind the last address that is read for it."""
        own = self.address + self.layout.words
        return own if self.scale_address is None else max(own, self.scale_address + 1)
