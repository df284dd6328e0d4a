"""One table of a lake in Iceberg. Blocking; used by one thread at a time.

A table keeps what has been written to it in its properties, which are set in the commit of the rows and outlive snapshots:

| property | its value |
|---|---|
| `uns/SINK` | number of the sink's last commit to this table |
| `uns/SINK/TOPIC/PARTITION/rows` | next offset behind the rows that are in this table |
| `uns/SINK/TOPIC/PARTITION` | next offset to read; in the table that is home to the topic's class alone |

Each commit makes a snapshot, and is refused where another was made since the table was read; a commit is never laid on top of
one that was faster before the number of our last one was compared again.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from sinks.base import Retryable, Taken
from sinks.lake.columns import holds
from sinks.lake.gathered import Ends, Place
from sinks.lake.iceberg.catalog import FAILURES, PROPERTIES, Catalogue
from sinks.lake.rows import PARTITIONS
from sinks.lake.tidy import File, Merge
from sinks.lake.troubles import Unfit

RETRIES = 15
"""Of a commit that another writer (Spark, a compaction) was faster than."""
MERGED_BYTES_MAX = 256_000_000
"""A day of a site is merged in memory: a larger one is left as it is."""
_OURS = "uns/"
_ADVICE = "give the sink another namespace, or move that table away"


class IcebergTable:
    """Raises `Retryable` with the store's words, `Taken`, `Unfit`."""

    def __init__(self, sink: str, catalogue: Catalogue, name: str, schema: pa.Schema) -> None:
        self.name, self.schema = name, schema
        self._sink, self._catalogue = sink, catalogue
        self._table: Table | None = None
        self._version: int | None = None

    def open(self) -> None:
        try:
            self._table = self._catalogue.table(self.name)
            self._check()
        except FAILURES as error:
            raise self._away(error) from error
        self._version = self._kept("")

    def rows_end(self, place: Place) -> int:
        return self._kept(f"/{place[0]}/{place[1]}/rows") or 0

    def position(self, place: Place) -> int | None:
        return self._kept(f"/{place[0]}/{place[1]}")

    def places(self) -> set[Place]:
        """All that have a property."""
        beginning, found = f"{_OURS}{self._sink}/", set[Place]()
        for name in () if self._table is None else self._table.properties:
            if name.startswith(beginning):
                topic, _, partition = name[len(beginning) :].removesuffix("/rows").rpartition("/")
                found.add((topic, int(partition)))
        return found

    def last_version(self) -> int | None:
        return self._version

    def next_version(self) -> int:
        """One more, and 31 bits by chance."""
        return ((self._version or 0) >> 32) + 1 << 32 | secrets.randbits(31)

    def append(self, rows: Sequence[pa.RecordBatch], ends: Ends, positions: Ends, version: int) -> None:
        known = {f"/{topic}/{number}/rows": max(end, self.rows_end((topic, number))) for (topic, number), end in ends.items()}  # fmt: skip
        known |= {f"/{topic}/{number}": offset for (topic, number), offset in positions.items()}
        told = {f"{_OURS}{self._sink}{name}": str(value) for name, value in {**known, "": version}.items()}
        content = pa.Table.from_batches(rows, self.schema)
        try:
            table = self._made()
            for again in range(RETRIES + 1):
                if self._kept("") != self._version:
                    raise Taken(f"{self._words()}: another instance of this sink writes to it")
                try:
                    with table.transaction() as commit:
                        commit.set_properties({**PROPERTIES, **told})
                        # Without rows, too: the snapshot is what a commit of another instance is refused by.
                        commit.append(content)
                    break
                except CommitFailedException:
                    if again == RETRIES:
                        raise
                    self._table = table = table.refresh()
        except FAILURES as error:
            raise self._away(error) from error
        self._version = version

    def files(self) -> list[File]:
        if self._table is None or (snapshot := self._table.current_snapshot()) is None:
            return []
        try:
            made = {one.snapshot_id: one.timestamp_ms for one in self._table.snapshots()}
            entries = self._table.inspect.entries(snapshot.snapshot_id).to_pylist()
        except FAILURES as error:
            raise self._away(error) from error
        found = []
        for entry in entries:
            file, at = entry["data_file"], made.get(entry["snapshot_id"], 0)
            day = file["partition"]["day"]
            if entry["status"] != 2 and day is not None:  # 2: deleted
                written_at = datetime.fromtimestamp(at / 1000, UTC)
                found.append(File(file["partition"]["site"], _date(day), file["file_size_in_bytes"], written_at))
        return found

    def merge(self, merge: Merge, z_order: bool) -> None:
        """Of a day that is over alone, and in memory: pyiceberg has no compaction of its own."""
        assert self._table is not None
        size = sum(file.bytes for file in self.files() if (file.site, file.day) == (merge.site, merge.day))
        if not merge.over or size > MERGED_BYTES_MAX:
            return
        site = "site IS NULL" if merge.site is None else f"site = '{merge.site}'"
        which = f"{site} AND day = '{merge.day.isoformat()}'"
        try:
            content = self._table.scan(row_filter=which).to_arrow()
            with self._table.transaction() as commit:
                commit.overwrite(content, overwrite_filter=which)
        except CommitFailedException:
            self._table = self._table.refresh()  # somebody writes: another time
        except FAILURES as error:
            raise self._away(error) from error

    def vacuum(self, keep_h: int) -> int:
        """Snapshots; their files are left to what cleans the warehouse."""
        if self._table is None:
            return 0
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=keep_h)
        try:
            count = len(self._table.metadata.snapshots)
            self._table.maintenance.expire_snapshots().older_than(before).commit()
            self._table = self._table.refresh()
            return count - len(self._table.metadata.snapshots)
        except FAILURES as error:
            raise self._away(error) from error

    def _made(self) -> Table:
        if self._table is None:
            self._table = self._catalogue.make(self.name, self.schema, PARTITIONS)
            self._check()
        there = set(self._table.schema().as_arrow().names)
        if not set(self.schema.names) <= there:  # a field that records have by now
            with self._table.update_schema() as change:
                change.union_by_name(self.schema)
            self._table = self._table.refresh()
        return self._table

    def _check(self) -> None:
        """A table of somebody else under our name, or one whose columns have other types."""
        if self._table is None:
            return
        names = [self._table.schema().find_column_name(field.source_id) for field in self._table.spec().fields]
        if names != list(PARTITIONS):
            raise Unfit(f"{self._words()}: it is partitioned by {', '.join(map(str, names)) or 'nothing'}, and ours by {', '.join(PARTITIONS)}; {_ADVICE}")  # fmt: skip
        there = {field.name: field.type for field in self._table.schema().as_arrow()}
        for field in self.schema:
            if field.name in there and not holds(there[field.name], field.type):
                raise Unfit(f"{self._words()}: its column {field.name} is {there[field.name]}, and ours is {field.type}; {_ADVICE}")  # fmt: skip

    def _kept(self, name: str) -> int | None:
        value = None if self._table is None else self._table.properties.get(f"{_OURS}{self._sink}{name}")
        return None if value is None else int(value)

    def _away(self, error: BaseException) -> Retryable:
        return Retryable(f"{self._words()}: {self._catalogue.words(error)}")

    def _words(self) -> str:
        return f"lake {self._sink}: table {self._catalogue.where(self.name)}"


class Places:
    """They follow from the tables' properties."""

    def __init__(self, tables: Iterable[IcebergTable]) -> None:
        self._tables = list(tables)

    @property
    def known(self) -> set[Place]:
        return set[Place]().union(*(table.places() for table in self._tables))

    def open(self) -> None:
        """Nothing of its own."""

    def add(self, places: Iterable[Place]) -> None:
        """Nothing: a commit names them itself."""


def _date(day: date | str) -> date:
    return day if isinstance(day, date) else date.fromisoformat(day)
