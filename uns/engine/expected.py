"""What the engine has to commit over a log, worked out without Kafka: the oracle of its tests."""

from collections.abc import Iterable, Iterator

from processors.base import Fold, Input, Rejection
from schemas.records import Derived
from uns.engine.step import Counts, Step
from uns.kafka.message import ConsumedRecord, Message


def expected_outputs(fold: Fold, inputs: Iterable[Input]) -> Iterator[Derived | Rejection]:
    """Everything the fold says over the inputs, in order. Inputs of one partition, in offset order."""
    for item in inputs:
        yield from fold.step(item)


def expected_messages(step: Step, log: Iterable[ConsumedRecord]) -> Iterator[Message]:
    """The very records the engine would have committed over the log of one partition, quarantine included."""
    counts = Counts()
    for source in log:
        yield from step.step(step.decode(source), counts)
