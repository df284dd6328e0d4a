"""What the edge node says is what a host of Sparkplug B understands: ours, which is held to the specification's assertions."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Reading, Said
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.host import Host
from schemas.records import Current, CurrentTag, Value
from sinks.kit.cloudevents import Unfit
from sinks.mqtt.sparkplug.metrics import changed, device_of, metrics
from sinks.mqtt.sparkplug.session import Said as Message
from sinks.mqtt.sparkplug.session import Session, asks_rebirth
from tests.harness.records import EXAMPLES
from topology.sparkplug.schema import Payload

PATH = "acme/dallas/packaging/line-1/filler"
T_MS = 1_795_000_000_000
VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)  # fmt: skip
TAGS = st.dictionaries(st.sampled_from(["Speed", "On", "Name", "Count", "A/B"]), VALUES, max_size=5)
EXAMPLE = next(record for record in EXAMPLES if isinstance(record, Current))


def snapshot(number: int, tags: dict[str, Value], **fields: Any) -> Current:
    at = (T_MS + number * 1_000) * 1_000
    said = tuple(CurrentTag(tag=name, at=at, value=value, quality=0) for name, value in sorted(tags.items()))
    return msgspec.structs.replace(EXAMPLE, path=PATH, at=at, started_at=at, tags=said, **fields)


class Reader:
    """Our host, and what it knows of tags by now."""

    def __init__(self) -> None:
        sources = [{"edge": "acme/uns/+", "path": PATH}]
        config = {"brokers": [{"url": "mqtt://127.0.0.1"}], "host_id": "h", "sources": sources}
        self.host = Host(SparkplugConfig.model_validate(config))
        self.known: dict[str, Any] = {}
        self.now = T_MS * 1_000

    def hears(self, messages: list[Message]) -> list[Said]:
        said: list[Said] = []
        for message in messages:
            self.now += 1_000
            said += self.host.message(message.topic, message.payload, self.now, 0, False)
        for thing in said:
            assert isinstance(thing, Reading), thing
            self.known[thing.sample.tag] = thing.sample.value
        return said


def told(record: Current) -> dict[str, Any]:
    return {name: metric.value for name, metric in metrics(record).items() if metric.datatype != 13}


def same(known: dict[str, Any], record: Current) -> bool:
    return {name: known.get(name) for name in told(record)} == told(record)


@settings(max_examples=40)
@given(st.lists(st.tuples(TAGS, st.integers(0, 5)), min_size=1, max_size=8))
def test_a_host_knows_each_value_of_the_newest_snapshot(steps: list[tuple[dict[str, Value], int]]) -> None:
    session, reader = Session("acme", "uns", 7), Reader()
    first = snapshot(0, steps[0][0])
    reader.hears(list(session.birth([(PATH, metrics(first))], T_MS)))
    assert same(reader.known, first)
    for number, (tags, good) in enumerate(steps, 1):
        record = snapshot(number, tags, good=good)
        reader.hears(list(session.device(PATH, metrics(record), T_MS + number * 1_000)))
        assert same(reader.known, record)
    assert reader.host.asks(reader.now) == [], "nothing is missing"


def test_what_has_not_changed_is_not_said_again_and_another_type_is_a_new_birth() -> None:
    session = Session("acme", "uns", 0)
    list(session.birth([(PATH, metrics(snapshot(0, {"Speed": 1.5})))], T_MS))
    again = msgspec.structs.replace(snapshot(0, {"Speed": 1.5}), at=(T_MS + 500) * 1_000)
    assert list(session.device(PATH, metrics(again), T_MS)) == []
    [data] = session.device(PATH, metrics(snapshot(1, {"Speed": 2.5})), T_MS)
    assert "/DDATA/" in data.topic
    assert [metric.name for metric in Payload.FromString(data.payload).metrics] == ["tags/Speed"]
    [birth] = session.device(PATH, metrics(snapshot(2, {"Speed": "fast"})), T_MS)
    assert "/DBIRTH/" in birth.topic
    [birth] = session.device(PATH, metrics(snapshot(3, {"Speed": "fast", "New": 1})), T_MS)
    assert "/DBIRTH/" in birth.topic


def test_numbers_follow_one_another_and_begin_anew_with_a_birth() -> None:
    session = Session("acme", "uns", 255)
    said = list(session.birth([], T_MS))
    for number in range(300):
        said += session.device(PATH, metrics(snapshot(number, {"Speed": number})), T_MS)
    assert [Payload.FromString(one.payload).seq for one in said] == [number % 256 for number in range(301)]
    [birth] = session.birth([], T_MS)
    told = Payload.FromString(birth.payload)
    assert told.seq == 0
    assert (told.metrics[0].name, told.metrics[0].long_value) == ("bdSeq", 255)


def test_the_death_is_that_of_its_birth_and_has_no_number() -> None:
    session, reader = Session("acme", "uns", 3), Reader()
    reader.hears(list(session.birth([(PATH, metrics(snapshot(0, {"Speed": 1.5})))], T_MS)))
    death = session.death()
    assert not Payload.FromString(death.payload).HasField("seq")
    reader.hears([death])
    assert reader.known["tags/Speed"] is None, "it is stale"


def test_a_device_that_has_left_dies_alone() -> None:
    session, reader = Session("acme", "uns", 3), Reader()
    reader.hears(list(session.birth([(PATH, metrics(snapshot(0, {"Speed": 1.5})))], T_MS)))
    [death] = session.gone(PATH, T_MS)
    assert death.topic == f"spBv1.0/acme/DDEATH/uns/{device_of(PATH)}"
    reader.hears([death])
    assert reader.known["tags/Speed"] is None
    assert list(session.gone(PATH, T_MS)) == []


def test_qualities_and_what_is_none() -> None:
    tags = tuple(
        CurrentTag(tag=name, at=T_MS * 1_000, value=value, quality=quality)
        for name, value, quality in (("a", 1, 0x80000000), ("b", float("nan"), 0), ("c", 2, 0x40000000))
    )
    found = metrics(msgspec.structs.replace(EXAMPLE, tags=tags))
    assert [(found[f"tags/{name}"].value, found[f"tags/{name}"].quality) for name in "abc"] == [(1, 0), (None, 192), (2, 500)]  # fmt: skip
    assert changed(found, found) == {}


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_what_no_payload_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Unfit, match="surrogate"):
        metrics(msgspec.structs.replace(EXAMPLE, order=text))


def test_only_a_rebirth_is_heard() -> None:
    command = Payload()
    command.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
    assert asks_rebirth(command.SerializeToString())
    command.metrics[0].boolean_value = False
    assert not asks_rebirth(command.SerializeToString())
    assert not asks_rebirth(b"\xff\xff")
