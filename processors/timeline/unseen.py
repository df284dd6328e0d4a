"""Pieces made while nobody saw the machine: they count, and stand against no time, since that time is in no denominator."""

from collections.abc import Iterable
from typing import NamedTuple

from processors.inputs.counters import Counter
from processors.inputs.readings import Readings
from processors.timeline.timeline import Timeline


class Unseen(NamedTuple):
    """By what counted them."""

    good: int = 0
    scrap: int = 0
    rework: int = 0

    def plus(self, what: str, pieces: int) -> "Unseen":
        return self._replace(**{what: getattr(self, what) + pieces})

    def joined(self, other: "Unseen") -> "Unseen":
        return Unseen(self.good + other.good, self.scrap + other.scrap, self.rework + other.rework)


SEEN = Unseen()


def made_unseen(counter: Counter, at: int, made: int, timeline: Timeline, now: int) -> int:
    """How many of the pieces that a sample adds were made so: what a counter rose since its sample before is spread over
    the time since then, to the nearest whole piece."""
    since = made_since(counter, at)
    return (2 * made * timeline.unseen_us(since, at, now) + at - since) // (2 * (at - since))


def made_since(counter: Counter, at: int) -> int:
    """Since when (µs) the pieces that a sample of this time adds may have been made."""
    before = counter.series.believed(at) if isinstance(counter.series, Readings) else None
    return at - 1 if before is None else before.at


def counted_after(timeline: Timeline, counters: Iterable[Counter], start: int, end: int) -> int:
    """Up to where a change of the time [start, end) reaches: to the counters' next samples, where anything is unseen."""
    if timeline.all_seen(start):
        return end
    following = (counter.series.first_after(end) for counter in counters)
    return max([end, *(sample.at + 1 for sample in following if sample is not None)])
