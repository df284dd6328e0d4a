"""Roser's active period method: who is the bottleneck, from uninterrupted active periods (Roser, Nakano, Tanaka 2002).

The momentary bottleneck is the machine whose active period is longest. It stays that until the period ends; then the
longest of the periods active at that moment follows. Where the two overlap the bottleneck shifts; else it is sole.
Of equal periods the one of the machine earlier in the flow counts.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class ActivePeriod(NamedTuple):
    """An uninterrupted active period of machine number `machine`. Times µs."""

    start: int
    end: int
    """Where it ended, or as far as it is known."""
    machine: int
    open: bool
    """Whether its end may still move, never to before the watermark."""

    @property
    def length(self) -> int:
        return self.end - self.start


ActiveAt = Callable[[int], Sequence[ActivePeriod]]


class Chain(NamedTuple):
    """Bottlenecks of a window."""

    periods: list[ActivePeriod]
    """In order: each begins and ends after the one before it."""
    certain: bool
    """Whether no period that is still open can change them."""
    holder: int | None
    """The machine that is the bottleneck as the window ends."""
    holder_certain: bool
    looked: int
    """Nothing that changes after this time (µs) changes the chain."""


def chain(start: int, end: int, holder: int | None, watermark: int, active_at: ActiveAt, next_start: ActiveAt) -> Chain:
    """The bottlenecks of [start, end): from `holder`, the machine that is it already, on to the last that begins before
    `end`. That one may follow only long after `end`, where an earlier one lasts.

    `active_at(at)`: the periods that hold an instant, whole; `next_start(at)`: those that begin next after it.
    """
    bottlenecks: list[ActivePeriod] = []
    certain, over, over_certain, looked, at = True, None, True, end, start
    while True:
        active = active_at(at)
        if not active:
            later = next_start(at) if at < end else ()
            if not later or later[0].start >= end:
                break
            at = later[0].start
            continue
        looked = max(looked, *(period.end for period in active))
        longest = next((period for period in active if at == start and period.machine == holder), None)
        if longest is None:
            longest = max(active, key=_rank)
            certain = certain and _surely_longest(longest, active, watermark)
        if longest.start >= end:
            break
        bottlenecks.append(longest)
        if at < end <= longest.end:
            over, over_certain = longest.machine, certain
        if longest.open:  # who follows it in the window was active before the window's end, and is so still
            lasting = [other for other in active_at(end - 1) if other.open and other.machine != longest.machine]
            certain = certain and longest.end >= end and not lasting
        at = longest.end
    return Chain(bottlenecks, certain, over, over_certain if over is not None else certain, looked)


def _rank(period: ActivePeriod) -> tuple[int, int]:
    return period.length, -period.machine


def _surely_longest(longest: ActivePeriod, active: Sequence[ActivePeriod], watermark: int) -> bool:
    sure = longest._replace(end=min(longest.end, watermark)) if longest.open else longest
    return all(not other.open and _rank(sure) > _rank(other) for other in active if other is not longest)


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
