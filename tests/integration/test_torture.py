"""The named faults of `tests/torture`: the quick ones here, all of them with UNS_TORTURE=all or `make torture`."""

import os
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Producer

from tests.harness import eventually
from tests.torture.case import Skipped, Stage
from tests.torture.cases import CASES
from tests.torture.load import NUMBER
from tests.torture.oracle import Verdict, fences
from tests.torture.room import Room, Services
from topology.namespace.classes import MessageClass
from uns.engine.step import AreaTopics

pytestmark = pytest.mark.long
ALL = os.environ.get("UNS_TORTURE") == "all"


@pytest.fixture(scope="module")
def services(kafka: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(tmp_path_factory.mktemp("torture"), kafka, registry) as given:
        yield given


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.fast or ALL])
def test_case(name: str, services: Services) -> None:
    try:
        CASES[name].run(Stage(services))
    except Skipped as skipped:
        pytest.skip(str(skipped))


@pytest.fixture(scope="module")
def room(services: Services) -> Iterator[Room]:
    """A plant with an exact past and nobody at work."""
    with Room(services, lines=1, partitions=1) as found:
        found.worker()
        found.say(*(found.machines.next(found.clock()) for _ in range(50)))
        eventually(lambda: found.area.written(MessageClass.STATE, 0), what="a tick after the samples")
        found.exact()
        yield found


def forged(room: Room, topic: str, value: bytes | None, *keys: bytes | None, headers: object = ()) -> Verdict:
    """The verdict after records that nobody should have written."""
    producer = Producer(room.settings.kafka())
    for key in keys:
        producer.produce(topic, value, key, 0, headers=list(headers))  # type: ignore[call-overload]
    assert producer.flush(10) == 0
    return room.judged()


def test_the_judge_sees_what_is_wrong(room: Room) -> None:
    assert room.judged().ok
    name = room.area.topic(MessageClass.STATE)
    first = room.area.written(MessageClass.STATE, 0)[0]
    twice = forged(room, name, first.value, first.key, headers=first.headers)
    assert (twice.lost, twice.duplicate, twice.byte_equal) == (0, 1, False)
    assert f"{name}[0] offset" in twice.differences[0]
    _, value, _ = room.machines.put(*room.machines.sampled(room.clock()))
    unread = forged(room, room.area.raw, value, room.machines.cells[0].encode(), headers=[(NUMBER, b"1")])
    assert unread.lost == 1, "a raw record that nobody folded"
    fence = fences(room.area, 0)[-1]
    topics = AreaTopics(room.area.raw)
    jumped = msgspec.structs.replace(fence, next_offset=fence.next_offset + 5)
    over = forged(room, topics.changelog, msgspec.msgpack.encode(jumped), topics.fence_key)
    assert any("state" in difference or "watermark" in difference for difference in over.differences), (
        "a fence above a record that had no effect"
    )
    back = forged(room, topics.changelog, msgspec.msgpack.encode(fence), topics.fence_key)
    assert any("went back" in difference for difference in back.differences)


def test_the_judge_compares_the_state_that_is_left_behind(services: Services) -> None:
    with Room(services, lines=1, partitions=1) as room:
        room.worker()
        room.say(*(room.machines.next(room.clock()) for _ in range(50)))
        room.exact()
        topics = AreaTopics(room.area.raw)
        keys = {record.key or b"" for record in room.area.written(MessageClass.CHANGELOG, 0)}
        lost = forged(room, topics.changelog, None, *(k for k in keys if topics.state_name(k) and b"filler" in k))
        assert (lost.lost, lost.duplicate, lost.byte_equal) == (0, 0, False)
        assert "(oracle, restored) state" in lost.differences[0]
