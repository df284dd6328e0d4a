"""MQTT messages to readings. Pure: whatever a message says, the answer is readings, facts or `Malformed`, never an error."""

from collections.abc import Sequence

from connectors.base import Said
from connectors.kit.message import malformed, said
from connectors.kit.payloads import BadPayload
from connectors.mqtt.config import Subscription
from connectors.mqtt.filters import matches
from topology.namespace.path import BadPath, Path

NO_PATH = "no_path"
"""The reason of a message that belongs nowhere."""
PLACES_MAX = 100_000
"""Topics whose place is remembered: a source that invents topics must not fill the memory."""
_Place = tuple[Subscription, Path, str | None]


class Decoder:
    """Reads messages by the first subscription that matches their topic."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = tuple(subscriptions)
        self._places: dict[str, _Place | BadPayload] = {}

    def asked(self, topic: str) -> bool:
        """Whether any subscription wants a topic."""
        return any(matches(subscription.topic, topic) for subscription in self._subscriptions)

    def decode(self, topic: str, payload: bytes, arrived: int | None = None) -> list[Said]:
        """What one message says; a malformed value of a list or map does not spoil the others.

        `arrived` (µs) is the time of what carries none. An empty payload is how a retained value is taken back: it says nothing.
        """
        try:
            subscription, path, tag = self._place(topic)
        except BadPayload as bad:
            return [malformed(topic, payload, bad, None)]
        return said(subscription, topic, path, payload, arrived, tag) if payload else []

    def _place(self, topic: str) -> _Place:
        place = self._places.get(topic)
        if place is None:
            if len(self._places) > PLACES_MAX:
                self._places.clear()
            place = self._places[topic] = self._find(topic)
        if isinstance(place, BadPayload):
            raise place
        return place

    def _find(self, topic: str) -> _Place | BadPayload:
        for subscription in self._subscriptions:
            if matches(subscription.topic, topic):
                try:
                    tag = None if subscription.tag is None else subscription.tag_of(topic)
                    return subscription, subscription.path_of(topic), tag
                except BadPath as error:
                    return BadPayload(NO_PATH, f"the topic gives no path: {error}; `levels: spelled` spells it anew")
        return BadPayload(NO_PATH, "no subscription matches the topic")
