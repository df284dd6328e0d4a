"""The small keys: locations (the ISA-95 tree), tags, and origins (which partition and source a sample came by)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection, sql

from sinks.historian.tables import Row

LEVELS = ("enterprise", "site", "area", "line", "cell")
Origin = tuple[str, int, str]
"""Topic, partition, source."""


class TagNote(NamedTuple):
    """What the plant model says of a tag."""

    role: str
    unit: str | None = None


def place(path: str) -> tuple[str | None, ...]:
    """A path's segments by level, and the name of its own."""
    segments = path.split("/")
    own = LEVELS[len(segments) - 1] if len(segments) <= len(LEVELS) else None
    return (*(segments[n] if n < len(segments) else None for n in range(len(LEVELS))), own)


def upwards(path: str) -> list[str]:
    """The path and the places it is in."""
    segments = path.split("/")
    if len(segments) > len(LEVELS):
        return [path]
    return ["/".join(segments[:number]) for number in range(1, len(segments) + 1)]


class Names:
    """Ids by name, made where missing. What was learnt in a transaction that is undone is to be forgotten (`forget`)."""

    def __init__(self, schema: str, notes: Mapping[str, Mapping[str, TagNote]]) -> None:
        self._schema = schema
        self._notes = notes
        self._locations: dict[str, int] = {}
        self._tags: dict[tuple[str, str], int] = {}
        self._untyped: set[tuple[str, str]] = set()
        self._origins: dict[Origin, int] = {}
        self.logs: dict[int, tuple[str, int]] = {}
        """Origin id → topic and partition."""

    def forget(self) -> None:
        self._locations, self._tags, self._origins, self.logs = {}, {}, {}, {}
        self._untyped = set()

    async def locations(self, connection: AsyncConnection[Row], paths: Collection[str]) -> Mapping[str, int]:
        """Every path's id."""
        if unknown := [path for path in paths if path not in self._locations]:
            missing = sorted({above for path in unknown for above in upwards(path)})
            rows = [[path, *place(path)] for path in missing]
            await self._make(connection, "location", ("path", *LEVELS, "level"), ("text",) * 7, rows, ("path",))
            query = self._sql("SELECT path, id FROM {schema}.location WHERE path = ANY(%s)")
            self._locations.update(await (await connection.execute(query, [missing])).fetchall())
        return self._locations

    async def tags(
        self, connection: AsyncConnection[Row], wanted: Mapping[tuple[str, str], str | None]
    ) -> Mapping[tuple[str, str], int]:
        """(path, tag) → id. `wanted`: with the type of a value that it was seen with; the first counts."""
        if missing := [each for each in wanted if each not in self._tags]:
            locations = await self.locations(connection, {path for path, _ in missing})
            rows = [[locations[path], name, wanted[path, name], *self._note(path, name)] for path, name in missing]
            await self._make(
                connection,
                "tag",
                ("location_id", "name", "type", "role", "unit"),
                ("int", "text", "text", "text", "text"),
                rows,
                ("location_id", "name"),
            )
            query = self._sql(
                "SELECT l.path, t.name, t.id, t.type FROM unnest(%s::int[], %s::text[]) AS w(location_id, name)"
                " JOIN {schema}.tag t USING (location_id, name) JOIN {schema}.location l ON l.id = t.location_id"
            )
            found = await connection.execute(query, [[row[0] for row in rows], [row[1] for row in rows]])
            for path, name, id_, type_ in await found.fetchall():
                self._tags[path, name] = id_
                if type_ is None:
                    self._untyped.add((path, name))
        if self._untyped and (typed := {key: wanted[key] for key in self._untyped & wanted.keys() if wanted[key]}):
            query = self._sql(
                "UPDATE {schema}.tag t SET type = w.type FROM unnest(%s::int[], %s::text[]) AS w(id, type) WHERE t.id = w.id"
            )
            await connection.execute(query, [[self._tags[key] for key in typed], list(typed.values())])
            self._untyped -= typed.keys()
        return self._tags

    async def origins(self, connection: AsyncConnection[Row], wanted: Collection[Origin]) -> Mapping[Origin, int]:
        """Ids; and all that there are, since a chunk of another may have to be compared with."""
        if not self._origins:
            await self._load_origins(connection)
        if missing := [origin for origin in wanted if origin not in self._origins]:
            names = ("kafka_topic", "kafka_partition", "source")
            await self._make(connection, "origin", names, ("text", "int", "text"), [list(o) for o in missing], names)
            await self._load_origins(connection)
        return self._origins

    async def _load_origins(self, connection: AsyncConnection[Row]) -> None:
        query = self._sql("SELECT id, kafka_topic, kafka_partition, source FROM {schema}.origin")
        for id_, topic, partition, source in await (await connection.execute(query)).fetchall():
            self._origins[topic, partition, source] = id_
            self.logs[id_] = topic, partition

    async def note_all(self, connection: AsyncConnection[Row]) -> None:
        """What the plant model says now, on tags that are there, where it says something else. A description is people's."""
        rows = [(path, name, *note) for path, notes in self._notes.items() for name, note in notes.items()]
        if not rows:
            return
        query = self._sql(
            "UPDATE {schema}.tag t SET role = n.role, unit = n.unit"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS n(path, name, role, unit)"
            " JOIN {schema}.location l ON l.path = n.path"
            " WHERE t.location_id = l.id AND t.name = n.name AND (t.role, t.unit) IS DISTINCT FROM (n.role, n.unit)"
        )
        await connection.execute(query, [list(column) for column in zip(*rows, strict=True)])

    def _note(self, path: str, name: str) -> Sequence[str | None]:
        return self._notes.get(path, {}).get(name, (None, None))

    async def _make(
        self,
        connection: AsyncConnection[Row],
        table: str,
        columns: Sequence[str],
        types: Sequence[str],
        rows: Sequence[Sequence[Any]],
        key: Sequence[str],
    ) -> None:
        given = sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(type_)) for type_ in types)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        # Those that another sink has made meanwhile take no number: `ON CONFLICT` alone would burn one each.
        query = sql.SQL(
            "INSERT INTO {table} ({names}) SELECT {names} FROM unnest({given}) AS w({names})"
            " WHERE NOT EXISTS (SELECT FROM {table} t WHERE ({theirs}) = ({keys})) ON CONFLICT DO NOTHING"
        ).format(
            table=sql.Identifier(self._schema, table),
            names=names,
            given=given,
            keys=sql.SQL(", ").join(sql.Identifier("w", name) for name in key),
            theirs=sql.SQL(", ").join(sql.Identifier("t", name) for name in key),
        )
        await connection.execute(query, [list(column) for column in zip(*rows, strict=True)])

    def _sql(self, text: str) -> sql.Composed:
        return sql.SQL(text).format(schema=sql.Identifier(self._schema))
