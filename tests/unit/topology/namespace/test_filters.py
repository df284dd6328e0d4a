"""Filters against an MQTT client's own matcher, and the topics they come to against trying every path."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from tests.harness.places import model, paths
from topology.model.plant import Plant
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.filters import BadFilter, Filter, topics
from topology.namespace.path import Level, Path
from topology.namespace.topics import parse_topic, topic

LETTERS = "ab"


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    levels = draw(st.lists(st.sampled_from([*LETTERS, "+"]), max_size=5))
    if draw(st.booleans()) or not levels:
        levels.append("#")
    return Filter.parse("/".join(levels))


def lettered(level: int) -> list[Path]:
    return [Path(parts) for parts in itertools.product(LETTERS, repeat=level)]


EVERY = [path for level in Level for path in lettered(level)]


@given(filters())
def test_a_filter_matches_as_mqtt_says(wanted: Filter) -> None:
    for path in EVERY:
        assert wanted.matches(path) == topic_matches_sub(str(wanted), str(path)), path


@given(filters(), st.sampled_from([path for path in EVERY if path.level <= Level.AREA]))
def test_a_place_may_match_if_and_only_if_some_path_in_its_topics_does(wanted: Filter, place: Path) -> None:
    home = topic(place, MessageClass.RAW)
    assert wanted.may_match_under(place) == any(
        wanted.matches(path) for path in EVERY if topic(path, MessageClass.RAW) == home
    )


@given(filters())
def test_a_filter_round_trips(wanted: Filter) -> None:
    assert Filter.parse(str(wanted)) == wanted


@given(paths())
def test_a_path_is_the_filter_of_itself(path: Path) -> None:
    assert Filter.parse(str(path)).matches(path)
    assert Filter.parse(f"{path}/#").matches(path)


def test_a_final_hash_takes_in_its_parent() -> None:
    assert Filter.parse("acme/#").matches(Path.parse("acme"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("acme/#/x", "may only be the last level"),
        ("acme/dal+", "whole level"),
        ("acme/x#", "whole level"),
        ("acme//x", "is empty"),
        ("Acme/#", "did you mean 'acme'"),
        ("acme/+/raw", "message class"),
        ("a/b/c/d/e/f", "at most 5 levels"),
        ("+/+/+/+/+/+", "at most 5 levels"),
        ("a/b/c/d/e/f/#", "at most 5 levels"),
    ],
)
def test_a_bad_filter_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadFilter) as refused:
        Filter.parse(text)
    assert why in str(refused.value)


@given(st.text(alphabet="ab/+#_", max_size=12))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    said = repr(text)
    try:
        assert str(Filter.parse(text)) == text
    except BadFilter as error:
        said = str(error)
    assert repr(text) in said


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("acme/#", ["acme", "acme/dallas", "acme/dallas/packaging", "acme/dallas/stamping", "acme/leipzig", "acme/leipzig/packaging"]),
        ("acme/+/packaging/#", ["acme/dallas/packaging", "acme/leipzig/packaging"]),
        ("acme/dallas/packaging/line-1/filler", ["acme/dallas/packaging"]),
        ("+/+/+/+/filler", ["acme/dallas/packaging", "acme/dallas/stamping", "acme/leipzig/packaging"]),
        ("acme/+", ["acme/dallas", "acme/leipzig"]),
        ("other/#", []),
    ],
)  # fmt: skip
def test_filters_and_classes_come_to_topics(text: str, places: list[str]) -> None:
    plant = Plant.model_validate(model())
    found = topics([Filter.parse(text)], [MessageClass.RAW, MessageClass.OEE], plant.places())
    assert found == sorted(
        topic(Path.parse(place), message_class)
        for place in places
        for message_class in (MessageClass.RAW, MessageClass.OEE)
    )


def test_internal_classes_come_only_when_named() -> None:
    places = Plant.model_validate(model()).places()
    everything = Filter.parse("#")
    assert not any(parse_topic(name)[1].internal for name in topics([everything], DERIVED, places))
    assert topics([everything], [MessageClass.QUARANTINE], places)[0] == "uns-internal.acme.dallas.packaging.quarantine"
