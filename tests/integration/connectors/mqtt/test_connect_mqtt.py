"""What only MQTT can do to a connector."""

import asyncio

import pytest

from connectors.mqtt import connector as module
from schemas.records import Sample
from tests.contract.sources import PATH, mqtt
from tests.harness import MqttBroker
from uns.model.components import connector_spec
from uns.testing.connectors import T0

BACKLOG = 300
SPEC = connector_spec("mqtt")


def test_a_backlog_larger_than_what_is_taken_unread_does_not_hold_up_the_opening(
    mqtt_broker: MqttBroker, enterprise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker sends the backlog before it answers the subscription: to wait for the answer first would be for ever."""
    if not mqtt_broker.persistent:
        pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
    monkeypatch.setattr(module, "WAITING_MAX", 20)

    async def go() -> None:
        async with mqtt(mqtt_broker, enterprise) as source:
            first = SPEC.build("mqtt", SPEC.config.model_validate(source.config))
            await first.open({})
            await first.close()
            said = [Sample("State", T0 + number * 1000, number) for number in range(BACKLOG)]
            for one in said:
                await source.say(one.tag, one.at, one.value)
            second = SPEC.build("mqtt", SPEC.config.model_validate(source.config))
            found: list[Sample] = []
            async with asyncio.timeout(9):  # the connector's own limit for an answer is 10 s
                await second.open({})
                async for batch in second.batches():
                    found += [reading.sample for reading in batch.readings if reading.path == PATH]
                    await batch.ack()
                    if len(found) >= BACKLOG:
                        break
            assert found == said
            await second.close()

    asyncio.run(go())
