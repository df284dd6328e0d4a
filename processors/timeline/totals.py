"""What a stretch of time comes to: time by element, pieces and energy, by order, shift and day; and how it is saved."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from processors.timeline import stops
from processors.timeline.stops import Stops
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.unseen import SEEN, Unseen

ENERGY_MAX = (1 << 63) - 1
"""What a sum of energy can be saved as; a meter that jumps between nothing and the most possible gets there in hours."""


class Group(NamedTuple):
    """What an instant belongs to."""

    order: str | None
    shift: str | None
    day: str


class Totals:
    """Time by element (µs, in the order of `Elements.names`), pieces, and the raw offsets they rest on (NO_OFFSET: none).

    Sums carried over from evicted hours also hold what else is known only inside the horizon: `stops`, and µs in mode maintenance.
    """

    __slots__ = (
        "element_us",
        "energy",
        "first_offset",
        "good",
        "last_offset",
        "maintained_us",
        "observed_us",
        "resets",
        "rework",
        "scrap",
        "start_up",
        "stops",
        "unseen",
    )

    def __init__(
        self,
        element_us: list[int],
        good: int = 0,
        scrap: int = 0,
        rework: int = 0,
        energy: int = 0,
        resets: int = 0,
        first_offset: int = NO_OFFSET,
        last_offset: int = NO_OFFSET,
        start_up: int = 0,
        maintained_us: int = 0,
        stopped: Stops | None = None,
        observed_us: int = 0,
        unseen: Unseen = SEEN,
    ) -> None:
        self.element_us = element_us
        self.good = good
        self.scrap = scrap
        self.rework = rework
        self.energy = energy
        """In thousandths of the meter's unit."""
        self.resets = resets
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.start_up = start_up
        """Scrap of a start-up, a part of `scrap`."""
        self.maintained_us = maintained_us
        self.stops = stopped
        self.observed_us = observed_us
        """Time in which a state was known."""
        self.unseen = unseen
        """The pieces that were made while nobody saw the machine, a part of all: they stand against no time."""

    def add(self, other: "Totals") -> None:
        mine, theirs = self.element_us, other.element_us
        for n in range(len(mine)):
            mine[n] += theirs[n]
        self.good += other.good
        self.scrap += other.scrap
        self.rework += other.rework
        self.energy = min(self.energy + other.energy, ENERGY_MAX)
        self.resets += other.resets
        self.start_up += other.start_up
        self.maintained_us += other.maintained_us
        self.observed_us += other.observed_us
        if other.unseen != SEEN:
            self.unseen = self.unseen.joined(other.unseen)
        if other.stops:
            self.stops = self.stops or {}
            stops.merge(self.stops, other.stops)
        self.saw(other.first_offset, other.last_offset)

    def saw(self, first: int, last: int) -> None:
        self.first_offset, self.last_offset = hull(self.first_offset, self.last_offset, first, last)

    @property
    def made(self) -> int:
        """PQ."""
        return self.good + self.scrap + self.rework


Groups = dict[Group, Totals]


class SavedStop(msgspec.Struct, omit_defaults=True, gc=False, rename={"count": "n"}):
    """Stops of one reason."""

    code: int | None = None
    reason: str | None = None
    category: str | None = None
    count: int = 0
    us: int = 0
    of_category: int = 0


class SavedTotals(
    msgspec.Struct,
    omit_defaults=True,
    gc=False,
    rename={"element_us": "us", "first_offset": "first", "last_offset": "last", "maintained_us": "maintained"},
):
    """A group and its `Totals` as they are saved. A name once used keeps its meaning; a missing one is its default."""

    day: str = ""
    order: str | None = None
    shift: str | None = None
    element_us: dict[str, int] = {}
    """By the element's name; what is zero is left out."""
    good: int = 0
    scrap: int = 0
    rework: int = 0
    energy: int = 0
    resets: int = 0
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET
    start_up: int = 0
    maintained_us: int = 0
    stops: list[SavedStop] = []
    observed_us: int = 0
    unseen: tuple[int, int, int] = (0, 0, 0)


def dump(groups: Groups, names: Sequence[str]) -> list[SavedTotals]:
    """Sums as they are saved. `names`: of elements."""
    return [
        SavedTotals(
            group.day,
            group.order,
            group.shift,
            {name: us for name, us in zip(names, of.element_us, strict=True) if us},
            of.good,
            of.scrap,
            of.rework,
            of.energy,
            of.resets,
            of.first_offset,
            of.last_offset,
            of.start_up,
            of.maintained_us,
            [SavedStop(*key, *counts) for key, counts in of.stops.items()] if of.stops else [],
            of.observed_us,
            of.unseen,
        )
        for group, of in groups.items()
    ]


def load(rows: Iterable[SavedTotals], names: Sequence[str]) -> Groups:
    """The sums that `dump` gave."""
    groups: Groups = {}
    for row in rows:
        groups[Group(row.order, row.shift, row.day)] = Totals(
            [row.element_us.get(name, 0) for name in names],
            row.good,
            row.scrap,
            row.rework,
            row.energy,
            row.resets,
            row.first_offset,
            row.last_offset,
            row.start_up,
            row.maintained_us,
            {(of.code, of.reason, of.category): [of.count, of.us, of.of_category] for of in row.stops} or None,
            row.observed_us,
            Unseen(*row.unseen) if any(row.unseen) else SEEN,
        )
    return groups


def merge(into: Groups, other: Groups) -> None:
    for group, totals in other.items():
        mine = into.get(group)
        if mine is None:
            mine = into[group] = Totals([0] * len(totals.element_us))
        mine.add(totals)
