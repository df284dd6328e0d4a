"""`uns run rollups` on real Kafka: two sites, kill -9 in the middle, and nothing is missing, twice or wrong."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import yaml
from confluent_kafka import IsolationLevel, Producer
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.records import Inputs, Kpi
from tests.harness.kpi_records import CELLS, FILLER, HOUR, PRESS, T0, Run, kpi, pieces, plant
from tests.harness.topics import consume_all
from tests.harness.waiting import eventually
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition, topic
from uns.client.connection import codec
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit
from uns.kafka import lag
from uns.kafka.offsets import listed
from uns.model.apply import apply_plant
from uns.runners.rollup import source
from uns.runners.rollup.runner import RollupRunner
from uns.runtime.settings import Settings


class Rolled:
    """An enterprise of its own: its kpi topics, and `uns run rollups` as a process."""

    def __init__(self, kafka: str, registry: str, enterprise: str, folder: Path) -> None:
        self.enterprise, self.folder = enterprise, folder
        self.group = f"uns-rollups-{enterprise}"
        self.plant: Plant = plant(enterprise=enterprise)
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder)
        self.topics = [topic(place, MessageClass.KPI) for place in self.plant.places()]
        (folder / "plant").mkdir()
        (folder / "plant" / "plant.yaml").write_text(
            yaml.safe_dump(self.plant.model_dump(mode="json", exclude_unset=True), sort_keys=False)
        )
        apply_plant(self.plant, self.settings)
        self.codec = codec(self.settings)
        self._producer = Producer(self.settings.kafka(**{"enable.idempotence": True}))
        self._admin = AdminClient(self.settings.kafka())
        self._started = 0
        self._environ = {
            "UNS_BOOTSTRAP": kafka,
            "UNS_REGISTRY": registry,
            "UNS_STATE_DIR": str(folder),
            "UNS_LOG_FORMAT": "json",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def put(self, *records: Kpi, ingested_at: Callable[[Kpi], int] = lambda record: 0) -> None:
        """As the processors would write them; at a time (ms) other than now if told so."""
        for record in records:
            name, number = self.home(record.path)
            self._producer.produce(
                name,
                self.codec.encode(record),
                record.path,
                number,
                headers=[("ce_id", record.id.encode())],
                timestamp=ingested_at(record),
            )
        assert self._producer.flush(30) == 0

    def home(self, path: str) -> tuple[str, int]:
        """Topic and partition of a machine's records."""
        place = Place.parse(path)
        return topic(place, MessageClass.KPI), partition(place, self.plant.areas()[place.at(Level.AREA)])

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        self._started += 1
        with self.log(self._started).open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "uns", "run", "rollups", "--plant", str(self.folder / "plant"), *arguments],
                env=os.environ | self._environ,
                stderr=output,
            )
        self.processes.append(process)
        return process

    def uns(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "uns", *arguments]
        return subprocess.run(
            command, env=os.environ | self._environ, capture_output=True, text=True, check=True
        ).stdout

    def log(self, number: int) -> Path:
        return self.folder / f"rollups-{number}.log"

    def restored(self) -> None:
        """Waits until the process started last has restored."""
        log = self.log(self._started)
        eventually(lambda: '"restored"' in log.read_text(), 60, f"restored: {log}", every_s=0.05)

    def settled(self) -> None:
        """Waits until the process started last has read all that is in the topics, what it wrote itself included."""
        self.restored()  # until then a transaction of the one before may hide the topics' ends
        eventually(self.idle, 60, "lag 0 of the roll-ups", every_s=0.2)

    def idle(self) -> bool:
        found = lag.by_partition(self.settings, self.group)
        # A group's offsets show a moment before the records of the same commit.
        return len(found) == 6 and not any(found.values()) and self._ends(True) == self._ends(False)

    def _ends(self, committed: bool) -> dict[tuple[str, int], int]:
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        places = [(name, n) for name in self.topics for n in range(2 if ".dallas.packaging" in name else 1)]
        return listed(self._admin, places, OffsetSpec.latest(), level, 10)

    def forget_positions(self) -> None:
        """As Kafka forgets a group that was idle for long."""
        self._admin.delete_consumer_groups([self.group])[self.group].result()

    def written(self) -> list[Kpi]:
        """What the roll-ups have committed, each partition in order."""
        found = []
        for message in consume_all(str(self.settings.bootstrap), self.topics):
            record = self.codec.decode(message.value())
            assert isinstance(record, Kpi)
            assert message.key() == record.path.encode()
            if record.path.count("/") < 4:
                assert dict(message.headers())["ce_id"] == record.id.encode()
                found.append(record)
        return found

    def more_than(self, count: int) -> int:
        """How many records are written, once there are more."""
        found = len(self.written())
        return found if found > count else 0

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def rolled(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> Iterator[Rolled]:
    found = Rolled(kafka, registry, enterprise, tmp_path)
    yield found
    found.stop()


def history(enterprise: str, hours: int, seed: int) -> list[Kpi]:
    """Each machine's hours: provisional, final, some corrected, in an order that a plant could send."""
    chance, found = random.Random(seed), []
    for path in CELLS:
        own = path.replace("acme", enterprise, 1)
        for hour in range(hours):
            start = T0 + hour * HOUR
            for revision, status in enumerate(("provisional", "final", "corrected")[: chance.choice((2, 2, 3))]):
                length = HOUR if revision else HOUR // 2
                run_us = chance.randrange(length)
                record = kpi(
                    own,
                    start,
                    start + HOUR if revision else None,
                    {"APT": run_us, "ADET": length - run_us},
                    [pieces(chance.randrange(500), chance.randrange(20))],
                    status=status,
                    revision=revision,
                )
                found.append((start + length + (0 if revision < 2 else chance.randrange(9) * HOUR), record))
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]


