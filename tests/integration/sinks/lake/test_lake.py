"""The lake as a whole: other readers find what was written, rows are gathered, tables grow, days are compacted under
readers' hands, and positions outlive all of it.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import sinks.lake.sink
import sinks.lake.tables
from schemas.records import Order, Sample, Samples
from sinks.base import Delivery, Gathers, Rejected, Retryable, Sink
from sinks.lake import spec
from sinks.lake.rows import build, tables
from tests.harness.records import EXAMPLES, PATH
from tests.integration.sinks.lake.log import DOWNTIME, RAW, T, active, by_hand, hashes
from topology.namespace.classes import MessageClass
from uns.testing import delivery as downtime_delivery
from uns.testing import downtime

Build = Callable[..., Sink]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


def lake(url: str, name: str = "lake", **config: Any) -> Sink:
    return spec.build(name, spec.config.model_validate({"url": url, "commit_s": 0, **config}), Path())


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def _awaited(work: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return await work


def samples(offset: int, *values: Sample, partition: int = 0, path: str = PATH) -> Delivery:
    return Delivery(RAW, partition, offset, path, MessageClass.RAW, Samples("plc", offset, values), T)


def one(offset: int, value: float = 1.0, at: int = T) -> Delivery:
    return samples(offset, Sample("t", at, value))


def there(path: str) -> bool:
    return Path(path).exists()


def all_rows(url: str) -> dict[str, list[dict[str, Any]]]:
    folders = [each for each in sorted(Path(url).iterdir()) if each.name != "sink_places"]
    return {folder.name: DeltaTable(folder).to_pyarrow_table().to_pylist() for folder in folders}


def offsets(url: str, table: str = "samples") -> list[int]:
    return sorted(DeltaTable(f"{url}/{table}").to_pyarrow_table(columns=["kafka_offset"])["kafka_offset"].to_pylist())


def every_type() -> list[Delivery]:
    return [
        Delivery(f"uns.acme.dallas.packaging.{type(record).message_class}", 0, offset, PATH, MessageClass(type(record).message_class), record, T)
        for offset, record in enumerate(EXAMPLES)
    ]  # fmt: skip


def test_every_type_is_read_back_by_deltalake_and_by_hand(url: str) -> None:
    async def go() -> None:
        sink = lake(url)
        await sink.open()
        deliveries = every_type()
        ends = {(each.topic, 0): each.offset + 1 for each in deliveries}
        assert await sink.write(deliveries, ends) == []
        assert await sink.positions() == ends
        await sink.close()
        built = build(deliveries, [])
        assert set(all_rows(url)) == {table.name for table in tables().values()} == set(built)
        for name, batches in built.items():
            wanted = hashes(pa.Table.from_batches(batches))
            assert hashes(by_hand(Path(url) / name)) == wanted
            assert hashes(DeltaTable(f"{url}/{name}").to_pyarrow_table()) == wanted
            protocol = DeltaTable(f"{url}/{name}").protocol()
            assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)

    run(go())


def test_positions_and_rows_stand_in_one_commit(url: str) -> None:
    async def go() -> None:
        sink = lake(url)
        await sink.open()
        assert await sink.write([one(4), one(6)], {(RAW, 0): 9}) == []
        await sink.close()
        logs = sorted((Path(url) / "samples" / "_delta_log").glob("*.json"))
        actions = [json.loads(line) for line in logs[-1].read_text().splitlines()]
        versions = {each["txn"]["appId"]: each["txn"]["version"] for each in actions if "txn" in each}
        assert (versions[f"lake/{RAW}/0"], versions[f"lake/{RAW}/0/rows"]) == (9, 7)
        assert [each["add"]["partitionValues"] for each in actions if "add" in each] == [{"site": "dallas", "day": "2026-11-18"}]  # fmt: skip

    run(go())


def test_rows_are_gathered_and_committed_by_time_size_or_not_at_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(sinks.lake.sink, "monotonic", lambda: now[0])

    async def go() -> None:
        sink = lake(url, commit_s=60, commit_mb=1)
        await sink.open()
        assert isinstance(sink, Gathers)
        for number in range(5):
            assert await sink.write([one(number)], {(RAW, 0): number + 1}) == []
        assert not there(url)
        assert sink.durable() == {}
        now[0] += 60  # nothing comes any more: the runner asks
        assert await sink.write([], {}) == []
        assert (offsets(url), sink.durable()) == ([0, 1, 2, 3, 4], {(RAW, 0): 5})
        files = len(active(Path(url) / "samples")[0])
        assert files == 1
        # By size.
        much = [samples(5 + n, *(Sample(f"t{k}", T + k, "x" * 50) for k in range(1000))) for n in range(9)]
        assert await sink.write(much, {(RAW, 0): 14}) == []
        assert sink.durable() == {(RAW, 0): 14}
        # Gathered over a closing and opening, as the runner does when something else has failed.
        assert await sink.write([one(14)], {(RAW, 0): 15}) == []
        await sink.close()
        with pytest.raises(Retryable, match="not open"):
            await sink.write([], {})
        await sink.open()
        assert await sink.write([one(14)], {(RAW, 0): 15}) == []
        now[0] += 60
        assert await sink.write([], {}) == []
        assert offsets(url).count(14) == 1
        # And lost with the process, whose successor begins where the lake says.
        assert await sink.write([one(15)], {(RAW, 0): 16}) == []
        await sink.close()
        second = lake(url)
        await second.open()
        assert await second.positions() == {(RAW, 0): 15}
        assert await second.write([one(15)], {(RAW, 0): 16}) == []
        assert offsets(url).count(15) == 1
        await second.close()

    run(go())


def test_positions_without_rows_are_stored_seldom(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(sinks.lake.sink, "monotonic", lambda: now[0])

    async def go() -> None:
        sink = lake(url, commit_s=60)
        await sink.open()
        for number in range(10):
            assert await sink.write([], {(RAW, 0): number}) == []
            now[0] += 60
        assert not there(url)
        assert await sink.write([], {}) == []
        assert await sink.positions() == {(RAW, 0): 9}
        assert offsets(url) == []
        await sink.close()

    run(go())


def test_a_refused_record_keeps_its_position_back_while_rows_behind_it_are_there(url: str) -> None:
    async def go() -> None:
        bad = samples(2, Sample("t", T, "a\ud800"))
        fact = Delivery(RAW, 0, 3, PATH, MessageClass.RAW, Order(id="1", product="cola", started_at=T), T)
        first = lake(url)
        await first.open()
        [refused] = await first.write([one(1), bad, fact, one(4)], {(RAW, 0): 5})
        assert isinstance(refused, Rejected)
        await first.close()  # killed before it was in quarantine
        second = lake(url)
        await second.open()
        assert await second.positions() == {(RAW, 0): 2}
        [again] = await second.write([bad, fact, one(4), one(5)], {(RAW, 0): 6})
        assert isinstance(again, Rejected)
        assert again.delivery is bad
        assert await second.write([], {(RAW, 0): 6}) == []
        assert await second.positions() == {(RAW, 0): 6}
        assert (offsets(url), offsets(url, "fact_order")) == ([1, 4, 5], [3])
        await second.close()

    run(go())


def test_a_crash_between_two_tables_doubles_no_fact(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what one table knows of a partition is not moved back by what another brings."""
    facts = [Delivery(RAW, p, 9, PATH, MessageClass.RAW, Order(id=f"{p}", product="cola", started_at=T), T) for p in (0, 1)]  # fmt: skip

    async def go() -> None:
        bare = write_deltalake

        def full(table: DeltaTable, *args: Any, **options: Any) -> None:
            if table.table_uri.rstrip("/").endswith("samples"):
                raise OSError("No space left on device (os error 28)")
            bare(table, *args, **options)

        monkeypatch.setattr(sinks.lake.table, "write_deltalake", full)
        first = lake(url)
        await first.open()
        with pytest.raises(Retryable, match="make room"):
            await first.write([one(1), facts[0], samples(1, Sample("t", T, 1), partition=1), facts[1]], {(RAW, 0): 10, (RAW, 1): 10})  # fmt: skip
        await first.close()
        monkeypatch.setattr(sinks.lake.table, "write_deltalake", bare)
        for _ in range(2):
            second = lake(url)
            await second.open()
            assert await second.write([one(1), samples(1, Sample("t", T, 1), partition=1)], {}) == []
            assert await second.write([facts[0]], {(RAW, 0): 10}) == []
            assert await second.write([facts[1]], {(RAW, 1): 10}) == []
            assert offsets(url, "fact_order") == [9, 9]
            assert offsets(url) == [1, 1]
            await second.close()

    run(go())


