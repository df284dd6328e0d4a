"""The whole line fold through the engine on Kafka: 200 paths, 20 samples a record, all derived classes out."""

from confluent_kafka import Producer

from bench import engines, fold
from bench.cluster import Cluster, Failed
from bench.engines import Task
from bench.figures import Bench, Figure, median
from bench.step import IDS
from schemas.codec import Codec

PATHS = 200
REACH = 150_000


def produce(cluster: Cluster, records: list[tuple[str, bytes]], topic: str = fold.TOPIC) -> None:
    """Appends the records to the topic, as connectors write them."""
    producer = Producer(
        cluster.settings.kafka(**{"enable.idempotence": True, "compression.type": "lz4", "linger.ms": 5})
    )
    for number, (path, value) in enumerate(records):
        while True:
            try:
                producer.produce(topic, value, path.encode(), 0)
                break
            except BufferError:
                producer.poll(0.1)
        if not number % 1000:
            producer.poll(0)
    if producer.flush(60):
        raise Failed(f"{topic} cannot be written")


def measure(bench: Bench) -> list[Figure]:
    records = fold.log(fold.plant(PATHS), Codec(IDS))
    samples = PATHS * fold.SECONDS * fold.SAMPLES
    bench.cluster.make(fold.TOPIC)
    produce(bench.cluster, records)
    task = Task(bench.cluster, fold.TOPIC, [len(records)], samples)
    results = []
    for _ in range(bench.runs):
        result = engines.line(task, PATHS)
        bench.keep("line fold on Kafka", wall_s=result.wall_s, cpu_s=result.cpu_s, outputs=result.outputs)
        bench.say(f"line fold on Kafka: {samples / result.wall_s:,.0f} samples/s")
        results.append(result)
    cpu = median([samples / result.cpu_s for result in results])
    return [
        Figure(
            "full line fold through the engine on Kafka, 20 a record, one worker",
            median([samples / result.wall_s for result in results]),
            "samples/s",
            REACH,
            note=f"{cpu or 0:,.0f} a CPU second of the worker",
        )
    ]
