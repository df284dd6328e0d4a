"""Which record of a topic is the one to be retained: the newest, whatever is corrected late. Pure.

A record is told as it comes, on its topic. Retained is the one that begins last and was not taken back; so a few that begin
before it are known, too: when the newest is withdrawn, the next one takes its place.
"""

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

KEPT = 4
"""Records of a topic that are known."""


class Known(NamedTuple):
    """One fact of a topic; ordered by time."""

    started_at: int
    natural_id: str
    revision: int


class Told(NamedTuple):
    """What follows for the broker from one record."""

    retain: bool
    """It is the newest: the message itself is to be retained."""
    instead: Known | None = None
    """It took back the newest: this one is retained again."""
    clear: bool = False
    """It took back the newest, and there is no other."""


class Newest:
    """Of all topics. Many of a topic may be known, of a snapshot or a tag one alone."""

    def __init__(self) -> None:
        self._of: dict[str, list[Known]] = {}
        self._inside: dict[str, set[str]] = {}
        """Beginning of a topic, up to its last / → the topics."""
        self.changed: set[str] = set()
        """Topics of which something else is known since `settle`."""

    def __contains__(self, topic: str) -> bool:
        return topic in self._of

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def known(self, topic: str) -> list[Known]:
        return self._of.get(topic, [])

    def top(self, topic: str) -> Known | None:
        """What is retained there."""
        known = self._of.get(topic)
        return known[-1] if known else None

    def below(self, beginning: str) -> list[str]:
        """Topics that begin so, and end in one level more."""
        return list(self._inside.get(beginning, ()))

    def load(self, topic: str, known: Known) -> None:
        """From the disk or the broker: nothing follows from it."""
        insort(self._list(topic), known)

    def empty(self, topic: str) -> None:
        """It is known that nothing is retained there."""
        self._list(topic)

    def clear(self, topic: str) -> None:
        """From now on nothing is retained there."""
        self._list(topic).clear()
        self.changed.add(topic)

    def _list(self, topic: str) -> list[Known]:
        if (known := self._of.get(topic)) is None:
            known = self._of[topic] = []
            self._inside.setdefault(_above(topic), set()).add(topic)
        return known

    def forget(self, topic: str) -> None:
        """What is there has to be asked."""
        if self._of.pop(topic, None) is not None:
            self._inside[_above(topic)].discard(topic)
            self.changed.add(topic)

    def put(self, topic: str, new: Known, withdrawn: bool = False, kept: int = KEPT) -> Told:
        """A record came. An older revision than the known one changes nothing, and is told without being retained."""
        known = self._list(topic)
        before = known[-1] if known else None
        old = next((one for one in known if one.natural_id == new.natural_id), None)
        if old is not None and old.revision > new.revision:
            return Told(False)
        if old is not None:
            known.remove(old)
        if not withdrawn:
            insort(known, new)
            del known[:-kept]
        if old is not None or new in known:
            self.changed.add(topic)
        after = known[-1] if known else None
        if after == new and not withdrawn:
            return Told(True)
        if before is not None and before == old:  # what was retained is gone
            return Told(False, after, after is None)
        return Told(False)

    def settle(self) -> set[str]:
        """The topics that have changed; from now on none has."""
        changed, self.changed = self.changed, set()
        return changed


def _above(topic: str) -> str:
    return topic[: topic.rfind("/") + 1]
