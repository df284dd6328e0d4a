"""What goes out for a record, by what the broker has retained already. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from schemas.records import Current, CurrentTag, Derived
from schemas.text import calendar, micros
from sinks.base import Delivery
from sinks.kit.cloudevents import Unfit, attributes, checked, data, encoded
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.message import TEXT_BYTES_MAX, Message
from sinks.mqtt.newest import KEPT, Known, Newest
from sinks.mqtt.topics import BadTopic, of_record, of_tag, tags

LETTERS_MAX = TEXT_BYTES_MAX // 12
"""Of a property, however many bytes they may need once they are encoded."""
Payloads = dict[tuple[str, Known], bytes]
"""Of what is new, until the ledger has it."""
Stored = Callable[[str, str], bytes | None]
"""(topic, natural id) → what the ledger has of it."""


class Prepared(NamedTuple):
    """A record as it will be told."""

    delivery: Delivery
    record: Derived
    topic: str
    payload: bytes
    user: Mapping[str, str]
    tags: tuple[tuple[str, Known, bytes], ...] = ()
    """Topic, time and payload of each tag of a snapshot."""

    @property
    def topics(self) -> list[str]:
        return [self.topic, *(topic for topic, _, _ in self.tags)]


def prepared(config: MirrorConfig, delivery: Delivery) -> Prepared:
    """Raises `Unfit`."""
    record = checked(delivery)
    try:
        topic = of_record(config.prefix, record)
        its_tags = tuple(_tags(config.prefix, record)) if config.tags and isinstance(record, Current) else ()
        event = data(delivery)
        user = attributes(event)
        if any(len(value) > LETTERS_MAX for value in user.values()):
            raise Unfit(f"an id longer than {LETTERS_MAX} letters: no property of a message can hold it")
        return Prepared(delivery, record, topic, encoded(event), user, its_tags)
    except (BadTopic, UnicodeEncodeError) as error:
        raise Unfit(str(error)) from error


def _tags(prefix: str, record: Current) -> Iterator[tuple[str, Known, bytes]]:
    for tag in record.tags:
        topic = of_tag(prefix, record.path, tag.tag)
        yield topic, Known(tag.at, topic, 0), encoded(_tag(record.path, tag))


def _tag(path: str, tag: CurrentTag) -> dict[str, Any]:
    try:
        at = calendar(tag.at)
    except OverflowError as error:
        raise Unfit(f"tag {tag.tag!r}: a time that no calendar has: {error}") from error
    return {"path": path, "tag": tag.tag, "at": at, "value": tag.value, "quality": tag.quality}


class Planner:
    """Turns records into messages, in order, and keeps in mind what the broker will have retained then."""

    def __init__(self, config: MirrorConfig, newest: Newest, stored: Stored, removed: Mapping[str, int]) -> None:
        """`removed`: path → when it was taken out of the plant (Kafka's time, µs)."""
        self._config, self._newest, self._stored, self._removed = config, newest, stored, removed
        self.payloads: Payloads = {}

    def messages(self, one: Prepared) -> list[Message]:
        record, expiry_s = one.record, self._config.expiry_s
        if one.delivery.ingested_at <= self._removed.get(
            record.path, -1
        ):  # said before it went: told, and not retained
            return [Message(one.topic, one.payload, False, one.user, expiry_s)]
        known = Known(record.started_at, record.natural_id, record.revision)
        snapshot = isinstance(record, Current)
        told = self._newest.put(one.topic, known, record.withdrawn and not snapshot, 1 if snapshot else KEPT)
        self.payloads[one.topic, known] = one.payload
        made = [Message(one.topic, one.payload, told.retain, one.user, expiry_s)]
        if told.instead is not None and (again := self._payload(one.topic, told.instead)) is not None:
            made.append(retained(one.topic, again, expiry_s))
        elif told.clear or told.instead is not None:
            made.append(Message(one.topic, b"", True))
        if told.retain and self._config.tags and snapshot:
            made += self._of_tags(one)
        return made

    def _of_tags(self, one: Prepared) -> list[Message]:
        """Of those that changed; and of those that are no more, that they are gone."""
        made = []
        for topic, known, payload in one.tags:
            if self._payload_now(topic) != payload and self._newest.put(topic, known, kept=1).retain:
                self.payloads[topic, known] = payload
                made.append(Message(topic, payload, True, {}, self._config.expiry_s))
        beginning, there = tags(self._config.prefix, one.record.path), {topic for topic, _, _ in one.tags}
        for topic in self._newest.below(beginning):
            if topic not in there and (top := self._newest.top(topic)) is not None:
                self._newest.put(topic, top, withdrawn=True)
                made.append(Message(topic, b"", True))
        return made

    def _payload_now(self, topic: str) -> bytes | None:
        top = self._newest.top(topic)
        return None if top is None else self._payload(topic, top)

    def _payload(self, topic: str, known: Known) -> bytes | None:
        return self.payloads.get((topic, known)) or self._stored(topic, known.natural_id)


def retained(topic: str, payload: bytes, expiry_s: int | None) -> Message:
    """A message as it was, of what the ledger has."""
    event = _event(payload)
    return Message(topic, payload, True, attributes(event) if "id" in event else {}, expiry_s)


def known_of(topic: str, payload: bytes) -> Known | None:
    """What a retained message says of itself: a record of ours, or one of its tags. None: it is a stranger's."""
    event = _event(payload)
    try:
        if "tag" in event:
            return Known(micros(event["at"]), topic, 0)
        natural_id, _, revision = event["id"].rpartition(":")
        return Known(micros(event["started_at"]), natural_id, int(revision)) if event["class"] else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _event(payload: bytes) -> dict[str, Any]:
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
