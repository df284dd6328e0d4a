"""The engine on real Kafka: whatever dies, the derived topics equal the oracle's, record for record."""

import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psutil
import pytest
from confluent_kafka import Producer

from schemas.records import Order, Tick
from tests.harness.engine_process import CountFold, Plant, Process
from tests.harness.waiting import until
from topology.namespace.classes import MessageClass
from uns.engine.failure import Exit
from uns.engine.step import UNFINISHED, AreaTopics, Fence


@pytest.fixture
def plant(kafka: str) -> Plant:
    return Plant(kafka)


def fences(plant: Plant, partition: int = 0) -> list[Fence]:
    key = AreaTopics(plant.raw).fence_key
    log = plant.written(MessageClass.CHANGELOG, partition)
    return [msgspec.msgpack.decode(r.value or b"", type=Fence) for r in log if r.key == key]


def test_outputs_equal_the_oracle_and_sigterm_ends_at_once(plant: Plant, tmp_path: Path) -> None:
    plant.load(500)
    with Process(plant, tmp_path) as worker:
        plant.processed()
        plant.load(200, seed=2)
        plant.processed()
        metrics = worker.log()[0]["metrics"]
        assert httpx2.get(metrics.replace("/metrics", "/health/ready")).status_code == 200
        said = httpx2.get(metrics).text
        assert f'uns_engine_records_total{{topic="{plant.raw}"}} 700.0' in said
        assert 'uns_engine_quarantined_total{reason="late"} 0.0' in said
        assert f'uns_engine_gap_offsets_total{{partition="0",topic="{plant.raw}"}} 0.0' in said
        assert f'uns_engine_fence_offset{{partition="0",topic="{plant.raw}"}} 700.0' in said
        worker.send(signal.SIGTERM)
        assert worker.ended() == Exit.STOPPED
    assert plant.same_as_oracle() > 500
    assert fences(plant)[-1].next_offset == plant.end(plant.raw) == 700


def test_poison_goes_to_quarantine_as_it_is_and_the_rest_goes_on(plant: Plant, tmp_path: Path) -> None:
    good_key, good = plant.samples(1, float("nan"), 2)
    state = plant.written
    poison: list[tuple[bytes | None, bytes | None]] = [
        (good_key, b"\x01" + good[1:]),
        (good_key, good[:-3]),
        (good_key, good + b"!"),
        (good_key, b"\x00\x00"),
        (good_key, struct.pack(">bI", 0, 999_999) + good[5:]),
        (good_key, None),
        (b"Not A Path", good),
        (b"\xff\xfe", good),
        (None, good),
        (b"acme/elsewhere/area/line/cell", good),
        (good_key, b"\x00" * 900_000),
    ]
    for key, value in poison:
        plant.put(*plant.samples(5))
        plant.put(key, value, headers=[("mine", b"kept"), ("traceparent", b"00-aa-bb-01")])
    order = plant.codec.encode(Order(id="o", product="p", started_at=1))
    plant.put(b"/".join(good_key.split(b"/")[:4]), order)
    plant.put(good_key, good, headers=[("traceparent", b"00-cc-dd-01")])
    plant.flush()
    with Process(plant, tmp_path) as worker:
        plant.processed()
        assert worker.running()
    assert plant.same_as_oracle() > 0
    found = state(MessageClass.QUARANTINE, 0)
    assert [(r.key, r.value) for r in found[: len(poison)]] == poison
    headers = [dict(r.headers) for r in found]
    assert [h["uns.reason"].decode() for h in headers] == [
        "bad_magic",
        "bad_avro",
        "trailing_bytes",
        "truncated",
        "unknown_schema",
        "null_value",
        "bad_key",
        "bad_key",
        "bad_key",
        "foreign_path",
        headers[10]["uns.reason"].decode(),
        "not_counted",
        "not_finite",
    ]
    assert headers[0]["mine"] == b"kept"
    assert headers[0]["__connect.errors.topic"].decode() == plant.raw
    assert headers[0]["__connect.errors.offset"] == b"1"
    assert headers[-1]["uns.tag"] == b"Tag"
    last = dict(state(MessageClass.STATE, 0)[-1].headers)
    assert last["traceparent"] == b"00-cc-dd-01"
    assert last["ce_type"] == b"uns.State"


@pytest.mark.long
def test_the_other_worker_takes_over_from_a_killed_one(kafka: str, tmp_path: Path) -> None:
    plant = Plant(kafka, partitions=2)
    plant.load(300)
    with Process(plant, tmp_path, slot=0) as first, Process(plant, tmp_path, slot=1) as second:
        until(lambda: {w.restored()["partitions"] for w in (first, second)} == {1}, 30, first.text)
        plant.load(300, seed=2)
        first.kill()
        plant.load(300, seed=3)
        plant.processed()
        assert second.running()
        assert second.restored()["partitions"] == 2
    assert plant.same_as_oracle() > 500