def test_fields_that_are_added_become_columns_and_strange_columns_stay(url: str) -> None:
    """A lake of an older release: a column less, a member of a struct less; and one that somebody added."""
    schema = tables()["Kpi"].schema
    place = schema.get_field_index("pieces")
    struct = pa.struct([field for field in schema.field("pieces").type.value_type if field.name != "start_up"])
    older = schema.remove(schema.get_field_index("coverage")).set(place, pa.field("pieces", pa.list_(struct)))
    older = older.append(pa.field("our_note", pa.string()))
    DeltaTable.create(f"{url}/kpi", older, partition_by=["site", "day"])
    row = dict.fromkeys(older.names) | {"kafka_offset": 1, "pieces": [{"good": 3}], "our_note": "x"}
    write_deltalake(f"{url}/kpi", pa.Table.from_pylist([row], older), mode="append")

    async def go() -> None:
        sink = lake(url)
        await sink.open()
        kpi = next(each for each in every_type() if each.message_class is MessageClass.KPI)
        assert await sink.write([kpi], {}) == []
        new, old = sorted(all_rows(url)["kpi"], key=lambda row: -row["kafka_offset"])
        assert new["pieces"][0]["start_up"] == 0
        assert new["our_note"] is None
        assert old["pieces"][0]["start_up"] is None
        assert (old["our_note"], old["coverage"]) == ("x", None)
        await sink.close()

    run(go())


