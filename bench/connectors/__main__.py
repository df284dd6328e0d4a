"""`make bench-connectors`: medians as ratios within one run; a table, and `build/bench-connectors.json`.

Servers and brokers run beside the connector, on the same machine. ARGS="--runs 1 --messages 20000 --only mqtt" for a quick
look. A figure that needs a free core for each side is only judged where the machine has them.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench.cluster import Failed, cluster
from bench.connectors import delay, modbus, mqtt, mtconnect, opcua, outage, sparkplug
from bench.figures import Bench, Figure, table, write

SECTIONS: dict[str, Callable[[Bench], list[Figure]]] = {
    "sparkplug": sparkplug.measure,
    "modbus": modbus.measure,
    "mqtt": mqtt.measure,
    "delay": delay.measure,
    "outage": outage.measure,
    "mtconnect": mtconnect.measure,
    "opcua": opcua.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.connectors", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement; the median counts")
    parser.add_argument("--messages", type=int, default=100_000, help="messages of a run")
    parser.add_argument("--seconds", type=float, default=60, help="length of a run that lasts")
    parser.add_argument("--only", nargs="*", default=[], choices=list(SECTIONS))
    parser.add_argument("--json", type=Path, default=Path("build/bench-connectors.json"))
    options = parser.parse_args()
    console = Console(width=180)
    folder = Path(tempfile.mkdtemp(prefix="uns-bench-"))
    figures: list[Figure] = []
    try:
        with cluster(folder, console.print) as broker:
            bench = Bench(broker, options.runs, options.messages, options.seconds, console.print)
            for name, section in SECTIONS.items():
                if options.only and name not in options.only:
                    continue
                console.print(f"{name} …")
                try:
                    figures += section(bench)
                except Failed as error:
                    figures.append(Figure(name, None, "", note=str(error)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table(figures))
    write(figures, options.json)
    return 0 if all(figure.value is not None for figure in figures) else 1


raise SystemExit(main())
