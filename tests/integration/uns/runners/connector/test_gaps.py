"""A connector that dies, between real sources and real Kafka: it says when it did not listen, and takes back what a source
has kept; the fold makes of it time that nobody saw."""

import asyncio
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from processors.base import Input
from processors.line import LineFold
from schemas.records import Gap, Oee, Samples, Tick
from tests.contract.source_opcua import opcua
from tests.harness import MqttBroker, eventually
from tests.harness.connector_process import DEADLINE_S, NAME, World, machine, mqtt
from topology.namespace.classes import MessageClass
from uns.model.plant import load_plant
from uns.runners.connector.ledger import FILE, FOLDER
from uns.runners.connector.spool import Spool

AWAY_S = 2.0


def gaps(world: World) -> list[Gap]:
    """Those of the cell, in the order of the log."""
    records = [world.codec.decode(message.value()) for message in world.messages(MessageClass.RAW)]
    return [record for record in records if isinstance(record, Gap)]


def listened(world: World) -> int:
    """Since the process is dead its spool can be opened."""
    spool = Spool(world.settings.state_dir / FOLDER / NAME, 1_000_000_000)
    try:
        assert spool.listened is not None
        return spool.listened
    finally:
        spool.close()
        assert (world.settings.state_dir / FOLDER / NAME / FILE).exists()


def away(seconds: float) -> int:
    """Waits as long as the outage is to last; returns when it ended (µs)."""
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= end, seconds + 5, "the outage")
    return time.time_ns() // 1000


@pytest.mark.long
@pytest.mark.parametrize("history", [False, True], ids=["no history", "history"])
def test_opc_ua_says_when_it_was_dead_and_takes_it_back_where_the_server_has_a_history(
    kafka: str, registry: str, enterprise: str, tmp_path: Path, history: bool
) -> None:
    async def go() -> None:
        async with opcua() as server:
            path = f"{enterprise}/dallas/packaging/line-1/filler"
            config = server.config | {"history": history, "machines": [{"path": path, "node": "ns=2;s=filler"}]}
            entry = {"protocol": "opcua", "config": config}
            world = await asyncio.to_thread(World.make, tmp_path, kafka, registry, enterprise, entry)
            process = await asyncio.to_thread(world.process().ready)
            before = time.time_ns() // 1000
            await server.say("State", before, 6)
            try:
                await asyncio.to_thread(
                    eventually, lambda: [s.value for s in world.samples("State")][-1:] == [6], DEADLINE_S, "it runs"
                )
                await asyncio.to_thread(away, 1.5)  # so that it has been listening for longer than a heart beat
                process.kill()
                since = await asyncio.to_thread(listened, world)
                assert before < since <= time.time_ns() // 1000
                assert not gaps(world)
                changed = time.time_ns() // 1000
                await server.say("State", changed, 2)
                until = await asyncio.to_thread(away, AWAY_S)
                process = await asyncio.to_thread(world.process().ready)
                await asyncio.to_thread(
                    eventually, lambda: len(gaps(world)) == 1 + history, DEADLINE_S, "the gap is told", every_s=0.3
                )
                told = gaps(world)
                assert {(gap.id, gap.started_at, gap.cause, gap.by) for gap in told} == {
                    (f"{NAME}-{since}", since, "connector_down", NAME)
                }
                assert (told[0].ended_at or 0) >= until
                if history:
                    assert told[1].ended_at == since  # taken back
                ledger = await asyncio.to_thread(world.settled)
                assert ledger.published == ledger.read == sum(len(record.samples) for record in world.records())
                assert await asyncio.to_thread(process.terminate) == 0
                observed, length = await asyncio.to_thread(observed_us, world)
                # Without a history its present state says, by its own time, from when on it is known.
                assert observed == length - (0 if history else changed - since)
            finally:
                process.kill()

    asyncio.run(go())


def observed_us(world: World) -> tuple[int, int]:
    """What was told, folded: how much was observed, and how much there was from the first known state on."""
    fold = LineFold(load_plant(world.folder / "plant"), "raw", 0)
    place, end = str(world.cell), time.time_ns() // 1000
    records = [world.codec.decode(message.value()) for message in world.messages(MessageClass.RAW)]
    told = [record for record in records if isinstance(record, Samples | Gap)]
    for offset, record in enumerate(told):
        fold.step(Input(place, "raw", 0, offset, record, end))
    out = fold.step(Input(place, "raw", 0, len(told), Tick(at=end, worker="test"), end))
    hours = [record for record in out if isinstance(record, Oee) and record.window == "hour"]
    first = min(s.at for r in told if isinstance(r, Samples) for s in r.samples if s.tag == "State" and s.value)
    return sum(hour.observed_us or 0 for hour in hours), end - first


@pytest.mark.long
def test_mqtt_says_nothing_where_the_broker_has_kept_the_session_and_a_gap_where_it_has_not(
    kafka: str, registry: str, mqtt_broker: MqttBroker, enterprise: str, tmp_path: Path
) -> None:
    if not mqtt_broker.persistent:
        pytest.skip("this broker keeps nothing for a session that is away; install mosquitto")
    world = World.make(tmp_path, kafka, registry, enterprise, mqtt(mqtt_broker, enterprise))
    with machine(mqtt_broker, enterprise) as plc:
        with world.process() as process:
            process.ready()
            plc.say(5)
            eventually(lambda: world.ledger().published == 5, DEADLINE_S, process.log())
            away(1.5)
        plc.say(5)
        with world.process() as process:
            process.ready()
            eventually(lambda: world.ledger().published == 10, DEADLINE_S, process.log())
            assert not gaps(world)
            away(1.5)
        since = listened(world)
        host, _, port = mqtt_broker.url.removeprefix("mqtt://").partition(":")
        rival = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"uns-{enterprise}", clean_session=True)
        rival.connect(host, int(port))
        rival.loop_start()
        eventually(rival.is_connected, DEADLINE_S, "the session is ended")
        rival.disconnect()
        rival.loop_stop()
        plc.say(5)  # lost: nobody keeps it
        with world.process() as process:
            process.ready()
            eventually(lambda: gaps(world), DEADLINE_S, process.log(), every_s=0.3)
            (gap,) = gaps(world)
            assert (gap.started_at, gap.cause) == (since, "session_lost")
