"""Our engine against its peers on the same log: samples a second, as ratios within one run.

From the first record to the last output that a `read_committed` consumer can read; start-up of the process, compiling
and joining the group are in nobody's figure (a JVM's warming up is). Every engine has the same input topic, decodes
and encodes the same Avro, writes the same bytes (checked by a digest over all of them), compresses by lz4, keeps its
state with a changelog and commits input, state and output exactly once. Ours writes its CloudEvents headers besides.
Engines take turns within a run, in an order that moves on by one each run.
"""

from collections.abc import Callable, Sequence

from bench import engines, workload
from bench.cluster import Failed
from bench.engines import Result, Task
from bench.figures import Bench, Figure, median

OURS = "ours"
CPU_REACH = {"streams": 1.0}
"""By CPU time, beside the reach by wall time."""
DISTURBED = 0.25
"""Cores taken by others that are worth a word."""
PEERS: dict[str, tuple[str, Callable[[Task], Result], float]] = {
    "quix": ("Quix Streams, exactly once", engines.quix_streams, 2.2),
    "bare": ("a bare loop without output", engines.bare_loop, 0.8),
    "streams": ("Kafka Streams, exactly_once_v2", engines.streams, 0.7),
}


def compare(bench: Bench, pack: int, peers: Sequence[str]) -> list[Figure]:
    """`pack` samples a record; only one a record has something to reach."""
    raw, ends = workload.produce(bench.cluster, bench.records, pack)
    task = Task(bench.cluster, raw, ends, sum(ends) * pack)
    runners: dict[str, Callable[[Task], Result]] = {OURS: engines.ours} | {name: PEERS[name][1] for name in peers}
    results: dict[str, list[Result]] = {name: [] for name in runners}
    faults: dict[str, str] = {}
    for run in range(bench.runs):
        order = list(runners)[run % len(runners) :] + list(runners)[: run % len(runners)]
        digests = {}
        for name in (name for name in order if name not in faults):
            try:
                result = runners[name](task)
            except Failed as failed:
                faults[name] = str(failed)
                bench.say(f"{name}: {failed}")
                continue
            results[name].append(result)
            if result.digest:
                digests[name] = result.digest
            _report(bench, pack, name, task.samples, result)
        for name, digest in digests.items():
            if OURS in digests and digest != digests[OURS]:
                faults[name] = "its outputs are not the same bytes as ours"
    bench.cluster.drop(raw)
    return _figures(pack, task.samples, results, faults)


def compare_state(bench: Bench) -> list[Figure]:
    """The engine itself: the same step, its state committed exactly once, and no record told."""
    raw, ends = workload.produce(bench.cluster, bench.records, 1)
    task = Task(bench.cluster, raw, ends, sum(ends))
    pairs = []
    for _ in range(bench.runs):
        pair = engines.ours_state(task), engines.bare_loop(task)
        for name, result in zip(("ours, state alone", "bare"), pair, strict=True):
            _report(bench, 1, name, task.samples, result)
        pairs.append(pair)
    bench.cluster.drop(raw)
    ours, bare = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    wall = median([theirs.wall_s / own.wall_s for own, theirs in pairs])
    cpu = median([theirs.cpu_s / own.cpu_s for own, theirs in pairs])
    return [
        _speed(1, "our engine, state alone", task.samples, ours, ""),
        Figure(
            "ours against a bare loop, both without output, 1 a record",
            wall,
            "ratio",
            PEERS["bare"][2],
            note=f"by CPU time {cpu:.2f}{_disturbed(ours, bare)}",
        ),
    ]


def _report(bench: Bench, pack: int, name: str, samples: int, result: Result) -> None:
    bench.keep(
        f"{pack} a record, {name}",
        samples_s=round(samples / result.wall_s),
        samples_cpu_s=round(samples / result.cpu_s),
        wall_s=round(result.wall_s, 3),
        cpu_s=round(result.cpu_s, 3),
        broker_cpu_s=round(result.broker_cpu_s, 3),
        idle_cores=round(result.idle_cores, 2),
        others_cores=round(result.others_cores, 2),
        outputs=result.outputs,
    )
    bench.say(
        f"{pack} a record, {name}: {samples / result.wall_s:,.0f} samples/s, "
        f"{samples / result.cpu_s:,.0f} a CPU second, {result.outputs:,} outputs"
    )


def _figures(pack: int, samples: int, results: dict[str, list[Result]], faults: dict[str, str]) -> list[Figure]:
    ours = results[OURS]
    figures = [_speed(pack, "our engine", samples, ours, faults.get(OURS, ""))]
    for name in (name for name in results if name != OURS):
        label, _, reach = PEERS[name]
        theirs, fault = results[name], faults.get(name, faults.get(OURS, ""))
        figures.append(_speed(pack, label, samples, theirs, fault))
        pairs = [] if fault else list(zip(ours, theirs, strict=True))
        wall = median([b.wall_s / a.wall_s for a, b in pairs])
        cpu = median([b.cpu_s / a.cpu_s for a, b in pairs])
        figures.append(
            Figure(
                f"ours against {label}, {pack} a record",
                wall,
                "ratio",
                reach if pack == 1 else None,
                note=fault or f"by CPU time {cpu:.2f}{_disturbed(ours, theirs)}",
            )
        )
        if pack == 1:
            figures.append(Figure(f"{figures[-1].name}, by CPU time", cpu, "ratio", CPU_REACH.get(name), note=fault))
    return figures


def _disturbed(ours: list[Result], theirs: list[Result]) -> str:
    """Where other work on the machine was in the way, so that the wall times say little, and whose."""
    a, b = (median([result.others_cores for result in results]) or 0.0 for results in (ours, theirs))
    return f"; others took {a:.1f} cores from ours, {b:.1f} from the peer" if max(a, b) > DISTURBED else ""


def _speed(pack: int, label: str, samples: int, results: list[Result], fault: str) -> Figure:
    value = None if fault else median([samples / result.wall_s for result in results])
    cpu = median([samples / result.cpu_s for result in results])
    return Figure(
        f"{label}, {pack} a record", value, "samples/s", note=fault or f"{cpu or 0:,.0f} a CPU second of the engine"
    )
