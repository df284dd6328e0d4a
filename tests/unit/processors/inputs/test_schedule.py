"""Who has which instant, where orders and shifts overlap: asked one by one, and by the schedule."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.inputs.schedule import Schedule, held
from schemas.records import Break, Order, Shift

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)).map(lambda pair: (pair[0], sum(pair))), max_size=7)


def naive(told: Sequence[tuple[int, int]], at: int) -> int | None:
    here = [(start, -end, n) for n, (start, end) in enumerate(told) if start <= at < end]
    return max(here)[2] if here else None


@given(spans)
def test_each_instant_is_of_the_one_that_began_last_of_those_that_hold_it(told: list[tuple[int, int]]) -> None:
    stretches = held(told)
    for at in range(45):
        assert [n for start, end, n in stretches if start <= at < end] == [
            n for n in [naive(told, at)] if n is not None
        ]
    assert all(start < end for start, end, _ in stretches)
    assert all(a[1] < b[0] or a[2] != b[2] for a, b in pairwise(stretches)), "as few as can be"


@given(spans, spans)
def test_a_schedule_says_of_each_instant_what_holds_there(
    orders: list[tuple[int, int]], shifts: list[tuple[int, int]]
) -> None:
    told = sorted(
        ((Order(id=f"o{n}", product="p", started_at=a, ended_at=b), 0) for n, (a, b) in enumerate(orders)),
        key=lambda pair: (pair[0].started_at, pair[0].id),
    )
    worked = sorted(
        ((Shift(id=f"s{n}", name="s", started_at=a, ended_at=b), 0) for n, (a, b) in enumerate(shifts)),
        key=lambda pair: (pair[0].started_at, pair[0].id),
    )
    schedule = Schedule(told, worked, False, False)
    of_orders = [(order.started_at, order.ended_at or 0) for order, _ in told]
    of_shifts = [(shift.started_at, shift.ended_at) for shift, _ in worked]
    for at in range(45):
        piece = schedule.slice_at(at)
        order, shift = naive(of_orders, at), naive(of_shifts, at)
        assert piece.order == (None if order is None else told[order][0].id)
        assert piece.shift == (None if shift is None else worked[shift][0].id)
        assert piece.status == ("busy" if shift is not None or not worked else "unplanned")
    ordered, shifted = schedule.orders.values(), schedule.shifts.values()
    for start, end, parts in [(s.start, s.end, s.parts) for s in ordered] + [
        (s.start, s.end, s.parts) for s in shifted
    ]:
        assert (start, end) == (parts[0][0], parts[-1][1])
    assert sum(turn.end - turn.start for turn in schedule.turns) == len(
        [at for at in range(45) if naive(of_orders, at) is not None]
    )


def test_an_order_without_an_end_ends_where_the_next_begins_and_does_not_come_again() -> None:
    orders = [
        (Order(id="a", product="p", started_at=0, ended_at=None), 0),
        (Order(id="b", product="p", started_at=10, ended_at=20), 0),
    ]
    schedule = Schedule(orders, [], False, False)
    assert [(turn.order.id, turn.start, turn.end) for turn in schedule.turns] == [("a", 0, 10), ("b", 10, 20)]
    assert (schedule.turn_end(5), schedule.turn_end(12), schedule.turn_end(25)) == (10, 20, 25)


def test_a_break_of_the_long_shift_does_not_hold_in_the_short_one_inside() -> None:
    shifts = [
        (Shift(id="long", name="l", started_at=0, ended_at=100, breaks=(Break(40, 60),)), 0),
        (Shift(id="short", name="s", started_at=50, ended_at=55), 0),
    ]
    schedule = Schedule([], shifts, False, False)
    assert [(piece.start, piece.end, piece.shift, piece.status) for piece in schedule.slices(0, 120)] == [
        (0, 40, "long", "busy"),
        (40, 50, "long", "break"),
        (50, 55, "short", "busy"),
        (55, 60, "long", "break"),
        (60, 100, "long", "busy"),
        (100, 120, None, "unplanned"),
    ]
