"""`make bench-smoke`: a short run, judged by its results alone; its ratios are shown beside those of the last release.

How fast a machine of CI is, and what else runs on it, nobody knows: no figure fails. What fails is a measurement that came
to nothing: an engine that ended, or that wrote other bytes or another number of records than it should have. `build/bench-
smoke.json` keeps the figures; a release commits it as `bench/released.json`.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table

from bench.figures import Bench, Figure, rounded

RELEASED = Path(__file__).with_name("released.json")
RUNS, RECORDS, SECONDS = 1, 60_000, 4.0
ONLY = ("bare", "fold", "latency")
"""A minute on two free cores; the engine's outputs are counted one by one, and no peer is to be installed."""
COMPARED = ("ratio", "share", "records")
"""Units that say something about another machine, too."""


def bench(given: Bench) -> Bench:
    """As it was given, but short."""
    return Bench(given.cluster, RUNS, RECORDS, SECONDS, given.say, given.details)


def wrong(figures: Sequence[Figure]) -> list[str]:
    """What came to nothing, and why."""
    return [f"{figure.name}: {figure.note}" for figure in figures if figure.value is None]


def beside(figures: Sequence[Figure], released: Path = RELEASED) -> Table:
    """Figures that can be compared, beside the last release's."""
    rows = Table("what", "now", "last release", "now / then")
    before = {row["name"]: row["value"] for row in json.loads(released.read_text(encoding="utf-8"))}
    for figure in figures:
        if figure.unit in COMPARED and figure.value is not None and (then := before.get(figure.name)):
            rows.add_row(figure.name, f"{rounded(figure.value):g}", f"{then:g}", f"{figure.value / then:.2f}")
    return rows


Show = Callable[[Table], None]


def judged(figures: Sequence[Figure], show: Show, say: Callable[[str], None]) -> int:
    """Shows them beside the last release's; the exit code."""
    show(beside(figures))
    faults = wrong(figures)
    for fault in faults:
        say(f"wrong: {fault}")
    return 1 if faults else 0
