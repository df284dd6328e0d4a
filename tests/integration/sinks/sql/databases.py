"""Real databases, each asked through a driver of its own: SQLite, PostgreSQL, MariaDB."""

import asyncio
import sqlite3
from collections.abc import Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict

from schemas.records import Record, Sample, Samples
from sinks.base import Delivery
from sinks.sql import spec
from sinks.sql.sink import SqlSink
from tests.harness.mariadb import MariaDb
from tests.harness.records import PATH, T
from topology.namespace.classes import MessageClass

RAW = "uns.acme.dallas.packaging.raw"
SECRET = "hunter2"


class Database(Protocol):
    """`name` of a table as the sink's options take it, which holds in statements, too."""

    scheme: str
    config: dict[str, Any]

    def name(self, table: str) -> str: ...
    def connected(self, autocommit: bool = True) -> Any: ...


class Sqlite:
    scheme = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.file = folder / "mes.db"
        self.config: dict[str, Any] = {"url": f"sqlite:///{self.file}"}

    def name(self, table: str) -> str:
        return table

    def connected(self, autocommit: bool = True) -> Any:
        return sqlite3.connect(self.file, isolation_level=None, timeout=30)


class Postgres:
    scheme = "postgresql"

    def __init__(self, dsn: str, schema: str) -> None:
        self.dsn, self.schema = dsn, schema
        parts = conninfo_to_dict(dsn)
        url = f"postgresql://{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"
        self.config: dict[str, Any] = {"url": url, "username": parts.get("user"), "password": parts.get("password")}
        self.config["offsets_table"] = f"{schema}.uns_sink_offset"
        with self.connected() as connection:
            connection.execute(f"CREATE SCHEMA {schema}")

    def name(self, table: str) -> str:
        return f"{self.schema}.{table}"

    def connected(self, autocommit: bool = True) -> Any:
        options = f"-c search_path={self.schema} -c timezone=UTC"
        return psycopg.connect(self.dsn, autocommit=autocommit, options=options)

    def drop(self) -> None:
        with self.connected() as connection:
            connection.execute(f"DROP SCHEMA {self.schema} CASCADE")


class Maria:
    scheme = "mariadb"

    def __init__(self, server: MariaDb, database: str) -> None:
        self.server, self.database = server, database
        with closing(server.connected()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
            cursor.execute(f"CREATE OR REPLACE USER uns@'127.0.0.1' IDENTIFIED BY '{SECRET}'")
            cursor.execute("GRANT ALL ON *.* TO uns@'127.0.0.1'")
        url = f"mariadb://127.0.0.1:{server.port}/{database}"
        self.config: dict[str, Any] = {"url": url, "username": "uns", "password": SECRET}

    def name(self, table: str) -> str:
        return table

    def connected(self, autocommit: bool = True) -> Any:
        connection = self.server.connected(database=self.database, init_command="SET time_zone = '+00:00'")
        connection.autocommit(autocommit)
        return connection


def ask(database: Database, *queries: str) -> list[tuple[Any, ...]]:
    """The rows of the last one."""
    rows: Sequence[tuple[Any, ...]] = ()
    with closing(database.connected()) as connection, closing(connection.cursor()) as cursor:
        for query in queries:
            cursor.execute(query)
            rows = cursor.fetchall() if cursor.description else ()
    return [tuple(row) for row in rows]


def mapping(database: Database, record: str, table: str = "", **more: Any) -> dict[str, Any]:
    return {"record": record, "table": database.name(table or f"uns_{record}"), **more}


def sink(database: Database, *tables: dict[str, Any], name: str = "mes", **more: Any) -> SqlSink:
    config = spec.config.model_validate({**database.config, "tables": list(tables), **more})
    return SqlSink(name, config, Path("nowhere"))


def delivery(record: Record, offset: int, topic: str = RAW, partition: int = 1, key: str = PATH) -> Delivery:
    return Delivery(topic, partition, offset, key, MessageClass.RAW, record, T)


def samples(*found: Sample) -> Samples:
    return Samples("opcua", 1, found)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)
