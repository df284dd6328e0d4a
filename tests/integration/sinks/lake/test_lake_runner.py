"""The lake behind Kafka: a runner's process is killed while records come, and each of them is there once; the group's offsets
follow what is durable.
"""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from deltalake import DeltaTable

from schemas.records import Order, Sample, Samples, Tick
from tests.harness import eventually
from tests.harness.own_area import OwnArea
from tests.harness.rounds import few_and_many
from tests.integration.sinks.lake.log import T
from topology.namespace.classes import MessageClass
from uns.kafka import lag
from uns.testing import downtime


@pytest.fixture
def area(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> OwnArea:
    return OwnArea(kafka, registry, enterprise, tmp_path)


@contextmanager
def runner(area: OwnArea, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.integration.sinks.lake.runner_process"]
    addresses = [str(area.settings.bootstrap), str(area.settings.registry), area.enterprise, str(folder)]
    with (folder / "runner.log").open("ab") as log:
        process = subprocess.Popen([*command, *addresses], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def offsets(folder: Path, table: str) -> list[int]:
    if not (folder / "lake" / table / "_delta_log").exists():
        return []
    return sorted(DeltaTable(folder / "lake" / table).to_pyarrow_table()["kafka_offset"].to_pylist())


class Told:
    """What was written into the topics, by the offsets that the tables should have."""

    def __init__(self, area: OwnArea) -> None:
        self._area, self._next = area, 0
        self.offsets: dict[str, list[int]] = {"samples": [], "fact_order": [], "downtime": []}

    def samples(self) -> None:
        at = T + self._next
        self._area.write([Samples("plc", self._next, (Sample("t", at, self._next), Sample("u", at, "x")))])
        self._raw("samples", 2)

    def order(self) -> None:
        self._area.write([Order(id=str(self._next), product="cola", started_at=T)])
        self._raw("fact_order", 1)

    def tick(self) -> None:
        self._area.write([Tick(at=T, worker="w")])
        self._raw("samples", 0)

    def stop(self) -> None:
        number = len(self.offsets["downtime"])
        self._area.write([downtime(number)])
        self.offsets["downtime"].append(number)

    def _raw(self, table: str, rows: int) -> None:
        self.offsets[table] += [self._next] * rows
        self._next += 1


@few_and_many("kills", 1, 5, 400)
def test_a_runner_that_is_killed_writes_each_record_once(area: OwnArea, tmp_path: Path, kills: int) -> None:
    chance, told = random.Random(7), Told(area)
    for _ in range(kills):
        before = len(offsets(tmp_path, "samples"))
        with runner(area, tmp_path):
            for _ in range(chance.randint(20, 60)):
                chance.choice((told.samples, told.samples, told.order, told.tick, told.stop))()
            eventually(partial(more, tmp_path, before), 60)  # some of it is there: it dies in the midst of its work
    with runner(area, tmp_path):
        told.samples()
        told.stop()
        eventually(lambda: {name: offsets(tmp_path, name) for name in told.offsets} == told.offsets, 60)
        ends = {(area.topic(name), 0): 0 for name in (MessageClass.RAW, MessageClass.DOWNTIME)}
        eventually(lambda: lag.by_partition(area.settings, f"{area.enterprise}-lake") == ends, 60)


def more(folder: Path, before: int) -> bool:
    return len(offsets(folder, "samples")) > before
