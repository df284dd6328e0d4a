"""The samples of one tag as a set ordered by source time, in blocks of an hour; all but the newest are kept packed.

Equal times hold one value: the greater one wins, so the content never depends on the order of arrival.
Times are µs UTC, values int64, and each sample carries the raw offset it came from (for lineage).
"""

import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import accumulate
from operator import sub
from typing import NamedTuple

HOUR = 3_600_000_000
INF = 1 << 62
OPEN_MAX, SEALED, JOINED = 96, 64, 6
"""Of the newest hour so many samples stay open at most; then the oldest so many are sealed; so many seals are joined."""
_WIDTHS = "bhi"
_HEAD = struct.Struct("<Iqqq")


class Entry(NamedTuple):
    at: int
    value: int
    offset: int


class Block:
    """Samples of one hour: three arrays of equal length, in order of time, after those already sealed."""

    __slots__ = ("offsets", "sealed", "small", "times", "values")

    def __init__(self) -> None:
        self.times = array("q")
        self.values = array("q")
        self.offsets = array("q")
        self.sealed: list[bytes] = []
        self.small = 0
        """How many of the last of them are not joined yet."""

    @property
    def last(self) -> Entry:
        return Entry(self.times[-1], self.values[-1], self.offsets[-1])

    def seal(self) -> None:
        """Packs the oldest of the open samples."""
        self.sealed.append(_pack(self.times[:SEALED], self.values[:SEALED], self.offsets[:SEALED]))
        del self.times[:SEALED], self.values[:SEALED], self.offsets[:SEALED]
        self.small += 1
        if self.small == JOINED:
            joined = Block()
            for data in self.sealed[-JOINED:]:
                joined._append(data)
            self.sealed[-JOINED:] = [joined.pack()]
            self.small = 0

    def whole(self) -> "Block":
        """The same samples, none of them sealed."""
        if not self.sealed:
            return self
        block = Block()
        for data in self.sealed:
            block._append(data)
        block.times.extend(self.times)
        block.values.extend(self.values)
        block.offsets.extend(self.offsets)
        return block

    def pack(self) -> bytes:
        whole = self.whole()
        return _pack(whole.times, whole.values, whole.offsets)

    @classmethod
    def unpack(cls, data: bytes) -> "Block":
        block = cls()
        block._append(data)
        return block

    def _append(self, data: bytes) -> None:
        raw = zlib.decompress(data)
        n, *firsts = _HEAD.unpack_from(raw)
        start = _HEAD.size
        for column, first in zip((self.times, self.values, self.offsets), firsts, strict=True):
            steps = array(chr(raw[start]))
            end = start + 1 + n * steps.itemsize
            steps.frombytes(raw[start + 1 : end])
            if steps.typecode != "q":
                column.extend(first + total for total in accumulate(steps))
            else:
                column.extend(steps)
            start = end


def _pack(*columns: "array[int]") -> bytes:
    """Differences compress well: sources are regular, counters climb slowly, offsets climb."""
    parts = [_HEAD.pack(len(columns[0]), *(column[0] for column in columns))]
    for column in columns:
        steps = _narrow(column)
        parts += [steps.typecode.encode(), steps.tobytes()]
    return zlib.compress(b"".join(parts), 6)


def _narrow(column: "array[int]") -> "array[int]":
    """Differences in as few bytes as hold them all, or the numbers themselves where differences are as wide."""
    steps = [0, *map(sub, column[1:], column)]
    for width in _WIDTHS:
        try:
            return array(width, steps)
        except OverflowError:
            continue
    return column


class Packed(NamedTuple):
    """A block at rest, with its newest sample at hand."""

    data: bytes
    last: Entry


