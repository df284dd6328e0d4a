"""Counters → pieces made.

Cumulative: differences in order of source time, through roll-over and reset. The first sample of a counter is a
baseline. Glitches (glitches.py) count nothing. Each step between two believed readings is judged:

- A rise counts, up to what is possible: RATE_MAX times the ideal cycle of what runs, or the tag's `max_rate`. A greater
  one cannot have been made: it counts nothing, and is said.
- A fall is a roll-over (d = cur + M − prev) where the counter has a modulus, was in its last quarter, is now in its
  first, and so much is possible.
- Any other fall is a **reset** where the machine may well have made what the counter shows since it last moved: the
  counter began again from 0 (d = cur). It is a **correction** where it is small: it is taken back (d = cur − prev < 0).
  Else it is a reset where that is just possible, and **implausible** where it is not: it counts nothing, and is said.
  The tag's `falls` says what every fall is where the plant knows better.

The pieces were made before the sample that counts them, and are dated so: what a counter shows as a shift ends was made
in that shift.

Increments: each sample adds its value, at its time; with `border: end` before it, as what a total has risen by.

`spread: since_last` spreads a positive amount evenly over the time since the tag's last sample, in parts of one piece (of
an amount greater than the seconds, a part each second): the k-th of n parts ends a k-th of n of that time after it began,
and after k parts floor(k × amount / n) have been made. So every part is whole, and over any borders the sums are exact.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from processors.inputs.block import Entry
from processors.inputs.glitches import BURST, LATE, Rate, small
from processors.inputs.readings import Readings, counts_down
from processors.inputs.series import Series
from processors.units import INF
from topology.model.tags import CountTag, EnergyTag, Falls

Counted = Literal["good", "scrap", "rework", "energy"]

MADE_BEFORE = 1
"""µs by which the pieces of a cumulative counter are dated before the sample: a window that ends with it holds them."""
PART = 1_000_000
"""Parts of an amount that is spread end so far apart (µs) at least."""


COUNTED: dict[str, Counted] = {"good_count": "good", "scrap_count": "scrap", "rework_count": "rework"}
"""Role of a tag → what it counts."""


NO_FALLS: deque[int] = deque(maxlen=0)


@dataclass(slots=True)
class Counter:
    """Counts pieces, or what a meter measures: cumulative where the series is `Readings`, else by increments."""

    tag: str
    series: Series
    what: Counted
    modulus: int | None
    rate: Rate
    falls_are: Falls | None = None
    before: int = MADE_BEFORE
    """µs by which what a sample says is dated before it."""
    spread_us: int | None = None
    """Over how long an amount is spread at most; None: it is not."""

    @property
    def increments(self) -> bool:
        """Each sample says what was added, not the sum so far."""
        return not isinstance(self.series, Readings)

    def reach(self, start: int, end: int) -> tuple[int, int]:
        """The stretch that counts otherwise where samples of [start, end) are new or judged anew."""
        if self.spread_us is None:
            return start, end
        before, after = _last_before(self.series, start), _first_from(self.series, end)
        since = start if before is None else max(before, start - self.spread_us)
        return since, INF if after is None else after + 1

    def rests(self, start: int) -> bool:
        """Whether for certain nothing was made from `start` on: the usual case of scrap."""
        series = self.series
        return series.turned < start and self.spread_us is None and isinstance(series, Readings) and not series.runs

    @property
    def odd(self) -> bool:
        """Whether there is any step that may count nothing."""
        return isinstance(self.series, Readings) and bool(self.series.odd)


def of_pieces(tag: str, spec: CountTag, cycle_us: Callable[[int], int]) -> Counter:
    """The counter behind a tag of pieces. `cycle_us`: the ideal time for one piece, at an instant."""
    rate = Rate(cycle_us, None if spec.max_rate is None else round(spec.max_rate))
    added = spec.counts == "increments"
    series = Series(adds=True) if added else Readings(rate, spec.falls)
    at_start = added and spec.border != "end" and spec.spread == "point"
    before = 0 if at_start else MADE_BEFORE
    return Counter(tag, series, COUNTED[spec.role], spec.modulus, rate, spec.falls, before, _spread_us(spec))


def of_energy(tag: str, spec: EnergyTag) -> Counter:
    """The counter behind a meter: in thousandths of its unit."""
    rate = Rate(None, None if spec.max_rate is None else round(spec.max_rate * 1000))
    return Counter(tag, Readings(rate, spec.falls), "energy", None, rate, spec.falls, spread_us=_spread_us(spec))


def _spread_us(spec: CountTag | EnergyTag) -> int | None:
    return None if spec.spread_s is None else round(spec.spread_s * 1_000_000)


class Increment(NamedTuple):
    """Pieces that a sample adds, and when. Negative where it takes back what was counted too much."""

    at: int
    pieces: int
    reset: int
    """1 when the counter began again."""
    offset: int


class Verdict(NamedTuple):
    """What a step between two readings is."""

    pieces: int
    reset: int = 0
    refused: int = 0
    """By how much the counter moved that nothing can have made."""


def judge(
    counter: Counter, previous: int, current: int, elapsed_us: int, at: int, counted_down: bool = False
) -> Verdict:
    """`elapsed_us`: how long the counter had shown `previous` by the time `at` of the reading `current` (before a fall: how
    long it had not moved, glitches too); `counted_down`: whether it has been falling, and falling alone, for a while."""
    rate = counter.rate
    if current >= previous:
        rise, most = current - previous, rate.possible(max(elapsed_us, BURST), at)
        return Verdict(rise) if most is None or rise <= most else Verdict(0, 0, rise)
    most = rate.possible(max(elapsed_us, LATE), at)
    modulus = counter.modulus
    if modulus is not None and 4 * previous >= 3 * modulus and 4 * current < modulus:
        pieces = current + modulus - previous
        if most is None or pieces <= most:
            return Verdict(pieces)
    match counter.falls_are:
        case "reset":
            return Verdict(current, 1)
        case "correction":
            return Verdict(current - previous)
        case "glitch":
            return Verdict(0, 0, previous - current)
    if counted_down and current:
        return Verdict(0, 0, previous - current)
    if small(rate, previous, current, elapsed_us, at):
        return Verdict(current - previous)
    return Verdict(current, 1) if most is None or current <= most else Verdict(0, 0, previous - current)


def increments(counter: Counter, start: int, end: int) -> Iterator[Increment]:
    """What was made or used at start ≤ at < end, in order of time, but for what is spread of samples of one time. What adds
    nothing is left out."""
    if counter.spread_us is None:
        yield from _said(counter, start, end)
        return
    following = _first_from(counter.series, end)
    for amount in _said(counter, start, end if following is None else following + 1):
        before = _last_before(counter.series, amount.at)
        if before is not None and amount.pieces > 0:
            yield from _parts(amount, max(before, amount.at - counter.spread_us), start, end)
        elif amount.at < end:
            yield amount


def _parts(amount: Increment, since: int, start: int, end: int) -> Iterator[Increment]:
    """The parts dated start ≤ at < end of an amount that is spread over (since, at]."""
    length_us = amount.at - since
    parts = min(amount.pieces, max(length_us // PART, 1))
    first = max((start - since - 1) * parts // length_us + 1, 1)
    last = min((end - 1 - since) * parts // length_us, parts)
    for k in range(first, last + 1):
        pieces = k * amount.pieces // parts - (k - 1) * amount.pieces // parts
        yield Increment(since - (-k * length_us // parts), pieces, amount.reset if k == parts else 0, amount.offset)


def _last_before(series: Series, at: int) -> int | None:
    """The time of the last sample before an instant, glitches apart."""
    reading = series.believed(at) if isinstance(series, Readings) else series.in_force(at - 1)
    return None if reading is None else reading.at


def _first_from(series: Series, at: int) -> int | None:
    """The time of the first sample at or after an instant, glitches apart."""
    while at < INF and (reading := series.first_after(at - 1)) is not None:
        glitches = series.glitches(reading.at, reading.at + 1) if isinstance(series, Readings) else []
        if not glitches:
            return reading.at
        at = glitches[0].end
    return None


def _said(counter: Counter, start: int, end: int) -> Iterator[Increment]:
    """What the samples dated start ≤ at < end add, each at its time."""
    series = counter.series
    if not isinstance(series, Readings):
        for at, value, offset in series.between(start, end):
            if value:
                yield Increment(at, value, 0, offset)
        return
    sure = series.sure or INF  # where no limit is known any rise counts
    before = series.believed(start) if series.runs else series.in_force(start - 1)
    previous = None if before is None else before.value
    since: int | None = None
    """Since when the counter shows `previous`, where that began in [start, end)."""
    falls: deque[int] | None = None
    """The falls in a row up to there; None: not asked for yet."""
    for at, value, offset in _believed(series, start, end) if series.runs else series.between(start, end):
        if value != previous:
            if previous is not None:
                if 0 < value - previous <= sure:
                    falls = NO_FALLS
                    yield Increment(at, value - previous, 0, offset)
                else:
                    if since is None:
                        since = series.standing_since(at)
                    if value < previous:
                        falls, down = _falling(series, falls, at)
                        pieces, reset, _ = judge(counter, previous, value, at - series.moved(since, at), at, down)
                    else:
                        falls = NO_FALLS
                        pieces, reset, _ = judge(counter, previous, value, at - since, at)
                    if pieces or reset:
                        yield Increment(at, pieces, reset, offset)
            previous, since = value, at


def refused(counter: Counter, start: int, end: int) -> list[tuple[int, int, int]]:
    """(at, by how much the counter moved, offset) of the steps dated start ≤ at < end that nothing can have made.

    A glitch is one, where it begins, unless the plant says that falls are glitches.
    """
    series = counter.series
    if not isinstance(series, Readings) or not (odd := series.odd_between(start, end)):
        return []
    first, over, marked = odd[0], odd[-1] + 1, frozenset(odd)
    runs = series.glitches(first, over)[::-1]
    before, since = series.believed(first), series.standing_since(first)
    falls: deque[int] | None = None
    steps: list[tuple[int, int, int]] = []
    for at, value, offset in series.between(first, over):
        while runs and at >= runs[-1].end:
            runs.pop()
        glitch = bool(runs) and runs[-1].start <= at
        if before is not None and at in marked:
            fell = value < before.value
            elapsed_us = at - (series.moved(since, at) if fell else since)
            if not glitch:
                falls, down = _falling(series, falls, at) if fell else (NO_FALLS, False)
                step = judge(counter, before.value, value, elapsed_us, at, down).refused
            elif runs[-1].start == at:
                step = _glitch(counter, before.value, value, elapsed_us, at)
            else:
                step = 0  # said where it began
            if step:
                steps.append((at, step, offset))
        if not glitch and (before is None or value != before.value):
            if before is not None and value > before.value:
                falls = NO_FALLS
            before, since = Entry(at, value, offset), at
    return steps


def _falling(series: Readings, falls: deque[int] | None, at: int) -> tuple[deque[int], bool]:
    """(the falls in a row with the one at `at`, whether that one goes on with counting down)."""
    falls = series.falls_before(at) if falls is None else falls or deque()
    down = counts_down(falls, at)
    falls.append(at)
    return falls, down


def _glitch(counter: Counter, previous: int, current: int, elapsed_us: int, at: int) -> int:
    """How far a glitch moves the counter; 0 where there is nothing to say of it."""
    if current < previous and (counter.falls_are == "glitch" or small(counter.rate, previous, current, elapsed_us, at)):
        return 0
    return abs(current - previous)


def _believed(series: Readings, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    runs = iter(series.glitches(start, end))
    run = next(runs, None)
    for at, value, offset in series.between(start, end):
        while run is not None and at >= run.end:
            run = next(runs, None)
        if run is None or at < run.start:
            yield at, value, offset
