"""Files and tables between a machine that writes and real Kafka: a process that is killed loses no row and invents none."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Sample
from tests.contract.source_files import FilesSource
from tests.contract.source_sql import SqlSource
from tests.harness import eventually
from tests.harness.connector_process import DEADLINE_S, World
from uns.testing.connectors import T0


@contextmanager
def writing(source: FilesSource | SqlSource) -> Iterator[list[Sample]]:
    """Rows are written by a thread; afterwards the list is whole."""
    said: list[Sample] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            sample = Sample("State", T0 + len(said) * 1000, len(said) + 1)
            asyncio.run(source.say(sample.tag, sample.at, sample.value))
            said.append(sample)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield said
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("protocol", ["files", "sql"])
def test_rows_come_through_kill_9(protocol: str, kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    source = FilesSource(tmp_path) if protocol == "files" else SqlSource(tmp_path)
    config: dict[str, Any] = source.config
    (entry,) = config["files" if protocol == "files" else "queries"]
    entry["path"] = f"{enterprise}/dallas/packaging/line-1/filler"
    world = World.make(tmp_path, kafka, registry, enterprise, {"protocol": protocol, "config": config})
    chance = random.Random(7)
    process = world.process().ready()
    try:
        with writing(source) as said:
            for _ in range(2):
                wanted = world.ledger().read + chance.randrange(20, 300)
                eventually(lambda wanted=wanted: world.ledger().read > wanted, DEADLINE_S, process.log())  # type: ignore[misc]
                process.kill()
                assert world.ledger().lost == 0
                process = world.process()
            process.ready()
        eventually(lambda: set(said) <= set(world.samples("State")), DEADLINE_S, "every row", every_s=0.3)
        assert set(world.samples("State")) == set(said), "what comes twice is the same"
        ledger = world.settled()
        assert ledger.published == ledger.read == len(world.samples("State"))
        assert not ledger.quarantined
        assert process.terminate() == 0
    finally:
        process.kill()
