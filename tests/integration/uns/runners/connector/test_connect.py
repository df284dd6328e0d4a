"""Connectors as processes between real sources and real Kafka: whatever dies, every value arrives and every unit is accounted for."""

import asyncio
import random
import threading
from pathlib import Path

import pytest

from schemas.records import Order, Sample
from tests.contract.source_opcua import opcua
from tests.harness import MqttBroker, eventually
from tests.harness.connector_process import DEADLINE_S, NAME, World, machine, mqtt
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from uns.local.kafka import Kafka
from uns.runners.connector.ledger import Ledger
from uns.runtime.ports import free_port
from uns.testing.source import T0


@pytest.mark.long
def test_mqtt_loses_nothing_and_counts_everything_through_kill_9(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    if not mqtt_broker.persistent:
        pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    chance, stop = random.Random(11), threading.Event()
    with machine(mqtt_broker, enterprise) as plc:

        def talk() -> None:
            while not stop.is_set():
                plc.say(5)

        process = world.process().ready()
        talker = threading.Thread(target=talk)
        talker.start()
        try:
            for _ in range(3):
                wanted = world.ledger().read + chance.randrange(20, 300)
                eventually(lambda wanted=wanted: world.ledger().read > wanted, DEADLINE_S, process.log())  # type: ignore[misc]
                process.kill()
                assert world.ledger().lost == 0
                process = world.process()
            process.ready()
        finally:
            stop.set()
            talker.join()
        try:
            said = set(plc.everything())
            eventually(lambda: said <= set(world.samples("State")), DEADLINE_S, "every value said", every_s=0.3)
            ledger = world.settled()
            assert ledger.published == len(world.samples("State")) == ledger.read
            assert set(world.samples("State")) == said
            assert process.terminate() == 0
        finally:
            process.kill()


@pytest.mark.long
def test_opc_ua_fills_the_gaps_of_kill_9_from_history(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    async def go() -> None:
        async with opcua() as server:
            path = f"{enterprise}/dallas/packaging/line-1/filler"
            config = server.config | {"machines": [{"path": path, "node": "ns=2;s=filler"}]}
            world = await asyncio.to_thread(
                World.make, tmp_path, kafka, registry, enterprise, {"protocol": "opcua", "config": config}
            )
            said: list[Sample] = []
            chance = random.Random(12)

            async def talk() -> None:
                while True:
                    sample = Sample("State", T0 + len(said) * 1000, len(said) + 1)
                    await server.say(sample.tag, sample.at, sample.value)
                    said.append(sample)
                    await asyncio.sleep(0.004)  # the server's history holds 10,000 values

            def missing() -> list[Sample]:
                found = set(world.samples("State"))
                assert set(said) <= found, f"missing {[s.value for s in said if s not in found][:50]} of {len(said)}"
                return []

            async def until(wanted: int) -> None:
                await asyncio.to_thread(eventually, lambda: world.ledger().read >= wanted, DEADLINE_S, process.log())

            process = await asyncio.to_thread(world.process().ready)
            await until(3)  # the three tags' values at start: from here on the spool knows where history begins
            talker = asyncio.create_task(talk())
            try:
                for _ in range(3):
                    await until(world.ledger().read + chance.randrange(20, 200))
                    process.kill()
                    assert world.ledger().lost == 0
                    process = world.process()
                await asyncio.to_thread(process.ready)
                talker.cancel()
                await asyncio.to_thread(
                    eventually,
                    lambda: not missing(),
                    DEADLINE_S,
                    "every value said",
                    every_s=0.3,
                )
                ledger = await asyncio.to_thread(world.settled)
                records = await asyncio.to_thread(world.records)
                assert ledger.published == ledger.read == sum(len(record.samples) for record in records)
                assert await asyncio.to_thread(process.terminate) == 0
            finally:
                talker.cancel()
                process.kill()

    asyncio.run(go())


@pytest.mark.long
def test_while_kafka_is_away_the_spool_fills_and_then_drains_in_order(
    registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    folder, port = tmp_path / "kafka", free_port()
    broker = Kafka(folder, port)
    try:
        address = broker.start()
        world = World.make(tmp_path, address, registry, enterprise, mqtt(mqtt_broker, enterprise))
        with machine(mqtt_broker, enterprise) as plc, world.process() as process:
            process.ready()
            plc.say(100)
            eventually(lambda: world.ledger().published == 100, DEADLINE_S)
            broker.stop()
            plc.say(300)
            eventually(lambda: world.ledger().pending == 300, DEADLINE_S, process.log())
            eventually(lambda: any("Kafka is away" in reason for reason in process.reasons()), DEADLINE_S)
            assert world.ledger().read == 400
            broker = Kafka(folder, port)
            broker.start()
            eventually(lambda: world.ledger().published == 400, DEADLINE_S, process.log())
            process.ready()
            assert world.samples("State") == plc.everything(), "each once, in order"
            assert world.settled() == Ledger(read=400, published=400)

            broker.stop()  # with nothing to send, nobody's delivery tells that it is back
            eventually(lambda: any("Kafka is away" in reason for reason in process.reasons()), DEADLINE_S)
            broker = Kafka(folder, port)
            broker.start()
            process.ready()
    finally:
        broker.stop()


def test_malformed_messages_are_quarantined_as_they_were_and_the_rest_goes_on(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    world = World.make(
        tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise, suppress={"unchanged": True})
    )
    broken = b'{"at": 1795413600001, "values": {\xff\x00'
    with machine(mqtt_broker, enterprise) as plc, world.process() as process:
        process.ready()
        plc.say(1)
        plc.publish(broken)
        plc.publish(b'{"at": 1795413600007, "values": {"\\ud800": 1, "Speed": 2.5, "Huge": 99999999999999999999}}')
        plc.publish(b'{"at": 1795413600008, "values": {"Speed": 2.5}}')
        plc.publish(b'{"at": 1795413600009, "values": {"Speed": 3}}', "robot/away")
        plc.publish(b'{"id": "o-1", "product": "cola", "started_at": "2026-11-23T06:00:00Z"}', "order")
        plc.publish(b'{"id": "o-2"}', "order")
        plc.say(1)
        eventually(lambda: world.ledger().read == 10 and not world.ledger().pending, DEADLINE_S, process.log())
        assert world.settled() == Ledger(
            read=10,
            published=4,
            suppressed={"unchanged": 1},
            quarantined={"bad_fact": 1, "bad_json": 1, "bad_text": 1, "bad_value": 1, "unknown_path": 1},
        )
        assert world.samples("State") == plc.everything()
        assert [sample.value for sample in world.samples("Speed")] == [2.5]
        raw = [world.codec.decode(message.value()) for message in world.messages(MessageClass.RAW)]
        assert [record.id for record in raw if isinstance(record, Order)] == ["o-1"]

        (bad,) = [m for m in world.messages(MessageClass.QUARANTINE) if m.value() == broken]
        headers = dict(bad.headers() or [])
        assert bad.key() == str(world.cell).encode()
        assert headers["uns.reason"] == b"bad_json"
        assert headers["__connect.errors.connector.name"] == NAME.encode()
        assert headers["__connect.errors.topic"] == f"{enterprise}/data".encode()
        assert b"not JSON" in headers["__connect.errors.exception.message"]
        (nowhere,) = world.messages(MessageClass.QUARANTINE, Place.parse(enterprise))
        assert b"line-1/robot" in dict(nowhere.headers() or [])["__connect.errors.exception.message"]

        labels = f'uns_connector_units_total{{connector="{NAME}",outcome='
        said = process.metrics()
        assert f'{labels}"quarantined",reason="bad_json"}} 1.0' in said
        assert f'{labels}"read",reason=""}} 10.0' in said
        assert f'uns_connector_source_up{{connector="{NAME}"}} 1.0' in said


def test_sigterm_ends_it_with_everything_sent_and_acknowledged(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    stop = threading.Event()
    with machine(mqtt_broker, enterprise) as plc:

        def talk() -> None:
            while not stop.is_set():
                plc.say(1)

        with world.process() as process:
            process.ready()
            talker = threading.Thread(target=talk)
            talker.start()
            eventually(lambda: world.ledger().read > 100, DEADLINE_S)
            try:
                assert process.terminate() == 0
            finally:
                stop.set()
                talker.join()
            first = world.settled()
            assert first.published == len(world.samples("State"))
        if not mqtt_broker.persistent:
            return
        with world.process() as process:
            eventually(lambda: world.ledger().published >= plc.said, DEADLINE_S, process.log())
            assert process.terminate() == 0
        assert world.samples("State") == plc.everything(), "what was acknowledged did not come again"
