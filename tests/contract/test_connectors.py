"""What every registered connector must do, ours and third parties' alike (docs/spec.md)."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from importlib.resources import files
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from connectors.base import Batch, Connector, SourceUnavailable
from schemas.records import Sample
from tests.contract.sources import PATH, SOURCES, T0
from tests.harness import MqttBroker
from uns.model.components import CONNECTORS, UnknownComponent, connector_spec, names
from uns.runtime.ports import free_port

PROTOCOLS = names(CONNECTORS)
DEADLINE_S = 15.0


def sample_config(protocol: str) -> dict[str, Any]:
    found = yaml.safe_load((files("connectors") / protocol / "sample.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


async def collect(connector: Connector, wanted: set[tuple[str, int]], ack: bool = True) -> list[Sample]:
    """Samples until all wanted (tag, at) have come."""
    found: list[Sample] = []
    stream = connector.batches()
    async with asyncio.timeout(DEADLINE_S), aclosing(stream):  # type: ignore[type-var]
        async for batch in stream:
            assert not batch.malformed, batch.malformed
            found += [reading.sample for reading in batch.readings if reading.sample.at >= T0]
            assert all(reading.path == PATH for reading in batch.readings)
            if ack:
                await batch.ack()
            if wanted <= {(sample.tag, sample.at) for sample in found}:
                break
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestRegistration:
    def test_has_a_source_in_this_suite(self, protocol: str) -> None:
        assert protocol in SOURCES, "add a real source for it to tests/contract/sources.py"

    def test_every_option_says_what_it_is(self, protocol: str) -> None:
        def check(schema: dict[str, Any], where: str) -> None:
            for name, field in schema.get("properties", {}).items():
                assert field.get("description"), f"{where}.{name} has no description"

        schema = connector_spec(protocol).config.model_json_schema()
        check(schema, protocol)
        for name, inner in schema.get("$defs", {}).items():
            check(inner, name)
        assert connector_spec(protocol).summary

    def test_its_sample_is_valid_and_an_unknown_option_is_not(self, protocol: str) -> None:
        config = connector_spec(protocol).config
        config.model_validate(sample_config(protocol))
        with pytest.raises(ValidationError, match="no_such_option"):
            config.model_validate({**sample_config(protocol), "no_such_option": 1})

    def test_building_it_connects_to_nothing(self, protocol: str) -> None:
        spec = connector_spec(protocol)
        before = threading.active_count()
        connector = spec.build("x", spec.config.model_validate(sample_config(protocol)))
        assert threading.active_count() == before
        assert not connector.healthy()

    def test_it_has_a_readme(self, protocol: str) -> None:
        assert "guaranteed" in (files("connectors") / protocol / "README.md").read_text(encoding="utf-8")


def test_an_unknown_protocol_is_told_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="did you mean 'opcua'"):
        connector_spec("opcau")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_source_that_is_away_is_named(protocol: str) -> None:
    spec = connector_spec(protocol)
    port = free_port()
    config = sample_config(protocol)
    for name, value in config.items():
        if isinstance(value, str) and "://" in value:
            config[name] = f"{value.partition('://')[0]}://127.0.0.1:{port}"

    async def go() -> None:
        connector = spec.build("away", spec.config.model_validate(config))
        with pytest.raises(SourceUnavailable, match=str(port)):
            async with asyncio.timeout(DEADLINE_S):
                await connector.open({})
        await connector.close()
        await connector.close()
        assert not connector.healthy()

    asyncio.run(go())


@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestConversation:
    def test_values_come_with_their_own_times_in_order(
        self, protocol: str, mqtt_broker: MqttBroker, enterprise: str
    ) -> None:
        async def go() -> None:
            async with SOURCES[protocol](mqtt_broker, enterprise) as source:
                connector = build(protocol, source.config)
                await connector.open({})
                said = [Sample("State", T0 + n * 1000, n + 1) for n in range(200)]
                said += [Sample("Speed", T0, 1.5), Sample("Name", T0 + 7, "ä")]
                for sample in said:
                    await source.say(sample.tag, sample.at, sample.value)
                found = await collect(connector, {(sample.tag, sample.at) for sample in said})
                assert connector.healthy()
                states = [sample for sample in found if sample.tag == "State"]
                assert states == said[:200], "each change, with the source's own time, in order, once"
                assert set(said) <= set(found)
                await connector.close()
                assert not connector.healthy()

        asyncio.run(go())

    def test_cancelling_is_prompt(self, protocol: str, mqtt_broker: MqttBroker, enterprise: str) -> None:
        async def go() -> None:
            async with SOURCES[protocol](mqtt_broker, enterprise) as source:
                connector = build(protocol, source.config)
                await connector.open({})
                task = asyncio.create_task(drain(connector.batches()))
                await asyncio.sleep(0)
                task.cancel()
                async with asyncio.timeout(5):
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    await connector.close()

        asyncio.run(go())

    def test_a_lost_source_is_noticed(self, protocol: str, mqtt_broker: MqttBroker, enterprise: str) -> None:
        async def go() -> None:
            async with SOURCES[protocol](mqtt_broker, enterprise) as source:
                connector = build(protocol, source.config)
                await connector.open({})
                task = asyncio.create_task(drain(connector.batches()))
                await asyncio.sleep(0)
                await source.vanish()
                async with asyncio.timeout(DEADLINE_S):
                    with pytest.raises(SourceUnavailable):
                        await task
                await connector.close()

        asyncio.run(go())

    def test_what_was_not_acknowledged_comes_again(
        self, protocol: str, mqtt_broker: MqttBroker, enterprise: str
    ) -> None:
        async def go() -> None:
            async with SOURCES[protocol](mqtt_broker, enterprise) as source:
                if not source.asks_again:
                    pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
                first = build(protocol, source.config)
                await first.open({})
                await source.say("State", T0, 1)
                await collect(first, {("State", T0)}, ack=True)
                await source.say("State", T0 + 1000, 2)
                await collect(first, {("State", T0 + 1000)}, ack=False)
                await first.close()
                await source.say("State", T0 + 2000, 3)
                second = build(protocol, source.config)
                await second.open({(PATH, "State"): T0})
                found = await collect(second, {("State", T0 + 1000), ("State", T0 + 2000)})
                assert [sample.value for sample in found if sample.tag == "State"] == [2, 3]
                await second.close()

        asyncio.run(go())


def build(protocol: str, config: dict[str, Any]) -> Connector:
    spec = connector_spec(protocol)
    return spec.build("contract", spec.config.model_validate(config))


async def drain(batches: AsyncIterator[Batch]) -> None:
    async for _ in batches:
        pass
