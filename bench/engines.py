"""The engines as processes, each measured alike: from its first record to its last output visible."""

import hashlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from confluent_kafka import Consumer, TopicPartition

from bench import kafka_streams, quix
from bench.cluster import Cluster, Failed, Machine, Visible, cpu_s
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.topics import parse_topic, topic
from uns.runtime.child import Child

ROOT = Path(__file__).parents[1]
OWN_CLASSES = (MessageClass.STATE, MessageClass.CHANGELOG, MessageClass.QUARANTINE)
LINE_CLASSES = tuple(name for name in DERIVED if name is not MessageClass.PILOT)
"""What the line fold writes."""
STATE_ALONE = -1
QUIX_CHECKPOINT_RECORDS = 100_000
START_S = 90.0
"""Longest start-up of any engine."""
LEAST_S, SAMPLES_S = 60.0, 5_000.0
"""An engine that is slower than so many samples a second, after a minute's grace, is ended."""


@dataclass(frozen=True)
class Task:
    """What an engine is to do: fold these partitions of a raw topic."""

    cluster: Cluster
    raw: str
    ends: Sequence[int]
    samples: int

    @property
    def deadline_s(self) -> float:
        return LEAST_S + self.samples / SAMPLES_S


@dataclass(frozen=True)
class Result:
    """One run of one engine."""

    wall_s: float
    cpu_s: float
    """Of the engine's processes."""
    broker_cpu_s: float
    idle_cores: float
    """Cores of the machine that nobody used meanwhile."""
    outputs: int
    digest: str
    """Over keys and values of all outputs in order; empty for an engine without output."""

    @property
    def others_cores(self) -> float:
        """Cores that neither the engine nor the broker had and nobody left idle: what disturbed the wall time."""
        used = (self.cpu_s + self.broker_cpu_s) / self.wall_s
        return max(0.0, (psutil.cpu_count() or 1) - self.idle_cores - used)


