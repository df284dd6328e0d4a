"""The mirror and a broker that is cut off, killed, restarted, slow, or does not let it: nothing missing, and the last values
exact."""

import asyncio
import json
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Derived, State
from sinks.base import Deferred, Delivery, Rejected, Removed, Retryable
from tests.harness.mirrored import Listener
from tests.harness.mosquitto import Mosquitto, mosquitto
from tests.harness.mqtt_wire import Wire
from tests.harness.waiting import eventually
from tests.integration.sinks.mqtt.mirroring import PATHS, T, config, delivered, mirror, of, patiently, snapshot
from uns.testing.patience import patient

KILLS = 20
ROUNDS = 400
"""Records of each path in a run."""
SAVES = "persistence true\nautosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """One that forgets all when it ends."""
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"], "max_queued_messages 0") as running:
        yield running


def history(seed: int) -> list[Delivery]:
    """States of all machines, with late corrections and withdrawals between."""
    chance, records = random.Random(seed), list[Derived]()
    for number in range(ROUNDS):
        for path in PATHS:
            records.append(of(State, path, number))
            if number and chance.random() < 0.1:
                records.append(of(State, path, number - chance.randrange(2), 1, state="corrected"))
    return delivered(records)


def newest(deliveries: Sequence[Delivery]) -> dict[str, str]:
    """Topic → the id that is to be retained: the oracle."""
    found: dict[str, Any] = {}
    for each in deliveries:
        topic, record = f"{each.key}/_state", each.record
        if topic not in found or (record.started_at, record.revision) >= found[topic][:2]:  # type: ignore[union-attr]
            found[topic] = record.started_at, record.revision, record.id  # type: ignore[union-attr]
    return {topic: id_ for topic, (_, _, id_) in found.items()}


def retained(broker: Mosquitto) -> dict[str, str]:
    return {topic: one["id"] for topic, one in Listener.retained(broker.url()).items()}


def filled(broker: Mosquitto, deliveries: Sequence[Delivery]) -> None:
    """Waits until the broker has the newest of them."""
    wanted = newest(deliveries)
    eventually(lambda: retained(broker) == wanted, 30.0, "the newest are retained")


def told(listener: Listener) -> dict[str, list[str]]:
    """Path → ids in the order of their first coming."""
    found: dict[str, dict[str, None]] = {}
    for message in listener.messages:
        if message.payload:
            record = json.loads(message.payload)
            found.setdefault(record["path"], {})[record["id"]] = None
    return {path: list(ids) for path, ids in found.items()}


def in_order(deliveries: Sequence[Delivery]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for each in deliveries:
        found.setdefault(each.key, {})[each.record.id] = None  # type: ignore[union-attr]
    return {path: list(ids) for path, ids in found.items()}


async def batches(sink: Any, deliveries: Sequence[Delivery], size: int = 300) -> None:
    for begin in range(0, len(deliveries), size):
        assert await patiently(sink, deliveries[begin : begin + size]) == []


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_link_that_is_cut_again_and_again_loses_nothing_and_keeps_the_order(broker: Mosquitto, tmp_path: Path, version: str) -> None:  # fmt: skip
    """In the middle of what it says, wherever that is; who listens stands at the broker itself."""
    wire, listener, deliveries = Wire(broker.url()), Listener(broker.url()), history(1)
    cuts = 0

    async def cutting() -> None:
        nonlocal cuts
        chance = random.Random(2)
        while cuts < KILLS:
            sent = len(wire.sent)
            enough = sent + chance.randrange(1, len(deliveries) // KILLS)
            await asyncio.to_thread(eventually, lambda least=enough: len(wire.sent) >= least, 60.0, "messages", 0.001)
            wire.cut()
            cuts += 1

    async def go() -> None:
        async with mirror(config(wire.url, version=version), tmp_path / "state") as sink:
            cutter = asyncio.create_task(cutting())
            await batches(sink, deliveries)
            assert cutter.done(), f"only {cuts} cuts"
            await cutter

    asyncio.run(go())
    wire.close()
    listener.settle()
    assert told(listener) == in_order(deliveries)
    assert retained(broker) == newest(deliveries)
    listener.close()


@pytest.mark.parametrize("saves", ["", SAVES], ids=["forgets", "goes-back"])
def test_a_broker_that_is_killed_again_and_again_has_the_last_values_in_the_end(tmp_path: Path, saves: str) -> None:
    """kill -9: it comes back empty, or as it was when it saved last."""
    deliveries = history(3)
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"], saves or "max_queued_messages 0") as broker:

        async def go() -> None:
            part = len(deliveries) // KILLS
            async with mirror(config(broker.url()), tmp_path / "state") as sink:
                for number in range(KILLS):
                    some = deliveries[number * part : (number + 1) * part if number < KILLS - 1 else None]
                    writing = asyncio.create_task(batches(sink, some, 100))
                    await asyncio.sleep(random.Random(number).random() * 0.05)
                    broker.kill()
                    await asyncio.to_thread(broker.start)
                    await writing
                    # Where all was written before the kill, no batch waited for the new link.
                    await asyncio.to_thread(filled, broker, deliveries[: deliveries.index(some[-1]) + 1])

        asyncio.run(go())


def test_a_broker_that_comes_back_empty_is_filled_though_nothing_is_to_be_said(
    broker: Mosquitto, tmp_path: Path
) -> None:
    deliveries = history(4)[:500]

    async def go() -> None:
        async with mirror(config(broker.url()), tmp_path / "state") as sink:
            await batches(sink, deliveries)
            broker.kill()
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(filled, broker, deliveries)

    asyncio.run(go())


def test_both_may_be_gone_and_one_of_them_for_ever(tmp_path: Path) -> None:
    """The broker with our process; then our folder, and a broker that keeps what it was told."""
    deliveries = history(5)[:500]
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"], SAVES) as broker:

        async def write(folder: str, some: Sequence[Delivery]) -> None:
            async with mirror(config(broker.url()), tmp_path / folder) as sink:
                await batches(sink, some)

        asyncio.run(write("state", deliveries))
        broker.kill()
        (tmp_path / "broker" / "mosquitto.db").unlink(missing_ok=True)
        broker.start()
        assert retained(broker) == {}
        asyncio.run(write("state", []))
        assert retained(broker) == newest(deliveries)
        again = deliveries[100:200]  # the group's offsets were lost, too
        asyncio.run(write("another", again))
        assert retained(broker) == newest(deliveries), "an older record never stands for a newer one"


@pytest.mark.parametrize("step", range(5))
def test_kill_between_the_brokers_word_and_the_offsets(broker: Mosquitto, tmp_path: Path, step: int) -> None:
    """Ten times in each of five: the same records come again, to a new process, from wherever the offsets were."""
    deliveries, chance = history(6)[:800], random.Random(step)
    listener = Listener(broker.url())

    async def life(begin: int, end: int) -> None:
        async with mirror(config(broker.url()), tmp_path / "state") as sink:
            assert await sink.write(deliveries[begin:end], {}) == []

    committed = 0
    for _ in range(10):
        end = committed + chance.randrange(1, 150)
        asyncio.run(life(committed, end))
        committed = chance.choice((committed, min(end, len(deliveries) - 100)))
    asyncio.run(life(committed, len(deliveries)))
    listener.settle()
    assert told(listener) == in_order(deliveries)
    assert retained(broker) == newest(deliveries)
    listener.close()


def test_a_prefix_that_is_not_allowed_is_said_of_its_records_alone(tmp_path: Path) -> None:
    """By the list that the README has; one line is left out of it. (Where `max_queued_messages` is 0, mosquitto 2.0.11 ends
    the link when it denies a message.)"""
    folder = tmp_path / "broker"
    folder.mkdir()
    rules = folder / "acl"
    rules.write_text("user uns-mirror\ntopic readwrite _mirror/#\ntopic readwrite acme/dallas/packaging/line-1/#\nuser people\ntopic read #\n")  # fmt: skip
    (folder / "passwords").write_text("")
    listener = f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {rules}"
    for user in ("uns-mirror", "people"):
        subprocess.run(["mosquitto_passwd", "-b", str(folder / "passwords"), user, "hunter2"], check=True)
    deliveries = history(7)[:400]
    with mosquitto(folder, [listener, "allow_anonymous true"], "max_queued_messages 100000") as broker:

        async def go() -> list[Any]:
            options = config(broker.url(), username="uns-mirror", password="hunter2")
            async with mirror(options, tmp_path / "state") as sink:
                return list(await sink.write(deliveries, {}))

        rejected = asyncio.run(go())
        assert {type(each) for each in rejected} == {Rejected}
        assert {each.reason for each in rejected} == {"mqtt_87"}
        assert "Not authorized (may this user do that" in rejected[0].message
        assert rejected[0].message.startswith(f"{rejected[0].delivery.key}/_state")
        others = [each for each in deliveries if "/line-1/" in each.key]
        assert {each.delivery.offset for each in rejected} == {d.offset for d in deliveries} - {
            d.offset for d in others
        }
        assert {t: one["id"] for t, one in Listener.retained(broker.url(listener=1)).items()} == newest(others)


def test_what_is_larger_than_the_broker_takes_is_rejected_with_its_limit(tmp_path: Path) -> None:
    records = [of(State, path, 1, state="x" * (40_000 if path == PATHS[3] else 1)) for path in PATHS]
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"], "max_packet_size 20000") as broker:

        async def go() -> list[Any]:
            async with mirror(config(broker.url()), tmp_path / "state") as sink:
                return list(await sink.write(delivered(records), {}))

        [rejected] = asyncio.run(go())
        assert (rejected.reason, rejected.delivery.key) == ("mqtt_95", PATHS[3])
        assert "the broker takes 20000" in rejected.message
        assert len(retained(broker)) == len(PATHS) - 1


def test_a_message_over_which_the_broker_ends_the_link_goes_to_quarantine_alone(tmp_path: Path) -> None:
    """MQTT 3.1.1 has no word for it."""
    records = [of(State, path, 1, state="x" * (40_000 if path == PATHS[3] else 1)) for path in PATHS]
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"], "max_packet_size 20000") as broker:

        async def go() -> list[Any]:
            options = config(broker.url(), version="3.1.1", tries=3, tries_s=0.1)
            async with mirror(options, tmp_path / "state") as sink:
                return list(await patiently(sink, delivered(records)))

        [rejected] = asyncio.run(go())
        assert (rejected.reason, rejected.delivery.key) == ("link_ended", PATHS[3])
        assert len(retained(broker)) == len(PATHS) - 1


def test_no_more_is_under_way_than_the_broker_wants(tmp_path: Path) -> None:
    with mosquitto(
        tmp_path / "broker", ["allow_anonymous true"], "max_inflight_messages 7\nmax_queued_messages 0"
    ) as broker:
        deliveries = history(8)[:600]

        async def go() -> None:
            async with mirror(config(broker.url()), tmp_path / "state") as sink:
                assert sink._link.window == 7  # type: ignore[attr-defined]
                await batches(sink, deliveries)

        asyncio.run(go())
        assert retained(broker) == newest(deliveries)


def test_a_quota_is_waited_for_and_others_go_on(broker: Mosquitto, tmp_path: Path) -> None:
    """mosquitto has none; what another says is put into its mouth."""
    wire = Wire(broker.url())

    async def go() -> list[Any]:
        async with mirror(config(wire.url, answer_timeout_s=patient(5)), tmp_path / "state") as sink:
            deliveries = delivered([of(State, PATHS[0], 1)])
            await sink.write(delivered([of(State, PATHS[0], 0)]), {})
            wire.freeze()
            writing = asyncio.create_task(sink.write(deliveries, {}))
            link = sink._link  # type: ignore[attr-defined]
            await asyncio.to_thread(eventually, lambda: link._waiting, 5.0)
            [mid] = link._waiting
            wire.tell(bytes([0x40, 4, mid >> 8, mid & 255, 0x97, 0]))
            return list(await writing)

    [deferred] = asyncio.run(go())
    wire.close()
    assert isinstance(deferred, Deferred)
    assert "Quota exceeded (raise its limits" in deferred.message
    assert deferred.wait_s > 0


def test_a_broker_that_says_nothing_any_more_is_left_and_said(broker: Mosquitto, tmp_path: Path) -> None:
    wire = Wire(broker.url())

    async def go() -> None:
        async with mirror(config(wire.url, keep_alive_s=60, answer_timeout_s=0.5), tmp_path / "state") as sink:
            await sink.write(delivered([of(State, PATHS[0], 0)]), {})
            wire.freeze()
            begun = time.monotonic()
            with pytest.raises(Retryable, match=r"acknowledges nothing, for 0\.5 s"):
                await sink.write(delivered([of(State, PATHS[0], 1)]), {})
            assert time.monotonic() - begun >= 0.4

    asyncio.run(go())
    wire.close()


@pytest.mark.parametrize("letters", [1, 5_000], ids=["many", "much"])
def test_a_path_with_more_than_a_broker_hands_out_at_once_is_cleared_too(tmp_path: Path, letters: int) -> None:
    """By a mirror that has lost its ledger; mosquitto queues a thousand messages, and drops the rest."""
    tags = {f"T{number}": "x" * letters for number in range(2_500)}
    gone = Removed.at(PATHS[0], "uns.acme.current", 0, 9, T + 9)
    with mosquitto(tmp_path / "broker", ["allow_anonymous true"]) as broker:

        async def go() -> None:
            options = config(broker.url(), tags=True, answer_timeout_s=patient(0.5))
            async with mirror(options, tmp_path / "state") as sink:
                assert await sink.write(delivered([snapshot(PATHS[0], 1, **tags), of(State, PATHS[1], 1)]), {}) == []
            async with mirror(options, tmp_path / "another") as sink:
                assert await patiently(sink, delivered([gone])) == []
            async with mirror(options, tmp_path / "third") as sink:
                assert list(await sink._link.retained([f"{path}/#" for path in PATHS])) == [f"{PATHS[1]}/_state"]  # type: ignore[attr-defined]

        asyncio.run(go())
