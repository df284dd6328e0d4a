"""Poison of every kind, live, with kill -9 in between: a connector goes on, what is good arrives, what is not is counted."""

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from connectors.opcua.codec import moment
from schemas.records import Sample, Samples
from tests.contract.source_opcua import opcua
from tests.harness import MqttBroker, eventually
from tests.harness.connector_process import DEADLINE_S, Machine, World, machine, mqtt
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.kafka import clients
from uns.kafka.message import quarantined
from uns.runners.connector.outlet import REFUSED_BY_TOPIC
from uns.testing.source import T0


def value(text: str) -> bytes:
    return f'{{"at": 1795413600005, "values": {{"Other": {text}}}}}'.encode()


MESSAGES: tuple[bytes, ...] = (
    b'{"at": "9999-12-31T23:59:59-12:00", "values": {"Other": 1}}',
    value("NaN"),
    value("1e400"),
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"[" * 200_000,
    b'{"at": 1795413600005}',
    b'{"values": {"Other": 1}}',
    b'{"at": "yesterday", "values": {"Other": 1}}',
    b'{"at": "9999-12-31T23:59:59-24:00", "values": {"Other": 1}}',
    b'{"at": -5, "values": {"Other": 1}}',
    b'{"at": 1e300, "values": {"Other": 1}}',
    b'{"at": NaN, "values": {"Other": 1}}',
    b'{"at": 1795413600005, "quality": -1, "values": {"Other": 1}}',
    b'{"at": 1795413600005, "values": {"\\ud800": 1}}',
    b'{"at": 1795413600005, "values": {"": 1}}',
    value(f'"{"x" * 1_025}"'),
    value('"\\udfff"'),
    value("[1]"),
    value('{"a": 1}'),
    value(str(2**63)),
    value("9" * 4_000),
    b'{"at": 1795413600005, "values": {"' + b"t" * 129 + b'": 1}}',
    b'{"at": 1795413600005, "values": {"Other": "' + b"x" * 1_000_000 + b'"}}',
)
"""Each is one unit, and no reading."""
ODD: tuple[bytes, ...] = (
    value("null"),
    value(str(-(2**63))),
    value('"\\u0000"'),
)
"""Readings, which only a fold can judge."""
ORDERS: tuple[dict[str, Any], ...] = (
    {},
    {"id": "o"},
    {"id": 7, "product": "p", "started_at": 1795413600005},
    {"id": "o", "product": "p" * 129, "started_at": 1795413600005},
    {"id": "o" * 129, "product": "p", "started_at": 1795413600005},
    {"id": "o", "product": "p" * 900_000, "started_at": 1795413600005},
    {"id": "o", "product": "p", "started_at": 1795413600005, "planned_quantity": 2**64},
)


@pytest.mark.long
def test_mqtt(kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path) -> None:
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    with machine(mqtt_broker, enterprise) as plc:
        for start in range(0, len(MESSAGES), 8):
            with world.process() as process:
                process.ready()
                for payload in MESSAGES[start : start + 8]:
                    plc.say(1)
                    plc.publish(payload)
                arrived(world, plc, process.log)
                process.kill()
        with world.process() as process:
            process.ready()
            for order in ORDERS:
                plc.publish(json.dumps(order).encode(), "order")
            for payload in ODD:
                plc.publish(payload)
            plc.publish(b'{"at": 1795413600005, "values": {}}')
            plc.say(1)
            arrived(world, plc, process.log)
            assert process.reasons() == []
            assert process.terminate() == 0
    ledger = world.settled()
    assert set(world.samples("State")) == set(plc.everything())
    assert len(set(world.samples("Other"))) == len(ODD)
    refused = world.messages(MessageClass.QUARANTINE)
    assert len({message.value() for message in refused}) == len(MESSAGES) + len(ORDERS), "each, and nothing else"
    told = [quarantined(message.headers()) for message in refused]
    assert len(told) == sum(ledger.quarantined.values())
    assert all(why.reason in ledger.quarantined and why.words for why in told)


def arrived(world: World, plc: Machine, log: Callable[[], str]) -> None:
    """Waits until Kafka has the last that the machine said, and so all before it, and nothing pends. How many units were
    read proves nothing: what a kill left unacknowledged is read again."""

    def last() -> bool:
        return not world.ledger().pending and plc.everything()[-1] in in_raw(world)

    eventually(last, DEADLINE_S, log())


