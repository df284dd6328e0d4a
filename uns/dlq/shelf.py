"""Reads what is in quarantine, what was decided of it, and what became of that."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException

from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import BadPath
from topology.namespace.topics import parse_topic, topic
from uns.dlq.decision import Decision, decode
from uns.dlq.item import Item, Place, Selection, class_of
from uns.errors import UserError
from uns.kafka import clients
from uns.kafka.log import read_all
from uns.runtime.settings import Settings

TIMEOUT_S = 30.0
METADATA_S = 10.0


class State(StrEnum):
    """What became of a quarantined record."""

    OPEN = "open"
    RETRIED = "retried"
    """Given again, and not read yet."""
    RESOLVED = "resolved"
    """Given again, read, and not in quarantine anew."""
    RETURNED = "returned"
    """Given again, and in quarantine anew, as an item of its own."""
    DROPPED = "dropped"


class Shelf:
    """Of one enterprise. Raises `KafkaException` and `TimeoutError` where Kafka does not answer."""

    def __init__(self, settings: Settings, plant: Plant) -> None:
        self._settings, self._plant = settings, plant
        self.disposition = topic(plant.enterprise, MessageClass.DISPOSITION)
        there = clients.admin(settings).list_topics(timeout=METADATA_S).topics
        self._places = [(name, number) for name in there if self._ours(name) for number in there[name].partitions]
        self._decided = self.disposition in there

    @property
    def ready(self) -> bool:
        """Whether there is a topic for what is decided."""
        return self._decided

    def _ours(self, name: str) -> bool:
        try:
            place, message_class = parse_topic(name)
        except BadPath:
            return False
        return message_class is MessageClass.QUARANTINE and self._plant.enterprise.contains(place)

    def decisions(self) -> dict[str, Decision]:
        """Id → what was decided last."""
        if not self._decided:
            return {}
        found: dict[str, Decision] = {}
        for record in read_all(self._settings, [(self.disposition, 0)], timeout_s=TIMEOUT_S):
            id_ = (record.key or b"").decode(errors="replace")
            if record.value is None:
                found.pop(id_, None)
                continue
            try:
                found[id_] = decode(record.value)
            except msgspec.DecodeError:  # of another release, or by hand
                continue
        return found

    def items(self, selection: Selection = Selection()) -> Iterator[Item]:  # noqa: B008 - frozen
        """What is in quarantine by now; each partition in its order."""
        for record in read_all(self._settings, self._places, timeout_s=TIMEOUT_S):
            item = Item.of(record)
            if item in selection:
                yield item

    def item(self, id_: str, place: Place) -> Item:
        """Raises `UserError` where nothing lies there."""
        name, number, offset = place
        if (name, number) in self._places:
            for record in read_all(self._settings, [(name, number)], {(name, number): offset}, TIMEOUT_S):
                if record.offset == offset:
                    return Item.of(record)
                break
        raise UserError(f"{id_}: nothing is in quarantine there; retention may have removed it")


class Fates:
    """What became of records that were given again: whoever reads them has passed them by now, or not.

    Made before quarantine is read, so that what has come back by then is among it.
    """

    def __init__(
        self, settings: Settings, decisions: Mapping[str, Decision], processors: str, sinks: Mapping[str, str]
    ) -> None:
        """`processors`: their consumer group. `sinks`: name of a sink → its consumer group."""
        self._decisions, self._processors, self._sinks = decisions, processors, sinks
        self._settings = settings
        self._returned: set[Place] = set()
        retried = any(decision.to is not None for decision in decisions.values())
        groups = {processors, *sinks.values()} if retried else set()
        self._committed = {group: self._positions(group) for group in groups}

    def note(self, item: Item) -> None:
        """Every item of quarantine, before `state` is asked."""
        decision = self._decisions.get(item.retry_of or "")
        if decision is not None and decision.to is not None:
            self._returned.add(decision.to)

    def state(self, item: Item) -> State:
        decision = self._decisions.get(item.id)
        if decision is None:
            return State.OPEN
        if decision.state == "dropped" or decision.to is None:
            return State.DROPPED
        if decision.to in self._returned:
            return State.RETURNED
        name, number, offset = decision.to
        message_class = class_of(name)
        if message_class is MessageClass.RAW:
            group = self._processors
        elif message_class is MessageClass.RETRY:
            group = self._sinks.get(item.why.connector or "", "")
        else:
            return State.RESOLVED
        return State.RESOLVED if self._committed.get(group, {}).get((name, number), 0) > offset else State.RETRIED

    def _positions(self, group: str) -> dict[tuple[str, int], int]:
        admin = clients.admin(self._settings)  # kept: its answers end with it
        try:
            asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=METADATA_S)
            parts = asked[group].result(METADATA_S).topic_partitions
        except KafkaException:  # a group that there is not
            return {}
        return {(part.topic, part.partition): part.offset for part in parts if part.offset >= 0}
