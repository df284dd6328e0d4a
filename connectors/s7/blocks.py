"""Which requests bring the points: neighbours are one block, and blocks share a request as far as its size goes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from connectors.kit.polling.groups import Group
from connectors.s7.address import Area, Point

PDU_ASKED = 960
"""Bytes of a message that we would take; the controller says how many it gives (240 to 960)."""
PDU_MIN = 112
ITEMS_MAX = 20
"""Blocks of one request; more is refused by S7-300."""
HEADER = 14
"""Bytes of an answer before its items, and of a request with its two of parameters, at most."""
ITEM_HEADER = 4
ITEM_REQUEST = 12


@dataclass(frozen=True, slots=True)
class Span:
    """`count` bytes of an area from `start` on, and the points in it."""

    area: Area
    db: int
    start: int
    count: int
    points: tuple[Point, ...]

    def __str__(self) -> str:
        if len(self.points) == 1:
            return str(self.points[0])
        where = f"DB{self.db}.DBB" if self.area == "DB" else f"{self.area}B"
        return f"{where}{self.start} to {self.start + self.count - 1}"


def room(pdu: int) -> int:
    """Bytes that one block can have."""
    return pdu - HEADER - ITEM_HEADER


def groups(points: Iterable[Point], gap: int, pdu: int) -> list[Group[Span]]:
    """Requests whose answers fit the PDU. A point that does not fit alone is a request of its own, which the wire refuses."""
    packed: list[Group[Span]] = []
    inside: list[Span] = []
    size = HEADER
    for span in spans(points, gap, room(pdu)):
        need = ITEM_HEADER + span.count + span.count % 2
        full = len(inside) == ITEMS_MAX or HEADER + ITEM_REQUEST * (len(inside) + 1) > pdu
        if inside and (full or size + need > pdu):
            packed.append(Group(tuple(inside)))
            inside, size = [], HEADER
        inside.append(span)
        size += need
    return packed + ([Group(tuple(inside))] if inside else [])


def spans(points: Iterable[Point], gap: int, longest: int) -> list[Span]:
    """The fewest blocks in which no gap is longer than `gap` bytes and no block than `longest`."""
    ordered = sorted(points, key=lambda point: (point.area, point.db, point.byte, point.bit, point.size))
    made: list[Span] = []
    for _, alike in groupby(ordered, key=lambda point: (point.area, point.db)):
        inside: list[Point] = []
        end = 0
        for point in alike:
            if inside and (point.byte > end + gap or max(end, point.end) - inside[0].byte > longest):
                made.append(_span(inside))
                inside = []
            end = max(end, point.end) if inside else point.end
            inside.append(point)
        made.append(_span(inside))
    return made


def split(span: Span) -> list[Span]:
    """A refused block in parts that leave out something of it: its gaps, else in two halves; itself where it is one point."""
    parts = spans(span.points, 0, span.count)
    if len(parts) == 1 and len(span.points) > 1:
        middle = len(span.points) // 2
        parts = [_span(half) for half in (span.points[:middle], span.points[middle:])]
    return parts


def _span(points: Sequence[Point]) -> Span:
    first = points[0]
    return Span(first.area, first.db, first.byte, max(point.end for point in points) - first.byte, tuple(points))
