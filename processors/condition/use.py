"""Watches maintenance that is due by use: running hours, cycles, starts since it was done last."""

import msgspec

from processors.condition.finding import Finding
from processors.condition.words import of_use
from topology.model.condition import UseRule


class SavedUse(msgspec.Struct, omit_defaults=True, gc=False):
    """As it is saved. Times µs."""

    used: float = 0.0
    since: int | None = None
    at: int = 0
    started_at: int | None = None
    finding: Finding | None = None
    ran: bool = False


class Use:
    """A counter to maintenance. Due at `every`, said from `warn_at` of it on; when it will be due follows from the use so far.

    It counts what is known of a stretch when the watermark passes it; what comes later changes it no more.
    """

    __slots__ = ("_rule", "_s", "changed")

    def __init__(self, rule: UseRule) -> None:
        self._rule = rule
        self._s = SavedUse()
        self.changed = False

    @property
    def started_at(self) -> int | None:
        return self._s.started_at

    @property
    def finding(self) -> Finding | None:
        return self._s.finding

    @property
    def suspects(self) -> bool:
        """All use since the last time is evidence."""
        return self._s.used > 0

    @property
    def learning(self) -> bool:
        """It always knows."""
        return False

    @property
    def at(self) -> int:
        """Up to when (µs) use is counted."""
        return self._s.at

    @property
    def ran(self) -> bool:
        """Whether the machine ran at the end of the last stretch."""
        return self._s.ran

    @ran.setter
    def ran(self, runs: bool) -> None:
        if runs != self._s.ran:
            self._s.ran, self.changed = runs, True

    @property
    def counts(self) -> str:
        return self._rule.counts

    def counted(self, at: int) -> None:
        """Notes that all use up to `at` (µs) is counted."""
        if at > self._s.at:
            self._s.at, self.changed = at, True

    def add(self, begin: int, at: int, used: float) -> None:
        """So much more use (hours, cycles or starts), evenly over [begin, at] (µs). When a tick asks for it does not matter."""
        of, rule = self._s, self._rule
        if of.since is None:
            of.since = begin
        before, of.used = of.used, of.used + used
        self.changed = True
        warn = rule.warn_at * rule.every
        if of.used < warn:
            return
        if of.started_at is None:
            of.started_at = begin + round((at - begin) * max(0.0, warn - before) / used)
        pace = of.used / max(at - of.since, 1)
        left = max(0.0, rule.every - of.used)
        found = Finding(
            kind="maintenance",
            severity="high" if of.used >= rule.every else "medium",
            subject=rule.counts,
            message="",
            value=of.used,
            limit=rule.every,
            remaining_s=round(left / pace / 1e6, 1) if pace > 0 else None,
            fails_at=at + round(left / pace) if pace > 0 else None,
            evidence_from=of.since,
            evidence_to=at,
        )
        found.act_by = found.fails_at
        found.message = of_use(found, rule)
        of.finding = found

    def repaired(self, at: int) -> None:
        self._s = SavedUse(since=at, at=at, finding=self._s.finding, ran=self._s.ran)
        self.changed = True

    def dump(self) -> SavedUse:
        return self._s

    def load(self, state: msgspec.Raw) -> None:
        self._s = _decode(state)


_decode = msgspec.msgpack.Decoder(SavedUse).decode
