"""`uns audit` over what a real worker published on real Kafka."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

import uns.cli.audit  # noqa: F401  (registers the command)
from processors.identity import instant
from schemas.codec import Codec
from schemas.records import Derived, Order, Reason, Shift
from schemas.text import iso
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, S, Told, beats, ordered, samples, ticks
from tests.integration.engine_harness import until
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
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler}}}}}}}}}}}}}}
types:
  filler:
    tags:
      State: {{role: state, map: packml}}
      Good: {{role: good_count}}
      Scrap: {{role: scrap_count}}
      Heartbeat: {{role: heartbeat}}
    ideal_cycle_s: 6.0
    silent_after_s: 60
    reasons: {{201: {{name: drive fault, category: breakdown}}, 301: {{name: cleaning, category: planned}}}}
time: {{tick_s: 0.1, lateness_s: 10, horizon_h: 8}}
"""
ROOT = Path(__file__).parents[2]
END = T0 + 2 * HOUR


@dataclass
class History:
    """Two hours of a filler: it runs, stops from 06:20 to 06:50, runs on; early shift, order 4711."""

    enterprise: str
    settings: Settings
    codec: Codec
    environ: dict[str, str]
    folder: Path

    def __post_init__(self) -> None:
        self.area = Place.parse(f"{self.enterprise}/dallas/packaging")
        self.raw = topic(self.area, MessageClass.RAW)
        self.cell = CELL.replace("acme", self.enterprise, 1)
        self.producer = Producer(self.settings.kafka(**{"enable.idempotence": True}))

    def tell(self, told: list[Told]) -> None:
        for path, record in told:
            self.producer.produce(self.raw, self.codec.encode(record), path.replace("acme", self.enterprise, 1), 0)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def newest(self, kind: str, started_at: int) -> Derived | None:
        natural = f"{self.cell}#{kind}@{instant(started_at)}~"
        try:
            log = [*read(self.settings, topic(self.area, MessageClass(kind.partition(".")[0])), 0)]
        except KafkaException:  # the topic is a moment old
            return None
        found = [self.codec.decode(record.value) for record in log]
        return next((r for r in reversed(found) if isinstance(r, Derived) and r.id.startswith(natural)), None)

    def worker(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "uns", "run", "processors"]
            return subprocess.Popen(command, env=os.environ | self.environ, cwd=ROOT, stderr=log)

    def said(self) -> str:
        return (self.folder / "worker.log").read_text(encoding="utf-8")

    def uns(self, *arguments: str) -> tuple[int, str]:
        settings.cache_clear()
        try:
            result = CliRunner().invoke(app, ["audit", *arguments], env=self.environ)
        finally:
            settings.cache_clear()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            return 1, str(result.exception)
        return result.exit_code, result.stdout

    def audit(self, *arguments: str) -> dict[str, Any]:
        code, text = self.uns(*arguments, "--json")
        assert code == 0, text
        return dict(json.loads(text))


@pytest.fixture(scope="module")
def history(kafka: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    enterprise, folder = f"acme-{os.urandom(4).hex()}", tmp_path_factory.mktemp("audit")
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
    for future in admin.create_topics([NewTopic(topic(found.area, name), 1, 1) for name in MessageClass]).values():
        future.result()
    shift = Shift(id="early", name="early", started_at=T0 - HOUR, ended_at=T0 + 7 * HOUR)
    order = Order(id="4711", product="cola", started_at=T0 - HOUR, ended_at=None, ideal_cycle_s=5.0)
    made = [(LINE, shift), (LINE, order), samples(T0, State=6, Good=0, Scrap=0)]
    made += [samples(T0 + 20 * MINUTE, State=2, Good=200, Scrap=10), samples(T0 + 50 * MINUTE, State=6)]
    made += [samples(T0 + 80 * MINUTE, State=6, Good=500, Scrap=12)]
    found.tell(ordered([*made, *beats(T0, END), *ticks(T0, END, 30 * S)]))
    worker = found.worker()
    try:
        until(lambda: found.newest("oee.hour", T0 + HOUR), 60, found.said)
        found.tell(
            [
                samples(T0 + 40 * MINUTE, State=6, Good=300),  # it ran from 06:40 on: a spool that came late
                (CELL, Reason(id="r1", code=301, started_at=T0 + 20 * MINUTE, by="anna", comment="wrong, see r1")),
                (
                    CELL,
                    Reason(id="r1", code=201, started_at=T0 + 20 * MINUTE, by="bert", comment="drive, not cleaning"),
                ),
            ]
        )
        until(lambda: (hour := found.newest("oee.hour", T0)) is not None and hour.status == "corrected", 60, found.said)
        yield found
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


def test_show(history: History) -> None:
    for kind, at in (("oee.hour", T0), ("downtime", T0 + 20 * MINUTE)):
        found = history.newest(kind, at)
        code, text = history.uns(found.natural_id, "--verify", "--raw", "30")
        print(code, text)
    print(json.dumps(history.audit(found.natural_id), indent=1)[:3000])
    print(history.uns(history.cell, "oee", iso(T0 + MINUTE)))
    print(history.uns(history.cell, "oee.hour", iso(T0 + MINUTE))[1][:300])
    print(history.uns(found.natural_id.replace("filler", "fillr"))[1][:1000])
    print(history.uns(found.natural_id.replace("T06", "T07"))[1][:1000])
    print(history.uns(found.natural_id.replace("downtime", "dwntime"))[1][:1000])
    print(history.uns("hello")[1][:1000])
    print(history.uns(found.natural_id + ":9")[1][:1000])
