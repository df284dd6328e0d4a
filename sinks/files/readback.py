"""Reads rows back from the files, for `uns sink verify`: of complete files all, of those that grow as much as is committed.

A row is known by where in the log it stands, or a derived record by its id: a set without such columns cannot be compared.
"""

import asyncio
import codecs
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path as FilePath
from typing import Any

from schemas.text import micros_of
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.files import lines, manifest, table
from sinks.files.changes import Layout, added, layouts
from sinks.files.config import FilesSinkConfig
from sinks.files.lines import Unfit
from sinks.files.manifest import Damaged, Manifest, Part
from sinks.files.names import NUMBERED, PART
from sinks.kit.digest import digest
from sinks.kit.rows import Row, record_of, shapes

ROWS = 5_000
"""In memory at once."""
CELL_MAX = 2**31 - 1
"""Letters of a cell: a record may be longer than what csv takes by default."""
MARGIN_S = 3_600.0
"""No record is written longer before its own time."""
_PLACE = ("kafka_topic", "kafka_partition", "kafka_offset")


@dataclass(frozen=True)
class Identity:
    """The columns of a set that tell its rows apart, and the one that has their time."""

    columns: tuple[int, ...]
    time: int | None
    """None: no column has it as it is; then every row is looked at."""


def identity(layout: Layout) -> Identity | None:
    """None: its columns do not say which record a row is of."""
    fields = _fields(layout)
    known = set(shapes()[layout.files.record].names)
    needed: tuple[str, ...] = (*_PLACE, "tag", "at") if layout.files.record == "samples" else _PLACE
    if not set(needed) <= fields.keys():
        if "natural_id" not in known or "id" not in fields:
            return None
        needed = ("id",)
    times = [fields[name] for name in ("started_at", "at") if name in fields and layout.files.time_format is None]
    return Identity(tuple(fields[name] for name in needed), times[0] if times else None)


def _fields(layout: Layout) -> dict[str, int]:
    """Field of the record → the column that has it as it is."""
    if not layout.files.columns:
        return {name: place for place, name in enumerate(layout.names)}
    found: dict[str, int] = {}
    for place, name in enumerate(layout.names):
        template = layout.files.columns[name]
        if isinstance(template, str) and template[:1] == "{" and template[1:-1] in shapes()[layout.files.record].names:
            found.setdefault(template[1:-1], place)
    return found


