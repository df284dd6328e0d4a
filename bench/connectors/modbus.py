"""Modbus TCP: 100 devices of 100 registers, each read once a second: cycles that were missed, and how even they are."""

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise

from bench.cluster import Failed, cpu_s
from bench.figures import Bench, Figure
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connector import ModbusConnector
from uns.runtime.ports import free_port

DEVICES, REGISTERS, PERIOD_S = 100, 100, 1.0
WARM_S = 5.0
"""At first every device is asked at once."""


def measure(bench: Bench) -> list[Figure]:
    ports = [free_port() for _ in range(DEVICES)]
    command = [sys.executable, "-m", "bench.connectors.modbus_devices", str(REGISTERS), *map(str, ports)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as devices:
        try:
            assert devices.stdout is not None
            if devices.stdout.readline().strip() != "ready":
                raise Failed("the devices do not come up")
            begun, cpu = time.monotonic(), time.process_time()
            seen = asyncio.run(_read(ports, bench.seconds))
            took_s = time.monotonic() - begun
            core = (time.process_time() - cpu) / took_s
            bench.keep("modbus", devices_core=cpu_s(devices.pid) / took_s, core=core)
        finally:
            devices.kill()
    jitters = sorted(
        abs(later - before - PERIOD_S) * 1000 for times in seen.values() for before, later in pairwise(times)
    )
    missed = sum(
        max(0, round((later - before) / PERIOD_S) - 1) for times in seen.values() for before, later in pairwise(times)
    )
    if len(seen) < DEVICES or not jitters:
        raise Failed(f"{len(seen)} of {DEVICES} devices were read")
    name = f"Modbus TCP, {DEVICES} devices of {REGISTERS} registers at 1 Hz"
    return [
        Figure(f"{name}: missed cycles", float(missed), "cycles", 0, at_most=True),
        Figure(f"{name}: jitter, p99", jitters[int(len(jitters) * 0.99)], "ms", 100, at_most=True),
        Figure(f"{name}: CPU of the connector without Kafka", core, "cores"),
    ]


async def _read(ports: list[int], seconds: float) -> dict[str, list[float]]:
    """Device → when its first register was read, in s."""
    tags = {f"R{address}": {"address": address} for address in range(REGISTERS)}
    links = [
        {
            "url": f"tcp://127.0.0.1:{port}",
            "devices": [{"path": f"acme/dallas/packaging/line-1/m{n}", "period_s": PERIOD_S, "tags": tags}],
        }
        for n, port in enumerate(ports)
    ]
    connector = ModbusConnector("bench", ModbusConfig.model_validate({"links": links}))
    await connector.open({})
    seen: dict[str, list[float]] = defaultdict(list)
    begun = time.monotonic()
    try:
        async for batch in connector.batches():
            for reading in batch.readings:
                if reading.sample.tag == "R0" and time.monotonic() - begun > WARM_S:
                    seen[str(reading.path)].append(reading.sample.at / 1e6)
            if time.monotonic() - begun > seconds + WARM_S:
                break
    finally:
        await connector.close()
    return seen
