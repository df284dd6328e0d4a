"""What a session keeps and what it loses, against a real mosquitto in both versions of MQTT, value by value."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector, Safe, SourceUnavailable
from connectors.mqtt import spec
from schemas.records import GOOD
from tests.harness.mosquitto import mosquitto
from tests.harness.mqtt_publisher import publish
from tests.harness.mqtt_wire import Wire
from tests.harness.waiting import until
from topology.namespace.path import Path as Place
from uns.testing.patience import patient

PLACE = "acme/dallas/packaging/line-1/filler"
KNOWN = {(Place.parse(PLACE), "State"): Safe(1, 1, GOOD)}
PERSISTENT = "persistence true\nmax_queued_messages 0\n"
OPEN = ["allow_anonymous true"]
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


def connector(url: str, version: str = "5", topic: str = "dallas/data", **options: Any) -> Connector:
    subscription = {"topic": topic, "path": PLACE, "payload": "object"}
    given = {"broker": url, "client_id": "uns", "version": version, "keep_alive_s": 2, "subscriptions": [subscription]}
    return spec.build("mqtt", spec.config.model_validate({**given, **options}))


def numbers(first: int, last: int) -> list[str]:
    return [json.dumps({"State": number}) for number in range(first, last)]


async def read(source: Connector, wanted: int, acknowledge: bool = True) -> list[Any]:
    """The next values, so many of them."""
    found: list[Any] = []
    async with asyncio.timeout(patient(30)):
        async for batch in source.batches():
            found += [reading.sample.value for reading in batch.readings]
            if acknowledge:
                await batch.ack()
            if len(found) >= wanted:
                break
    return found


@VERSIONS
def test_a_broker_that_dies_and_keeps_sessions_loses_nothing(tmp_path: Path, version: str) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN, PERSISTENT + "autosave_on_changes true\nautosave_interval 1") as broker:
            first = connector(broker.url(), version)
            await first.open({})
            publish(broker.url(), "dallas/data", *numbers(0, 50))
            assert await read(first, 50) == list(range(50))
            await first.close()
            publish(broker.url(), "dallas/data", *numbers(50, 150))
            broker.stop()
            broker.start()
            second = connector(broker.url(), version)
            await second.open(KNOWN)
            assert second.kept()  # type: ignore[attr-defined]
            assert await read(second, 100) == list(range(50, 150))
            await second.close()

    asyncio.run(go())


@VERSIONS
def test_a_session_that_the_broker_has_forgotten_is_told(tmp_path: Path, version: str) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN, "persistence false") as broker:
            first = connector(broker.url(), version)
            await first.open({})
            await first.close()
            broker.kill()
            broker.start()
            second = connector(broker.url(), version)
            await second.open(KNOWN)
            assert not second.kept()  # type: ignore[attr-defined]
            await second.close()

    asyncio.run(go())


def test_a_session_of_one_version_goes_on_in_the_other(tmp_path: Path) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN) as broker:
            for number, version in enumerate(("3.1.1", "5", "3.1.1")):
                source = connector(broker.url(), version)
                await source.open(KNOWN)
                assert source.kept() == (number > 0)  # type: ignore[attr-defined]
                if number:
                    assert await read(source, 5) == list(range(5 * number, 5 * number + 5))
                await source.close()
                publish(broker.url(), "dallas/data", *numbers(5 * number + 5, 5 * number + 10))

    asyncio.run(go())


@VERSIONS
def test_what_was_not_acknowledged_comes_again(tmp_path: Path, version: str) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN, "max_inflight_messages 0") as broker:
            first = connector(broker.url(), version)
            await first.open({})
            publish(broker.url(), "dallas/data", *numbers(0, 60))
            assert await read(first, 60, acknowledge=False) == list(range(60))
            await first.close()
            second = connector(broker.url(), version)
            await second.open(KNOWN)
            assert second.kept()  # type: ignore[attr-defined]
            assert await read(second, 60) == list(range(60))
            await second.close()

    asyncio.run(go())


@VERSIONS
def test_two_that_share_a_subscription_read_each_message_once(tmp_path: Path, version: str) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN) as broker:
            both = [connector(broker.url(), version, "$share/uns/dallas/#", client_id=f"uns-{n}") for n in range(2)]
            found: list[list[Any]] = [[], []]

            async def listen(number: int) -> None:
                async for batch in both[number].batches():
                    found[number] += [reading.sample.value for reading in batch.readings]
                    await batch.ack()

            for one in both:
                await one.open({})
            listening = [asyncio.create_task(listen(number)) for number in range(2)]
            await asyncio.to_thread(publish, broker.url(), "dallas/data", *numbers(0, 100))
            await asyncio.to_thread(until, lambda: len(found[0]) + len(found[1]) >= 100)
            for task in listening:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            for one in both:
                await one.close()
            assert sorted(found[0] + found[1]) == list(range(100))
            assert found[0]
            assert found[1]

    asyncio.run(go())


def test_what_is_retained_comes_once_a_session_and_not_at_each_reconnection(tmp_path: Path) -> None:
    """An old value would else have the time of the reconnection, as if the device had just told it."""

    async def go() -> None:
        with mosquitto(tmp_path, OPEN) as broker:
            publish(broker.url(), "dallas/data", '{"State": 1}', retain=True)
            first = connector(broker.url())
            await first.open({})
            assert await read(first, 1) == [1]
            await first.close()
            second = connector(broker.url())
            await second.open(KNOWN)
            publish(broker.url(), "dallas/data", '{"State": 2}')
            assert await read(second, 1) == [2]
            await second.close()

    asyncio.run(go())


def test_filters_that_meet_bring_a_message_once(tmp_path: Path) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN, "allow_duplicate_messages true") as broker:
            shape = {"path": PLACE, "payload": "object"}
            filters = [{"topic": "dallas/data", **shape}, {"topic": "dallas/#", **shape}]
            source = connector(broker.url(), subscriptions=filters)
            await source.open({})
            publish(broker.url(), "dallas/data", *numbers(0, 5))
            assert await read(source, 5) == list(range(5))
            await source.close()

    asyncio.run(go())


def test_a_broker_that_gives_less_than_was_asked_is_a_problem(tmp_path: Path) -> None:
    """mosquitto answers with QoS 0 where `max_qos` is 0."""

    async def go() -> None:
        with mosquitto(tmp_path, ["allow_anonymous true\nmax_qos 0"]) as broker:
            source = connector(broker.url(), "3.1.1")
            await source.open({})
            assert any("QoS 0 only" in problem for problem in source.problems())
            await source.close()

    asyncio.run(go())


@VERSIONS
def test_a_link_that_is_half_open_is_found(tmp_path: Path, version: str) -> None:
    async def go() -> None:
        with mosquitto(tmp_path, OPEN) as broker:
            wire = Wire(broker.url())
            source = connector(wire.url, version)
            await source.open({})
            wire.freeze()
            with pytest.raises(SourceUnavailable, match="left a ping unanswered"):
                await read(source, 1)
            assert not source.healthy()
            await source.close()
            wire.close()

    asyncio.run(go())


def test_a_wire_that_is_cut_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """Each value is read and acknowledged before it is done with; some come twice."""

    async def go() -> None:
        with mosquitto(tmp_path, OPEN, "max_queued_messages 0") as broker:
            wire = Wire(broker.url())
            source = connector(wire.url)
            await source.open({})
            publish(broker.url(), "dallas/data", *numbers(0, 3_000))
            found: list[Any] = []
            cuts = 0
            async with asyncio.timeout(patient(60)):
                while len(set(found)) < 3_000:
                    try:
                        async for batch in source.batches():
                            found += [reading.sample.value for reading in batch.readings]
                            await batch.ack()
                            if cuts < 5 and len(set(found)) > 400 * (cuts + 1):
                                cuts += 1
                                wire.cut()
                            if len(set(found)) == 3_000:
                                break
                    except SourceUnavailable:
                        await source.close()
                        source = connector(wire.url)
                        await source.open(KNOWN)
            assert sorted(set(found)) == list(range(3_000))
            assert cuts == 5
            await source.close()
            wire.close()

    asyncio.run(go())