def wanted(config: FilesSinkConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A row of a file, as a reader gets it."""
    known, record = layouts(config), record_of(delivery)
    for layout in known:
        its = identity(layout)
        if layout.files.record != record or its is None:
            continue
        try:
            made = added([layout], delivery)
            told = list(layout.rows(delivery)) if made else []
        except Unfit:
            continue
        seen: set[str] = set()
        for one, row in zip(made, told, strict=True):
            cells = _as_read(layout, one.content)
            key = _key(layout, its, cells)
            if key not in seen:  # a tag that is twice in one record with one time is not told apart
                seen.add(key)
                yield Wanted(key, _time(row), 0, digest(cells))


def _time(row: Row) -> int:
    at = row.get("started_at") or row.get("at")
    return micros_of(at) if isinstance(at, datetime) else 0


def _as_read(layout: Layout, content: bytes | Sequence[Any]) -> list[Any]:
    """What a reader makes of what was written."""
    if not isinstance(content, bytes):
        return _plain(content)
    text = content.decode(lines.inside(layout.files))
    return next(_parsed(layout, io.StringIO(text, newline="")))


def _parsed(layout: Layout, file: Iterable[str]) -> Iterator[list[Any]]:
    if layout.files.format == "csv":
        csv.field_size_limit(CELL_MAX)
        yield from csv.reader(file, delimiter=layout.files.delimiter, strict=True)
        return
    for line in file:
        row = json.loads(line)
        yield [row.get(name) for name in layout.names]


def _plain(cells: Sequence[Any]) -> list[Any]:
    return [micros_of(cell) if isinstance(cell, datetime) else cell for cell in cells]


def _key(layout: Layout, its: Identity, cells: Sequence[Any]) -> str:
    return " ".join((f"{layout.files.format} {layout.files.record}", *(str(cells[place]) for place in its.columns)))


async def found(
    name: str,
    config: FilesSinkConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """File after file. Raises `Retryable`."""
    reader = _all(name, config, begin, end)
    while part := await asyncio.to_thread(lambda: list(islice(reader, ROWS))):
        for each in part:
            yield each


def _all(name: str, config: FilesSinkConfig, begin: int, end: int) -> Iterator[Found]:
    try:
        known = manifest.load(config.folder / ".uns.json")
        if not config.folder.is_dir():
            raise Retryable(f"sink {name}: the folder {config.folder} is not there; is it mounted?")
        for layout in layouts(config):
            if (its := identity(layout)) is not None:
                for cells in _cells(config, layout, known, begin):
                    if len(cells) > max(its.columns) and _within(its, cells, begin, end):
                        yield Found(_key(layout, its, cells), digest(cells))
    except Damaged as error:
        raise Retryable(f"sink {name}: {error}") from error
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise Retryable(f"sink {name}: the files in {config.folder} cannot be read: {error}") from error


def _within(its: Identity, cells: Sequence[Any], begin: int, end: int) -> bool:
    if its.time is None or its.time >= len(cells):
        return True
    at = cells[its.time]
    if isinstance(at, str):
        try:
            at = micros_of(datetime.fromisoformat(at))
        except ValueError:
            return True
    return not isinstance(at, int) or begin <= at < end


def _cells(config: FilesSinkConfig, layout: Layout, known: Manifest, begin: int) -> Iterator[list[Any]]:
    """Of the files of a set. Of two sets of one form and record, each is read by its own columns alone."""
    growing = {part.name: part for part in known.parts}
    for part in growing.values():
        if part.columns == layout.mark and _is_of(layout, part.name, config):
            yield from _of_part(config.folder, layout, part)
    for file in sorted(config.folder.rglob(f"*.{layout.files.format}")):
        name = file.relative_to(config.folder).as_posix()
        if NUMBERED.fullmatch(file.name) and name not in growing and _is_of(layout, name, config):
            try:
                if file.stat().st_mtime >= begin / 1e6 - MARGIN_S:
                    yield from _of_file(file, layout, None)
            except FileNotFoundError:
                continue  # its time was over meanwhile


def _is_of(layout: Layout, name: str, config: FilesSinkConfig) -> bool:
    """By its name, where sets of one form are called differently; that is what the configuration asks of them."""
    return name.rpartition(".")[2] == layout.files.format and layout.named(name.rpartition(".")[0].rpartition(".")[0])


def _of_part(folder: FilePath, layout: Layout, part: Part) -> Iterator[list[Any]]:
    file = folder / f"{part.name}{PART}"
    try:
        yield from _of_file(file, layout, part.length)
    except FileNotFoundError:  # complete by now
        yield from _of_file(folder / part.name, layout, None)


def _of_file(file: FilePath, layout: Layout, length: int | None) -> Iterator[list[Any]]:
    """`length`: of what is committed."""
    if layout.files.format == "parquet":
        yield from map(_plain, table.rows_of(file, length))
        return
    with file.open("rb") as raw:
        bounded: Any = raw if length is None else _Bounded(raw, length)
        reader = codecs.getreader(layout.files.encoding if layout.files.format == "csv" else "utf-8")(bounded)
        parsed = _parsed(layout, _lines(reader))
        if layout.files.format == "csv" and layout.files.header:
            next(parsed, None)
        yield from parsed


def _lines(reader: Any) -> Iterator[str]:
    """With their ends as they are. A codec's own lines end at letters that end none for CSV and JSON."""
    rest = ""
    while text := reader.read(1 << 16):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield f"{line}\n"
    if rest:
        yield rest


class _Bounded(io.RawIOBase):
    """The beginning of a file."""

    def __init__(self, file: Any, length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(content)
        return content


def left_out(config: FilesSinkConfig) -> Iterable[str]:
    for layout in layouts(config):
        if identity(layout) is None:
            yield (
                f"{layout.files.name}.{layout.files.format} is not compared, for its rows do not say which record they are of:"
                f" add columns with {{kafka_topic}}, {{kafka_partition}} and {{kafka_offset}}"
            )
        elif layout.files.keep_days is not None:
            yield f"{layout.files.name}.{layout.files.format} is kept for {layout.files.keep_days:g} days: what is older is missing"


verification = Verification(wanted, found, left_out)
