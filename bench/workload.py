"""The raw log of the engine comparisons: 200 paths in turn, every sample a change, 1 to 50 samples a record.

Real `Samples` in Confluent framing with the path as key, lz4 as connectors write them. They carry no headers: the
peers would have to read past them.
"""

from collections.abc import Iterator

from confluent_kafka import Producer

from bench.cluster import Cluster
from bench.step import IDS
from schemas.codec import Codec
from schemas.records import Sample, Samples

PATHS = 200
LINES = 20
"""Ten cells a line; lines are spread over the partitions."""
T0_US = 1_795_000_000_000_000
EVERY_US = 100_000


def topic_of(pack: int, partitions: int = 1) -> str:
    return f"uns.acme.bench.pack{pack}-on{partitions}.raw"


def records(samples: int, pack: int, partitions: int = 1) -> Iterator[tuple[str, Samples, int]]:
    """Path, record and partition; `samples` in all, whole rounds of all paths."""
    area = topic_of(pack, partitions).removeprefix("uns.").removesuffix(".raw").replace(".", "/")
    paths = [f"{area}/line-{number % LINES}/cell-{number // LINES}" for number in range(PATHS)]
    for sequence in range(samples // pack // PATHS):
        at, value = T0_US + sequence * pack * EVERY_US, sequence * pack
        for number, path in enumerate(paths):
            packed = tuple(Sample("Count", at + i * EVERY_US, value + i) for i in range(pack))
            yield path, Samples("bench", sequence + 1, packed), number % LINES % partitions


def produce(cluster: Cluster, samples: int, pack: int, partitions: int = 1) -> tuple[str, list[int]]:
    """The topic, written once a bench, and how many records each partition holds."""
    name = topic_of(pack, partitions)
    cluster.make(name, partitions)
    producer = Producer(
        cluster.settings.kafka(
            **{
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
    )
    codec, ends = Codec(IDS), [0] * partitions
    for path, record, partition in records(samples, pack, partitions):
        while True:
            try:
                producer.produce(name, codec.encode(record), path.encode(), partition)
                break
            except BufferError:
                producer.poll(0.1)
        ends[partition] += 1
        if not ends[partition] % 1000:
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError(f"{name} cannot be written")
    return name, ends
