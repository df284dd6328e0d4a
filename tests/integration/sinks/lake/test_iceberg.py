"""Iceberg by a catalogue in SQLite: each row of the log is there once, whoever is killed or comes between, and other readers
agree."""

import asyncio
import multiprocessing
import random
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

from schemas.records import Downtime
from sinks.base import Retryable, Taken
from sinks.lake import spec
from sinks.lake.sink import Lake
from sinks.lake.tables import LOOK_COMMITS
from tests.integration.sinks.lake.log import DOWNTIME, RAW, hashes, log, wanted, write
from uns.testing import delivery, downtime
from uns.testing.patience import patient

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.integration.sinks.lake.log"])


def config(folder: Path, **more: Any) -> dict[str, Any]:
    url = str(folder / "lake")
    return {"url": url, "format": "iceberg", "catalog": f"sqlite:///{url}/catalog.db", "commit_s": 0, **more}


def lake(folder: Path, **more: Any) -> Lake:
    return Lake("lake", spec.config.model_validate(config(folder, **more)), folder)


def table(folder: Path, name: str) -> Table:
    """As any reader opens it."""
    return load_catalog("uns", type="sql", uri=f"sqlite:///{folder}/lake/catalog.db").load_table(f"uns.{name}")


def rows(folder: Path, name: str) -> pa.Table:
    return table(folder, name).scan().to_arrow()


def stops(first: int, count: int) -> list[Any]:
    return [delivery(downtime(number), number) for number in range(first, first + count)]


def run(folder: Path, records: int, seed: int, kill: tuple[str, int] | None, after_s: float | None) -> int:
    """Exit code of a writer that dies by itself, is killed after a time, or comes to its end."""
    given = {name: value for name, value in config(folder).items() if name != "url"}
    process = FORKS.Process(target=write, args=(config(folder)["url"], records, seed, kill, given))
    process.start()
    if after_s is not None:
        time.sleep(after_s)  # the moment of the kill, not a wait for anything
        process.kill()
    process.join(patient(240))
    assert process.exitcode is not None
    return process.exitcode


def killed(folder: Path, kills: int, records: int) -> None:
    chance = random.Random(13)
    codes = []
    for number in range(kills):
        exact = (chance.choice(("before", "after")), chance.randint(1, 6)) if number % 2 else None
        codes.append(run(folder, records, number, exact, None if exact else chance.uniform(0.5, 2.5)))
    assert codes.count(-9) >= kills / 2, codes  # one that has come to the end before is no kill
    assert run(folder, records, 99, None, None) == 0
    tables = wanted(records)
    assert set(tables) == {"samples", "fact_order", "downtime"}
    for name, expected in tables.items():
        found: Counter[str] = hashes(rows(folder, name).cast(wide(name)))
        assert ((expected - found).total(), (found - expected).total()) == (0, 0), name


def wide(name: str) -> pa.Schema:
    """Arrow's large strings are strings."""
    from sinks.lake.rows import tables

    return next(one.schema for one in tables().values() if one.name == name)


@pytest.mark.timeout(300)
def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    killed(tmp_path, 3, 400)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_twenty_kills_between_files_and_commits_lose_and_double_nothing(tmp_path: Path) -> None:
    killed(tmp_path, 20, 3_000)


def test_of_two_instances_the_second_lets_go_and_begins_where_the_first_is(tmp_path: Path) -> None:
    async def go() -> None:
        one, two = lake(tmp_path), lake(tmp_path)
        await one.open()
        await two.open()
        assert await one.write(stops(0, 10), {(stops(0, 1)[0].topic, 0): 10}) == []
        with pytest.raises(Taken):
            await two.write(stops(0, 10), {(stops(0, 1)[0].topic, 0): 10})
        await two.open()
        assert await two.positions() == {(stops(0, 1)[0].topic, 0): 10}
        assert await two.write(stops(8, 4), {(stops(0, 1)[0].topic, 0): 12}) == []
        with pytest.raises(Taken):
            await one.write(stops(10, 4), {(stops(0, 1)[0].topic, 0): 14})
        await one.close()
        await two.close()

    asyncio.run(go())
    assert sorted(rows(tmp_path, "downtime")["kafka_offset"].to_pylist()) == list(range(12))


