"""Workers that die, sleep, come and go."""

import signal

from tests.harness.waiting import eventually
from tests.torture.case import Stage, case
from tests.torture.kills import kill
from tests.torture.oracle import fences
from tests.torture.points import EXACT, HANG, Plan, Point
from tests.torture.room import Room
from tests.torture.workers import Worker
from uns.engine.failure import Exit


@case("kill-random", fast=True)
def kill_random(stage: Stage) -> None:
    """kill -9 at random times and steps, two workers, all the time under load."""
    result = kill(stage.services, 60 if stage.full else 6, stage.seed)
    result.verdict.assert_ok()
    assert result.verdict.records > 100


@case("kill-steps", fast=True)
def kill_steps(stage: Stage) -> None:
    """kill -9 between each pair of steps: restore, outputs, state, fence, offsets, commit, what comes after."""
    with Room(stage.services, lines=2, partitions=1, seed=stage.seed) as room:
        with room.load(300) as load:
            room.worker()
            room.area.passed()
            room.workers[0].kill()
            for point in EXACT:
                worker = room.worker(plan=Plan(point, 1 if point in (Point.OPEN, Point.RESTORE) else 2))
                assert worker.ended() == -signal.SIGKILL, f"{point}: {worker.tail()}"
            load.stop()
        room.worker()
        room.exact()


@case("kill-classes")
def kill_classes(stage: Stage) -> None:
    """kill -9 between steps of a plant that wears: groups, capability, conditions, use and anomalies are told, too."""
    with Room(stage.services, lines=1, partitions=1, seed=stage.seed, wearing=True) as room:
        with room.load(40) as load:
            for round_ in range(3):
                for point in (Point.OUTPUTS, Point.FENCE, Point.COMMIT, Point.ACK):
                    worker = room.worker(plan=Plan(point, 2 + round_))
                    assert worker.ended() == -signal.SIGKILL, f"{point}: {worker.tail()}"
            load.stop()
        room.worker()
        told = room.exact().derived
        assert {"capability", "condition", "quality", "alert"} <= set(told), told


@case("sigstop-zombie", fast=True)
def sigstop_zombie(stage: Stage) -> None:
    """SIGSTOP past the session timeout, a new owner, SIGCONT: the zombie is fenced and writes nothing."""
    with Room(stage.services, lines=4, partitions=2, seed=stage.seed) as room:
        with room.load() as load:
            zombie = room.worker(0)
            room.area.passed()
            zombie.send(signal.SIGSTOP)
            _inherited(room, heir := room.worker(1))
            zombie.send(signal.SIGCONT)
            _learnt(zombie)
            room.area.passed()
            assert heir.running
            load.stop()
        _no_old_generation(room)
        room.exact()


@case("sigstop-in-transaction")
def sigstop_in_transaction(stage: Stage) -> None:
    """SIGSTOP in an open transaction, before and after each of its last steps; its heir waits for the broker's verdict."""
    with Room(stage.services, lines=4, partitions=2, seed=stage.seed) as room:
        with room.load(100) as load:
            owner = 0
            for point in (Point.OUTPUTS, Point.OFFSETS, Point.COMMIT, Point.ACK):
                zombie = room.worker(owner, Plan(point, 4, action=int(signal.SIGSTOP)))
                eventually(lambda zombie=zombie: zombie.stopped(), 60, f"{zombie.name} stands at {point}")  # type: ignore[misc]
                owner = 1 - owner
                _inherited(room, heir := room.worker(owner))
                zombie.send(signal.SIGCONT)
                _learnt(zombie)
                for worker in (zombie, heir):
                    if worker.running:
                        worker.kill()
            load.stop()
            room.worker(owner)
        room.drained()
        _no_old_generation(room)
        room.exact()


@case("workers-come-and-go")
def workers_come_and_go(stage: Stage) -> None:
    """Two, then three workers over six partitions: added, stopped, killed and restarted under load."""
    with Room(stage.services, lines=8, partitions=6, seed=stage.seed) as room:
        with room.load() as load:
            first, second = room.worker(0), room.worker(1)
            _shared(room, first, second)
            third = room.worker(2)
            _shared(room, first, second, third)
            second.stop()
            _shared(room, first, third)
            third.kill()
            second = room.worker(1)
            third = room.worker(2)
            _shared(room, first, second, third)
            first.kill()
            _shared(room, second, third)
            first = room.worker(0)
            third.stop()
            _shared(room, first, second)
            load.stop()
        room.exact()


@case("commit-hangs")
def commit_hangs(stage: Stage) -> None:
    """A client's call never returns from a commit: the worker ends by itself, and the next goes on."""
    with Room(stage.services, lines=2, partitions=1, seed=stage.seed) as room:
        with room.load(100) as load:
            worker = room.worker(plan=Plan(Point.COMMIT, 5, action=HANG))
            assert worker.ended(120) == Exit.TRANSACTION, worker.tail()
            load.stop()
        room.worker()
        room.exact()


@case("same-slot-twice")
def same_slot_twice(stage: Stage) -> None:
    """Two processes with one slot: the older is shut out, and nothing is written twice."""
    with Room(stage.services, seed=stage.seed) as room:
        with room.load() as load:
            older = room.worker()
            room.area.passed()
            newer = room.worker()
            newer.restored()
            _learnt(older)
            room.area.passed()
            load.stop()
        room.exact()


def _inherited(room: Room, heir: Worker) -> None:
    """Waits until one worker has everything."""
    eventually(lambda: heir.restored()["partitions"] == room.area.partitions, 90, f"{heir.name} has inherited all")
    room.area.passed()


def _shared(room: Room, *workers: Worker) -> None:
    """Waits until these workers hold all partitions, an equal share each (give or take one), and everything moves on."""

    def shares() -> bool:
        held = [worker.restored()["partitions"] for worker in workers]
        return bool(sum(held) == room.area.partitions and max(held) - min(held) <= 1)

    eventually(shares, 90, "equal shares")
    room.area.passed()


def _learnt(worker: Worker) -> None:
    """Waits until a worker has noticed that its partitions are another's: it ends, or joins with none."""

    def learnt() -> bool:
        return not worker.running or "partitions are another" in worker.text() or worker.restored()["partitions"] == 0

    eventually(learnt, 60, f"{worker.name} has learnt that its partitions are another's")


def _no_old_generation(room: Room) -> None:
    """Once a new generation has written a fence, none before it ever does."""
    for partition in range(room.area.partitions):
        generations = [fence.generation for fence in fences(room.area, partition)]
        assert generations == sorted(generations), f"partition {partition}: {generations}"
