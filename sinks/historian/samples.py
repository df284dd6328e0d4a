"""Writes samples as chunks. Each transaction has the store to itself; what it knows of a tag's newest chunks saves it from
looking: who writes at the end of time, as most do, only adds."""

import secrets
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from psycopg import AsyncConnection, sql

from schemas.records import Samples
from sinks.base import Delivery
from sinks.historian.chunks import (
    AT,
    DAY_US,
    FULL_BYTES,
    POINT_BYTES,
    VALUE,
    Chunk,
    Head,
    Point,
    columns,
    cut,
    merged,
    placed,
    points,
    settled,
    size,
)
from sinks.historian.names import Names, Origin
from sinks.historian.partitions import Partitions
from sinks.historian.tables import Row, micros, moment

RUN_MAX = 32
"""So many small chunks at a tag's end become one."""
CHUNK = ("tag_id", "first_at", "last_at", "origin_id", "kafka_offset", "sequence", "at_us", "number", "integer", "text",
         "boolean", "quality", "offsets", "sequences")  # fmt: skip


@dataclass
class Tail:
    """The end of a tag: its newest time, and the small chunks behind its last full one of that day."""

    last_at: int
    first_at: int = 0
    chunks: int = 0
    bytes: int = 0

    def grown(self, found: Sequence[Point]) -> None:
        """By a new chunk."""
        if self.chunks and self.first_at // DAY_US != found[0][AT] // DAY_US:
            self.chunks = self.bytes = 0
        if (more := size(found)) >= FULL_BYTES:
            self.chunks = self.bytes = 0
        else:
            self.first_at = self.first_at if self.chunks else found[0][AT]
            self.chunks += 1
            self.bytes += more
        self.last_at = found[-1][AT]


@dataclass
class Work:
    """What one transaction does with chunks."""

    new: list[tuple[int, Sequence[Point]]] = field(default_factory=list)
    """(tag, samples) of chunks to be made."""
    lost: list[tuple[int, Point]] = field(default_factory=list)
    """(tag, sample) that another of the same time goes before."""
    touched: dict[tuple[int, int], list[Point]] = field(default_factory=dict)
    """(tag, first time) of chunks that are made anew, with what comes into them."""
    runs: dict[int, int] = field(default_factory=dict)
    """Tag → first time of the small chunks that become one."""


class Series(NamedTuple):
    tag: int
    found: Sequence[Point]
    path: str
    name: str


OldRows = Callable[[AsyncConnection[Row], Sequence[tuple[str, str, datetime, datetime]]], Awaitable[list[Series]]]
"""(path, tag, from, to) → samples that were there, and are not any more."""


