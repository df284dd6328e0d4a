"""Reads rows back by SQL over HTTP, for `uns sink verify`: page after page in order of time, so that rows which come meanwhile
move none of the others."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from schemas.text import calendar, micros_of
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.kit import series
from sinks.kit.cells import kind_of, of_cells, of_row
from sinks.kit.columns import LEVELS
from sinks.kit.digest import digest
from sinks.kit.http import HttpTarget
from sinks.kit.rows import Kind
from sinks.questdb.config import QuestdbConfig
from sinks.questdb.sql import ask
from sinks.questdb.tables import SAMPLES, TABLES, TIMES, Rows, Table

PAGE = 2_000
"""Rows of one answer."""
LOOK_S = 0.2
_TAGS = {"path", "definition", "id_kind", *LEVELS}


def wanted(config: QuestdbConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A row for every sample, and for every derived record that can be one."""
    return series.wanted(delivery, list(Rows("").of(delivery)), SAMPLES, _TAGS)


async def found(
    name: str,
    config: QuestdbConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Waits until what was taken shows. Raises `Retryable`."""
    target = HttpTarget(name, config)
    try:
        there = {row["table_name"] for row in await ask(target, "SELECT table_name FROM tables()")}
        for table in TABLES.values():
            if f"{config.table_prefix}{table.name}" in there:
                await _shown(target, config, table)
                async for row in _rows(target, config, table, max(begin, TIMES.start), min(end, TIMES.stop - 1)):
                    yield _found(table, row)
    finally:
        await target.close()


async def _shown(target: HttpTarget, config: QuestdbConfig, table: Table) -> None:
    """QuestDB takes a row before it shows it. Raises `Retryable` where that takes longer than an answer may."""
    name, until = f"{config.table_prefix}{table.name}", time.monotonic() + config.timeout_s
    while True:
        rows = await ask(target, f"SELECT * FROM wal_tables() WHERE name = '{name}'")
        if all(row["writerTxn"] == row["sequencerTxn"] for row in rows):
            return
        if time.monotonic() > until:
            raise Retryable(f"sink {target.name}: table {name} does not yet show all that it took; is it suspended?")
        await asyncio.sleep(LOOK_S)


async def _rows(
    target: HttpTarget, config: QuestdbConfig, table: Table, begin: int, end: int
) -> AsyncIterator[dict[str, Any]]:
    most, since = PAGE, begin
    while since < end:
        rows = await ask(
            target,
            f'SELECT * FROM "{config.table_prefix}{table.name}" WHERE "{table.time}" >= \'{_moment(since)}\''
            f' AND "{table.time}" < \'{_moment(end)}\' ORDER BY "{table.time}" LIMIT {most}',
        )
        for row in rows:
            row[table.time] = _micros(row[table.time])
        if len(rows) < most:
            for row in rows:
                yield row
            return
        last = rows[-1][table.time]
        for row in rows:  # those of the last instant come with the next page, whole
            if row[table.time] < last:
                yield row
        most = PAGE if last > since else 2 * most
        since = last


def _found(table: Table, row: dict[str, Any]) -> Found:
    at, path = row.pop(table.time), str(row["path"])
    if table.name == SAMPLES:
        return Found(series.key(SAMPLES, path, str(row["tag"] or ""), at=at), digest(of_row(row)))
    key = series.key(table.name, path, str(row["id_kind"]), str(row["definition"]), at=at)
    told = {name: _plain(table.name, name, value) for name, value in row.items()}
    return Found(key, digest(_cells(of_cells(table.name, told))))


def _plain(message_class: str, name: str, value: Any) -> Any:
    """Times are text in an answer, and a boolean that may be null is one in the table."""
    kind = kind_of(message_class, name)
    if kind is Kind.TIME and isinstance(value, str):
        return _micros(value)
    return {"true": True, "false": False}.get(value) if kind is Kind.BOOLEAN and isinstance(value, str) else value


def _cells(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in _TAGS}


def _moment(at: int) -> str:
    return calendar(at).removesuffix("+00:00") + "Z"


def _micros(text: str) -> int:
    return micros_of(datetime.fromisoformat(text))


verification = Verification(wanted, found)
