"""MQTT messages to readings: whatever a message says, the answer is readings, facts or `Malformed`, never an error. No I/O;
its memory is which tags a device has told, where an availability topic can take them back."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from connectors.base import Reading, Safe, Said
from connectors.kit.message import PAYLOAD_MAX_BYTES, malformed, said
from connectors.kit.payloads import BadPayload
from connectors.kit.times import shown
from connectors.mqtt.config import Subscription
from connectors.mqtt.filters import matches
from connectors.mqtt.known import Known
from topology.namespace.path import BadPath, Path

NO_PATH = "no_path"
"""The reason of a message that belongs nowhere."""
PLACES_MAX = 100_000
"""Topics whose place is remembered: a source that invents topics must not fill the memory."""
ONLINE = frozenset({"online", "true", "1", "connected"})
OFFLINE = frozenset({"offline", "false", "0", "disconnected"})


class _Place(NamedTuple):
    subscription: Subscription
    path: Path
    tag: str | None


class Decoder:
    """Reads messages by the first subscription that fits their topic."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = tuple(subscriptions)
        self._places: dict[str, _Place | BadPayload | None] = {}
        self._known = Known() if any(one.says == "availability" for one in subscriptions) else None

    def begin(self, resume: Mapping[tuple[Path, str], Safe]) -> None:
        """Takes over what is known of the devices from a run before."""
        if self._known is not None:
            self._known.begin(resume)

    def asked(self, topic: str) -> bool:
        """Whether any subscription wants a topic, or its filter could not be told so that the broker keeps it back."""
        return any(matches(one.pattern.filter, topic) for one in self._subscriptions)

    def decode(self, topic: str, payload: bytes, arrived: int | None = None) -> list[Said]:
        """What one message says; a malformed value of a list or map does not spoil the others.

        `arrived` (µs) is the time of what carries none. An empty payload is how a retained value is taken back: it says nothing.
        """
        place = self._places.get(topic, self)
        if place is self:
            if len(self._places) > PLACES_MAX:
                self._places.clear()
            place = self._places[topic] = self._find(topic)
        if isinstance(place, BadPayload):
            return [malformed(topic, payload, place, None)]
        if not isinstance(place, _Place) or not payload:
            return []
        subscription, path, tag = place
        if subscription.says == "availability":
            return self._availability(topic, place, payload, arrived or 0)
        parts = said(subscription, topic, path, payload, arrived, tag)
        if self._known is not None:
            self._known.note(part for part in parts if isinstance(part, Reading))
        return parts

    def _availability(self, topic: str, place: _Place, payload: bytes, arrived: int) -> list[Said]:
        try:
            there = _is_there(payload)
        except BadPayload as bad:
            return [malformed(topic, payload, bad, place.path)]
        if there or self._known is None:
            return []
        return list(self._known.gone(place.path, place.tag, arrived))

    def _find(self, topic: str) -> _Place | BadPayload | None:
        """None: the topic says nothing that is read."""
        for one in self._subscriptions:
            parts = one.pattern.match(topic)
            if parts is None:
                continue
            if one.says == "nothing":
                return None
            try:
                return _Place(one, one.path_of(topic, parts), one.tag_of(topic, parts))
            except BadPath as error:
                return BadPayload(NO_PATH, f"the topic gives no path: {error}; `names` or `levels` spell it anew")
        return BadPayload(NO_PATH, "no subscription fits the topic; `says: nothing` for what is not to be read")


def _is_there(payload: bytes) -> bool:
    """Raises `BadPayload`."""
    text = payload[:PAYLOAD_MAX_BYTES].decode("utf-8", "replace").strip()
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        state = text
    if isinstance(state, dict):
        state = state.get("state")
    word = str(state).casefold() if isinstance(state, str | bool | int) else ""
    if word in ONLINE or word in OFFLINE:
        return word in ONLINE
    raise BadPayload("bad_payload", f"{shown(state)} does not say whether the device is there; online or offline does")
