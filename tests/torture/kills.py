"""Workers are killed again and again, at any time and between any two steps, while machines talk on."""

import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.torture.oracle import Verdict
from tests.torture.points import Plan, Point, draw
from tests.torture.room import SESSION_S, Room, Services

PATIENCE_S = 20.0
"""A step that a worker has not come to by then is given up: it is killed where it is."""
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
    """Median from start to the end of the first transaction of a life."""
    seconds: float = 0.0
    judged_s: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def json(self) -> dict[str, Any]:
        found, verdict = dict(vars(self)), dict(vars(self.verdict))
        del found["verdict"]
        first = {name: verdict.pop(name) for name in ("records", "lost", "duplicate", "byte_equal")}
        return {"kills": found.pop("kills"), **first, **found, **verdict}


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
        while True:
            worker = self._room.worker(self._slot, plan)
            if not worker.over.wait(plan.delay_s if plan.point is Point.RANDOM else PATIENCE_S):
                code = worker.kill()
                point = Point.RANDOM
            else:
                code = worker.ended()
                point = plan.point
            if code == -9:
                if plan.point is Point.ACK and plan.nth == 1 and point is plan.point:
                    self.restarts_s.append(worker.ended_at - worker.begun)
                return point
            self._result.ends[str(code)] += 1


def kill(services: Services, kills: int, seed: int, workers: int = 2, rate: float = 200.0) -> Result:
    """Kills `workers` slots `kills` times in all, drains, stops and judges."""
    begun = time.monotonic()
    result = Result(seed, kills, workers)
    room = Room(services, lines=6, partitions=max(3, workers), seed=seed)
    with room:
        load = room.load(rate)
        budget = threading.Semaphore(kills)
        killers = [_Killer(room, slot, result, budget, seed) for slot in range(workers)]
        for killer in killers:
            killer.thread.start()
        for killer in killers:
            killer.thread.join()
        for killer in killers:
            if killer.error is not None:
                raise killer.error
        load.stop()
        for slot in range(workers):
            room.worker(slot)
        room.drained(deadline_s=300)
        judging = time.monotonic()
        result.verdict = room.judged()
        result.judged_s = round(time.monotonic() - judging, 1)
        result.restarts = len(room.workers) - workers
        for slot in range(workers):
            text = (room.folder / f"worker-{slot}.log").read_text(encoding="utf-8", errors="replace")
            result.fenced += text.count("partitions are another worker's") + text.count('"exit": "72')
    if times := [t for killer in killers for t in killer.restarts_s]:
        result.restart_s = round(statistics.median(times), 2)
    result.seconds = round(time.monotonic() - begun, 1)
    return result
