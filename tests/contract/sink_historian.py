"""A PostgreSQL that the historian writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target


@dataclass
class Database:
    dsn: str
    config: dict[str, Any]
    refused = "a\x00b"
    words = "NUL"

    def content(self) -> Any:
        schema = self.config["schema_name"]
        content = {}
        with psycopg.connect(self.dsn) as connection:
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
            for (name,) in names.fetchall():
                query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t ORDER BY 1").format(sql.Identifier(schema, name))
                content[name] = [row for (row,) in connection.execute(query)]
        return content


@contextmanager
def historian(postgres: str, name: str) -> Iterator[Target]:
    schema = name.replace("-", "_")
    try:
        yield Database(postgres, {"dsn": postgres, "schema_name": schema})
    finally:
        with psycopg.connect(postgres) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def away(port: int) -> dict[str, Any]:
    return {"dsn": f"postgresql://uns:{SECRET}@127.0.0.1:{port}/uns"}


CONTRACT = sink_contract(
    "historian",
    lambda request: historian(request.getfixturevalue("postgres"), request.getfixturevalue("enterprise")),
    away,
)
