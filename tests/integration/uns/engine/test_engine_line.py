"""`uns run processors` with the real line fold and the registry: killed twice, byte-equal to the replay."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from processors.line import LineFold
from schemas.records import Oee, Sample, Samples, Shift
from tests.harness.waiting import until
from topology.model.loader import load
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.engine.expected import expected_messages
from uns.engine.step import AreaTopics, Fence, Step
from uns.kafka.log import read
from uns.kafka.offsets import watermarks
from uns.registry.client import RegistryClient
from uns.runtime.settings import Settings

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{lines: {{line-1: {{cells: {{filler: filler, capper: filler}}}}}}}}}}}}}}
types:
  filler:
    tags: {{State: {{role: state, map: packml}}, Good: {{role: good_count}}, Scrap: {{role: scrap_count}}}}
    ideal_cycle_s: 6.0
shifts:
  always: {{filter: "{enterprise}/#", zone: Europe/Berlin, shifts: {{whole-day: {{begin: "06:00", end: "06:00"}}}}}}
time: {{tick_s: 0.1, production_s: 10, provisional_s: 30, lateness_s: 1}}
"""
ROOT = Path(__file__).parents[4]


@pytest.mark.long
@pytest.mark.parametrize("older", [False, True], ids=["", "state of another release is rebuilt"])
def test_the_line_fold_survives_kills_byte_for_byte(
    kafka: str, registry: str, enterprise: str, tmp_path: Path, older: bool
) -> None:
    folder = tmp_path / "plant"
    folder.mkdir()
    (folder / "plant.yaml").write_text(PLANT.format(enterprise=enterprise), encoding="utf-8")
    environ = os.environ | {
        "UNS_BOOTSTRAP": kafka,
        "UNS_REGISTRY": registry,
        "UNS_STATE_DIR": str(tmp_path / "state"),
        "UNS_PLANT": str(folder),
        "UNS_ENGINE_SESSION_TIMEOUT_S": "6",
        "UNS_ENGINE_COMMIT_INTERVAL_S": "0",
    }
    uns = [sys.executable, "-m", "uns"]
    settings = Settings(bootstrap=kafka, registry=registry)
    codec = RegistryClient(registry, tmp_path / "cache").codec()
    area = Place.parse(f"{enterprise}/dallas/packaging")
    raw = topic(area, MessageClass.RAW)
    admin = AdminClient(settings.kafka())
    made = admin.create_topics([NewTopic(topic(area, c), 1, 1) for c in MessageClass])
    for future in made.values():
        future.result()
    producer = Producer(settings.kafka(**{"enable.idempotence": True}))
    group = Consumer(settings.kafka(**{"group.id": f"uns-processors-{enterprise}"}))
    chance, sequence, good = random.Random(3), 0, 0
    event = time.time_ns() // 1000 - 600_000_000

    def load_records(count: int) -> None:
        nonlocal sequence, good, event
        for _ in range(count):
            sequence, event, good = sequence + 1, event + chance.randrange(200_000), good + chance.randrange(3)
            cell = chance.choice(("filler", "capper"))
            values = {
                "State": chance.choice((6, 6, 6, 2, 9)),
                "Good": good,
                "Scrap": float("nan") if good % 50 == 0 else 0,
            }
            samples = tuple(Sample(tag, event, value) for tag, value in values.items())
            value = codec.encode(Samples("test", sequence, samples))
            producer.produce(raw, value, f"{area}/line-1/{cell}".encode(), 0)
        assert producer.flush(30) == 0

    def committed() -> int:
        return int(group.committed([TopicPartition(raw, 0)], 10)[0].offset)

    def worker() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            return subprocess.Popen([*uns, "run", "processors"], env=environ, cwd=ROOT, stderr=log)

    def said() -> str:
        return (tmp_path / "worker.log").read_text(encoding="utf-8")

    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        load_records(1000)
        end = watermarks(group, TopicPartition(raw, 0), 10)[1]
        if older:
            age(settings, AreaTopics(raw))
        running = worker()
        try:
            goal = end if number == signal.SIGTERM else end - chance.randrange(900)
            until(lambda goal=goal: committed() >= goal, 60, said)  # type: ignore[misc]
        finally:
            running.send_signal(number)
            code = running.wait(30)
        assert code == (0 if number == signal.SIGTERM else -number)
    group.close()
    assert said().count("state rebuilt") == (2 if older else 0)
    fold = LineFold(load(folder, {}), raw, 0)
    log = list(read(settings, raw, 0, end=committed_end(settings, raw, enterprise)))
    told = [shift for shift in map(codec.decode, (record.value for record in log)) if isinstance(shift, Shift)]
    days = {shift.id for shift in told}
    # Each worker tells the calendar when it takes over: two days back, today, and the days to come.
    assert len(told) % len(days) == 0
    assert 10 <= len(days) <= 12, days
    expected = list(expected_messages(Step(fold, codec, AreaTopics(raw), 0), log))
    total = {}
    for message_class in (*DERIVED, MessageClass.QUARANTINE):
        name = topic(area, message_class)
        ours = [(m.key, m.value, m.headers) for m in expected if m.topic == name]
        theirs = [(r.key, r.value, r.headers) for r in read(settings, name, 0)] if ours else []
        assert theirs == ours, f"{name}: {len(theirs)} records, the oracle has {len(ours)}"
        total[message_class] = len(ours)
    assert min(total[c] for c in (MessageClass.STATE, MessageClass.PRODUCTION, MessageClass.QUARANTINE)) > 0, total
    oee = [codec.decode(m.value) for m in expected if m.topic == topic(area, MessageClass.OEE)]
    assert {record.window_name for record in oee if isinstance(record, Oee) and record.window == "shift"} & days


def age(settings: Settings, names: AreaTopics) -> None:
    """Makes the state in the changelog another release's, unreadable for this one."""
    last = {record.key: record.value for record in read(settings, names.changelog, 0)}
    if names.fence_key not in last:
        return
    producer = Producer(settings.kafka())
    for key in last:
        if key != names.fence_key:
            producer.produce(names.changelog, b"unreadable", key, 0)
    fence = msgspec.msgpack.decode(last[names.fence_key] or b"", type=Fence)
    other = msgspec.structs.replace(fence, state_version=3)
    producer.produce(names.changelog, msgspec.msgpack.encode(other), names.fence_key, 0)
    assert producer.flush(10) == 0


def committed_end(settings: Settings, raw: str, enterprise: str) -> int:
    """Ticks of the worker's last moment may lie behind what it committed: they are the next worker's."""
    group = Consumer(settings.kafka(**{"group.id": f"uns-processors-{enterprise}"}))
    try:
        return int(group.committed([TopicPartition(raw, 0)], 10)[0].offset)
    finally:
        group.close()
