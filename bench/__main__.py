"""`make bench`: medians of three, with their ranges, as ratios within one run; a table, and `build/bench.json`.

The file is a list of {name, value, low, high, unit, reach, holds}: `holds` is null where there is nothing to reach or where this
machine cannot show it (too few cores); every single run is in `bench-runs.json` beside it. One broker, embedded unless
`UNS_BOOTSTRAP` is set, on the same machine. ARGS="--runs 1 --records 200000 --only quix bare" for a quick look; `make bench-smoke`
is what CI runs (`bench/smoke.py`). Half an hour on two free cores; ARGS="--runs 5 --records 1500000" says more, and takes three times as long.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench import fold, latency, line, restart, scale, smoke, speed, workers
from bench.cluster import Failed, cluster
from bench.figures import Bench, Figure, median, table, write

PACKS = (20,)
FOLD_PATHS = 200
WIDTH = 180
"""Of the table where no terminal says."""


def folded(bench: Bench) -> list[Figure]:
    """The fold in one thread, without Kafka."""
    runs = [fold.measure(FOLD_PATHS) for _ in range(bench.runs)]
    return [
        Figure(name, median([run[name][0] for run in runs]), unit, reach) for name, (_, unit, reach) in runs[0].items()
    ]


def compared(peers: Sequence[str], pack: int = 1) -> Callable[[Bench], list[Figure]]:
    return lambda bench: speed.compare(bench, pack, peers)


def sections(only: Sequence[str]) -> dict[str, tuple[Callable[[Bench], list[Figure]], Callable[[Bench], float]]]:
    """Name → measurement and its rough length in seconds, of those asked for. Peers asked for together run together."""

    def engines_s(bench: Bench) -> float:
        return 10 + bench.runs * (30 + bench.records / 6_000)

    chosen: dict[str, tuple[Callable[[Bench], list[Figure]], Callable[[Bench], float]]] = {}
    if peers := [name for name in speed.PEERS if not only or name in only]:
        chosen[", ".join(peers)] = compared(peers), engines_s
    if not only or "state" in only:
        chosen["state"] = speed.compare_state, lambda b: 10 + b.runs * (20 + b.records / 50_000)
    if not only or "packed" in only:
        for pack in PACKS:
            chosen[f"packed {pack}"] = (
                compared(list(speed.PEERS), pack),
                lambda b: 10 + b.runs * (30 + b.records / 9_000),
            )
    rest: dict[str, tuple[Callable[[Bench], list[Figure]], Callable[[Bench], float]]] = {
        "fold": (folded, lambda bench: 20 + bench.runs * 15),
        "flat": (scale.measure_flat, lambda bench: bench.runs * 60),
        "memory": (scale.measure_memory, lambda bench: 120),
        "line": (line.measure, lambda bench: 20 + bench.runs * 20),
        "workers": (workers.measure, lambda bench: 10 + bench.runs * (20 + bench.records / 12_000)),
        "latency": (latency.measure, lambda bench: bench.runs * 2 * (bench.seconds + 10)),
        "restart": (restart.measure, lambda bench: 60 + bench.runs * 15),
    }
    return chosen | {name: section for name, section in rest.items() if not only or name in only}


NAMES = (*speed.PEERS, "state", "packed", "fold", "flat", "memory", "line", "workers", "latency", "restart")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs to take the median of")
    parser.add_argument("--records", type=int, default=700_000, help="samples of one engine's run")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of one latency run")
    parser.add_argument("--only", nargs="+", default=[], choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where to write the figures")
    parser.add_argument("--smoke", action="store_true", help="a short run that fails on wrong results alone")
    given = parser.parse_args()
    if given.smoke and not given.only:
        given.only, given.json = list(smoke.ONLY), given.json.with_name("bench-smoke.json")
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {line}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="uns-bench-"))
    figures: list[Figure] = []
    try:
        with cluster(folder, say) as broker:
            bench = Bench(broker, given.runs, given.records, given.seconds, say)
            if given.smoke:
                bench = smoke.bench(bench)
            chosen = sections(given.only)
            estimate_s = sum(length(bench) for _, length in chosen.values())
            say(f"about {estimate_s / 60:.0f} minutes; no engine may take longer than its deadline")
            for name, (measured, _) in chosen.items():
                figures += _section(name, measured, bench)
                write(figures, given.json)
            runs = given.json.with_name(f"{given.json.stem}-runs.json")
            runs.write_text(json.dumps(bench.details, indent=2) + "\n", encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console = Console(width=None if Console().is_terminal else WIDTH)
    console.print(table(figures))
    if given.smoke:
        raise SystemExit(smoke.judged(figures, console.print, say))


def _section(name: str, measured: Callable[[Bench], list[Figure]], bench: Bench) -> list[Figure]:
    """A section that fails is one row that says why; the others go on."""
    try:
        return measured(bench)
    except Failed as failed:
        why = str(failed)
    except Exception as error:  # whatever one measurement trips over, the others still say something
        why = f"{type(error).__name__}: {error}"
    bench.say(f"{name}: {why}")
    return [Figure(name, None, "", 0.0, note=why)]


if __name__ == "__main__":
    main()
