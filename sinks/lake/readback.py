"""Reads the rows of a lake back, for `uns sink verify`: those of the days in question, some at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from schemas.records import Samples
from schemas.text import micros_of
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.kit.digest import digest
from sinks.lake.config import LakeConfig
from sinks.lake.format import check, reading
from topology.endpoint import BadSecret

if TYPE_CHECKING:
    from sinks.lake.rows import Table

ROWS = 10_000
"""In memory at once."""


def wanted(config: LakeConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A row a sample, a revision, a word on a fact, known by where in the log it stands. A tag that is twice in one record
    with one time is not told apart, and left out."""
    from sinks.lake.rows import build, tables

    table = tables().get(type(delivery.record).__name__)
    if table is None:
        return
    rows = [row for batch in build([delivery], []).get(table.name, []) for row in batch.to_pylist()]
    keys = [_key(table, row) for row in rows]
    for key, row in zip(keys, rows, strict=True):
        if len(keys) == 1 or not isinstance(delivery.record, Samples) or keys.count(key) == 1:
            yield Wanted(key, micros_of(row[table.time]), 0, _digest(table, row))


async def found(
    name: str,
    config: LakeConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Of one version of each table, as it is when it is opened. Raises `Retryable`."""
    check(name, config)
    try:
        reader = reading(name, config)
    except (OSError, BadSecret) as error:
        raise Retryable(f"lake {name}: a secret cannot be used: {error}") from None
    for table in (await asyncio.to_thread(reader.there)).values():
        batches = reader.batches(table, begin, end, ROWS)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            for row in batch.to_pylist():
                yield Found(_key(table, row), _digest(table, row))


def _key(table: "Table", row: dict[str, Any]) -> str:
    place = f"{row['kafka_topic']}/{row['kafka_partition']}/{row['kafka_offset']}"
    if table.kind != "Samples":
        return f"{table.name} {place} {row['path']}"
    return f"{table.name} {place} {row['path']} {row['tag']} {micros_of(row['at'])}"


def _digest(table: "Table", row: dict[str, Any]) -> int:
    return digest([_shaped(row.get(field.name), field.type) for field in table.schema])


def _shaped(value: Any, kind: Any) -> Any:
    """What of a value is ours, by the type that we write: a table may have more members by now, or fewer."""
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_struct(kind):
        return [_shaped(value.get(field.name), field.type) for field in kind]
    if pa.types.is_list(kind):
        return [_shaped(part, kind.value_type) for part in value]
    if pa.types.is_map(kind):
        pairs = value.items() if isinstance(value, dict) else value
        return sorted((key, _shaped(part, kind.item_type)) for key, part in pairs)
    if pa.types.is_timestamp(kind):
        return micros_of(value)
    return value.isoformat() if pa.types.is_date(kind) else value


verification = Verification(wanted, found)
