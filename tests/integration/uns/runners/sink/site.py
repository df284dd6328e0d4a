"""A plant with one sink, the sink as a process, and what its target then holds."""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import yaml
from confluent_kafka import Message, Producer
from psycopg import sql

from schemas.codec import Codec
from schemas.records import Record, Sample, Samples
from tests.harness import consume_all, eventually
from topology.model.loader import load
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import partition, topic
from uns.kafka import lag
from uns.model.apply import apply_plant
from uns.registry.client import RegistryClient
from uns.runners.sink.service import group
from uns.runtime.child import Child
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings

T = 1_795_000_000_000_000
DEADLINE_S = 40.0


class Site:
    """A plant folder with one sink, its topics, and the sink as a process."""

    def __init__(
        self, folder: Path, kafka: str, registry: str, enterprise: str, kind: str, config: dict[str, Any]
    ) -> None:
        self.kafka, self.enterprise, self.kind = kafka, enterprise, kind
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "state")
        lines = {f"line-{n}": {"cells": {"filler": "filler"}} for n in (1, 2, 3)}
        self.cells = [Place.parse(f"{enterprise}/dallas/packaging/{line}/filler") for line in lines]
        areas = {"packaging": {"partitions": 2, "lines": lines}}
        classes = ["downtime"] if kind == "rest" else ["raw", "downtime"]
        model = {
            "namespace": {"enterprise": enterprise, "sites": {"dallas": {"areas": areas}}},
            "types": {"filler": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 6.0}},
            "sinks": {kind: {"kind": kind, "subscribe": {"filter": f"{enterprise}/#", "classes": classes}, "config": config}},
        }  # fmt: skip
        (folder / "plant").mkdir()
        (folder / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
        self.plant = load(folder / "plant", {})
        apply_plant(self.plant, self.settings)
        self.codec: Codec = RegistryClient(registry, folder / "schemas").codec()
        self.producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5})
        self.group = group(self.plant, kind)
        self.log = folder / "sink.log"
        self.port = free_port()
        self._environ = {
            "UNS_BOOTSTRAP": kafka,
            "UNS_REGISTRY": registry,
            "UNS_PLANT": str(folder / "plant"),
            "UNS_STATE_DIR": str(folder / "state"),
            "UNS_METRICS_PORT": str(self.port),
            "UNS_LOG_FORMAT": "json",
        }
        self.child: Child | None = None

    def topic(self, message_class: MessageClass) -> str:
        return topic(self.cells[0], message_class)

    def put(
        self, cell: Place, message_class: MessageClass, value: bytes | None, key: bytes | None = None, **more: Any
    ) -> None:
        """`value` as a record of a cell's partition."""
        name = topic(cell, message_class)
        self.producer.produce(name, value, str(cell).encode() if key is None else key, partition(cell, 2), **more)
        self.producer.poll(0)

    def tell(self, cell: Place, record: Record, **more: Any) -> None:
        message_class = MessageClass.RAW if isinstance(record, Samples) else MessageClass.DOWNTIME
        self.put(cell, message_class, self.codec.encode(record), **more)

    def messages(self, *classes: MessageClass) -> list[Message]:
        return consume_all(self.kafka, [self.topic(one) for one in classes])

    def start(self) -> None:
        self.child = Child([sys.executable, "-m", "uns", "run", "sink", self.kind], self.log, self._environ)

    def stop(self) -> None:
        if self.child is not None:
            self.child.kill()

    def running(self) -> bool:
        assert self.child is not None
        if not self.child.alive:
            raise RuntimeError(f"the sink ended: {self.child.tail(30)}")
        return True

    def kill_in_midst(self, written: Callable[[], int], chance: random.Random, produced: int) -> None:
        """Starts the sink, and kills it once it has written some more and a random moment has passed."""
        before = written()
        self.start()
        eventually(lambda: self.running() and written() > before, DEADLINE_S, "the sink writes")
        time.sleep(chance.uniform(0, 0.15))  # the random moment, not a wait
        assert self.child is not None
        self.child.kill()

    def drained(self) -> None:
        """The group has committed every partition of every topic that has records, and lags nowhere."""
        ends = {(m.topic(), m.partition()) for m in self.messages(*self._classes())}

        def level() -> bool:
            self.running()
            found = lag.by_partition(self.settings, self.group)
            return ends <= found.keys() and lag.total(self.settings, self.group) == 0

        eventually(level, DEADLINE_S, "lag is 0", every_s=0.1)

    def _classes(self) -> Sequence[MessageClass]:
        return self.plant.sinks[self.kind].subscribe.classes

    def served(self, page: str) -> tuple[int, str]:
        """Status and text of a page of the process; (0, "") where it does not serve yet."""
        try:
            answer = httpx2.get(f"http://127.0.0.1:{self.port}/{page}")
        except httpx2.TransportError:
            return 0, ""
        return answer.status_code, answer.text

    def metric(self, name: str) -> float:
        text = self.served("metrics")[1]
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


class History(Site):
    """A site with a historian."""

    def __init__(self, folder: Path, kafka: str, registry: str, postgres: str, enterprise: str) -> None:
        self.postgres, self.schema = postgres, enterprise.replace("-", "_")
        config = {"dsn": postgres, "schema_name": self.schema}
        super().__init__(folder, kafka, registry, enterprise, "historian", config)

    def ask(self, query: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(query).format(sql.Identifier(self.schema)))
            return cursor.fetchall() if cursor.description else []

    def cut(self) -> int:
        """Ends the session that has the sink's lock; how many had it."""
        query = """SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND objid::bigint = hashtextextended(%s, 0) & 4294967295"""
        with psycopg.connect(self.postgres) as connection:
            return len(connection.execute(query, [f"{self.schema}/historian"]).fetchall())

    def count(self) -> int:
        try:
            return int(self.ask("SELECT count(*) FROM {}.samples")[0][0])
        except psycopg.errors.UndefinedTable:
            return 0

    def samples(self) -> Counter[tuple[Any, ...]]:
        query = """SELECT path, tag, (extract(epoch FROM at) * 1000000)::bigint, value_integer,
            kafka_topic, kafka_partition, kafka_offset FROM {}.samples"""
        return Counter(self.ask(query))

    def logged(self) -> Counter[tuple[Any, ...]]:
        """The rows that the raw topic makes."""
        found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for m in self.messages(MessageClass.RAW):
            record = self.codec.decode(m.value())
            assert isinstance(record, Samples)
            key = (m.key() or b"").decode()
            for s in record.samples:
                found[key, s.tag, s.at] = (key, s.tag, s.at, s.value, m.topic(), m.partition(), m.offset())
        return Counter(found.values())

    def say(self, numbers: range) -> None:
        for n in numbers:
            for cell in self.cells:
                # Every tenth repeats a moment with another value: the later one is to stay.
                found = (Sample("Good", T + (n - n % 10 // 9) * 1000, n), Sample("State", T + n * 1000, n % 7))
                self.tell(cell, Samples("plc", n + 1, found))
        self.producer.flush()
