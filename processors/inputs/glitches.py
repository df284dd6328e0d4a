"""Which samples of a counter are glitches: dips that come back, spikes, small steps back. A pure function of the samples.

A counter only rises, but for a roll-over, a reset, or a correction by hand. What real sources show beside that:

- a **dip**: one reading of 0 between two of a million, or a PLC that shows 0 for seconds after a restart and then its
  retained total. The counter falls, and comes back above where it was in one step, half of the way at least, that no
  machine is likely to have made.
- a **spike**: one reading that no machine can have made, and back again. Of a meter whose rate nobody knows: to more than
  the double, and back again by half of the way at least.
- a **step back**: a clock set back, or two sources of one counter, mix old values among new ones. The counter falls by a
  little, to where it cannot have got from 0, and passes its old value again.

The samples of a dip, a spike or a step back are a `Run` that counts nothing; what counts is the difference between the
samples around it. Whether a fall comes back is known only later: WITHIN bounds how much later, and so how far a late
sample reaches. A fall that does not come back is judged by itself (`counters.judge`).

`Scanner` reads the samples in order of time; what it finds depends on the samples of the last WITHIN alone (and on the
time of the change before that), so that it may begin anywhere 2 × WITHIN before the place of interest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from processors.units import HOUR
from topology.model.tags import Falls

WITHIN = 2 * HOUR
"""A fall or a jump that is not undone within this (µs) was none."""
BURST, LATE = 60_000_000, 10_000_000
"""A rise may hold what the machine makes in this time (µs) at least, as pieces are counted by the box; and what a counter
shows once it began again, what it makes in the shorter one, as readings come late."""
STREAK = 3
"""After so many falls in a row, begun more than BURST ago, the next is no correction: the counter counts down."""
RATE_MAX, BRISK = 10, (3, 2)
"""How many times as fast as its ideal cycle a machine may ever be, and may be believed to be where there is a doubt."""


class Rate(NamedTuple):
    """How fast a counter can rise. `cycle_us`: the ideal time for one piece, at an instant; `per_hour`: stated by the plant.

    Both None: nothing is known (a meter without `max_rate`).
    """

    cycle_us: Callable[[int], int] | None
    per_hour: int | None = None

    def possible(self, elapsed_us: int, at: int) -> int | None:
        """The most that can be made in `elapsed_us` before `at`; None where no limit is known."""
        if self.per_hour is not None:
            return self.per_hour * elapsed_us // HOUR + 1
        return None if self.cycle_us is None else RATE_MAX * elapsed_us // self.cycle_us(at) + 1

    def brisk(self, elapsed_us: int, at: int) -> int | None:
        """The most that is likely."""
        if self.per_hour is not None:
            return self.per_hour * elapsed_us // HOUR + 1
        return None if self.cycle_us is None else BRISK[0] * elapsed_us // (BRISK[1] * self.cycle_us(at)) + 1


class Run(NamedTuple):
    """Samples with start ≤ at < end are glitches."""

    start: int
    end: int


class Fall(NamedTuple):
    """A fall that has not come back yet."""

    before: int
    """The value it fell from,"""
    before_at: int
    """and the time of its last sample."""
    at: int
    to: int
    small: bool
    """Too little for a reset: it need not come back in one step."""


class Jump(NamedTuple):
    """A rise that no machine can make, or of a meter of unknown rate one to more than the double, that has not been undone
    yet."""

    before: int
    before_at: int
    at: int
    to: int = 0


@dataclass(slots=True)
class Scanner:
    """Reads samples in order of time, one by one, and knows the runs and the odd steps among them."""

    rate: Rate
    falls_are: Falls | None = None
    at: int | None = None
    """Of the newest sample."""
    value: int = 0
    changed_at: int = 0
    """Since when the counter has this value."""
    falls: list[Fall] = field(default_factory=list)
    """Their `before` values fall, too: what comes back to one has come back to all after it."""
    jumps: list[Jump] = field(default_factory=list)

    def see(self, at: int, value: int) -> tuple[list[Run], bool]:
        """(runs that end with this sample, whether the step to it is odd: a fall, or a rise no machine can make)."""
        before, before_at = self.value, self.at
        if before_at is None or value == before:
            if before_at is None:
                self.value, self.changed_at = value, at
            self.at = at
            return [], False
        runs: list[Run] = []
        if self.falls or self.jumps:
            self._expire(at)
        if value > before:
            odd = self._rise(at, value, before, before_at, runs)
        else:
            odd = True
            self._fall(at, value, before, before_at, runs)
        self.at, self.value, self.changed_at = at, value, at
        return runs, odd

    def _rise(self, at: int, value: int, before: int, before_at: int, runs: list[Run]) -> bool:
        elapsed_us = at - self.changed_at
        brisk = self.rate.brisk(elapsed_us, at)
        back: Fall | None = None
        while self.falls and value >= self.falls[-1].before:
            fall = self.falls.pop()
            in_one_step = 2 * (value - before) >= fall.before - fall.to
            if fall.small or (in_one_step and (brisk is None or value - before > brisk)):
                back = fall
        if back is not None:
            runs.append(Run(back.at, at))
        possible = self.rate.possible(max(elapsed_us, BURST), at)
        plain = value <= 2 * before or not before if possible is None else value - before <= possible
        if plain:  # a meter that begins at 0 may step by any amount
            return False
        if back is None:
            self.jumps.append(Jump(before, before_at, at, value))
        return True

    def _fall(self, at: int, value: int, before: int, before_at: int, runs: list[Run]) -> None:
        while self.jumps and self._undone(self.jumps[-1], at, value):
            jump = self.jumps.pop()
            self.falls = [fall for fall in self.falls if fall.at < jump.at]
            if value >= jump.before:
                runs.append(Run(jump.at, at))
                return
            before, before_at = jump.before, jump.before_at
        if self.falls_are in (None, "glitch"):
            back = self.falls_are == "glitch" or small(self.rate, before, value, at - self.changed_at, at)
            self.falls.append(Fall(before, before_at, at, value, back))

    def _undone(self, jump: Jump, at: int, value: int) -> bool:
        """Whether a fall goes back to where the counter may have come to without the jump, half of the way at least."""
        if 2 * (self.value - value) < jump.to - jump.before:
            return False
        possible = self.rate.possible(max(at - jump.before_at, BURST), at)
        most = (jump.to - jump.before) // 2 if possible is None else possible
        return value <= jump.before + most

    def _expire(self, at: int) -> None:
        self.falls = [fall for fall in self.falls if at - fall.before_at <= WITHIN]
        self.jumps = [jump for jump in self.jumps if at - jump.before_at <= WITHIN]


def small(rate: Rate, before: int, value: int, elapsed_us: int, at: int) -> bool:
    """Whether a fall is a small step back: to where the counter is not likely to have got from 0, and not far."""
    brisk, near = rate.brisk(elapsed_us, at), rate.brisk(BURST, at)
    if brisk is None or near is None:
        return 2 * value >= before
    return value > brisk and before - value <= max(near, before // 100)
