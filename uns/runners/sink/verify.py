"""Compares a sink's target with its topics: what is missing there, there twice, or otherwise than the topics say."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions

from schemas.codec import Codec, Undecodable
from sinks.base import Delivery, Retryable, SinkSpec
from topology.model.plant import Plant
from topology.namespace.filters import Filter, topics
from topology.namespace.path import BadPath
from topology.namespace.path import Path as Place
from topology.namespace.topics import parse_topic
from uns.client.connection import codec
from uns.dlq.item import Item, Kind, Selection
from uns.dlq.item import Place as LogPlace
from uns.dlq.shelf import Fates, Shelf, State
from uns.errors import UserError
from uns.kafka import clients
from uns.kafka.log import LogRecord, begins_at, read_all
from uns.model.components import sink_spec
from uns.runners.sink.comparison import Comparison, Difference
from uns.runners.sink.health import FOLDER
from uns.runners.sink.service import group
from uns.runtime.settings import Settings

INGEST_MARGIN_MS = 3_600_000
"""No record is ingested longer before its own time."""
METADATA_S = 10.0
TIMEOUT_S = 60.0


@dataclass
class Report:
    """What was compared, and what differs."""

    wanted: int = 0
    """Rows, points or objects that the target should hold."""
    found: int = 0
    beyond: int = 0
    """Of them those that no topic says: older than what Kafka keeps, or by another hand. No difference."""
    pending: int = 0
    """Records that the sink has not written yet."""
    quarantined: int = 0
    """Records of the span that are in quarantine, for they were refused."""
    counts: Mapping[str, int] = field(default_factory=Counter)
    """Kind of difference → how many."""
    differences: list[Difference] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What of the target was not compared, a sentence each."""

    @property
    def equal(self) -> bool:
        return not any(self.counts.values())


def verify(settings: Settings, plant: Plant, name: str, begin: int, end: int, processors: str, most: int) -> Report:
    """Of the span [begin, end) in event time, µs UTC. `most`: differences shown of each kind. Raises `UserError`, and what
    reading Kafka raises."""
    model = plant.sinks[name]
    spec = sink_spec(model.kind)
    if spec.verification is None:
        why = spec.unreadable or f"kind {model.kind} cannot be read back, so there is nothing to compare with"
        raise UserError(f"sink {name}: {why}")
    with tempfile.TemporaryDirectory(prefix="uns-verify-") as folder:
        comparison = Comparison(Path(folder))
        try:
            run = _Run(settings, plant, name, spec, comparison, begin, end)
            run.read_topics(processors)
            run.read_target()
            report = run.report
            report.wanted, report.found = comparison.count(), comparison.held()
            report.beyond, report.counts = comparison.beyond(), comparison.counts()
            report.differences = list(comparison.differences(most))
            report.left_out = list(run.left_out())
            return report
        finally:
            comparison.close()


class _Run:
    def __init__(
        self,
        settings: Settings,
        plant: Plant,
        name: str,
        spec: SinkSpec[Any],
        comparison: Comparison,
        begin: int,
        end: int,
    ) -> None:
        self._settings, self._plant, self._name, self._spec = settings, plant, name, spec
        self._comparison, self._begin, self._end = comparison, begin, end
        self._subscribe = plant.sinks[name].subscribe
        self._filter = Filter.parse(self._subscribe.filter)
        self._config = spec.config.model_validate(dict(plant.sinks[name].config))
        self.report = Report()

    def read_topics(self, processors: str) -> None:
        """What the target should hold. What the sink has not written yet, or has in quarantine, is wanted of nobody."""
        admin = clients.admin(self._settings)
        there = admin.list_topics(timeout=METADATA_S).topics
        wanted = topics([self._filter], self._subscribe.classes, self._plant.places())
        places = [(topic, number) for topic in wanted if topic in there for number in there[topic].partitions]
        written = self._written()
        refused = self._refused(processors)
        since = begins_at(self._settings, places, max(0, self._begin // 1000 - INGEST_MARGIN_MS), TIMEOUT_S)
        decode = codec(self._settings)
        for record in read_all(self._settings, places, since, TIMEOUT_S):
            delivery = self._delivery(record, decode)
            if delivery is None:
                continue
            pending = record.offset >= written.get((record.topic, record.partition), 0)
            quarantined = (record.topic, record.partition, record.offset) in refused
            ours = False
            for each in self._spec.verification.wanted(self._config, delivery):  # type: ignore[union-attr]
                if self._begin <= each.at < self._end:
                    self._comparison.want(each, pending or quarantined)
                    ours = True
            self.report.pending += ours and pending
            self.report.quarantined += ours and quarantined and not pending

    def read_target(self) -> None:
        verification, comparison = self._spec.verification, self._comparison
        assert verification is not None
        folder = self._settings.state_dir / FOLDER / self._name

        async def go() -> None:
            async for each in verification.found(
                self._name, self._config, folder, self._begin, self._end, comparison.wanted
            ):
                comparison.find(each)

        try:
            asyncio.run(go())
        except Retryable as error:
            raise UserError(str(error)) from error

    def left_out(self) -> Iterable[str]:
        assert self._spec.verification is not None
        return self._spec.verification.left_out(self._config)

    def _written(self) -> dict[tuple[str, int], int]:
        """Next offset of each partition by the sink's group."""
        admin, name = clients.admin(self._settings), group(self._plant, self._name)
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)], request_timeout=METADATA_S)
        parts = asked[name].result(METADATA_S).topic_partitions
        return {(part.topic, part.partition): part.offset for part in parts if part.offset >= 0}

    def _refused(self, processors: str) -> set[LogPlace]:
        """Where the records lie that are in quarantine for this sink, and were not written since."""
        shelf = Shelf(self._settings, self._plant)
        fates = Fates(self._settings, shelf.decisions(), processors, {self._name: group(self._plant, self._name)})
        ours = Selection(sources=(self._name,), kinds=(Kind.SINK,))
        items: list[Item] = []
        for item in shelf.items(ours):
            fates.note(item)
            items.append(item)
        resolved = {item.origin for item in items if fates.state(item) is State.RESOLVED}
        return {item.origin for item in items if item.origin is not None} - resolved

    def _delivery(self, record: LogRecord, decode: Codec) -> Delivery | None:
        """As the sink gets it; None for what it does not get."""
        try:
            key = (record.key or b"").decode()
            if not self._filter.matches(Place.parse(key)):
                return None
            told = decode.decode(record.value)
        except (BadPath, UnicodeDecodeError, Undecodable):
            return None  # in quarantine
        _, message_class = parse_topic(record.topic)
        return Delivery(
            record.topic, record.partition, record.offset, key, message_class, told, record.timestamp * 1000
        )


def lines(report: Report) -> Iterator[str]:
    """For people."""
    for difference in report.differences:
        words = f": {difference.words}" if difference.words else ""
        yield f"{difference.kind:<10} {difference.key}{words}"
    told = ", ".join(f"{count} {kind}" for kind, count in report.counts.items() if count) or "no difference"
    yield f"{report.wanted} wanted, {report.found} found: {told}"
    yield from report.left_out
    if report.pending:
        yield f"{report.pending} records are not written yet, and left out"
    if report.quarantined:
        yield f"{report.quarantined} records are in quarantine, and left out: `uns dlq list`"
    if report.beyond:
        yield f"{report.beyond} are there that no topic says: older than what Kafka keeps, or by another hand"
