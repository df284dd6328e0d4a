"""What only MQTT can do to a connector."""

import asyncio

import pytest

from connectors.mqtt import connector as module
from schemas.records import Sample
from tests.contract.source_mqtt import mqtt
from tests.contract.sources import PATH
from tests.harness import MqttBroker
from uns.model.components import connector_spec
from uns.testing.patience import patient
from uns.testing.source import T0

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


def test_a_filter_that_is_no_longer_asked_for_is_taken_back_at_the_broker(
    mqtt_broker: MqttBroker, enterprise: str
) -> None:
    """A session outlives its configuration: the broker goes on to send what was asked for once."""
    if not mqtt_broker.persistent:
        pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")

    async def go() -> None:
        async with mqtt(mqtt_broker, enterprise) as source:
            (asked,) = source.config["subscriptions"]
            more = {**asked, "topic": f"{enterprise}/+/old/#"}
            first = SPEC.build("mqtt", SPEC.config.model_validate({**source.config, "subscriptions": [asked, more]}))
            await first.open({})
            await first.close()
            second = SPEC.build("mqtt", SPEC.config.model_validate(source.config))
            await second.open({})
            stream = second.batches()
            old = f"{enterprise}/x/old/y/data"
            async with asyncio.timeout(patient(20)):
                source.client.publish(old, b"{}", qos=1)
                async for batch in stream:
                    if batch.malformed:
                        break
                await source.say("State", T0, 1)
                while True:  # until the broker has taken it in, and a fresh message comes alone
                    source.client.publish(old, b"{}", qos=1)
                    await source.say("State", T0, 2)
                    came = []
                    async for batch in stream:
                        came += [thing.reason for thing in batch.malformed]
                        if any(reading.sample.value == 2 for reading in batch.readings):
                            break
                    if not came:
                        break
            await second.close()

    asyncio.run(go())


def test_a_retained_value_that_is_taken_back_is_no_error(mqtt_broker: MqttBroker, enterprise: str) -> None:
    async def go() -> None:
        async with mqtt(mqtt_broker, enterprise) as source:
            connector = SPEC.build("mqtt", SPEC.config.model_validate(source.config))
            await connector.open({})
            source.client.publish(source.topic, b"", qos=1, retain=True)
            await source.say("State", T0, 1)
            async with asyncio.timeout(patient(20)):
                async for batch in connector.batches():
                    assert not batch.malformed
                    if any(reading.sample.value == 1 for reading in batch.readings):
                        break
            await connector.close()

    asyncio.run(go())
