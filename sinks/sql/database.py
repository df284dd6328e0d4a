"""The database itself: a connection that writes in transactions, and bounds that keep it from hanging. Every call blocks."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from sinks.base import Retryable
from sinks.sql.config import SqlSinkConfig
from sinks.sql.troubles import told
from topology.endpoint import DRIVERS, BadSecret

LOCK_S_MAX = 10.0
"""Longest wait for a lock that somebody else holds; then that is said, and it is waited again."""
SILENT_S = 10.0
"""What a network may take beyond the longest statement before the connection counts as lost."""
_ODBC = {"driver": "ODBC Driver 18 for SQL Server"}


def engine(config: SqlSinkConfig) -> Engine:
    """Connects to nothing yet. Raises `Retryable` where a password or a driver is not there."""
    try:
        made = create_engine(_url(config), poolclass=NullPool, connect_args=_arguments(config), hide_parameters=True)
    except (OSError, BadSecret) as error:
        raise Retryable(f"{config.url}: the password cannot be used: {error}") from None
    except (ImportError, SQLAlchemyError) as error:
        raise Retryable(f"{config.url}: its driver is not installed ({error})") from error
    event.listen(made, "connect", _prepared(config))
    return made


def connect(engine: Engine, config: SqlSinkConfig) -> Connection:
    """Raises `Retryable` in words that name the database and no secret."""
    try:
        return engine.connect()
    except (SQLAlchemyError, OSError, RuntimeError) as error:  # RuntimeError: a login that needs a package we lack
        raise Retryable(f"database {config.url} cannot be reached: {told(error, config.scheme)}") from error


def begin(connection: Connection) -> None:
    """What is written from here on is one transaction. SQLite's lock is taken before anything is read, so that two writers
    wait for each other instead of failing half-way."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def close(connection: Connection) -> None:
    """Whatever state it is in."""
    try:
        connection.close()
    except (SQLAlchemyError, OSError):
        connection.invalidate()


def packet_max(connection: Connection) -> int | None:
    """Bytes that MariaDB and MySQL take at once."""
    if connection.dialect.name not in ("mysql", "mariadb"):
        return None
    return int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())


def _url(config: SqlSinkConfig) -> URL:
    """Raises `OSError` and `BadSecret`."""
    driver, parts = DRIVERS[config.scheme], urlsplit(config.url)
    if config.scheme == "sqlite":
        return URL.create(driver, database=f"file:{quote(config.database)}", query={"mode": "rwc", "uri": "true"})
    query = _ODBC if config.scheme == "mssql" else {}
    return URL.create(driver, config.username, config.secret, parts.hostname, parts.port, config.database, query)


def _lock_s(config: SqlSinkConfig) -> float:
    """A lock that somebody holds is told from a statement that is too long, so it ends first."""
    return min(LOCK_S_MAX, config.timeout_s / 2)


def _arguments(config: SqlSinkConfig) -> dict[str, Any]:
    """What the drivers are told, each in its own words."""
    connect_s = max(1, round(config.connect_timeout_s))
    silent_s = round(config.timeout_s + SILENT_S)
    match config.scheme:
        case "postgresql":
            tls = {"sslmode": "verify-full", "sslrootcert": str(config.ca_file)} if config.ca_file else {}
            alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
            return {
                "connect_timeout": max(2, connect_s),
                "application_name": "uns-sink",
                "tcp_user_timeout": 1000 * silent_s,
                **alive,
                **tls,
            }
        case "mariadb" | "mysql":
            trust: dict[str, Any] = {"ssl": {"ca": str(config.ca_file)}} if config.ca_file else {}
            bounds = {"connect_timeout": connect_s, "read_timeout": silent_s, "write_timeout": silent_s}
            return {"charset": "utf8mb4", **bounds, **trust}
        case "sqlite":
            return {"timeout": _lock_s(config), "check_same_thread": False}
        case _:
            return {}


def _statements(config: SqlSinkConfig) -> Mapping[str, tuple[str, ...]]:
    """What a new connection is told: times in UTC, how long a statement and a lock may take, and to cut nothing silently."""
    limit_ms, lock_ms = round(1000 * config.timeout_s), max(1, round(1000 * _lock_s(config)))
    strict = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
    shared = (
        "SET time_zone = '+00:00'",
        strict,
        f"SET SESSION innodb_lock_wait_timeout = {max(1, lock_ms // 1000)}",
        f"SET SESSION lock_wait_timeout = {max(1, lock_ms // 1000)}",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    )
    return {
        "postgresql": (
            f"SET statement_timeout = {limit_ms}",
            f"SET lock_timeout = {lock_ms}",
            "SET timezone = 'UTC'",
        ),
        "mariadb": (f"SET SESSION max_statement_time = {config.timeout_s}", *shared),
        "mysql": (f"SET SESSION max_execution_time = {limit_ms}", *shared),
        "sqlite": ("PRAGMA foreign_keys = ON",),
        "mssql": (f"SET LOCK_TIMEOUT {lock_ms}", "SET XACT_ABORT OFF"),
        "oracle": ("ALTER SESSION SET TIME_ZONE = 'UTC'",),
    }


def _prepared(config: SqlSinkConfig) -> Callable[[Any, Any], None]:
    statements = _statements(config).get(config.scheme, ())

    def prepared(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.isolation_level = None  # the driver's own transactions would end at a savepoint
        if isinstance(connection, psycopg.Connection):
            connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        if isinstance(connection, psycopg.Connection):
            connection.autocommit = False

    return prepared
