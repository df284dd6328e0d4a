"""Patterns of topics with named parts: what they fit, what they ask the broker for, what they make of a topic."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import MqttConfig, Subscription
from connectors.mqtt.filters import covers, fewest
from connectors.mqtt.pattern import TOPIC_MAX, Pattern

LEVEL = st.sampled_from(["a", "b", "", "$x", "line-1", "L7"])
TOPIC = st.lists(LEVEL, min_size=1, max_size=5).map("/".join)
FILTER = st.lists(LEVEL | st.just("+"), min_size=1, max_size=4).flatmap(
    lambda levels: st.sampled_from([levels, [*levels, "#"], ["#"]]).map("/".join)
)
WORDS = ("{%s}", "{%s+}", "{%s*}", "{%s:[a-z]+}", "x-{%s}", "+", "a")


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    levels = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
    if levels[0] == "{%s*}":
        levels[0] = "a"
    return Pattern("/".join(level % f"p{n}" if "%s" in level else level for n, level in enumerate(levels)))


@pytest.mark.parametrize(
    ("pattern", "topic", "parts"),
    [
        ("factory/{site}/{tag+}", "factory/a/b/c", {"site": "a", "tag": "b/c"}),
        ("factory/{site}/{tag+}", "factory/a", None),
        ("factory/{site}/{tag*}", "factory/a", {"site": "a", "tag": ""}),
        ("factory/{site}/{tag*}", "factory/a/b", {"site": "a", "tag": "b"}),
        ("{where+}/_historian/{group*}", "a/b/_historian", {"where": "a/b", "group": ""}),
        ("{where+}/_historian/{group*}", "a/b/_historian/c/d", {"where": "a/b", "group": "c/d"}),
        ("{m:[A-Z0-9]+}/x", "M12/x", {"m": "M12"}),
        ("{m:[A-Z0-9]+}/x", "m12/x", None),
        ("{m:.+}/x", "a/b/x", None),
        ("press-{n:[0-9]{1,3}}-{side}/x", "press-12-left/x", {"n": "12", "side": "left"}),
        ("press-{n:[0-9]{1,3}}/x", "press-1234/x", None),
        ("{a}", "Füller A_1", {"a": "Füller A_1"}),
        ("{a}", "$SYS", None),
        ("a.b/{c}", "axb/1", None),
        ("+/{c}", "anything/1", {"c": "1"}),
        ("$share/g/{c}/x", "1/x", {"c": "1"}),
        ("{a}", "line\nbreak", {"a": "line\nbreak"}),
    ],
    ids=itertools.count(),
)
def test_what_a_pattern_makes_of_a_topic(pattern: str, topic: str, parts: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(topic) == parts


@given(patterns(), TOPIC)
def test_a_topic_that_fits_comes_by_the_filter(pattern: Pattern, topic: str) -> None:
    if pattern.match(topic) is not None:
        assert topic_matches_sub(pattern.filter, topic)


@given(FILTER, TOPIC)
def test_a_pattern_without_names_fits_what_mqtt_says(text: str, topic: str) -> None:
    pattern = Pattern(text)
    assert pattern.filter == text
    assert (pattern.match(topic) is not None) == topic_matches_sub(text, topic)


def test_names_without_rules_fit_all_that_their_filter_brings() -> None:
    pattern = Pattern("{a}/x/{b+}")
    assert pattern.filter == "+/x/#"
    assert pattern.match("1/x") is None  # the parent, which # brings: there is no b
    assert pattern.match("1/x/2/3") == {"a": "1", "b": "2/3"}


def test_a_topic_that_is_too_long_to_compare_fits_no_names() -> None:
    assert Pattern("{a+}/x/{b+}").match("a/" * TOPIC_MAX + "x/b") is None
    assert Pattern("#").match("a/" * TOPIC_MAX) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a/{b", "a named part is"),
        ("a/{B}", "a named part is"),
        ("a/x{b+}", "both a whole level"),
        ("a/{b:[}", "no regular expression"),
        ("a/{b:(x)}", "groups are written"),
        ("{b*}/a", "needs a level before it"),
        ("{b}/{b}", "two parts of one name"),
        ("$share/g", "no shared subscription"),
    ],
)
def test_a_pattern_that_is_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Pattern(text)


@given(FILTER, FILTER, TOPIC)
def test_a_filter_that_covers_another_brings_all_that_it_brings(one: str, other: str, topic: str) -> None:
    if covers(one, other) and topic_matches_sub(other, topic):
        assert topic_matches_sub(one, topic)


@given(st.lists(FILTER, max_size=5), TOPIC)
def test_the_fewest_filters_bring_the_same(filters: list[str], topic: str) -> None:
    few = fewest(filters)
    assert any(topic_matches_sub(one, topic) for one in few) == any(topic_matches_sub(one, topic) for one in filters)
    assert not any(covers(one, other) for one in few for other in few if one != other)


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [("a/#", "a", True), ("a/#", "a/+/b", True), ("a/+", "a/#", False), ("#", "$SYS/x", False), ("+/b", "a/b", True), ("$share/g/a", "a", False), ("#", "$share/g/a", False)],
)  # fmt: skip
def test_which_filter_covers_which(one: str, other: str, answer: bool) -> None:
    assert covers(one, other) is answer


def read(said_at: str, **options: Any) -> tuple[str, str]:
    """Path and tag, or the reason, of a bare value."""
    subscription = Subscription.model_validate({"payload": "value", **options})
    (said,) = Decoder([subscription]).decode(said_at, b"1", 1_795_413_600_000_000)
    return (str(said.path), said.sample.tag) if hasattr(said, "sample") else (said.reason, "")  # type: ignore[union-attr]


def test_names_of_a_plant_become_paths_by_mapping() -> None:
    options: dict[str, Any] = {
        "topic": "factory/{site}/{line}/{machine:[A-Z0-9]+}/{tag+}",
        "path": "acme/{site}/packaging/{line}/{machine}",
        "tag": "{tag}",
        "levels": "lower",
        "names": {"Werk Süd_2": "dallas", "M12": "capper"},
    }
    topic = "factory/Werk Süd_2/LINE-1/M12/Motor_1/Drehzahl ist"
    assert read(topic, **options) == ("acme/dallas/packaging/line-1/capper", "Motor_1.Drehzahl ist")
    assert read("factory/Leipzig/Line 1/M13/x", **options) == ("no_path", "")
    spelled = {**options, "levels": "spelled"}
    assert read("factory/Leipzig/Line 1/M13/x", **spelled) == ("acme/leipzig/packaging/line-1/m13", "x")
    assert read("factory/Leipzig/line-1/m13/x", **options) == ("no_path", "")  # the rule wants capitals


def test_a_name_can_stand_for_several_levels_of_the_path() -> None:
    options: dict[str, Any] = {
        "topic": "{m}/{t}",
        "path": "acme/dallas/packaging/{m}",
        "tag": "{t}",
        "names": {"M12": "line-1/capper"},
    }
    assert read("M12/x", **options) == ("acme/dallas/packaging/line-1/capper", "x")


def test_a_mapping_to_what_is_no_path_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'line-1'"):
        Subscription.model_validate({"topic": "{m}", "path": "acme/{m}", "names": {"M": "Line 1"}})


def test_what_is_not_read_is_not_asked_for() -> None:
    subscriptions = [
        {"topic": "a/{x}/get", "path": "acme", "says": "nothing"},
        {"topic": "a/{x}/{y}", "path": "acme", "payload": "value", "tag": "{y}"},
    ]
    config = MqttConfig.model_validate({"broker": "mqtt://h", "client_id": "c", "subscriptions": subscriptions})
    assert config.filters == ["a/+/+"]
    decoder = Decoder(config.every_subscription)
    assert decoder.decode("a/1/get", b"1", 1) == []
    assert len(decoder.decode("a/1/set", b"1", 1)) == 1
    with pytest.raises(ValueError, match="nothing is read"):
        MqttConfig.model_validate({"broker": "mqtt://h", "client_id": "c", "subscriptions": subscriptions[:1]})
