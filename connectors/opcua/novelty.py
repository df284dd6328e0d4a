"""Which values are news: not safe before this connection, and not told twice by history and subscription. Pure."""

from typing import NamedTuple

from connectors.base import Malformed, Reading, Resume, Safe
from schemas.records import Value
from topology.namespace.path import Path

TagKey = tuple[Path, str]


class Mark(NamedTuple):
    """What tells one value of a tag from another; a change of quality alone is one too."""

    at: int
    """µs; -1 of what has none."""
    quality: int
    value: Value


def mark(said: Reading | Malformed) -> Mark:
    """Of something malformed its bytes are the value."""
    if isinstance(said, Reading):
        return Mark(said.sample.at, said.sample.quality, said.sample.value)
    return Mark(-1, 0, said.payload.decode("utf-8", "replace"))


class Novelty:
    """Lives as long as the connector; `reopened` begins a connection. A server's first word on every tag is its present
    value, and history overlaps with what the subscription brings: both are recognised, so that a value is read once. A
    source whose clock goes back is believed.
    """

    def __init__(self) -> None:
        self._resume: Resume = {}
        self._last: dict[TagKey, Mark] = {}
        """Of all connections."""
        self._first: dict[TagKey, Mark] = {}
        """The first word of this connection."""
        self._told: dict[TagKey, set[Mark]] = {}
        """By history, and perhaps still to come by subscription."""

    def reopened(self, resume: Resume) -> None:
        self._resume = resume
        self._first, self._told = {}, {}

    def knew(self, key: TagKey) -> bool:
        """Whether anything was safe of a tag before this connection."""
        return key in self._resume

    def live_since(self, key: TagKey) -> int | None:
        """The time (µs) of the first word of this connection on a tag; None before it, and where it has none."""
        first = self._first.get(key)
        return None if first is None or first.at < 0 else first.at

    def hole(self, key: TagKey) -> int | None:
        """Since when (µs) something may have been missed of a tag; None where nothing can."""
        safe, first = self._resume.get(key), self._first.get(key)
        return None if safe is None or (first is not None and 0 <= first.at <= safe.at) else safe.at

    def of_history(self, key: TagKey, value: Mark) -> bool:
        """Whether history tells something new."""
        first, safe = self._first.get(key), self._resume.get(key)
        if (safe is not None and value.at <= safe.at) or (
            first is not None and (value.at > first.at >= 0 or value == first)
        ):
            return False
        told = self._told.setdefault(key, set())
        if value in told:
            return False
        told.add(value)
        return True

    def live(self, key: TagKey, value: Mark) -> bool:
        """Whether the subscription tells something new."""
        before, self._last[key] = self._last.get(key), value
        if key not in self._first:
            self._first[key] = value
            if (safe := self._resume.get(key)) is not None and value.at <= safe.at and value.at >= 0:
                return _other(safe, value)
            return key not in self._told or value not in self._told[key]
        return value != before and (key not in self._told or value not in self._told[key])

    def known_later(self, key: TagKey, value: Mark) -> int | None:
        """The time (µs) of what was known already of a tag, where its first word claims to be older than that."""
        safe = self._resume.get(key)
        if safe is None or not 0 <= value.at < safe.at or self._first.get(key) != value:
            return None
        return safe.at

    def newest(self, key: TagKey) -> Safe | None:
        """The last word of the subscription on a tag."""
        last = self._last.get(key)
        return None if last is None or last.at < 0 else Safe(last.at, last.value, last.quality)

    def caught_up(self, key: TagKey) -> None:
        """History has told all that it has of a tag."""
        self._told.pop(key, None)


def _other(safe: Safe, value: Mark) -> bool:
    return safe.quality is not None and (safe.value, safe.quality) != (value.value, value.quality)
