"""What a polled device says as readings. Pure."""

from typing import Protocol

from connectors.base import Reading
from schemas.records import Sample, Value
from topology.namespace.path import Path


class Point(Protocol):
    """A tag of a path, and whatever its protocol must know of it."""

    @property
    def path(self) -> Path: ...
    @property
    def tag(self) -> str: ...


class Unreadable(ValueError):
    """Bytes that are no value of their type; `reason` is one of a few words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def reading(point: Point, value: Value, quality: int, arrived: int) -> Reading:
    """A polled value has no time of its own: it has that of its arrival, in µs."""
    return Reading(point.path, Sample(point.tag, arrived, value, quality), "arrival")


def whole(number: int) -> int:
    """A whole number, where it is one of ours. Raises `Unreadable`."""
    if not -(2**63) <= number < 2**63:
        raise Unreadable("bad_value", f"{number} does not fit 64 bits with a sign")
    return number
