"""Real brokers that die and come back, one of several and the only one."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector, SourceUnavailable
from schemas.records import Sample
from tests.contract.source_sparkplug import EdgeNode
from tests.harness.mqtt_wire import Wire
from uns.local.mqtt import Mqtt
from uns.model.components import connector_spec
from uns.runtime.ports import free_port
from uns.testing.patience import patient
from uns.testing.source import T0

SPEC = connector_spec("sparkplug")
NO_COMMUNICATION = 0x80310000


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[Mqtt]]:
    services = [Mqtt(tmp_path / name, free_port()) for name in ("first", "second")]
    for service in services:
        service.start()
    yield services
    for service in services:
        service.stop()


@contextmanager
def edge_at(broker: Mqtt, group: str) -> Iterator[EdgeNode]:
    edge = EdgeNode(broker.address, group, "uns")
    try:
        yield edge
    finally:
        edge.stop()


def host(*brokers: Mqtt) -> Connector:
    return SPEC.build(
        "sparkplug",
        SPEC.config.model_validate(
            {
                "brokers": [{"url": broker.address} for broker in brokers],
                "host_id": "uns",
                "keep_alive_s": 2,
                "sources": [{"edge": "+/Press-1/+", "path": "acme/dallas/packaging/line-1", "tag": "{group} {metric}"}],
            }
        ),
    )


class Reader:
    """Reads as the runner does: opens again what is lost."""

    def __init__(self, connector: Connector) -> None:
        self.connector, self.read, self.lost = connector, list[Sample](), 0
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        while True:
            try:
                await self.connector.open({})
                async for batch in self.connector.batches():
                    assert not batch.malformed, batch.malformed
                    self.read += [reading.sample for reading in batch.readings]
            except SourceUnavailable:
                self.lost += 1
                await self.connector.close()
                await asyncio.sleep(0.05)

    def last(self, tag: str) -> Any:
        """The value that stands at the end of time; None while it is stale, too."""
        of_tag = [sample for sample in self.read if sample.tag == tag]
        return max(of_tag, key=lambda sample: sample.at).value if of_tag else None

    def stale(self, tag: str) -> bool:
        return any(sample.tag == tag and sample.quality == NO_COMMUNICATION for sample in self.read)

    async def until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + patient(20)
        while not condition():
            assert self.task is not None
            assert not self.task.done(), what
            assert time.monotonic() < deadline, (what, self.read[-5:], self.connector.problems())
            await asyncio.sleep(0.02)


def reading(connector: Connector, talk: Any) -> None:
    """Reads while `talk` goes on."""

    async def go() -> None:
        reader = Reader(connector)
        reader.task = task = asyncio.create_task(reader.run())
        try:
            await talk(reader)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await connector.close()
            if not task.cancelled():
                task.result()

    asyncio.run(go())


def test_a_broker_that_dies_silences_only_who_lives_there(brokers: list[Mqtt]) -> None:
    here, there = brokers
    connector = host(here, there)
    with edge_at(here, "a") as a, edge_at(there, "b") as b:

        async def talk(reader: Reader) -> None:
            await reader.until(lambda: a.births and b.births, "both are born")
            a.data("State", T0, 1)
            b.data("State", T0, 1)
            await reader.until(lambda: (reader.last("a State"), reader.last("b State")) == (1, 1), "both are read")
            here.stop()
            await reader.until(lambda: reader.stale("a State"), "what lived there is stale")
            assert here.address in "".join(connector.problems())
            assert connector.healthy()
            b.data("State", T0 + 1_000_000, 2)
            await reader.until(lambda: reader.last("b State") == 2, "the other goes on")
            here.start()
            await reader.until(lambda: not connector.problems(), "it is there again")
            await reader.until(lambda: reader.last("a State") == 1, "and who lives there is born again")
            assert not reader.stale("b State")
            assert reader.lost == 0

        reading(connector, talk)


def test_the_only_broker_dies_and_comes_back(brokers: list[Mqtt]) -> None:
    (only, _) = brokers
    connector = host(only)
    with edge_at(only, "a") as a:

        async def talk(reader: Reader) -> None:
            await reader.until(lambda: a.births, "born")
            a.data("State", T0, 1)
            await reader.until(lambda: reader.last("a State") == 1, "read")
            only.stop()
            await reader.until(lambda: reader.stale("a State"), "stale")
            assert not connector.healthy()
            only.start()
            await reader.until(lambda: reader.last("a State") == 1, "born again: the present value, from now on")
            a.data("State", T0 + 1_000_000, 3)
            await reader.until(lambda: reader.last("a State") == 3, "and data")
            assert reader.lost > 0

        reading(connector, talk)


def test_a_host_that_starts_late_asks_who_speaks(brokers: list[Mqtt]) -> None:
    """An edge node that has no primary host: it was born long ago."""
    (only, _) = brokers
    with edge_at(only, "a") as a:
        a.host_id = "nobody"
        a.birth()
        connector = SPEC.build("sparkplug", host(only)._config.model_copy(update={"host_id": "another"}))  # type: ignore[attr-defined]

        async def talk(reader: Reader) -> None:
            await reader.until(connector.healthy, "open")
            with_birth = a.births
            async with asyncio.timeout(patient(20)):
                at = T0
                while a.births == with_birth:
                    at += 1000
                    a.say_named("State", at, 7)
                    await asyncio.sleep(0.1)
            a.data("State", at + 1000, 8)
            await reader.until(lambda: reader.last("a State") == 8, "born on request")
            assert Sample("a State", T0 + 1000, 7) in reader.read, "what explains itself was read before, too"

        reading(connector, talk)


def test_a_broker_that_hangs_does_not_hold_up_the_others(brokers: list[Mqtt]) -> None:
    here, there = brokers
    hung = Wire(there.address)
    hung.freeze()
    options = host(here)._config.model_dump() | {  # type: ignore[attr-defined]
        "brokers": [{"url": here.address}, {"url": hung.url}],
        "connect_timeout_s": 3600,
    }
    connector = SPEC.build("sparkplug", SPEC.config.model_validate(options))
    with edge_at(here, "a") as a:

        async def talk(reader: Reader) -> None:
            await reader.until(lambda: a.births, "born")
            a.data("State", T0, 1)
            await reader.until(lambda: reader.last("a State") == 1, "read")
            assert connector.healthy()
            assert hung.url in "".join(connector.problems())

        reading(connector, talk)
    hung.close()