def test_positions_alone_are_a_commit_that_another_instance_is_refused_by(tmp_path: Path) -> None:
    topic = stops(0, 1)[0].topic

    async def go() -> None:
        one, two = lake(tmp_path), lake(tmp_path)
        await one.open()
        assert await one.write(stops(0, 1), {(topic, 0): 1}) == []
        await two.open()
        assert await one.write([], {(topic, 0): 7}) == []
        with pytest.raises(Taken):
            await two.write(stops(1, 1), {(topic, 0): 2})
        await two.open()
        assert await two.positions() == {(topic, 0): 7}
        await one.close()
        await two.close()

    asyncio.run(go())


def test_another_writer_in_between_disturbs_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        sink = lake(tmp_path)
        await sink.open()
        assert await sink.write(stops(0, 3), {}) == []
        table(tmp_path, "downtime").append(rows(tmp_path, "downtime").slice(0, 0))
        assert await sink.write(stops(3, 3), {}) == []
        await sink.close()

    asyncio.run(go())
    assert sorted(rows(tmp_path, "downtime")["kafka_offset"].to_pylist()) == list(range(6))


@pytest.mark.parametrize("landed", [True, False])
def test_a_commit_whose_answer_was_lost_is_found_again_or_made_again(
    landed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Table._do_commit

    def lost(self: Table, *args: Any, **options: Any) -> None:
        if landed:
            bare(self, *args, **options)
        raise OSError("the line is dead")

    async def go() -> None:
        sink = lake(tmp_path)
        await sink.open()
        assert await sink.write(stops(0, 3), {}) == []
        with monkeypatch.context() as patched:
            patched.setattr(Table, "_do_commit", lost)
            with pytest.raises(Retryable, match="the line is dead"):
                await sink.write(stops(3, 3), {})
        await sink.open()
        assert await sink.write(stops(3, 3), {}) == []
        await sink.close()

    asyncio.run(go())
    assert sorted(rows(tmp_path, "downtime")["kafka_offset"].to_pylist()) == list(range(6))


def test_an_older_table_gets_the_columns_that_records_have_by_now(tmp_path: Path) -> None:
    async def some(first: int) -> None:
        sink = lake(tmp_path)
        await sink.open()
        assert await sink.write(stops(first, 3), {}) == []
        await sink.close()

    asyncio.run(some(0))
    with table(tmp_path, "downtime").update_schema() as change:
        change.delete_column("category")
    asyncio.run(some(3))
    found = rows(tmp_path, "downtime").sort_by("kafka_offset")
    assert found["category"].to_pylist() == [None] * 3 + ["micro"] * 3


def test_a_day_that_is_over_becomes_one_file_and_its_rows_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.lake.tidy.QUIET", timedelta(days=-1))

    async def go() -> None:
        sink = lake(tmp_path)
        await sink.open()
        for number in range(2 * LOOK_COMMITS):
            record: Downtime = downtime(number - 3_000_000)  # years ago
            assert await sink.write([delivery(record, number)], {}) == []
        await sink.close()

    asyncio.run(go())
    found = table(tmp_path, "downtime")
    assert sorted(rows(tmp_path, "downtime")["kafka_offset"].to_pylist()) == list(range(2 * LOOK_COMMITS))
    assert len(list(found.scan().plan_files())) <= LOOK_COMMITS


def test_it_is_parted_by_site_and_day_with_typed_columns(tmp_path: Path) -> None:
    async def go() -> None:
        sink = lake(tmp_path)
        await sink.open()
        assert await sink.write([each for group in log(60).values() for each in group], {(RAW, 0): 40, (DOWNTIME, 0): 40}) == []  # fmt: skip
        await sink.close()

    asyncio.run(go())
    found = table(tmp_path, "samples")
    assert [field.name for field in found.spec().fields] == ["site", "day"]
    assert pa.types.is_timestamp(rows(tmp_path, "samples").schema.field("at").type)
    days = {(task.file.partition[0], task.file.partition[1]) for task in found.scan().plan_files()}
    assert {site for site, _ in days} == {"dallas", "leipzig"}
    assert len(days) == 6
