"""MQTT messages to readings. Pure: whatever a message says, the answer is readings, facts or `Malformed`, never an error."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.base import FactReading, Malformed, Reading, Said
from connectors.mqtt.config import Payload, Subscription
from schemas.records import GOOD, Acknowledge, Fact, Inspection, Lot, Order, Reason, Sample, Shift, Value
from topology.namespace.path import BadPath, Path

PAYLOAD_MAX_BYTES = 1_000_000
FACTS: dict[Payload, type[Fact]] = {
    "order": Order,
    "lot": Lot,
    "shift": Shift,
    "reason": Reason,
    "inspection": Inspection,
    "acknowledge": Acknowledge,
}
TIMES = frozenset({"at", "started_at", "ended_at"})
MESSAGE_MAX = 500
WORDS_MAX = 80
"""Characters of a value that an error repeats."""
_MAY_HOLD_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\x00")
"""Half of a surrogate pair, escaped or as bytes; a zero byte: UTF-16 or UTF-32, which JSON may be, too."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Bad(ValueError):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message[:MESSAGE_MAX])
        self.reason = reason


def matches(pattern: str, topic: str) -> bool:
    """MQTT's own rule: `+` one level, a final `#` all that follow, the parent included; neither sees topics with `$`."""
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        return len(levels) >= len(wanted) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=False))
    return len(levels) == len(wanted) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


class Decoder:
    """Reads messages by the first subscription that matches their topic."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = tuple(subscriptions)
        self._places: dict[str, tuple[Path, Payload] | _Bad] = {}

    def decode(self, topic: str, payload: bytes) -> list[Said]:
        """What one message says; a malformed value of a list or map does not spoil the others."""
        path = None
        try:
            path, kind = self._place(topic)
            document = _document(payload)
            if kind == "samples":
                return _samples(topic, path, document, payload)
            if _MAY_HOLD_HALF_A_PAIR.search(payload):
                _check_text(json.dumps(document, ensure_ascii=False), "the message")
            return [FactReading(path, _fact(FACTS[kind], document))]
        except _Bad as bad:
            return [Malformed(topic, payload, bad.reason, f"{topic}: {bad}", path)]
        except RecursionError:  # read by json, which goes deeper than we can
            return [Malformed(topic, payload, "bad_payload", f"{topic}: nested too deep", path)]

    def _place(self, topic: str) -> tuple[Path, Payload]:
        place = self._places.get(topic)
        if place is None:
            if len(self._places) > 100_000:  # a source that invents topics must not fill the memory
                self._places.clear()
            place = self._places[topic] = self._find(topic)
        if isinstance(place, _Bad):
            raise place
        return place

    def _find(self, topic: str) -> tuple[Path, Payload] | _Bad:
        for subscription in self._subscriptions:
            if matches(subscription.topic, topic):
                try:
                    return subscription.path_of(topic), subscription.payload
                except BadPath as error:
                    return _Bad("no_path", f"the topic gives no path: {error}")
        return _Bad("no_path", "no subscription matches the topic")


def _document(payload: bytes) -> dict[str, Any]:
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise _Bad("too_large", f"{len(payload)} bytes, at most {PAYLOAD_MAX_BYTES} are read")
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _Bad("bad_json", f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise _Bad("bad_payload", f"a JSON object is expected, this is a {type(document).__name__}")
    return document


def _samples(topic: str, path: Path, document: dict[str, Any], payload: bytes) -> list[Said]:
    if "values" in document:
        values = document["values"]
        if not isinstance(values, dict):
            raise _Bad("bad_payload", "'values' must be an object of tag: value")
        at = micros(document.get("at"))
        quality = _quality(document.get("quality", GOOD))
        entries = [{"tag": tag, "at": at, "value": value, "quality": quality} for tag, value in values.items()]
        return [_reading(topic, path, entry, at, payload) for entry in entries]
    samples = document.get("samples")
    if not isinstance(samples, list):
        raise _Bad("bad_payload", 'neither "values" nor "samples" is here; {"at": …, "values": {"Tag": 1}} is expected')
    return [_reading(topic, path, entry, None, payload) for entry in samples]


def _reading(topic: str, path: Path, entry: Any, at: int | None, payload: bytes) -> Said:
    try:
        if not isinstance(entry, dict):
            raise _Bad("bad_payload", "a sample must be an object with tag, at and value")
        tag = entry.get("tag")
        if not isinstance(tag, str) or not tag:
            raise _Bad("bad_payload", "a sample has no tag")
        _check_text(tag, "a tag")
        when = at if at is not None else micros(entry.get("at"))
        if "value" not in entry:
            raise _Bad("bad_payload", f"{tag} has no value")
        return Reading(path, Sample(tag, when, _value(tag, entry["value"]), _quality(entry.get("quality", GOOD))))
    except _Bad as bad:
        return Malformed(topic, _bytes(entry, payload), bad.reason, f"{topic}: {bad}", path)


def _bytes(entry: Any, payload: bytes) -> bytes:
    """The bad part of a message; the whole of it where the part is nested too deep to be written again."""
    try:
        return json.dumps(entry).encode()
    except RecursionError:
        return payload


def _check_text(text: str, what: str) -> None:
    """Raises `_Bad` for what JSON can write and no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Bad("bad_text", f"{what} holds half of a surrogate pair, which is no character") from None


def _words(value: Any) -> str:
    """The beginning of what stands there, for an error."""
    return repr(value)[:WORDS_MAX]


def _value(tag: str, value: Any) -> Value:
    if isinstance(value, str):
        _check_text(value, tag)
        return value
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise _Bad("bad_value", f"{tag} = {_words(value)} does not fit 64 bits")
        return value
    raise _Bad("bad_value", f"{tag} is a {type(value).__name__}; a number, text, true, false or null is expected")


def _quality(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32:
        return value
    raise _Bad("bad_payload", f"quality {_words(value)} is no OPC UA status code")


def _fact(kind: type[Fact], document: dict[str, Any]) -> Fact:
    try:
        return msgspec.convert(_with_times(document), kind)
    except msgspec.ValidationError as error:
        raise _Bad("bad_fact", f"not a {kind.__name__}: {error}") from None


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: micros(part) if name in TIMES and part is not None else _with_times(part) for name, part in value.items()
    }


def micros(value: Any) -> int:
    """A time as ISO 8601 with offset, or epoch milliseconds, in µs. Raises `_Bad`."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise _Bad("bad_time", f"{_words(value)} is no ISO 8601 time") from None
        if moment.tzinfo is None:
            raise _Bad("bad_time", f"{_words(value)} has no offset; write a Z behind it, or the offset it has")
        return (moment - _EPOCH) // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Bad("bad_time", "there is no time; 'at' must be ISO 8601 with offset, or epoch milliseconds")
    if not 0 <= value < 1e13:  # NaN is not either
        raise _Bad("bad_time", f"{_words(value)} is no time in epoch milliseconds")
    return int(value * 1000) if isinstance(value, int) else round(value * 1000)
