"""`make bench`: medians of five; a table, and `build/bench.json` as a list of {name, value, unit, reach, holds}."""

import argparse
import json
import statistics
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.fold import measure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs to take the median of")
    parser.add_argument("--paths", type=int, default=200, help="machines")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where to write the figures")
    given = parser.parse_args()
    runs = [measure(given.paths) for _ in range(given.runs)]
    figures = []
    table = Table("what", "median", "unit", "reach", "holds")
    for name, (_, unit, reach) in runs[0].items():
        value = round(statistics.median(run[name][0] for run in runs), 3)
        figures.append(
            {"name": name, "value": value, "unit": unit, "reach": reach, "holds": reach is None or value >= reach}
        )
        said = ("", "") if reach is None else (f"{reach:,g}", "yes" if value >= reach else "no")
        table.add_row(name, f"{value:,}", unit, *said)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    Console().print(table)


main()
