"""The same fold over a log, offline: the oracle of the engine's tests and the way to recompute history."""

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from processors.base import Fold, Input, Rejection
from schemas.records import Derived
from uns.engine.step import Counts, Headers, Message, Source, Step
from uns.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it lies in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 0


def replay(fold: Fold, inputs: Iterable[Input]) -> Iterator[Derived | Rejection]:
    """Everything the fold says over the inputs, in order. Inputs of one partition, in offset order."""
    for item in inputs:
        yield from fold.step(item)


def replay_log(step: Step, log: Iterable[Source]) -> Iterator[Message]:
    """The very records the engine would have committed over the log of one partition, quarantine included."""
    counts = Counts()
    for source in log:
        yield from step.step(step.decode(source), counts)


def read(
    settings: Settings,
    topic: str,
    partition: int,
    start: int | None = None,
    end: int | None = None,
    timeout_s: float = 30.0,
) -> Generator[LogRecord, None, None]:
    """Committed records of one partition from `start` (default: the first there is) to before `end` (default: the
    last stable offset now). Raises `TimeoutError` when nothing comes for `timeout_s`.
    """
    consumer = Consumer(
        settings.kafka(
            **{
                "group.id": "uns-replay",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
    )
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout_s)
        position = max(low, start or 0)
        last = high if end is None else min(end, high)
        if position >= last:
            return
        consumer.assign([TopicPartition(topic, partition, position)])
        deadline = time.monotonic() + timeout_s
        while True:
            for message in consumer.consume(5_000, 0.05):  # waits so long at the end of the log, too
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        if message.offset() >= last:
                            return
                    elif not error.retriable():
                        raise RuntimeError(f"{topic}[{partition}]: {error.str()}")
                    continue
                if message.offset() >= last:
                    return
                deadline = time.monotonic() + timeout_s
                headers = tuple(message.headers() or ())
                yield LogRecord(
                    topic, partition, message.offset(), message.key(), message.value(), headers, message.timestamp()[1]
                )
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}[{partition}]: nothing read for {timeout_s} s")
    finally:
        consumer.close()
