"""MQTT messages to readings: whatever is said, the answer is readings, facts or `Malformed`."""

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from connectors.base import FactReading, Malformed, Reading
from connectors.kit.message import PAYLOAD_MAX_BYTES
from connectors.kit.times import BadTime, micros
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import MqttConfig, Subscription
from connectors.mqtt.filters import filters_of, matches
from schemas.records import Acknowledge, Break, Fact, Inspection, Lot, Order, Reason, Sample, Shift
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
TOPIC = "dallas/line-1/filler/data"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT = 1_795_413_600_000_000
MS = AT // 1000
KINDS = ("samples", "order", "lot", "shift", "reason", "inspection", "acknowledge")
DECODER = Decoder(
    [
        Subscription.model_validate(
            {"topic": f"facts/+/+/{kind}", "path": "acme/dallas/packaging/{1}/{2}", "payload": kind}
        )
        for kind in KINDS
    ]
    + [Subscription.model_validate({"topic": "dallas/+/+/data", "path": "acme/dallas/packaging/{1}/{2}"})]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["at", "values", "samples", "tag", "value", "quality", "id", "started_at", "breaks", "code", "by"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def say(document: object, topic: str = TOPIC) -> list[Reading | FactReading | Malformed]:
    return DECODER.decode(topic, json.dumps(document).encode())


def one_malformed(parts: list[Reading | FactReading | Malformed]) -> Malformed:
    assert len(parts) == 1
    assert isinstance(parts[0], Malformed)
    return parts[0]


def test_values_share_one_time() -> None:
    assert say({"at": "2026-11-23T06:00:00Z", "values": {"State": 6, "Speed": 1.5, "Name": "ä", "On": True, "Gone": None}}) == [
        Reading(PATH, Sample(tag, AT, value, 0))
        for tag, value in (("State", 6), ("Speed", 1.5), ("Name", "ä"), ("On", True), ("Gone", None))
    ]  # fmt: skip


def test_samples_have_their_own_times_and_qualities() -> None:
    bad = 0x80000000
    assert say({"samples": [{"tag": "A", "at": 1_795_413_600_000, "value": 1}, {"tag": "A", "at": "2026-11-23T07:00:00+01:00", "value": 2, "quality": bad}]}) == [
        Reading(PATH, Sample("A", AT, 1, 0)),
        Reading(PATH, Sample("A", AT, 2, bad)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"tag": "B", "at": MS, "value": [1]}, "bad_value"),
        ({"tag": "B", "at": MS, "value": {"a": 1}}, "bad_value"),
        ({"tag": "B", "at": MS, "value": 2**63}, "bad_value"),
        ({"tag": "B", "at": MS, "value": -(2**63) - 1}, "bad_value"),
        ({"tag": "B", "at": MS}, "bad_payload"),
        ({"tag": "B", "value": 1}, "bad_time"),
        ({"tag": "B", "at": "2026-11-23T06:00:00", "value": 1}, "bad_time"),
        ({"tag": "B", "at": "soon", "value": 1}, "bad_time"),
        ({"tag": "B", "at": -1, "value": 1}, "bad_time"),
        ({"tag": "B", "at": True, "value": 1}, "bad_time"),
        ({"tag": "B", "at": 10**400, "value": 1}, "bad_time"),
        ({"tag": "B", "at": MS, "value": 1, "quality": -1}, "bad_payload"),
        ({"tag": "B", "at": MS, "value": 1, "quality": 2**32}, "bad_payload"),
        ({"tag": "B", "at": MS, "value": 1, "quality": True}, "bad_payload"),
        ({"tag": "", "at": MS, "value": 1}, "bad_payload"),
        ({"tag": 7, "at": MS, "value": 1}, "bad_payload"),
        ("B", "bad_payload"),
        (None, "bad_payload"),
    ],
)
def test_one_bad_sample_does_not_spoil_the_rest(bad: object, reason: str) -> None:
    first, middle, last = say(
        {"samples": [{"tag": "A", "at": MS, "value": 1}, bad, {"tag": "C", "at": MS + 1, "value": 2**63 - 1}]}
    )
    assert first == Reading(PATH, Sample("A", AT, 1))
    assert last == Reading(PATH, Sample("C", AT + 1000, 2**63 - 1))
    assert isinstance(middle, Malformed)
    assert (middle.reason, middle.origin, middle.path) == (reason, TOPIC, PATH)
    assert json.loads(middle.payload) == bad
    assert TOPIC in middle.message


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "bad_json"),
        (b"\xff\xfe\x00", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b"1" * 5000, "bad_json"),
        (b"[1]", "bad_payload"),
        (b"{}", "bad_payload"),
        (b'{"values": [1], "at": 1795413600000}', "bad_payload"),
        (b'{"samples": {}}', "bad_payload"),
        (b'{"values": {"A": 1}}', "bad_time"),
        (b'{"values": {"A": 1}, "at": NaN}', "bad_time"),
        (b'{"values": {"A": 1}, "at": 1795413600000, "quality": "good"}', "bad_payload"),
        (b'"' + b"a" * PAYLOAD_MAX_BYTES + b'"', "too_large"),
    ],
)
def test_a_bad_message_is_kept_byte_for_byte(payload: bytes, reason: str) -> None:
    bad = one_malformed(DECODER.decode(TOPIC, payload))
    assert (bad.payload, bad.reason, bad.path) == (payload, reason, PATH)


