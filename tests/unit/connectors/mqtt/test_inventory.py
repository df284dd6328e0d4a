"""What topics are told to say, and that the subscriptions written from it read just that."""

import json
from collections.abc import Sequence
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Found, LeftOut, Malformed, Reading
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import MqttConfig
from connectors.mqtt.inventory import BETWEEN, TIME, Inventory, listing

PLACE = "acme/dallas/packaging/line-1/filler"
AT = 1_795_413_600_000_000
CONFIG = MqttConfig.model_validate(
    {"broker": "mqtt://h", "client_id": "uns", "subscriptions": [{"topic": "a", "path": PLACE}]}
)
NAMES = st.sampled_from(["a", "b c", "switch:0", 'quo"te', "ts", "Füller", "a.b", "true", "{x}", " "])
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, width=16) | st.text(max_size=2)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


def heard(*messages: tuple[str, object]) -> list[Found | LeftOut]:
    inventory = Inventory()
    return [found for topic, said in messages for found in inventory.heard(topic, _payload(said))]


def _payload(said: object) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said).encode()


def written(found: Sequence[Found | LeftOut]) -> Decoder:
    """The decoder of the subscriptions that read what was found."""
    document = yaml.safe_load(listing(CONFIG, {PLACE: [one for one in found if isinstance(one, Found)]}))
    config = MqttConfig.model_validate({"broker": "mqtt://h", "client_id": "uns", **document})
    return Decoder(config.every_subscription)


def test_each_field_of_each_topic_once_with_its_value_and_time() -> None:
    found = heard(
        ("tele/oven/SENSOR", {"Time": "2026-11-23T07:00:00", "ENERGY": {"Power": 20}}),
        ("tele/oven/SENSOR", {"Time": "2026-11-23T07:00:01", "ENERGY": {"Power": 21, "switch:0": True}}),
        ("plant/filler/Speed", 1.5),
        ("plant/filler/Name", b"on"),
    )
    assert [(one.address, one.tag, one.machine, one.type, one.sample) for one in found if isinstance(one, Found)] == [
        ("tele/oven/SENSOR | Time", "Time", "oven", "time iso", "2026-11-23T07:00:00"),
        ("tele/oven/SENSOR | ENERGY.Power", "ENERGY.Power", "oven", "integer", 20),
        ('tele/oven/SENSOR | ENERGY."switch:0"', "ENERGY.switch:0", "oven", "boolean", True),
        ("plant/filler/Speed", "Speed", "filler", "number", 1.5),
        ("plant/filler/Name", "Name", "filler", "text", "on"),
    ]


def test_the_profile_that_fits_is_named() -> None:
    topics = {
        "tele/oven/SENSOR": "tasmota",
        "umh/v1/acme/dallas/_historian": "umh",
        "zigbee2mqtt/kitchen/lamp": "zigbee2mqtt",
        "shellies/plug/relay/0": "shelly",
        "homeassistant/sensor/kitchen/state": "homeassistant",
    }
    for topic, name in topics.items():
        (found,) = heard((topic, {"Power": 1}))
        assert isinstance(found, Found)
        assert found.description == f"profile {name} fits"


def test_the_subscriptions_written_read_values_and_times() -> None:
    messages: list[tuple[str, object]] = [
        ("dallas/filler/data", {"ts": AT / 1e6, "values": [1, {"x": None}], "state": "on"}),
        ("dallas/filler/Temp", 21.5),
    ]
    decoder = written(heard(*messages))
    said = [thing for topic, one in messages for thing in decoder.decode(topic, _payload(one), AT + 5)]
    assert [
        (thing.sample.tag, thing.sample.at, thing.sample.value) for thing in said if isinstance(thing, Reading)
    ] == [
        ("values.0", AT, 1),
        ("values.1.x", AT, None),
        ("state", AT, "on"),
        ("Temp", AT + 5, 21.5),
    ]
    assert len(said) == 4


def test_what_is_neither_text_nor_json_is_left_out_and_said() -> None:
    found = heard(("a", b"\xff\x00"), ("a", b"\xff\x00"), ("b", b'{"a": 1, "a": 2}'), ("c", b""))
    assert found == [
        LeftOut("a: 2 bytes that are neither JSON nor text"),
        LeftOut("b: 'a' stands twice in one object"),
    ]


def test_a_name_that_no_yaml_can_hold_as_a_key_is_left_out() -> None:
    long, short = heard(("a", {"x" * 2_000: 1, "\x07" * 200: 1, "y": 2}))[::2]
    assert isinstance(long, LeftOut)
    assert isinstance(short, Found)
    written([short])


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS)
def test_of_any_document_what_is_written_reads_what_was_found(document: Any) -> None:
    found = heard(("line/filler/data", document))
    fields = [one for one in found if isinstance(one, Found) and not one.type.startswith(TIME)]
    if not fields or len({one.tag for one in fields}) < len(fields) or any(not one.tag for one in fields):
        return
    decoder = written([one for one in found if isinstance(one, Found)])
    said = decoder.decode("line/filler/data", _payload(document), AT)
    if any(isinstance(thing, Malformed) and thing.reason in ("bad_time", "too_large") for thing in said):
        return  # of several times the first is taken, and may be none
    assert len(said) == len(fields)
    for thing, one in zip(said, fields, strict=True):
        if isinstance(thing, Reading):
            assert (thing.sample.tag, repr(thing.sample.value)) == (one.tag, repr(one.sample))
    assert all(BETWEEN in one.address for one in fields) == isinstance(document, dict | list)
