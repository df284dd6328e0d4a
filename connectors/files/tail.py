"""Reads on in one text file, from its place to where it ends now: a step is what one batch holds."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from connectors.base import Malformed, Said
from connectors.files.codec import BadHeader, TextDecoder
from connectors.files.folder import OpenFile
from connectors.files.known import KnownFile
from connectors.files.lines import RECORD_MAX_BYTES, SHOWN_BYTES, Record, find, records
from connectors.files.place import PROOF_BYTES, Place

BLOCK_BYTES = 65_536
BATCH_MAX = 1_000
"""Things of a batch, about."""
VISIT_BYTES = 8_000_000
"""Of one file, before others have their turn."""


class Step(NamedTuple):
    """What was read, and where that ends."""

    said: list[Said]
    place: Place


async def steps(file: OpenFile, known: KnownFile, now: float) -> AsyncGenerator[Step, None]:
    """What the file says beyond its place. Raises `OSError`, and `BadHeader`.

    Afterwards `known.read` is how it was seen when all was read; it stays as it was where there is more to read.
    """
    seen, whole = known.latest, known.whole(now)
    known.more = known.unfinished = False
    if known.decoder is None and not await _begin(file, known, whole):
        known.read = seen
        return
    reader = _Reader(file, known, whole, await file.read(0, PROOF_BYTES))
    async with aclosing(reader.steps()) as read:
        async for step in read:
            yield step
    known.more, known.unfinished = reader.more, reader.left > 0
    if not known.more and known.zeros_since is None:
        known.read = seen


async def _begin(file: OpenFile, known: KnownFile, whole: bool) -> bool:
    """Reads the header. False: it is not all there yet. Raises `BadHeader`."""
    decoder, length = TextDecoder(known.entry, known.name), BLOCK_BYTES
    while True:
        head = await file.read(0, length)
        at_end = len(head) < length
        begun = decoder.begin(head, whole and at_end)
        if begun is not None:
            known.decoder = decoder
            if not known.place.offset:
                place = Place(*begun)
                known.content.place = place.proved(head, head[: place.offset])
            return True
        if at_end:
            return False
        if length > RECORD_MAX_BYTES:
            raise BadHeader(f"there is no header in its first {length} bytes")
        length *= 2


class _Reader:
    """One visit of one file."""

    def __init__(self, file: OpenFile, known: KnownFile, whole: bool, head: bytes) -> None:
        assert known.decoder is not None
        self._file, self._known, self._decoder, self._whole = file, known, known.decoder, whole
        self._head, self._recent = head, b""
        self.more, self.left = False, 0
        """Whether there is more than one visit reads, and how many bytes at the end are no whole line yet."""

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Raises `OSError`."""
        known, length, budget = self._known, BLOCK_BYTES, VISIT_BYTES
        while budget > 0:
            data = await self._file.read(known.place.offset, length)
            ends = len(data) < length
            zero = find(data, self._decoder.text.zero)
            before = known.place.offset
            cut, place = self._cut(data if zero < 0 else data[:zero], self._whole and ends and zero < 0)
            for step in cut:
                known.content.place = step.place
                yield step
            known.content.place = place
            used = place.offset - before
            if used:
                known.zeros_since = None
            self._recent = (self._recent + data[:used])[-PROOF_BYTES:]
            budget -= used
            if zero >= 0:
                over = await self._zeros(known.place.offset, zero - used)
                if over is None:
                    return
                yield over
            elif ends:
                known.zeros_since, self.left = None, len(data) - used
                return
            length = BLOCK_BYTES if used or zero >= 0 else 2 * length
        self.more = True

    def _cut(self, data: bytes, last: bool) -> tuple[list[Step], Place]:
        """The records of a block, in batches, and the place behind them."""
        steps: list[Step] = []
        said: list[Said] = []
        place, used = self._known.place, 0
        for record in records(data, self._decoder.text, place.skipping, last):
            if record.data:
                said += self._decoder.said(record, place.line + 1)
            place, used = _behind(place, record), used + record.used
            if len(said) >= BATCH_MAX:
                steps.append(Step(said, self._proved(place, data[:used])))
                said = []
        if used:
            place = self._proved(place, data[:used])
        if said:
            steps.append(Step(said, place))
        return steps, place

    def _proved(self, place: Place, used: bytes) -> Place:
        return place.proved(self._head, self._recent + used[-PROOF_BYTES:])

    async def _zeros(self, start: int, before: int) -> Step | None:
        """What is said of zero bytes, `before` bytes behind the start of a record. A copy that is under way has them where
        it has not written yet, so they are waited for; with something behind them they are a hole, as a crash leaves it.
        None: they are waited for.
        """
        known, now = self._known, time.monotonic()
        if known.zeros_since is None:
            known.zeros_since = now
        if not self._whole and now - known.zeros_since < known.entry.settle_s:
            return None
        end = start + before
        while data := await self._file.read(end, BLOCK_BYTES):
            if rest := data.lstrip(b"\0"):
                end += len(data) - len(rest)
                break
            end += len(data)
        end -= end % len(self._decoder.text.zero)
        known.zeros_since = now
        if not data and not self._whole:
            return None
        payload = await self._file.read(start, min(end - start, SHOWN_BYTES))
        words = f"{end - start - before} zero bytes from byte {start + before} on: nothing was ever written there"
        line, self._recent = known.place.line + 1, b""
        place = msgspec.structs.replace(known.place, offset=end, skipping=False)
        known.content.place = place.proved(self._head, await self._file.read(max(0, end - PROOF_BYTES), min(end, PROOF_BYTES)))  # fmt: skip
        known.zeros_since = None
        origin = f"{known.name}:{line}"
        return Step([Malformed(origin, payload, "bad_text", f"{origin}: {words}")], known.place)


def _behind(place: Place, record: Record) -> Place:
    return Place(place.offset + record.used, place.line + record.lines, record.cut)
