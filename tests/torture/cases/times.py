"""Clocks that jump, and machines that say nothing."""

import time

from schemas.records import Oee, Sample, Samples, State, Tick
from tests.harness.waiting import eventually
from tests.torture import script
from tests.torture.case import Stage, case
from tests.torture.oracle import Verdict
from tests.torture.room import Room
from topology.namespace.classes import MessageClass

JUMP = script.HOUR
JUMP_S = 3600.0


@case("clock-source")
def clock_source(stage: Stage) -> None:
    """A source's clock jumps an hour ahead, then an hour back: quarantined as future, then corrected; time is not moved."""
    with Room(stage.services, lines=1, partitions=1, seed=stage.seed, poison=0.0, time={"future_s": 300}) as room:
        room.worker()
        right, wrong = room.machines.cells
        load = room.quiet_load()
        for jump in (0, JUMP, -JUMP, 0):
            for _ in range(20):
                now = room.clock()
                load.put(*room.machines.put(*room.machines.sampled(now, right)))
                load.put(*room.machines.put(*room.machines.sampled(now + jump, wrong)))
            load.stop()
            eventually(lambda: room.area.written(MessageClass.STATE, 0), what="a tick: before it no time is ahead")
            room.area.passed()
        verdict = room.exact()
        assert max(_ticks(room)) <= room.clock(), "time is what the ticks say"
        assert verdict.reasons["future"] == 20
        assert verdict.quarantined == 20
        assert verdict.late == 0, "an hour is within the horizon"
        _no_negative_durations(room)


@case("clock-worker")
def clock_worker(stage: Stage) -> None:
    """A worker's clock jumps an hour ahead, then an hour back: time never runs backwards, and the numbers are the oracle's."""
    with Room(stage.services, lines=2, partitions=1, seed=stage.seed) as room:
        with room.load(100) as load:
            for jump_s in (0.0, JUMP_S, -JUMP_S, 0.0):
                wall_s, plant_s, rate = map(float, room.clock_spec.split(","))
                worker = room.worker(UNS_CLOCK=f"{wall_s},{plant_s + jump_s},{rate}")
                worker.restored()
                for _ in range(3):
                    room.area.passed()
                worker.kill()
            load.stop()
            room.worker()
        verdict = room.exact()
        assert verdict.late == 0 or verdict.reasons["late"] > 0
        _no_negative_durations(room)


@case("worker-away", fast=True)
def worker_away(stage: Stage) -> None:
    """No worker for longer than the horizon, and so no ticks, while the machines go on: nothing is late, future or missing."""
    with Room(
        stage.services,
        lines=1,
        partitions=1,
        seed=stage.seed,
        poison=0.0,
        rate=1200.0,
        time={"future_s": 60},
        silent_after_s=3600,
    ) as room:
        with room.load(30) as load:
            worker = room.worker()
            worker.restored()
            eventually(lambda: room.area.written(MessageClass.OEE, 0), what="an hour of OEE")
            worker.kill()
            begun = room.clock()
            eventually(lambda: room.clock() > begun + 3 * JUMP, what="three hours of the plant")
            load.stop()
            ended = room.clock()
            room.worker()
            eventually(
                lambda: max(_ticks(room)) > ended, what="a tick after the last hour: without it nothing is derived"
            )
        verdict = room.exact()
        assert verdict.late == 0
        assert verdict.reasons["future"] == 0
        records = [room.codec.decode(r.value) for r in room.area.written(MessageClass.OEE, 0)]
        for path in room.machines.cells:
            hours = {r.started_at for r in records if isinstance(r, Oee) and r.path == path and r.window == "hour"}
            missing = set(range(begun // JUMP * JUMP, ended // JUMP * JUMP, JUMP)) - hours
            assert not missing, f"every hour has its numbers; {path} lacks {sorted(missing)} of {begun} to {ended}"
        _no_negative_durations(room)


@case("idle-machines")
def idle_machines(stage: Stage) -> None:
    """One machine is silent, then all are: states become unknown once, and every window closes."""
    with Room(
        stage.services, lines=1, partitions=1, seed=stage.seed, poison=0.0, rate=600.0, silent_after_s=1800
    ) as room:
        room.worker()
        alive, idle = room.machines.cells
        load = room.quiet_load()

        def say(path: str) -> None:
            samples = (Sample("State", room.clock(), 6), Sample("Good", room.clock(), 1))
            load.put(*room.machines.put(path, Samples("plc", 1, samples)))
            load.stop()

        def unknown(path: str) -> list[State]:
            records = [room.codec.decode(r.value) for r in room.area.written(MessageClass.STATE, 0)]
            return [r for r in records if isinstance(r, State) and r.path == path and r.state == "unknown"]

        def closed_hours(path: str) -> int:
            records = [room.codec.decode(r.value) for r in room.area.written(MessageClass.OEE, 0)]
            return len({r.natural_id for r in records if isinstance(r, Oee) and r.path == path and r.status == "final"})

        say(idle)
        deadline = time.monotonic() + 120

        def idle_known() -> bool:
            say(alive)
            return bool(unknown(idle)) and closed_hours(idle) >= 1

        eventually(idle_known, deadline - time.monotonic(), "the silent machine is unknown and its hour closes")
        assert not unknown(alive), "the other one is not"
        hours = closed_hours(alive)
        eventually(lambda: unknown(alive) and closed_hours(alive) > hours, 120, "all silent: unknown, and hours close")
        verdict: Verdict = room.exact()
        assert verdict.lost == 0
        for path in (alive, idle):
            assert len({record.natural_id for record in unknown(path)}) == 1, "one silence, one record"
        _no_negative_durations(room)


def _ticks(room: Room) -> list[int]:
    """The times of the ticks in the log."""
    records = [room.codec.decode(record.value) for record in room.area.written(MessageClass.RAW, 0)]
    return [record.at for record in records if isinstance(record, Tick)]


def _no_negative_durations(room: Room) -> None:
    for record in script.derived(room):
        assert record.ended_at is None or record.ended_at >= record.started_at, record
