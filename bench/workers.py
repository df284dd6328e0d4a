"""Two workers on two partitions against one on the same two."""

from dataclasses import asdict

import psutil

from bench import engines, workload
from bench.engines import Task
from bench.figures import Bench, Figure, median

REACH = 1.7
FREE = 0.8
"""Share of a core that must be idle beside one worker and the broker, for a second worker to have one."""


def measure(bench: Bench) -> list[Figure]:
    raw, ends = workload.produce(bench.cluster, bench.records, 1, partitions=2)
    task = Task(bench.cluster, raw, ends, sum(ends))
    ratios, idle_beside_one, idle_beside_two = [], [], []
    for _ in range(bench.runs):
        single, double = engines.ours(task), engines.ours(task, workers=2)
        ratios.append(single.wall_s / double.wall_s)
        idle_beside_one.append(single.idle_cores)
        idle_beside_two.append(double.idle_cores)
        bench.keep("two workers", one=asdict(single), two=asdict(double))
        bench.say(f"two workers: {ratios[-1]:.2f} times one; {single.idle_cores:.2f} cores were idle beside one")
    bench.cluster.drop(raw)
    idle, left = median(idle_beside_one) or 0.0, median(idle_beside_two) or 0.0
    free = idle >= FREE
    return [
        Figure(
            "two workers on two partitions against one",
            median(ratios),
            "ratio",
            REACH,
            note=f"{'' if free else 'cores are not free: '}of {psutil.cpu_count()}, {idle:.1f} were idle beside one worker "
            f"and the broker, {left:.1f} beside two",
            judged=free,
        )
    ]
