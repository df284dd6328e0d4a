"""Changeovers by example: what counts, from when, and how it is parted. [own] examples after SMED's definition."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Break, Changeover, Order, Shift
from tests.harness.line_logs import (
    CELL,
    EXECUTE,
    HOUR,
    LINE,
    MINUTE,
    STOPPED,
    T0,
    Run,
    Told,
    beats,
    ordered,
    plant,
    play,
    samples,
    ticks,
)
from tests.harness.line_scenarios import delayed, scenario
from tests.unit.processors.test_line_properties import some

SETUP, PRODUCE = 4, 1


def at(minutes: float) -> int:
    return T0 + round(minutes * MINUTE)


def order(name: str, product: str, begin: float, end: float | None) -> Told:
    return LINE, Order(id=name, product=product, started_at=at(begin), ended_at=None if end is None else at(end))


def good(*minutes: float, first: int = 1) -> list[Told]:
    """One good piece at each of these times."""
    return [samples(at(minute), Good=first + n) for n, minute in enumerate(minutes)]


def played(told: list[Told], minutes: int = 60, run: Run | None = None) -> Run:
    """`told` of a machine that produces at the begin."""
    return play([samples(T0, State=EXECUTE, Mode=PRODUCE, Good=0, Scrap=0), *told], minutes, run=run)


def only(run: Run) -> Changeover:
    (found,) = run.newest("changeover")
    assert isinstance(found, Changeover)
    return found


def minutes(found: Changeover) -> tuple[float, ...]:
    """Begin, teardown, setup, run-in."""
    parts = found.started_at - T0, found.teardown_us, found.setup_us, found.run_in_us
    return tuple(us / MINUTE for us in parts)


TOLD = [
    order("1", "a", 0, 10),
    order("2", "b", 14, None),
    *good(2, 4, 6, 8),
    samples(at(11), State=STOPPED, Mode=SETUP),
    samples(at(15), State=EXECUTE, Mode=PRODUCE),
    samples(at(16), Scrap=1),
    samples(at(17), Scrap=3),
    *good(18, 20, 22, first=5),
]


def test_teardown_setup_and_run_in_between_last_good_and_first_good() -> None:
    """Last good of a 8:00, setup 11:00 to 15:00, three pieces scrapped, first good of b 18:00."""
    model = plant()
    equipment = model.types["filler"].model_copy(update={"changeover_target_s": 480.0})
    found = only(played(TOLD, run=Run(model.model_copy(update={"types": {"filler": equipment}}))))
    assert minutes(found) == (8, 3, 4, 3)
    assert (found.from_product, found.to_product, found.from_order, found.to_order) == ("a", "b", "1", "2")
    assert (found.scrap, found.status, found.ended_at) == (3, "final", at(18))
    assert (found.target_us, found.planned_us) == (8 * MINUTE, 10 * MINUTE)


def test_provisional_until_the_first_good_piece_then_final_then_corrected() -> None:
    run = played(TOLD)
    seen = [r for r in run.records if isinstance(r, Changeover)]
    assert seen[0].status == "provisional"
    assert seen[0].ended_at is None
    assert [r.status for r in seen][-1] == "final"
    assert len({r.natural_id for r in seen}) == 1
    for record in seen:
        until = record.ended_at or max(at(14), record.started_at)
        assert record.teardown_us + record.setup_us + record.run_in_us >= until - record.started_at
    run.feed([samples(at(17.5), Good=5), *ticks(at(62), at(63))])
    found = only(run)
    assert (found.status, minutes(found), found.scrap) == ("corrected", (8, 3, 4, 2.5), 3)


def test_without_setup_told_the_orders_and_the_first_piece_part_it() -> None:
    told = [order("1", "a", 0, 10), order("2", "b", 14, None), *good(2, 8), samples(at(17), Scrap=1)]
    found = only(played([*told, *good(19, first=3)]))
    assert minutes(found) == (8, 2, 7, 2)


def test_a_new_order_of_the_same_product_is_no_changeover() -> None:
    assert played([order("1", "a", 0, 10), order("2", "a", 10, None), *good(8, 12)]).newest("changeover") == []


def test_an_order_without_a_good_piece_is_no_end_of_a_changeover() -> None:
    told = [order("1", "a", 0, 10), order("2", "b", 10, 20), *good(8), samples(at(15), Scrap=2)]
    run = played([*told, order("3", "c", 20, None), *good(25, first=2)])
    found = only(run)
    assert (found.from_product, found.to_product, found.to_order, minutes(found)) == ("a", "c", "3", (8, 2, 15, 0))
    assert found.scrap == 2
    assert {r.natural_id for r in run.records if isinstance(r, Changeover)} == {found.natural_id}
    back = played([*told, order("3", "a", 20, None), *good(25, first=2)])
    assert back.newest("changeover") == []
    assert any(isinstance(r, Changeover) and r.ended_at == r.started_at for r in back.records)


def test_an_order_told_while_the_machine_still_runs_the_product_before() -> None:
    """The order of b is told at 10:00, the machine is set up at 12:00: what it made until then is of a."""
    told = [order("1", "a", 0, 10), order("2", "b", 10, None), *good(8, 9, 10.5, 11.5)]
    told += [samples(at(12), State=STOPPED, Mode=SETUP), samples(at(16), State=EXECUTE, Mode=PRODUCE)]
    found = only(played([*told, *good(18, first=5)]))
    assert minutes(found) == (11.5, 0.5, 4, 2)


def test_changed_on_the_fly() -> None:
    found = only(played([order("1", "a", 0, 10), order("2", "b", 10, None), *good(9.9, 10.1)]))
    assert (minutes(found)[1:], found.ended_at) == ((0.1, 0.1, 0), at(10.1))


def test_breaks_and_time_outside_the_shift_are_in_the_whole_and_not_in_the_plan() -> None:
    early = Shift(id="e", name="early", started_at=T0, ended_at=at(15), breaks=(Break(at(9), at(10)),))
    late = Shift(id="l", name="late", started_at=at(17), ended_at=at(90))
    found = only(played([*TOLD, (LINE, early), (LINE, late)]))
    assert found.ended_at is not None
    assert (found.ended_at - found.started_at, found.planned_us) == (10 * MINUTE, 7 * MINUTE)


def test_an_order_taken_back_takes_its_changeover_with_it() -> None:
    run = played(TOLD)
    run.feed([(LINE, Order(id="2", product="b", started_at=at(14), ended_at=at(14))), *ticks(at(62), at(64))])
    assert run.newest("changeover") == []


def test_a_changeover_over_a_restart() -> None:
    run, cut = Run(), len(TOLD) - 3
    told = ordered(
        [samples(T0, State=EXECUTE, Mode=PRODUCE, Good=0, Scrap=0), *beats(T0, at(40)), *TOLD, *ticks(T0, at(40))]
    )
    cut = next(n for n, (_, record) in enumerate(told) if getattr(record, "at", 0) > at(16))
    run.feed(told[:cut]).restart(random.Random(1))
    assert minutes(only(run.feed(told[cut:]))) == (8, 3, 4, 3)


def test_a_changeover_over_a_weekend_longer_than_the_horizon_is_measured() -> None:
    model = plant(horizon_h=3)
    told = [samples(T0, State=EXECUTE, Mode=PRODUCE, Good=0, Scrap=0), order("1", "a", 0, 10), *good(2, 8)]
    told += [samples(at(n), Heartbeat=n) for n in range(8 * 60)]
    told += [order("2", "b", 7 * 60, None), *good(7 * 60 + 5, first=3)]
    run = Run(model).feed(ordered([*told, *ticks(T0, T0 + 8 * HOUR, MINUTE)]))
    found = only(run)
    assert (found.started_at, found.ended_at, found.status) == (at(8), at(7 * 60 + 5), "final")
    assert minutes(found) == (8, 2, 7 * 60 - 5, 0)


@pytest.mark.long
@some
@given(st.integers(0, 2**32).map(random.Random))
def test_parts_sum_and_changeovers_are_apart_from_each_other(chance: random.Random) -> None:
    scene = scenario(chance)
    run = Run().feed(delayed(chance, scene, 10 * MINUTE))
    for path in (CELL, f"{LINE}/capper"):
        found: list[Changeover] = run.newest("changeover", path)
        for one in found:
            assert min(one.teardown_us, one.setup_us, one.run_in_us, one.scrap) >= 0
            assert one.from_product != one.to_product
            if one.ended_at is not None:
                whole = one.ended_at - one.started_at
                assert one.teardown_us + one.setup_us + one.run_in_us == whole
                assert 0 <= one.planned_us <= whole
        assert all(a.ended_at <= b.started_at for a, b in itertools.pairwise(found) if a.ended_at)


def test_one_that_came_to_nothing_between_two_flushes_is_taken_back() -> None:
    """b gives way to a again 15 s after a flush: nothing good of it was made, so there was no changeover."""
    told = [order("1", "a", 0, 10), order("2", "b", 10, 15.25), order("3", "a", 15.25, None), *good(8, 20)]
    run = played(told, 30)
    assert any(isinstance(r, Changeover) for r in run.records)
    assert run.newest("changeover") == []
