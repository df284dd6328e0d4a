"""Topic, key and partition: nothing meets that should not, and a line never splits."""

import re

import pytest
from aiokafka.partitioner import murmur2 as other_murmur2
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.harness.places import paths, segments
from topology.namespace.classes import MessageClass
from topology.namespace.path import BadPath, Level, Path
from topology.namespace.topics import key, murmur2, parse_topic, partition, topic

CLASSES = st.sampled_from(list(MessageClass))
KAFKA_NAME_MAX = 249


@given(paths(), CLASSES)
def test_a_topic_says_its_place_and_class(path: Path, message_class: MessageClass) -> None:
    home = path.at(min(path.level, Level.AREA))
    assert parse_topic(topic(path, message_class)) == (home, message_class)


@given(paths(), CLASSES, paths(), CLASSES)
def test_no_two_paths_and_classes_share_topic_and_key(
    one: Path, one_class: MessageClass, other: Path, other_class: MessageClass
) -> None:
    assume((one, one_class) != (other, other_class))
    assert (topic(one, one_class), key(one)) != (topic(other, other_class), key(other))


# Segments that glue together in every way that could confuse `a.b` with `a-b`, or a place with a class.
TRICKY = st.lists(st.sampled_from(["a", "b", "a-b", "b-a", "uns", "internal", "uns-internal"]), min_size=1, max_size=5)


@given(TRICKY, CLASSES, TRICKY, CLASSES)
def test_topics_stay_apart_where_kafka_takes_dots_for_underscores(
    one: list[str], one_class: MessageClass, other: list[str], other_class: MessageClass
) -> None:
    names = {topic(Path(tuple(one)), one_class), topic(Path(tuple(other)), other_class)}
    assert len({name.replace(".", "_") for name in names}) == len(names)


@given(st.lists(segments(), min_size=3, max_size=5), CLASSES)
def test_a_topic_is_a_name_that_kafka_takes(parts: list[str], message_class: MessageClass) -> None:
    name = topic(Path(tuple(parts)), message_class)
    assert re.fullmatch(r"[a-z0-9.-]+", name)
    assert len(name) <= KAFKA_NAME_MAX


def test_the_longest_topic_fits() -> None:
    longest = Path.parse("/".join(["x" * 32] * 5))
    assert max(len(topic(longest, message_class)) for message_class in MessageClass) <= KAFKA_NAME_MAX


@given(paths(Level.LINE), segments(), segments(), st.integers(1, 1000))
def test_a_line_and_all_its_cells_are_in_one_partition(path: Path, one: str, other: str, partitions: int) -> None:
    line = path.at(Level.LINE)
    places = [line, *(Path((*line.segments, cell)) for cell in (one, other))]
    found = {partition(place, partitions) for place in places}
    assert len(found) == 1
    assert found.pop() in range(partitions)


def test_lines_spread_over_partitions() -> None:
    lines = [Path.parse(f"acme/dallas/packaging/line-{number}") for number in range(200)]
    counts = [sum(partition(line, 4) == number for line in lines) for number in range(4)]
    assert min(counts) > 25


# org.apache.kafka.common.utils.UtilsTest, signed there.
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("data", VECTORS)
def test_murmur2_is_kafkas(data: bytes) -> None:
    assert murmur2(data) == VECTORS[data] % 2**32


@given(st.binary(max_size=200))
def test_murmur2_agrees_with_another_library(data: bytes) -> None:
    assert murmur2(data) == other_murmur2(data) % 2**32


@pytest.mark.parametrize(
    "name",
    ["", "uns", "uns.raw", "uns.acme.dallas", "other.acme.raw", "uns.acme.quarantine", "uns-internal.acme.raw", "uns.Acme.raw",
     "uns.a.b.c.d.raw", "uns..raw", "_schemas", "uns.acme_dallas.raw"],
)  # fmt: skip
def test_other_topics_are_refused(name: str) -> None:
    with pytest.raises(BadPath):
        parse_topic(name)


@pytest.mark.parametrize("message_class", MessageClass)
def test_reading_a_site_never_grants_what_is_internal(message_class: MessageClass) -> None:
    name = topic(Path.parse("acme/dallas/packaging"), message_class)
    assert name.startswith("uns.acme.dallas.") != message_class.internal
