"""The newest samples of a cell in order of arrival, in chunks: what a transaction must save of a busy cell stays small.

A chunk is dropped once every hour it speaks of has been saved as a packed hour. Replaying chunks and packed hours in
any order gives the same sets of samples.
"""

import struct

import msgspec

from processors.units import HOUR

CHUNK = 32
_LINES = struct.Struct(">BH")
_encode = msgspec.msgpack.Encoder().encode


class Arrival(msgspec.Struct, array_like=True, gc=False):
    """A sample as it arrived. A row, without names: there is one a sample. New fields come last and have a default."""

    tag: str
    at: int
    value: int
    offset: int
    rank: int = 0


_decode = msgspec.msgpack.Decoder(list[Arrival]).decode


class Journal:
    """The open chunk, and `closed`: the earlier ones still needed → the hours each speaks of."""

    __slots__ = ("_full", "_hours", "_lines", "_open", "_saved", "closed", "number")

    def __init__(self) -> None:
        self.number = 0
        """Of the open chunk."""
        self.closed: dict[int, tuple[int, ...]] = {}
        self._full: dict[int, bytes] = {}
        """Chunks full since the last save."""
        self._open = bytearray()
        self._lines = self._saved = 0
        self._hours: tuple[int, ...] = ()

    def add(self, tag: str, at: int, value: int, offset: int, rank: int) -> None:
        self._open += _encode((tag, at, value, offset, rank))
        self._lines += 1
        hour = at // HOUR
        if hour not in self._hours:
            self._hours = (*self._hours, hour)
        if self._lines == CHUNK:
            self._full[self.number] = self._chunk()
            self.closed[self.number] = self._hours
            self.number += 1
            self._open = bytearray()
            self._lines = self._saved = 0
            self._hours = ()

    def save(self) -> dict[int, bytes]:
        """Chunks with lines not yet saved."""
        chunks, self._full = self._full, {}
        if self._lines > self._saved:
            chunks[self.number] = self._chunk()
            self._saved = self._lines
        return chunks

    def drop(self, before: int) -> list[int]:
        """Chunks of which every hour lies below the hour number `before`, where all samples are packed."""
        gone = [number for number, hours in self.closed.items() if max(hours) < before]
        for number in gone:
            del self.closed[number]
            self._full.pop(number, None)
        return gone

    def condense(self) -> tuple[set[int], list[int]]:
        """Drops all full chunks: returns their hours, which must be saved packed now, and their numbers."""
        hours = {hour for of_chunk in self.closed.values() for hour in of_chunk}
        numbers = list(self.closed)
        self.closed, self._full = {}, {}
        return hours, numbers

    def load(self, number: int, data: bytes) -> list[Arrival]:
        """Puts back a chunk; returns its samples in order of arrival."""
        arrivals = _decode(data)
        self.closed[number] = tuple({sample.at // HOUR for sample in arrivals})
        self.number = max(self.number, number + 1)
        return arrivals

    def _chunk(self) -> bytes:
        return _LINES.pack(0xDC, self._lines) + self._open  # a msgpack array of so many lines