def newest(records: list[Kpi]) -> dict[str, Kpi]:
    """Natural id → newest revision; every revision is there, once."""
    found: dict[str, Kpi] = {}
    for record in sorted(records, key=lambda record: record.revision):
        before = found.get(record.natural_id)
        assert record.revision == (0 if before is None else before.revision + 1), record.id
        found[record.natural_id] = record
    return found


def said(record: Kpi) -> Kpi:
    return msgspec.structs.replace(record, id="", revision=0, status="", inputs=Inputs("", 0, 0, 0))


@pytest.mark.long
def test_killed_in_the_middle_the_sums_are_right_and_nothing_is_there_twice(rolled: Rolled) -> None:
    records = history(rolled.enterprise, 12, seed=1)
    cuts = [0, len(records) // 3, 2 * len(records) // 3, len(records)]
    process, said_before = rolled.start(), 0
    for begin, end in pairwise(cuts):
        rolled.put(*records[begin : (begin + end) // 2])
        said_before = eventually(lambda said=said_before: rolled.more_than(said), 40, "more roll-ups", every_s=0.1)  # type: ignore[misc]
        rolled.put(*records[(begin + end) // 2 : end])
        process.kill()
        process.wait()
        process = rolled.start()
    rolled.settled()
    written = rolled.written()
    found = newest(written)
    oracle = Run(rolled.plant).feed(*records).standing()
    assert found.keys() == oracle.keys()
    for name, record in found.items():
        for field in Kpi.__struct_fields__:
            assert getattr(said(record), field) == getattr(said(oracle[name]), field), f"{name}: {field}"
    assert all(record.status != "provisional" for record in found.values())
    whole = [record for record in found.values() if record.path == rolled.enterprise]
    assert len(whole) == 12
    assert all(sum(record.element_us.values()) == 3 * HOUR for record in whole)  # three lines
    # A clean end, and a new start with nothing to do, says nothing.
    process.terminate()
    assert process.wait(20) == Exit.STOPPED
    process = rolled.start()
    rolled.settled()
    assert len(rolled.written()) == len(written)
    # Without its positions it reads everything anew, finds its own records, and says nothing either.
    process.terminate()
    process.wait(20)
    rolled.forget_positions()
    rolled.start()
    rolled.put(msgspec.structs.replace(records[-1], revision=9))  # the same once more: lag 0 is then not of before
    rolled.settled()
    assert len(rolled.written()) == len(written)


def test_a_backlog_is_folded_as_it_once_came(rolled: Rolled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the horizon, partition by partition, in small bites: none of it may be late for the others."""
    monkeypatch.setattr(source, "BATCH", 16)
    monkeypatch.setattr(source, "HELD_MAX", 24)
    hours = 40
    ingested_s = int(time.time()) - hours * 3600
    homes: dict[object, list[Kpi]] = {}
    for hour in range(hours):
        for cell in CELLS:
            path = cell.replace("acme", rolled.enterprise, 1)
            record = kpi(path, T0 + hour * HOUR, T0 + (hour + 1) * HOUR, made=[pieces(hour)])
            homes.setdefault(rolled.home(path), []).append(record)
    for records in homes.values():
        rolled.put(*records, ingested_at=lambda record: (ingested_s + (record.started_at - T0) // 1_000_000) * 1000)
    assert len(homes) > 1
    runner = RollupRunner(rolled.settings, EngineConfig(), rolled.plant, rolled.codec, horizon_us=3 * HOUR)
    runner.run(rolled.idle)
    assert runner.fold.late == {}
    assert runner.sums.records["late"] == 0
    whole = [record for record in newest(rolled.written()).values() if record.path == rolled.enterprise]
    assert sorted(sum(one.good for one in record.pieces) for record in whole) == [3 * hour for hour in range(hours)]
    assert runner.fold.windows < 8 * 8


@pytest.mark.long
def test_a_second_instance_shuts_out_the_first(rolled: Rolled) -> None:
    filler, press = (path.replace("acme", rolled.enterprise, 1) for path in (FILLER, PRESS))
    first = rolled.start()
    rolled.restored()
    rolled.put(kpi(filler, made=[pieces(5)]))
    eventually(lambda: len(rolled.written()) == 4, 30, "four levels", every_s=0.1)
    rolled.start()
    rolled.restored()
    rolled.put(kpi(press, made=[pieces(7, cycle_s=10)]))
    assert first.wait(30) == Exit.FENCED
    rolled.settled()
    whole = newest(rolled.written())[f"{rolled.enterprise}#kpi.hour@20261123T060000.000000Z~iso22400@2"]
    assert sum(one.good for one in whole.pieces) == 12
    assert whole.revision == 1
    looked = rolled.uns("get", rolled.enterprise, "--json")
    assert json.loads(looked)["id"] == whole.id
    assert "oee" in rolled.uns("get", f"{rolled.enterprise}/dallas")
    told = rolled.uns(
        "tail", f"{rolled.enterprise}/dallas", "-c", "kpi", "--from", "beginning", "--no-follow", "--json"
    )
    assert [json.loads(line)["path"] for line in told.splitlines()] == [f"{rolled.enterprise}/dallas"] * 2
    assert "pieces=-:7/0/0 -:5/0/0" in rolled.uns(
        "tail", rolled.enterprise, "-c", "kpi", "--from", "beginning", "--no-follow"
    )
