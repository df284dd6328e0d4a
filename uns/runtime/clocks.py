"""How far the clocks of sources are off ours, told from the values that they send. No I/O, no clock of its own."""

from collections.abc import Iterable
from typing import NamedTuple

from connectors.base import Reading
from topology.namespace.path import Path

WINDOW_US = 60_000_000
"""An estimate rests on at least a sixth of this, and on at most all of it."""
VALUES_MIN = 5
PACE = (0.5, 2.0)
"""A clock that runs: source time gone by for each second of ours. History that is read again runs much faster, a backlog too."""
OFF_S = 30.0
"""More is said: within it the folds hardly mind."""


class _Window:
    __slots__ = ("begun", "best_us", "first_at", "last", "last_at", "settled", "values")

    def __init__(self, at: int, arrived: int) -> None:
        self.begun = self.last = arrived
        self.first_at = self.last_at = at
        self.best_us, self.values = at - arrived, 1
        self.settled: int | None = None
        """µs, of the window before: what holds until this one says more."""


class ClockOffset(NamedTuple):
    path: Path
    offset_s: float
    """How far its clock is ahead of ours; negative: behind."""


class Clocks:
    """A value arrives some time after it came to be, never before: so the one that is on its way shortest tells the offset."""

    def __init__(self) -> None:
        self._windows: dict[Path, _Window] = {}

    def saw(self, readings: Iterable[Reading], arrived: int) -> None:
        """Takes in what arrived together, at µs of our clock; only values with the source's own time count."""
        newest: dict[Path, int] = {}
        for reading in readings:
            if reading.time_of == "source":
                newest[reading.path] = max(newest.get(reading.path, reading.sample.at), reading.sample.at)
        for path, at in newest.items():
            self.note(path, at, arrived)

    def note(self, path: Path, at: int, arrived: int) -> None:
        """The newest time that a source gave, and when it was known here."""
        window = self._windows.get(path)
        if window is None:
            self._windows[path] = _Window(at, arrived)
        elif arrived - window.begun > WINDOW_US:
            settled = _estimate(window)
            self._windows[path] = _Window(at, arrived)
            self._windows[path].settled = settled
        else:
            window.values += 1
            window.last, window.last_at = arrived, max(window.last_at, at)
            window.best_us = max(window.best_us, at - arrived)

    def offset_s(self, path: Path) -> float | None:
        """How far the clock of one is ahead; None while not enough is known."""
        return next((clock.offset_s for clock in self._offsets({path})), None)

    def offsets(self) -> list[ClockOffset]:
        """Of every path of which enough is known."""
        return self._offsets(list(self._windows))  # another thread may ask

    def _offsets(self, paths: Iterable[Path]) -> list[ClockOffset]:
        offsets = []
        for path in paths:
            if (window := self._windows.get(path)) is None:
                continue
            now = _estimate(window)
            if now is None:
                now = window.settled
            if now is not None:
                offsets.append(ClockOffset(path, now / 1e6))
        return offsets

    def worst(self) -> ClockOffset | None:
        """The clock that is off most; None while nothing is known of any."""
        return max(self.offsets(), key=lambda clock: abs(clock.offset_s), default=None)

    def problems(self) -> list[str]:
        """One sentence for each clock that is off by more than `OFF_S`."""
        return [
            f"{clock.path}: its clock is {abs(clock.offset_s):.0f} s {'ahead of' if clock.offset_s > 0 else 'behind'} ours; "
            "set it: what it says counts at the wrong time, or as silence"
            for clock in self.offsets()
            if abs(clock.offset_s) > OFF_S
        ]


def _estimate(window: _Window) -> int | None:
    ours, theirs = window.last - window.begun, window.last_at - window.first_at
    if window.values < VALUES_MIN or ours < WINDOW_US // 6 or not PACE[0] <= theirs / ours <= PACE[1]:
        return None
    return window.best_us
