"""When a machine was heard: signs of life as a set of chains, and the silence between them.

A chain is a run of signs with no gap longer than `silent_after`. The set of chains is a function of the set of signs.
"""

from bisect import bisect_left, bisect_right

from processors.units import INF


class Life:
    """Chains [start, end] in order, no two within `silent_after` of each other. All µs; `silent_after` INF: never silent."""

    __slots__ = ("ends", "silent_after", "silent_from", "starts")

    def __init__(self, silent_after: int) -> None:
        self.silent_after = silent_after
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.silent_from: int | None = None
        """The last sign of life of the silence that was declared, while it lasts."""

    def declare(self, now: int) -> int | None:
        """Declares silence once nothing has been heard for too long; returns since when, if it is declared only now.

        A sign of life ends a declared silence at the next call.
        """
        if not self.ends:
            return None
        heard = self.ends[-1]
        if self.silent_from is not None and self.silent_from != heard:
            self.silent_from = None
        if self.silent_from is None and now - heard > self.silent_after:
            self.silent_from = heard
            return heard
        return None

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

    def silences(self, start: int, end: int, now: int) -> list[tuple[int, int]]:
        """Spans within [start, end) in which nothing was heard, as known at `now`; before the first sign too."""
        starts, ends = self.starts, self.ends
        if not starts:
            return [(start, end)]
        silences = []
        i = bisect_right(starts, start) - 1
        if i < 0:
            if starts[0] > start:
                silences.append((start, min(starts[0], end)))
            i = 0
        last = len(starts) - 1
        while i <= last:
            quiet_from = ends[i]
            if quiet_from >= end:
                break
            quiet_to = starts[i + 1] if i < last else (INF if now - quiet_from > self.silent_after else quiet_from)
            a, b = max(quiet_from, start), min(quiet_to, end)
            if a < b:
                silences.append((a, b))
            i += 1
        return silences

    def gaps(self, start: int, end: int, now: int) -> list[tuple[int, int]]:
        """Silences that begin in [start, end), whole; the one that lasts ends at INF."""
        first = bisect_left(self.ends, start)
        gaps = []
        for i in range(first, len(self.ends)):
            if self.ends[i] >= end:
                break
            if i + 1 < len(self.ends):
                gaps.append((self.ends[i], self.starts[i + 1]))
            elif now - self.ends[i] > self.silent_after:
                gaps.append((self.ends[i], INF))
        return gaps

    def evict(self, before: int) -> None:
        """Forgets chains that end before `before`, but never the last one."""
        while len(self.ends) > 1 and self.ends[0] < before:
            del self.starts[0], self.ends[0]
