"""Whether the processors go on, and Kafka answers: asked of Kafka itself, because a plant in which nothing happens is silent.

Each partition gets a tick of the clock each `tick_s`, and what was folded is committed with its offsets. So an offset that
stands still means that nobody folds: no number of those lines is of now, though none of them has changed.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from topology.namespace.path import BadPath
from topology.namespace.topics import parse_topic

log = structlog.get_logger()

EVERY_S = 1.0
TIMEOUT_S = 2.0
LIMIT_S = 3.0
"""For an offset to stand still, where ticks come more often than each second."""
Partition = tuple[str, int]
Offsets = Callable[[], Mapping[Partition, int]]
"""What the processors have committed; raises `KafkaException` where Kafka does not say."""


class Progress:
    """When each partition last went on, and when Kafka last answered. Times are those of one clock, in seconds. Pure."""

    def __init__(self, limit_s: float, now: float) -> None:
        self._limit_s, self._answered = limit_s, now
        self._moved: dict[Partition, tuple[int, float]] = {}
        self._why = ""

    def saw(self, offsets: Mapping[Partition, int], now: float) -> None:
        """Kafka has said how far the processors are."""
        self._answered, self._why = now, ""
        self._moved = {
            partition: known if (known := self._moved.get(partition)) and known[0] == offset else (offset, now)
            for partition, offset in offsets.items()
        }

    def failed(self, why: str) -> None:
        """Kafka has not said it."""
        self._why = why

    def troubles(self, now: float) -> list[dict[str, Any]]:
        """What is wrong, by the page's words for it; `place` is where, empty: everywhere. None: all is well, or nothing is
        known of the processors yet."""
        if self._why and now - self._answered > self._limit_s:
            return [{"place": "", "word": "trouble.broker", "why": self._why}]
        stood: dict[str, float] = {}
        places = {}
        for (topic, number), (_, at) in self._moved.items():
            places[topic, number] = place = _place(topic)
            if now - at > self._limit_s:
                stood[place] = max(stood.get(place, 0.0), now - at)
        if stood and set(places.values()) <= set(stood):
            return [_standing("", max(stood.values()), ", ".join(sorted(stood)))]
        return [_standing(place, age_s, place) for place, age_s in sorted(stood.items())]


def _standing(place: str, age_s: float, where: str) -> dict[str, Any]:
    return {"place": place, "word": "trouble.processors", "age": round(age_s), "where": where}


def _place(topic: str) -> str:
    try:
        return str(parse_topic(topic)[0])
    except BadPath:
        return topic


class Pulse:
    """Asks once a second, in a thread of its own. A page that may not ask (its login has no right to describe the group) says
    so once in its log, and goes by the silence of its feed alone."""

    def __init__(self, ask: Offsets, tick_s: float) -> None:
        """`tick_s`: seconds of this machine's clock between two ticks."""
        self._ask, self._progress = ask, Progress(max(LIMIT_S, 3 * tick_s), time.monotonic())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def troubles(self) -> list[dict[str, Any]]:
        return self._progress.troubles(time.monotonic())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; waits at most 5 s for it."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        refused = False
        while not self._stop.wait(EVERY_S):
            try:
                self._progress.saw(self._ask(), time.monotonic())
            except KafkaException as error:
                code = error.args[0]
                if code.name() in ("GROUP_AUTHORIZATION_FAILED", "TOPIC_AUTHORIZATION_FAILED"):
                    if not refused:
                        log.warning("the page cannot see how far the processors are", error=code.str())
                    refused = True
                    continue
                self._progress.failed(code.str())


def committed(admin: AdminClient, group: str) -> Offsets:
    """What a group has committed of each partition."""

    def ask() -> dict[Partition, int]:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S)
        answer = asked[group].result(TIMEOUT_S * 2)
        return {
            (one.topic, one.partition): one.offset
            for one in answer.topic_partitions
            if one.error is None and one.offset >= 0
        }

    return ask