def test_what_is_nested_too_deep_is_malformed_at_any_depth() -> None:
    for depth in range(50, 1200, 13):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        for topic in (TOPIC, *(f"facts/line-1/filler/{kind}" for kind in KINDS[1:])):
            assert isinstance(one_malformed(DECODER.decode(topic, nested)), Malformed)
        parts = DECODER.decode(TOPIC, b'{"at": 1795413600000, "values": {"A": %b, "B": 2}}' % nested)
        if len(parts) > 1:
            assert parts[1] == Reading(PATH, Sample("B", AT, 2))
        assert isinstance(parts[0], Malformed)


def test_a_topic_without_a_path_is_told() -> None:
    assert one_malformed(say({}, "somewhere/else")).reason == "no_path"
    assert one_malformed(say({}, "dallas/Line 1/filler/data")).reason == "no_path"
    assert one_malformed(say({}, "dallas/Line 1/filler/data")).path is None


@pytest.mark.parametrize(
    ("kind", "document", "fact"),
    [
        (
            "order",
            {"id": "o-1", "product": "cola", "started_at": "2026-11-23T06:00:00Z", "planned_quantity": 100},
            Order(id="o-1", product="cola", started_at=AT, planned_quantity=100),
        ),
        (
            "lot",
            {"id": "l-1", "material": "cap", "started_at": AT // 1000, "ended_at": AT // 1000 + 1},
            Lot(id="l-1", material="cap", started_at=AT, ended_at=AT + 1000),
        ),
        (
            "shift",
            {
                "id": "s-1",
                "name": "early",
                "started_at": AT // 1000,
                "ended_at": "2026-11-23T14:00:00Z",
                "breaks": [{"started_at": AT // 1000 + 5, "ended_at": AT // 1000 + 6}],
            },
            Shift(
                id="s-1",
                name="early",
                started_at=AT,
                ended_at=AT + 8 * 3600 * 1_000_000,
                breaks=(Break(AT + 5000, AT + 6000),),
            ),
        ),
        (
            "reason",
            {"id": "r-1", "code": 101, "started_at": AT // 1000, "ended_at": None, "by": "anna"},
            Reason(id="r-1", code=101, started_at=AT, by="anna"),
        ),
        (
            "inspection",
            {"id": "i-1", "characteristic": "FillVolume", "at": AT // 1000, "value": 500.5},
            Inspection(id="i-1", characteristic="FillVolume", at=AT, value=500.5),
        ),
        (
            "acknowledge",
            {"alert": "a-1", "at": AT // 1000, "by": "anna", "comment": "seen"},
            Acknowledge(alert="a-1", at=AT, by="anna", comment="seen"),
        ),
    ],
)
def test_facts_of_every_kind(kind: str, document: dict[str, Any], fact: Fact) -> None:
    topic = f"facts/line-1/filler/{kind}"
    assert say(document, topic) == [FactReading(PATH, fact)]
    for left_out in document:
        if left_out in ("planned_quantity", "ended_at", "breaks", "comment") and kind != "shift":
            continue
        if left_out == "breaks":
            continue
        bad = one_malformed(say({name: value for name, value in document.items() if name != left_out}, topic))
        assert (bad.reason, left_out in bad.message) == ("bad_fact", True)
    time = "at" if "at" in document else "started_at"
    assert one_malformed(say(document | {time: "yesterday"}, topic)).reason == "bad_time"
    assert one_malformed(say(document | {"by": 7, "id": 7}, topic)).reason == "bad_fact"


@given(st.binary(max_size=200), st.sampled_from([TOPIC, *(f"facts/line-1/filler/{kind}" for kind in KINDS), "other"]))
@example(b'{"at": 1795413600000, "values": {"\\ud800": 1}}', TOPIC)
@example(b'{"id": "\\ud800", "product": "", "started_at": 1}', "facts/line-1/filler/order")
def test_any_bytes_give_an_answer(payload: bytes, topic: str) -> None:
    parts = DECODER.decode(topic, payload)
    assert all(isinstance(part, Reading | FactReading | Malformed) for part in parts)


@given(JSON, st.sampled_from([TOPIC, *(f"facts/line-1/filler/{kind}" for kind in KINDS)]))
def test_any_json_gives_an_answer_for_every_part(document: Any, topic: str) -> None:
    parts = say(document, topic)
    if topic in (TOPIC, "facts/line-1/filler/samples") and isinstance(document, dict) and "values" not in document:
        listed = document.get("samples")
        assert len(parts) == (len(listed) if isinstance(listed, list) else 1)
    for part in parts:
        if isinstance(part, Reading):
            assert -(2**63) <= part.sample.at < 2**63
            assert 0 <= part.sample.quality < 2**32


LEVEL = st.sampled_from(["a", "b", "", "$x", "line-1"])


@given(
    st.lists(LEVEL | st.just("+"), min_size=1, max_size=4).flatmap(
        lambda levels: st.sampled_from([levels, [*levels, "#"], ["#"]])
    ),
    st.lists(LEVEL, min_size=1, max_size=5),
)
def test_topics_match_as_paho_says(pattern: list[str], topic: list[str]) -> None:
    assert matches("/".join(pattern), "/".join(topic)) == topic_matches_sub("/".join(pattern), "/".join(topic))


@given(st.datetimes(datetime(1990, 2, 3), datetime(2199, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_iso_times_are_exact(naive: datetime, offset_min: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    assert EPOCH + timedelta(microseconds=micros(moment.isoformat())) == moment


@given(st.integers(700_000_000_000_000, 4_102_444_800_000_000))  # 1992 to 2100
def test_epoch_milliseconds_are_exact_to_the_microsecond(at: int) -> None:
    assert micros(at // 1000) == at // 1000 * 1000
    assert micros(at / 1000) == at
    assert micros(json.loads(f"{at // 1000}.{at % 1000:03}")) == at


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1_795_413_600, "ms", "is 1970-01-21T18:43:33.*looks like 2026-11-23T06:00:00.* in s: say `time: s`"),
        (1_795_413_600_000, "s", "no year.*in ms: say `time: ms`"),
        (12.5, "ms", "is the clock of the source set"),
        ("1990-01-01T00:00:00Z", "ms", "before 1990"),
        (float("nan"), "ms", "no time in ms"),
        ("2026-11-23T06:00:00", "ms", "name its `zone`"),
    ],
)
def test_a_time_that_cannot_be_one_says_what_it_looks_like(value: Any, unit: Any, words: str) -> None:
    with pytest.raises(BadTime, match=words):
        micros(value, unit)


def test_times_in_every_unit_as_text_and_in_a_zone() -> None:
    second = AT // 1_000_000
    for unit, factor in (("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)):
        assert micros(second * factor, unit) == AT  # type: ignore[arg-type]
        assert micros(str(second * factor), unit) == AT  # type: ignore[arg-type]
    assert micros(second + 0.25, "s") == AT + 250_000
    assert micros("2026-11-23T07:00:00", zone=ZoneInfo("Europe/Berlin")) == AT


def test_an_empty_payload_takes_a_retained_value_back_and_says_nothing() -> None:
    assert DECODER.decode(TOPIC, b"") == []
    assert one_malformed(DECODER.decode("somewhere/else", b"")).reason == "no_path"


def test_a_name_that_stands_twice_is_no_message_and_a_number_that_is_none_no_value() -> None:
    bad = one_malformed(DECODER.decode(TOPIC, b'{"at": 1795413600000, "values": {"A": 1, "A": 2}}'))
    assert (bad.reason, "'A' stands twice" in bad.message) == ("bad_json", True)
    parts = DECODER.decode(TOPIC, b'{"at": 1795413600000, "values": {"A": 1e999, "B": NaN, "C": 1}}')
    assert [part.reason for part in parts if isinstance(part, Malformed)] == ["bad_value", "bad_value"]
    assert parts[2] == Reading(PATH, Sample("C", AT, 1))


@given(st.lists(st.sampled_from(["a", "b", "", "line 1"]), min_size=1, max_size=9))
def test_filters_of_a_topic_are_those_that_match_it(levels: list[str]) -> None:
    topic = "/".join(levels)
    filters = set(filters_of(topic))
    assert all(topic_matches_sub(one, topic) for one in filters)
    if len(levels) <= 3:
        parts = [*set(levels), "+", "#"]
        every = {"/".join(some) for n in range(1, len(levels) + 2) for some in itertools.product(parts, repeat=n)}
        every = {one for one in every if "#" not in one[:-1]}
        assert {one for one in every if topic_matches_sub(one, topic)} == filters


def test_a_shared_subscription_matches_what_stands_behind_its_group() -> None:
    assert matches("$share/group/a/+/c", "a/b/c")
    assert not matches("$share/group/a/+/c", "$share/group/a/b/c")
    assert not matches("$share/group", "group")
    (part,) = Decoder(
        [Subscription.model_validate({"topic": "$share/uns/+/+/data", "path": "acme/dallas/packaging/{0}/{1}"})]
    ).decode("line-1/filler/data", b'{"at": 1795413600000, "values": {"A": 1}}')
    assert part == Reading(PATH, Sample("A", AT, 1))


def test_the_first_subscription_that_matches_decides() -> None:
    decoder = Decoder(
        MqttConfig.model_validate(
            {
                "broker": "mqtt://localhost",
                "client_id": "x",
                "subscriptions": [
                    {"topic": "a/b", "path": "acme/dallas/packaging/line-1/first"},
                    {"topic": "a/#", "path": "acme/dallas/packaging/line-1/second"},
                ],
            }
        ).subscriptions
    )
    payload = b'{"at": 1795413600000, "values": {"A": 1}}'
    for topic, cell in (("a/b", "first"), ("a/c", "second"), ("a", "second"), ("a/b", "first")):
        (part,) = decoder.decode(topic, payload)
        assert part.path is not None
        assert part.path.segments[-1] == cell
