"""Which facts may be forgotten: those of time that no window, no stop and no other fact goes back to.

An order or shift also says where an earlier one ends: it is kept while that one would else go on, or a later tick would
find another schedule than the one by which everything so far was told.
"""

from collections.abc import Sequence
from typing import NamedTuple

from processors.inputs.facts import ToldFacts, span
from processors.inputs.schedule import Schedule
from schemas.records import Gap, Order, Reason, Shift


class Edges(NamedTuple):
    """Up to when (µs) facts of a place may be forgotten, by what they are."""

    planned: int
    """Orders and shifts."""
    stopped: int
    """Reasons."""
    unheard: int
    """Gaps."""
    rest: int


def forget(
    facts: ToldFacts, edges: Edges, beside: Sequence[ToldFacts], replaced: ToldFacts | None
) -> list[tuple[str, str]]:
    """Forgets facts of one place; returns their (kind, name).

    `beside`: facts of other places that hold for the same cells. `replaced`: those of them that a fact of this place
    replaces where it has the same name.
    """
    gone = _ended(facts, edges)
    everywhere = [(of, False) for other in beside for of in _planned(other)] + [(of, True) for of in _planned(facts)]
    everywhere.sort(key=lambda pair: (pair[0].started_at, pair[0].id))
    for kind in ("Order", "Shift"):
        goes_on = False  # one that began earlier and stays, told to last beyond the edge
        for of, here in everywhere:
            key = type(of).__name__, of.id
            if key[0] != kind:
                continue
            if here and key in gone:
                if not goes_on and (replaced is None or replaced.get(*key) is None):
                    continue
                gone.discard(key)
            goes_on = goes_on or of.ended_at is None or of.ended_at > max(edges.planned, of.started_at)
    for key in gone:
        facts.expire(*key)
    return sorted(gone)


def _planned(facts: ToldFacts) -> list[Order | Shift]:
    return [*(order for order, _ in facts.of(Order)), *(shift for shift, _ in facts.of(Shift))]


def _ended(facts: ToldFacts, edges: Edges) -> set[tuple[str, str]]:
    """Facts that end before their edge, as the schedule cuts them."""
    schedule = Schedule(facts.of(Order), facts.of(Shift), False, False)
    ends = {("Order", name): order.end for name, order in schedule.orders.items()}
    ends |= {("Shift", name): shift.end for name, shift in schedule.shifts.items()}
    ended = set()
    for key in facts.names():
        told = facts.get(*key)
        assert told is not None
        start, end = span(told.fact)
        if isinstance(told.fact, Order | Shift):
            end, edge = ends.get(key, start), edges.planned
        elif isinstance(told.fact, Reason):
            edge = edges.stopped
        else:
            edge = edges.unheard if isinstance(told.fact, Gap) else edges.rest
        if end <= edge:
            ended.add(key)
    return ended
