"""Where a worker kills itself: SIGKILL between two exact steps of its own life, seeded.

The steps are those of the clients that the engine uses, so the points hold however the engine's own code is arranged:
the wrapped producer and consumer are the real ones, and dying is the only thing they add.
"""

import os
import random
import signal
import threading
import time
from enum import StrEnum
from typing import Any, NamedTuple

import confluent_kafka


class Point(StrEnum):
    """The step a worker does not survive. RANDOM: any moment, chosen from outside."""

    RANDOM = "random"
    OPEN = "open"  # the slot's transactions are about to be taken from the predecessor
    RESTORE = "restore"  # in the midst of reading the changelog
    BEGIN = "begin"  # a transaction has begun, nothing is written
    OUTPUTS = "outputs"  # outputs are on the log, state and fence are not
    FENCE = "fence"  # outputs and state are on the log, the fence is not
    OFFSETS = "offsets"  # all is on the log, the group's offsets are not in the transaction yet
    COMMIT = "commit"  # all is in the transaction, the commit is not asked for
    COMMITTING = "committing"  # the commit is under way
    ACK = "ack"  # the commit is done, the worker has not gone on yet


EXACT = tuple(point for point in Point if point is not Point.RANDOM)
FLUSH_S = 10.0
HANG = 0


class Plan(NamedTuple):
    point: Point
    nth: int = 1
    """At which transaction (or read of the changelog) it happens."""
    delay_s: float = 0.0
    """RANDOM: after so long. COMMITTING: so long into the commit."""
    action: int = signal.SIGKILL
    """SIGSTOP: it stands there until SIGCONT, and goes on. HANG: the call never returns, the process goes on."""


def draw(chance: random.Random) -> Plan:
    """Half at any time, half at a step; the first transaction of a life as often as a later one."""
    if chance.random() < 0.4:
        # Short lives end in start, join and restore, longer ones between transactions.
        return Plan(Point.RANDOM, delay_s=chance.choice((0.3, 1.0, 2.5)) * chance.random())
    point = chance.choice(EXACT)
    nth = 1 if point in (Point.OPEN, Point.RESTORE) or chance.random() < 0.5 else chance.randrange(2, 8)
    return Plan(point, nth, chance.random() * 0.01)


def _signal_self(number: int) -> None:
    os.kill(os.getpid(), number)
    if number in (signal.SIGKILL, HANG):
        while True:  # a kill takes a moment
            time.sleep(1)


class _Producer(confluent_kafka.Producer):  # type: ignore[misc]
    """The transactional producer, up to the point."""

    plan: Plan
    _transaction = 0
    _stood = False

    def _at(self, *points: Point) -> bool:
        return self.plan.point in points and self._transaction == self.plan.nth

    def init_transactions(self, *args: Any) -> Any:
        if self.plan.point is Point.OPEN:
            _signal_self(self.plan.action)
        return super().init_transactions(*args)

    def begin_transaction(self, *args: Any) -> Any:
        self._transaction += 1
        result = super().begin_transaction(*args)
        if self._at(Point.BEGIN):
            _signal_self(self.plan.action)
        return result

    def produce(self, topic: str, *args: Any, **options: Any) -> Any:
        if self._at(Point.OUTPUTS, Point.FENCE) and topic.endswith(".changelog"):
            key = options.get("key", args[1] if len(args) > 1 else b"")
            if not self._stood and (self.plan.point is Point.OUTPUTS or key.endswith(b"/fence")):
                self._stood = True
                self.flush(FLUSH_S)
                _signal_self(self.plan.action)
        return super().produce(topic, *args, **options)

    def send_offsets_to_transaction(self, *args: Any) -> Any:
        if self._at(Point.OFFSETS):
            self.flush(FLUSH_S)
            _signal_self(self.plan.action)
        return super().send_offsets_to_transaction(*args)

    def commit_transaction(self, *args: Any) -> Any:
        if self._at(Point.COMMIT):
            _signal_self(self.plan.action)
        if self._at(Point.COMMITTING):
            threading.Timer(self.plan.delay_s, _signal_self, [self.plan.action]).start()
        result = super().commit_transaction(*args)
        if self._at(Point.ACK):
            _signal_self(self.plan.action)
        return result


class _Consumer(confluent_kafka.Consumer):  # type: ignore[misc]
    """The consumer of the changelog, up to the point."""

    plan: Plan

    def consume(self, *args: Any) -> Any:
        messages = super().consume(*args)
        if messages and self.plan.point is Point.RESTORE:
            _signal_self(self.plan.action)
        return messages


def install(plan: Plan) -> None:
    """Makes this process die at the point. Before the engine makes its clients."""
    from uns.kafka import clients

    if plan.point is not Point.RANDOM:
        clients.Producer = type("Producer", (_Producer,), {"plan": plan})  # type: ignore[attr-defined]
        clients.Consumer = type("Consumer", (_Consumer,), {"plan": plan})  # type: ignore[attr-defined]
