"""A whole history through a counter's scanner."""

from collections.abc import Iterable

from processors.inputs.glitches import Run, Scanner


def scan(scanner: Scanner, samples: Iterable[tuple[int, int]]) -> tuple[list[Run], list[int]]:
    """Runs (merged where they overlap, in order) and times of odd steps of samples (at, value) in order of time."""
    runs: list[Run] = []
    odd: list[int] = []
    for at, value in samples:
        ended, strange = scanner.see(at, value)
        for run in ended:
            add_run(runs, run)
        if strange:
            odd.append(at)
    return runs, odd


def add_run(runs: list[Run], run: Run) -> None:
    """Adds a run that ends last; those that it overlaps become one with it."""
    start, end = run
    while runs and runs[-1].end >= start:
        start = min(start, runs.pop().start)
    runs.append(Run(start, end))
