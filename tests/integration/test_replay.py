"""`uns replay` against what a real worker published on real Kafka."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

import uns.cli.replay  # noqa: F401  (registers the command)
from processors.identity import revised
from schemas.codec import Codec
from schemas.records import Derived, Oee, Production, Sample, Samples
from schemas.text import iso
from tests.harness.line_logs import CELL, HOUR, MINUTE, T0, S, Told, ordered, samples, ticks
from tests.harness.line_scenarios import scenario
from tests.integration.engine_harness import until
from topology import kpi
from topology.classes import MessageClass
from topology.path import Path as Place
from topology.topics import topic
from uns.cli.app import app
from uns.engine.replay import read
from uns.registry.client import Registry
from uns.settings import Settings, settings

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler, capper: filler}}}}}}}}}}}}}}
types:
  filler:
    tags:
      State: {{role: state, map: packml}}
      Mode: {{role: mode, map: {{1: production, 2: maintenance, 3: manual, 4: setup}}}}
      Good: {{role: good_count, modulus: 1000}}
      Scrap: {{role: scrap_count}}
      StopReason: {{role: reason}}
      FillVolume: {{role: characteristic, lsl: 490, usl: 510, baseline: 10}}
    ideal_cycle_s: 6.0
    reasons: {{101: {{name: bottle jam, category: micro}}, 201: {{name: drive fault, category: breakdown}}}}
time: {{tick_s: 0.1, lateness_s: 10, horizon_h: 1}}
"""
ROOT = Path(__file__).parents[2]
END = T0 + 4 * HOUR
CLASSES = ("state", "production", "downtime", "oee", "quality", "alert")


@dataclass
class History:
    """Four hours of two machines, folded by a worker whose correction horizon is one hour."""

    enterprise: str
    settings: Settings
    codec: Codec
    environ: dict[str, str]
    folder: Path

    def __post_init__(self) -> None:
        self.area = Place.parse(f"{self.enterprise}/dallas/packaging")
        self.raw = topic(self.area, MessageClass.RAW)
        self.producer = Producer(self.settings.kafka(**{"enable.idempotence": True}))

    def tell(self, told: list[Told]) -> None:
        for path, record in told:
            key = path.replace("acme", self.enterprise, 1).encode()
            self.producer.produce(self.raw, self.codec.encode(record), key, 0)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def write(self, record: Derived) -> None:
        """Puts a record where only the processors should."""
        name = topic(self.area, MessageClass(record.message_class))
        self.producer.produce(name, self.codec.encode(record), record.path.encode(), 0)
        assert self.producer.flush(30) == 0

    def records(self, message_class: MessageClass) -> list[Any]:
        """Derived records as they lie in the log."""
        log = read(self.settings, topic(self.area, message_class), 0)
        return [self.codec.decode(record.value) for record in log]

    def committed(self) -> int:
        group = Consumer(self.settings.kafka(**{"group.id": f"uns-processors-{self.enterprise}"}))
        try:
            return int(group.committed([TopicPartition(self.raw, 0)], 10)[0].offset)
        finally:
            group.close()

    def end(self) -> int:
        consumer = Consumer(self.settings.kafka(**{"group.id": "none"}))
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(self.raw, 0), 10)[1])
        finally:
            consumer.close()

    def worker(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "uns", "run", "processors"]
            return subprocess.Popen(command, env=os.environ | self.environ, cwd=ROOT, stderr=log)

    def said(self) -> str:
        return (self.folder / "worker.log").read_text(encoding="utf-8")

    def replay(self, *arguments: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        """Exit code, summary, differences."""
        settings.cache_clear()
        try:
            result = CliRunner().invoke(app, ["replay", f"{self.enterprise}/#", "--json", *arguments], env=self.environ)
        finally:
            settings.cache_clear()
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        documents = [json.loads(line) for line in result.stdout.splitlines()]
        assert documents, result.output
        return result.exit_code, documents[-1], documents[:-1]


@pytest.fixture(scope="module")
def history(kafka: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    enterprise, folder = f"acme-{os.urandom(4).hex()}", tmp_path_factory.mktemp("replay")
    (folder / "plant").mkdir()
    (folder / "plant" / "plant.yaml").write_text(PLANT.format(enterprise=enterprise), encoding="utf-8")
    environ = {
        "UNS_BOOTSTRAP": kafka,
        "UNS_REGISTRY": registry,
        "UNS_STATE_DIR": str(folder / "state"),
        "UNS_PLANT": str(folder / "plant"),
        "UNS_CLOCK": f"{time.time()},{END / 1e6},1",
        "UNS_ENGINE_SESSION_TIMEOUT_S": "6",
    }
    found = History(
        enterprise, Settings(bootstrap=kafka), Registry(registry, folder / "cache").codec(), environ, folder
    )
    admin = AdminClient(found.settings.kafka())
    made = admin.create_topics([NewTopic(topic(found.area, name), 1, 1) for name in MessageClass])
    for future in made.values():
        future.result()
    scene = scenario(random.Random(7), minutes=150)
    found.tell(ordered([*scene.told, *ticks(T0, END, 30 * S)]))
    late = T0 + 20 * MINUTE + 123
    found.tell([samples(late, State=11), samples(late + MINUTE, State=6, Good=500)])  # a spool that came too late
    worker = found.worker()
    try:
        end = found.end()
        until(lambda: found.committed() >= end, 60, found.said)
        yield found
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


def test_the_replay_says_what_a_running_worker_published(history: History) -> None:
    code, summary, differences = history.replay()
    assert (code, differences) == (0, []), summary
    assert summary["equal"] and summary["corrections"] == 0 and not summary["notes"]
    for name in CLASSES:
        counts = dict(summary["classes"][name])
        assert counts.pop("same") > 0, name
        assert not any(counts.values()), (name, counts)
    begin, end = T0 + HOUR, T0 + 2 * HOUR
    code, narrow, _ = history.replay("--from", iso(begin), "--to", iso(end), "--class", "oee")
    hours = [r for r in history.records(MessageClass.OEE) if begin <= r.started_at < end]
    assert code == 0
    assert narrow["classes"] == {"oee": summary["classes"]["oee"] | {"same": len({r.natural_id for r in hours})}}
