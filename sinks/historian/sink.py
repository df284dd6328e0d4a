"""Writes batches to PostgreSQL: rows and offsets in one transaction, so that a crash anywhere repeats nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import NamedTuple

import psycopg
import structlog
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from schemas.records import Samples
from sinks.base import Delivery, Positions, Rejected, Retryable, Taken
from sinks.historian.chunks import POINT_BYTES
from sinks.historian.config import HistorianConfig
from sinks.historian.migration import Move
from sinks.historian.names import Names, TagNote
from sinks.historian.samples import SampleStore
from sinks.historian.schema import OLD_SAMPLES, create, drop_old
from sinks.historian.tables import FACT_HISTORY, FIRST_US, LAST_US, SAMPLES, Row, Table, moment, rows, word
from sinks.historian.troubles import holders, told, words
from sinks.historian.upkeep import Upkeep
from topology.endpoint import BadSecret

log = structlog.get_logger()

_OF_THE_RECORD = ("22", "23", "54")
"""Classes of SQLSTATE that a record provokes: data, constraints, limits. Whatever else goes wrong (connection, rights,
disk, a table that is gone) would hit every record, and is tried again."""
ROWS_MAX = 20_000
BYTES_MAX = 8_000_000
"""Of one transaction."""
LOCK_MS_MAX = 10_000
"""Longest wait for a lock on a table or row; then it is said who holds it, and waited again."""
LOCK_WAIT_S = 1.0
"""The server needs a moment to see that the connection before this one is closed."""
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""A host that vanished does not hold the lock for hours."""


class Prepared(NamedTuple):
    """A record as rows."""

    delivery: Delivery
    table: Table
    row: Row | None
    """None: of samples, which the store has its own way with."""
    rows: int
    bytes: int


