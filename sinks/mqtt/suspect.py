"""Records over which a broker ends the link instead of saying no, as MQTT 3.1.1 has it. Pure.

What was sent and not acknowledged when a link ended is sent one by one at the next. A try counts only where the link ended
over one alone; and each new link has shown before that the broker takes messages.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sinks.base import Delivery

Place = tuple[str, int, int]


def place_of(delivery: Delivery) -> Place:
    return delivery.topic, delivery.partition, delivery.offset


@dataclass
class Suspect:
    """At most one window of records."""

    tries_max: int
    tries_s: float
    _open: set[Place] = field(default_factory=set)
    _alone: Place | None = None
    _since: float = 0.0
    _tries: int = 0
    _words: str = ""

    def __contains__(self, delivery: Delivery) -> bool:
        return place_of(delivery) in self._open

    def ended(self, places: Collection[Place], alone: bool, words: str, now: float) -> None:
        """The link ended while these were under way."""
        if not alone or len(places) != 1:
            self._open = set(places)
            return
        [place] = places
        if place != self._alone:
            self._alone, self._since, self._tries = place, now, 0
        self._tries, self._words = self._tries + 1, words

    def verdict(self, delivery: Delivery, now: float) -> str | None:
        """The words with which it is given up; None: it is to be tried."""
        if place_of(delivery) != self._alone or self._tries < self.tries_max or now - self._since < self.tries_s:
            return None
        words = (
            f"the link ended {self._tries} times in {now - self._since:.0f} s over this message alone: {self._words}"
        )
        self.done(delivery)
        return words

    def done(self, delivery: Delivery) -> None:
        self._open.discard(place_of(delivery))
        if place_of(delivery) == self._alone:
            self._alone = None
