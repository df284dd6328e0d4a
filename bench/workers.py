"""Two workers on two partitions against one on the same two."""

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
    ratios, idle_cores, busy = [], [], []
    for _ in range(bench.runs):
        before = psutil.cpu_times()
        one = engines.ours(task)
        between = psutil.cpu_times()
        two = engines.ours(task, workers=2)
        after = psutil.cpu_times()
        ratios.append(one.wall_s / two.wall_s)
        idle_cores.append(_idle_share(before, between) * (psutil.cpu_count() or 1))
        busy.append(1 - _idle_share(between, after))
        bench.keep("two workers", one_wall_s=one.wall_s, two_wall_s=two.wall_s, idle_cores_beside_one=idle_cores[-1])
        bench.say(f"two workers: {ratios[-1]:.2f} times one; {idle_cores[-1]:.2f} cores were idle beside one")
    bench.cluster.drop(raw)
    idle, used = median(idle_cores) or 0.0, median(busy) or 0.0
    free = idle >= FREE
    return [
        Figure(
            "two workers on two partitions against one",
            median(ratios),
            "ratio",
            REACH,
            note=f"{'' if free else 'cores are not free: '}{idle:.1f} of {psutil.cpu_count()} idle beside one worker and "
            f"the broker, {used:.0%} of all busy with two",
            judged=free,
        )
    ]


def _idle_share(before: object, after: object) -> float:
    def parts(times: object) -> dict[str, float]:
        return dict(times._asdict())  # type: ignore[attr-defined]

    spent = {name: value - parts(before)[name] for name, value in parts(after).items()}
    total = sum(value for name, value in spent.items() if name not in ("guest", "guest_nice"))
    return (spent["idle"] + spent.get("iowait", 0.0)) / total if total else 0.0
