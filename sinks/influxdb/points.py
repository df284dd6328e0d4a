"""Records as points: measurement, tags, fields, time. Pure.

A sample is a point of measurement `samples`; its series is path and tag, its value stands in a field of its own type, and
`type` says which, so that a tag whose type changes conflicts with nothing. A derived record is a point of the measurement of
its class, at its start; its series is path, kind of id and definition: with the start, that is its natural id.
"""

import math
from collections.abc import Iterator

from schemas.records import Derived, Sample, Samples, Value
from sinks.base import Delivery
from sinks.kit.batches import Row
from sinks.kit.columns import BadColumns, Cell, cells, id_kind, levels
from sinks.kit.lines import INFLUXDB, Unwritable, integer, size
from sinks.kit.rows import Kind

TIMES = range(-9_223_372_036_854_775, 9_223_372_036_854_775 + 1)
"""µs whose nanoseconds InfluxDB can hold."""
HEADS_MAX = 100_000
"""Series whose beginning of a line is remembered."""
SAMPLES = "samples"
Unfit = str
"""Why a part of a record is no point."""


class Points:
    """Remembers how the lines of a series begin."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._heads: dict[tuple[str, str], str] = {}

    def of(self, delivery: Delivery) -> Iterator[Row | Unfit]:
        """The points of a record, in order; nothing of what is no series."""
        record = delivery.record
        if isinstance(record, Samples):
            path = delivery.key
            for sample in record.samples:
                try:
                    yield self._sample(delivery, path, sample)
                except Unwritable as error:
                    yield f"tag {sample.tag[:100]!r}: {error}"
        elif isinstance(record, Derived):
            try:
                yield self._derived(delivery, record)
            except (Unwritable, BadColumns) as error:
                yield str(error)

    def _sample(self, delivery: Delivery, path: str, sample: Sample) -> Row:
        head = self._heads.get((path, sample.tag)) or self._head(path, sample.tag)
        line = f"{head} {_value(sample.value)},quality={integer(sample.quality, 'quality')} {_time(sample.at)}"
        return Row(delivery, (head, sample.at), line, size(line))

    def _head(self, path: str, tag: str) -> str:
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        head = INFLUXDB.head(self._prefix + SAMPLES, [("path", path), ("tag", tag), *levels(path)])
        self._heads[path, tag] = head
        return head

    def _derived(self, delivery: Delivery, record: Derived) -> Row:
        tags = [("path", record.path), ("id_kind", id_kind(record)), ("definition", record.definition)]
        head = INFLUXDB.head(self._prefix + record.message_class, [*tags, *levels(record.path)])
        found = [cell for cell in cells(record) if cell.name != "definition" and has_value(cell)]
        fields = [f"{INFLUXDB.name(cell.name)}={_field(cell)}" for cell in found]
        present = ",".join(cell.name for cell in found if not cell.always)
        line = f"{head} {','.join(fields)},fields={INFLUXDB.text(present)} {_time(record.started_at)}"
        return Row(delivery, (head, record.started_at), line, size(line))


def _value(value: Value) -> str:
    """The fields that say a sample's value."""
    if isinstance(value, bool):
        return f'type="boolean",value_boolean={"true" if value else "false"}'
    if isinstance(value, int):
        return f'type="integer",value={float(value)!r},value_integer={integer(value, "value")}'
    if isinstance(value, float):
        return f'type="number",value={value!r}' if math.isfinite(value) else f'type="{value!r}"'
    if value is None:
        return 'type="null"'
    return f'type="text",value_text={INFLUXDB.text(value, "value")}'


def has_value(cell: Cell) -> bool:
    """A NaN or an infinity of a derived record cannot be written as a number, and is none."""
    return cell.value is not None and (cell.kind is not Kind.NUMBER or math.isfinite(cell.value))


def _field(cell: Cell) -> str:
    match cell.kind:
        case Kind.TEXT | Kind.JSON:
            return INFLUXDB.text(cell.value, cell.name)
        case Kind.NUMBER:
            return repr(cell.value)
        case Kind.BOOLEAN:
            return "true" if cell.value else "false"
        case _:
            return integer(cell.value, cell.name)


def _time(at: int) -> int:
    if at not in TIMES:
        raise Unwritable(f"its time, {str(at)[:40]} µs, is beyond what InfluxDB can hold (1677 to 2262)")
    return at
