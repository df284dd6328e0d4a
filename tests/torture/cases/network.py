"""A bad network between a worker and the broker."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.harness.waiting import eventually
from tests.torture.broker import Broker
from tests.torture.case import Stage, case
from tests.torture.network import BadLine
from tests.torture.points import Plan, Point
from tests.torture.room import SESSION_S, Room
from tests.torture.workers import AT_ANY_TIME, Parent
from uns.engine.failure import Exit
from uns.runtime.ports import free_port


@case("network-delay-loss")
def network_delay_loss(stage: Stage) -> None:
    """300 ms delay and 5 % loss between a worker and the broker: slow, and exact."""
    with _far(stage, "network-delay-loss") as (line, room, parent, far):
        with room.load(50) as load, room.supervised(0, parent, UNS_BOOTSTRAP=far):
            room.area.passed()
            line.delay_s, line.loss = 0.15, 0.05  # each way
            time.sleep(60 if stage.full else 15)  # the fault itself
            load.stop()
            room.area.passed(300)
            assert line.lost > 0
            line.delay_s = line.loss = 0.0
            room.area.passed(180)
        room.exact()


@case("network-partition")
def network_partition(stage: Stage) -> None:
    """One of two workers is cut off for two sessions: the other takes over, and who returns writes nothing old."""
    with _far(stage, "network-partition") as (line, room, parent, far):
        with room.load(100) as load, room.supervised(0, parent, UNS_BOOTSTRAP=far), room.supervised(1):
            eventually(lambda: _held(room, 0) == _held(room, 1) == 1, 120, "both have a share")
            room.area.passed()
            line.cut()
            time.sleep(2 * SESSION_S)  # the fault itself
            eventually(lambda: _held(room, 1) == 2, 120, "the near worker has inherited")
            room.area.passed()
            line.mend()
            eventually(lambda: _held(room, 0) == _held(room, 1) == 1, 180, "both have a share again")
            load.stop()
            room.area.passed(180)
        room.exact()


@case("commit-unanswered")
def commit_unanswered(stage: Stage) -> None:
    """The line is cut in a commit, before it arrives or before its answer does: who does not know ends, and starts anew."""
    with _far(stage, "commit-unanswered") as (line, room, parent, far):
        with room.load(100) as load:
            for arrives in (False, True):
                worker = room.worker(0, Plan(Point.COMMIT, 5, action=signal.SIGSTOP), parent, UNS_BOOTSTRAP=far)
                eventually(worker.stopped, 60, "it stands before its commit")
                line.cut(out=not arrives, back=True)
                worker.send(signal.SIGCONT)
                assert worker.ended() == Exit.TRANSACTION, worker.tail()
                line.mend()
            room.worker(0, AT_ANY_TIME, parent, UNS_BOOTSTRAP=far)
            load.stop()
        room.exact()


@contextmanager
def _far(stage: Stage, name: str) -> Iterator[tuple[BadLine, Room, Parent, str]]:
    """A bad line, a room, a parent of workers at the line's other end, and the broker's address as they see it."""
    with BadLine(stage.seed) as line:
        far = f"{line.here}:{free_port()}"
        # Nobody there reaches the registry: ids come from the cache on disk, so no id may be unknown.
        with (
            Broker(stage.folder(name), listener=far) as broker,
            Room(stage.services, seed=stage.seed, bootstrap=broker.address, poison=0.0) as room,
            Parent(line.command) as parent,
        ):
            yield line, room, parent, far


def _held(room: Room, slot: int) -> int:
    """Partitions of the slot's latest life."""
    if (worker := room.latest(slot)) is None:
        return 0
    restored = [line for line in worker.lines() if line.get("event") == "partitions restored"]
    return int(restored[-1]["partitions"]) if restored else 0
