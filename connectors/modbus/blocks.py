"""Which requests bring the points: neighbours are one block, over small gaps too; one that is refused is split. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from connectors.modbus.point import BIT_TABLES, Point, Table

REGISTERS_MAX = 125
BITS_MAX = 2000
"""What one answer holds (Modbus Application Protocol 1.1b3, 6.1 to 6.4)."""


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` addresses of a table of a unit from `start` on, and the points in it."""

    unit: int
    table: Table
    start: int
    count: int
    points: tuple[Point, ...]

    def __str__(self) -> str:
        last = self.start + self.count - 1
        return f"unit {self.unit} {self.table} {self.start}" + (f" to {last}" if self.count > 1 else "")


def blocks(unit: int, points: Iterable[Point], gap: int, registers_max: int = REGISTERS_MAX) -> list[Block]:
    """The fewest blocks in which no gap is longer than `gap` addresses and no block than `registers_max`, bits by 16.

    A point that is longer than that is a block of its own.
    """
    ordered = sorted(points, key=lambda point: (point.table, point.first, point.end))
    made: list[Block] = []
    for table, inside in groupby(ordered, key=lambda point: point.table):
        longest = min(BITS_MAX, registers_max * 16) if table in BIT_TABLES else registers_max
        made += _merged(unit, list(inside), gap, longest)
    return made


def split(block: Block) -> list[Block]:
    """A refused block in parts that leave out something of it: its gaps, else in two halves; itself where it is one point."""
    parts = list(_merged(block.unit, block.points, 0, block.count))
    if len(parts) == 1 and len(block.points) > 1:
        middle = len(block.points) // 2
        parts = [_block(block.unit, half) for half in (block.points[:middle], block.points[middle:])]
    return parts


def _merged(unit: int, points: Sequence[Point], gap: int, longest: int) -> Iterator[Block]:
    inside: list[Point] = []
    first = end = 0
    for point in points:
        if inside and (point.first > end + gap or max(end, point.end) - first > longest):
            yield _block(unit, inside)
            inside = []
        if not inside:
            first = end = point.first
        inside.append(point)
        end = max(end, point.end)
    if inside:
        yield _block(unit, inside)


def _block(unit: int, points: Sequence[Point]) -> Block:
    first = min(point.first for point in points)
    return Block(unit, points[0].table, first, max(point.end for point in points) - first, tuple(points))
