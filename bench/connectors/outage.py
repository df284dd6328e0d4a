"""Kafka goes away under load, and comes back: what was said meanwhile waits in the spool and, once that holds as much as may
be under way, at the broker; it loses nothing and no order, and goes out faster than it comes in. A Kafka of its own, stopped
and started at its port; half of the run's seconds it is away.
"""

import threading
import time
from itertools import pairwise

from confluent_kafka import Consumer, KafkaError, TopicPartition

from bench.connectors.job import RAW, Job, client, payload, wait
from bench.figures import Bench, Figure
from schemas.codec import Codec
from schemas.records import Samples
from uns.local.kafka import Kafka
from uns.local.mqtt import Mqtt
from uns.local.registry import Registry
from uns.registry.client import RegistryClient
from uns.runtime.ports import free_port

PACK, RATE = 20, 4_000
"""Samples a message and a second."""
LEVEL = RATE // 2
"""Samples on their way with which all counts as drained."""


class Machine(threading.Thread):
    """Publishes at a constant rate until it is told to stop; `said` messages are on their way or with the broker."""

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__(daemon=True)
        self._broker, self._topic, self.ending, self.said = broker, topic, threading.Event(), 0

    def run(self) -> None:
        with client(self._broker, "machine") as machine:
            begun, last = time.monotonic(), None
            while not self.ending.wait(max(0.0, begun + self.said * PACK / RATE - time.monotonic())):
                last = machine.publish(self._topic, payload(time.time() * 1000, self.said, PACK), qos=1)
                self.said += 1
            if last is not None:
                last.wait_for_publish(60)


def measure(bench: Bench) -> list[Figure]:
    folder = bench.cluster.folder / "outage"
    with Mqtt(folder / "broker") as broker, Kafka(folder / "kafka", free_port()) as kafka:
        environ = {"UNS_BOOTSTRAP": kafka.address}
        with Registry(folder / "registry", environ) as registry:
            environ["UNS_REGISTRY"] = registry.address
            job = Job(folder / "job", "outage", broker.address, environ)
            codec = RegistryClient(registry.address, folder / "schemas").codec()
            machine = Machine(broker.address, job.topic)
            ratio, backlog = _hold(job, kafka, machine, bench.seconds / 2)
            numbers = _numbers(kafka.address, codec)
            lost = PACK * len(set(range(machine.said)) - set(numbers))
            disorder = PACK * sum(later <= before for before, later in pairwise(numbers))
    bench.keep("outage", said=machine.said, backlog=backlog, ratio=ratio, lost=lost, disorder=disorder)
    name = f"Kafka away {bench.seconds / 2:.0f} s at {RATE:,} samples/s"
    note = f"{backlog:,} samples waited"
    return [
        Figure(f"{name}: samples lost", float(lost), "samples", 0, at_most=True),
        Figure(f"{name}: samples out of order", float(disorder), "samples", 0, at_most=True),
        Figure(f"{name}: drained, against the live rate", ratio, "×", 5, note=note),
    ]


def _hold(job: Job, kafka: Kafka, machine: Machine, away_s: float) -> tuple[float, int]:
    """(how fast what waited went out, against the rate that went on coming in; samples that waited as Kafka came back)."""

    def waiting() -> int:
        return machine.said * PACK - job.ledger.published

    with job.running() as process:
        wait(lambda: job.open, process, "the connector is not open")
        machine.start()
        try:
            wait(lambda: job.ledger.published > RATE, process, "nothing comes through")
            kafka.stop()
            time.sleep(away_s)
            before = job.ledger.published
            starting = threading.Thread(target=kafka.start)
            starting.start()
            wait(lambda: job.ledger.published > before, process, "nothing goes out again")
            backlog, before, begun = waiting(), job.ledger.published, time.monotonic()
            wait(lambda: waiting() < LEVEL, process, "what waited does not go out")
            rate = (job.ledger.published - before) / (time.monotonic() - begun)
            starting.join()
        finally:
            machine.ending.set()
            machine.join()
        wait(lambda: waiting() == 0, process, "not all comes through")
    return rate / RATE, backlog


def _numbers(bootstrap: str, codec: Codec) -> list[int]:
    """Of the messages, by the tag that has it, in the order of the log; a record that is there twice counts once."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "isolation.level": "read_committed", "enable.partition.eof": True})  # fmt: skip
    numbers: list[int] = []
    sequence = 0
    try:
        partitions = reader.list_topics(RAW, 10).topics[RAW].partitions
        reader.assign([TopicPartition(RAW, number, 0) for number in partitions])
        left = len(partitions)
        while left:
            for message in reader.consume(5_000, 1.0):
                error, value = message.error(), message.value()
                left -= error is not None and error.code() == KafkaError._PARTITION_EOF
                record = codec.decode(value) if error is None and value is not None else None
                if isinstance(record, Samples) and record.sequence > sequence:
                    sequence = record.sequence
                    numbers += [round(s.value) for s in record.samples if s.tag == "T0" and isinstance(s.value, float)]
    finally:
        reader.close()
    return numbers
