"""Sinks of time series as processes on real Kafka, killed between the target's commit and that of the offsets."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Sample, Samples
from tests.harness import eventually
from tests.integration.sinks.series.targets import Subject, influx, quest
from tests.integration.sinks.series.writing import Record, expected
from tests.integration.uns.runners.sink.site import DEADLINE_S, Site, T
from uns.runtime.child import Child
from uns.testing import downtime


@pytest.fixture(params=["influxdb", "questdb"])
def subject(request: pytest.FixtureRequest, enterprise: str) -> Iterator[Subject]:
    if request.param == "influxdb":
        with influx(request.getfixturevalue("influxdb"), enterprise, 1) as found:
            yield found
    else:
        with quest(request.getfixturevalue("questdb"), enterprise) as found:
            yield found


def _kill(subject: Subject, tmp_path: Path, kafka: str, registry: str, enterprise: str, kills: int) -> None:
    chance = random.Random(5)
    size = "lines_max" if subject.kind == "influxdb" else "rows_max"
    config: dict[str, Any] = {**subject.config, "timeout_s": 10, size: 10}
    site = Site(tmp_path, kafka, registry, enterprise, subject.kind, config)
    victim: list[Child] = []
    left = 0

    def struck(path: str, status: int) -> None:
        """The target has it, and before it can say so the sink is gone."""
        nonlocal left
        if path != "/write" or status != 204 or not victim:
            return
        left -= 1
        if left <= 0:
            victim.pop().send(signal.SIGKILL)
            time.sleep(0.05)  # it is gone before the answer goes

    subject.front.done = struck
    said: list[tuple[str, Record]] = []
    for kill in range(kills + 1):
        for n in range(30 * kill, 30 * kill + 30):
            cell = site.cells[n % 3]
            record: Record = downtime(n % 17, n, f"reason {n}", str(site.cells[0]))
            if n % 4:
                at = T + (n - n % 10 // 9) * 1_000
                record = Samples("plc", n + 1, (Sample("Good", at, n), Sample("Speed", at, n / 7)))
            else:
                cell = site.cells[0]
            site.tell(cell, record)
            said.append((str(cell), record))
        site.producer.flush()
        site.start()
        child = site.child
        assert child is not None
        if kill < kills:
            left = chance.randint(1, 3)
            victim.append(child)
            eventually(lambda child=child: not child.alive, DEADLINE_S, "it is killed")  # type: ignore[misc]
    try:
        site.drained()
        assert subject.held() == expected(subject.kind, said)
    finally:
        site.stop()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_sink_killed_before_its_offsets_are_committed_writes_each_point_once(
    subject: Subject, tmp_path: Path, kafka: str, registry: str, enterprise: str
) -> None:
    _kill(subject, tmp_path, kafka, registry, enterprise, 3)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_fifty_times(subject: Subject, tmp_path: Path, kafka: str, registry: str, enterprise: str) -> None:
    _kill(subject, tmp_path, kafka, registry, enterprise, 50)
