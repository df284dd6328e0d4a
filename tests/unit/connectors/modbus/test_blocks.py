from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.blocks import BITS_MAX, REGISTERS_MAX, Block, blocks, split
from connectors.modbus.point import Layout, Point, Table
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
TABLES: tuple[Table, ...] = ("holding", "input", "coil", "discrete")


def point(address: int, words: int = 1, table: Table = "holding", factor: int | None = None) -> Point:
    return Point(PATH, f"{table}{address}", table, address, Layout("string", words), factor)


def spans(made: list[Block]) -> list[tuple[int, int]]:
    return [(block.start, block.count) for block in made]


POINTS = st.lists(
    st.builds(
        point,
        st.integers(0, 600),
        st.integers(1, 20),
        st.sampled_from(TABLES),
        st.none() | st.integers(0, 600),
    ).filter(lambda made: made.end - made.first <= REGISTERS_MAX and made.end <= 65_536),
    max_size=40,
)


def test_neighbours_are_one_block_over_small_gaps() -> None:
    near = [point(0), point(1, 2), point(5), point(20)]
    assert spans(blocks(1, near, gap=2)) == [(0, 6), (20, 1)]
    assert spans(blocks(1, near, gap=1)) == [(0, 3), (5, 1), (20, 1)]
    assert spans(blocks(1, near, gap=14)) == [(0, 21)]


def test_a_block_is_no_longer_than_an_answer() -> None:
    assert spans(blocks(1, [point(n) for n in range(300)], gap=0)) == [(0, 125), (125, 125), (250, 50)]
    assert spans(blocks(1, [point(n) for n in range(30)], gap=0, registers_max=10)) == [(0, 10), (10, 10), (20, 10)]
    assert spans(blocks(1, [point(n, table="coil") for n in range(2500)], gap=0)) == [(0, 2000), (2000, 500)]
    assert spans(blocks(1, [point(0), point(100, 40)], gap=100)) == [(0, 1), (100, 40)], "a number is never cut"


def test_a_scale_factor_comes_with_its_value() -> None:
    assert spans(blocks(1, [point(10, factor=60), point(30)], gap=0)) == [(10, 51)]
    assert spans(blocks(1, [point(10, factor=2)], gap=0)) == [(2, 9)]


@given(POINTS, st.integers(0, 50), st.integers(60, REGISTERS_MAX))
def test_every_point_is_in_one_block(points: list[Point], gap: int, registers_max: int) -> None:
    made = blocks(3, points, gap, registers_max)
    assert Counter(place for block in made for place in block.points) == Counter(points)
    for block in made:
        check(block)
        if len(block.points) > 1:
            assert block.count <= (BITS_MAX if block.table in ("coil", "discrete") else registers_max)


@given(POINTS, st.integers(0, 50))
def test_splitting_ends_at_single_points(points: list[Point], gap: int) -> None:
    waiting = blocks(3, points, gap)
    single: list[Point] = []
    while waiting:
        parts = split(block := waiting.pop())
        if len(parts) == 1:
            assert len(block.points) == 1
            single += block.points
        for part in parts if len(parts) > 1 else ():
            check(part)
            assert len(part.points) < len(block.points)
            assert block.start <= part.start
            assert part.start + part.count <= block.start + block.count
            waiting.append(part)
    assert Counter(single) == Counter(points)


def check(block: Block) -> None:
    assert block.unit == 3
    assert {place.table for place in block.points} == {block.table}
    assert block.start == min(place.first for place in block.points)
    assert block.start + block.count == max(place.end for place in block.points)


def test_a_refused_block_first_leaves_its_gaps_out() -> None:
    (block,) = blocks(1, [point(0), point(1), point(4)], gap=8)
    assert spans(split(block)) == [(0, 2), (4, 1)]
    assert spans(split(split(block)[0])) == [(0, 1), (1, 1)]