@pytest.mark.parametrize("z_order", [False, True])
def test_days_are_compacted_under_readers_hands(url: str, monkeypatch: pytest.MonkeyPatch, z_order: bool) -> None:
    monkeypatch.setattr("sinks.lake.tidy.QUIET", datetime.now(UTC) - datetime.now(UTC))
    chance = random.Random(5)

    async def go() -> None:
        sink = lake(url, keep_h=1, z_order=z_order)
        await sink.open()
        assert await sink.write([one(0)], {(RAW, 0): 1}) == []
        table = DeltaTable(f"{url}/samples")
        dataset, before = table.to_pyarrow_dataset(), table.file_uris()
        for number in range(1, 200):
            deliveries = [samples(number, Sample(chance.choice("abc"), T - number, number / 3), path=f"{PATH}-{number % 3}")]  # fmt: skip
            assert await sink.write(deliveries, {(RAW, 0): number + 1}) == []
        assert dataset.to_table()["kafka_offset"].to_pylist() == [0]  # it began before all of it
        table = DeltaTable(f"{url}/samples")
        assert len(table.file_uris()) < 30
        assert there(before[0])
        assert offsets(url) == list(range(200))
        assert sorted(by_hand(Path(url) / "samples")["kafka_offset"].to_pylist()) == list(range(200))
        operations = [entry["operation"] for entry in table.history()]
        assert operations.count("OPTIMIZE") > 5
        # What is older than keep_h goes, and what a crash left likewise; positions outlive checkpoints and the log.
        orphan = Path(url) / "samples" / "site=dallas" / "day=2026-11-18" / "part-orphan.parquet"
        orphan.write_bytes(b"torn")
        assert table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
        assert not orphan.exists()
        table.create_checkpoint()
        table.cleanup_metadata()
        await sink.close()
        second = lake(url)
        await second.open()
        assert await second.positions() == {(RAW, 0): 200}
        assert await second.write([one(150)], {}) == []
        assert offsets(url) == list(range(200))
        await second.close()

    run(go())


def test_tidying_that_fails_holds_up_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> None:
        raise Retryable("no")

    monkeypatch.setattr("sinks.lake.table.DeltaLakeTable.vacuum", fails)

    async def go() -> None:
        sink = lake(url)
        await sink.open()
        assert await sink.write([one(0)], {(RAW, 0): 1}) == []
        assert await sink.write([one(1)], {(RAW, 0): 2}) == []
        assert offsets(url) == [0, 1]
        await sink.close()

    run(go())


def test_an_area_topic_and_a_whole_enterprise(url: str) -> None:
    async def go() -> None:
        sink = lake(url)
        await sink.open()
        wide = downtime_delivery(downtime(1, path="acme"), 0)
        many = [downtime_delivery(downtime(n, path="acme"), n) for n in range(1, 40)]
        for each in (wide, *many):
            assert await sink.write([each], {(DOWNTIME, 0): each.offset + 1}) == []
        assert {row["site"] for row in all_rows(url)["downtime"]} == {None}
        assert offsets(url, "downtime") == list(range(40))
        await sink.close()

    run(go())


def test_trial_shows_rows_and_writes_none(url: str) -> None:
    trial = spec.trial
    assert trial is not None
    config = spec.config.model_validate({"url": url})
    for each in every_type():
        found: Sequence[dict[str, Any]] = trial.tell(config, each)
        json.dumps(found)
        assert all(row["table"].startswith(url) for row in found)
    assert "surrogates" in str(trial.tell(config, samples(1, Sample("t", T, "\ud800"))))
    answer: dict[str, Any]
    [answer] = asyncio.run(_awaited(trial.send("lake", config, Path(), one(1))))
    assert "nothing of its partition" in answer["message"]
    assert not Path(url).exists()
