"""Partitions by time: which there must be, how they are called, which have had their time. Names and borders are pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from psycopg import AsyncConnection, sql

from sinks.historian.tables import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAUSIBLE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Outside of it there are two partitions in all: a clock gone mad makes no table a week for eight thousand years."""
BEFORE, AFTER = "before_2000", "after_2100"


class Span(NamedTuple):
    """A partition's borders; None: none to that side."""

    name: str
    begin: datetime | None
    end: datetime | None


def span(table: str, at: datetime, days: int) -> Span:
    """The partition of a table that a time belongs to: so many days, counted from 1970."""
    first, last = PLAUSIBLE
    if at < first:
        return Span(f"{table}_{BEFORE}", None, first)
    if at >= last:
        return Span(f"{table}_{AFTER}", last, None)
    width = timedelta(days=days)
    begin = _EPOCH + (at - _EPOCH) // width * width
    return Span(f"{table}_{max(begin, first):%Y%m%d}", max(begin, first), min(begin + width, last))


def outlived(found: Iterable[Span], now: datetime, days: int) -> list[Span]:
    """Those that end so many days ago or longer."""
    since = now - timedelta(days=days)
    return [each for each in found if each.end is not None and each.begin is not None and each.end <= since]


class Partitions:
    """Of one partitioned table. What it knows is forgotten (`forget`) when a transaction that made some is undone."""

    def __init__(self, schema: str, table: str, days: int) -> None:
        self.table = table
        self._schema, self._days = schema, days
        self._known: list[Span] = []
        self._parted: bool | None = None

    def forget(self) -> None:
        self._known, self._parted = [], None

    async def _is_parted(self, connection: AsyncConnection[Row]) -> bool:
        """False for a hypertable that an older release has made: it stays one."""
        if self._parted is None:
            query = """SELECT c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = %s AND c.relname = %s"""
            found = await (await connection.execute(query, (self._schema, self.table))).fetchone()
            self._parted = found is None or bool(found[0])
        return self._parted

    async def ensure(self, connection: AsyncConnection[Row], times: Iterable[datetime]) -> None:
        """Makes those that the times need. Inside a transaction; a table is filled beside it, for it is made alone and
        attached: that waits for no reader."""
        for at in times:
            if any(_holds(each, at) for each in self._known):
                continue
            if not await self._is_parted(connection):
                return
            self._known = await self.there(connection)
            if any(_holds(each, at) for each in self._known):
                continue
            query = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"  # another sink may be making the same one
            await connection.execute(query, [f"{self._schema}//partitions"])
            self._known = await self.there(connection)
            if any(_holds(each, at) for each in self._known):
                continue
            wanted = self._fitted(span(self.table, at, self._days), at)
            await self._make(connection, wanted)
            self._known.append(wanted)

    def _fitted(self, wanted: Span, at: datetime) -> Span:
        """Between its neighbours: the width of a partition is an option, and may have been another before."""
        begin, end = wanted.begin, wanted.end
        for each in self._known:
            if each.end is not None and each.end <= at and (begin is None or each.end > begin):
                begin = each.end
            if each.begin is not None and each.begin > at and (end is None or each.begin < end):
                end = each.begin
        changed = begin != wanted.begin and begin is not None
        return Span(f"{self.table}_{begin:%Y%m%d}" if changed else wanted.name, begin, end)

    async def there(self, connection: AsyncConnection[Row]) -> list[Span]:
        """Those that are there."""
        query = """SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
            JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
            JOIN pg_namespace n ON n.oid = p.relnamespace WHERE n.nspname = %s AND p.relname = %s"""
        found = await (await connection.execute(query, (self._schema, self.table))).fetchall()
        return sorted((_span(name, bound) for name, bound in found), key=lambda each: each.begin or PLAUSIBLE[0])

    async def _make(self, connection: AsyncConnection[Row], wanted: Span) -> None:
        parent, name = sql.Identifier(self._schema, self.table), sql.Identifier(self._schema, wanted.name)
        await connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(name, parent))
        await connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                parent, name, _border(wanted.begin, "MINVALUE"), _border(wanted.end, "MAXVALUE")
            )
        )

    async def drop_older(self, connection: AsyncConnection[Row], now: datetime, days: int) -> list[str]:
        """Whole partitions whose last day is so long ago; their names."""
        if not await self._is_parted(connection):
            table, since = f'"{self._schema}"."{self.table}"', now - timedelta(days=days)
            query = "SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz)::text"
            return [name for (name,) in await (await connection.execute(query, (table, since))).fetchall()]
        gone = outlived(await self.there(connection), now, days)
        for each in gone:
            await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(self._schema, each.name)))
        self.forget()
        return [each.name for each in gone]


def _holds(each: Span, at: datetime) -> bool:
    return (each.begin is None or each.begin <= at) and (each.end is None or at < each.end)


def _border(at: datetime | None, otherwise: str) -> sql.Composable:
    return sql.SQL(otherwise) if at is None else sql.Literal(at.isoformat())


def _span(name: str, bound: str) -> Span:
    """Of `FOR VALUES FROM ('2026-11-19 00:00:00+00') TO (MAXVALUE)`, in a session whose time zone is UTC."""
    begin, _, end = bound.removeprefix("FOR VALUES FROM (").removesuffix(")").partition(") TO (")
    return Span(name, _time(begin), _time(end))


def _time(text: str) -> datetime | None:
    return None if text in ("MINVALUE", "MAXVALUE") else datetime.fromisoformat(text.strip("'"))
