"""One bad record on real Kafka ends and blocks nothing but itself: the registry's log, a sink, the roll-ups."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from prometheus_client.registry import Collector

from schemas.codec import REASONS
from schemas.records import Downtime, Kpi, KpiStops, Record
from sinks.base import Delivery, Positions, Rejected, Retryable
from tests.harness.kpi_records import FILLER, HOUR, T0, kpi, pieces, plant
from tests.harness.own_area import OwnArea
from tests.harness.records import EXAMPLES
from tests.harness.topics import consume_all
from tests.harness.waiting import eventually
from topology.model.plant import Plant
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition, topic
from uns.client.connection import codec
from uns.engine.config import EngineConfig
from uns.kafka import clients
from uns.model.apply import apply_plant
from uns.registry.log import SchemaLog
from uns.registry.store import Version, schema_record
from uns.runners.rollup.runner import OUTCOMES, RollupRunner
from uns.runners.rollup.service import RollupMetrics
from uns.runners.sink.runner import BROKEN_MAX, SINK_ERROR, SinkRunner
from uns.runners.sink.service import SinkMetrics
from uns.runners.sink.source import SinkSource
from uns.runtime.settings import Settings

LONG = 2**63 - 1


def test_the_registry_lives_with_a_poisoned_topic(kafka: str, enterprise: str) -> None:
    given, name = Settings(bootstrap=kafka), f"_schemas-{enterprise}"
    first = SchemaLog(given, name)
    first.open()
    first.write([schema_record(Version("s", 1, 1, '"int"'))])
    producer = clients.producer(given)
    key = {"keytype": "SCHEMA", "subject": "p", "version": 1, "magic": 1}
    for value in (b"[" * 100_000, b"\xff", json.dumps({"id": "x", "schema": None}).encode()):
        producer.produce(name, value, json.dumps(key).encode(), 0)
    producer.produce(name, b"{}", b"\xff", 0)
    assert producer.flush(20) == 0
    try:
        first.write([schema_record(Version("s", 2, 2, '"long"'))])
        assert first.store.unreadable == 4
    finally:
        first.close()
    again = SchemaLog(given, name)
    again.open()
    try:
        again.write([schema_record(Version("s", 3, again.store.next_id(), '"string"'))])
        assert [version.id for version in again.store.versions("s")] == [1, 2, 3]
    finally:
        again.close()


SINK_AT_0 = {
    ("uns_sink_records", "brittle", "written", ""),
    ("uns_sink_records", "brittle", "rejected", SINK_ERROR),
    ("uns_sink_records", "brittle", "left_behind", ""),
    ("uns_sink_records", "brittle", "passed_over", "removal"),
    *(("uns_sink_records", "brittle", "unreadable", reason) for reason in ("bad_key", *REASONS)),
    *(
        ("uns_sink_outcomes", "brittle", outcome)
        for outcome in ("written", "left_behind", "passed_over", "rejected", "unreadable")
    ),
    *((f"uns_sink_{name}", "brittle") for name in ("batches", "write_seconds", "retries", "given_again")),
}


def _counters(collector: Collector) -> set[tuple[str, ...]]:
    """Name and labels of every counter at 0: at the start that is all there are, and none is to come later."""
    return {
        (family.name, *sample.labels.values())
        for family in collector.collect()
        if family.type == "counter"
        for sample in family.samples
        if sample.value == 0
    }


class Brittle:
    """A sink that breaks over some records, as one with a bug does: it raises, and keeps nothing of that call."""

    def __init__(self, breaks_over: Callable[[Record], bool]) -> None:
        self.records: list[Record] = []
        self.calls = 0
        self._breaks_over = breaks_over

    async def open(self) -> None: ...

    async def positions(self) -> None: ...

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        self.calls += 1
        if self.calls == 1:
            raise Retryable("not yet")
        if any(self._breaks_over(delivery.record) for delivery in deliveries):
            raise ZeroDivisionError("a bug")
        self.records += [delivery.record for delivery in deliveries]
        return []

    async def close(self) -> None: ...


def downtime(number: int) -> Downtime:
    example = next(record for record in EXAMPLES if isinstance(record, Downtime))
    return msgspec.structs.replace(example, revision=number)


def _deliver(area: OwnArea, sink: Brittle, until: Callable[[], bool]) -> SinkRunner:
    """Runs the sink over the area's downtimes until a condition holds, or it ends by itself."""
    model = Plant.model_validate(
        {
            "namespace": {
                "enterprise": area.enterprise,
                "sites": {"dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "filler"}}}}}}},
            },
            "types": {"filler": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 6.0}},
        }
    )
    subscribe = Subscribe(filter=f"{area.enterprise}/#", classes=[MessageClass.DOWNTIME])
    source = SinkSource(area.settings, model, subscribe, f"{area.enterprise}-sink", "brittle", area.codec)
    runner = SinkRunner("brittle", sink, source)
    assert _counters(SinkMetrics(runner)) == SINK_AT_0

    async def go() -> None:
        task: asyncio.Task[None] = asyncio.create_task(runner.run())

        async def watch() -> None:
            while not until():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

        try:
            async with asyncio.timeout(60):
                watcher: Awaitable[None] = asyncio.create_task(watch())
                await asyncio.wait({task, asyncio.ensure_future(watcher)}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            else:
                task.result()

    asyncio.run(go())
    return runner


@pytest.fixture
def area(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> OwnArea:
    return OwnArea(kafka, registry, enterprise, tmp_path)


def test_a_sink_writes_all_but_the_record_that_it_breaks_over(area: OwnArea) -> None:
    area.write([downtime(number) for number in range(5)])
    for value, key in ((b"\0\0\0\0\1\xff", None), (None, None), (b"?", None), (b"x", b"\xff"), (b"x" * 900_000, None)):
        area.put(MessageClass.DOWNTIME, value, key=key)
    area.write([downtime(number) for number in range(5, 8)])
    sink = Brittle(lambda record: isinstance(record, Downtime) and record.revision in (2, 6))
    runner = _deliver(area, sink, lambda: len(sink.records) == 6 and runner_done(area))
    assert [record.revision for record in sink.records if isinstance(record, Downtime)] == [0, 1, 3, 4, 5, 7]
    assert runner.sums.rejected == {SINK_ERROR: 2}
    assert runner.sums.unreadable.total() == 5
    quarantined = consume_all(str(area.settings.bootstrap), [area.topic(MessageClass.QUARANTINE)])
    reasons = [dict(message.headers())["uns.reason"].decode() for message in quarantined]
    assert reasons.count(SINK_ERROR) == 2
    assert len(reasons) == 7
    again = Brittle(lambda record: False)
    area.write([downtime(9)])
    _deliver(area, again, lambda: bool(again.records))
    assert [record.revision for record in again.records if isinstance(record, Downtime)] == [9], "nothing comes again"


def runner_done(area: OwnArea) -> bool:
    """Whether the group has committed the end of the topic."""
    from uns.kafka import lag

    return lag.by_partition(area.settings, f"{area.enterprise}-sink") == {(area.topic(MessageClass.DOWNTIME), 0): 0}


def test_a_sink_that_breaks_over_everything_ends_and_loses_nothing(area: OwnArea) -> None:
    area.write([downtime(number) for number in range(BROKEN_MAX + 5)])
    with pytest.raises(ZeroDivisionError):
        _deliver(area, Brittle(lambda record: True), lambda: False)
    sound = Brittle(lambda record: False)
    _deliver(area, sound, lambda: len(sound.records) == BROKEN_MAX + 5)
    assert [record.revision for record in sound.records if isinstance(record, Downtime)] == [*range(BROKEN_MAX + 5)]


def test_the_rollups_live_with_hostile_records(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    model = plant(enterprise=enterprise)
    given = Settings(bootstrap=kafka, registry=registry, state_dir=tmp_path)
    apply_plant(model, given)
    records, producer = codec(given), clients.producer(given)
    cell = Place.parse(FILLER.replace("acme", enterprise, 1))
    place = topic(cell, MessageClass.KPI), partition(cell, 2)

    def put(value: bytes | None, key: bytes = str(cell).encode(), id_: str = "") -> None:
        producer.produce(place[0], value, key, place[1], headers=[("ce_id", id_.encode())] if id_ else [])

    def tell(record: Kpi) -> None:
        here = {name: getattr(record, name).replace("acme", enterprise, 1) for name in ("path", "id")}
        record = msgspec.structs.replace(record, **here)
        put(records.encode(record), id_=record.id)

    hostile = kpi(FILLER, T0, T0 + HOUR, made=[pieces(1)])
    stop = KpiStops(reason_code=1, reason="x", category=None, count=LONG, stopped_us=LONG)
    for at in (LONG, -(2**63), -1):
        tell(msgspec.structs.replace(hostile, started_at=at, id=f"{hostile.id}{at}"))
        tell(msgspec.structs.replace(hostile, ended_at=at, id=f"{hostile.id}e{at}"))
    tell(msgspec.structs.replace(hostile, path="", id="x"))
    tell(
        msgspec.structs.replace(hostile, stops=(stop, stop), element_us={"APT": LONG}, quantities={"IP": float("nan")})
    )
    put(b"\0\0\0\0\1\xff")
    put(None)
    put(b"x", key=b"\xff\xff")
    for number in range(1, 4):
        tell(kpi(FILLER, T0 + number * HOUR, T0 + (number + 1) * HOUR, made=[pieces(90)]))
    assert producer.flush(30) == 0

    _roll_up(given, model)
    _roll_up(given, model)  # the next start reads it all again


def _roll_up(given: Settings, model: Plant) -> None:
    stopped = threading.Event()
    runner = RollupRunner(given, EngineConfig(), model, codec(given, (Kpi,)))
    at_0 = [labels[1:] for labels in _counters(RollupMetrics(runner)) if labels[0] == "uns_rollup_records"]
    assert sorted(at_0) == sorted((str(outcome),) for outcome in OUTCOMES)
    thread = threading.Thread(target=runner.run, args=(stopped.is_set,))
    thread.start()
    try:
        eventually(lambda: runner.sums.restored_s is not None and rolled(given, model) >= 3, 60, "three hours")
        assert thread.is_alive()
    finally:
        stopped.set()
        thread.join(30)


def rolled(given: Settings, model: Plant) -> int:
    """Hours of the line that are there."""
    line = f"{model.namespace.enterprise}/dallas/packaging/line-1"
    log = consume_all(str(given.bootstrap), [topic(Place.parse(line), MessageClass.KPI)])
    hours = {
        dict(message.headers() or ()).get("ce_id", b"").decode().rpartition(":")[0]
        for message in log
        if message.key() == line.encode()
    }
    return len([name for name in hours if "#kpi.hour@" in name])
