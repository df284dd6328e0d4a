"""Rows of Delta Lake tables, as Arrow, for those who read it back. Blocking."""

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


class DeltaReading:
    """Of one version of each table. Raises `Retryable`; `OSError` and `BadSecret` for a secret that cannot be used."""

    def __init__(self, name: str, config: LakeConfig) -> None:
        self._name, self._config = name, config
        self._store = Store(config, config.hidden())
        self._known: dict[str, DeltaTable] = {}

    def there(self) -> dict[str, Table]:
        found = {}
        for table in tables().values():
            try:
                known = self._store.table(table.name)
            except FAILURES as error:
                raise self._away(table.name, error) from error
            if known is not None:
                found[table.name], self._known[table.name] = table, known
        return found

    def batches(self, table: Table, begin: int, end: int, rows: int) -> Iterator[pa.RecordBatch]:
        since, until = moment(begin), moment(end)
        # The day follows from the time: it is said for the folders that need not be opened.
        condition = (ds.field("day") >= since.date()) & (ds.field("day") <= until.date())
        condition = condition & (ds.field(table.time) >= since) & (ds.field(table.time) < until)
        try:
            dataset = self._known[table.name].to_pyarrow_dataset()
            columns = [column for column in table.schema.names if column in dataset.schema.names]
            yield from dataset.to_batches(columns=columns, filter=condition, batch_size=rows)
        except (*FAILURES, pa.ArrowException) as error:
            raise self._away(table.name, error) from error

    def _away(self, table: str, error: BaseException) -> Retryable:
        return Retryable(f"lake {self._name}: table {self._store.address(table)}: {told(error, self._store.hidden)}")


def moment(at: int) -> datetime:
    """Of µs UTC; within the years that a table holds."""
    return _EPOCH + timedelta(microseconds=min(max(at, FIRST_US), LAST_US))
