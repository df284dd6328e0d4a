"""`python -m uns.demo.plant`: the plant as a process of its own."""

import argparse
import asyncio
import json
import logging
import math
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path

from uns.demo.plant.events import Event, Fact, Said, Truth
from uns.demo.plant.mqtt import Publisher
from uns.demo.plant.opcua import MachineServer
from uns.demo.plant.simulation import Simulation
from uns.demo.plant.truth import TruthLog

BEGIN = datetime.fromisoformat("2026-11-23T05:50:00+00:00").timestamp()
LEAD_S = 6.0
"""From its own start to the first event, where nobody says when that is: servers are up and clients there by then."""
SLICE_S = 0.05
OPCUA_LINES = {"acme/dallas/packaging/line-1": "opcua_dallas", "acme/leipzig/packaging/line-1": "opcua_leipzig"}
FLUSH_S = 20.0
STOP_S = 0.4
"""For the servers to say goodbye: what they wait for after their sockets are closed is of no use to anybody."""


def clock(spec: str) -> tuple[float, float, float]:
    """(wall epoch s, plant epoch s, rate): at `wall` it is `plant` in the plant, and goes on `rate` times as fast."""
    if spec == "now":
        begin = float(math.ceil(time.time() + LEAD_S))
        return begin, begin, 1.0
    try:
        wall, plant, rate = (float(part) for part in spec.split(","))
    except ValueError:
        wall = plant = rate = math.nan
    if not (math.isfinite(wall + plant + rate) and rate > 0):
        raise argparse.ArgumentTypeError(
            f"{spec!r}: <wall epoch s>,<plant epoch s>,<rate above 0> is expected, or `now` for the wall's own time"
        )
    return wall, plant, rate


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m uns.demo.plant", description="A demo plant over OPC UA and MQTT.")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve OPC UA on")
    parser.add_argument("--opcua-dallas", type=int, default=4840, help="port of the OPC UA server in Dallas")
    parser.add_argument("--opcua-leipzig", type=int, default=4841, help="port of the OPC UA server in Leipzig")
    parser.add_argument("--mqtt", default="mqtt://127.0.0.1:1883", help="MQTT broker")
    parser.add_argument(
        "--clock",
        type=clock,
        default=f"{time.time() + LEAD_S},{BEGIN},60",
        help="<wall epoch s>,<plant epoch s>,<rate>, or `now` for the wall's own time; default: 60 times as fast",
    )
    parser.add_argument(
        "--clock-file",
        type=Path,
        help="the same with the same plant epoch, read once it is there: the plant serves and waits until then",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of everything that happens")
    parser.add_argument("--truth", type=Path, required=True, help="file for what really happened")
    parser.add_argument("--until", type=float, help="plant time (epoch s) of the end; none: goes on")
    return parser.parse_args()


async def run(given: argparse.Namespace) -> None:
    wall, plant, rate = given.clock
    begin = int(plant * 1_000_000)
    until = None if given.until is None else int(given.until * 1_000_000)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    servers = {line: MachineServer(given.host, getattr(given, name), begin) for line, name in OPCUA_LINES.items()}
    for server in servers.values():
        await server.start()
    publisher = Publisher(given.mqtt, "demo-plant")
    truth = TruthLog(given.truth, begin)
    simulation = Simulation(given.seed, begin)
    print(json.dumps({"ready": True, "begin_us": begin}), flush=True)
    while given.clock_file is not None and not stopping.is_set():
        if given.clock_file.exists():
            wall, file_plant, rate = clock(given.clock_file.read_text(encoding="ascii"))
            if file_plant != plant:
                raise SystemExit(f"{given.clock_file}: plant epoch {file_plant:.0f}, but the plant serves {plant:.0f}")
            break
        await asyncio.sleep(SLICE_S)

    now, ended = begin, False
    while not stopping.is_set():
        now = max(now, begin + int((time.time() - wall) * rate * 1_000_000))
        limit = now if until is None else min(now, until)
        await _tell_all(simulation.events(limit), servers, publisher, truth)
        truth.flush()
        if until is not None and now >= until and not ended:
            ended = True
            await _tell_all(simulation.farewell(until - 1), servers, publisher, truth)
            left = await asyncio.to_thread(publisher.flush, FLUSH_S)
            truth.end(until)
            print(json.dumps({"ended": True, "not_acknowledged": left}), flush=True)
        with_timeout = asyncio.create_task(stopping.wait())
        await asyncio.wait({with_timeout}, timeout=SLICE_S)
        with_timeout.cancel()
    truth.end(min(now, until) if until is not None else now)
    truth.close()
    await asyncio.to_thread(publisher.flush, 0.2)
    publisher.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(server.stop() for server in servers.values())), STOP_S)


async def _tell_all(
    events: Iterable[Event], servers: dict[str, MachineServer], publisher: Publisher, truth: TruthLog
) -> None:
    for _, together in groupby(events, key=lambda event: (event.at, getattr(event, "path", None))):
        await _tell(list(together), servers, publisher, truth)


async def _tell(events: list[Event], servers: dict[str, MachineServer], publisher: Publisher, truth: TruthLog) -> None:
    """What one machine says at one moment is one MQTT message, or one write a tag."""
    values = {}
    for event in events:
        match event:
            case Truth():
                truth.tell(event)
            case Fact():
                publisher.fact(event)
            case Said():
                server = servers.get(event.path.rpartition("/")[0])
                if server is not None:
                    await server.say(event)
                else:
                    values[event.tag] = event.value
    if values:
        first = next(event for event in events if isinstance(event, Said))
        publisher.values(first.path, first.at, values)


def main() -> None:
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    asyncio.run(run(arguments()))


if __name__ == "__main__":
    main()
