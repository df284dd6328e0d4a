"""Points of line protocol to a server that reads and discards them, beside the same bodies sent by the bare client."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from bench.cluster import Failed
from bench.figures import Figure, median
from bench.sinks.job import Job, batches, deliveries
from sinks.base import Delivery
from sinks.influxdb import spec as influxdb
from sinks.influxdb.points import Points
from sinks.influxdb.sink import MEDIA_TYPE
from sinks.kit.batches import Row
from sinks.kit.http import HttpTarget
from uns.runtime.ports import HOST, free_port
from uns.testing.patience import patient

REACH = 100_000


class Run(NamedTuple):
    rate: float
    """Points a second."""
    core_rate: float
    """Points a second of the sink's CPU."""
    bare_rate: float
    """Of the finished bodies."""


class _Discard(asyncio.Protocol):
    """Answers 204 to each request once its body is there."""

    def __init__(self) -> None:
        self._head, self._left = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        while data:
            if self._left == 0:
                self._head += data
                head, found, data = self._head.partition(b"\r\n\r\n")
                if not found:
                    return
                self._head = b""
                lines = head.lower().split(b"\r\n")
                self._left = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if self._left == 0:
                self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _serve(port: int) -> None:
    async def go() -> None:
        server = await asyncio.get_running_loop().create_server(_Discard, HOST, port)
        await server.serve_forever()

    asyncio.run(go())


@contextmanager
def discarding() -> Iterator[str]:
    """URL of a server in a process of its own."""
    port = free_port()
    process = get_context("spawn").Process(target=_serve, args=(port,), daemon=True)
    process.start()
    deadline = time.monotonic() + patient(20)
    while True:
        try:
            if httpx2.post(f"http://{HOST}:{port}/write", content=b"m f=1", timeout=2).status_code == 204:
                break
        except httpx2.HTTPError:
            if time.monotonic() > deadline:
                raise Failed("the server that discards does not answer") from None
    try:
        yield f"http://{HOST}:{port}"
    finally:
        process.kill()
        process.join()


def measure(job: Job) -> list[Figure]:
    found = deliveries(job.samples)
    with discarding() as url:
        runs = []
        for _ in range(job.runs):
            runs.append(asyncio.run(_run(url, found, job.samples)))
            job.say(
                f"  {runs[-1].rate:,.0f} points/s, {runs[-1].core_rate:,.0f} a core, bodies alone {runs[-1].bare_rate:,.0f}"
            )
    return [
        Figure("InfluxDB, points to a server that discards", median([run.rate for run in runs]), "points/s", REACH),
        Figure("InfluxDB, points on one core of sink", median([run.core_rate for run in runs]), "points/s", REACH),
        Figure("the same bodies by the bare client", median([run.bare_rate for run in runs]), "points/s"),
        Figure("InfluxDB against bodies alone", median([run.rate / run.bare_rate for run in runs]), "ratio"),
    ]


async def _run(url: str, found: Sequence[Delivery], samples: int) -> Run:
    config = influxdb.config.model_validate({"url": url, "version": 2, "org": "bench", "bucket": "bench"})
    sink = influxdb.build("bench", config, Path())
    await sink.open()
    begun, cpu = time.monotonic(), time.process_time()
    for batch in batches(found):
        if refused := await sink.write(batch, {}):
            raise Failed(f"refused: {refused[0]}")
    took_s, cpu_s = time.monotonic() - begun, time.process_time() - cpu
    await sink.close()
    bodies = list(_bodies(found, config.lines_max))
    if (lines := sum(body.count(b"\n") + 1 for body in bodies)) != samples:
        raise Failed(f"{lines} of {samples} points were sent")
    target, (path, query) = HttpTarget("bare", config), config.endpoint
    begun = time.monotonic()
    for body in bodies:
        await target.post(path, query, body, MEDIA_TYPE)
    bare_s = time.monotonic() - begun
    await target.close()
    return Run(samples / took_s, samples / cpu_s, samples / bare_s)


def _bodies(found: Sequence[Delivery], lines_max: int) -> Iterator[bytes]:
    points = Points("")
    for batch in batches(found):
        lines = [row.content for delivery in batch for row in points.of(delivery) if isinstance(row, Row)]
        for begin in range(0, len(lines), lines_max):
            yield "\n".join(lines[begin : begin + lines_max]).encode()