class Historian:
    """Effectively once: `positions` are the database's own, and every row has a natural key besides."""

    def __init__(self, name: str, config: HistorianConfig, folder: FilePath) -> None:
        self._name, self._config = name, config
        self._connection: AsyncConnection[Row] | None = None
        self._rows_max = ROWS_MAX
        self.notes: Mapping[str, Mapping[str, TagNote]] = {}
        """What the plant model says of tags, by path and name."""
        self._names = Names(config.schema_name, self.notes)
        self._store = SampleStore(config.schema_name, self._names, config.partition_days)
        self._upkeep = Upkeep(name, config)
        self._move: Move | None = None

    async def open(self) -> None:
        """Connects, takes the sink's lock, makes what is missing. Raises `Taken` while another instance has the lock."""
        await self.close()
        dsn = make_conninfo(self._config.dsn.get_secret_value(), password=self._password())
        theirs = conninfo_to_dict(dsn).get("options") or ""
        try:
            self._connection = connection = await AsyncConnection.connect(
                dsn,
                connect_timeout=max(2, int(self._config.connect_timeout_s)),
                application_name=f"uns-sink-{self._name}",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                options=f"{theirs} {_KEEPALIVE} {self._timeouts()} -c timezone=UTC",
            )
            await self._lock(connection)
            async with connection.transaction():
                await self._check_writable(connection)
                old = await create(connection, self._config)
                self._begin_anew(old)
                await self._names.note_all(connection)
            self._upkeep = Upkeep(self._name, self._config)
            await self._upkeep.due(connection)
        except psycopg.errors.LockNotAvailable as error:
            retryable = await self._retryable(connection, error, False)
            await self.close()
            raise retryable from error
        except psycopg.Error as error:
            await self.close()
            verb = "refuses" if error.sqlstate or "FATAL" in str(error) else "does not answer"
            raise Retryable(f"historian {self._name}: PostgreSQL {verb}: {told(error)}") from error
        except BaseException:
            await self.close()
            raise

    def _begin_anew(self, old: bool) -> None:
        schema = self._config.schema_name
        self._names = Names(schema, self.notes)
        self._store = SampleStore(schema, self._names, self._config.partition_days)
        self._move = Move(schema, OLD_SAMPLES, self._store, self._names) if old else None
        self._store.old_rows = self._move.take if self._move is not None else None

    async def _check_writable(self, connection: AsyncConnection[Row]) -> None:
        if await (await connection.execute("SHOW transaction_read_only")).fetchone() == ("on",):
            raise Retryable(f"historian {self._name}: the database is read-only; is this a standby?")

    def _timeouts(self) -> str:
        statement_ms = int(self._config.statement_timeout_s * 1000)
        # A lock that somebody holds is told from a statement that is too long, so it ends first.
        return f"-c statement_timeout={statement_ms} -c lock_timeout={max(1, min(LOCK_MS_MAX, statement_ms // 2))}"

    def _password(self) -> str | None:
        """Read at each opening: it may have been changed there and here. Raises `Retryable`."""
        try:
            return self._config.password
        except (OSError, BadSecret) as error:
            raise Retryable(f"historian {self._name}: the password cannot be used: {error}") from None

    async def _lock(self, connection: AsyncConnection[Row]) -> None:
        query = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT set_config('lock_timeout', %s, true)", (f"{int(LOCK_WAIT_S * 1000)}ms",)
                )
                await connection.execute(query, (f"{self._config.schema_name}/{self._name}",))
        except psycopg.errors.LockNotAvailable:
            raise Taken(f"historian {self._name}: another instance of this sink writes to this database") from None

    async def positions(self) -> Positions:
        connection = self._connected()
        try:
            query = sql.SQL("SELECT topic, partition, next_offset FROM {}.sink_offset WHERE sink = %s").format(
                sql.Identifier(self._config.schema_name)
            )
            kept = await (await connection.execute(query, (self._name,))).fetchall()
            await connection.commit()
        except psycopg.Error as error:
            raise Retryable(f"historian {self._name}: {told(error)}") from error
        return {(topic, partition): offset for topic, partition, offset in kept}

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        """In transactions of bounded size, the last of them with the positions; what the database refuses is found by
        halving, returned, and left out. What takes too long at once is written in smaller parts from then on."""
        connection = self._connected()
        rejected: list[Rejected] = []
        waiting = _prepared(deliveries, rejected)
        progressed = False
        while True:
            part = self._part(waiting)
            refused: list[Rejected] = []
            try:
                async with connection.transaction():
                    await self._write_some(connection, part, refused)
                    if len(part) == len(waiting):
                        await self._note(connection, _short_of([*rejected, *refused], positions))
            except psycopg.errors.QueryCanceled as error:
                self._forget()
                if len(part) > 1:
                    self._rows_max = max(1, sum(each.rows for each in part) // 2)
                    log.warning("too long for one statement", sink=self._name, rows_max=self._rows_max)
                    continue
                raise Retryable(f"historian {self._name}: {told(error)}", progressed) from error
            except psycopg.Error as error:
                self._forget()
                raise await self._retryable(connection, error, progressed) from error
            except BaseException:  # a bug, or the end: what was learnt in the transaction is not so
                self._forget()
                raise
            rejected += refused
            progressed = True
            self._rows_max = min(ROWS_MAX, self._rows_max + max(1, self._rows_max // 10))
            waiting = waiting[len(part) :]
            if not waiting:
                await self._tidy(connection)
                places = {id(delivery): place for place, delivery in enumerate(deliveries)}
                return sorted(rejected, key=lambda refusal: places[id(refusal.delivery)])

    def _part(self, waiting: Sequence[Prepared]) -> Sequence[Prepared]:
        """As many as one transaction takes; one at least."""
        rows_, bytes_ = 0, 0
        for number, each in enumerate(waiting):
            rows_ += each.rows
            bytes_ += each.bytes
            if number and (rows_ > self._rows_max or bytes_ > BYTES_MAX):
                return waiting[:number]
        return waiting

    async def _retryable(self, connection: AsyncConnection[Row], error: psycopg.Error, progressed: bool) -> Retryable:
        held = ""
        if isinstance(error, psycopg.errors.LockNotAvailable):
            held = f": {found}" if (found := await holders(connection, self._config.schema_name)) else ""
        return Retryable(f"historian {self._name}: {told(error)}{held}", progressed)

    async def _write_some(
        self, connection: AsyncConnection[Row], part: Sequence[Prepared], rejected: list[Rejected]
    ) -> None:
        if not part:
            return
        try:
            async with connection.transaction():  # a savepoint
                await self._copy(connection, part)
        except (psycopg.Error, ValueError, OverflowError) as error:
            self._forget()
            state = error.sqlstate if isinstance(error, psycopg.Error) else None
            if isinstance(error, psycopg.Error) and not (
                state.startswith(_OF_THE_RECORD) if state else isinstance(error, psycopg.DataError)
            ):
                raise
            if len(part) == 1:
                rejected.append(_rejected(part[0].delivery, error))
                return
            middle = len(part) // 2
            await self._write_some(connection, part[:middle], rejected)
            await self._write_some(connection, part[middle:], rejected)

    async def _copy(self, connection: AsyncConnection[Row], part: Sequence[Prepared]) -> None:
        by_table: dict[str, tuple[Table, dict[Row, Row]]] = {}
        samples: list[Delivery] = []
        for each in part:
            if each.row is None:
                samples.append(each.delivery)
                continue
            kept = by_table.setdefault(each.table.name, (each.table, {}))[1]
            places = [each.table.names.index(name) for name in each.table.key]
            # A key twice in one batch: the later one in the log stays, as it would in two.
            kept[tuple(each.row[place] for place in places)] = each.row
            if (said := word(each.delivery)) is not None:
                by_table.setdefault(FACT_HISTORY.name, (FACT_HISTORY, {}))[1][said[4:7]] = said
        if samples:  # before all other locks, so that two sinks never wait for each other
            await self._store.alone(connection)
        await self._names.locations(connection, {_path(each.delivery) for each in part if each.row is not None})
        for table, kept in by_table.values():
            rows_ = list(kept.values())
            if table.time is not None:
                time = table.names.index(table.time)
                await self._upkeep.partitions(table).ensure(connection, sorted({row[time] for row in rows_}))
            await self._upsert(connection, table, rows_)
        if samples:
            await self._store.write(connection, samples)

    def _forget(self) -> None:
        """What was learnt in a transaction that is undone."""
        self._names.forget()
        self._store.forget()
        self._upkeep.forget()

    async def _tidy(self, connection: AsyncConnection[Row]) -> None:
        """What is due besides: nothing of it may keep records waiting, so what fails is tried again later."""
        try:
            await self._upkeep.due(connection)
            if self._move is not None:
                async with connection.transaction():
                    await connection.execute("SELECT set_config('lock_timeout', '1s', true)")
                    if not (moved := await self._move.step(connection)):
                        await drop_old(connection, self._config)
                if not moved:
                    self._begin_anew(old=False)
        except psycopg.Error as error:
            self._forget()
            log.warning("put off", sink=self._name, error=told(error))

    async def _upsert(self, connection: AsyncConnection[Row], table: Table, new: list[Row]) -> None:
        name, draft = self._identifier(table), sql.Identifier(f"new_{table.name}")
        columns = sql.SQL(", ").join(map(sql.Identifier, table.names))
        # At one go: each way to the server and back waits for both processes. It is empty but where a batch was halved.
        await connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE IF NOT EXISTS {0} (LIKE {1} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS; DELETE FROM {0}"
            ).format(draft, name)
        )
        async with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(draft, columns)) as copy:
            for row in new:
                await copy.write_row(row)
        updates = sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
            for column in table.names
            if column not in table.key
        )
        await connection.execute(
            sql.SQL(
                "INSERT INTO {} AS stored ({}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET {} WHERE {}"
            ).format(
                name,
                columns,
                columns,
                draft,
                sql.SQL(", ").join(map(sql.Identifier, table.key)),
                updates,
                sql.SQL(table.newer),
            )
        )

    async def _note(self, connection: AsyncConnection[Row], positions: Positions) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany(
                sql.SQL(
                    "INSERT INTO {}.sink_offset AS o VALUES (%s, %s, %s, %s) ON CONFLICT (sink, topic, partition)"
                    " DO UPDATE SET next_offset = greatest(o.next_offset, excluded.next_offset)"
                ).format(sql.Identifier(self._config.schema_name)),
                [(self._name, topic, partition, offset) for (topic, partition), offset in positions.items()],
            )

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _connected(self) -> AsyncConnection[Row]:
        if self._connection is None or self._connection.closed:
            raise Retryable(f"historian {self._name}: not connected")
        return self._connection

    def _identifier(self, table: Table) -> sql.Identifier:
        return sql.Identifier(self._config.schema_name, table.name)


