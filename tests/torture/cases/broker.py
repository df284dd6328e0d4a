"""The broker dies, restarts, and is away."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.harness.waiting import eventually
from tests.torture.broker import Broker
from tests.torture.case import Stage, case
from tests.torture.room import Room
from tests.torture.workers import Worker

STORM_S, FULL_STORM_S = 40.0, 300.0
AWAY_S, FULL_AWAY_S = 25.0, 300.0
"""Longer than session and transaction last; and minutes."""


def under_load(stage: Stage, name: str, times: int, end: Callable[[Broker], object]) -> None:
    """The broker ends and starts again on the same data, while machines talk and two workers fold."""
    with (
        Broker(stage.folder(name)) as broker,
        Room(stage.services, seed=stage.seed, bootstrap=broker.address) as room,
    ):
        with room.load() as load, room.supervised(0), room.supervised(1):
            for _ in range(times):
                room.area.passed()
                end(broker)
                broker.start()
            room.area.passed()
            load.stop()
            room.area.passed()
        room.exact()


@case("broker-kill")
def broker_kill(stage: Stage) -> None:
    """kill -9 of the broker under load, three times, same data: no acknowledged record is lost, none doubled."""
    under_load(stage, "broker-kill", 3, Broker.kill)


@case("broker-restart")
def broker_restart(stage: Stage) -> None:
    """A clean restart of the broker under load, as in an upgrade, twice."""
    under_load(stage, "broker-restart", 2, Broker.stop)


@case("broker-away")
def broker_away(stage: Stage) -> None:
    """The broker is away for long (--full: five minutes): everything recovers unattended, and what waited comes in order."""
    with (
        Broker(stage.folder("broker-away")) as broker,
        Room(stage.services, seed=stage.seed, bootstrap=broker.address) as room,
    ):
        with room.load(100) as load, room.supervised(0), room.supervised(1):
            room.area.passed()
            broker.stop()
            acknowledged = load.acknowledged
            time.sleep(FULL_AWAY_S if stage.full else AWAY_S)  # the fault itself
            assert load.acknowledged == acknowledged
            broker.start()
            eventually(lambda: load.acknowledged > acknowledged, 60, "the load goes on")
            room.area.passed(180)
            load.stop()
            room.area.passed()
        room.exact()


@case("storm")
def storm(stage: Stage) -> None:
    """Everything at once, by chance: three workers are killed, stopped, sent to sleep, and the broker dies or restarts."""
    chance = random.Random(stage.seed)
    with Broker(stage.folder("storm")) as broker, ExitStack() as closing:
        room = closing.enter_context(Room(stage.services, 8, 4, stage.seed, bootstrap=broker.address))
        load = closing.enter_context(room.load(100))
        asleep: list[Worker] = []
        with room.supervised(0), room.supervised(1), room.supervised(2):
            room.area.passed()
            end = time.monotonic() + (FULL_STORM_S if stage.full else STORM_S)
            while time.monotonic() < end:
                worker = room.latest(chance.randrange(3))
                for sleeper in asleep:
                    sleeper.send(signal.SIGCONT)
                asleep.clear()
                action = chance.choice(("kill", "kill", "kill", "term", "sleep", "sleep", "broker-kill", "broker-stop"))
                if action.startswith("broker"):
                    broker.kill() if action == "broker-kill" else broker.stop()
                    broker.start()
                elif worker is not None and action == "sleep":
                    worker.send(signal.SIGSTOP)
                    asleep.append(worker)
                elif worker is not None:
                    worker.send(signal.SIGKILL if action == "kill" else signal.SIGTERM)
                # The next fault strikes at any time, past a session too.
                time.sleep(chance.uniform(0.0, 9.0 if asleep else 3.0))
            for sleeper in asleep:
                sleeper.send(signal.SIGCONT)
            room.area.passed(180)
            load.stop()
            room.area.passed(180)
        room.exact()
