"""What people and business systems say about a line or a cell: orders, shifts, lots, reasons.

A later fact with the same id replaces the earlier one (later in the log). Facts live as long as they can matter to a
window inside the correction horizon.
"""

from typing import NamedTuple, TypeVar

from processors.series import INF
from schemas.records import Lot, Order, Reason, Shift

Fact = Order | Shift | Lot | Reason


class Told(NamedTuple):
    """A fact and the raw offset it came from."""

    fact: Fact
    offset: int


KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in (Order, Shift, Lot, Reason)}
KindT = TypeVar("KindT", Order, Shift, Lot, Reason)


def span(fact: Fact) -> tuple[int, int]:
    """The event time a fact speaks of, [start, end); INF while it has no end."""
    match fact:
        case Reason():
            return fact.started_at, fact.started_at + 1 if fact.ended_at is None else fact.ended_at
        case _:
            return fact.started_at, INF if fact.ended_at is None else fact.ended_at


class Facts:
    """The facts told at one path."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Told] = {}

    def __len__(self) -> int:
        return len(self._told)

    def put(self, fact: Fact, offset: int) -> Told | None:
        """Returns what it replaces. A fact told again unchanged keeps its first offset."""
        key = (type(fact).__name__, fact.id)
        before = self._told.get(key)
        if before is None or before.fact != fact:
            self._told[key] = Told(fact, offset)
        return before

    def of(self, kind: type[KindT]) -> list[tuple[KindT, int]]:
        """All of a kind with their offsets, in order of begin and name."""
        found = [(told.fact, told.offset) for told in self._told.values() if isinstance(told.fact, kind)]
        return sorted(found, key=lambda pair: (span(pair[0])[0], pair[0].id))

    def forget(self, kind: str, fact_name: str) -> None:
        self._told.pop((kind, fact_name), None)

    def names(self) -> list[tuple[str, str]]:
        """(kind, name) of every fact."""
        return list(self._told)

    def get(self, kind: str, fact_name: str) -> Told | None:
        return self._told.get((kind, fact_name))
