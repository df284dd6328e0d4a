"""Makes one remote object for each record that a mapping names, and keeps it at the newest revision.

Effectively once without the target's help: the ledger says what was done; where a crash or a lost answer leaves it
unclear, the object is looked up before it is made again. Targets that honour an idempotency key get one as well.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path as FilePath

from schemas.records import Derived
from sinks.base import Deferred, Delivery, LeftBehind, Positions, Rejected, Retryable, Unwritten
from sinks.kit.suspects import Suspects
from sinks.rest.config import RestConfig
from sinks.rest.ledger import ObjectLedger
from sinks.rest.objects import Later, Objects
from sinks.rest.shared import Shared
from sinks.rest.target import Failed, Heard, Refused, Target

FAILURES_MAX = 3
"""In a row, of one call; then the rest of it is not tried: most likely the target is away."""


class RestSink:
    """One target. Records of one key are written one after the other, in the order they came."""

    def __init__(self, name: str, config: RestConfig, folder: FilePath, heard: Heard | None = None) -> None:
        """`heard` is told of each answer."""
        self._name, self._config, self._folder, self._heard = name, config, folder, heard
        self._target: Target | None = None
        self._ledger: ObjectLedger | None = None
        self._suspects = Suspects(config.tries, config.tries_s)

    async def open(self) -> None:
        """Opens the ledger; the target is first asked when there is something to write."""
        await self.close()
        self._target = Target(self._name, self._config, self._heard)
        try:
            self._ledger = ObjectLedger(self._folder, [mapping.known_as for mapping in self._config.requests])
        except (OSError, sqlite3.Error) as error:
            raise Retryable(f"sink {self._name}: the ledger in {self._folder} cannot be opened: {error}") from error

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        if self._ledger is None or self._target is None:
            raise Retryable(f"sink {self._name}: not open")
        objects = Objects(self._config, self._target, self._ledger)
        call = _Call(Shared(objects, self._target, self._ledger), self._config, self._suspects)
        for delivery in self._untried_first(deliveries):
            try:
                await call.put(delivery)
            except Retryable as error:
                error.progressed = call.sent
                raise
            except sqlite3.Error as error:
                raise Retryable(f"sink {self._name}: the ledger cannot be written: {error}", call.sent) from error
        return call.unwritten()

    def unclear(self) -> int:
        return 0 if self._ledger is None else self._ledger.unclear()

    def _untried_first(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """By key, those first over which the target has not broken yet; within a key, in order."""
        tried: dict[str, int] = {}
        for delivery in deliveries:
            tried.setdefault(delivery.key, self._suspects.tried(_place(delivery)))
        return sorted(deliveries, key=lambda delivery: tried[delivery.key])

    async def close(self) -> None:
        target, self._target = self._target, None
        ledger, self._ledger = self._ledger, None
        if target is not None:
            await target.close()
        if ledger is not None:
            ledger.close()


class _Call:
    """One call of `write`: what became of each record, and what it says about the others."""

    def __init__(self, objects: Shared, config: RestConfig, suspects: Suspects) -> None:
        self._objects, self._config, self._suspects = objects, config, suspects
        self._settled: list[Unwritten] = []
        self._deferred: list[Deferred] = []
        self._failed: dict[tuple[str, int, int], Failed] = {}
        self._held: dict[str, Delivery] = {}
        """Key → the first of its records that waits."""
        self._in_row = 0
        self._probed = False
        self.sent = False

    async def put(self, delivery: Delivery) -> None:
        held = self._held.get(delivery.key)
        if (held is not None and not self._may_probe(held, delivery)) or self._in_row >= FAILURES_MAX:
            self._hold(delivery, "waits for what came before it")
            return
        try:
            await self._put(delivery)
        except Refused as refused:
            self._suspects.done(_place(delivery))
            self._settled.append(Rejected(delivery, refused.reason, str(refused)))
        except Later as later:
            self._hold(delivery, str(later), later.wait_s)
        except Failed as failed:
            self._suspects.failed(_place(delivery), failed.reason, str(failed), time.monotonic())
            self._failed[_place(delivery)] = failed
            self._in_row += 1
            self._hold(delivery, str(failed))

    async def _put(self, delivery: Delivery) -> None:
        record = delivery.record
        for mapping in self._config.requests:
            if isinstance(record, mapping.kind):
                done = await self._objects.put(mapping, record)
                if done.sent:
                    self.sent, self._in_row = True, 0
                if done.left is not None:
                    self._settled.append(LeftBehind(delivery, done.left))
        self._suspects.done(_place(delivery))

    def _may_probe(self, held: Delivery, delivery: Delivery) -> bool:
        """Where nothing else is there to show that the target takes others, something behind the held one shows it."""
        if self.sent or self._probed or not self._suspects.lone(_place(held)):
            return False
        self._probed = _natural_id(held) != _natural_id(delivery)
        return self._probed

    def _hold(self, delivery: Delivery, words: str, wait_s: float = 0.0) -> None:
        self._held.setdefault(delivery.key, delivery)
        self._deferred.append(Deferred(delivery, words, wait_s))

    def unwritten(self) -> list[Unwritten]:
        """The verdicts, once it is known whether the target took anything."""
        outcomes, now = list(self._settled), time.monotonic()
        for deferred in self._deferred:
            delivery = deferred.delivery
            failed = self._failed.get(_place(delivery))
            words = self._suspects.blame(_place(delivery), now) if failed is not None and self.sent else None
            outcomes.append(deferred if failed is None or words is None else Rejected(delivery, failed.reason, words))
        return outcomes


def _place(delivery: Delivery) -> tuple[str, int, int]:
    return delivery.topic, delivery.partition, delivery.offset


def _natural_id(delivery: Delivery) -> str | None:
    return delivery.record.natural_id if isinstance(delivery.record, Derived) else None
