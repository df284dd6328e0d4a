"""The newest samples of a cell in order of arrival, in chunks: what a transaction must save of a busy cell stays small.

A chunk is dropped once every hour it speaks of has been saved as a packed hour. Replaying chunks and packed hours in
any order gives the same sets of samples.
"""

import msgspec

from processors.series import HOUR

CHUNK = 128

Line = tuple[str, int, int, int]
"""(tag, at, value, offset)."""


class Journal:
    """`lines` is the open chunk; `number` its number; `closed` the earlier ones still needed → their hours."""

    __slots__ = ("closed", "lines", "number", "saved")

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.number = 0
        self.closed: dict[int, set[int]] = {}
        self.saved = 0
        """How many lines of the open chunk are in the last save."""

    def save(self) -> dict[int, bytes]:
        """Chunks with lines not yet saved."""
        found: dict[int, bytes] = {}
        while len(self.lines) > self.saved:
            chunk = self.lines[:CHUNK]
            found[self.number] = msgspec.msgpack.encode(chunk)
            if len(chunk) < CHUNK:
                self.saved = len(chunk)
                break
            self.closed[self.number] = {at // HOUR for _, at, _, _ in chunk}
            self.lines = self.lines[CHUNK:]
            self.number += 1
            self.saved = 0
        return found

    def drop(self, before: int) -> list[int]:
        """Chunks of which every hour lies below the hour number `before`, where all samples are packed."""
        gone = [number for number, hours in self.closed.items() if max(hours) < before]
        for number in gone:
            del self.closed[number]
        return gone

    def restore(self, number: int, data: bytes) -> list[Line]:
        """Puts back a chunk; returns its lines."""
        lines = [(tag, at, value, offset) for tag, at, value, offset in msgspec.msgpack.decode(data)]
        self.closed[number] = {at // HOUR for _, at, _, _ in lines}
        self.number = max(self.number, number + 1)
        return lines
