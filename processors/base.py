"""What a fold takes and gives. The engine, the replay and `uns fold` all drive the same functions through this."""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Rejection:
    """All or part of an input that breaks its contract. The raw record goes to quarantine as it is, once a rejection."""

    reason: str
    """A bounded label for metrics: unknown_path, wrong_type, not_finite, future, late, overlap, …"""
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
