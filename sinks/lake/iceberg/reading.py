"""Rows of Iceberg tables as Arrow, for those who read them back. Blocking."""

from collections.abc import Iterator

import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from sinks.base import Retryable
from sinks.lake.config import LakeConfig
from sinks.lake.iceberg.catalog import FAILURES, Catalogue
from sinks.lake.reading import Reading, moment
from sinks.lake.rows import Table


class IcebergReading(Reading[IcebergTable]):
    """Of Iceberg."""

    def __init__(self, name: str, config: LakeConfig) -> None:
        super().__init__(name)
        self._catalogue = Catalogue(name, config, config.hidden())

    def _look(self, table: str) -> IcebergTable | None:
        try:
            return self._catalogue.table(table)
        except FAILURES as error:
            raise self._away(table, error) from error

    def batches(self, table: Table, begin: int, end: int, rows: int) -> Iterator[pa.RecordBatch]:
        since, until = moment(begin), moment(end)
        which = (
            f"day >= '{since.date()}' AND day <= '{until.date()}'"
            f" AND {table.time} >= '{since.isoformat()}' AND {table.time} < '{until.isoformat()}'"
        )
        try:
            known = self._known[table.name]
            there = known.schema().as_arrow().names
            columns = tuple(column for column in table.schema.names if column in there)
            for batch in known.scan(row_filter=which, selected_fields=columns).to_arrow_batch_reader():
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows)
        except FAILURES as error:
            raise self._away(table.name, error) from error

    def _away(self, table: str, error: BaseException) -> Retryable:
        return Retryable(f"lake {self._name}: table {self._catalogue.where(table)}: {self._catalogue.words(error)}")
