"""Which work units have a snapshot in class `current`, and how one is taken away: a tombstone in its place.

Keys alone are read. What is written is a key without a value: Kafka forgets the snapshot, and whoever reads the class
(page, mirrors, `uns tree`) is told. Nothing of the path's history is touched.
"""

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException

from topology.namespace.path import BadPath, Level, Path
from topology.namespace.topics import parse_topic
from uns.errors import UserError
from uns.kafka import clients
from uns.kafka.log import read_all
from uns.runtime.settings import Settings

TIMEOUT_S = 30.0


def snapshots(settings: Settings, partitions: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    """Work unit → (topic, partition) of its snapshot. `partitions`: topics of class `current` and how many each has.

    A key that is no work unit of the topic's area is a stranger's, and left out. Raises `UserError`.
    """
    found: dict[str, tuple[str, int]] = {}
    places = [(name, number) for name, count in partitions.items() for number in range(count)]
    try:
        for record in read_all(settings, places, timeout_s=TIMEOUT_S) if places else ():
            path = _unit(record.topic, record.key)
            if path is None:
                continue
            if record.value is not None:
                found[path] = record.topic, record.partition
            elif found.get(path) == (record.topic, record.partition):
                del found[path]
    except (KafkaException, TimeoutError) as error:
        raise UserError(f"the snapshots cannot be read: {_words(error)}; may this user read class current?") from error
    return found


def remove(settings: Settings, paths: Iterable[tuple[str, tuple[str, int]]]) -> None:
    """Takes the snapshots of work units away; returns once Kafka has it. Raises `UserError`: all can be taken again."""
    producer = clients.producer(settings, {"message.timeout.ms": int(TIMEOUT_S * 1000)})
    errors: list[str] = []

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            errors.append(error.str())

    for path, (topic, partition) in paths:
        producer.produce(topic, None, path.encode(), partition, on_delivery=delivered)
        producer.poll(0)
    if producer.flush(TIMEOUT_S) or errors:
        raise UserError(f"snapshots not removed: {errors[0] if errors else 'no answer from Kafka'}; apply again")


def _unit(topic: str, key: bytes | None) -> str | None:
    try:
        text = (key or b"").decode()
        path = Path.parse(text)
        area, _ = parse_topic(topic)
    except (BadPath, UnicodeDecodeError):
        return None
    return text if path.level is Level.CELL and area.contains(path) else None


def _words(error: KafkaException | TimeoutError) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else str(error)
