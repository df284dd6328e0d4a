"""Rows of a lake's tables, as Arrow, for those who read it back. Blocking."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from sinks.base import Retryable
from sinks.lake.columns import FIRST_US, LAST_US
from sinks.lake.config import LakeConfig
from sinks.lake.rows import Table, tables
from sinks.lake.store import FAILURES, Store
from sinks.lake.troubles import told

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tables_there(name: str, config: LakeConfig) -> dict[str, DeltaTable]:
    """By name. Raises `Retryable`; `OSError` and `BadSecret` for a secret that cannot be used."""
    store = Store(config, config.hidden())
    try:
        found = {table.name: store.table(table.name) for table in tables().values()}
    except FAILURES as error:
        raise Retryable(f"lake {name}: {config.url}: {told(error, store.hidden)}") from error
    return {name: table for name, table in found.items() if table is not None}


def batches(
    name: str, config: LakeConfig, delta: DeltaTable, table: Table, begin: int, end: int, rows: int
) -> Iterator[pa.RecordBatch]:
    """Those with a time in [begin, end), µs UTC. Raises `Retryable`."""
    since, until = _moment(begin), _moment(end)
    # The day follows from the time: it is said for the folders that need not be opened.
    condition = (ds.field("day") >= since.date()) & (ds.field("day") <= until.date())
    condition = condition & (ds.field(table.time) >= since) & (ds.field(table.time) < until)
    try:
        dataset = delta.to_pyarrow_dataset()
        columns = [column for column in table.schema.names if column in dataset.schema.names]
        yield from dataset.to_batches(columns=columns, filter=condition, batch_size=rows)
    except (*FAILURES, pa.ArrowException) as error:
        raise Retryable(f"lake {name}: table {table.name}: {told(error, config.hidden())}") from error


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(max(at, FIRST_US), LAST_US))
