"""Chunks hold what was put in, never overlap, and of two samples of one time the later in the log stays."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Value
from sinks.historian.chunks import (
    AT,
    BYTES_MAX,
    DAY_US,
    OFFSET,
    ORIGIN,
    POINTS_MAX,
    SEQUENCE,
    Chunk,
    Head,
    Point,
    columns,
    cut,
    merged,
    newer,
    placed,
    points,
    settled,
    size,
)

LOGS = {1: ("t", 0), 2: ("t", 0), 3: ("t", 1)}
"""Two sources in one partition, and another partition."""
INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), INT64, st.floats(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
)
POINTS = st.tuples(
    st.integers(-5, 40).map(lambda n: n * DAY_US // 12 + n),
    VALUES,
    st.sampled_from([0, 0, 2**31, 2**32 - 1]),
    st.sampled_from([1, 1, 1, 2, 3]),
    st.one_of(st.integers(0, 50), st.integers(0, 2**62)),
    st.integers(0, 2**62),
)


def read(text: str | None, kind: type) -> list[Any] | None:
    """PostgreSQL's text of an array, of the kinds that need no server to read."""
    if text is None:
        return None
    return [
        None if part == "NULL" else part == "True" if kind is bool else kind(part) for part in text[1:-1].split(",")
    ]


def unquoted(text: str | None) -> list[str | None] | None:
    if text is None:
        return None
    found: list[str | None] = []
    place = 1
    while place < len(text):
        if text.startswith("NULL", place):
            found.append(None)
            place += 5
            continue
        place += 1
        word = ""
        while text[place] != '"':
            place += text[place] == "\\"
            word += text[place]
            place += 1
        found.append(word)
        place += 2
    return found


def stored(found: list[Point]) -> Chunk:
    origin, offset, sequence, at, number, integer, text, boolean, quality, offsets, sequences = columns(found)
    ats = read(at, int)
    assert ats is not None
    return Chunk(
        7, found[0][AT], origin, offset, sequence, ats, read(number, float), read(integer, int), unquoted(text),
        read(boolean, bool), read(quality, int), read(offsets, int), read(sequences, int),
    )  # fmt: skip


def by_time(found: list[Point]) -> dict[int, Point]:
    """One after the other."""
    kept: dict[int, Point] = {}
    for point in found:
        if point[AT] not in kept or newer(point, kept[point[AT]], LOGS):
            kept[point[AT]] = point
    return kept


@given(st.lists(POINTS, max_size=60))
def test_what_is_put_into_chunks_comes_out_again(found: list[Point]) -> None:
    settled_ = list(settled(found, LOGS, []))
    chunks = [list(chunk) for chunk in cut(settled_)]
    assert [repr(point) for chunk in chunks for point in points(stored(chunk))] == [repr(point) for point in settled_]
    for chunk in chunks:
        assert len({point[ORIGIN] for point in chunk}) == 1
        assert len({point[AT] // DAY_US for point in chunk}) == 1
        for column in (OFFSET, SEQUENCE):
            assert all(abs(point[column] - chunk[0][column]) < 2**31 for point in chunk)  # type: ignore[operator]


@given(st.lists(POINTS, max_size=40))
def test_of_one_time_the_later_in_the_log_stays_and_no_other_value_is_forgotten(found: list[Point]) -> None:
    lost: list[Point] = []
    kept = settled(found, LOGS, lost)
    assert [repr(p) for p in kept] == [repr(p) for _, p in sorted(by_time(found).items())]
    said = {(p[AT], repr(p[1]), p[2]) for p in found}
    assert said == {(p[AT], repr(p[1]), p[2]) for p in [*kept, *lost]}


@given(st.lists(POINTS, max_size=30), st.lists(POINTS, max_size=30))
def test_what_comes_to_what_is_there_is_as_if_it_had_come_with_it(first: list[Point], then: list[Point]) -> None:
    stored_ = settled(first, LOGS, [])
    once = merged(stored_, then, LOGS, [])
    assert [repr(p) for p in once] == [repr(p) for p in settled([*stored_, *then], LOGS, [])]
    lost: list[Point] = []
    later = [point for point in once if point[ORIGIN] != 3]
    assert merged(once, later, LOGS, lost) == once
    assert lost == []


@given(st.lists(POINTS, max_size=40), st.lists(POINTS, max_size=20), st.integers(0, 5))
def test_chunks_never_overlap(first: list[Point], then: list[Point], small: int) -> None:
    chunks = {chunk[0][AT]: list(chunk) for chunk in cut(list(settled(first, LOGS, [])))}
    heads = [Head(begin, chunk[-1][AT], len(chunk) < small) for begin, chunk in sorted(chunks.items())]
    inside, between = placed(list(settled(then, LOGS, [])), heads)
    made = [list(chunk) for gap in between for chunk in cut(gap)]
    for begin, new in inside.items():
        made += [list(chunk) for chunk in cut(merged(chunks.pop(begin), new, LOGS, []))]
    spans = sorted((chunk[0][AT], chunk[-1][AT]) for chunk in [*chunks.values(), *made])
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    whole = [point for chunk in [*chunks.values(), *made] for point in chunk]
    wanted = by_time([*settled(first, LOGS, []), *settled(then, LOGS, [])])
    assert sorted(map(repr, whole)) == sorted(map(repr, wanted.values()))


def test_a_chunk_is_bounded_by_samples_and_by_bytes() -> None:
    many: list[Point] = [(n, 1.5, 0, 1, n, n) for n in range(POINTS_MAX * 2 + 1)]
    assert [len(chunk) for chunk in cut(many)] == [POINTS_MAX, POINTS_MAX, 1]
    long: list[Point] = [(n, "x" * 30_000, 0, 1, n, n) for n in range(5)]
    assert [len(chunk) for chunk in cut(long)] == [2, 2, 1]
    huge: list[Point] = [(n, "x" * 1_000_000, 0, 1, n, n) for n in range(2)]
    assert [len(chunk) for chunk in cut(huge)] == [1, 1]
    assert size(long[:2]) <= BYTES_MAX < size(long[:3])
    assert list(cut([])) == []


def test_what_says_nothing_takes_nothing() -> None:
    found: list[Point] = [(n, float(n), 0, 1, 9, 9) for n in range(3)]
    assert columns(found) == (1, 9, 9, "{0,1,2}", "{0.0,1.0,2.0}", None, None, None, None, None, None)
    assert columns([(5, None, 1, 1, 9, 9)]) == (1, 9, 9, "{0}", None, None, None, None, "{1}", None, None)


@given(POINTS)
def test_a_chunk_of_one_sample_is_written_as_one_of_several(point: Point) -> None:
    """The short way of live data says what the long way says of the same sample twice."""
    alone, twice = columns([point]), columns([point, point])
    assert alone[:3] == twice[:3]
    for short, long in zip(alone[3:], twice[3:], strict=True):
        half = None if long is None else "{" + long[1 : (len(long) - 1) // 2] + "}"
        assert short == half
    assert size([point]) * 2 == size([point, point])
    assert list(cut([point])) == [[point]]
