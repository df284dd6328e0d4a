"""Every reader beside a schema registry that takes nothing but GET: it reads, and asks for nothing more."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import msgspec
import pytest
import yaml
from typer.testing import CliRunner

import uns.cli.audit
import uns.cli.compare
import uns.cli.kpi
import uns.cli.namespace  # noqa: F401  (each registers its commands)
from schemas.catalog import source
from schemas.records import Current, Derived, Kpi, Oee, Record, Sample, Samples, Tick
from sinks.base import Delivery, Positions, Rejected
from tests.harness.kpi_records import FILLER, HOUR, LABEL, MINUTE, T0, kpi, pieces, plant
from tests.harness.records import EXAMPLES
from tests.harness.registries import OwnRegistry, ReadOnly
from tests.harness.waiting import eventually
from topology.model.plant import Plant
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Level
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition, topic
from uns.cli.app import app
from uns.client import connect_sync
from uns.client.connection import codec
from uns.client.subscribe import Subscription
from uns.engine.config import EngineConfig
from uns.kafka import clients
from uns.model.apply import apply_plant
from uns.runners.rollup.runner import RollupRunner
from uns.runners.sink.runner import SinkRunner
from uns.runners.sink.source import SinkSource
from uns.runtime.settings import Settings, settings
from uns.web.board import Board
from uns.web.feed import Feed
from uns.web.line import spec

DAY = 24 * HOUR


@dataclass
class Plain:
    """A plant whose records are there, and a registry that a reader may only look at."""

    enterprise: str
    plant: Plant
    folder: Path
    guard: ReadOnly
    kafka: str

    def settings(self, name: str) -> Settings:
        """A reader that has learnt nothing yet."""
        return Settings(bootstrap=self.kafka, registry=self.guard.url, state_dir=self.folder / name)

    def run(self, *words: str) -> str:
        environ = {
            "UNS_BOOTSTRAP": self.kafka,
            "UNS_REGISTRY": self.guard.url,
            "UNS_PLANT": str(self.folder / "plant"),
            "UNS_STATE_DIR": str(self.folder / f"cli-{time.monotonic_ns()}"),
        }
        settings.cache_clear()
        try:
            result = CliRunner().invoke(app, list(words), env=environ)
        finally:
            settings.cache_clear()
        assert result.exception is None, result.exception
        return result.stdout


@pytest.fixture(scope="module")
def plain(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    folder = tmp_path_factory.mktemp("plain")
    enterprise = f"acme-{time.time_ns():x}"[:20]
    with OwnRegistry(kafka, f"_schemas-{enterprise}", folder / "registry.log") as own, ReadOnly(own.url) as guard:
        model = plant(enterprise=enterprise)
        (folder / "plant").mkdir()
        document = model.model_dump(mode="json", exclude_unset=True)
        (folder / "plant" / "plant.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        writer = Settings(bootstrap=kafka, registry=own.url, state_dir=folder / "writer")
        apply_plant(model, writer)
        # What a newer version of us has registered: a field more. Readers find two versions and read both.
        newer = json.loads(source("Oee"))
        newer["fields"].append({"name": "added", "type": "string", "default": ""})
        answer = httpx2.post(f"{own.url}/subjects/uns.Oee/versions", json={"schema": json.dumps(newer)}).json()
        before = httpx2.get(f"{own.url}/subjects").json()
        _write(writer, model, enterprise, answer["id"])
        yield Plain(enterprise, model, folder, guard, kafka)
        assert httpx2.get(f"{own.url}/subjects").json() == before
        assert len(httpx2.get(f"{own.url}/subjects/uns.Kpi/versions").json()) == 1


def _write(writer: Settings, model: Plant, enterprise: str, newer: int) -> None:
    producer, records = clients.producer(writer), codec(writer)
    oee = next(record for record in EXAMPLES if isinstance(record, Oee))
    current = next(record for record in EXAMPLES if isinstance(record, Current))
    own = {"id": f"{FILLER}#oee.hour@20261118T110640.000000Z~{LABEL}:0", "path": FILLER, "definition": LABEL}
    oee = msgspec.structs.replace(oee, started_at=T0, ended_at=T0 + HOUR, **own)
    told: list[tuple[MessageClass, Record]] = [
        (MessageClass.OEE, oee),
        (MessageClass.CURRENT, msgspec.structs.replace(current, path=FILLER)),
        *((MessageClass.KPI, kpi(FILLER, T0 + n * HOUR, T0 + (n + 1) * HOUR, made=[pieces(90 + n)])) for n in range(6)),
        *(
            (
                MessageClass.KPI,
                kpi(FILLER, at, at + HOUR, made=[pieces(9, n)], window="shift", name=f"2026-11-2{n}-{shift}"),
            )
            for n in range(3, 9)
            for shift, at in (("early", T0 + n * DAY), ("late", T0 + n * DAY + 8 * HOUR))
        ),
        (MessageClass.RAW, Samples("plc", 1, (Sample("State", T0, 6), Sample("Good", T0, 0)))),
        (MessageClass.RAW, Samples("plc", 2, (Sample("Good", T0 + 30 * MINUTE, 100),))),
        *((MessageClass.RAW, Tick(at=T0 + n * MINUTE, worker="w")) for n in range(0, 130, 5)),
    ]
    for message_class, example in told:
        record = example
        headers = []
        if isinstance(example, Derived):
            here = {name: getattr(example, name).replace("acme", enterprise, 1) for name in ("path", "id")}
            topic_of = example.inputs.topic.replace("acme", enterprise, 1)
            record = msgspec.structs.replace(
                example,
                **here,
                inputs=msgspec.structs.replace(example.inputs, topic=topic_of, first_offset=0, last_offset=1),
            )
            headers = [("ce_id", here["id"].encode())]
        place = Place.parse(FILLER.replace("acme", enterprise, 1))
        key = str(place.at(Level.AREA) if isinstance(record, Tick) else place)
        number = partition(place, model.areas()[place.at(Level.AREA)])
        value = records.encode(record)
        for data in (
            (value, b"\0" + newer.to_bytes(4, "big") + value[5:] + b"\0")
            if record is not example and isinstance(record, Oee)
            else (value,)
        ):
            producer.produce(topic(place, message_class), data, key.encode(), number, headers=headers)
    assert producer.flush(30) == 0


def test_tail(plain: Plain) -> None:
    lines = plain.run(
        "tail",
        f"{plain.enterprise}/#",
        "-c",
        "oee",
        "-c",
        "raw",
        "--from",
        "beginning",
        "--no-follow",
        "--ticks",
        "--json",
    )
    records = [json.loads(line) for line in lines.splitlines()]
    assert sorted({record["type"] for record in records}) == ["Oee", "Samples", "Tick"]
    assert [record["type"] for record in records].count("Oee") == 2, "our own and the newer writer's"
    assert plain.guard.refused == []


def test_get(plain: Plain) -> None:
    path = FILLER.replace("acme", plain.enterprise, 1)
    assert json.loads(plain.run("get", path, "--json"))["path"] == path
    assert path.rpartition("/")[2] in plain.run("tree", f"{plain.enterprise}/#")
    assert plain.guard.refused == []


def test_library(plain: Plain) -> None:
    given = plain.settings("library")
    with connect_sync(given.bootstrap, given.registry, state_dir=given.state_dir) as ns:
        items = list(ns.subscribe(f"{plain.enterprise}/#", ["kpi"], begin="beginning", follow=False))
        history = list(ns.history(f"{plain.enterprise}/#", T0, T0 + HOUR, ["oee"]))
    assert len([item for item in items if isinstance(item.record, Kpi) and item.record.window == "hour"]) >= 6
    assert len(history) == 1
    assert plain.guard.refused == []


def test_compare(plain: Plain) -> None:
    words = (
        "kpi",
        "compare",
        "quality",
        f"{plain.enterprise}/#",
        "--by",
        "shift",
        "--from",
        "2026-11-01T00:00:00Z",
        "--json",
    )
    assert json.loads(plain.run(*words, "--to", "2026-12-30T00:00:00Z"))["groups"]
    assert plain.guard.refused == []


def test_audit(plain: Plain) -> None:
    path = FILLER.replace("acme", plain.enterprise, 1)
    audit = json.loads(plain.run("audit", path, "oee", "2026-11-23T06:30:00+00:00", "--json"))
    assert path in json.dumps(audit)
    assert plain.guard.refused == []


def test_kpi_diff(plain: Plain) -> None:
    words = ("kpi", "diff", "iso22400@2", "nakajima@1", f"{plain.enterprise}/#", "--window", "hour", "--json")
    assert json.loads(plain.run(*words))
    assert plain.guard.refused == []


def test_page_feed(plain: Plain) -> None:
    given = plain.settings("page")

    def open_() -> Subscription:
        return Subscription(given, codec(given), [Filter.parse(f"{plain.enterprise}/#")], spec.classes, "beginning")

    board = Board(())
    feed = Feed([board.apply], open_, limit_s=60)
    feed.start()
    try:
        eventually(lambda: feed.problem is None and feed.silent_s < 5 and board.cells, 40, "the board has a cell")
    finally:
        feed.stop()
    assert plain.guard.refused == []


class _Memory:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def open(self) -> None: ...

    async def positions(self) -> None: ...

    async def write(self, deliveries: "list[Delivery]", positions: Positions) -> list[Rejected]:
        self.records += [delivery.record for delivery in deliveries]
        return []

    async def close(self) -> None: ...


def test_sinks(plain: Plain) -> None:
    given, sink = plain.settings("sink"), _Memory()
    subscribe = Subscribe(filter=f"{plain.enterprise}/#", classes=[MessageClass.OEE, MessageClass.RAW])
    source_ = SinkSource(given, plain.plant, subscribe, f"{plain.enterprise}-sink", "memory", codec(given))
    runner = SinkRunner("memory", sink, source_)  # type: ignore[arg-type]

    async def go() -> None:
        task = asyncio.create_task(runner.run())
        deadline = time.monotonic() + 40
        while {type(record) for record in sink.records} < {Oee, Samples, Tick} and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert {type(record) for record in sink.records} == {Oee, Samples, Tick}
    assert runner.sums.unreadable == {}
    assert plain.guard.refused == []


def test_rollups(plain: Plain) -> None:
    given, stop = plain.settings("rollups"), threading.Event()
    runner = RollupRunner(given, EngineConfig(), plain.plant, codec(given, (Kpi,)))
    thread = threading.Thread(target=runner.run, args=(stop.is_set,))
    thread.start()
    try:
        eventually(lambda: runner.sums.outputs["line"] >= 6, 60, "the line's hours are rolled up")
    finally:
        stop.set()
        thread.join(30)
    assert plain.guard.refused == []
