"""Files and tables between a machine that writes and real Kafka: whenever the process is killed, each row is read once."""

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
from tests.contract.source_rest import RestSource
from tests.contract.source_sql import SqlSource
from tests.harness import eventually
from tests.harness.connector_process import DEADLINE_S, World
from uns.testing.source import T0

ROTATED = 300
"""Rows of a log before the next begins."""
AHEAD = 500


@contextmanager
def writing(source: FilesSource | RestSource | SqlSource, world: World) -> Iterator[list[Sample]]:
    """Rows are written by a thread, never more than `AHEAD` of what is read; afterwards the list is whole."""
    said: list[Sample] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            if len(said) > world.ledger().read + AHEAD:
                stop.wait(0.02)
                continue
            sample = Sample("State", T0 + len(said) * 1000, len(said) + 1)
            asyncio.run(source.say(sample.tag, sample.at, sample.value))
            said.append(sample)
            if isinstance(source, FilesSource) and len(said) % ROTATED == 0:
                source.rotate(len(said) // ROTATED)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield said
    finally:
        stop.set()
        writer.join()


def made(protocol: str, folder: Path) -> FilesSource | RestSource | SqlSource:
    if protocol == "rest":
        source = RestSource()
        source.start()
        return source
    return FilesSource(folder) if protocol == "files" else SqlSource(folder)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [12])
@pytest.mark.parametrize("protocol", ["files", "rest", "sql"])
def test_each_row_is_read_once_over_kill_9(
    protocol: str, kills: int, kafka: str, registry: str, enterprise: str, tmp_path: Path
) -> None:
    source = made(protocol, tmp_path)
    config: dict[str, Any] = source.config
    (entry,) = config["files" if protocol == "files" else "queries"]
    entry["path"] = f"{enterprise}/dallas/packaging/line-1/filler"
    world = World.make(tmp_path, kafka, registry, enterprise, {"protocol": protocol, "config": config})
    chance = random.Random(7)
    process = world.process().ready()
    try:
        with writing(source, world) as said:
            for _ in range(kills):
                wanted = world.ledger().read + chance.randrange(20, 300)
                eventually(lambda wanted=wanted: world.ledger().read > wanted, DEADLINE_S, process.log())  # type: ignore[misc]
                process.kill()
                assert world.ledger().lost == 0
                process = world.process()
            process.ready()
        eventually(lambda: set(said) <= set(world.samples("State")), DEADLINE_S, "every row", every_s=0.3)
        assert sorted(world.samples("State"), key=lambda sample: sample.at) == said, "each once"
        ledger = world.settled()
        assert ledger.published == ledger.read == len(said)
        assert not ledger.quarantined
        assert process.terminate() == 0
    finally:
        process.kill()
        if isinstance(source, RestSource):
            source.stop()
