"""The state of an alarm after ISA-18.2: a function of its occurrence, of who has acknowledged it, and of who wants it quiet."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUT_OF_SERVICE, SUPPRESSED, SHELVED = "out_of_service", "suppressed", "shelved"
RANK = {OUT_OF_SERVICE: 0, SUPPRESSED: 1, SHELVED: 2}
"""Which is told where more than one hides an alarm."""
NORMAL, UNACKNOWLEDGED, ACKNOWLEDGED = "normal", "unacknowledged", "acknowledged"
RETURNED, LATCHED_UNACK, LATCHED_ACK = "returned_unacknowledged", "latched_unacknowledged", "latched_acknowledged"
"""With the three above: what ISA-18.2 calls A to I, in another order."""


class Hidden(NamedTuple):
    """A stretch [start, end) of time (µs) in which an operator is not told of an alarm."""

    start: int
    end: int
    how: str
    by: str
    until: int | None


class Life(NamedTuple):
    """What a record says of it."""

    state: str
    """raised | acknowledged | cleared, or how it is hidden."""
    alarm_state: str
    annunciated_at: int | None
    hidden_by: str | None
    hidden_until: int | None


def life(
    started_at: int,
    returned_at: int | None,
    ended_at: int | None,
    acknowledged: bool,
    hidden: Sequence[Hidden],
    now: int,
    told_at: int | None = None,
    floor: int = 0,
) -> Life:
    """At `now` (µs). `told_at`: when the operator was told, where that is known of time before `floor`, which is forgotten;
    else nobody was told before."""
    annunciated_at = told_at
    if annunciated_at is None:
        until = now if ended_at is None else ended_at  # one may end by a sample that is ahead of the tick
        annunciated_at = annunciated(max(started_at, floor), ended_at, hidden, until)
    if ended_at is not None:
        seen = acknowledged or annunciated_at is None  # what nobody was told of nobody has to acknowledge
        return Life("cleared", NORMAL if seen else RETURNED, annunciated_at, None, None)
    holder = min(
        (of for of in hidden if of.start <= now < of.end), key=lambda of: (RANK[of.how], -of.end), default=None
    )
    if holder is not None:
        return Life(holder.how, holder.how, annunciated_at, holder.by, holder.until)
    if acknowledged:
        return Life("acknowledged", ACKNOWLEDGED if returned_at is None else LATCHED_ACK, annunciated_at, None, None)
    return Life("raised", UNACKNOWLEDGED if returned_at is None else LATCHED_UNACK, annunciated_at, None, None)


def annunciated(started_at: int, ended_at: int | None, hidden: Iterable[Hidden], now: int) -> int | None:
    """The first instant up to `now` in which the alarm stands and nothing hides it."""
    at = started_at
    for of in sorted(hidden):
        if of.start > at:
            break
        at = max(at, of.end)
    return at if at <= now and (ended_at is None or at < ended_at) else None


def edges(hidden: Iterable[Hidden], after: int) -> Iterable[int]:
    """Times (µs) after an instant at which something is hidden, or shown again."""
    return (at for of in hidden for at in (of.start, of.end) if at > after)
