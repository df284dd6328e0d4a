"""What a fold takes and gives. The engine, the replay and `uns fold` all drive the same functions through this."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from schemas.records import Derived, Raw


class Input(msgspec.Struct, frozen=True, gc=False):
    """One raw record at its place in the log. `path` is the Kafka key."""

    path: str
    topic: str
    partition: int
    offset: int
    record: Raw
    logged_at: int = 0
    """When Kafka took it (µs): where no worker ran to write ticks, it says how far time had gone on."""


REASONS = (
    "bad_interval",
    "future",
    "late",
    "not_finite",
    "out_of_range",
    "too_long",
    "too_many_facts",
    "too_many_tags",
    "unknown_action",
    "unknown_alarm",
    "unknown_alert",
    "unknown_code",
    "unknown_path",
    "unknown_tag",
    "unmapped_state",
    "wrong_type",
)
"""Of a `Rejection`, every one that our folds give: their counts stand at 0 from the start."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """All or part of an input that breaks its contract. The raw record goes to quarantine as it is, once a rejection."""

    reason: str
    """A bounded label for metrics: one of `REASONS`."""
    message: str
    """What is wrong, with which path and tag, and what to do."""
    tag: str | None = None


class Fold(Protocol):
    """State of one raw partition and the step over it. `step` never raises for bad input: it returns a `Rejection`."""

    state_version: int
    """Of what `changes` gives; a fold restores its own version only."""

    def step(self, item: Input) -> list[Derived | Rejection]: ...

    @property
    def watermark(self) -> int:
        """Event time (µs) up to which windows have closed: newest tick − lateness; 0 before the first tick."""
        ...

    def changes(self) -> Mapping[str, bytes | None]:
        """State keys changed since the last call → their bytes, None for a key that is gone. Clears the set."""
        ...

    def restore(self, key: str, value: bytes) -> None:
        """Put back one key that `changes` once gave. Keys may come in any order, before the first `step`."""
        ...

    def adopt(self, published: Iterable[Derived], since: int, trimmed: Collection[str]) -> list[Derived]:
        """Goes on from what was published, after steps whose outputs were not; returns what is to be published.

        `published`: the newest revision of each record, in any order. Where the steps gave something else, that is said
        as a revision after the published one. What begins before `since` (event time, µs) stays as published: the log
        does not reach back to all that it rests on. Of the message classes in `trimmed` not all that was published is
        known.
        """
        ...

    @property
    def dropped(self) -> Mapping[str, int]:
        """Restored records of types that this release has not, by type, so far: they are left out."""
        ...

    @property
    def horizon_us(self) -> int:
        """How far before the newest tick an input may still change what was said, and so how much log a fold needs."""
        ...
