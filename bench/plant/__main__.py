"""`make bench-plant`: the largest plant that this machine keeps up with, what each part of it costs, and a peer beside it.

Machines of 20 tags speak over MQTT; connector, Kafka, processors, historian and page run as the processes that an operator
runs. A plant holds when no stage is ever more than five seconds behind, 99 % of derived records are there within a second of
their source time, and what came out is what was said, value by value; else the next smaller one is tried. ARGS="--smoke" is a
small plant for a minute; ARGS="--machines 500 1000" tries just these, and to
the end. Figures: `build/bench-plant.json`.
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cluster import Failed
from bench.plant import model, peer, trial
from bench.plant.trial import Trial
from uns.runtime import telemetry
from uns.runtime.settings import Settings

BEGIN, MOST, NEAR = 250, 16_000, 1.15
SMOKE_MACHINES, SMOKE_S, SECONDS = 20, 20, 120
PEER_S = 20


def search(attempt: Callable[[int], Trial], begin: int = BEGIN, most: int = MOST) -> list[Trial]:
    """Twice as many while it holds, then halfway between what held and what did not, until they are near each other."""
    trials: list[Trial] = []
    good, bad, count = 0, most + 1, begin
    while True:
        trials.append(attempt(count))
        if trials[-1].holds:
            good = count
        else:
            bad = count
        if bad <= max(1, good) * NEAR or bad <= 20 or good >= most:
            return trials
        count = min(2 * good, most) if bad > most else (good + bad) // 20 * 10
        if count in {one.machines for one in trials} or count < 10:
            return trials


def table(one: Trial) -> Table:
    rows = Table("component", "cores", "CPU µs a sample", "memory MB", "largest MB", "MB / 1,000 samples a second")
    for name, part in sorted(one.parts.items(), key=lambda item: -item[1].cores):
        rows.add_row(
            name,
            f"{part.cores:.2f}",
            f"{part.us_sample:.2f}",
            f"{part.memory_mb:,.0f}",
            f"{part.largest_mb:,.0f}",
            f"{part.mb_per_1000:.1f}",
        )
    return rows


def words(one: Trial) -> str:
    behind = ", ".join(f"{name} {seconds:.1f}" for name, seconds in one.behind_s.items())
    delay = "no derived record came" if one.p99_s is None else f"p50 {one.p50_s:.2f} s, p99 {one.p99_s:.2f} s"
    verdict = "holds" if one.holds else one.problems[0] if one.problems else "does not hold"
    return (
        f"{one.machines:,} machines, {one.samples_s:,.0f} samples/s: {delay}; behind at most, in s: {behind}; "
        f"{one.idle_cores:.1f} cores idle, load {one.load:.1f}; {verdict}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.plant", description=__doc__)
    parser.add_argument("--machines", type=int, nargs="*", default=[], help="try these and no others")
    parser.add_argument("--begin", type=int, default=BEGIN, help="machines of the first trial")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="length of a trial")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes of processors")
    parser.add_argument("--tick", type=float, default=model.TICK_S, help="seconds between ticks")
    parser.add_argument("--no-peer", action="store_true", help="leave Telegraf out")
    parser.add_argument(
        "--smoke", action="store_true", help="a small plant for a short time; fails on wrong results alone"
    )
    parser.add_argument("--json", type=Path, default=Path("build/bench-plant.json"))
    options = parser.parse_args(arguments)
    console = Console(width=180)
    telemetry.configure_logs(Settings(log_level="critical"))
    if options.smoke:
        options.machines, options.seconds, options.no_peer = options.machines or [SMOKE_MACHINES], SMOKE_S, True

    def attempt(count: int) -> Trial:
        one = trial.run(count, options.seconds, options.workers, options.tick, lambda line: None, not options.machines)
        console.print(words(one))
        console.print(table(one))
        return one

    try:
        trials = [attempt(count) for count in options.machines] or search(attempt, options.begin)
    except Failed as error:
        console.print(f"no figure: {error}")
        return 1
    best = max((one for one in trials if one.holds), key=lambda one: one.machines, default=None)
    document: dict[str, object] = {
        "workers": options.workers,
        "tick_s": options.tick,
        "cores": os.cpu_count(),
        "largest": None if best is None else best.machines,
        "samples_s": None if best is None else best.samples_s,
        "trials": [one.document() for one in trials],
    }
    if not options.no_peer:
        document["peer"] = peer.beside((best or trials[-1]).machines, PEER_S, console.print)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    console.print(
        f"largest plant: {best.machines:,} machines, {best.samples_s:,.0f} samples/s" if best else "no plant held"
    )
    if options.smoke:
        return int(any(one.problems for one in trials))
    return int(best is None)


if __name__ == "__main__":
    raise SystemExit(main())
