"""The database itself: connections that can only read, and what their errors mean. Every call here blocks."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader
from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.base import SourceUnavailable
from connectors.sql.config import SqlConfig
from connectors.sql.reader import Answer
from topology.endpoint import DRIVERS, BadSecret

WORDS_MAX = 300


class QueryFailed(Exception):
    """The database refused a request, ended it, or could not answer; its words."""


def engine(config: SqlConfig) -> Engine:
    """Connects to nothing yet. Raises `SourceUnavailable` where a password or a driver is not there."""
    try:
        made = create_engine(_url(config), poolclass=NullPool, connect_args=_arguments(config), hide_parameters=True)
    except (OSError, BadSecret) as error:
        raise SourceUnavailable(f"{config.url}: the password cannot be read: {error}") from error
    except (ImportError, SQLAlchemyError) as error:
        raise SourceUnavailable(f"{config.url}: its driver is not installed ({error})") from error
    event.listen(made, "connect", _prepared(config))
    return made


def connect(engine: Engine, config: SqlConfig) -> Connection:
    """A connection that can only read. Raises `SourceUnavailable`."""
    try:
        return engine.connect()
    except (SQLAlchemyError, OSError) as error:
        raise SourceUnavailable(
            f"database {config.url} cannot be reached ({words(error)}); is it up, are address, user and password right?"
        ) from error


def probe(connection: Connection, config: SqlConfig) -> None:
    """Raises `SourceUnavailable` unless the database answers."""
    try:
        connection.execute(select(1)).scalar()
        connection.rollback()
    except (SQLAlchemyError, OSError) as error:
        raise SourceUnavailable(f"database {config.url} does not answer any more ({words(error)})") from error


def fetch(connection: Connection, statement: Select[Any], timeout_s: float) -> Answer:
    """All rows of a request, in a transaction of its own. Raises `QueryFailed`."""
    try:
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):  # which has no time-out of its own
            deadline = time.monotonic() + timeout_s
            driver.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        result = connection.execute(statement)
        answer = Answer(tuple(result.keys()), result.fetchall())
        connection.rollback()
    except (SQLAlchemyError, OSError, psycopg.Error) as error:
        raise QueryFailed(words(error)) from error
    return answer


def close(connection: Connection) -> None:
    """Whatever state it is in."""
    try:
        connection.close()
    except (SQLAlchemyError, OSError):
        connection.invalidate()


def words(error: Exception) -> str:
    """The first line of what driver or database say, as a message can carry it; never the statement or its values."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = str(said).strip().splitlines() or [type(said).__name__]
    return lines[0].encode("utf-8", "replace").decode()[:WORDS_MAX]


def _url(config: SqlConfig) -> URL:
    """Raises `OSError` and `BadSecret`."""
    driver, parts = DRIVERS[config.scheme], urlsplit(config.url)
    if config.scheme == "sqlite":
        return URL.create(driver, database=f"file:{quote(config.database)}", query={"mode": "ro", "uri": "true"})
    return URL.create(driver, config.username, config.secret, parts.hostname, parts.port, config.database)


def _arguments(config: SqlConfig) -> dict[str, Any]:
    """What the drivers are told, each in its own words."""
    connect_s = max(1, round(config.connect_timeout_s))
    match config.scheme:
        case "postgresql":
            tls = {"sslmode": "verify-full", "sslrootcert": str(config.ca_file)} if config.ca_file else {}
            silent_ms = round(1000 * (config.timeout_s + 10))
            alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
            return {
                "connect_timeout": connect_s,
                "application_name": "uns",
                "tcp_user_timeout": silent_ms,
                **alive,
                **tls,
            }
        case "mariadb" | "mysql":
            trust: dict[str, Any] = {"ssl": {"ca": str(config.ca_file)}} if config.ca_file else {}
            silent_s = round(config.timeout_s + 10)
            return {"connect_timeout": connect_s, "read_timeout": silent_s, "write_timeout": silent_s, **trust}
        case "sqlite":
            return {"timeout": config.connect_timeout_s, "check_same_thread": False}
        case _:
            return {}


def _prepared(config: SqlConfig) -> Callable[[Any, Any], None]:
    """What a new connection is told: only to read, times in UTC, and how long a request may take."""
    limit_ms = round(1000 * config.timeout_s)
    statements = {
        "postgresql": (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            f"SET statement_timeout = {limit_ms}",
            "SET timezone = 'UTC'",
        ),
        "mariadb": (
            "SET SESSION TRANSACTION READ ONLY",
            f"SET SESSION max_statement_time = {config.timeout_s}",
            "SET time_zone = '+00:00'",
        ),
        "mysql": (
            "SET SESSION TRANSACTION READ ONLY",
            f"SET SESSION max_execution_time = {limit_ms}",
            "SET time_zone = '+00:00'",
        ),
        "sqlite": ("PRAGMA query_only = ON",),
    }.get(config.scheme, ())

    def prepared(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.text_factory = _text
        if isinstance(connection, psycopg.Connection):
            connection.autocommit = True
            for loader in (_Timestamptz, _Timestamp, _Date):
                connection.adapters.register_loader(loader.type_name, loader)
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        if isinstance(connection, psycopg.Connection):
            connection.autocommit = False

    return prepared


def _text(data: bytes) -> str | bytes:
    """Text of SQLite, which holds whatever was put there: one row that is no UTF-8 must not spoil its page."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


class _Timestamptz(TimestamptzLoader):
    """A time that Python has no year for (`infinity`, BC) stays text: one row must not spoil its page."""

    type_name = "timestamptz"

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class _Timestamp(TimestampLoader):
    """The same, of times without a zone."""

    type_name = "timestamp"

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class _Date(DateLoader):
    """The same, of dates."""

    type_name = "date"

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()
