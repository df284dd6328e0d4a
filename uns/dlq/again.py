"""What a retry writes, and where: the record as it was, for who had refused it. Pure but for `Codec`'s look-ups."""

import json
from typing import Any, NamedTuple

import msgspec

from schemas.codec import Codec, Undecodable
from schemas.records import FACT_TYPES, RAW_TYPES, Derived, Sample, Samples
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import BadPath, Level, Path
from topology.namespace.topics import key, partition, topic
from uns.dlq.item import Item, Kind
from uns.kafka.message import RETRY_OF, Headers, Message, cloud_event, identified, original, retry_headers

UNKNOWN_PATH = "unknown_path"
"""Why a connector refuses what it can read all the same: the plant model has learnt of the place since, maybe."""


class NotRetryable(ValueError):
    """It cannot be given again; the message says why, and what helps."""


class Retry(NamedTuple):
    message: Message
    partition: int
    original: str
    """Equal for quarantined records of which one retry is enough."""


def retry(item: Item, plant: Plant, codec: Codec) -> Retry:
    """Raises `NotRetryable`, and what a registry's client raises when it cannot be asked."""
    if item.why.cut_bytes is not None:
        raise NotRetryable(f"its value was cut, it had {item.why.cut_bytes} bytes: the whole is at its source alone")
    if item.kind is Kind.SINK:
        return _to_sink(item, plant)
    if item.kind is Kind.FOLD and item.why.stage == "KAFKA_PRODUCE":
        return _derived(item, plant, codec)
    return _raw(item, plant, codec)


def _to_sink(item: Item, plant: Plant) -> Retry:
    """To that one sink, as it had read it. Records of its topics that came later stay before it: it comes after them."""
    name, origin = item.why.connector or "", item.origin
    if name not in plant.sinks:
        raise NotRetryable(f"sink {name} is not in the plant model")
    if origin is None:
        raise NotRetryable("its headers do not say where the sink had read it")
    _path(item)
    record = item.record
    headers = (*_before(item), *retry_headers(item.id, name, origin))
    return Retry(Message(topic(plant.enterprise, MessageClass.RETRY), record.key, record.value, headers), 0, item.id)


def _derived(item: Item, plant: Plant, codec: Codec) -> Retry:
    """To the topic that refused it; its id and revision say what it stands for, whatever has come since."""
    record, name = _decoded(item, codec), item.why.topic or ""
    if not isinstance(record, Derived):
        raise NotRetryable(f"a {type(record).__name__} is no derived record")
    place = _path(item)
    if topic(place, MessageClass(record.message_class)) != name:
        raise NotRetryable(f"{name} is not the topic of a {record.message_class} of {place}")
    number = _partition(place, plant)
    return Retry(Message(name, item.record.key, item.record.value, (*_before(item), *_of(item))), number, item.id)


def _raw(item: Item, plant: Plant, codec: Codec) -> Retry:
    """To the raw topic of its path, with its id and its number."""
    if item.kind is Kind.CONNECTOR and item.why.reason == UNKNOWN_PATH:
        return _reading(item, plant, codec)
    record, place = _decoded(item, codec), _path(item)
    if not isinstance(record, RAW_TYPES):
        raise NotRetryable(f"a {type(record).__name__} is no raw record")
    value = item.record.value
    if isinstance(record, Samples) and item.why.tag is not None:
        # The others of the record have counted, or are in quarantine for themselves.
        meant = tuple(sample for sample in record.samples if sample.tag == item.why.tag) or record.samples
        value = codec.encode(msgspec.structs.replace(record, samples=meant))
    origin = item.origin
    what = item.id if origin is None else "/".join(map(str, (*origin, item.why.tag or "")))
    written = Message(topic(place, MessageClass.RAW), key(place), value, (*_before(item), *_of(item)))
    return Retry(written, _partition(place, plant), what)


def _reading(item: Item, plant: Plant, codec: Codec) -> Retry:
    """What a connector could read, of a place that the plant did not know: as the connector would write it now."""
    try:
        told = json.loads(item.record.value or b"")
        assert isinstance(told, dict)
        kind = told.pop("type", None)
        place = Path.parse(str(told.pop("path", item.why.topic)))
        record = _samples(item, told) if kind is None else _fact(kind, told)
        value = codec.encode(record)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise NotRetryable(f"what the source said is no reading or fact: {error}") from error
    if place.level < Level.LINE or (place.level is Level.CELL and place not in plant.cells()):
        raise NotRetryable(f"{place} is still no machine or line of the plant model")
    source = item.why.connector or ""
    headers = (*identified(f"{source}/{place}/{item.id}", cloud_event(source, type(record))), *_of(item))
    written = Message(topic(place, MessageClass.RAW), key(place), value, headers)
    return Retry(written, _partition(place, plant), item.id)


def _samples(item: Item, told: dict[str, Any]) -> Samples:
    # Number 0: of two samples of one time, the one that the source says in its own course counts.
    return Samples(item.why.connector or "", 0, (msgspec.convert(told, Sample),))


def _fact(kind: str, told: dict[str, Any]) -> Any:
    types = {each.__name__: each for each in FACT_TYPES}
    return msgspec.convert(told, types[kind])


def _decoded(item: Item, codec: Codec) -> Any:
    try:
        return codec.decode(item.record.value)
    except Undecodable as error:
        mend = (
            "correct the connector, and let its source say it again"
            if item.kind is Kind.CONNECTOR
            else "register its schema, where it is of another release"
        )
        raise NotRetryable(f"its bytes are no record ({error}): {mend}, or drop it") from error


def _path(item: Item) -> Path:
    try:
        return Path.parse((item.record.key or b"").decode())
    except (BadPath, UnicodeDecodeError) as error:
        raise NotRetryable(f"its key is no path: {error}") from None


def _partition(place: Path, plant: Plant) -> int:
    if place.level < Level.AREA:
        return 0
    area = place.at(Level.AREA)
    if area not in plant.areas():
        raise NotRetryable(f"{area} is no area of the plant model")
    return partition(place, plant.areas()[area])


def _before(item: Item) -> Headers:
    """The headers that it had, but for those of an earlier retry."""
    return tuple(header for header in original(item.record.headers) if header[0] != RETRY_OF)


def _of(item: Item) -> Headers:
    return ((RETRY_OF, item.id.encode()),)
