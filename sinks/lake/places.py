"""Which topics and partitions a sink has written of: Delta Lake can be asked for the version of an application, but not for
a list of them. A table beside the others, `sink_places`, has a row for each, and none is ever changed.
"""

from collections.abc import Iterable

import pyarrow as pa
from deltalake import write_deltalake

from sinks.base import Retryable
from sinks.lake.gathered import Place
from sinks.lake.store import FAILURES, Store
from sinks.lake.troubles import told

SCHEMA = pa.schema([("sink", pa.string()), ("topic", pa.string()), ("partition", pa.int64())])
NAME = "sink_places"


class Places:
    """Blocking. One that is listed without having been written of does no harm; the other way round cannot be."""

    def __init__(self, sink: str, store: Store) -> None:
        self._sink, self._store = sink, store
        self.known: set[Place] = set()

    def open(self) -> None:
        """Raises `Retryable`."""
        try:
            table = self._store.table(NAME)
            rows = [] if table is None else table.to_pyarrow_table().to_pylist()
        except FAILURES as error:
            raise self._away(error) from error
        self.known = {(row["topic"], row["partition"]) for row in rows if row["sink"] == self._sink}

    def add(self, places: Iterable[Place]) -> None:
        """To be called before any of them is named in another table. Raises `Retryable`."""
        new = sorted(set(places) - self.known)
        if not new:
            return
        self._store.make()
        rows = [{"sink": self._sink, "topic": topic, "partition": partition} for topic, partition in new]
        try:
            table = pa.Table.from_pylist(rows, SCHEMA)
            write_deltalake(self._store.address(NAME), table, mode="append", storage_options=self._store.options)
        except FAILURES as error:
            raise self._away(error) from error
        self.known.update(new)

    def _away(self, error: BaseException) -> Retryable:
        return Retryable(f"lake {self._sink}: table {self._store.address(NAME)}: {told(error, self._store.hidden)}")
