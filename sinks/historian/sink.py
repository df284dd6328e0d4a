"""Writes batches to PostgreSQL: rows and offsets in one transaction, so that a crash anywhere repeats nothing."""

from collections.abc import Sequence
from pathlib import Path as FilePath

import psycopg
import structlog
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sinks.base import Delivery, Positions, Rejected, Retryable, Taken
from sinks.historian.config import HistorianConfig
from sinks.historian.tables import Row, Table, rows, tables
from topology.endpoint import BadSecret

log = structlog.get_logger()

_OF_THE_RECORD = ("22", "23", "54")
"""Classes of SQLSTATE that a record provokes: data, constraints, limits. Whatever else goes wrong (connection, rights,
disk, a table that is gone) would hit every record, and is tried again."""
LOCK_WAIT_S = 1.0
"""The server needs a moment to see that the connection before this one is closed."""
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""A host that vanished does not hold the lock for hours."""


class Historian:
    """Effectively once: `positions` are the database's own, and every row has a natural key besides."""

    def __init__(self, name: str, config: HistorianConfig, folder: FilePath) -> None:
        self._name, self._config = name, config
        self._connection: AsyncConnection[Row] | None = None

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
                options=f"{theirs} {_KEEPALIVE} -c statement_timeout={int(self._config.statement_timeout_s * 1000)} -c timezone=UTC",
            )
            await self._lock(connection)
            async with connection.transaction():
                await self._create(connection)
        except psycopg.Error as error:
            await self.close()
            verb = "refuses" if error.sqlstate else "does not answer"
            raise Retryable(f"historian {self._name}: PostgreSQL {verb}: {_words(error)}") from error
        except BaseException:
            await self.close()
            raise

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

    async def _create(self, connection: AsyncConnection[Row]) -> None:
        schema = sql.Identifier(self._config.schema_name)
        await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        await connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {}.sink_offset (sink text, topic text, partition integer, next_offset bigint NOT NULL,"
                " PRIMARY KEY (sink, topic, partition))"
            ).format(schema)
        )
        timescale = self._config.hypertables and await self._timescale(connection)
        for table in tables():
            await self._create_table(connection, table, timescale)

    async def _timescale(self, connection: AsyncConnection[Row]) -> bool:
        available = await (
            await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        ).fetchone()
        if available is None:
            return False
        try:
            async with connection.transaction():
                await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        except psycopg.Error as error:
            log.warning("timescaledb is there and cannot be used: plain tables", sink=self._name, error=_words(error))
            return False
        return True

    async def _create_table(self, connection: AsyncConnection[Row], table: Table, timescale: bool) -> None:
        name = self._identifier(table)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in table.columns
        )
        key = sql.SQL(", ").join(map(sql.Identifier, table.key))
        await connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(name, columns, key)
        )
        for column in table.columns:  # a record type that has grown: old rows keep null
            nullable = column.type.removesuffix(" NOT NULL")
            await connection.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                    name, sql.Identifier(column.name), sql.SQL(nullable)
                )
            )
        if timescale and table.time is not None:
            await connection.execute(
                "SELECT create_hypertable(%s, %s, chunk_time_interval => make_interval(days => %s), if_not_exists => true, migrate_data => true)",
                (f"{self._config.schema_name}.{table.name}", table.time, self._config.chunk_days),
            )
        if "revision" in table.names:
            await connection.execute(
                sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (path, started_at)").format(
                    sql.Identifier(f"{table.name}_path_started_at"), name
                )
            )
            view = sql.Identifier(self._config.schema_name, f"{table.name}_latest")
            await connection.execute(
                sql.SQL(
                    "CREATE OR REPLACE VIEW {} AS SELECT DISTINCT ON (natural_id) * FROM"
                    " (SELECT *, regexp_replace(id, ':[0-9]+$', '') AS natural_id FROM {}) AS revisions"
                    " ORDER BY natural_id, revision DESC"
                ).format(view, name)
            )

    async def positions(self) -> Positions:
        connection = self._connected()
        try:
            query = sql.SQL("SELECT topic, partition, next_offset FROM {}.sink_offset WHERE sink = %s").format(
                sql.Identifier(self._config.schema_name)
            )
            kept = await (await connection.execute(query, (self._name,))).fetchall()
            await connection.commit()
        except psycopg.Error as error:
            raise Retryable(f"historian {self._name}: {_words(error)}") from error
        return {(topic, partition): offset for topic, partition, offset in kept}

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        """All in one transaction; what the database refuses is found by halving, returned, and left out."""
        connection = self._connected()
        rejected: list[Rejected] = []
        try:
            async with connection.transaction():
                await self._write_some(connection, deliveries, rejected)
                await self._move(connection, _short_of(rejected, positions))
        except psycopg.Error as error:
            raise Retryable(f"historian {self._name}: {_words(error)}") from error
        return rejected

    async def _write_some(
        self, connection: AsyncConnection[Row], deliveries: Sequence[Delivery], rejected: list[Rejected]
    ) -> None:
        if not deliveries:
            return
        try:
            async with connection.transaction():  # a savepoint
                await self._copy(connection, deliveries)
        except (psycopg.Error, ValueError, OverflowError) as error:
            state = error.sqlstate if isinstance(error, psycopg.Error) else None
            if isinstance(error, psycopg.Error) and not (
                state.startswith(_OF_THE_RECORD) if state else isinstance(error, psycopg.DataError)
            ):
                raise
            if len(deliveries) == 1:
                rejected.append(Rejected(deliveries[0], f"postgres_{state or 'data'}", _words(error)))
                return
            middle = len(deliveries) // 2
            await self._write_some(connection, deliveries[:middle], rejected)
            await self._write_some(connection, deliveries[middle:], rejected)

    async def _copy(self, connection: AsyncConnection[Row], deliveries: Sequence[Delivery]) -> None:
        by_table: dict[str, tuple[Table, dict[Row, Row]]] = {}
        for delivery in deliveries:
            if (tabular := rows(delivery)) is None:
                continue
            table, new = tabular
            kept = by_table.setdefault(table.name, (table, {}))[1]
            places = [table.names.index(name) for name in table.key]
            for row in new:  # a key twice in one batch: the later one in the log stays, as it would in two
                kept[tuple(row[place] for place in places)] = row
        for table, kept in by_table.values():
            await self._upsert(connection, table, list(kept.values()))

    async def _upsert(self, connection: AsyncConnection[Row], table: Table, new: list[Row]) -> None:
        name, draft = self._identifier(table), sql.Identifier(f"new_{table.name}")
        columns = sql.SQL(", ").join(map(sql.Identifier, table.names))
        await connection.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} (LIKE {} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS").format(
                draft, name
            )
        )
        await connection.execute(sql.SQL("TRUNCATE {}").format(draft))
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

    async def _move(self, connection: AsyncConnection[Row], positions: Positions) -> None:
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


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
