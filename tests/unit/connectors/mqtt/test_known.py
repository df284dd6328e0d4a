"""Which tags a dead device takes back."""

from connectors.base import Malformed, Reading, Safe
from connectors.mqtt import known as module
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import Subscription
from connectors.mqtt.known import NO_COMMUNICATION, Known
from schemas.records import GOOD, Sample
from topology.namespace.path import Path

PLACE = Path.parse("acme/dallas/packaging/line-1/room")
AT = 1_795_413_600_000_000
SUBSCRIPTIONS = [
    Subscription.model_validate(one)
    for one in (
        {"topic": "{device}/state", "path": str(PLACE), "tag": "{device}", "says": "availability"},
        {"topic": "{device}/{tag}", "path": str(PLACE), "tag": "{device}.{tag}", "payload": "value"},
    )
]


def test_two_devices_of_one_path_die_apart() -> None:
    decoder = Decoder(SUBSCRIPTIONS)
    for topic in ("lamp/power", "lamp-2/power"):
        decoder.decode(topic, b"1", AT)
    assert decoder.decode("lamp/state", b"offline", AT + 1) == [
        Reading(PLACE, Sample("lamp.power", AT + 1, None, NO_COMMUNICATION), "arrival")
    ]
    assert decoder.decode("lamp/state", b"offline", AT + 2) == []
    decoder.decode("lamp/power", b"2", AT + 3)
    assert len(decoder.decode("lamp/state", b'{"state": "offline"}', AT + 4)) == 1


def test_a_run_before_is_remembered_and_what_was_away_is_not_said_again() -> None:
    decoder = Decoder(SUBSCRIPTIONS)
    decoder.begin({(PLACE, "lamp.power"): Safe(AT, 1, GOOD), (PLACE, "lamp.gone"): Safe(AT, None, NO_COMMUNICATION)})
    said = decoder.decode("lamp/state", b"false", AT + 1)
    assert [thing.sample.tag for thing in said if isinstance(thing, Reading)] == ["lamp.power"]


def test_the_end_of_a_device_whose_clock_is_ahead_is_behind_its_last_value() -> None:
    known = Known()
    known.note([Reading(PLACE, Sample("A", AT + 60_000_000, 1))])
    (end,) = known.gone(PLACE, None, AT)
    assert end.sample.at == AT + 60_000_001


def test_an_older_value_does_not_bring_a_tag_back() -> None:
    known = Known()
    known.note([Reading(PLACE, Sample("A", AT, 1))])
    assert len(known.gone(PLACE, None, AT + 5)) == 1
    known.note([Reading(PLACE, Sample("A", AT + 1, 1))])
    assert known.gone(PLACE, None, AT + 6) == []


def test_what_says_neither_is_malformed() -> None:
    for payload in (b"perhaps", b"\xff", b"[]", b"{}", b'{"state": {}}', b"2", b"[" * 100_000):
        (bad,) = Decoder(SUBSCRIPTIONS).decode("lamp/state", payload, AT)
        assert isinstance(bad, Malformed)
        assert (bad.reason, bad.payload) == ("bad_payload", payload)


def test_a_device_that_invents_tags_does_not_fill_the_memory() -> None:
    known = Known()
    known._count = module.TAGS_MAX - 1
    known.note(Reading(PLACE, Sample(tag, AT, 1)) for tag in ("A", "B"))
    assert [end.sample.tag for end in known.gone(PLACE, None, AT + 1)] == ["A"]