def in_raw(world: World) -> set[Sample]:
    """Every sample in `raw`, whatever numbers are missing between its records: a refused record leaves one out."""
    records = [world.codec.decode(message.value()) for message in world.messages(MessageClass.RAW)]
    return {sample for record in records if isinstance(record, Samples) for sample in record.samples}


def takes_at_most(world: World, size: int) -> None:
    """Sets `max.message.bytes` of the raw topic."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    raw = ConfigResource(ResourceType.TOPIC, topic(world.cell, MessageClass.RAW), incremental_configs=[entry])
    admin = clients.admin(world.settings)
    for answer in admin.incremental_alter_configs([raw]).values():
        answer.result(20)


def test_a_topic_that_refuses_what_is_read(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    """Of a message with many values only those that the topic does not take are refused, wherever they stand in it; of each
    of the others one copy is there, in order, also where the process ends in between."""
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    takes_at_most(world, 900)
    noise = random.Random(1)
    large = {f"Large{n}" for n in (0, 17, 18, 39)}
    with machine(mqtt_broker, enterprise) as plc:
        for rounds in (1, 2):
            texts = {f"Large{n}": noise.randbytes(500).hex() for n in range(40)}
            values = dict((name, text) if name in large else (f"T{name[5:]}", rounds) for name, text in texts.items())
            with world.process() as process:
                process.ready()
                plc.say(20)
                plc.publish(json.dumps({"at": 1795413600005 + rounds, "values": values}).encode())
                plc.say(20)
                refusal = {REFUSED_BY_TOPIC: len(large) * rounds}
                eventually(lambda wanted=refusal: world.ledger().quarantined == wanted, DEADLINE_S, process.log())  # type: ignore[misc]
                arrived(world, plc, process.log)
                assert process.reasons() == []
                assert f'reason="{REFUSED_BY_TOPIC}"}} {float(len(large) * rounds)}' in process.metrics()
                assert process.terminate() == 0  # not killed: what is counted here must not be read again
    found = [world.codec.decode(message.value()) for message in world.messages(MessageClass.RAW)]
    samples = [sample for record in found if isinstance(record, Samples) for sample in record.samples]
    assert sorted(s.value for s in samples if s.tag == "State") == list(range(1, 81)), "each once"  # type: ignore[type-var]
    small = [f"T{n}" for n in range(40) if f"Large{n}" not in large]
    assert [(s.tag, s.value) for s in samples if s.tag != "State"] == [(tag, n) for n in (1, 2) for tag in small]
    ledger = world.settled()
    assert (ledger.published, ledger.quarantined) == (80 + 2 * len(small), {REFUSED_BY_TOPIC: 2 * len(large)})
    refused = world.messages(MessageClass.QUARANTINE)
    told = [world.codec.decode(message.value()) for message in refused]
    assert [[s.tag for s in record.samples] for record in told if isinstance(record, Samples)] == [
        [tag] for _ in (1, 2) for tag in sorted(large, key=lambda name: int(name[5:]))
    ]
    assert {quarantined(message.headers()).topic for message in refused} == {topic(world.cell, MessageClass.RAW)}


@pytest.mark.long
def test_kill_9_in_the_midst_of_a_refusal(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    """Parts of a refused record are on disk as they are: after a death they go out again under their own numbers."""
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    takes_at_most(world, 900)
    noise, kills = random.Random(2), 12
    with machine(mqtt_broker, enterprise) as plc:
        for kill in range(kills):
            process = world.process()
            with process:
                process.ready()
                texts = {f"L{kill}-{n}": noise.randbytes(500).hex() for n in range(3)}
                small = {f"T{kill}-{n}": n for n in range(60)}
                values = dict(noise.sample([*texts.items(), *small.items()], 63))
                before = world.ledger()
                plc.publish(json.dumps({"at": 1795413600005, "values": values}).encode())
                wanted = before.published + noise.randrange(0, 60)
                eventually(lambda wanted=wanted: world.ledger().published > wanted, DEADLINE_S, process.log(), 0.001)  # type: ignore[misc]
            assert world.ledger().lost == 0
        with world.process() as process:
            process.ready()
            plc.say(1)
            arrived(world, plc, process.log)
            assert process.terminate() == 0
    found: dict[int, bytes] = {}
    for message in world.messages(MessageClass.RAW):
        record = world.codec.decode(message.value())
        if isinstance(record, Samples):
            assert found.setdefault(record.sequence, message.value() or b"") == message.value(), (
                "a number is one record"
            )
    tags = {sample.tag for sample in in_raw(world)}
    assert {f"T{kill}-{n}" for kill in range(kills) for n in range(60)} <= tags
    assert not {tag for tag in tags if tag.startswith("L")}
    refused = [world.codec.decode(message.value()) for message in world.messages(MessageClass.QUARANTINE)]
    assert {s.tag for record in refused if isinstance(record, Samples) for s in record.samples} == {
        f"L{kill}-{n}" for kill in range(kills) for n in range(3)
    }
    assert world.settled().quarantined.keys() == {REFUSED_BY_TOPIC}


KINDS = ua.VariantType
NODES: tuple[tuple[str, ua.Variant, ua.Variant], ...] = (
    ("Large", ua.Variant(0, KINDS.UInt64), ua.Variant(2**64 - 1, KINDS.UInt64)),
    ("Long", ua.Variant("", KINDS.String), ua.Variant("x" * 1_025, KINDS.String)),
    ("Huge", ua.Variant("", KINDS.String), ua.Variant("x" * 500_000, KINDS.String)),
    ("Wide", ua.Variant("", KINDS.String), ua.Variant(["a"] * 65, KINDS.String)),
    ("No", ua.Variant(1.0), ua.Variant(float("nan"))),
    ("Endless", ua.Variant(1.0), ua.Variant(float("inf"))),
    ("List", ua.Variant("", KINDS.String), ua.Variant(["a", "b"], KINDS.String)),
    ("Bytes", ua.Variant(b"", KINDS.ByteString), ua.Variant(b"\xff\0", KINDS.ByteString)),
    ("Range", ua.Variant(ua.Range(0, 1)), ua.Variant(ua.Range(1, 2))),
    ("Low", ua.Variant(0, KINDS.Int64), ua.Variant(-(2**63), KINDS.Int64)),
    ("Odd", ua.Variant("", KINDS.String), ua.Variant("𝄞\0", KINDS.String)),
)
"""Tag, what it is at first, and what it becomes. The first six are no values of a tag."""
REFUSED = 6
TAKEN = {
    "List.0": "a",
    "List.1": "b",
    "Bytes": "ff00",
    "Range.Low": 1.0,
    "Range.High": 2.0,
    "Low": -(2**63),
    "Odd": "𝄞\0",
}


@pytest.mark.long
def test_opc_ua(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    async def go() -> None:
        async with opcua() as source:
            machine = source.server.get_node("ns=2;s=filler")
            for tag, benign, _ in NODES:
                await machine.add_variable(ua.NodeId(f"filler.{tag}", 2), ua.QualifiedName(tag, 2), benign)
            path = f"{enterprise}/dallas/packaging/line-1/filler"
            config = source.config | {"machines": [{"path": path, "node": "ns=2;s=filler"}]}
            world = await asyncio.to_thread(
                World.make, tmp_path, kafka, registry, enterprise, {"protocol": "opcua", "config": config}
            )
            said: list[Sample] = []

            def all_arrived(least: int) -> bool:
                ledger = world.ledger()
                here = set(said) <= set(world.samples("State"))
                return here and sum(ledger.quarantined.values()) >= least and not ledger.pending

            for number, (tag, _, poison) in enumerate(NODES, start=1):
                if number % 4 == 1:
                    process = await asyncio.to_thread(world.process().ready)
                at = T0 + number * 1_000_000
                data = ua.DataValue(poison, SourceTimestamp=moment(at), ServerTimestamp=moment(at))
                await source.server.write_attribute_value(ua.NodeId(f"filler.{tag}", 2), data)
                said.append(Sample("State", at, number))
                await source.say("State", at, number)
                least = min(number, REFUSED)
                await asyncio.to_thread(eventually, lambda least=least: all_arrived(least), DEADLINE_S, process.log())
                if number == len(NODES):
                    assert await asyncio.to_thread(process.terminate) == 0
                elif number % 4 == 0:
                    assert await asyncio.to_thread(process.reasons) == []
                    process.kill()
            ledger = await asyncio.to_thread(world.settled)
            assert ledger.quarantined.keys() == {"bad_value"}, ledger
            for tag, value in TAKEN.items():
                assert value in [sample.value for sample in world.samples(tag)], tag

    asyncio.run(go())
