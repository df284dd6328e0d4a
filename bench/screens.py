"""The topic browser at 100,000 tags: how long a search and a look at a place take, through the page's own WebSocket, and how
much memory the index holds. `python -m bench.screens [--tags 100000] [--json FILE]`.

The page runs in this process, with its frame and without a broker; a client asks as a browser does, and the time is from
the question sent to the answer received. Each search is asked once when nothing of it is known (cold: with the lists of its
words still to be made bits), then again and again. Nothing fails by its speed: the figures are for `docs/people.md`.
"""

import argparse
import json
import os
import statistics
import threading
import time
from pathlib import Path

import psutil
import uvicorn
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.typing import Origin

from uns.runtime.ports import HOST, free_port
from uns.web.app import Site, create
from uns.web.browser import spec
from uns.web.browser.catalog import Catalog
from uns.web.feed import Feed
from uns.web.namespace import Namespace

PARTS = ("Motor", "Heater", "Pump", "Valve", "Axis", "Zone", "Belt", "Drive", "Tank", "Oven")
QUANTITIES = ("Temp", "Pressure", "Speed", "Current", "Torque", "Pos", "Level", "Vibration", "Flow", "Power")
SEARCHES = (
    "temp",
    "motor temperature",
    "a",
    "line-3 oven press",
    "presure",
    "acme degC",
    "cell-4 axis spd",
    "zzzz",
    "moter tmp site-2",
)
PLACES = ("", "acme", "acme/site-1", "acme/site-1/area-1/line-1", "acme/site-1/area-1/line-1/cell-1")
TIMES = 20


def known(tags: int) -> dict[str, dict[str, tuple[str, str]]]:
    """Machines of 100 tags each, until there are so many."""
    names = [part + quantity for part in PARTS for quantity in QUANTITIES]
    machines = (
        f"acme/site-{site}/area-{area}/line-{line}/cell-{cell}"
        for site in range(1_000)
        for area in range(4)
        for line in range(10)
        for cell in range(5)
    )
    return {next(machines): dict.fromkeys(names, ("degC", "process value")) for _ in range(max(tags // len(names), 1))}


def never() -> object:
    raise RuntimeError("no broker here")


def asked(socket: Connection, number: int, place: str, **options: str) -> float:
    """Milliseconds from the question to its answer. Each question is another slot, so that no answer is an old one."""
    slot = f"s{number % 4}"
    told = {"slot": slot, "screen": "topics", "place": place, "options": options | {"n": str(number)}}
    begun = time.perf_counter()
    socket.send(json.dumps(told))
    while True:
        name, _, text = str(socket.recv(timeout=60)).partition("\n")
        if name == slot and '"children"' in text:
            return (time.perf_counter() - begun) * 1e3


def measured(port: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    number = 0
    with connect(f"ws://{HOST}:{port}/live", origin=Origin(f"http://{HOST}:{port}"), max_size=None) as socket:
        questions = [(f"find {text!r}", "", {"find": text}) for text in SEARCHES]
        questions += [(f"look at {place or 'the top'}", place, {}) for place in PLACES]
        for what, place, options in questions:
            times = []
            for _ in range(TIMES + 1):
                times.append(asked(socket, number, place, **options))
                number += 1
            first, rest = times[0], sorted(times[1:])
            found[what] = {"first_ms": first, "median_ms": statistics.median(rest), "worst_ms": rest[-1]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model, process = known(arguments.tags), psutil.Process()
    before, begun = process.memory_info().rss, time.perf_counter()
    catalog = Catalog(model)
    built_s, held_mb = time.perf_counter() - begun, (process.memory_info().rss - before) / 1e6
    feed = Feed([], never, 1e9)  # type: ignore[arg-type]
    port = free_port()
    site = Site({"topics": (spec, catalog)}, Namespace(), feed, lambda: 0)
    server = uvicorn.Server(uvicorn.Config(create(site), port=port, log_level="critical", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        times = measured(port)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
    print(
        f"{catalog.counts['tags']:,} tags: indexed in {built_s:.2f} s, {held_mb:.0f} MB; load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':<34}{'first':>9}{'median':>9}{'worst':>9}  ms")
    for what, row in times.items():
        print(f"{what:<34}{row['first_ms']:>9.1f}{row['median_ms']:>9.1f}{row['worst_ms']:>9.1f}")
    if arguments.json is not None:
        figures = {"tags": catalog.counts["tags"], "built_s": built_s, "held_mb": held_mb, "times": times}
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
