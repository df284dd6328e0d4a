"""One table of a lake in Delta Lake. Blocking; used by one thread at a time.

A table keeps in the commits themselves, as application transactions, what has been written to it:

| application | its version |
|---|---|
| `SINK` | of the sink's last commit to this table, so that two instances of one sink collide |
| `SINK/TOPIC/PARTITION/rows` | next offset behind the rows that are in this table |
| `SINK/TOPIC/PARTITION` | next offset to read; in the table that is home to the topic's class alone |

Which topics and partitions there are is kept beside the tables (`sinks/lake/places.py`).
"""

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from sinks.base import Retryable, Taken
from sinks.lake.columns import holds
from sinks.lake.gathered import Ends, Place
from sinks.lake.rows import PARTITIONS
from sinks.lake.store import FAILURES, Store
from sinks.lake.tidy import File, Merge
from sinks.lake.troubles import Unfit, told

RETRIES = 15
"""Of a commit that another writer (Spark, a compaction) was faster than."""
_CHECKPOINTS = {"delta.checkpointInterval": "50"}
_WRITER = WriterProperties(compression="ZSTD", compression_level=3)
_ADVICE = "give the sink another url, or move that table away"
SORTED_BY = ("path", "tag", "at", "started_at")
"""Columns that a day is sorted by, where the table has them."""