def test_a_new_worker_shares_and_a_stopped_one_hands_over(kafka: str, tmp_path: Path) -> None:
    plant = Plant(kafka, partitions=2)
    plant.load(300)
    with Process(plant, tmp_path, slot=0) as first:
        plant.processed()
        with Process(plant, tmp_path, slot=1) as second:
            second.restored()
            plant.load(300, seed=2)
            plant.processed()
            assert first.restored()["kept"] == 1, "a partition that stays needs no restore"
            first.send(signal.SIGTERM)
            assert first.ended() == Exit.STOPPED
            plant.load(300, seed=3)
            began = time.monotonic()
            plant.processed()
            assert time.monotonic() - began < 6.0, "it left the group: nobody waited for its session to end"
    assert plant.same_as_oracle() > 500


def test_a_rebalance_restores_only_what_moves(kafka: str, tmp_path: Path) -> None:
    plant = Plant(kafka, partitions=6)
    plant.load(200)

    def shares(*workers: Process) -> list[tuple[int, int]]:
        """(partitions, of them kept) of each worker's last assignment, once all are at work on all six."""

        def settled() -> list[dict[str, Any]] | None:
            last = [worker.restored() for worker in workers]
            same = len({line["generation"] for line in last}) == 1
            return last if same and sum(line["partitions"] for line in last) == 6 else None

        found = until(settled, 60, lambda: [worker.restored() for worker in workers])
        return [(line["partitions"], line["kept"]) for line in found]

    with Process(plant, tmp_path, slot=0) as first, Process(plant, tmp_path, slot=1) as second:
        assert [n for n, _ in shares(first, second)] == [3, 3]
        plant.processed()
        with Process(plant, tmp_path, slot=2) as third:
            assert shares(first, second, third) == [(2, 2), (2, 2), (2, 0)]
            plant.load(200, seed=2)
            plant.processed()
            third.send(signal.SIGTERM)
            third.ended()
            assert shares(first, second) == [(3, 2), (3, 2)]
        plant.load(200, seed=3)
        plant.processed()
    assert plant.same_as_oracle() > 0


def test_a_log_that_lost_its_tail_stops_the_worker(plant: Plant, tmp_path: Path) -> None:
    producer = Producer(plant.settings.kafka())
    fence = AreaTopics(plant.raw)
    producer.produce(fence.changelog, msgspec.msgpack.encode(Fence(1_000, 0)), fence.fence_key, 0)
    producer.flush(10)
    plant.load(10)
    with Process(plant, tmp_path) as worker:
        assert worker.ended() == Exit.TRUNCATED
        assert "below the fence 1000" in worker.text()
    assert plant.written(MessageClass.STATE, 0) == []


def older(plant: Plant) -> list[str]:
    """Makes the state in the changelog another release's, with keys that this one has not; returns these."""
    names, last = AreaTopics(plant.raw), fences(plant)[-1]
    producer = Producer(plant.settings.kafka())
    gone = [names.state_key("path/gone"), names.state_key("another")]
    for key in gone:
        producer.produce(names.changelog, b"of another release", key, 0)
    other = msgspec.structs.replace(last, state_version=CountFold.state_version + 1)
    producer.produce(names.changelog, msgspec.msgpack.encode(other), names.fence_key, 0)
    assert producer.flush(10) == 0
    return [key.decode() for key in gone]


def test_state_of_another_release_is_rebuilt_and_consumers_see_nothing_of_it(plant: Plant, tmp_path: Path) -> None:
    plant.load(3_000)
    with Process(plant, tmp_path) as worker:
        plant.processed()
        worker.send(signal.SIGTERM)
        worker.ended()
    gone = older(plant)
    plant.load(500, seed=2)
    with Process(plant, tmp_path) as worker:
        plant.processed()
        rebuilt = next(line for line in worker.log() if line["event"] == "state rebuilt")
        assert rebuilt["corrections"] == 0
        said = httpx2.get(worker.log()[0]["metrics"]).text
        assert f'uns_engine_rebuilds_total{{topic="{plant.raw}"}} 1.0' in said
        assert f'uns_engine_rebuild_offsets{{partition="0",topic="{plant.raw}"}} 3000.0' in said
    assert plant.same_as_oracle() > 3_000
    assert fences(plant)[-1].state_version == CountFold.state_version
    last = {r.key.decode(): r.value for r in plant.written(MessageClass.CHANGELOG, 0) if r.key is not None}
    assert [last[key] for key in gone] == [None, None]


@pytest.mark.long
def test_a_rebuild_killed_half_way_begins_anew(plant: Plant, tmp_path: Path) -> None:
    plant.load(2_000, paths=300)
    with Process(plant, tmp_path) as worker:
        plant.processed()
        worker.send(signal.SIGTERM)
        worker.ended()
    gone = older(plant)
    # many transactions, so that it is killed between them
    with Process(plant, tmp_path, group_mb=0.0005) as worker:
        until(lambda: fences(plant)[-1].state_version == UNFINISHED, why=worker.text)
        worker.kill()
    assert fences(plant)[-1].state_version == UNFINISHED, "it was done before it could be killed"
    plant.load(500, paths=300, seed=2)
    with Process(plant, tmp_path) as worker:
        plant.processed()
        assert any(line["event"] == "state rebuilt" for line in worker.log())
    assert plant.same_as_oracle() > 2_000
    assert fences(plant)[-1].state_version == CountFold.state_version
    last = {r.key.decode(): r.value for r in plant.written(MessageClass.CHANGELOG, 0) if r.key is not None}
    assert [last[key] for key in gone] == [None, None]


