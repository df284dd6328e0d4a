"""What happens in the plant, as values: a machine says something, or the office does. Times are µs of plant time."""

from dataclasses import dataclass
from typing import Any

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


@dataclass(frozen=True, slots=True)
class Said:
    """A machine's tag has a new value."""

    at: int
    path: str
    tag: str
    value: Any


@dataclass(frozen=True, slots=True)
class Fact:
    """The office publishes an order or a shift for a line."""

    at: int
    line: str
    kind: str
    """order | shift"""
    content: dict[str, Any]
    """Fields of the record; times in µs."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Something for the truth log only: what really is, whoever may see it."""

    at: int
    kind: str
    content: dict[str, Any]


Event = Said | Fact | Truth
