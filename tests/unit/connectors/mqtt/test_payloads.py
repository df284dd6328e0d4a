"""Messages as others write them: objects whose fields are tags, bare values, topics that are no paths."""

import json
from typing import Any

import pytest

from connectors.base import Malformed, Reading
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import Subscription
from topology.namespace.path import Path

PLACE = "acme/dallas/packaging/line-1/filler"
AT = 1_795_413_600_000_000
ARRIVED = AT + 7


def read(subscription: dict[str, Any], topic: str, payload: object) -> dict[str, tuple[Any, int]]:
    """Tag → (value, µs); nothing may be malformed."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    said = Decoder([Subscription.model_validate({"path": PLACE, **subscription})]).decode(topic, text.encode(), ARRIVED)
    values = {}
    for thing in said:
        assert isinstance(thing, Reading), thing
        assert thing.path == Path.parse(PLACE)
        assert thing.time_of == ("arrival" if thing.sample.at == ARRIVED else "source")
        values[thing.sample.tag] = (thing.sample.value, thing.sample.at)
    return values


def test_united_manufacturing_hub() -> None:
    """docs.umh.app: the payload of a `_historian` topic, with tag groups."""
    subscription = {"topic": "umh/v1/+/+/+/+/_historian/#", "payload": "object", "at": "timestamp_ms"}
    topic = "umh/v1/acme/dallas/packaging/line/_historian/axis"
    assert read(subscription, topic, {"timestamp_ms": 1795413600000, "pos": {"x": 12.5, "y": 7.4}, "state": 6}) == {
        "pos.x": (12.5, AT),
        "pos.y": (7.4, AT),
        "state": (6, AT),
    }


def test_tasmota() -> None:
    """tasmota.github.io: a SENSOR message; local time without an offset."""
    subscription = {
        "topic": "tele/+/SENSOR", "payload": "object", "at": "Time", "zone": "Europe/Berlin",
        "fields": {"Power": "ENERGY.Power", "Total": "ENERGY.Total"},
    }  # fmt: skip
    message = {"Time": "2026-11-23T07:00:00", "ENERGY": {"Total": 3.185, "Today": 0.01, "Power": 20, "Voltage": 230}}
    assert read(subscription, "tele/plug1/SENSOR", message) == {"Power": (20, AT), "Total": (3.185, AT)}


def test_shelly_and_zigbee2mqtt() -> None:
    """shelly-api-docs.shelly.cloud (NotifyStatus of a plug, seconds with fractions); zigbee2mqtt.io (no time at all)."""
    shelly = {"topic": "+/events/rpc", "payload": "object", "at": "params.ts", "time": "s", "fields": {"Power": 'params."switch:0".apower'}}  # fmt: skip
    message = {"src": "shellyplus1pm-a", "method": "NotifyStatus", "params": {"ts": 1795413600.25, "switch:0": {"id": 0, "apower": 8.9}}}  # fmt: skip
    assert read(shelly, "shellyplus1pm-a/events/rpc", message) == {"Power": (8.9, AT + 250_000)}
    zigbee = {"topic": "zigbee2mqtt/+", "payload": "object"}
    assert read(zigbee, "zigbee2mqtt/0x1", {"temperature": 27.3, "contact": True, "update": {"state": "idle"}}) == {
        "temperature": (27.3, ARRIVED),
        "contact": (True, ARRIVED),
        "update.state": ("idle", ARRIVED),
    }


@pytest.mark.parametrize(
    ("payload", "value"),
    [("21.5", 21.5), ("17", 17), ("true", True), ("null", None), ("on", "on"), ('"quoted"', "quoted"), (" 7 ", 7), ("00:10", "00:10")],
)  # fmt: skip
def test_bare_values(payload: str, value: Any) -> None:
    subscription = {"topic": "plant/+/+", "payload": "value", "tag": "{2}"}
    assert read(subscription, "plant/filler/Temperature", payload) == {"Temperature": (value, ARRIVED)}


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.5", 12.5), (" -7", -7), ("1e3", 1000.0), ("12,5", "12,5"), ("1e", "1e"), ("nan", "nan"), ("9" * 30, "9" * 30)],
)  # fmt: skip
def test_numbers_as_text(text: str, value: Any) -> None:
    for option in (True, False):
        subscription = {"topic": "a", "payload": "object", "text_numbers": option}
        assert read(subscription, "a", {"Speed": text}) == {"Speed": (value if option else text, ARRIVED)}


def test_lists_are_tags_by_place_and_a_name_may_hold_dots() -> None:
    subscription = {"topic": "a/+", "payload": "object", "tag": "{1}"}
    assert read(subscription, "a/Axes", {"pos": [1, {"x": 2}], "a.b": 3}) == {
        "Axes.pos.0": (1, ARRIVED),
        "Axes.pos.1.x": (2, ARRIVED),
        "Axes.a.b": (3, ARRIVED),
    }
    chosen = {"topic": "a/+", "payload": "object", "fields": {"X": "pos[1].x", "Dots": '"a.b"', "Gone": "no.such"}}
    assert read(chosen, "a/Axes", {"pos": [1, {"x": 2}], "a.b": 3}) == {"X": (2, ARRIVED), "Dots": (3, ARRIVED)}


def test_topics_are_spelled_as_paths_where_asked() -> None:
    for levels, path in (("spelled", "acme/dallas/packaging/line-1/fuller-a"), ("as_they_are", None)):
        subscription = Subscription.model_validate(
            {"topic": "Werk/+/+", "path": "acme/dallas/packaging/{1}/{2}", "payload": "object", "levels": levels}
        )
        (said,) = Decoder([subscription]).decode("Werk/Line 1/Füller_A", b'{"A": 1}', ARRIVED)
        if path is None:
            assert isinstance(said, Malformed)
            assert (said.reason, "`levels` spell it anew" in said.message) == ("no_path", True)
        else:
            assert said.path == Path.parse(path)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[1]", "bad_payload"),
        (b"1", "bad_payload"),
        (b"{", "bad_json"),
        (b'{"at": 5, "A": 1}', "bad_time"),
        (b'{"A": 1}', "bad_time"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "bad_time"),
    ],
)
def test_an_object_that_is_none(payload: bytes, reason: str) -> None:
    subscription = Subscription.model_validate({"topic": "a", "path": PLACE, "payload": "object", "at": "at"})
    (said,) = Decoder([subscription]).decode("a", payload, ARRIVED)
    assert isinstance(said, Malformed)
    assert (said.reason, said.payload) == (reason, payload)


def test_one_bad_field_does_not_spoil_the_rest() -> None:
    subscription = Subscription.model_validate({"topic": "a", "path": PLACE, "payload": "object"})
    said = Decoder([subscription]).decode("a", b'{"A": 1, "B": 1e999, "": 2, "C": 3}', ARRIVED)
    assert [type(thing).__name__ for thing in said] == ["Reading", "Malformed", "Malformed", "Reading"]


def test_what_is_nested_too_deep_is_malformed() -> None:
    subscription = Subscription.model_validate({"topic": "a", "path": PLACE, "payload": "object"})
    for depth in (40, 500, 5000):
        said = Decoder([subscription]).decode("a", b'{"a":' * depth + b"1" + b"}" * depth, ARRIVED)
        assert isinstance(said[-1], Malformed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"payload": "value"}, "needs `tag`"),
        ({"tag": "{0}"}, "`tag` goes with payload"),
        ({"fields": {"A": "a"}, "payload": "value", "tag": "A"}, "`fields` goes with"),
        ({"at": "Time", "payload": "order"}, "`at` goes with"),
        ({"zone": "Berlin"}, "no time zone"),
        ({"payload": "value", "tag": "{9}"}, "no level 9"),
        ({"topic": "$share/g"}, "shared subscription"),
        ({"topic": "$share//a"}, "shared subscription"),
        ({"time": "min"}, "time"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Subscription.model_validate({"topic": "a/b", "path": PLACE, **options})
