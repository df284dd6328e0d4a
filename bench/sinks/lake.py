"""The lake beside a bare `write_deltalake` of the same Arrow rows into a table of the same form, in one run; and what a sample
takes on the disk."""

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from bench.cluster import Failed
from bench.figures import Figure, median
from bench.sinks.job import Job, batches, deliveries
from sinks.base import Delivery
from sinks.lake import spec
from sinks.lake.rows import PARTITIONS, SAMPLES, build

COMMIT_S = 2
"""So that a run has commits by time and by size in it, and ends with one."""
PACKS = (20, 1)
"""Samples a record."""


class Run(NamedTuple):
    rate: float
    """Samples a second."""
    core_rate: float
    """Samples a second of this process's CPU, writing threads included."""
    bare_rate: float
    bytes: float
    """A sample, on the disk."""


def measure(job: Job) -> list[Figure]:
    figures = []
    for pack in PACKS:
        found = deliveries(job.samples, tags=pack)
        runs = []
        for _ in range(job.runs):
            runs.append(_run(found, job))
            job.say(
                f"  {pack} a record: {runs[-1].rate:,.0f} samples/s, {runs[-1].core_rate:,.0f} a core, bare {runs[-1].bare_rate:,.0f}"
            )
        name = f"lake, {pack} a record"
        figures += [
            Figure(f"{name}", median([run.rate for run in runs]), "samples/s"),
            Figure(f"{name}, on one core of sink", median([run.core_rate for run in runs]), "samples/s", 100_000),
            Figure(f"{name}, bare write_deltalake", median([run.bare_rate for run in runs]), "samples/s"),
            Figure(f"{name}, against bare", median([run.rate / run.bare_rate for run in runs]), "ratio"),
            Figure(f"{name}, a double on disk", median([run.bytes for run in runs]), "B"),
        ]
    return figures


def _run(found: Sequence[Delivery], job: Job) -> Run:
    url = job.folder / "lake"
    shutil.rmtree(url, ignore_errors=True)
    took_s, cpu_s = asyncio.run(_write(str(url), found))
    _check(url / "samples", job.samples)
    size = sum(DeltaTable(url / "samples").get_add_actions(flatten=True).column("size_bytes").to_pylist())
    bare = job.folder / "bare"
    shutil.rmtree(bare, ignore_errors=True)
    bare_s = _bare(bare, found)
    _check(bare, job.samples)
    return Run(job.samples / took_s, job.samples / cpu_s, job.samples / bare_s, size / job.samples)


async def _write(url: str, found: Sequence[Delivery]) -> tuple[float, float]:
    """(seconds, CPU seconds of this process) until all are durable."""
    sink = spec.build("bench", spec.config.model_validate({"url": url, "commit_s": COMMIT_S}), Path())
    await sink.open()
    begun, cpu = time.monotonic(), time.process_time()
    position = {}
    for batch in batches(found):
        position = {(batch[0].topic, 0): batch[-1].offset + 1}
        if refused := await sink.write(batch, position):
            raise Failed(f"refused: {refused[0]}")
    while sink.durable() != position:  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
        await sink.write([], {})
    took = time.monotonic() - begun, time.process_time() - cpu
    await sink.close()
    return took


def _bare(folder: Path, found: Sequence[Delivery]) -> float:
    """Seconds for the same rows as one table; making them is not counted."""
    made = [rows for batch in batches(found) for rows in build(batch, [])[SAMPLES.name]]
    rows = pa.Table.from_batches(made)
    begun = time.monotonic()
    write_deltalake(folder, rows, partition_by=list(PARTITIONS))
    return time.monotonic() - begun


def _check(table: Path, samples: int) -> None:
    if (stored := DeltaTable(table).to_pyarrow_dataset().count_rows()) != samples:
        raise Failed(f"{table.name}: {stored} of {samples} samples are stored")
