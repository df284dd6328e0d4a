"""Which values are news: not safe before this connection, and not told twice by history and subscription. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from asyncua import ua

from connectors.opcua.codec import micros
from topology.namespace.path import Path

TagKey = tuple[Path, str]


class Mark(NamedTuple):
    """What tells one value of a tag from another; a change of quality alone is one too."""

    at: int
    quality: int
    value: str


def mark(data: ua.DataValue) -> Mark:
    """`at` is -1 for a value without any time."""
    moment = data.SourceTimestamp or data.ServerTimestamp
    quality = data.StatusCode.value if data.StatusCode is not None else 0
    return Mark(micros(moment) if moment else -1, quality, repr(data.Value.Value if data.Value is not None else None))


class Novelty:
    """For one connection. A server's first word on every tag is its present value, and history overlaps with what the
    subscription brings: both are recognised, so that a value is read once. A source whose clock goes back is believed.
    """

    def __init__(self, resume: Mapping[TagKey, int]) -> None:
        self._resume = resume
        self._told: dict[TagKey, set[Mark]] = {}
        """By history, and perhaps still to come by subscription."""
        self._newest: dict[TagKey, int] = {}
        """Time of the newest value that history told."""
        self._last: dict[TagKey, Mark] = {}

    def of_history(self, key: TagKey, value: Mark) -> bool:
        if value.at <= self._resume.get(key, -1):
            return False
        told = self._told.setdefault(key, set())
        if value in told:
            return False
        told.add(value)
        self._newest[key] = max(value.at, self._newest.get(key, -1))
        return True

    def live(self, key: TagKey, value: Mark) -> bool:
        before, self._last[key] = self._last.get(key), value
        if value == before or (before is None and key in self._resume and value.at <= self._resume[key]):
            return False
        if (told := self._told.get(key)) is None:
            return True
        if value in told:
            return False
        if value.at > self._newest[key]:  # the subscription has passed what history told
            del self._told[key]
        return True
