"""Blocks of samples: an hour of one tag as arrays, the older ones sealed, and how they are packed."""

import struct
import zlib
from array import array
from bisect import bisect_right
from itertools import accumulate, islice
from operator import attrgetter, sub
from typing import NamedTuple

from processors.units import INF

OPEN_MAX, SEALED, JOINED = 48, 32, 12
"""Of the newest hour so many samples stay open at most; then the oldest so many are sealed; so many seals are joined."""
_WIDTHS = "bhi"
_HEAD = struct.Struct("<Iqqqq")


class Entry(NamedTuple):
    at: int
    value: int
    offset: int


class Seal(NamedTuple):
    """Packed samples of an hour."""

    begin: int
    """None of them is before."""
    data: bytes


class Block:
    """Samples of one hour: four arrays of equal length, in order of time, after those already sealed.

    Samples of one time are in order of value, a source's only one each, or in order of rank where all count.
    """

    __slots__ = ("mixed", "offsets", "ranks", "sealed", "small", "times", "values")

    def __init__(self) -> None:
        self.times = array("q")
        self.values = array("q")
        self.offsets = array("q")
        self.ranks = array("q")
        self.mixed = False
        """Whether two sources speak of one time."""
        self.sealed: list[Seal] = []
        """In order of time."""
        self.small = 0
        """How many of the last of them are not joined yet."""

    @property
    def last(self) -> Entry:
        return Entry(self.times[-1], self.values[-1], self.offsets[-1])

    def seal(self) -> None:
        """Packs the oldest of the open samples, none of those that share their time with an open one."""
        n = bisect_right(self.times, self.times[SEALED - 1])
        if n == len(self.times):
            return
        self.sealed.append(Seal(self.times[0], _pack(self.mixed, *(column[:n] for column in self._columns))))
        for column in self._columns:
            del column[:n]
        self.small += 1
        if self.small == JOINED:
            joined = Block()
            for seal in self.sealed[-JOINED:]:
                joined._append(seal.data)
            self.sealed[-JOINED:] = [Seal(joined.times[0], joined.pack())]
            self.small = 0

    @property
    def _columns(self) -> "tuple[array[int], array[int], array[int], array[int]]":
        return self.times, self.values, self.offsets, self.ranks

    def insert(self, i: int, *sample: int) -> None:
        """Puts (at, value, offset, rank) before the i-th sample."""
        for column, number in zip(self._columns, sample, strict=True):
            column.insert(i, number)

    def whole(self, read: bool = False, since: int = -INF) -> "Block":
        """The same samples, none of them sealed; those that were before the one in force at `since` may be missing. `read`:
        only to be read, and so without ranks that nobody asks for."""
        if not self.sealed or since >= self.times[0]:
            return self
        block = Block()
        first = max(bisect_right(self.sealed, since, key=attrgetter("begin")) - 1, 0)
        block.mixed = self.mixed or any(seal.data[0] for seal in self.sealed[first:])
        for seal in self.sealed[first:]:
            block._append(seal.data, read)
        for column, rest in zip(block._columns, self._columns, strict=True):
            column.extend(rest)
        return block

    def pack(self) -> bytes:
        whole = self.whole()
        return _pack(whole.mixed, *whole._columns)

    @classmethod
    def unpack(cls, data: bytes, read: bool = False) -> "Block":
        """`read`: as in `whole`."""
        block = cls()
        block._append(data, read)
        return block

    def _append(self, data: bytes, read: bool = False) -> None:
        self.mixed |= bool(data[0])
        raw = zlib.decompress(memoryview(data)[1:])
        n, *firsts = _HEAD.unpack_from(raw)
        start = _HEAD.size
        columns = self._columns if not read or self.mixed else self._columns[:-1]
        for column, first in zip(columns, firsts, strict=False):
            steps = array(chr(raw[start]))
            end = start + 1 + n * steps.itemsize
            steps.frombytes(raw[start + 1 : end])
            if steps.typecode != "q":
                column.extend(islice(accumulate(steps, initial=first), 1, None))  # the first step is 0
            else:
                column.extend(steps)
            start = end


def _pack(mixed: bool, *columns: "array[int]") -> bytes:
    """Differences compress well: sources are regular, counters climb slowly, offsets and ranks climb."""
    parts = [_HEAD.pack(len(columns[0]), *(column[0] for column in columns))]
    for column in columns:
        steps = _narrow(column)
        parts += [steps.typecode.encode(), steps.tobytes()]
    return bytes([mixed]) + zlib.compress(b"".join(parts), 6)


def _narrow(column: "array[int]") -> "array[int]":
    """Differences in as few bytes as hold them all, or the numbers themselves where differences are as wide."""
    steps = [0, *map(sub, column[1:], column)]
    for width in _WIDTHS:
        try:
            return array(width, steps)
        except OverflowError:
            continue
    return column
