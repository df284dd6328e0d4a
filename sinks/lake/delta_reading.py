"""Rows of Delta Lake tables as Arrow, for those who read them back. Blocking."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from sinks.base import Retryable
from sinks.lake.config import LakeConfig
from sinks.lake.reading import Reading, moment
from sinks.lake.rows import Table
from sinks.lake.store import FAILURES, Store
from sinks.lake.troubles import told


class DeltaReading(Reading[DeltaTable]):
    """Of Delta Lake."""

    def __init__(self, name: str, config: LakeConfig) -> None:
        super().__init__(name)
        self._store = Store(config, config.hidden())

    def _look(self, table: str) -> DeltaTable | None:
        try:
            return self._store.table(table)
        except FAILURES as error:
            raise self._away(table, error) from error

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
