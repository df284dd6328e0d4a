"""One quarantined record: where it lies, whose it is, why. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import BadPath, Path
from topology.namespace.topics import parse_topic, topic
from uns.kafka.log import LogRecord
from uns.kafka.message import RETRY_OF, Quarantined, quarantined

FOLDS = "uns-processors"
"""Who quarantines raw records for the folds."""
Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Kind(StrEnum):
    """Who has put it there."""

    CONNECTOR = "connector"
    """Its source said what is no record, or the topic refused one."""
    FOLD = "fold"
    """It refused a raw record, or a topic refused a derived one."""
    SINK = "sink"
    """The target refused it, or the sink could not read it."""


class BadId(ValueError):
    """No id of a quarantined record; the message says what one is."""


@dataclass(frozen=True)
class Item:
    """`path`: of its key; the place of its topic where the key is none of there."""

    record: LogRecord
    path: Path
    why: Quarantined

    @classmethod
    def of(cls, record: LogRecord) -> "Item":
        place, _ = parse_topic(record.topic)
        path = place
        try:
            told = Path.parse((record.key or b"").decode())
            path = told if place.contains(told) else place
        except (BadPath, UnicodeDecodeError):
            pass
        return cls(record, path, quarantined(record.headers))

    @cached_property
    def id(self) -> str:
        place, _ = parse_topic(self.record.topic)
        return f"{'.'.join(place.segments)}:{self.record.partition}:{self.record.offset}"

    @property
    def at(self) -> int:
        """When it was put there, µs UTC."""
        return self.record.timestamp * 1000

    @property
    def origin(self) -> Place | None:
        """Where its reader found it in Kafka; None for what came from a source, or was never written."""
        why = self.why
        try:
            return (why.topic or "", int(why.partition or ""), int(why.offset or ""))
        except ValueError:
            return None

    @property
    def kind(self) -> Kind:
        if self.why.stage == "TASK_PUT":
            return Kind.SINK
        if self.why.stage == "KAFKA_PRODUCE":
            return Kind.CONNECTOR if class_of(self.why.topic) is MessageClass.RAW else Kind.FOLD
        if self.origin is None:
            return Kind.CONNECTOR
        return Kind.FOLD if self.why.connector == FOLDS else Kind.SINK

    @property
    def retry_of(self) -> str | None:
        """The id under which it was in quarantine before."""
        return next((value.decode(errors="replace") for name, value in self.record.headers if name == RETRY_OF), None)


@dataclass(frozen=True)
class Selection:
    """Which items are meant; what is empty or None selects nothing away. `begin`, `end`: of `Item.at`, µs, end excluded."""

    reasons: Collection[str] = ()
    paths: Filter | None = None
    sources: Collection[str] = ()
    kinds: Collection[Kind] = ()
    begin: int = 0
    end: int = 1 << 62
    ids: Collection[str] = ()

    def __contains__(self, item: object) -> bool:
        return (
            isinstance(item, Item)
            and self.begin <= item.at < self.end
            and (not self.ids or item.id in self.ids)
            and (not self.reasons or item.why.reason in self.reasons)
            and (not self.sources or item.why.connector in self.sources)
            and (not self.kinds or item.kind in self.kinds)
            and (self.paths is None or self.paths.matches(item.path))
        )


def place_of(id_: str) -> Place:
    """Where the record with this id lies. Raises `BadId`."""
    words = id_.split(":")
    try:
        place, partition, offset = words
        return topic(Path.parse(place.replace(".", "/")), MessageClass.QUARANTINE), int(partition), int(offset)
    except ValueError:
        raise BadId(f"{id_!r} is no id of a quarantined record; `uns dlq list` shows them, e.g. acme.dallas.packaging:0:17") from None  # fmt: skip


def class_of(name: str | None) -> MessageClass | None:
    """The message class of a topic; None for what is no topic of ours."""
    try:
        return parse_topic(name or "")[1]
    except BadPath:
        return None


def readable(payload: bytes | None) -> tuple[str, str]:
    """(`text`, the text) of bytes that a person can read, else (`hex`, in hexadecimal)."""
    given = payload or b""
    try:
        text = given.decode()
    except UnicodeDecodeError:
        return "hex", given.hex()
    return ("text", text) if all(letter.isprintable() or letter.isspace() for letter in text) else ("hex", given.hex())
