"""The past in the plant's historian: samples of a tag, records of a class. For what Kafka does not keep any more; only reads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from schemas.records import DERIVED_TYPES, Derived, Sample, Value
from schemas.text import micros_of, moment
from sinks.historian.config import HistorianConfig
from topology.endpoint import BadSecret
from topology.model.plant import Plant
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from topology.nearest import hint
from uns.errors import UserError

KIND = "historian"
AT_ONCE = 5_000
"""Rows in memory while a long answer is read."""
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
_TYPES = {kind.message_class: kind for kind in DERIVED_TYPES}


class Held(NamedTuple):
    """A sample of the historian: where, what, and which source said it."""

    path: str
    sample: Sample
    source: str


def config_of(plant: Plant, name: str | None = None) -> HistorianConfig | None:
    """Of the plant's historian: the sink of that name, else the only one there is; None where there is none or several.

    Raises `UserError` for a name that is none.
    """
    there = {each: entry for each, entry in plant.sinks.items() if entry.kind == KIND}
    if name is not None and name not in there:
        raise UserError(f"no historian {name!r} among the sinks of the plant model; {hint(name, there)}")
    if name is None and len(there) != 1:
        return None
    return HistorianConfig.model_validate(there[name or next(iter(there))].config)


class Historian:
    """Opens a connection for each question. Raises `UserError` when the database does not answer, or has no such table."""

    def __init__(self, config: HistorianConfig) -> None:
        self._config = config

    def samples(self, path: str, tag: str, begin: int, end: int, most: int | None = None) -> Iterator[Held]:
        """Of one tag in [begin, end) µs UTC, in order of time; the oldest `most`."""
        query = sql.SQL(
            "SELECT at, value_number, value_integer, value_text, value_boolean, quality, source"
            " FROM {}(%s, %s, %s, %s) ORDER BY at LIMIT %s"
        ).format(sql.Identifier(self._config.schema_name, "samples_between"))
        for at, number, integer, text, boolean, quality, source in self._rows(
            query, (path, tag, *_span(begin, end), most)
        ):
            value = _value(number, integer, text, boolean)
            yield Held(path, Sample(tag, micros_of(at), value, int(quality)), str(source))

    def tags(self, filters: Sequence[Filter]) -> list[tuple[str, str]]:
        """(path, tag) of all that it has of these places."""
        query = sql.SQL("SELECT path, tag FROM {} ORDER BY path, tag").format(
            sql.Identifier(self._config.schema_name, "tags")
        )
        return [(str(path), str(tag)) for path, tag in self._rows(query, ()) if _matches(filters, str(path))]

    def records(
        self, message_class: str, begin: int, end: int, path: str | None = None, most: int | None = None
    ) -> Iterator[Derived]:
        """The newest revisions of a derived class that begin in [begin, end) µs UTC, the oldest `most`; of one path if given."""
        kind = _TYPES[message_class]
        names = kind.__struct_fields__
        query = sql.SQL(
            "SELECT {names} FROM {table} WHERE started_at >= %s AND started_at < %s AND (%s::text IS NULL OR path = %s)"
            " ORDER BY started_at, id LIMIT %s"
        ).format(
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            table=sql.Identifier(self._config.schema_name, f"{message_class}_latest"),
        )
        for row in self._rows(query, (*_span(begin, end), path, path, most)):
            plain = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            yield msgspec.convert(plain, kind)

    def _rows(self, query: sql.Composed, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        with self._connection() as connection, connection.cursor(name="uns_history") as cursor:
            cursor.itersize = AT_ONCE
            cursor.execute(query, values)
            yield from cursor

    @contextmanager
    def _connection(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        config = self._config
        try:
            dsn = make_conninfo(config.dsn.get_secret_value(), password=config.password)
            with psycopg.connect(
                dsn,
                connect_timeout=max(2, int(config.connect_timeout_s)),
                application_name="uns-history",
                options=f"-c timezone=UTC -c default_transaction_read_only=on"
                f" -c statement_timeout={round(config.statement_timeout_s * 1000)}",
            ) as connection:
                yield connection
        except (OSError, BadSecret) as error:
            raise UserError(f"historian: the password cannot be used: {error}") from None
        except psycopg.Error as error:
            words = " ".join(str(error).split())
            raise UserError(f"historian: {words}; does its sink run, and may this user read it?") from error


def _span(begin: int, end: int) -> tuple[datetime, datetime]:
    return moment(min(max(begin, FIRST_US), LAST_US)), moment(min(max(end, FIRST_US), LAST_US))


def _matches(filters: Sequence[Filter], path: str) -> bool:
    place = Path.parse(path)
    return any(each.matches(place) for each in filters)


def _value(number: float | None, integer: int | None, text: str | None, boolean: bool | None) -> Value:
    if integer is not None:
        return integer
    return next((each for each in (number, text, boolean) if each is not None), None)


def _plain(value: Any) -> Any:
    return micros_of(value) if isinstance(value, datetime) else value
