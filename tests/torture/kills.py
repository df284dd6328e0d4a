"""Workers are killed again and again, at any time and between any two steps, while machines talk on."""

import random
import signal
import statistics
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.torture.oracle import Verdict
from tests.torture.points import Plan, Point, draw
from tests.torture.room import SAFE, SESSION_S, Room, Services

PATIENCE_S = 20.0
"""A step that a worker has not come to by then is given up: it is killed where it is."""
ENDS_MAX = 20
"""A worker may end by itself, and start again; not for ever."""
DRAIN_S = 300.0
IN_TRANSACTION = (Point.BEGIN, Point.OUTPUTS, Point.FENCE, Point.OFFSETS, Point.COMMIT, Point.COMMITTING, Point.ACK)
ABSENCE = 0.03
"""Share of deaths after which a slot stays away beyond the session: another worker takes over and hands back."""


@dataclass
class Result:
    """What `--json` writes, but for the verdict's own figures."""

    seed: int
    kills: int = 0
    workers: int = 0
    by_point: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    fenced: int = 0
    """Transactions refused or slots shut out: workers that learnt that their partitions were another's."""
    ends: Counter[str] = field(default_factory=Counter)
    """Exit codes of workers that ended by themselves."""
    restart_s: float | None = None
    """Median from the start of a process to its first transaction."""
    seconds: float = 0.0
    judged_s: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def json(self) -> dict[str, Any]:
        fields, verdict = dict(vars(self)), dict(vars(self.verdict))
        del fields["verdict"]
        first = {name: verdict.pop(name) for name in ("records", "lost", "duplicate", "byte_equal")}
        return {"kills": fields.pop("kills"), **first, **fields, **verdict}


class _Killer:
    """Runs one slot: start, die, start. All chance is of the seed; only the machine's speed is not."""

    def __init__(self, room: Room, slot: int, result: Result, budget: threading.Semaphore, seed: int) -> None:
        self._room, self._slot, self._result, self._budget = room, slot, result, budget
        self._chance = random.Random(f"{seed}/{slot}")
        self.restarts_s: list[float] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._guarded)

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error

    def _run(self) -> None:
        while self._budget.acquire(blocking=False):
            plan = draw(self._chance)
            point = self._one_life(plan)
            self._result.by_point[point] += 1
            if self._chance.random() < ABSENCE:
                time.sleep(SESSION_S + 1)  # the fault itself: a slot that stays away

    def _one_life(self, plan: Plan) -> Point:
        """One worker up to its death by us; one that ends by itself does not count and is started again."""
        for _ in range(ENDS_MAX):
            worker = self._room.worker(self._slot, plan)
            if worker.over.wait(plan.delay_s if plan.point is Point.RANDOM else PATIENCE_S):
                code, point = worker.ended(), plan.point
            else:
                code, point = worker.kill(), Point.RANDOM
            if code == -signal.SIGKILL:
                if point in IN_TRANSACTION and plan.nth == 1:
                    self.restarts_s.append(worker.ended_at - worker.begun)
                return point
            self._result.ends[str(code)] += 1
            if code not in SAFE:
                raise AssertionError(f"{worker.name} ended with {code}:\n{worker.tail(3)}")
        raise AssertionError(f"{worker.name} ended {ENDS_MAX} times by itself, with {code} at last:\n{worker.tail(3)}")


def kill(services: Services, kills: int, seed: int, workers: int = 2, rate: float = 200.0) -> Result:
    """Kills `workers` slots `kills` times in all, drains, stops and judges. A worker that cannot go on is a difference."""
    begun = time.monotonic()
    result = Result(seed, workers=workers)
    with Room(services, lines=6, partitions=max(3, workers), seed=seed) as room:
        load = room.load(rate)
        budget = threading.Semaphore(kills)
        killers = [_Killer(room, slot, result, budget, seed) for slot in range(workers)]
        for killer in killers:
            killer.thread.start()
        for killer in killers:
            killer.thread.join()
        load.stop()
        failures = [killer.error for killer in killers if killer.error is not None]
        if not failures:
            try:
                with ExitStack() as last:
                    for slot in range(workers):
                        last.enter_context(room.supervised(slot))
                    room.area.passed(DRAIN_S)
            except AssertionError as error:
                failures.append(error)
        room.area.settled()
        judging = time.monotonic()
        result.verdict = room.judged()
        result.judged_s = round(time.monotonic() - judging, 1)
        for failure in failures:
            result.verdict.differs(str(failure))
        result.kills = result.by_point.total()
        result.restarts = len(room.workers) - workers
        said = [worker.text() for worker in room.workers]
        result.fenced = sum("partitions are another worker's" in text or '"exit": "72' in text for text in said)
    if times := [t for killer in killers for t in killer.restarts_s]:
        result.restart_s = round(statistics.median(times), 2)
    result.seconds = round(time.monotonic() - begun, 1)
    return result
