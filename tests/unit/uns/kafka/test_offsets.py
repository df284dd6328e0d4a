"""Who asks a partition that has no leader yet waits for it, whatever the question; other errors are said at once."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from uns.kafka.offsets import at_times, listed, watermarks

ROOT = Path(__file__).parents[4]
PLACE = ("uns.acme.dallas.packaging.raw", 0)
QUESTIONS = ("get_watermark_offsets(", ".offsets_for_times(", ".list_offsets(")


class Broker:
    """Answers each question with an error so many times, then rightly: what a partition that is just made does, which no
    broker does on demand."""

    def __init__(self, errors: list[int]) -> None:
        self.errors = errors
        self.asked: list[int] = []

    def get_watermark_offsets(self, _place: TopicPartition, _timeout_s: float) -> tuple[int, int]:
        self._answer()
        return 3, 7

    def offsets_for_times(self, times: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.asked += [part.offset for part in times]
        for part in times:
            part.offset = 5  # as librdkafka: into the question
        self._answer()
        return times

    def list_offsets(
        self, asked: dict[TopicPartition, OffsetSpec], **_options: Any
    ) -> dict[TopicPartition, Future[Any]]:
        answers = {}
        for part in asked:
            answers[part] = Future[Any]()
            try:
                self._answer()
                answers[part].set_result(TopicPartition(part.topic, part.partition, 9))
            except KafkaException as error:
                answers[part].set_exception(error)
        return answers

    def _answer(self) -> None:
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))


def _watermarks(broker: Any, timeout_s: float) -> object:
    return watermarks(broker, TopicPartition(*PLACE), timeout_s)


def _at_times(broker: Any, timeout_s: float) -> object:
    return [part.offset for part in at_times(broker, [TopicPartition(*PLACE, 1000)], timeout_s)]


def _listed(broker: Any, timeout_s: float) -> object:
    return listed(broker, [PLACE], OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, timeout_s)


ASKED = pytest.mark.parametrize(
    ("ask", "answer"),
    [(_watermarks, (3, 7)), (_at_times, [5]), (_listed, {PLACE: 9})],
    ids=["watermarks", "times", "listed"],
)


@ASKED
def test_a_partition_without_a_leader_is_asked_again(ask: Callable[[Any, float], object], answer: object) -> None:
    broker = Broker([KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE])
    assert ask(broker, 30) == answer
    assert set(broker.asked) <= {1000}, "the question is the same each time"


@ASKED
def test_another_error_is_said_at_once(ask: Callable[[Any, float], object], answer: object) -> None:
    broker = Broker([KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED])
    with pytest.raises(KafkaException) as told:
        ask(broker, 30)
    assert told.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert len(broker.errors) == 1, "asked once"


@ASKED
def test_patience_ends(ask: Callable[[Any, float], object], answer: object) -> None:
    with pytest.raises(KafkaException):
        ask(Broker([KafkaError.NOT_LEADER_FOR_PARTITION] * 9), -1)


def test_nobody_asks_by_himself() -> None:
    """Three sessions found one more reader each that met a partition without a leader."""
    own = {
        "uns/kafka/offsets.py",
        "uns/engine/restore.py",  # waits by its own rule: for any error, until it is cancelled
        "tests/unit/uns/kafka/test_offsets.py",
    }
    found = [
        f"{name}:{number}"
        for folder in ("uns", "connectors", "sinks", "processors", "topology", "tests", "bench")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) not in own
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if any(question in line for question in QUESTIONS)
    ]
    assert not found, f"{', '.join(found)}: ask by uns/kafka/offsets.py, which waits for a leader"
