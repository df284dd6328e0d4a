"""Makes the tables, writes batches of rows, and makes of what the target answers what becomes of each record."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import Any

from sinks.base import Delivery, Positions, Retryable, Unwritten
from sinks.kit.batches import Batches, Outcome, Row, Verdict, series_rows
from sinks.kit.http import Answer, HttpTarget, NoAnswer
from sinks.kit.suspects import Suspects
from sinks.questdb.answer import NotForUs, judge
from sinks.questdb.config import QuestdbConfig
from sinks.questdb.sql import ask
from sinks.questdb.tables import SAMPLES, Rows, Table

MEDIA_TYPE = "text/plain; charset=utf-8"
CHECK_S = 10.0
"""So often a table is looked at again: one that is dropped while we write is made anew by QuestDB, without upsert keys."""
Heard = Callable[[Answer, Outcome], None]


class QuestdbSink:
    """One server. Effectively once: a row is known by its upsert keys, and a second write of it is the same."""

    def __init__(self, name: str, config: QuestdbConfig, folder: FilePath, heard: Heard | None = None) -> None:
        """`heard` is told of each answer that is judged."""
        self._name, self._config, self._heard = name, config, heard
        self._rows = Rows(config.table_prefix)
        self._batches = Batches(self._post, config.rows_max, config.bytes_max, Suspects(config.tries, config.tries_s))
        self._target: HttpTarget | None = None
        self._checked: dict[str, float] = {}

    async def open(self) -> None:
        """The target is first asked when there is something to write."""
        await self.close()
        self._target = HttpTarget(self._name, self._config)

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        if self._target is None:
            raise Retryable(f"sink {self._name}: not open")
        rows, unwritten = series_rows(deliveries, self._rows.of)
        for table in {row.content.table.name: row.content.table for row in rows}.values():
            await self._prepare(table)
        for each in await self._batches.write(rows):
            unwritten.setdefault(id(each.delivery), each)
        return list(unwritten.values())

    async def _prepare(self, table: Table) -> None:
        """Makes it where it is missing, and sees that it upserts. Raises `Retryable`."""
        now = time.monotonic()
        if now - self._checked.get(table.name, -CHECK_S) < CHECK_S:
            return
        name = f"{self._config.table_prefix}{table.name}"
        config = self._config
        await self._sql(
            table.create(
                config.table_prefix, config.partition_samples if table.name == SAMPLES else config.partition_derived
            )
        )
        there = await self._sql(f'SHOW COLUMNS FROM "{name}"')
        keys = {row["column"] for row in there if row.get("upsertKey")}
        if keys != {table.time, *table.keys}:
            raise Retryable(
                f"sink {self._name}: table {name} is there with other upsert keys ({', '.join(sorted(keys)) or 'none'}), so rows"
                f" would stand in it twice; rename it, or ALTER TABLE {name} DEDUP ENABLE {table.upsert.removeprefix('DEDUP ')}"
            )
        for row in await self._sql(f"SELECT * FROM wal_tables() WHERE name = '{name}'"):
            if row.get("suspended"):
                raise Retryable(
                    f"sink {self._name}: table {name} is suspended, it takes rows and shows none: {row.get('errorMessage')};"
                    f" mend the cause (a full disk?), then ALTER TABLE {name} RESUME WAL"
                )
        self._checked[table.name] = now

    async def _sql(self, query: str) -> list[dict[str, Any]]:
        """Rows by column. Raises `Retryable`."""
        assert self._target is not None
        return await ask(self._target, query)

    async def _post(self, rows: Sequence[Row]) -> Outcome:
        assert self._target is not None
        body = "\n".join([row.content.text for row in rows]).encode() + b"\n"
        try:
            answer = await self._target.post("/write", {"precision": "u"}, body, MEDIA_TYPE)
        except NoAnswer as error:
            return Outcome(Verdict.FAILED, "no_answer", f"sink {self._name}: {error}")
        self._target.refuse_all("POST", "/write", answer)
        try:
            outcome = judge(answer, rows)
        except NotForUs as error:
            raise Retryable(f"sink {self._name}: {self._target.where('POST', '/write')}: {error}") from None
        if self._heard is not None:
            self._heard(answer, outcome)
        if outcome.verdict is Verdict.FAILED:
            self._checked.clear()
            return self._target.broke("POST", "/write", outcome)
        return outcome

    async def close(self) -> None:
        target, self._target = self._target, None
        self._checked.clear()
        if target is not None:
            await target.close()
