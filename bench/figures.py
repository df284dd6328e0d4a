"""A measured figure, its judgement, the table and the file."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from bench.cluster import Cluster


class Median(float):
    """The median of several runs, which knows the least and the most of them."""

    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One row. `value` None: it could not be measured, `note` says why."""

    name: str
    value: float | None
    unit: str
    reach: float | None = None
    at_most: bool = False
    """Whether `reach` is a ceiling."""
    note: str = ""
    judged: bool = True
    """False where this machine cannot show it; `note` says why."""

    @property
    def holds(self) -> bool | None:
        """None: nothing to reach, or not to be judged here."""
        if self.reach is None or not self.judged:
            return None
        if self.value is None:
            return False
        return self.value <= self.reach if self.at_most else self.value >= self.reach

    @property
    def range(self) -> tuple[float, float] | None:
        """The least and the most of the runs; None where it is no median of several."""
        return (self.value.low, self.value.high) if isinstance(self.value, Median) else None


@dataclass
class Bench:
    """What every measurement gets: the broker, how often and how much, and where it tells what it does."""

    cluster: Cluster
    runs: int
    records: int
    """Samples of an engine's run."""
    seconds: float
    """Length of a latency run."""
    say: Callable[[str], None]
    details: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    """Every single run, for the file beside the figures."""

    def keep(self, name: str, **values: object) -> None:
        self.details.setdefault(name, []).append(values)


def median(values: Sequence[float]) -> Median | None:
    if not values:
        return None
    middle = Median(statistics.median(values))
    middle.low, middle.high = min(values), max(values)
    return middle


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3 if abs(value) < 100 else 0)


def write(figures: Sequence[Figure], file: Path) -> None:
    """The file of {name, value, low, high, unit, reach, holds}."""
    rows = [
        {
            "name": f.name,
            "value": rounded(f.value),
            "low": rounded(f.range and f.range[0]),
            "high": rounded(f.range and f.range[1]),
            "unit": f.unit,
            "reach": f.reach,
            "holds": f.holds,
        }
        for f in figures
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def table(figures: Sequence[Figure]) -> Table:
    rows = Table("what", "median", "range", "unit", "reach", "holds", "note")
    for figure in figures:
        value = "none" if figure.value is None else f"{rounded(figure.value):,g}"
        if figure.value is not None and abs(figure.value) >= 100:
            value = f"{figure.value:,.0f}"
        reach = "" if figure.reach is None else f"{'≤' if figure.at_most else '≥'} {figure.reach:,g}"
        holds = {True: "yes", False: "no", None: "" if figure.reach is None else "not judged"}[figure.holds]
        spread = "" if figure.range is None else " – ".join(f"{rounded(end):,g}" for end in figure.range)
        rows.add_row(figure.name, value, spread, figure.unit, reach, holds, figure.note)
    return rows
