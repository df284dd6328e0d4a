"""The broker dies, restarts, and is away."""

import time

from tests.harness.waiting import eventually
from tests.torture.broker import Broker
from tests.torture.case import Stage, case
from tests.torture.room import Room

AWAY_S, FULL_AWAY_S = 25.0, 300.0
"""Longer than session and transaction last; and minutes."""


@case("broker-kill")
def broker_kill(stage: Stage) -> None:
    """kill -9 of the broker under load, three times, same data: no acknowledged record is lost, none doubled."""
    with (
        Broker(stage.folder("broker-kill")) as broker,
        Room(stage.services, seed=stage.seed, bootstrap=broker.address) as room,
    ):
        with room.load() as load, room.supervised(0), room.supervised(1):
            for _ in range(3):
                room.area.passed()
                broker.kill()
                broker.start()
            room.area.passed()
            load.stop()
            room.area.passed()
        room.exact()


@case("broker-restart")
def broker_restart(stage: Stage) -> None:
    """A clean restart of the broker under load, as in an upgrade, twice."""
    with (
        Broker(stage.folder("broker-restart")) as broker,
        Room(stage.services, seed=stage.seed, bootstrap=broker.address) as room,
    ):
        with room.load() as load, room.supervised(0), room.supervised(1):
            for _ in range(2):
                room.area.passed()
                broker.stop()
                broker.start()
            room.area.passed()
            load.stop()
            room.area.passed()
        room.exact()


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
