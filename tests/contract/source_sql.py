"""An MES that writes rows into a table; the database is SQLite, a real one that needs no server."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any

from hypothesis import strategies as st

from connectors.base import Said
from connectors.kit.mark import BadMark
from connectors.kit.message import FACTS
from connectors.sql.config import Query
from connectors.sql.reader import Answer, QueryReader
from tests.contract.sources import ALSO, PATH
from uns.testing import Codec, connector_contract
from uns.testing.text import NUMBERS, TEXTS


class SqlSource:
    path = PATH
    also = ALSO
    asks_again = True  # a table keeps its rows

    def __init__(self, folder: FilePath) -> None:
        self._file = folder / "mes.db"
        self.database = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=30)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE told (id INTEGER PRIMARY KEY, at INTEGER, tag TEXT, value, note TEXT)")
        self.config: dict[str, Any] = {
            "url": f"sqlite:///{self._file}",
            "queries": [
                {
                    "name": "told",
                    "table": "told",
                    "watermark": "id",
                    "key": ["id"],
                    "every_s": 0.02,
                    "rows_max": 7,
                    "row": "long",
                    "path": str(PATH),
                    "at": "at",
                    "time": "us",
                    "tag": "{tag}",
                    "value": "value",
                }
            ],
        }

    async def say(self, tag: str, at: int, value: object) -> None:
        self.database.execute("INSERT INTO told (at, tag, value) VALUES (?, ?, ?)", (at, tag, value))

    async def babble(self) -> None:
        """No time, no tag, text that is no UTF-8."""
        self.database.execute(
            "INSERT INTO told (at, tag, value) VALUES (NULL, 'State', 1), (2000000000000000, NULL, 1)"
        )
        self.database.execute("INSERT INTO told (at, tag, value) VALUES (CAST(x'ff00' AS TEXT), 'State', 1)")

    async def vanish(self) -> None:
        self.database.close()
        self._file.unlink()


@asynccontextmanager
async def sql(folder: FilePath) -> AsyncIterator[SqlSource]:
    source = SqlSource(folder)
    try:
        yield source
    finally:
        source.database.close()


ROWS = st.lists(
    st.tuples(
        st.integers(), *(4 * [st.none() | NUMBERS | TEXTS | st.binary(max_size=4) | st.datetimes() | st.decimals()])
    ),
    max_size=4,
)


def _said(message: tuple[str, list[tuple[Any, ...]]]) -> list[Said]:
    kind, rows = message
    shape = {"name": "q", "table": "t", "watermark": "id", "key": ["id"], "row": kind, "path": "acme/dallas/{line}"}
    query = Query.model_validate(shape | ({"at": "at", "quality": "quality"} if kind == "wide" else {}))
    reader = QueryReader(query, None)
    reader.begin()
    try:
        page = reader.take(Answer(("id", "line", "at", "quality", "value"), rows), datetime(2026, 11, 23, tzinfo=UTC))
    except BadMark:
        return []
    return [thing for part in page.parts for thing in part.said]


CONTRACT = connector_contract(
    "sql",
    lambda request: sql(request.getfixturevalue("tmp_path")),
    Codec(st.tuples(st.sampled_from(["wide", *FACTS]), ROWS), _said),
    lambda port: {"url": f"postgresql://127.0.0.1:{port}/mes", "password_file": None},
)
