"""A schema of the test's own in a real PostgreSQL, and records for it."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psycopg

from schemas.records import Record, Sample, Samples
from sinks.base import Delivery
from sinks.historian import spec
from sinks.historian.sink import Historian
from tests.harness.records import PATH, T
from topology.namespace.classes import MessageClass

RAW = "uns.acme.dallas.packaging.raw"


class Database:
    def __init__(self, dsn: str, schema: str) -> None:
        self.dsn, self.schema = dsn, schema

    def sink(self, name: str = "historian", **more: Any) -> Historian:
        config = spec.config.model_validate({"dsn": self.dsn, "schema_name": self.schema, **more})
        return Historian(name, config, Path("nowhere"))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True, options=f"-c search_path={self.schema} -c timezone=UTC") as c:
            cursor = c.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def terminate(self, name: str = "historian") -> None:
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
        with psycopg.connect(self.dsn) as c:
            assert c.execute(query, [f"uns-sink-{name}"]).fetchall() == [(True,)]


def delivery(record: Record, offset: int, topic: str = RAW, partition: int = 1, key: str = PATH) -> Delivery:
    return Delivery(topic, partition, offset, key, MessageClass.RAW, record, T)


def samples(*found: Sample) -> Samples:
    return Samples("opcua", 1, found)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)
