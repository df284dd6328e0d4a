"""`make bench-sinks`: medians as ratios within one run; a table, and `build/bench-sinks.json`.

Targets run beside the sink, on the same machine. ARGS="--runs 1 --samples 40000 --only historian" for a quick look. To add a
target put a module into `bench/sinks` with `measure(job: Job) -> list[Figure]`: its name is the section.
"""

import argparse
import pkgutil
import shutil
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from rich.console import Console

from bench import sinks
from bench.cluster import Failed, Machine
from bench.figures import Figure, table, write
from bench.sinks.job import Job

Section = Callable[[Job], list[Figure]]


def sections() -> dict[str, Section]:
    """By name of module, in its order."""
    names = sorted(module.name for module in pkgutil.iter_modules(sinks.__path__) if module.name != "__main__")
    modules = {name: import_module(f"{sinks.__name__}.{name}") for name in names}
    return {name: module.measure for name, module in modules.items() if hasattr(module, "measure")}


def main() -> int:
    found = sections()
    parser = argparse.ArgumentParser(prog="python -m bench.sinks", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement; the median counts")
    parser.add_argument("--samples", type=int, default=400_000, help="samples of a run")
    parser.add_argument("--only", nargs="*", default=[], choices=list(found))
    parser.add_argument("--json", type=Path, default=Path("build/bench-sinks.json"))
    options = parser.parse_args()
    console = Console(width=180)
    figures: list[Figure] = []
    for name, section in found.items():
        if options.only and name not in options.only:
            continue
        console.print(f"{name} …")
        folder, machine = Path(tempfile.mkdtemp(prefix="uns-bench-")), Machine()
        try:
            figures += section(Job(options.runs, options.samples, folder, console.print))
        except Failed as error:
            figures.append(Figure(name, None, "", note=str(error)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        console.print(f"{name}: {machine.idle_cores():.1f} cores were idle on average")
    console.print(table(figures))
    write(figures, options.json)
    return 0 if figures and all(figure.value is not None for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
