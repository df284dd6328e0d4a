"""When a machine was heard: signs of life as a set of chains, and the silence between them.

A chain is a run of signs with no pause longer than `silent_after`. The set of chains is a function of the set of signs.
Where nobody listened (`unheard`), a pause is judged in parts: what lies before, within and after the gap, each by itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from processors.inputs.gaps import Gaps
from processors.units import INF


class Life:
    """Chains [start, end] in order, no two within `silent_after` of each other. All µs; `silent_after` INF: never silent."""

    __slots__ = ("ends", "evicted", "silent_after", "silent_from", "starts", "unheard")

    def __init__(self, silent_after: int) -> None:
        self.silent_after = silent_after
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.silent_from: int | None = None
        """When the newest silence since the last sign of life began, once declared: with that sign, or an edge of a gap."""
        self.evicted: int | None = None
        """The newest sign of the chains that were evicted."""
        self.unheard = Gaps()

    def declare(self, now: int) -> int | None:
        """Declares silence once nothing has been heard for too long; returns since when, if it is declared only now.

        A sign of life ends a declared silence at the next call.
        """
        if not self.ends or now - self.ends[-1] <= self.silent_after:
            self.silent_from = None
            return None  # the usual case
        quiet = self._quiet(now)
        if self.silent_from not in quiet:
            self.silent_from = None
        declared = self.silent_from
        fresh = [since for since in quiet if declared is None or since > declared]
        if not fresh:
            return None
        self.silent_from = fresh[-1]
        return fresh[0]

    def _quiet(self, now: int) -> list[int]:
        """Since when, after the last sign of life, nothing was heard for too long: parts of the pause, each by itself."""
        if not self.unheard.edges:
            return [self.ends[-1]]
        parts = self.unheard.parts(self.ends[-1], INF)
        return [a for a, b in parts if min(b, now) - a > self.silent_after]

    def add(self, at: int) -> tuple[int, int] | None:
        """Returns the span whose coverage this sign may have changed, None inside a chain."""
        starts, ends, patience = self.starts, self.ends, self.silent_after
        i = bisect_right(starts, at) - 1  # the chain that begins at or before
        if i >= 0 and at <= ends[i]:
            return None
        before = i >= 0 and at - ends[i] <= patience
        after = i + 1 < len(starts) and starts[i + 1] - at <= patience
        span = (ends[i] if i >= 0 else at, starts[i + 1] if i + 1 < len(starts) else INF)
        if before and after:
            ends[i] = ends[i + 1]
            del starts[i + 1], ends[i + 1]
        elif before:
            ends[i] = at
        elif after:
            starts[i + 1] = at
        else:
            starts.insert(i + 1, at)
            ends.insert(i + 1, at)
        return span

    @property
    def last_seen(self) -> int | None:
        """The newest sign, or None before the first."""
        return self.ends[-1] if self.ends else None

    def unbroken(self, start: int, now: int) -> bool:
        """Whether the machine was heard from `start` to `now` without a pause that is too long, by somebody who listened all
        the time: the usual case."""
        starts, edges = self.starts, self.unheard.edges
        return (
            bool(starts)
            and starts[-1] <= start
            and now - self.ends[-1] <= self.silent_after
            and (not edges or edges[-1] <= start)
        )

    def silences(self, start: int, end: int, now: int) -> list[tuple[int, int]]:
        """Spans within [start, end) in which nothing was heard for too long, as known at `now`; before the first sign too."""
        silences: list[tuple[int, int]] = []
        if self.unbroken(start, now):
            return silences
        for quiet_from, quiet_to in self._pauses(start, now):
            if quiet_from >= end:
                break
            a, b = max(quiet_from, start), min(quiet_to, end)
            if a < b:
                silences.append((a, b))
        return silences

    def gaps(self, start: int, end: int, now: int) -> list[tuple[int, int]]:
        """Silences of the machine that begin in [start, end), whole; the one that lasts ends at INF."""
        gaps = []
        for quiet_from, quiet_to in self._pauses(start, now):
            if quiet_from >= end:
                break
            known = self.starts and (self.evicted is not None or quiet_from >= self.starts[0])
            if known and quiet_from >= start and not self.unheard.holds(quiet_from):
                gaps.append((quiet_from, quiet_to))
        return gaps

    def around(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) with the pauses that its ends are part of."""
        i = bisect_right(self.starts, start) - 1
        if i < 0:
            start = -INF
        elif self.ends[i] < start:
            start = self.ends[i]
        j = bisect_left(self.ends, end)
        if j == len(self.ends):
            end = INF
        elif self.starts[j] > end:
            end = self.starts[j]
        return start, end

    def forgettable(self, at: int) -> int:
        """Up to when, at most `at`, gaps that have ended may be forgotten: not the last one within a pause that goes on
        over `at`."""
        heard, _ = self.around(at, at)
        ended = [end for _, end in self.unheard.spans if heard < end <= at]
        return ended[-1] - 1 if ended and heard != -INF else at

    def heard_after(self, at: int) -> int:
        """A time up to which there was a sign after `at`, as the chains tell; INF where there is none. Signs within a chain
        are not kept: the next one comes before `silent_after` has passed."""
        if self.evicted is not None and self.evicted > at:
            return self.evicted
        i = bisect_right(self.starts, at)
        if i and at < self.ends[i - 1] and self.silent_after != INF:
            return at + self.silent_after
        return self.starts[i] if i < len(self.starts) else INF

    def _pauses(self, start: int, now: int) -> Iterator[tuple[int, int]]:
        """Parts of pauses that are too long, in order, from the one that `start` may be in on."""
        starts, ends = self.starts, self.ends
        if not starts:
            yield -INF, INF
            return
        i = max(bisect_left(ends, start) - 1, -1)
        for n in range(i, len(ends)):
            since = ends[n] if n >= 0 else -INF if self.evicted is None else self.evicted
            until = starts[n + 1] if n + 1 < len(starts) else INF
            if not self.unheard.edges:
                if until != INF or now - since > self.silent_after:
                    yield since, until
                continue
            for a, b in self.unheard.parts(since, until):
                length = (b if until != INF else min(b, now)) - a
                if length > self.silent_after or since == -INF:
                    yield a, b

    def evict(self, before: int) -> None:
        """Forgets chains that end before `before`, but never the last of these: it says since when nothing was heard."""
        while len(self.ends) > 1 and self.ends[1] < before:
            self.evicted = self.ends[0]
            del self.starts[0], self.ends[0]
