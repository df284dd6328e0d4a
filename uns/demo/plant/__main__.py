"""`python -m uns.demo.plant`: the plant as a process of its own."""

import argparse
import asyncio
import gc
import json
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path

from uns.demo.plant.events import MINUTE, Event, Fact, Said, Truth
from uns.demo.plant.mqtt import WAITING_MAX, Publisher
from uns.demo.plant.opcua import MachineServer
from uns.demo.plant.simulation import Simulation
from uns.demo.plant.truth import TruthLog

BEGIN = datetime.fromisoformat("2026-11-23T05:50:00+00:00").timestamp()
LEAD_S = 6.0
"""From its own start to the first event, where nobody says when that is: servers are up and clients there by then."""
SLICE_S = 0.05
STEP = MINUTE
"""A plant that is behind catches up in steps of plant time, and answers its clients and its signals between them."""
OPCUA_LINES = {"acme/dallas/packaging/line-1": "opcua_dallas", "acme/leipzig/packaging/line-1": "opcua_leipzig"}
FLUSH_S, GOODBYE_S = 20.0, 0.2
"""For the broker to acknowledge what is left: at the end of the plant's time, and when it is told to stop."""
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
        "--mqtt-waiting-max",
        type=int,
        default=WAITING_MAX,
        help="messages kept for a broker that is away; the plant stands still beyond it",
    )
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

    gc.disable()  # a server's standard address space is thousands of objects that stay: to look through them doubles the start
    servers = {}
    for line, name in OPCUA_LINES.items():
        port = getattr(given, name)
        servers[line] = MachineServer(given.host, port, begin)
        try:
            await servers[line].start()
        except OSError as error:
            option = f"--{name.replace('_', '-')}"
            why = os.strerror(error.errno) if error.errno else error
            raise SystemExit(f"{option}: cannot serve OPC UA on {given.host}:{port}: {why}") from None
    gc.freeze()
    gc.enable()
    publisher = Publisher(given.mqtt, "demo-plant", given.mqtt_waiting_max)
    truth = TruthLog(given.truth, begin)
    simulation = Simulation(given.seed, begin)
    print(json.dumps({"ready": True, "begin_us": begin}), flush=True)
    while given.clock_file is not None and not stopping.is_set():
        if given.clock_file.exists():
            try:
                wall, file_plant, rate = clock(given.clock_file.read_text(encoding="ascii"))
            except argparse.ArgumentTypeError as error:
                raise SystemExit(f"{given.clock_file}: {error}") from None
            if file_plant != plant:
                raise SystemExit(f"{given.clock_file}: plant epoch {file_plant:.0f}, but the plant serves {plant:.0f}")
            break
        await asyncio.sleep(SLICE_S)

    told, ended = begin, False
    while not stopping.is_set():
        now = begin + int((time.time() - wall) * rate * 1_000_000)
        due = now if until is None else min(now, until)
        while told < due and not stopping.is_set():
            if not await _room(publisher, stopping):
                break
            told = min(due, told + STEP)
            await _tell_all(simulation.events(told), servers, publisher, truth)
            truth.flush()
            await asyncio.sleep(0)
        if told == until and not ended:
            ended = True
            await _tell_all(simulation.farewell(until - 1), servers, publisher, truth)
            truth.end(until)
            left = await _left_over(publisher, FLUSH_S, stopping)
            print(json.dumps({"ended": True, "not_acknowledged": left}), flush=True)
        await _pause(stopping)
    truth.end(told)
    truth.close()
    await asyncio.gather(_stop(servers.values()), _say_goodbye(publisher))


async def _stop(servers: Iterable[MachineServer]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await asyncio.gather(*(server.stop() for server in servers))


async def _say_goodbye(publisher: Publisher) -> None:
    await _left_over(publisher, GOODBYE_S)
    await asyncio.to_thread(publisher.close)


async def _pause(stopping: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(SLICE_S):
            await stopping.wait()


async def _room(publisher: Publisher, stopping: asyncio.Event) -> bool:
    """Waits for room for more messages; False when the plant is told to stop before there is any."""
    if not publisher.full:
        return True
    print(
        f"the plant stands still: {publisher.waiting} messages wait for the MQTT broker at {publisher.address}",
        file=sys.stderr,
        flush=True,
    )
    while not publisher.roomy and not stopping.is_set():
        await _pause(stopping)
    return publisher.roomy


async def _left_over(publisher: Publisher, timeout_s: float, stopping: asyncio.Event | None = None) -> int:
    """Waits until the broker has everything; returns how many messages it has not."""
    deadline = time.monotonic() + timeout_s
    stop = stopping or asyncio.Event()
    while publisher.waiting and time.monotonic() < deadline and not stop.is_set():
        await _pause(stop)
    return publisher.waiting


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
    logging.getLogger("asyncua.server.server").setLevel(logging.CRITICAL)  # why it does not start is said here
    asyncio.run(run(arguments()))
    gc.freeze()  # what the servers held takes Python half a second to take apart, for nothing


if __name__ == "__main__":
    main()
