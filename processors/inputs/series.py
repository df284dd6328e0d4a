"""The samples of one tag as a set ordered by source time, in blocks of an hour; all but the newest are kept packed.

Equal times hold one value: the greater one wins, so the content never depends on the order of arrival.
Times are µs UTC, values int64, and each sample carries the raw offset it came from (for lineage).
"""

import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice
from operator import sub
from typing import NamedTuple

from processors.units import HOUR, INF

OPEN_MAX, SEALED, JOINED = 48, 32, 12
"""Of the newest hour so many samples stay open at most; then the oldest so many are sealed; so many seals are joined."""
_WIDTHS = "bhi"
_HEAD = struct.Struct("<Iqqq")
_ENTRY = struct.Struct("<qqq")


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
                column.extend(islice(accumulate(steps, initial=first), 1, None))  # the first step is 0
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
    """A packed block, with its newest sample at hand."""

    data: bytes
    last: Entry


class Series:
    """A set of samples; `carry` is the newest of those already evicted, still the value in force before the rest."""

    __slots__ = ("_block", "_blocks", "_end", "_hours", "carry", "newest")

    def __init__(self) -> None:
        self._hours: list[int] = []
        self._blocks: list[Block | bytes] = []
        """One an hour; bytes are a `Packed`: its newest sample, then the data."""
        self._block = NO_BLOCK  # of the newest sample
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
        """The block that takes a sample of this time, open from there on."""
        hour = at // HOUR
        n = bisect_left(self._hours, hour)
        if n == len(self._hours) or self._hours[n] != hour:
            self._hours.insert(n, hour)
            block = Block()
            self._blocks.insert(n, block)
            return block
        kept = self._blocks[n]
        if isinstance(kept, bytes):
            packed = _unframed(kept)
            if at > packed.last.at:
                block = Block()
                block.sealed.append(packed.data)
            else:
                block = Block.unpack(packed.data)
        elif kept.sealed and at < kept.times[0]:
            block = kept.whole()
            if kept is self._block:
                self._block = block
        else:
            return kept
        self._blocks[n] = block
        return block

    def _peek(self, n: int, start: int) -> Block:
        """Reads a block from the sample in force at `start` on; what is packed stays so."""
        block = self._blocks[n]
        if isinstance(block, bytes):
            return Block.unpack(_unframed(block).data)
        return block.whole() if block.sealed and start < block.times[0] else block

    def in_force(self, at: int) -> Entry | None:
        """The latest sample at or before `at`."""
        for n in range(bisect_right(self._hours, at // HOUR) - 1, -1, -1):
            kept = self._blocks[n]
            if isinstance(kept, bytes) and (last := _last(kept)).at <= at:
                return last
            block = self._peek(n, at)
            i = bisect_right(block.times, at) - 1
            if i >= 0:
                return Entry(block.times[i], block.values[i], block.offsets[i])
        return self.carry

    def at(self, at: int) -> Entry | None:
        """The sample at exactly this time."""
        latest = self.in_force(at) if at <= self.newest else None
        return latest if latest is not None and latest.at == at else None

    def first_after(self, at: int) -> Entry | None:
        for n in range(bisect_left(self._hours, at // HOUR), len(self._hours)):
            block = self._peek(n, at)
            i = bisect_right(block.times, at)
            if i < len(block.times):
                return Entry(block.times[i], block.values[i], block.offsets[i])
        return None

    def between(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(at, value, offset) with start ≤ at < end, in order."""
        for n in range(bisect_left(self._hours, start // HOUR), bisect_left(self._hours, -(-end // HOUR))):
            block = self._peek(n, start)
            i, j = bisect_left(block.times, start), bisect_left(block.times, end)
            if i < j:
                yield from zip(block.times[i:j], block.values[i:j], block.offsets[i:j], strict=True)

    def pack(self, before: int) -> list[int]:
        """Packs hours below the hour number `before`; returns them."""
        hours = []
        for n in range(bisect_left(self._hours, before)):
            block = self._blocks[n]
            if isinstance(block, Block):
                self._blocks[n] = _framed(block.pack(), block.last)
                hours.append(self._hours[n])
                self._close(block)
        return hours

    def packed(self, hour: int) -> Packed | None:
        """An hour packed; one that a late sample has opened again is packed for this."""
        n = bisect_left(self._hours, hour)
        if n == len(self._hours) or self._hours[n] != hour:
            return None
        block = self._blocks[n]
        return _unframed(block) if isinstance(block, bytes) else Packed(block.pack(), block.last)

    def evict(self, before: int) -> list[int]:
        """Forgets hours below the hour number `before`; returns them. Their newest sample stays, as `carry`."""
        n = bisect_left(self._hours, before)
        gone = self._hours[:n]
        for block in self._blocks[:n]:
            last = _last(block) if isinstance(block, bytes) else block.last
            if self.carry is None or last.at >= self.carry.at:  # a restored journal may bring back part of an old hour
                self.carry = last
            self._close(block)
        del self._hours[:n], self._blocks[:n]
        return gone

    def _close(self, block: Block | bytes) -> None:
        """The next sample looks its block up."""
        if block is self._block:
            self._block, self._end = NO_BLOCK, -INF

    def restore_hour(self, hour: int, packed: Packed) -> None:
        """Puts back an hour as `packed` gave it; before any sample is added."""
        n = bisect_left(self._hours, hour)
        self._hours.insert(n, hour)
        self._blocks.insert(n, _framed(*packed))
        self.newest = max(self.newest, packed.last.at)


NO_BLOCK = Block()
"""Stands where a series has no block open; nothing is ever put there."""


def _framed(data: bytes, last: Entry) -> bytes:
    """A packed hour in one piece: a tuple of tuples would take four times as much beside the data."""
    return _ENTRY.pack(*last) + data


def _unframed(framed: bytes) -> Packed:
    return Packed(framed[_ENTRY.size :], _last(framed))


def _last(framed: bytes) -> Entry:
    return Entry(*_ENTRY.unpack_from(framed))
