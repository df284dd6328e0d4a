"""What a target of time series should hold of a record, for `uns sink verify`: a point for each sample or record that can be
one. Pure."""

from collections.abc import Container, Iterable, Sequence

from schemas.records import Derived, Samples
from sinks.base import Delivery, Wanted
from sinks.kit.batches import Row
from sinks.kit.cells import of_record, of_sample
from sinks.kit.columns import BadColumns, id_kind
from sinks.kit.digest import digest


def key(*names: str, at: int) -> str:
    """What tells a point from others: what tells records apart (path and tag; path, kind of id and definition), and its time."""
    return " ".join((*names, str(at)))


def wanted(delivery: Delivery, rows: Sequence[object], samples: str, left_out: Container[str]) -> Iterable[Wanted]:
    """`rows`: what is written of the delivery, a `Row` for what can be; `samples`: where samples go; `left_out`: cells that
    are part of the key and are compared with it."""
    record = delivery.record
    if isinstance(record, Samples):
        for sample, row in zip(record.samples, rows, strict=True):
            if isinstance(row, Row):
                told = digest(of_sample(sample.value, sample.quality))
                yield Wanted(key(samples, delivery.key, sample.tag, at=sample.at), sample.at, 0, told)
    elif isinstance(record, Derived) and any(isinstance(row, Row) for row in rows):
        try:
            told = digest({name: value for name, value in of_record(record).items() if name not in left_out})
        except BadColumns:
            return
        where = key(record.message_class, record.path, id_kind(record), record.definition, at=record.started_at)
        yield Wanted(where, record.started_at, record.revision, told)