class SampleStore:
    """`write` inside a transaction. After one that was undone, `forget`."""

    def __init__(self, schema: str, names: Names, days: int) -> None:
        self._schema, self._names = schema, names
        self._partitions = Partitions(schema, "sample_chunk", days)
        self._tails: dict[int, Tail] = {}
        self._token = secrets.token_hex(8)
        self.old_rows: OldRows | None = None
        """Takes out what an older release's table has, while there is one."""

    def forget(self) -> None:
        self._tails = {}
        self._partitions.forget()
        self._token = secrets.token_hex(8)

    async def write(self, connection: AsyncConnection[Row], deliveries: Iterable[Delivery]) -> None:
        """All samples, whatever is there already; of two of one time the later in the log stays."""
        deliveries = list(deliveries)
        origins = {_origin(delivery) for delivery in deliveries}
        await self.alone(connection)
        found = _gathered(deliveries, await self._names.origins(connection, origins))
        if found:
            tags = await self._names.tags(connection, {key: type_name(each) for key, each in found.items()})
            await self.put(connection, [Series(tags[key], each, *key) for key, each in found.items()])

    async def put(self, connection: AsyncConnection[Row], series: Sequence[Series], older: bool = False) -> None:
        """`older`: what comes is from before all that is there."""
        await self._know([each.tag for each in series], connection)
        work = Work()
        behind: list[Series] = []
        for each in series:
            lost: list[Point] = []
            if (found := settled(each.found, self._names.logs, lost)) is not each.found:
                each = each._replace(found=found)
            work.lost += [(each.tag, point) for point in lost]
            if older or self.old_rows is not None:
                behind.append(each)
            else:
                behind += self._sorted(work, each)
        if behind:
            if self.old_rows is not None and not older:
                behind = await self._with_old(connection, work, behind)
            await self._behind(connection, work, behind)
        await self._rewrite(connection, work, older)
        await self._copy(connection, work)

    async def alone(self, connection: AsyncConnection[Row]) -> None:
        """One transaction at a time writes samples to a schema; where another sink did meanwhile, nothing is known."""
        query = sql.SQL("SELECT token FROM {} FOR UPDATE").format(self._table("sample_writer"))
        row = await (await connection.execute(query)).fetchone()
        if row is None or row[0] != self._token:
            self._tails = {}
            self._partitions.forget()
            await connection.execute(
                sql.SQL("UPDATE {} SET token = %s").format(self._table("sample_writer")), [self._token]
            )

    async def _know(self, tags: Iterable[int], connection: AsyncConnection[Row]) -> None:
        unknown = [tag for tag in tags if tag not in self._tails]
        if not unknown:
            return
        query = sql.SQL(
            "SELECT t.id, h.* FROM unnest(%s::int[]) AS t(id) CROSS JOIN LATERAL (SELECT first_at, last_at,"
            " cardinality(at_us), pg_column_size(text) FROM {} WHERE tag_id = t.id ORDER BY first_at DESC LIMIT %s) AS h"
        ).format(self._table("sample_chunk"))
        heads: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for tag, *head in await (await connection.execute(query, [unknown, RUN_MAX])).fetchall():
            heads[tag].append(tuple(head))
        for tag, newest in heads.items():
            self._tails[tag] = _tail(newest)

    def _sorted(self, work: Work, each: Series) -> list[Series]:
        """Puts what is newer than all at the tag's end; what is left is late."""
        tail = self._tails.get(each.tag)
        number = 0 if tail is None else bisect_right(each.found, tail.last_at, key=itemgetter(AT))
        late, new = each.found[:number], each.found[number:]
        if not new:
            return [each]
        if tail is None:
            tail = self._tails[each.tag] = Tail(new[-1][AT])
        chunks = list(cut(new))
        full = tail.chunks + len(chunks) >= RUN_MAX and tail.first_at // DAY_US == new[0][AT] // DAY_US
        if full and tail.chunks and len(chunks) == 1:
            number = bisect_left(late, tail.first_at, key=itemgetter(AT))
            late = each.found[:number]
            work.runs[each.tag] = tail.first_at
            work.touched[each.tag, tail.first_at] = list(each.found[number:])
            return [each._replace(found=late)] if late else []
        for chunk in chunks:
            work.new.append((each.tag, chunk))
            tail.grown(chunk)
        return [each._replace(found=late)] if late else []

    async def _behind(self, connection: AsyncConnection[Row], work: Work, behind: Sequence[Series]) -> None:
        """Samples that are late, corrected, or brought again: each goes where its time is."""
        query = sql.SQL(
            "SELECT c.tag_id, c.first_at, c.last_at, cardinality(c.at_us), pg_column_size(c.text)"
            " FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[]) AS w(tag_id, day, low, high)"
            " CROSS JOIN LATERAL (SELECT max(p.first_at) AS first_at FROM {table} p WHERE p.tag_id = w.tag_id"
            " AND p.first_at BETWEEN w.day AND w.low) AS before"
            " JOIN {table} c ON c.tag_id = w.tag_id AND c.first_at BETWEEN coalesce(before.first_at, w.low) AND w.high ORDER BY 1, 2"
        ).format(table=self._table("sample_chunk"))
        spans = [(each.tag, *_span(day)) for each in behind for day in _days(each.found)]
        heads: dict[int, list[Head]] = defaultdict(list)
        given = [list(column) for column in zip(*spans, strict=True)]
        for tag, first, last, number, texts in await (await connection.execute(query, given)).fetchall():
            small = number * POINT_BYTES + (texts or 0) < FULL_BYTES
            heads[tag].append(Head(micros(first), micros(last), small))
        for each in behind:
            inside, between = placed(each.found, heads[each.tag])
            work.touched.update({(each.tag, first): found for first, found in inside.items()})
            work.new += [(each.tag, chunk) for gap in between for chunk in cut(gap)]
            tail = self._tails.get(each.tag)
            if tail is not None and tail.last_at < each.found[-1][AT]:
                del self._tails[each.tag]  # looked up again when it is needed

    async def _rewrite(self, connection: AsyncConnection[Row], work: Work, older: bool) -> None:
        """Takes out the chunks that something comes into, and makes new ones of both."""
        if not work.touched:
            return
        stored: dict[tuple[int, int], list[Point]] = defaultdict(list)
        for chunk in await self._taken(connection, work):
            run = work.runs.get(chunk.tag)
            first = chunk.first_at if run is None or chunk.first_at < run else run
            stored[chunk.tag, first] += points(chunk)
        for (tag, first), new in work.touched.items():
            lost: list[Point] = []
            old = stored[tag, first]
            found = merged(new, old, self._names.logs, lost) if older else merged(old, new, self._names.logs, lost)
            work.lost += [(tag, point) for point in lost]
            chunks = list(cut(found))
            work.new += [(tag, chunk) for chunk in chunks]
            if work.runs.get(tag) == first:
                tail = self._tails[tag]
                tail.chunks = tail.bytes = 0
                for made in chunks:
                    tail.grown(made)

    async def _taken(self, connection: AsyncConnection[Row], work: Work) -> list[Chunk]:
        names = sql.SQL(", ").join(sql.Identifier("c", name) for name in CHUNK if name != "last_at")
        single = [(tag, first) for tag, first in work.touched if work.runs.get(tag) != first]
        found: list[tuple[Any, ...]] = []
        for condition, keys in (
            ("c.first_at = w.first_at", single),
            ("c.first_at >= w.first_at", list(work.runs.items())),
        ):
            if keys:
                query = sql.SQL(
                    "DELETE FROM {} c USING unnest(%s::int[], %s::timestamptz[]) AS w(tag_id, first_at)"
                    " WHERE c.tag_id = w.tag_id AND {} RETURNING {}"
                ).format(self._table("sample_chunk"), sql.SQL(condition), names)
                given = [[tag for tag, _ in keys], [moment(first) for _, first in keys]]
                found += await (await connection.execute(query, given)).fetchall()
        return [Chunk(tag, micros(first), *rest) for tag, first, *rest in found]

    async def _copy(self, connection: AsyncConnection[Row], work: Work) -> None:
        if not work.new:
            return
        days = sorted({found[0][AT] // DAY_US for _, found in work.new})
        await self._partitions.ensure(connection, [moment(day * DAY_US) for day in days])
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(
            self._table("sample_chunk"), sql.SQL(", ").join(map(sql.Identifier, CHUNK))
        )
        async with connection.cursor().copy(query) as copy:
            for tag, found in work.new:
                await copy.write_row((tag, moment(found[0][AT]), moment(found[-1][AT]), *columns(found)))
        if work.lost:
            await self._keep_lost(connection, work.lost)

    async def _keep_lost(self, connection: AsyncConnection[Row], lost: Sequence[tuple[int, Point]]) -> None:
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
            self._table("sample_replaced"), sql.SQL(", ").join(map(sql.Identifier, CHUNK[:12])),
            sql.SQL(", ").join([sql.Placeholder()] * 12),
        )  # fmt: skip
        rows = [(tag, moment(p[AT]), moment(p[AT]), *columns([p])[:9]) for tag, p in lost]
        async with connection.cursor() as cursor:
            await cursor.executemany(query, rows)

    async def _with_old(self, connection: AsyncConnection[Row], work: Work, behind: Sequence[Series]) -> list[Series]:
        """With what the older table has of their times, so that no time stands in both."""
        assert self.old_rows is not None
        spans = [(each.path, each.name, moment(each.found[0][AT]), moment(each.found[-1][AT])) for each in behind]
        old = {each.tag: each.found for each in await self.old_rows(connection, spans)}
        widened = []
        for each in behind:
            lost: list[Point] = []
            widened.append(each._replace(found=merged(old.get(each.tag, ()), each.found, self._names.logs, lost)))
            work.lost += [(each.tag, point) for point in lost]
        return widened

    def _table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._schema, name)