def _short_of(rejected: Sequence[Rejected], positions: Positions) -> Positions:
    """Positions that do not pass a rejected record: until it is in quarantine, a crash must bring it again."""
    short = dict(positions)
    for refusal in rejected:
        delivery = refusal.delivery
        place = delivery.topic, delivery.partition
        short[place] = min(delivery.offset, short.get(place, delivery.offset))
    return short


def _prepared(deliveries: Sequence[Delivery], rejected: list[Rejected]) -> list[Prepared]:
    """The row of each; what makes none (a time that no calendar has) is rejected."""
    prepared = []
    for delivery in deliveries:
        record = delivery.record
        try:
            if isinstance(record, Samples):
                prepared.append(Prepared(delivery, SAMPLES, None, len(record.samples), _checked(record)))
            elif (tabular := rows(delivery)) is not None:
                table, [new] = tabular
                prepared.append(Prepared(delivery, table, new, 1, sum(_size(value) for value in new)))
        except (ValueError, OverflowError) as error:
            rejected.append(_rejected(delivery, error))
    return prepared


def _checked(record: Samples) -> int:
    """Bytes of its samples. Raises OverflowError, and ValueError for a text that no database takes."""
    bytes_ = 0
    for sample in record.samples:
        if not FIRST_US <= sample.at <= LAST_US:
            moment(sample.at)
        value = sample.value
        if type(value) is str:
            bytes_ += len(value)
            if "\x00" in value:
                raise ValueError(f"tag {sample.tag!r}: a text with NUL (0x00) cannot be stored")
    return bytes_ + POINT_BYTES * len(record.samples)


def _path(delivery: Delivery) -> str:
    return getattr(delivery.record, "path", delivery.key)


def _rejected(delivery: Delivery, error: Exception) -> Rejected:
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return Rejected(delivery, f"postgres_{state or 'data'}", words(error))


def _size(value: object) -> int:
    return len(value) if isinstance(value, str) else 8