class Series:
    """A set of samples; `carry` is the newest of those already let go, still the value in force before the rest."""

    __slots__ = ("_block", "_cold", "_end", "_hot", "_hours", "carry", "newest")

    def __init__(self) -> None:
        self._hot: dict[int, Block] = {}
        self._cold: dict[int, Packed] = {}
        self._hours: list[int] = []
        self._block = Block()  # of the newest sample
        self._end = -INF  # of that block
        self.newest = -INF
        self.carry: Entry | None = None

    def add(self, at: int, value: int, offset: int) -> int | None:
        """Returns the time of the next sample (INF: none), or None when this one changes nothing."""
        if self.newest < at < self._end:  # the usual case: in order, in the newest hour
            block = self._block
            block.times.append(at)
            block.values.append(value)
            block.offsets.append(offset)
            self.newest = at
            if len(block.times) > OPEN_MAX:
                block.seal()
            return INF
        block = self._at_hour(at)
        times = block.times
        i = bisect_left(times, at)
        if i < len(times) and times[i] == at:
            if value <= block.values[i]:
                return None
            block.values[i] = value
            block.offsets[i] = offset
        else:
            times.insert(i, at)
            block.values.insert(i, value)
            block.offsets.insert(i, offset)
        if at >= self.newest:
            self.newest = at
            self._block, self._end = block, (at // HOUR + 1) * HOUR
            return INF
        following = self.first_after(at)
        return INF if following is None else following.at

    def _at_hour(self, at: int) -> Block:
        hour = at // HOUR
        block = self._hot.get(hour)
        if block is None:
            packed = self._cold.pop(hour, None)
            if packed is None:
                block = Block()
                insort(self._hours, hour)
            elif at > packed.last.at:
                block = Block()
                block.sealed.append(packed.data)
            else:
                block = Block.unpack(packed.data)
            self._hot[hour] = block
        elif block.sealed and at < block.times[0]:
            whole = self._hot[hour] = block.whole()
            if block is self._block:
                self._block = whole
            return whole
        return block

    def _peek(self, hour: int, start: int) -> Block:
        """Reads a block from the sample in force at `start` on; what is packed stays so."""
        block = self._hot.get(hour)
        if block is None:
            return Block.unpack(self._cold[hour].data)
        return block.whole() if block.sealed and start < block.times[0] else block

    def in_force(self, at: int) -> Entry | None:
        """The latest sample at or before `at`."""
        for n in range(bisect_right(self._hours, at // HOUR) - 1, -1, -1):
            cold = self._cold.get(self._hours[n])
            if cold is not None and cold.last.at <= at:
                return cold.last
            block = self._peek(self._hours[n], at)
            i = bisect_right(block.times, at) - 1
            if i >= 0:
                return Entry(block.times[i], block.values[i], block.offsets[i])
        return self.carry

    def at(self, at: int) -> Entry | None:
        """The sample at exactly this time."""
        found = self.in_force(at) if at <= self.newest else None
        return found if found is not None and found.at == at else None

    def first_after(self, at: int) -> Entry | None:
        for n in range(bisect_left(self._hours, at // HOUR), len(self._hours)):
            block = self._peek(self._hours[n], at)
            i = bisect_right(block.times, at)
            if i < len(block.times):
                return Entry(block.times[i], block.values[i], block.offsets[i])
        return None

    def between(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(at, value, offset) with start ≤ at < end, in order."""
        for hour in self._hours[bisect_left(self._hours, start // HOUR) : bisect_left(self._hours, -(-end // HOUR))]:
            block = self._peek(hour, start)
            i, j = bisect_left(block.times, start), bisect_left(block.times, end)
            if i < j:
                yield from zip(block.times[i:j], block.values[i:j], block.offsets[i:j], strict=True)

    def cool(self, before: int) -> list[int]:
        """Packs hours below the hour number `before`; returns them."""
        hours = [hour for hour in self._hot if hour < before]
        for hour in hours:
            block = self._hot.pop(hour)
            self._cold[hour] = Packed(block.pack(), block.last)
            if block is self._block:
                self._end = -INF  # the next sample looks its block up
        return hours

    def packed(self, hour: int) -> Packed | None:
        """An hour as it rests; one that a late sample has opened again is packed for this."""
        block = self._hot.get(hour)
        return self._cold.get(hour) if block is None else Packed(block.pack(), block.last)

    def prune(self, before: int) -> list[int]:
        """Lets go of hours below the hour number `before`; returns them."""
        gone = []
        while self._hours and self._hours[0] < before:
            hour = self._hours.pop(0)
            gone.append(hour)
            cold = self._cold.get(hour)
            block = self._hot.get(hour)
            last = cold.last if cold is not None else self._hot[hour].last
            if self.carry is None or last.at >= self.carry.at:  # a restored journal may bring back part of an old hour
                self.carry = last
            self._hot.pop(hour, None)
            self._cold.pop(hour, None)
            if block is self._block:
                self._end = -INF
        return gone

    def restore_hour(self, hour: int, packed: Packed) -> None:
        """Puts back an hour as `packed` gave it; before any sample is added."""
        insort(self._hours, hour)
        self._cold[hour] = packed
        self.newest = max(self.newest, packed.last.at)
