"""Roser's active period method: who is the bottleneck, from uninterrupted active periods (Roser, Nakano, Tanaka 2002).

The momentary bottleneck is the machine whose current active period is longest. It stays that until the period ends; then
the longest of the periods active at that moment follows. Where the two overlap the bottleneck shifts; else it is sole.
Of equal periods the one of the machine earlier in the flow counts.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class ActivePeriod(NamedTuple):
    """An uninterrupted active period of machine number `machine`."""

    start: int
    end: int
    """Where it ended, or as far as it is known."""
    machine: int
    open: bool
    """Whether its end may still move."""

    @property
    def length(self) -> int:
        return self.end - self.start


ActiveAt = Callable[[int], Sequence[ActivePeriod]]


class Chain(NamedTuple):
    """Bottleneck periods in order. `certain`: no period that is still open can change them before the end asked for."""

    periods: list[ActivePeriod]
    certain: bool


def chain(periods: Sequence[ActivePeriod], start: int, end: int, last: int, active_at: ActiveAt) -> Chain:
    """From the momentary bottleneck at `start` to the period that follows the one that reaches over `end`.

    `periods`: all that meet [start, end); `active_at(at)`: those that hold a later instant; nothing is known from `last` on.
    """
    bottlenecks: list[ActivePeriod] = []
    certain = True
    at = start
    while True:
        active = [p for p in periods if p.start <= at < p.end] if at < end else list(active_at(at))
        if not active:
            at = min((p.start for p in periods if p.start > at), default=end)
            if at >= end:
                break
            continue
        longest = max(active, key=lambda p: (p.length, -p.machine))
        certain = certain and not any(p.open for p in active if p is not longest)
        bottlenecks.append(longest)
        if at >= end:
            break
        if longest.open and longest.end >= end:  # what follows was active before `end` only if it is open, too
            certain = certain and not any(p.open and p.end >= end for p in periods if p is not longest)
        at = longest.end
        if at >= last:
            break
    return Chain(bottlenecks, certain)


def held_us(bottlenecks: Sequence[ActivePeriod], machines: int, start: int, end: int) -> list[tuple[int, int]]:
    """(µs sole, µs shifting) of each machine in [start, end)."""
    sole, shifting = [0] * machines, [0] * machines
    for n, period in enumerate(bottlenecks):
        since = max(period.start, bottlenecks[n - 1].end) if n else period.start
        until = min(period.end, bottlenecks[n + 1].start) if n + 1 < len(bottlenecks) else period.end
        whole = _within(period.start, period.end, start, end)
        alone = _within(since, until, start, end)
        sole[period.machine] += alone
        shifting[period.machine] += whole - alone
    return list(zip(sole, shifting, strict=True))


def _within(since: int, until: int, start: int, end: int) -> int:
    return max(0, min(until, end) - max(since, start))
