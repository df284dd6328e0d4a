"""What the engine's tests share: a small real fold, worker processes, raw logs, and the comparison with the oracle."""

import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from processors.base import Input, Rejection
from schemas.codec import Codec, is_finite
from schemas.records import TYPES, Derived, Inputs, Sample, Samples, State, Tick, Value
from tests.harness.area import Area
from tests.harness.waiting import until
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from uns.engine.expected import expected_messages
from uns.engine.step import AreaTopics, Step
from uns.kafka.message import Message
from uns.runtime.settings import Settings
from uns.testing.patience import patient

IDS = {name: number for number, name in enumerate(TYPES, start=1)}
CLASSES = (MessageClass.RAW, MessageClass.STATE, MessageClass.QUARANTINE, MessageClass.CHANGELOG)
LATENESS_US = 10_000_000
DEADLINE_S = 60.0
T = TypeVar("T")


def codec() -> Codec:
    return Codec(IDS)


class CountFold:
    """Counts the samples of each path and tells each change of its value as a State."""

    state_version = 1
    horizon_us = 0

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self._said: set[str] = set()
        """Since the start: a rebuilt fold has said all that was published."""
        self._paths: dict[str, tuple[int, Value]] = {}
        self._now = 0
        self._changed: set[str] = set()

    def step(self, item: Input) -> list[Derived | Rejection]:
        if isinstance(item.record, Tick):
            self._now = max(self._now, item.record.at)
            self._changed.add("now")
            return []
        if not isinstance(item.record, Samples):
            return [Rejection("not_counted", f"{item.path}: {type(item.record).__name__} is not counted")]
        results: list[Derived | Rejection] = []
        for sample in item.record.samples:
            if not is_finite(sample.value):
                results.append(Rejection("not_finite", f"{item.path} {sample.tag}: no number", sample.tag))
                continue
            if sample.value == "bug":
                raise RuntimeError("a fold with a bug")
            count, last = self._paths.get(item.path, (0, None))
            self._paths[item.path] = count + 1, sample.value
            self._changed.add(f"path/{item.path}")
            if sample.value != last:
                self._said.add(f"{item.path}#state@{sample.at}~count@1")
                results.append(
                    State(
                        id=f"{item.path}#state@{sample.at}~count@1:{count + 1}",
                        path=item.path,
                        started_at=sample.at,
                        ended_at=None,
                        definition="count@1",
                        status="final",
                        revision=count + 1,
                        inputs=Inputs(item.topic, item.partition, item.offset, item.offset),
                        state=str(sample.value),
                        mode="production",
                        element="APT",
                    )
                )
        return results

    @property
    def watermark(self) -> int:
        return max(0, self._now - LATENESS_US)

    def changes(self) -> Mapping[str, bytes | None]:
        packed: dict[str, bytes | None] = {
            key: msgspec.msgpack.encode(self._now if key == "now" else self._paths[key.removeprefix("path/")])
            for key in self._changed
        }
        self._changed.clear()
        return packed

    def restore(self, key: str, value: bytes) -> None:
        if key == "now":
            self._now = msgspec.msgpack.decode(value)
        else:
            count, last = msgspec.msgpack.decode(value)
            self._paths[key.removeprefix("path/")] = count, last

    def adopt(self, published: Iterable[Derived], since: int, trimmed: Collection[str]) -> list[Derived]:
        """Nothing it says is ever revised, so nothing can differ."""
        assert {record.natural_id for record in published} == self._said
        return []


