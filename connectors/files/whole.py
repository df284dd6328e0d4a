"""Reads a file that must be read whole, from the row on that comes next."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import islice

from connectors.base import Malformed, Said
from connectors.files.codec import BadHeader, about
from connectors.files.folder import OpenFile
from connectors.files.known import KnownFile
from connectors.files.place import Place, digest
from connectors.files.sheets import SheetRow, sheet_rows
from connectors.files.tail import BATCH_MAX, Step
from connectors.kit.message import MESSAGE_MAX
from connectors.kit.payloads import BadPayload
from connectors.kit.rows import RowReader, as_json

ROWS = 200
"""Read in one go, in a thread: a library's work must not hold up the loop for long."""


async def whole_steps(file: OpenFile, known: KnownFile) -> AsyncGenerator[Step, None]:
    """What the rows say that were not told yet; of a file that changed, all. Raises `OSError`, and `BadHeader`."""
    seen, size, limit = known.latest, await file.size(), known.entry.file_max_mb * 1_000_000
    if size > limit:
        raise BadHeader(f"it has {size} bytes; `file_max_mb` allows {limit}")
    data = await file.read(0, size)
    if known.place.head != digest(data):
        known.content.place = Place(head_bytes=len(data), head=digest(data))
    reader, columns = RowReader(known.entry), about(known.name)
    rows = sheet_rows(data, known.entry)
    del data
    skipped, done = known.place.line, 0
    said: list[Said] = []
    while chunk := await asyncio.to_thread(lambda: list(islice(rows, ROWS))):
        for row in chunk:
            done += 1
            if done <= skipped:
                continue
            said += _said(reader, known.name, row, columns)
            if len(said) >= BATCH_MAX:
                yield _step(known, said, done)
                said = []
    if said:
        yield _step(known, said, done)
    known.read, known.more = seen, False


def _step(known: KnownFile, said: list[Said], done: int) -> Step:
    place = known.place
    known.content.place = Place(done, done, head_bytes=place.head_bytes, head=place.head)
    return Step(said, known.place)


def _said(reader: RowReader, name: str, row: SheetRow, columns: dict[str, str]) -> list[Said]:
    origin = f"{name}:{row.number}"
    if isinstance(row.row, BadPayload):
        return [Malformed(origin, b"", row.row.reason, f"{origin}: {row.row}"[:MESSAGE_MAX])]
    return reader.said(origin, row.row, as_json(row.row), columns)
