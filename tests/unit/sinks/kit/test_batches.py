"""Batches over a target that refuses rows, keeps none that are too old, breaks: every row's end is the right one."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.base import Deferred, Delivery, LeftBehind, Rejected, Retryable, Unwritten
from sinks.kit.batches import CAREFUL_AFTER, TAKEN, Batches, Outcome, Row, Verdict
from sinks.kit.suspects import Suspects
from topology.namespace.classes import MessageClass
from uns.testing.sinks import downtime

GOOD, BAD, OLD, POISON = "good", "bad", "old", "poison"


def delivery(number: int) -> Delivery:
    return Delivery("t", 0, number, f"p{number}", MessageClass.DOWNTIME, downtime(number), 0)


@dataclass
class Target:
    """Keeps what is good, in one of the ways that targets have."""

    partial: bool = True
    """Whether the good rows of a refused request are kept."""
    names: bool = False
    away: bool = False
    kept: dict[object, str] = field(default_factory=dict)
    requests: int = 0

    async def post(self, rows: Sequence[Row]) -> Outcome:
        self.requests += 1
        kinds = [row.content for row in rows]
        if self.away or POISON in kinds:
            return Outcome(Verdict.FAILED, "http_500", "500 crashed")
        wrong = [place for place, kind in enumerate(kinds) if kind in (BAD, OLD)]
        if not wrong or self.partial:
            self.kept |= {row.key: row.content for row in rows if row.content not in (BAD, OLD)}
        if not wrong:
            return TAKEN
        first = kinds[wrong[0]]
        verdict = Verdict.PAST if first == OLD else Verdict.REFUSED
        named = {place: f"row {place}" for place in wrong if kinds[place] == first} if self.names else {}
        return Outcome(verdict, "http_400", f"400 {first}", named)


def run(target: Target, kinds: Sequence[str], rows_max: int = 100, tries: int = 2) -> tuple[Batches, Callable[[], list[Unwritten]]]:  # fmt: skip
    batches = Batches(target.post, rows_max, 1_000, Suspects(tries, 0))
    deliveries = [delivery(number) for number in range(len(kinds))]

    def once() -> list[Unwritten]:
        rows = [Row(each, each.offset, kind, 10) for each, kind in zip(deliveries, kinds, strict=True)]
        return asyncio.run(batches.write(rows))

    return batches, once


@given(
    st.lists(st.sampled_from([GOOD, GOOD, GOOD, BAD, OLD]), max_size=40),
    st.integers(1, 50),
    st.booleans(),
    st.booleans(),
)
def test_each_row_has_the_right_end(kinds: list[str], rows_max: int, partial: bool, names: bool) -> None:
    target = Target(partial, names)
    unwritten = run(target, kinds, rows_max)[1]()
    ends = {each.delivery.offset: type(each) for each in unwritten}
    assert len(ends) == len(unwritten), "one verdict a record"
    assert ends == {n: {BAD: Rejected, OLD: LeftBehind}[kind] for n, kind in enumerate(kinds) if kind != GOOD}
    assert set(target.kept) == {n for n, kind in enumerate(kinds) if kind == GOOD}


def test_one_guilty_row_costs_few_requests() -> None:
    target = Target(partial=False)
    assert len(run(target, [GOOD] * 700 + [BAD] + [GOOD] * 323, 1024)[1]()) == 1
    assert target.requests < 40
    named = Target(partial=False, names=True)
    run(named, [GOOD] * 700 + [BAD] + [GOOD] * 323, 1024)[1]()
    assert named.requests < 40


def test_rows_of_one_key_are_one_and_the_earlier_counts_where_the_later_is_refused() -> None:
    target = Target()
    batches = Batches(target.post, 10, 1_000, Suspects(2, 0))
    first, second, third = delivery(1), delivery(2), delivery(3)
    rows = [Row(first, "a", "one", 10), Row(second, "a", "two", 10), Row(third, "a", BAD, 10)]
    [rejected] = asyncio.run(batches.write(rows))
    assert isinstance(rejected, Rejected)
    assert rejected.delivery is third
    assert target.kept == {"a": "two"}


def test_requests_stay_within_their_bounds() -> None:
    sizes: list[tuple[int, int]] = []

    async def post(rows: Sequence[Row]) -> Outcome:
        sizes.append((len(rows), sum(row.size for row in rows)))
        return TAKEN

    batches = Batches(post, 7, 100, Suspects(2, 0))
    rows = [Row(delivery(n), n, GOOD, 500 if n == 5 else 30) for n in range(20)]
    assert asyncio.run(batches.write(rows)) == []
    assert sum(count for count, _ in sizes) == 20
    assert all(count <= 7 and (size <= 100 or count == 1) for count, size in sizes)


@pytest.mark.parametrize("poisoned", [{0}, {9}, {4, 5}, {0, 9}, {2, 3, 4}])
def test_a_row_over_which_the_target_breaks_is_found_and_the_others_are_written(poisoned: set[int]) -> None:
    target = Target()
    batches, once = run(target, [POISON if n in poisoned else GOOD for n in range(10)])
    for _ in range(CAREFUL_AFTER - 1):
        with pytest.raises(Retryable, match="crashed"):
            once()
    first, second = once(), once()
    assert {each.delivery.offset for each in first} == poisoned
    assert all(isinstance(each, Deferred) for each in first)
    assert set(target.kept) == set(range(10)) - poisoned
    assert {each.delivery.offset for each in second} == poisoned
    assert all(isinstance(each, Rejected) and "while the target took others" in each.message for each in second)
    assert batches.broken


def test_in_an_outage_nobody_is_guilty_however_long_it_lasts() -> None:
    target = Target(away=True)
    _, once = run(target, [GOOD] * 50)
    for _ in range(20):
        before = target.requests
        with pytest.raises(Retryable):
            once()
        assert target.requests - before < 120
    target.away = False
    assert once() == []
    assert len(target.kept) == 50


def test_a_record_is_guilty_though_another_row_of_it_was_taken() -> None:
    target = Target()
    batches = Batches(target.post, 10, 1_000, Suspects(2, 0))
    one = delivery(1)

    def once() -> list[Unwritten]:
        return asyncio.run(batches.write([Row(one, "a", GOOD, 10), Row(one, "b", POISON, 10)]))

    for _ in range(CAREFUL_AFTER - 1):
        with pytest.raises(Retryable):
            once()
    assert [type(each) for each in once()] == [Deferred]
    assert [type(each) for each in once()] == [Rejected]


def test_what_fails_alone_waits_and_lets_others_come() -> None:
    target = Target()
    _, once = run(target, [POISON])
    for _ in range(CAREFUL_AFTER - 1):
        with pytest.raises(Retryable):
            once()
    for _ in range(10):
        [waiting] = once()
        assert isinstance(waiting, Deferred), "nothing else was taken, so nobody is guilty"


def test_a_target_that_is_slow_gets_less_at_once_and_more_again_by_and_by() -> None:
    most, sizes = 30, list[int]()

    async def post(rows: Sequence[Row]) -> Outcome:
        sizes.append(len(rows))
        return TAKEN if len(rows) <= most else Outcome(Verdict.FAILED, "no_answer", "too slow")

    batches = Batches(post, 1_000, 10**9, Suspects(2, 0))

    def once() -> list[Unwritten]:
        return asyncio.run(batches.write([Row(delivery(n), n, GOOD, 1) for n in range(900)]))

    broke = 0
    while broke < 8:
        try:
            assert once() == []
            break
        except Retryable:
            broke += 1
    assert broke < 8
    most = 10_000
    for _ in range(12):
        assert once() == []
    assert sizes[-1] == 900


def test_progress_is_told() -> None:
    calls = 0

    async def post(rows: Sequence[Row]) -> Outcome:
        nonlocal calls
        calls += 1
        return TAKEN if calls == 1 else Outcome(Verdict.FAILED, "no_answer", "torn")

    batches = Batches(post, 1, 100, Suspects(2, 0))
    with pytest.raises(Retryable) as caught:
        asyncio.run(batches.write([Row(delivery(n), n, GOOD, 1) for n in range(3)]))
    assert caught.value.progressed
