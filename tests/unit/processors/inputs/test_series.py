"""Samples of one time: the source's own order decides, then the greater of two sources; whatever comes first, and after
any packing and restoring."""

import random

from hypothesis import given
from hypothesis import strategies as st

from processors.inputs.measurements import Measurements
from processors.inputs.rank import Sources, source_of
from processors.inputs.series import Packed, Series
from processors.units import HOUR, INF
from schemas.records import Sample, Samples

S = 1_000_000
Told = tuple[int, int, int]
"""(at, value, rank)."""


def ranked(source: str, sequence: int, sources: Sources, values: list[tuple[int, int]]) -> list[Told]:
    record = Samples(source, sequence, tuple(Sample("Tag", at, value) for at, value in values))
    return [
        (sample.at, int(str(sample.value)), rank)
        for rank, sample in enumerate(record.samples, sources.first_rank(record))
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[list[Told]]:
    """Records of two sources in a few hours, with few times and few values."""
    sources, records = Sources(), []
    for source in draw(st.sampled_from(["a", "ab"])):
        for sequence in range(1, draw(st.integers(1, 16))):
            steps = st.tuples(st.integers(0, 12).map(lambda n: n * HOUR // 5), st.integers(0, 4))
            records.append(ranked(source, sequence, sources, draw(st.lists(steps, min_size=1, max_size=4))))
    return records


def expected(records: list[list[Told]], adds: bool) -> list[tuple[int, int]]:
    """(at, what counts) by brute force."""
    by_time: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for at, value, rank in {told for record in records for told in record}:
        by_time.setdefault(at, {}).setdefault(source_of(rank), []).append((rank, value))
    if adds:
        return [(at, max(sum(v for _, v in of) for of in said.values())) for at, said in sorted(by_time.items())]
    return [(at, max(max(of)[1] for of in said.values())) for at, said in sorted(by_time.items())]


def told(series: Series) -> list[tuple[int, int]]:
    sums: dict[int, int] = {}
    for at, value, _ in series.between(-INF // 2, INF // 2):
        assert series.adds or at not in sums
        sums[at] = sums.get(at, 0) + value
    return list(sums.items())


@given(histories(), st.booleans(), st.integers(0, 2**32))
def test_what_counts_is_a_function_of_the_set(records: list[list[Told]], adds: bool, seed: int) -> None:
    chance = random.Random(seed)
    arrived = records + [chance.choice(records) for _ in range(5)] if records else []
    chance.shuffle(arrived)
    series = Series(adds=adds)
    for offset, record in enumerate(arrived):
        for at, value, rank in record:
            before = of_time(series, at)
            said = series.add(at, value, offset, rank)
            assert (said is not None and said > at) >= (of_time(series, at) != before)
        if chance.random() < 0.2:
            series.pack(chance.randrange(4))
        if chance.random() < 0.1:
            series = restored(series)
    counts = expected(records, adds)
    assert told(series) == counts
    if not adds:
        for n, (at, value) in enumerate(counts):
            entry = series.in_force(at)
            assert entry is not None
            assert (entry.at, entry.value) == (at, value)
            following = series.first_after(at)
            assert (following is None) == (n + 1 == len(counts))
            assert following is None or (following.at, following.value) == counts[n + 1]


def of_time(series: Series, at: int) -> list[int]:
    return [value for _, value, _ in series.between(at, at + 1)]


def restored(series: Series) -> Series:
    again = Series(adds=series.adds)
    for hour in range(4):
        packed = series.packed(hour)
        if packed is not None:
            again.restore_hour(hour, Packed(*packed))
    return again


@given(histories(), st.integers(0, 2**32))
def test_a_sample_that_changes_nothing_is_known_before(records: list[list[Told]], seed: int) -> None:
    chance, series = random.Random(seed), Series()
    arrived = [sample for record in records for sample in record]
    chance.shuffle(arrived)
    for offset, (at, value, rank) in enumerate(arrived):
        expects = series.changes(at, value, rank)
        said = series.add(at, value, offset, rank)
        assert expects == (said is not None and said > at)


def test_a_thousand_increments_of_one_second_are_all_there() -> None:
    """A clock that stands: more samples of one time than are kept open."""
    series, sources = Series(adds=True), Sources()
    for sequence in range(1, 1_001):
        for at, value, rank in ranked("plc", sequence, sources, [(S, 1)]):
            assert series.add(at, value, sequence, rank) is not None
    series.add(2 * S, 5, 2_000, ranked("plc", 2_000, sources, [(2 * S, 5)])[0][2])
    assert [sum(value for _, value, _ in series.between(0, end)) for end in (2 * S, HOUR)] == [1_000, 1_005]
    assert series.pack(1) == [0]
    assert sum(value for _, value, _ in series.between(0, HOUR)) == 1_005


@given(histories(), st.integers(0, 2**32))
def test_measured_values_likewise(records: list[list[Told]], seed: int) -> None:
    chance, values = random.Random(seed), Measurements()
    arrived = [sample for record in records for sample in record]
    chance.shuffle(arrived)
    for offset, (at, value, rank) in enumerate(arrived):
        values.add(at, "", value, offset, rank)
    again = Measurements()
    again.load(values.dump())
    for of in (values, again):
        assert [(at, value) for at, _, value, *_ in of.due(INF)] == expected(records, adds=False)


def test_more_sources_than_a_rank_can_name_count_as_one() -> None:
    sources = Sources()
    numbers = [source_of(sources.first_rank(Samples(f"s{n}", 1, ()))) for n in range(40)]
    assert numbers == [*range(31), *[31] * 9]
    again = Sources()
    again.load(sources.dump())
    assert [source_of(again.first_rank(Samples(f"s{n}", 2, ()))) for n in range(40)] == numbers
