"""An area with an enterprise of its own on real Kafka, a worker that folds it, and `uns` commands against it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner, Result

from schemas.codec import Codec
from tests.harness.line_logs import Told
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.cli.app import app
from uns.registry.client import RegistryClient
from uns.runtime.settings import Settings, settings
from uns.testing.patience import patient

ROOT = Path(__file__).parents[2]


@dataclass
class WorkedArea:
    """Its topics have one partition."""

    enterprise: str
    settings: Settings
    codec: Codec
    environ: dict[str, str]
    folder: Path

    def __post_init__(self) -> None:
        self.area = Place.parse(f"{self.enterprise}/dallas/packaging")
        self.raw = topic(self.area, MessageClass.RAW)
        self.producer = Producer(self.settings.kafka(**{"enable.idempotence": True}))

    @classmethod
    def made(
        cls, kafka: str, registry: str, folder: Path, plant: str, now: int, config: Mapping[str, str] | None = None
    ) -> Self:
        """Makes the plant's folder and the topics. `plant`: a model with `{enterprise}`; `now`: plant time, µs."""
        enterprise = f"acme-{os.urandom(4).hex()}"
        (folder / "plant").mkdir()
        (folder / "plant" / "plant.yaml").write_text(plant.format(enterprise=enterprise), encoding="utf-8")
        environ = {
            "UNS_BOOTSTRAP": kafka,
            "UNS_REGISTRY": registry,
            "UNS_STATE_DIR": str(folder / "state"),
            "UNS_PLANT": str(folder / "plant"),
            "UNS_CLOCK": f"{time.time()},{now / 1e6},1",
            "UNS_ENGINE_SESSION_TIMEOUT_S": "6",
        }
        codec = RegistryClient(registry, folder / "cache").codec()
        area = cls(enterprise, Settings(bootstrap=kafka), codec, environ, folder)
        topics = [NewTopic(topic(area.area, name), 1, 1, config=dict(config or {})) for name in MessageClass]
        admin = AdminClient(area.settings.kafka())  # kept: its answers end with it
        for created in admin.create_topics(topics).values():
            created.result()
        return area

    def tell(self, told: list[Told], at: int | None = None) -> None:
        """`at`: Kafka's time of them, µs (default: now)."""
        when = {} if at is None else {"timestamp": at // 1000}
        for path, record in told:
            key = path.replace("acme", self.enterprise, 1)
            self.producer.produce(self.raw, self.codec.encode(record), key, 0, **when)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def worker(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "uns", "run", "processors"]
            return subprocess.Popen(command, env=os.environ | self.environ, cwd=ROOT, stderr=log)

    def said(self) -> str:
        """What the worker wrote."""
        return (self.folder / "worker.log").read_text(encoding="utf-8")

    def invoke(self, *arguments: str, **environ: str) -> Result:
        """An `uns` command with the area's environment and more."""
        settings.cache_clear()
        try:
            return CliRunner().invoke(app, list(arguments), env=self.environ | environ)
        finally:
            settings.cache_clear()


def end_worker(worker: "subprocess.Popen[bytes]") -> None:
    worker.send_signal(signal.SIGTERM)
    worker.wait(patient(30))
