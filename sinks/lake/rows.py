"""The lake's tables, a table a class, and deliveries as their rows. Pure.

`samples` has a row a sample, a derived class a row a revision, a fact a row a word on it: what the topic has, each once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.records import DERIVED_TYPES, FACT_TYPES, Derived, Record, Samples
from sinks.base import Delivery, Rejected
from sinks.lake.columns import TIME, VALUES, arrays, check_times, fields, schema, values
from topology.namespace.classes import MessageClass
from topology.namespace.path import BadPath, Path

PARTITIONS = ("site", "day")
DAY_US = 86_400_000_000
_BEFORE = (("site", pa.string()), ("day", pa.date32()))
_PLACE = (
    ("ingested_at", TIME),
    ("kafka_topic", pa.string()),
    ("kafka_partition", pa.int64()),
    ("kafka_offset", pa.int64()),
)
_OWN = (("natural_id", pa.string()), ("withdrawn", pa.bool_()))
"""What a derived record says of itself without a field for it."""


@dataclass(frozen=True)
class Table:
    """`kind`: name of the record type. `time`: the column whose UTC day it is partitioned by."""

    name: str
    kind: str
    schema: pa.Schema
    time: str


SAMPLES = Table(
    "samples",
    "Samples",
    pa.schema(
        [
            *_BEFORE,
            ("path", pa.string()),
            ("tag", pa.string()),
            ("at", TIME),
            *((f"value_{name}", kind) for name, kind in VALUES),
            ("quality", pa.int64()),
            ("source", pa.string()),
            ("sequence", pa.int64()),
            *_PLACE,
        ]
    ),
    "at",
)


@cache
def tables() -> dict[str, Table]:
    """Record name → its table, of every record that a lake keeps (ticks are none)."""
    found = {SAMPLES.kind: SAMPLES}
    for derived in DERIVED_TYPES:
        name = derived.__name__
        found[name] = Table(
            derived.message_class, name, pa.schema([*_BEFORE, *schema(name), *_OWN, *_PLACE]), "started_at"
        )
    for fact in FACT_TYPES:
        name = fact.__name__
        time = next(each.name for each in fields(name) if each.name in ("started_at", "at"))
        columns = [*_BEFORE, ("path", pa.string()), *schema(name), *_PLACE]
        found[name] = Table(f"fact_{name.lower()}", name, pa.schema(columns), time)
    return found


def table_of(delivery: Delivery) -> str | None:
    """Name of the table that its rows go to."""
    table = tables().get(type(delivery.record).__name__)
    return None if table is None else table.name


def home(message_class: MessageClass) -> str:
    """The table that keeps the positions of the topics of a class: where most of its rows go."""
    return SAMPLES.name if message_class is MessageClass.RAW else message_class.value


def build(deliveries: Sequence[Delivery], rejected: list[Rejected]) -> dict[str, list[pa.RecordBatch]]:
    """Their rows; what no row can hold (half a surrogate pair, a time that no calendar has, no path) is rejected."""
    groups: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        groups.setdefault(type(delivery.record).__name__, []).append(delivery)
    found: dict[str, list[pa.RecordBatch]] = {}
    for name, group in groups.items():
        if (table := tables().get(name)) is not None:
            make = _samples if table is SAMPLES else _records
            found.setdefault(table.name, []).extend(_halved(table, make, group, rejected))
    return found


Make = Callable[[Table, Sequence[Delivery]], pa.RecordBatch]


def _halved(table: Table, make: Make, group: Sequence[Delivery], rejected: list[Rejected]) -> list[pa.RecordBatch]:
    """Halves what cannot be made at once, until those stand alone that cannot be made at all."""
    try:
        return [make(table, group)]
    except (ValueError, pa.ArrowTypeError, OverflowError) as error:
        if len(group) == 1:
            words = " ".join(str(error).split()).encode(errors="backslashreplace").decode()[:500]
            reason = "lake_path" if isinstance(error, BadPath) else "lake_value"
            rejected.append(Rejected(group[0], reason, words))
            return []
    middle = len(group) // 2
    return [*_halved(table, make, group[:middle], rejected), *_halved(table, make, group[middle:], rejected)]


def _samples(table: Table, group: Sequence[Delivery]) -> pa.RecordBatch:
    records: list[Samples] = [each.record for each in group]  # type: ignore[misc]
    counts = np.array([len(record.samples) for record in records])
    flat = list(chain.from_iterable(record.samples for record in records))
    times = pa.array([sample.at for sample in flat], pa.int64()).cast(TIME)
    check_times(times, "at")
    each = np.repeat(np.arange(len(group)), counts)
    columns = [
        _spread(_sites(group), each),
        _days(times),
        _spread([delivery.key for delivery in group], each),
        pa.array([sample.tag for sample in flat], pa.string()),
        times,
        *values([sample.value for sample in flat]),
        pa.array([sample.quality for sample in flat], pa.int64()),
        _spread([record.source for record in records], each),
        _spread([record.sequence for record in records], each, pa.int64()),
        *(_spread(column, each, kind) for column, (_, kind) in zip(_places(group), _PLACE, strict=True)),
    ]
    return pa.record_batch(columns, schema=table.schema)


def _spread(given: Sequence[Any], each: Any, kind: pa.DataType | None = None) -> pa.Array:
    """What is said once a record, at each of its samples."""
    return pa.array(given, kind or pa.string()).take(pa.array(each))


def _records(table: Table, group: Sequence[Delivery]) -> pa.RecordBatch:
    records: list[Record] = [delivery.record for delivery in group]
    own = arrays(table.kind, records)
    times = own[[field.name for field in fields(table.kind)].index(table.time)]
    if times.null_count:
        raise ValueError(f"{table.time}: a record needs one")
    columns = [pa.array(_sites(group), pa.string()), _days(times)]
    if isinstance(records[0], Derived):
        derived: list[Derived] = records  # type: ignore[assignment]
        columns += own
        columns.append(pa.array([record.natural_id for record in derived], pa.string()))
        columns.append(pa.array([record.withdrawn for record in derived], pa.bool_()))
    else:
        columns += [pa.array([delivery.key for delivery in group], pa.string()), *own]
    columns += [pa.array(column, kind) for column, (_, kind) in zip(_places(group), _PLACE, strict=True)]
    return pa.record_batch(columns, schema=table.schema)


def _sites(group: Sequence[Delivery]) -> list[str | None]:
    """None for what is said of the whole enterprise. Raises `BadPath`."""
    return [_site(delivery.key) for delivery in group]


@lru_cache(maxsize=100_000)
def _site(key: str) -> str | None:
    segments = Path.parse(key).segments
    return segments[1] if len(segments) > 1 else None


def _days(times: pa.Array) -> pa.Array:
    micros = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return pa.array(np.floor_divide(micros, DAY_US).astype(np.int32)).cast(pa.date32())


def _places(group: Sequence[Delivery]) -> tuple[list[Any], ...]:
    return (
        [delivery.ingested_at for delivery in group],
        [delivery.topic for delivery in group],
        [delivery.partition for delivery in group],
        [delivery.offset for delivery in group],
    )
