"""The newest samples of a cell in order of arrival, in chunks: what a transaction must save of a busy cell stays small.

A chunk is dropped once every hour it speaks of has been saved as a packed hour. Replaying chunks and packed hours in
any order gives the same sets of samples.
"""

import struct

import msgspec

from processors.series import HOUR

CHUNK = 64
_LINES = struct.Struct(">BH")
_encode = msgspec.msgpack.Encoder().encode

Line = tuple[str, int, int, int]
"""(tag, at, value, offset)."""


class Journal:
    """The open chunk, and `closed`: the earlier ones still needed → the latest hour each speaks of."""

    __slots__ = ("_full", "_hour", "_lines", "_open", "_saved", "closed", "number")

    def __init__(self) -> None:
        self.number = 0
        """Of the open chunk."""
        self.closed: dict[int, int] = {}
        self._full: dict[int, bytes] = {}
        """Chunks full since the last save."""
        self._open = bytearray()
        self._lines = self._saved = 0
        self._hour = 0

    def add(self, tag: str, at: int, value: int, offset: int) -> None:
        self._open += _encode((tag, at, value, offset))
        self._lines += 1
        self._hour = max(self._hour, at // HOUR)
        if self._lines == CHUNK:
            self._full[self.number] = self._chunk()
            self.closed[self.number] = self._hour
            self.number += 1
            self._open = bytearray()
            self._lines = self._saved = self._hour = 0

    def save(self) -> dict[int, bytes]:
        """Chunks with lines not yet saved."""
        found, self._full = self._full, {}
        if self._lines > self._saved:
            found[self.number] = self._chunk()
            self._saved = self._lines
        return found

    def drop(self, before: int) -> list[int]:
        """Chunks of which every hour lies below the hour number `before`, where all samples are packed."""
        gone = [number for number, hour in self.closed.items() if hour < before]
        for number in gone:
            del self.closed[number]
            self._full.pop(number, None)
        return gone

    def restore(self, number: int, data: bytes) -> list[Line]:
        """Puts back a chunk; returns its lines."""
        lines = [(tag, at, value, offset) for tag, at, value, offset in msgspec.msgpack.decode(data)]
        self.closed[number] = max(at // HOUR for _, at, _, _ in lines)
        self.number = max(self.number, number + 1)
        return lines

    def _chunk(self) -> bytes:
        return _LINES.pack(0xDC, self._lines) + self._open  # a msgpack array of so many lines
