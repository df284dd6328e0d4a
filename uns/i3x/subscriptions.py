"""Subscriptions: who wants to hear of which objects, and what waits for them. Bounded, with a time to live. No I/O; time is given.

What changes at one moment is one batch, with the next number of its subscription. A full queue drops its oldest batch, so
the gap in the numbers says exactly what was lost.
"""

import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from uns.i3x.vqt import Vqt

Update = tuple[str, Vqt]
"""Id of an object, and what it is now."""


class Limits(NamedTuple):
    """How much is kept. `ttl_s`: a subscription that nobody asks for so long is deleted."""

    subscriptions: int = 1_000
    objects: int = 100_000
    """Registered with one subscription."""
    updates: int = 10_000
    """Waiting in one subscription."""
    ttl_s: float = 600.0


class TooMany(Exception):
    """A limit of the server is reached; the words say which."""


class Batch(NamedTuple):
    number: int
    updates: tuple[Update, ...]

    def as_json(self) -> dict[str, Any]:
        return {"sequenceNumber": self.number, "updates": as_json(self.updates)}


def as_json(updates: Iterable[Update]) -> list[dict[str, Any]]:
    return [{"elementId": id_, **vqt.as_json()} for id_, vqt in updates]


@dataclass
class Subscription:
    """What one client hears of. `wake` is called as something comes for its open stream."""

    id: str
    client: str
    name: str
    touched: float
    """When it was last asked for, s."""
    monitored: dict[str, int] = field(default_factory=dict)
    """Id of an object → the depth it was registered with."""
    waiting: deque[Batch] = field(default_factory=deque)
    held: int = 0
    """Updates in `waiting`."""
    number: int = 0
    dropped: int = 0
    """Updates that had no room, ever."""
    told_dropped: int = 0
    stream: object | None = None
    """Who reads its stream; None: nobody."""
    wake: Callable[[], None] | None = None

    def take(self, updates: tuple[Update, ...], most: int) -> None:
        """Queues a batch; the oldest go where there is no room. Of one batch that is too large the newest updates stay."""
        kept = updates[-most:]
        self.dropped += len(updates) - len(kept)
        self.number += 1
        self.waiting.append(Batch(self.number, kept))
        self.held += len(kept)
        while self.held > most:
            gone = self.waiting.popleft()
            self.held -= len(gone.updates)
            self.dropped += len(gone.updates)
        if self.wake is not None:
            self.wake()

    def acknowledge(self, number: int) -> None:
        """Batches up to a number need not be kept; -1: none of those that wait."""
        while self.waiting and (number == -1 or self.waiting[0].number <= number):
            self.held -= len(self.waiting.popleft().updates)

    def drained(self) -> tuple[Update, ...]:
        """All that waits, which is then given: what a stream sends, at most once."""
        updates = tuple(update for batch in self.waiting for update in batch.updates)
        self.waiting.clear()
        self.held = 0
        return updates

    def newly_dropped(self) -> int:
        """How many updates were dropped since this was asked last."""
        new, self.told_dropped = self.dropped - self.told_dropped, self.dropped
        return new


class Subscriptions:
    """All of them. One thread at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all: dict[str, Subscription] = {}
        self._interested: dict[str, Counter[str]] = {}
        """Id of an object → ids of the subscriptions that want it, and by how many of their objects."""
        self.dropped = 0
        """Updates that had no room, of all that were."""

    def __len__(self) -> int:
        return len(self._all)

    def create(self, client: str, name: str, now: float) -> Subscription:
        """Raises `TooMany`."""
        self.expire(now)
        if len(self._all) >= self.limits.subscriptions:
            raise TooMany(
                f"this server keeps {self.limits.subscriptions} subscriptions at most; delete those you do not use"
            )
        made = Subscription(secrets.token_urlsafe(32), client, name, now)
        self._all[made.id] = made
        return made

    def find(self, client: str, id_: str, now: float) -> Subscription | None:
        """The client's own; another client's is not there for it."""
        self.expire(now)
        found = self._all.get(id_)
        return found if found is not None and found.client == client else None

    def delete(self, subscription: Subscription) -> None:
        self._all.pop(subscription.id, None)
        for wanted in [wanted for wanted, by in self._interested.items() if subscription.id in by]:
            self._forget(wanted, subscription.id, everything=True)
        subscription.monitored.clear()
        subscription.drained()
        subscription.stream = None
        if subscription.wake is not None:
            subscription.wake()

    def expire(self, now: float) -> None:
        """Deletes those whose time to live is over; an open stream is a sign of life."""
        for each in [each for each in self._all.values() if each.stream is None]:
            if now - each.touched > self.limits.ttl_s:
                self.delete(each)

    def register(self, subscription: Subscription, id_: str, depth: int, ids: Iterable[str]) -> bool:
        """Adds an object, with `ids` that its depth reaches, itself the first; False where it was registered before.

        Raises `TooMany`.
        """
        if id_ in subscription.monitored:
            return False
        if len(subscription.monitored) >= self.limits.objects:
            raise TooMany(f"a subscription has {self.limits.objects} objects at most")
        subscription.monitored[id_] = depth
        for wanted in ids:
            self._interested.setdefault(wanted, Counter())[subscription.id] += 1
        return True

    def unregister(self, subscription: Subscription, id_: str, reached: Callable[[str, int], Iterable[str]]) -> bool:
        """Takes an object out; False where it is not registered. What waits stays. `reached`: ids of an object and a depth."""
        depth = subscription.monitored.pop(id_, None)
        if depth is None:
            return False
        for wanted in reached(id_, depth):
            self._forget(wanted, subscription.id)
        return True

    def reaches(self, parent: str, new: str) -> None:
        """A component that was not there before: who registered what it belongs to, in depth, hears of it from now on."""
        for id_ in self._interested.get(parent, ()):
            if self._all[id_].monitored.get(parent, 1) != 1:
                self._interested.setdefault(new, Counter())[id_] += 1

    def publish(self, updates: Iterable[Update]) -> None:
        """Queues what changed at one moment with everybody who wants it."""
        wanted: dict[str, list[Update]] = {}
        for update in updates:
            for id_ in self._interested.get(update[0], ()):
                wanted.setdefault(id_, []).append(update)
        for id_, of_one in wanted.items():
            subscription = self._all[id_]
            before = subscription.dropped
            subscription.take(tuple(of_one), self.limits.updates)
            self.dropped += subscription.dropped - before

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._all.values()))

    def _forget(self, wanted: str, id_: str, everything: bool = False) -> None:
        interested = self._interested.get(wanted, Counter())
        interested[id_] = 0 if everything else interested[id_] - 1
        if interested[id_] <= 0:
            del interested[id_]
        if not interested:
            self._interested.pop(wanted, None)