def _origin(delivery: Delivery) -> Origin:
    assert isinstance(delivery.record, Samples)
    return delivery.topic, delivery.partition, delivery.record.source


def _gathered(deliveries: Iterable[Delivery], origins: Mapping[Origin, int]) -> dict[tuple[str, str], list[Point]]:
    """Samples by path and tag."""
    found: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for delivery in deliveries:
        record = delivery.record
        assert isinstance(record, Samples)
        origin, key, offset, sequence = origins[_origin(delivery)], delivery.key, delivery.offset, record.sequence
        for s in record.samples:
            found[key, s.tag].append((s.at, s.value, s.quality, origin, offset, sequence))
    return found


_TYPES = {bool: "boolean", int: "integer", float: "number", str: "text"}


def type_name(found: Sequence[Point]) -> str | None:
    """Of the first value that is one."""
    return next((_TYPES[type(point[VALUE])] for point in found if point[VALUE] is not None), None)


def _tail(newest: Sequence[tuple[Any, ...]]) -> Tail:
    """`newest`: (first, last, samples, bytes of texts) of a tag's chunks, the newest first."""
    tail = Tail(micros(newest[0][1]))
    day = micros(newest[0][0]) // DAY_US
    for first, _, number, texts in newest:
        bytes_ = number * POINT_BYTES + (texts or 0)
        if bytes_ >= FULL_BYTES or micros(first) // DAY_US != day:
            break
        tail.first_at, tail.chunks, tail.bytes = micros(first), tail.chunks + 1, tail.bytes + bytes_
    return tail


def _days(found: Sequence[Point]) -> list[tuple[int, int, int]]:
    """(day, first, last) of each UTC day in them."""
    days: dict[int, list[int]] = {}
    for point in found:
        days.setdefault(point[AT] // DAY_US, []).append(point[AT])
    return [(day, ats[0], ats[-1]) for day, ats in days.items()]


def _span(day: tuple[int, int, int]) -> tuple[datetime, datetime, datetime]:
    number, first, last = day
    return moment(number * DAY_US), moment(first), moment(last)