def test_aborted_records_are_never_seen_and_lag_is_zero_when_idle(plant: Plant, tmp_path: Path) -> None:
    producer = Producer(plant.settings.kafka(**{"transactional.id": plant.group + "-raw"}))
    producer.init_transactions(10)
    with Process(plant, tmp_path) as worker:
        worker.restored()
        for commit in (True, False, True, False):
            producer.begin_transaction()
            for _ in range(10):
                key, value = plant.samples("yes" if commit else "no", plant._number)
                producer.produce(plant.raw, value, key, 0)
            if commit:
                producer.commit_transaction(10)
            else:
                producer.flush(10)
                producer.abort_transaction(10)
        plant.processed()
        assert worker.running()
    assert plant.committed()[0] == plant.end(plant.raw) == 44, "the last is a control record, and it is passed"
    states = plant.written(MessageClass.STATE, 0)
    assert len(states) == 2 * 10 * 2, "every sample of a committed record changes the value"
    assert plant.same_as_oracle() == len(states)


def test_ticks_come_from_the_owner_after_its_restore(kafka: str, tmp_path: Path) -> None:
    plant = Plant(kafka, partitions=2)

    def ticks(partition: int) -> Iterator[Tick]:
        for record in plant.written(MessageClass.RAW, partition):
            assert record.key == str(plant.area).encode()
            tick = plant.codec.decode(record.value)
            assert isinstance(tick, Tick)
            yield tick

    with Process(plant, tmp_path, slot=0, tick_s=0.1) as first, Process(plant, tmp_path, slot=1, tick_s=0.1) as second:
        until(lambda: {w.restored()["partitions"] for w in (first, second)} == {1}, 30, first.text)
        latest = {n: max((t.at for t in ticks(n)), default=0) for n in (0, 1)}
        until(lambda: all(sum(t.at > latest[n] for t in ticks(n)) >= 5 for n in (0, 1)), 30)
    for n in (0, 1):
        settled = [t for t in ticks(n) if t.at > latest[n] + 1_000_000]
        assert len({t.worker for t in settled}) <= 1
        assert [t.at for t in settled] == sorted(t.at for t in settled)
    assert {t.worker for n in (0, 1) for t in ticks(n) if t.at > latest[n]} == {f"{plant.group}-0", f"{plant.group}-1"}
    assert fences(plant)[-1].watermark > 0


def test_a_backlog_costs_time_and_not_memory(plant: Plant, tmp_path: Path) -> None:
    records, batch = 300_000, [plant.samples("same", path=plant.path(number)) for number in range(100)]
    for number in range(records):
        plant.put(*batch[number % 100])
        if number % 10_000 == 0:
            plant.flush()
    plant.flush()
    end = plant.end(plant.raw)
    assert end == records
    with Process(plant, tmp_path, in_flight_mb=4, group_mb=1) as worker:
        worker.restored()
        process = psutil.Process(worker.pid)
        begun, peak = process.memory_info().rss, 0

        def drained() -> bool:
            nonlocal peak
            peak = max(peak, process.memory_info().rss)
            return plant.committed()[0] >= end

        until(drained, 120, worker.text)
    # All of them decoded at once would be some 500 MB; the budget is 4 MB of bytes, some twenty times as much as objects.
    assert (peak - begun) / 1e6 < 120


def test_a_bug_in_the_fold_ends_the_process_and_commits_nothing_of_it(plant: Plant, tmp_path: Path) -> None:
    plant.put(*plant.samples(1))
    plant.put(*plant.samples("bug"))
    plant.flush()
    with Process(plant, tmp_path) as worker:
        assert worker.ended() == Exit.FOLD
        assert f"{plant.raw}[0] offset 1" in worker.text()
    assert plant.written(MessageClass.STATE, 0) == []
    assert plant.committed()[0] < 0


def test_a_takeover_waits_for_the_open_transaction(plant: Plant, tmp_path: Path) -> None:
    topics = AreaTopics(plant.raw)
    other = Producer(
        plant.settings.kafka(**{"transactional.id": plant.group + "-other", "transaction.timeout.ms": 60000})
    )
    other.init_transactions(10)
    other.begin_transaction()
    other.produce(topics.changelog, msgspec.msgpack.encode(Fence(30, 0)), topics.fence_key, 0)
    other.flush(10)
    plant.load(50)
    with Process(plant, tmp_path) as worker:
        until(lambda: "restore waits" in worker.text(), 30, worker.text)
        assert plant.written(MessageClass.STATE, 0) == []
        other.commit_transaction(10)
        worker.restored()
        plant.processed()
    first = plant.codec.decode(plant.written(MessageClass.STATE, 0)[0].value)
    assert first.inputs.first_offset >= 30  # type: ignore[union-attr]