class Plant(Area):
    """One area of its own on the shared broker: nothing of another test is in it."""

    def __init__(self, bootstrap: str, partitions: int = 1) -> None:
        self.bootstrap = bootstrap
        self.codec = codec()
        area = Place.parse(f"acme/t{uuid.uuid4().hex[:12]}/area")
        super().__init__(Settings(bootstrap=bootstrap), area, partitions, f"uns-processors-{area.segments[1]}", CLASSES)
        self.admin = AdminClient(self.settings.kafka())
        compact = {"cleanup.policy": "compact"}
        made = self.admin.create_topics(
            [NewTopic(self.topic(c), self.partitions, 1, config=compact if c.compacted else {}) for c in CLASSES]
        )
        for future in made.values():
            future.result()
        self._producer = Producer(self.settings.kafka(**{"enable.idempotence": True, "linger.ms": 5}))
        self._number = 0

    def path(self, number: int = 0) -> str:
        return f"{self.area}/line-{number}/cell"

    def put(self, key: bytes | None, value: bytes | None, partition: int = 0, headers: Any = ()) -> None:
        self._producer.produce(self.raw, value, key, partition, headers=list(headers))

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def samples(self, *values: Value, path: str | None = None) -> tuple[bytes, bytes]:
        self._number += 1
        at = 1_000_000 * self._number
        record = Samples("test", self._number, tuple(Sample("Tag", at + i, value) for i, value in enumerate(values)))
        return (path or self.path()).encode(), self.codec.encode(record)

    def load(self, records: int, paths: int = 20, seed: int = 1) -> None:
        """Packed samples over some paths and all partitions; a line stays in its partition."""
        chance = random.Random(seed)
        for _ in range(records):
            number = chance.randrange(paths)
            values = [chance.randrange(3) for _ in range(chance.randrange(1, 4))]
            self.put(*self.samples(*values, path=self.path(number)), partition=number % self.partitions)
        self.flush()

    def same_as_oracle(self) -> int:
        """Asserts that derived and quarantined records equal the oracle's, byte for byte and in order; returns how many."""
        total = 0
        for partition in range(self.partitions):
            step = Step(CountFold(), self.codec, AreaTopics(self.raw), partition)
            expected = list(expected_messages(step, self.written(MessageClass.RAW, partition)))
            for message_class in (MessageClass.STATE, MessageClass.QUARANTINE):
                name = self.topic(message_class)
                ours = [(m.key, m.value, m.headers) for m in expected if m.topic == name]
                theirs = [(r.key, r.value, r.headers) for r in self.written(message_class, partition)]
                assert len(theirs) == len(ours), (
                    f"{name}[{partition}]: {len(theirs)} records, the oracle has {len(ours)}"
                )
                for i, pair in enumerate(zip(theirs, ours, strict=True)):
                    assert pair[0] == pair[1], f"{name}[{partition}] differs first at {i}"
                total += len(ours)
        return total


class Process:
    """A worker in a process of its own."""

    def __init__(self, plant: Plant, folder: Path, slot: int = 0, tick_s: float = 0.0, **config: float) -> None:
        environ = os.environ | {
            "UNS_BOOTSTRAP": plant.bootstrap,
            "UNS_STATE_DIR": str(folder),
            "UNS_LOG_FORMAT": "json",
            "UNS_LOG_LEVEL": "info",
        }
        settings = {"session_timeout_s": 6.0, "transaction_timeout_s": 5.0, "rebalance_timeout_s": 8.0} | config
        environ |= {f"UNS_ENGINE_{name.upper()}": str(value) for name, value in settings.items()}
        self._log = folder / f"worker-{slot}-{uuid.uuid4().hex[:6]}.log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.harness.engine_process",
                    plant.raw,
                    plant.group,
                    str(slot),
                    str(tick_s),
                ],
                env=environ,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGCONT)
            self._child.kill()
        self._child.wait()

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    @property
    def pid(self) -> int:
        return self._child.pid

    def running(self) -> bool:
        return self._child.poll() is None

    def ended(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code, once it has ended."""
        return self._child.wait(patient(deadline_s))

    def log(self) -> list[dict[str, Any]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def left_behind(self) -> bool:
        """Whether it has noticed that its partitions are another worker's."""
        return "partitions are another" in self.text() or self.log()[-1].get("partitions") == 0

    def restored(self, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """Waits until it has restored what it was given."""

        def report() -> dict[str, Any] | None:
            assert self.running(), self.text()
            return next((line for line in reversed(self.log()) if line.get("event") == "partitions restored"), None)

        return until(report, deadline_s, self.text)


def in_topic(messages: Iterable[Message], name: str) -> list[Message]:
    return [message for message in messages if message.topic == name]


def main() -> None:
    """The worker process: raw topic, group, slot, tick seconds."""
    from uns.engine.config import EngineConfig
    from uns.engine.service import serve
    from uns.engine.worker import Worker
    from uns.runtime.clock import system

    raw, group, slot, tick_s = sys.argv[1:]
    settings, config = Settings(), EngineConfig()

    def make() -> Worker:
        return Worker(
            settings,
            config,
            [raw],
            lambda name, partition: CountFold(),
            codec(),
            group=group,
            slot=int(slot),
            clock=system,
            tick_s=float(tick_s),
        )

    serve(settings, make)


if __name__ == "__main__":
    from tests.harness import engine_process  # under its own name, which the fold's class carries into headers

    engine_process.main()
