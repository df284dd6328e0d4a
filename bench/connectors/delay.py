"""From a sample's own time to when a `read_committed` consumer has it from `raw`: MQTT at a tenth of the load that the
connector is to carry, through broker, spool and Kafka. The consumer decodes what it reads."""

import threading
import time

from confluent_kafka import TopicPartition

from bench.cluster import Failed
from bench.connectors.job import DEADLINE_S, RAW, Job, client, payload, wait
from bench.figures import Bench, Figure, median
from schemas.records import Samples
from uns.kafka.offsets import watermarks
from uns.local.mqtt import Mqtt
from uns.local.registry import Registry
from uns.registry.client import RegistryClient

PACK, RATE = 20, 10_000
WARM_S, GRACE_S = 2.0, 30.0


def measure(bench: Bench) -> list[Figure]:
    folder = bench.cluster.folder / "delay"
    environ = {"UNS_BOOTSTRAP": bench.cluster.bootstrap}
    runs = []
    with Mqtt(folder / "broker") as broker, Registry(folder / "registry", environ) as registry:
        environ["UNS_REGISTRY"] = registry.address
        for run in range(bench.runs):
            job = Job(folder / f"r{run}", f"delay{run}", broker.address, environ)
            delays_ms = _run(bench, job, broker.address)
            p50, p99 = (delays_ms[int(len(delays_ms) * part)] for part in (0.5, 0.99))
            bench.keep("delay", p50_ms=p50, p99_ms=p99, samples=len(delays_ms))
            runs.append((p50, p99))
    name = f"MQTT to visible in raw at {RATE:,} samples/s"
    return [
        Figure(f"{name}, p50", median([p50 for p50, _ in runs]), "ms"),
        Figure(f"{name}, p99", median([p99 for _, p99 in runs]), "ms", 100, at_most=True),
    ]


def _run(bench: Bench, job: Job, broker: str) -> list[float]:
    """Milliseconds, sorted, of all samples but the first few seconds'."""
    messages, warm = int(RATE / PACK * (bench.seconds + WARM_S)), int(RATE * WARM_S)
    codec = RegistryClient(str(job.settings.registry), job.settings.state_dir).codec()
    reader = bench.cluster.reader()
    delays_ms: list[float] = []
    with job.running() as process:
        wait(lambda: job.open, process, "the connector is not open")
        reader.assign(
            [TopicPartition(RAW, number, _end(bench, number)) for number in range(bench.cluster.partitions(RAW))]
        )
        publisher = threading.Thread(target=_publish, args=(broker, job.topic, messages))
        publisher.start()
        deadline = time.monotonic() + bench.seconds + WARM_S + GRACE_S
        try:
            while len(delays_ms) < messages * PACK:
                found = reader.consume(1_000, 0.005)
                now_us = time.time() * 1e6
                for message in found:
                    value = message.value()
                    record = codec.decode(value) if message.error() is None and value is not None else None
                    if isinstance(record, Samples):
                        delays_ms += [(now_us - sample.at) / 1000 for sample in record.samples]
                if time.monotonic() > deadline:
                    raise Failed(f"{len(delays_ms):,} of {messages * PACK:,} samples came")
        finally:
            publisher.join()
            reader.close()
    return sorted(delays_ms[warm:])


def _end(bench: Bench, partition: int) -> int:
    reader = bench.cluster.reader()
    try:
        return watermarks(reader, TopicPartition(RAW, partition), 10)[1]
    finally:
        reader.close()


def _publish(broker: str, topic: str, messages: int) -> None:
    """At a constant rate: what is late is sent at once, with the time that it has by then."""
    with client(broker, "machine") as machine:
        begun, last = time.monotonic(), None
        for number in range(messages):
            time.sleep(max(0.0, begun + number * PACK / RATE - time.monotonic()))
            last = machine.publish(topic, payload(time.time() * 1000, number, PACK), qos=1)
        if last is not None:
            last.wait_for_publish(DEADLINE_S)