class DeltaLakeTable:
    """One table. Raises `Retryable` with the store's words, `Taken`, `Unfit`."""

    def __init__(self, sink: str, store: Store, name: str, schema: pa.Schema) -> None:
        self.name, self.schema = name, schema
        self._sink, self._store, self._url = sink, store, store.address(name)
        self._delta: DeltaTable | None = None
        self._versions: dict[str, int | None] = {}
        self._version: int | None = None
        """Of our last commit, as it was when the table was opened or as we made it."""

    def open(self) -> None:
        """Looks whether the table is there, and whether it can hold our rows."""
        try:
            self._delta = self._store.table(self.name)
            self._check()
            self._versions = {}
            self._version = self._kept(self._sink)
        except FAILURES as error:
            raise self._away(error) from error

    def rows_end(self, place: Place) -> int:
        """Rows below this offset are in the table."""
        return self._known(f"{_place(self._sink, place)}/rows") or 0

    def position(self, place: Place) -> int | None:
        return self._known(_place(self._sink, place))

    def last_version(self) -> int | None:
        """Version of our last commit."""
        return self._version

    def next_version(self) -> int:
        """Of no other commit: one more, and 32 bits by chance."""
        return ((self._version or 0) >> 32) + 1 << 32 | secrets.randbits(31)

    def append(self, rows: Sequence[pa.RecordBatch], ends: Ends, positions: Ends, version: int) -> None:
        """In one commit. After an error it is open whether it took place: `open` again, and compare the version."""
        known = {f"{_place(self._sink, place)}/rows": max(end, self.rows_end(place)) for place, end in ends.items()}
        known |= {_place(self._sink, place): offset for place, offset in positions.items()}
        try:
            delta = self._made()
            if self._kept(self._sink) != self._version:
                raise self._taken()
            commit = CommitProperties(
                app_transactions=[Transaction(app, end, int(time.time() * 1000)) for app, end in {**known, self._sink: version}.items()],
                max_commit_retries=RETRIES,
            )  # fmt: skip
            if rows:
                table = pa.Table.from_batches(rows, self.schema)
                write_deltalake(delta, table, mode="append", schema_mode="merge", writer_properties=_WRITER, commit_properties=commit)  # fmt: skip
            else:
                delta.create_write_transaction([], "append", delta.schema(), list(PARTITIONS), commit_properties=commit)
                delta.update_incremental()  # it does not by itself
        except CommitFailedError as error:
            if "oncurrent transaction" in str(error):
                raise self._taken() from error
            raise self._away(error) from error
        except FAILURES as error:
            raise self._away(error) from error
        self._version = version
        self._versions.update(known)

    def files(self) -> list[File]:
        """What the table consists of now; a day that somebody else left empty is their affair. Raises `Retryable`."""
        if self._delta is None:
            return []
        try:
            found = pa.table(self._delta.get_add_actions(flatten=True))
        except FAILURES as error:
            raise self._away(error) from error
        columns = [found.column(name).to_pylist() for name in ("partition.site", "partition.day", "size_bytes", "modification_time")]  # fmt: skip
        rows = zip(*columns, strict=True)
        return [File(site, _date(day), size, _utc(at)) for site, day, size, at in rows if day is not None]

    def merge(self, merge: Merge, z_order: bool) -> None:
        """Small files of a day into large ones; readers keep theirs. Raises `Retryable`."""
        assert self._delta is not None
        site = [("site", "=", merge.site if merge.site is not None else "")]
        filters = [*site, ("day", "=", merge.day.isoformat())]
        try:
            if z_order and merge.over:
                columns = [name for name in SORTED_BY if name in self.schema.names]
                self._delta.optimize.z_order(columns, partition_filters=filters, target_size=merge.target_bytes, writer_properties=_WRITER)  # fmt: skip
            else:
                self._delta.optimize.compact(partition_filters=filters, target_size=merge.target_bytes, writer_properties=_WRITER)  # fmt: skip
        except FAILURES as error:
            raise self._away(error) from error

    def vacuum(self, keep_h: int) -> int:
        """Deletes files that no version of the last `keep_h` hours needs, and how many. Raises `Retryable`."""
        if self._delta is None:
            return 0
        try:
            return len(self._delta.vacuum(keep_h, dry_run=False, enforce_retention_duration=False, full=True))
        except FAILURES as error:
            raise self._away(error) from error

    def _made(self) -> DeltaTable:
        if self._delta is None:
            self._store.make()
            self._delta = DeltaTable.create(
                self._url,
                self.schema,
                mode="ignore",
                partition_by=list(PARTITIONS),
                configuration=_CHECKPOINTS,
                storage_options=self._store.options,
            )
            self._check()
        return self._delta

    def _check(self) -> None:
        """A table of somebody else under our name, or one whose columns have other types."""
        if self._delta is None:
            return
        there = {field.name: field.type for field in pa.schema(self._delta.schema().to_arrow())}
        if (found := self._delta.metadata().partition_columns) != list(PARTITIONS):
            raise Unfit(f"{self._words()}: it is partitioned by {', '.join(found) or 'nothing'}, and ours by {', '.join(PARTITIONS)}; {_ADVICE}")  # fmt: skip
        for field in self.schema:
            if field.name in there and not holds(there[field.name], field.type):
                raise Unfit(f"{self._words()}: its column {field.name} is {there[field.name]}, and ours is {field.type}; {_ADVICE}")  # fmt: skip
        missing = [name for name in ("kafka_offset", "kafka_partition", "kafka_topic") if name not in there]
        if missing:
            raise Unfit(f"{self._words()}: it has no column {missing[0]}: somebody else made it; {_ADVICE}")

    def _known(self, app: str) -> int | None:
        """As `_kept`, asked once: only our own commits move it."""
        if app not in self._versions:
            self._versions[app] = self._kept(app)
        return self._versions[app]

    def _kept(self, app: str) -> int | None:
        """Of an application in the table as we have it; it reads the log again. Raises `Retryable`."""
        try:
            version = None if self._delta is None else self._delta.transaction_version(app)
        except FAILURES as error:
            raise self._away(error) from error
        return None if version is None else int(version)

    def _taken(self) -> Taken:
        return Taken(f"{self._words()}: another instance of this sink writes to it")

    def _away(self, error: BaseException) -> Retryable:
        return Retryable(f"{self._words()}: {told(error, self._store.hidden)}")

    def _words(self) -> str:
        return f"lake {self._sink}: table {self._url}"


def _place(sink: str, place: Place) -> str:
    return f"{sink}/{place[0]}/{place[1]}"


def _date(day: Any) -> date:
    return day if isinstance(day, date) else date.fromisoformat(str(day))


def _utc(at: Any) -> datetime:
    if isinstance(at, datetime):
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(at) / 1000, UTC)
