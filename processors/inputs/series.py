"""The samples of one tag as a set ordered by source time, in blocks of an hour; all but the newest are kept packed.

Of samples of one time the source's last counts (`inputs.rank`), or all of them where each says what it adds. Where two
sources speak of one time, the greater of what they say counts. So the content never depends on the order of arrival.
Times are µs UTC, values int64, and each sample carries the raw offset it came from (for lineage) and its rank.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from processors.inputs.block import OPEN_MAX, Block, Entry, Seal
from processors.inputs.rank import source_of
from processors.units import HOUR, INF

_ENTRY = struct.Struct("<qqq")


class Packed(NamedTuple):
    """A packed block, with its newest sample at hand."""

    data: bytes
    last: Entry


class Series:
    """A set of samples; `carry` is the newest of those already evicted, still the value in force before the rest."""

    __slots__ = ("_block", "_blocks", "_end", "_hours", "adds", "carry", "kept_h", "newest", "turned")

    def __init__(self, kept_h: int = 0, adds: bool = False) -> None:
        """`kept_h`: hours kept below the floor, as what is derived above it looks so far back. `adds`: each sample says what
        it adds, so that all samples of one time count."""
        self.kept_h, self.adds = kept_h, adds
        self._hours: list[int] = []
        self._blocks: list[Block | bytes] = []
        """One an hour; bytes are a `Packed`: its newest sample, then the data."""
        self._block = NO_BLOCK  # of the newest sample
        self._end = -INF  # of that block
        self.newest = -INF
        self.turned = -INF
        """The samples after it all have the value in force then: whoever asks about later time need not look at them."""
        self.carry: Entry | None = None

    def add(self, at: int, value: int, offset: int, rank: int = 0) -> int | None:
        """Returns the time of the next sample (INF: none); `at` itself where what is said of that time stays the same,
        and only its rank is new; None when this one changes nothing."""
        if self.newest < at < self._end:  # the usual case: in order, in the newest hour
            block = self._block
            if block.values[-1] != value:
                self.turned = at
            block.times.append(at)
            block.values.append(value)
            block.offsets.append(offset)
            block.ranks.append(rank)
            self.newest = at
            if len(block.times) > OPEN_MAX:
                block.seal()
            return INF
        block = self._at_hour(at)
        i = bisect_left(block.times, at)
        if i < len(block.times) and block.times[i] == at:
            changed = (self._join if self.adds else self._replace)(block, i, value, offset, rank)
            if not changed:
                return None if changed is None else at
        else:
            block.insert(i, at, value, offset, rank)
        if at >= self.newest:
            self.newest = self.turned = at
            self._block, self._end = block, (at // HOUR + 1) * HOUR
            return INF
        self.turned = self.newest
        following = self.first_after(at)
        return INF if following is None else following.at

    def _join(self, block: Block, i: int, value: int, offset: int, rank: int) -> bool | None:
        """Adds to the samples of one time, which begin at i; None where it is there already."""
        at = block.times[i]
        end = bisect_right(block.times, at, i)
        n = bisect_left(block.ranks, rank, i, end)
        if n < end and block.ranks[n] == rank:  # the same record again; one that says something else is no record
            if value <= block.values[n]:
                return None
            block.values[n], block.offsets[n] = value, offset
        else:
            block.insert(n, at, value, offset, rank)
            block.mixed |= source_of(block.ranks[i]) != source_of(block.ranks[end])
        return True

    def _replace(self, block: Block, i: int, value: int, offset: int, rank: int) -> bool | None:
        """Adds to the samples of one time, which begin at i; whether what counts has changed. None where it is older
        than what its source said."""
        at, end = block.times[i], bisect_right(block.times, block.times[i], i)
        before = block.values[end - 1]
        source = source_of(rank)
        for n in range(i, end):
            known = block.ranks[n]
            if source_of(known) == source:
                if rank < known or (rank == known and value <= block.values[n]):
                    return None
                if end - i == 1:  # the usual case
                    block.values[n], block.offsets[n], block.ranks[n] = value, offset, rank
                    return value != before
                for column in block._columns:
                    del column[n]
                end -= 1
                break
        block.insert(bisect_left(block.values, value, i, end), at, value, offset, rank)
        block.mixed = True
        return block.values[end] != before

    def changes(self, at: int, value: int, rank: int) -> bool:
        """Whether a sample would change what counts at its time."""
        n = bisect_left(self._hours, at // HOUR)
        if n == len(self._hours) or self._hours[n] != at // HOUR:
            return True
        kept = self._blocks[n]
        block = Block.unpack(_unframed(kept).data) if isinstance(kept, bytes) else kept.whole()
        i = bisect_left(block.times, at)
        if i == len(block.times) or block.times[i] != at:
            return True
        told = Block()
        for n in range(i, bisect_right(block.times, at, i)):
            told.insert(n - i, at, block.values[n], 0, block.ranks[n])
        return bool(self._replace(told, 0, value, 0, rank))

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
                block.sealed.append(Seal(hour * HOUR, packed.data))
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
            return Block.unpack(_unframed(block).data, read=True)
        return block.whole(read=True, since=start)

    def in_force(self, at: int) -> Entry | None:
        """The latest sample at or before `at`."""
        if at >= self.newest and self._block is not NO_BLOCK:  # the usual case
            block = self._block
            return Entry(block.times[-1], block.values[-1], block.offsets[-1])
        for n in range(bisect_right(self._hours, at // HOUR) - 1, -1, -1):
            kept = self._blocks[n]
            if isinstance(kept, bytes):
                if (last := _last(kept)).at <= at:
                    return last
                block = self._peek(n, at)
            else:
                block = kept if not kept.sealed or at >= kept.times[0] else self._peek(n, at)
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
                i = bisect_right(block.times, block.times[i], i) - 1
                return Entry(block.times[i], block.values[i], block.offsets[i])
        return None

    def between(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(at, value, offset) with start ≤ at < end, in order; each time once, but where the samples of one time add up."""
        for n in range(bisect_left(self._hours, start // HOUR), bisect_left(self._hours, -(-end // HOUR))):
            block = self._peek(n, start)
            i, j = bisect_left(block.times, start), bisect_left(block.times, end)
            if i < j and block.mixed:
                yield from _agreed(block, i, j, self.adds)
            elif i < j:
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
        """Forgets hours below the hour number `before`, less those kept; returns them. Their newest sample stays, as
        `carry`."""
        n = bisect_left(self._hours, before - self.kept_h)
        gone = self._hours[:n]
        for block in self._blocks[:n]:
            last = _last(block) if isinstance(block, bytes) else block.last
            if self.carry is None or last.at > self.carry.at:  # a restored journal may bring back part of an old hour
                self.carry = last
            self._close(block)
        del self._hours[:n], self._blocks[:n]
        return gone

    def _close(self, block: Block | bytes) -> None:
        """The next sample looks its block up."""
        if block is self._block:
            self._block, self._end = NO_BLOCK, -INF

    @property
    def hours(self) -> Sequence[int]:
        """Hours with a sample, in order."""
        return self._hours

    def restore_carry(self, carry: Entry) -> None:
        """Puts back the newest of the samples evicted."""
        self.carry = carry
        self.newest = self.turned = max(self.newest, carry.at)

    def restore_hour(self, hour: int, packed: Packed) -> None:
        """Puts back an hour as `packed` gave it; before any sample is added."""
        n = bisect_left(self._hours, hour)
        self._hours.insert(n, hour)
        self._blocks.insert(n, _framed(*packed))
        self.newest = self.turned = max(self.newest, packed.last.at)


NO_BLOCK = Block()
"""Stands where a series has no block open; nothing is ever put there."""


def _agreed(block: Block, i: int, j: int, adds: bool) -> Iterator[tuple[int, int, int]]:
    """The samples from i to j of the source that counts, where more than one speaks of a time."""
    while i < j:
        end = bisect_right(block.times, block.times[i], i, j)
        if not adds:
            yield block.times[end - 1], block.values[end - 1], block.offsets[end - 1]
        else:
            sums: dict[int, int] = {}
            for n in range(i, end):
                source = source_of(block.ranks[n])
                sums[source] = sums.get(source, 0) + block.values[n]
            most = max(sums, key=lambda source: sums[source])
            for n in range(i, end):
                if source_of(block.ranks[n]) == most:
                    yield block.times[n], block.values[n], block.offsets[n]
        i = end


def _framed(data: bytes, last: Entry) -> bytes:
    """A packed hour in one piece: a tuple of tuples would take four times as much beside the data."""
    return _ENTRY.pack(*last) + data


def _unframed(framed: bytes) -> Packed:
    return Packed(framed[_ENTRY.size :], _last(framed))


def _last(framed: bytes) -> Entry:
    return Entry(*_ENTRY.unpack_from(framed))
