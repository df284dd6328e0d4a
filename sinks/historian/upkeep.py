"""What the historian does besides writing, once an hour: partitions made ahead, and those dropped that had their time."""

import time
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from psycopg import AsyncConnection

from sinks.historian.config import HistorianConfig
from sinks.historian.partitions import Partitions
from sinks.historian.tables import Row, Table, derived_tables
from sinks.historian.troubles import told
from topology.namespace.classes import MessageClass

log = structlog.get_logger()
EVERY_S = 3_600.0
AGAIN_S = 60.0
"""Where it could not be done: somebody reads what is to be dropped, or a lock is held."""
SAMPLES = "sample_chunk"


class Upkeep:
    """Of the partitioned tables of one schema."""

    def __init__(self, name: str, config: HistorianConfig) -> None:
        self._name, self._retention_days = name, config.retention_days
        self._days = {SAMPLES: config.partition_days}
        self._days |= {table.name: config.class_partition_days for table in derived_tables().values()}
        self._partitions = {table: Partitions(config.schema_name, table, days) for table, days in self._days.items()}
        self._next = 0.0

    def partitions(self, table: Table) -> Partitions:
        """Of a table that has some."""
        return self._partitions[table.name]

    def forget(self) -> None:
        for each in self._partitions.values():
            each.forget()

    async def due(self, connection: AsyncConnection[Row]) -> None:
        """An hour after the last, or at the first call. What cannot be done now waits, and nothing else for it: a partition
        that is needed is made with what is written to it."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + AGAIN_S
        try:
            await self._now(connection)
        except psycopg.Error as error:
            self.forget()
            log.warning("partitions put off", sink=self._name, error=told(error))
        else:
            self._next = time.monotonic() + EVERY_S

    async def _now(self, connection: AsyncConnection[Row]) -> None:
        """Each table in a transaction of its own."""
        self.forget()
        now = datetime.now(UTC)
        for table, each in self._partitions.items():
            async with connection.transaction():
                await connection.execute("SELECT set_config('lock_timeout', '1s', true)")
                await each.ensure(connection, [now, now + timedelta(days=self._days[table])])
        for table, each in self._partitions.items():
            days = self._retention_days.get(MessageClass.RAW if table == SAMPLES else MessageClass(table))
            if days is not None:
                async with connection.transaction():
                    await connection.execute("SELECT set_config('lock_timeout', '1s', true)")
                    gone = await each.drop_older(connection, now, days)
                if gone:
                    log.info("dropped after their time", sink=self._name, partitions=gone, days=days)
