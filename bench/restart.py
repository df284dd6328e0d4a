"""kill -9 of a worker that holds 10,000 paths of the full line fold, a new one at once: how long until it speaks again.

The state comes from an hour of plant time: each path says four samples in five minutes, with a tick after each round.
During the kill one path goes on changing its state ten times a second, and ticks are the worker's own, one a second.
"""

import json
import re
import signal
import threading
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

from bench import fold
from bench.cluster import Cluster, Failed
from bench.engines import LINE_CLASSES, START_S, folder_of, worker
from bench.figures import Bench, Figure, median
from bench.line import produce
from bench.step import IDS
from schemas.codec import Codec
from schemas.records import Sample, Samples, Tick
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.kafka.offsets import watermarks
from uns.runtime.child import Child

PATHS = 10_000
REACH_S = 5.0
ROUNDS, ROUND_US = 12, 300_000_000
BUILD_S, BACK_S = 300.0, 120.0


def history(paths: int, now_us: int) -> list[tuple[str, bytes]]:
    """An hour of all paths, ending now."""
    codec, records = Codec(IDS), []
    names = [str(path) for path in fold.plant(paths).cells()]
    for number in range(ROUNDS):
        at = now_us - (ROUNDS - number) * ROUND_US
        for index, path in enumerate(names):
            samples = (
                Sample("State", at, 6 if (number + index) % 5 else 11),
                Sample("Good", at, 100 * number),
                Sample("Scrap", at, number),
                Sample("Weight", at, 10 + ((number * 7 + index) % 13) / 50),
            )
            records.append((path, codec.encode(Samples("bench", number + 1, samples))))
        records.append((fold.AREA, codec.encode(Tick(at=at + 1_000_000, worker="bench"))))
    return records


def measure(bench: Bench, paths: int = PATHS) -> list[Figure]:
    cluster = bench.cluster
    cluster.make(fold.TOPIC)
    cluster.prepare_area(fold.TOPIC, (*LINE_CLASSES, MessageClass.CHANGELOG, MessageClass.QUARANTINE))
    records = history(paths, time.time_ns() // 1000)
    produce(cluster, records)
    group, folder = f"bench-restart-{uuid.uuid4().hex[:8]}", folder_of(cluster, "restart")
    process = worker(cluster, folder, fold.TOPIC, group, tick_s=1.0, paths=paths)
    feeder = _Feeder(cluster, next(iter(map(str, fold.plant(paths).cells()))))
    seconds, notes = [], []
    try:
        _folded(cluster, group, len(records), process)
        feeder.start()
        place = TopicPartition(topic(Place.parse(fold.AREA), MessageClass.STATE), 0)
        for _ in range(bench.runs):
            _speaks(cluster, place, process)  # under way, as it would be in a plant
            killed = time.monotonic()
            process.send(signal.SIGKILL)
            process.kill()
            process = worker(cluster, folder, fold.TOPIC, group, tick_s=1.0, paths=paths)
            _speaks(cluster, place, process)
            seconds.append(time.monotonic() - killed)
            notes.append(_restored(process))
            bench.keep("kill -9", seconds=seconds[-1], note=notes[-1])
            bench.say(f"kill -9 with {paths:,} paths: {seconds[-1]:.1f} s to the first new output; {notes[-1]}")
    finally:
        feeder.stop()
        process.kill()
    name = f"kill -9 with {paths:,} paths of the full line fold to the first new output"
    return [Figure(name, median(seconds), "s", REACH_S, at_most=True, note=notes[-1])]


def _folded(cluster: Cluster, group: str, end: int, process: Child) -> None:
    """Waits until the history is folded and committed."""
    offsets = Consumer(cluster.settings.kafka(**{"group.id": group, "enable.auto.commit": False}))
    deadline = time.monotonic() + START_S + BUILD_S
    try:
        while offsets.committed([TopicPartition(fold.TOPIC, 0)], 10)[0].offset < end:
            if not process.alive or time.monotonic() > deadline:
                raise Failed(f"the history is not folded: {' '.join(process.tail(3))[-400:]}")
            time.sleep(0.1)
    finally:
        offsets.close()


def _speaks(cluster: Cluster, place: TopicPartition, process: Child) -> None:
    """Returns when a record can be read that is newer than what a worker before could have written."""
    reader = cluster.reader()
    try:
        # From the last stable offset on: what a dead worker left open there is aborted, and never read.
        end = watermarks(reader, place, 10)[1]
        reader.assign([TopicPartition(place.topic, place.partition, end)])
        deadline = time.monotonic() + BACK_S
        while True:
            message = reader.poll(0.02)
            if message is not None and message.error() is None:
                return
            if not process.alive or time.monotonic() > deadline:
                raise Failed(f"no new output: {' '.join(process.tail(3))[-400:]}")
    finally:
        reader.close()


def _restored(process: Child) -> str:
    """What the worker's log says of its restore."""
    for line in reversed(process.tail(50)):
        if re.search(r"partitions restored", line):
            return f"of it {json.loads(line).get('seconds')} s restore"
    return ""


class _Feeder(threading.Thread):
    """One path that changes its state, ten times a second."""

    def __init__(self, cluster: Cluster, path: str) -> None:
        super().__init__(daemon=True)
        self._producer = Producer(cluster.settings.kafka(**{"linger.ms": 0}))
        self._path, self._stopped = path, threading.Event()

    def run(self) -> None:
        codec, number = Codec(IDS), 1000
        while not self._stopped.wait(0.1):
            number += 1
            sample = Sample("State", time.time_ns() // 1000, 6 if number % 2 else 11)
            self._producer.produce(
                fold.TOPIC, codec.encode(Samples("bench", number, (sample,))), self._path.encode(), 0
            )
            self._producer.poll(0)

    def stop(self) -> None:
        self._stopped.set()
        if self.is_alive():
            self.join()
        self._producer.flush(5)