def child(task_folder: Path, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Child:
    """A process of the bench. It finds our packages where this process does."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Child(command, task_folder / f"{name}.log", {"PYTHONPATH": paths, **(environ or {})})


def worker(
    cluster: Cluster, folder: Path, raw: str, group: str, slot: int = 0, tick_s: float = 0.0, paths: int = 0
) -> Child:
    """Our worker with the bench's fold, or with the line fold over a plant of `paths` cells."""
    environ = {
        "UNS_BOOTSTRAP": cluster.bootstrap,
        "UNS_STATE_DIR": str(folder / "state"),
        "UNS_LOG_FORMAT": "json",
        "UNS_LOG_LEVEL": "info",
    }
    arguments = [raw, group, str(slot), str(folder / f"begun-{slot}"), str(tick_s), str(paths)]
    return child(folder, f"worker-{slot}", [sys.executable, "-m", "bench.ours", *arguments], environ)


def ours(task: Task, workers: int = 1) -> Result:
    """Our engine with its default settings; `workers` processes share the partitions."""
    task.cluster.prepare_area(task.raw, OWN_CLASSES)

    def start(folder: Path, group: str) -> list[Child]:
        return [worker(task.cluster, folder, task.raw, group, slot) for slot in range(workers)]

    return _measured(task, "ours", start, topic(parse_topic(task.raw)[0], MessageClass.STATE), task.samples)


def ours_state(task: Task) -> Result:
    """Our engine with the same step and no output: visible is its state, in the changelog."""
    task.cluster.prepare_area(task.raw, OWN_CLASSES)

    def start(folder: Path, group: str) -> list[Child]:
        return [worker(task.cluster, folder, task.raw, group, paths=STATE_ALONE)]

    result = _measured(task, "state", start, topic(parse_topic(task.raw)[0], MessageClass.CHANGELOG), None)
    return replace(result, digest="")


def line(task: Task, paths: int) -> Result:
    """Our engine with the whole line fold; visible is what `current`, its last word on each tick, shows."""
    task.cluster.prepare_area(task.raw, (*LINE_CLASSES, MessageClass.CHANGELOG, MessageClass.QUARANTINE))

    def start(folder: Path, group: str) -> list[Child]:
        return [worker(task.cluster, folder, task.raw, group, paths=paths)]

    return _measured(task, "line", start, topic(parse_topic(task.raw)[0], MessageClass.CURRENT), None)


def quix_streams(task: Task) -> Result:
    """See `bench/quix_streams.py` for its configuration."""
    python = quix.python(ROOT / "build")
    target = f"bench-quix-{uuid.uuid4().hex[:8]}"
    checkpoint = -(-task.ends[0] // -(-task.ends[0] // QUIX_CHECKPOINT_RECORDS))
    task.cluster.make(target)

    def start(folder: Path, group: str) -> list[Child]:
        begun = str(folder / "begun-0")
        arguments = [task.cluster.bootstrap, task.raw, target, group, str(folder / "state"), begun, str(checkpoint)]
        return [child(folder, "quix", [str(python), "-m", "bench.quix_streams", *arguments])]

    try:
        return _measured(task, "quix", start, target, task.samples)
    finally:
        task.cluster.drop(target)


def streams(task: Task) -> Result:
    """See `bench/kafka_streams.py` for its configuration."""
    command = kafka_streams.command(ROOT / "build")
    target = f"bench-streams-{uuid.uuid4().hex[:8]}"
    task.cluster.make(target)

    def start(folder: Path, group: str) -> list[Child]:
        begun = str(folder / "begun-0")
        arguments = [task.cluster.bootstrap, task.raw, target, group, str(folder / "state"), begun]
        return [child(folder, "streams", [*command, *arguments, *kafka_streams.arguments()])]

    try:
        return _measured(task, "streams", start, target, task.samples)
    finally:
        task.cluster.drop(target)


def bare_loop(task: Task) -> Result:
    """See `bench/bare_loop.py`: no output, so it ends with its last step."""
    folder = folder_of(task.cluster, "bare")
    begun = folder / "begun-0"
    broker, machine = task.cluster.broker_cpu_s(), Machine()
    arguments = [task.cluster.bootstrap, task.raw, str(task.ends[0]), str(begun)]
    process = child(folder, "bare", [sys.executable, "-m", "bench.bare_loop", *arguments])
    try:
        deadline = time.monotonic() + START_S + task.deadline_s
        while process.alive:
            if time.monotonic() > deadline:
                raise Failed("the bare loop does not end")
            time.sleep(0.02)
        if process.returncode:
            raise Failed(f"the bare loop ended: {' '.join(process.tail(3))}")
        ended_s, cpu, changed = process.tail(1)[0].split()
    finally:
        process.kill()
    first = json.loads(begun.read_text(encoding="utf-8"))
    if int(changed) != task.samples:
        raise Failed(f"the bare loop made {changed} changes of {task.samples} samples")
    wall_s, used_s = float(ended_s) - first["wall_s"], float(cpu) - first["cpu_s"]
    return Result(wall_s, used_s, task.cluster.broker_cpu_s() - broker, machine.idle_cores(), int(changed), "")


def folder_of(cluster: Cluster, name: str) -> Path:
    """A fresh folder for one run."""
    folder = cluster.folder / f"{name}-{uuid.uuid4().hex[:6]}"
    folder.mkdir(parents=True)
    return folder


def _measured(
    task: Task, name: str, start: Callable[[Path, str], list[Child]], target: str, expected: int | None
) -> Result:
    """Runs an engine until the group has committed all input and no transaction is open, then judges its outputs."""
    cluster, folder, group = task.cluster, folder_of(task.cluster, name), f"bench-{name}-{uuid.uuid4().hex[:8]}"
    visible = Visible(cluster, target, len(task.ends))
    offsets = Consumer(cluster.settings.kafka(**{"group.id": group, "enable.auto.commit": False}))
    sources = [TopicPartition(task.raw, number) for number in range(len(task.ends))]
    processes: list[Child] = []

    def check() -> None:
        for process in processes:
            if not process.alive:
                raise Failed(f"{name} ended with code {process.returncode}: {' '.join(process.tail(4))[-600:]}")

    try:
        processes = start(folder, group)
        begun = [folder / f"begun-{slot}" for slot in range(len(processes))]
        visible.wait(lambda ends: all(file.exists() for file in begun), START_S, check)
        broker, machine = cluster.broker_cpu_s(), Machine()
        looked = 0.0

        def done(ends: list[int]) -> bool:
            nonlocal looked
            if sum(ends) < (expected or 0) or time.monotonic() < looked + 0.1:
                return False
            looked = time.monotonic()
            committed = offsets.committed(sources, 10)
            return all(place.offset >= end for place, end in zip(committed, task.ends, strict=True))

        visible.wait(done, task.deadline_s, check)
        used = [cpu_s(process.pid) for process in processes]
        broker, idle = cluster.broker_cpu_s() - broker, machine.idle_cores()
        # The group's offsets may show a moment before the records of the same commit.
        settled = time.monotonic() + 1.0
        visible.wait(lambda ends: time.monotonic() > settled, 5.0, check)
    finally:
        offsets.close()
        visible.close()
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop(10.0)
        cluster.drop_internal(group)
        shutil.rmtree(folder / "state", ignore_errors=True)
    marks = [json.loads(file.read_text(encoding="utf-8")) for file in begun]
    outputs, digest, ended_s = 0, hashlib.blake2b(), 0.0
    for partition in range(len(task.ends)):
        last = -1
        for offset, key, value in cluster.messages(target, partition):
            last = offset
            outputs += 1
            digest.update(key)
            digest.update(value)
        ended_s = max(ended_s, visible.since(last, partition)) if last >= 0 else ended_s
    if expected is not None and outputs != expected:
        raise Failed(f"{name} wrote {outputs:,} records and should have written {expected:,}")
    return Result(
        ended_s - min(mark["wall_s"] for mark in marks),
        sum(used) - sum(mark["cpu_s"] for mark in marks),
        broker,
        idle,
        outputs,
        digest.hexdigest(),
    )
