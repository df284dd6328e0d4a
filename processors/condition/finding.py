"""What a watch over one cause has found, and when that is news."""

from typing import Protocol

import msgspec

DAY = 86_400_000_000
QUARTER = 900_000_000
CLOSER = 0.2
"""A failure that is foretold for another time is news once that has moved by so much of what remained, and a quarter of an hour."""


class Finding(msgspec.Struct, omit_defaults=True, gc=False):
    """Content of a `Condition` record, but for its names and words. Times µs."""

    kind: str
    severity: str
    subject: str
    message: str
    value: float | None = None
    baseline: float | None = None
    limit: float | None = None
    zone: str | None = None
    slope_per_h: float | None = None
    slope_low_per_h: float | None = None
    slope_high_per_h: float | None = None
    no_trend: float | None = None
    remaining_s: float | None = None
    remaining_low_s: float | None = None
    remaining_high_s: float | None = None
    confidence: float | None = None
    fails_at: int | None = None
    fails_from: int | None = None
    fails_to: int | None = None
    act_by: int | None = None
    points: int | None = None
    evidence_from: int | None = None
    evidence_to: int | None = None
    score: float | None = None
    model: str | None = None
    trained_from: int | None = None
    trained_to: int | None = None
    details: dict[str, float] = {}

    def is_news(self, said: "Finding | None") -> bool:
        """Whether it says something else than what was said: worse or better, another zone, another time of failure; at
        least each day."""
        if said is None:
            return True
        if (self.severity, self.zone, self.model) != (said.severity, said.zone, said.model):
            return True
        if (self.fails_at is None) != (said.fails_at is None):
            return True
        if (self.evidence_to or 0) - (said.evidence_to or 0) >= DAY:
            return True
        if self.fails_at is None or said.fails_at is None:
            return False
        if not self.remaining_s or not said.remaining_s:
            return bool(self.remaining_s) != bool(said.remaining_s)
        return abs(self.fails_at - said.fails_at) > max(CLOSER * said.remaining_s * 1e6, QUARTER)


class Watch(Protocol):
    """The judgement of one cause on one machine: a fold of values in order of time, with bounded state."""

    started_at: int | None
    """Since when (µs) there is evidence of what is wrong now; None: nothing is."""
    finding: Finding | None
    """What is wrong now; of what is over the last that was found, until the next begins."""
    at: int
    """Time (µs) of the newest evidence."""
    suspects: bool
    """Whether what comes now is evidence of something."""
    learning: bool
    """Whether it does not know yet what is normal."""
    changed: bool
    """Whether its state differs from what was saved."""

    def repaired(self, at: int) -> None:
        """Somebody has done the work at `at` (µs): it begins anew."""
        ...

    def dump(self) -> msgspec.Struct: ...

    def load(self, state: msgspec.Raw) -> None: ...
