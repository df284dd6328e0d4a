"""Records that a target could not take while it took others: in order, bounded, brought again when their time comes. Pure.

Order is kept for a key: what comes behind a held record is held, too. No position passes what is held.
"""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sinks.base import Deferred, Delivery, Positions

HELD_MAX = 2_000
HELD_BYTES_MAX = 32_000_000
BACKOFF_S = (0.1, 30.0)
Place = tuple[str, int, int]


class Waiting(NamedTuple):
    delivery: Delivery
    message: Any
    """As Kafka brought it, for the quarantine."""
    size: int
    logged: Place | None = None
    """Where it lies in the log, if not where the delivery says: a record that is given again."""

    @property
    def position(self) -> Place:
        return self.logged or place_of(self.delivery)


class Held:
    """Keyed by place in the log."""

    def __init__(self) -> None:
        self._waiting: dict[Place, Waiting] = {}
        self._keys: dict[str, int] = {}
        self._bytes = 0
        self._due = 0.0
        self._backoff_s = BACKOFF_S[0]

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= HELD_MAX or self._bytes >= HELD_BYTES_MAX

    def behind(self, delivery: Delivery) -> bool:
        """It has to wait for one of its key, or waits already."""
        return delivery.key in self._keys

    def all(self) -> list[Waiting]:
        return list(self._waiting.values())

    def put(self, waiting: Waiting) -> None:
        place = place_of(waiting.delivery)
        if place not in self._waiting:
            self._waiting[place] = waiting
            self._bytes += waiting.size
            self._keys[waiting.delivery.key] = self._keys.get(waiting.delivery.key, 0) + 1

    def due(self, now: float) -> list[Waiting]:
        """What is to be tried now: all of it, so that every key keeps its order; nothing before its time."""
        return list(self._waiting.values()) if self._waiting and now >= self._due else []

    def outcome(self, tried: Iterable[Waiting], deferred: Collection[Deferred], progressed: bool, now: float) -> None:
        """After a call over `tried`: what it deferred stays or comes, the rest goes."""
        waits = {place_of(each.delivery): each.wait_s for each in deferred}
        for waiting in tried:
            place = place_of(waiting.delivery)
            if place in waits:
                self.put(waiting)
            else:
                self._leave(place)
        self._backoff_s = BACKOFF_S[0] if progressed or not deferred else min(2 * self._backoff_s, BACKOFF_S[1])
        # Those that wait for a stated time bring nothing before; the others are not kept waiting for them.
        asked = min(waits.values(), default=0.0)
        self._due = now + max(self._backoff_s, asked)

    def forget(self, assigned: Collection[tuple[str, int]]) -> None:
        """Records of partitions that went elsewhere come to whoever reads those."""
        for place in [place for place, each in self._waiting.items() if each.position[:2] not in assigned]:
            self._leave(place)

    def short_of(self, positions: Positions) -> dict[tuple[str, int], int]:
        """Positions that pass nothing that is held."""
        short = dict(positions)
        for topic, partition, offset in (each.position for each in self._waiting.values()):
            if (topic, partition) in short:
                short[topic, partition] = min(short[topic, partition], offset)
        return short

    def _leave(self, place: Place) -> None:
        if (waiting := self._waiting.pop(place, None)) is None:
            return
        self._bytes -= waiting.size
        key = waiting.delivery.key
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]


def place_of(delivery: Delivery) -> Place:
    return delivery.topic, delivery.partition, delivery.offset
