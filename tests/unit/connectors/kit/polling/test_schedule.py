import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.polling.schedule import LASTING_S, REST_MAX_S, Schedule
from connectors.modbus.blocks import Block


def block(unit: int = 1, start: int = 0) -> Block:
    return Block(unit, "holding", start, 1, ())


def schedule(*blocks: Block, period_s: float = 1.0) -> Schedule[Block]:
    made: Schedule[Block] = Schedule()
    made.add(blocks, period_s, 0.0)
    return made


def answer(made: Schedule[Block], now: float, took_s: float = 0.0) -> Block | None:
    """Asks for what is due and has it answered."""
    if (turn := made.take(now)) is None:
        return None
    made.answered(turn, now, now + took_s)
    return turn.block


def test_cycles_keep_to_their_grid() -> None:
    made = schedule(block())
    assert answer(made, 0.0)
    assert answer(made, 0.9) is None
    assert made.due_at() == 1.0
    assert answer(made, 1.3, 0.4)
    assert made.due_at() == 2.0, "not later for having been late"
    assert made.missed == 0


def test_cycles_that_could_not_begin_are_counted() -> None:
    made = schedule(block())
    answer(made, 0.0)
    assert answer(made, 4.5), "those of 1, 2 and 3; that of 4 is late"
    assert made.missed == 3
    assert made.due_at() == 5.0


def test_links_are_spread_over_the_period() -> None:
    made: Schedule[Block] = Schedule(stagger=0.6)
    made.add([block()], 10.0, 0.0)
    answer(made, 0.0)
    assert made.due_at() == 6.0
    answer(made, 6.0)
    assert made.due_at() == 16.0


def test_a_block_asked_for_before_its_time_is_still_due() -> None:
    made = schedule(block(), period_s=60)
    answer(made, 0.0)
    turn = made.first()
    assert turn is not None
    made.answered(turn, 5.0, 5.1)
    assert made.due_at() == 60.0


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2)), max_size=30))
def test_every_cycle_is_begun_or_counted(steps: list[tuple[float, float]]) -> None:
    made, now, begun = schedule(block()), 0.0, 0
    for wait_s, took_s in steps:
        now += wait_s
        if (turn := made.take(now)) is not None:
            assert 0 <= now - turn.due < turn.period_s
            begun += 1
            made.answered(turn, now, now + took_s)
            now += took_s
        assert begun + made.missed == round(made.due_at())


def test_the_unit_that_used_the_link_least_comes_first() -> None:
    made = schedule(block(1, 0), block(1, 1), block(2))
    slow = made.take(0.0)
    assert slow is not None
    assert slow.block.unit == 1
    made.answered(slow, 0.0, 0.9)
    assert answer(made, 0.9, 0.01) == block(2), "though the other block of unit 1 has waited as long"
    assert answer(made, 0.91, 0.9) == block(1, 1)
    assert answer(made, 1.81, 0.01) == block(2)


def test_a_silent_unit_rests_longer_each_time() -> None:
    made = schedule(block(1, 0), block(1, 1), block(2))
    now, waits = 0.0, []
    for n in range(12):
        turn = made.take(now)
        while turn is None or turn.block.unit == 2:
            if turn is not None:
                made.answered(turn, now, now)
            now = made.due_at()
            turn = made.take(now)
        assert made.silence(turn, now, now + 0.5) is (n == 1), "it begins to rest with the second time"
        now += 0.5
        waits.append(max(0.0, turn.unit.rests_until - now))
    assert waits[:5] == pytest.approx([0, 1, 2, 4, 8])
    assert waits[-1] == REST_MAX_S
    assert made.missed == 0, "what a unit rests is not missed, and the other one never was late"


def test_a_unit_that_answers_rests_no_more() -> None:
    made = schedule(block())
    for now in (0.0, 2.0, 5.0):
        turn = made.take(now)
        assert turn is not None
        made.silence(turn, now, now)
    turn = made.take(made.due_at())
    assert turn is not None
    made.answered(turn, 20.0, 20.0)
    assert (turn.silent, turn.unit.silent) == (0, 0)


def test_on_a_line_it_is_left_alone_at_once() -> None:
    """What answers late must not be taken for the answer to the next request."""
    made = schedule(block(1, 0), block(1, 1))
    turn = made.take(0.0)
    assert turn is not None
    made.silence(turn, 0.0, 1.0, hush_s=1.0)
    assert made.take(1.9) is None
    assert made.take(2.0) is not None


def test_what_is_refused_is_asked_for_seldom() -> None:
    made = schedule(block())
    turn = made.take(0.0)
    assert turn is not None
    made.refuse(turn, "ILLEGAL", 0.0, 0.0)
    assert (made.due_at(), turn.refusal) == (LASTING_S[0], "ILLEGAL")
    for _ in range(20):
        made.refuse(turn, "ILLEGAL", 0.0, 0.0)
    assert made.due_at() == LASTING_S[1]
    made.answered(turn, 400.0, 400.0)
    assert (turn.refused, turn.refusal) == (0, "")


def test_parts_take_the_place_of_a_block() -> None:
    made = schedule(block(1, 0))
    turn = made.take(0.0)
    assert turn is not None
    made.replace(turn, [block(1, 1), block(1, 2)], 0.1)
    assert [answer(made, 0.1), answer(made, 0.1), answer(made, 0.1)] == [block(1, 1), block(1, 2), None]
    assert made.due_at() == 1.0


def test_without_blocks_nothing_is_due() -> None:
    made: Schedule[Block] = Schedule()
    assert (made.take(0.0), made.first(), made.due_at()) == (None, None, math.inf)


def test_what_is_known_of_units_goes_on() -> None:
    made = schedule(block(1), block(2))
    turn = made.take(0.0)
    assert turn is not None
    made.silence(turn, 0.0, 1.0)
    made.missed = 5
    after = Schedule(before=made)
    after.add([block(1), block(2)], 1.0, 2.0)
    first = after.first()
    assert first is not None
    assert (first.block.unit, after.missed) == (2, 5)
