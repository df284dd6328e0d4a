"""What happens in the plant, as values: a machine says something, or the office does. Times are µs of plant time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: int) -> datetime:
    """The same time as an aware datetime, exact."""
    return _EPOCH + timedelta(microseconds=at)


def day_of(at: int) -> str:
    """Calendar day in UTC: 2026-11-23."""
    return moment(at).date().isoformat()


@dataclass(frozen=True, slots=True)
class Said:
    """A machine's tag has a new value."""

    at: int
    path: str
    tag: str
    value: Any


@dataclass(frozen=True, slots=True)
class Fact:
    """The office publishes an order or a shift of a line, or which lot a machine uses."""

    at: int
    line: str
    """Path of the line, or of the machine."""
    kind: str
    """order | shift | lot"""
    content: dict[str, Any]
    """Fields of the record; times in µs."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Something for the truth log only: what really is, whoever may see it."""

    at: int
    kind: str
    content: dict[str, Any]


Event = Said | Fact | Truth
