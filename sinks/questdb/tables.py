"""The tables, and records as their rows in line protocol. Pure.

Upsert keys: of samples (at, path, tag); of a derived class (started_at, path, id_kind, definition), which is the natural
id. A row replaces the one of its key as a whole. QuestDB's booleans know no null: one that may be null is text.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.records import DERIVED_TYPES, Derived, Sample, Samples, Value
from sinks.base import Delivery
from sinks.kit.batches import Row
from sinks.kit.columns import LEVELS, BadColumns, Cell, cells, columns, id_kind, levels
from sinks.kit.lines import QUESTDB, Unwritable, integer, size
from sinks.kit.rows import Kind

TIMES = range(253_402_300_800_000_000)
"""µs, from 1970 to 9999: what a designated timestamp can be."""
NULL_INTEGER = -(2**63)
"""What QuestDB takes for null."""
HEADS_MAX = 100_000
SAMPLES = "samples"
_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.JSON: "VARCHAR",
    Kind.INTEGER: "LONG",
    Kind.NUMBER: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIME: "TIMESTAMP",
}


@dataclass(frozen=True)
class Table:
    """`name` without prefix; `time` is the designated timestamp, `keys` the others of the upsert keys."""

    name: str
    time: str
    keys: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    """(name, SQL type), without `time`."""

    def create(self, prefix: str, partition: str) -> str:
        listed = ", ".join(f'"{name}" {its}' for name, its in ((self.time, "TIMESTAMP"), *self.columns))
        return (
            f'CREATE TABLE IF NOT EXISTS "{prefix}{self.name}" ({listed}) TIMESTAMP("{self.time}")'
            f" PARTITION BY {partition} WAL {self.upsert}"
        )

    @property
    def upsert(self) -> str:
        return f"DEDUP UPSERT KEYS({', '.join((self.time, *self.keys))})"


def _symbols(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, "SYMBOL") for name in names)


def _derived(kind: type[Derived]) -> Table:
    tags = ("path", *LEVELS, "id_kind", "definition")
    found = tuple(
        (column.name, _sql(column.kind, column.always)) for column in columns(kind) if column.name not in tags
    )
    return Table(kind.message_class, "started_at", ("path", "id_kind", "definition"), (*_symbols(*tags), *found))


def _sql(kind: Kind, always: bool) -> str:
    return "VARCHAR" if kind is Kind.BOOLEAN and not always else _TYPES[kind]


TABLES = {
    SAMPLES: Table(
        SAMPLES,
        "at",
        ("path", "tag"),
        (
            *_symbols("path", *LEVELS, "tag", "type"),
            ("value", "DOUBLE"),
            ("value_integer", "LONG"),
            ("value_text", "VARCHAR"),
            ("value_boolean", "BOOLEAN"),
            ("quality", "LONG"),
        ),
    ),
    **{kind.message_class: _derived(kind) for kind in DERIVED_TYPES},
}
"""By name."""


@dataclass(slots=True)
class Line:
    """Of one row, and which table it is of."""

    table: Table
    text: str


class Rows:
    """Remembers how the lines of a series begin."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._heads: dict[tuple[str, str], str] = {}

    def of(self, delivery: Delivery) -> Iterator[Row | str]:
        """The rows of a record, in order, or why a part of it is none; nothing of what is no series."""
        record = delivery.record
        if isinstance(record, Samples):
            for sample in record.samples:
                try:
                    yield self._sample(delivery, sample)
                except Unwritable as error:
                    yield f"tag {sample.tag[:100]!r}: {error}"
        elif isinstance(record, Derived):
            try:
                yield self._derived(delivery, record)
            except (Unwritable, BadColumns) as error:
                yield str(error)

    def _sample(self, delivery: Delivery, sample: Sample) -> Row:
        path = delivery.key
        if (head := self._heads.get((path, sample.tag))) is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            tags = [("path", path), ("tag", sample.tag), *levels(path)]
            head = self._heads[path, sample.tag] = QUESTDB.head(self._prefix + SAMPLES, tags)
        line = f"{head},type={_value(sample.value)}quality={integer(sample.quality, 'quality')} {_time(sample.at)}"
        return Row(delivery, (head, sample.at), Line(TABLES[SAMPLES], line), size(line))

    def _derived(self, delivery: Delivery, record: Derived) -> Row:
        table = TABLES[record.message_class]
        tags = [("path", record.path), ("id_kind", id_kind(record)), ("definition", record.definition)]
        head = QUESTDB.head(self._prefix + table.name, [*tags, *levels(record.path)])
        fields = [
            f"{QUESTDB.name(cell.name)}={field}"
            for cell in cells(record)
            if cell.name != "definition" and (field := _field(cell)) is not None
        ]
        line = f"{head} {','.join(fields)} {_time(record.started_at)}"
        return Row(delivery, (head, record.started_at), Line(table, line), size(line))


def _value(value: Value) -> str:
    """Type and fields that say a sample's value. The one integer that QuestDB takes for null is exact as a number."""
    if isinstance(value, bool):
        return f"boolean value_boolean={'t' if value else 'f'},"
    if isinstance(value, int):
        exact = integer(value, "value")
        return f"integer value={float(value)!r}," + (f"value_integer={exact}," if value != NULL_INTEGER else "")
    if isinstance(value, float):
        return f"number value={value!r}," if math.isfinite(value) else f"{value!r} "
    if value is None:
        return "null "
    return f"text value_text={QUESTDB.text(value, 'value')},"


def _field(cell: Cell) -> str | None:
    if cell.value is None:
        return None
    match cell.kind:
        case Kind.TEXT | Kind.JSON:
            return QUESTDB.text(cell.value, cell.name)
        case Kind.NUMBER:
            return repr(cell.value) if math.isfinite(cell.value) else None
        case Kind.BOOLEAN:
            word = "true" if cell.value else "false"
            return word[0] if cell.always else f'"{word}"'
        case _ if cell.value == NULL_INTEGER:
            raise Unwritable(f"{cell.name}: QuestDB takes {NULL_INTEGER} for null")
        case Kind.TIME:
            return f"{integer(cell.value, cell.name)[:-1]}t"
        case _:
            return integer(cell.value, cell.name)


def _time(at: int) -> int:
    if at not in TIMES:
        raise Unwritable(f"its time, {str(at)[:40]} µs, is none that QuestDB can sort by (1970 to 9999)")
    return at
