"""The machines of one line, and the office, as an MQTT publisher: JSON at QoS 1, kept until the broker has it."""

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from uns.demo.plant.events import Fact, moment

IN_FLIGHT_MAX = 1_000
WAITING_MAX = 50_000
"""Messages the broker has not acknowledged; the plant stands still beyond it rather than forget one.

It ends a step that it has begun: at most those few messages come on top.
"""
CLOSE_S = 0.2
_TIMES = frozenset({"started_at", "ended_at"})


def iso(at: int) -> str:
    return moment(at).isoformat(timespec="microseconds")


class Publisher:
    """Connects in the background and reconnects by itself; messages wait meanwhile."""

    def __init__(self, url: str, client_id: str, waiting_max: int = WAITING_MAX) -> None:
        parts = urlsplit(url)
        self.address = f"{parts.hostname or '127.0.0.1'}:{parts.port or 1883}"
        self._waiting_max = waiting_max
        self._changing = threading.Lock()
        self._waiting = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        self._client.max_inflight_messages_set(IN_FLIGHT_MAX)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_publish = self._acknowledged
        self._client.connect_async(parts.hostname or "127.0.0.1", parts.port or 1883)
        self._client.loop_start()

    def values(self, path: str, at: int, values: Mapping[str, Any]) -> None:
        self._publish(f"{path}/data", {"at": iso(at), "values": dict(values)})

    def fact(self, fact: Fact) -> None:
        self._publish(f"{fact.line}/{fact.kind}", _with_times(fact.content))

    @property
    def waiting(self) -> int:
        """How many messages the broker has not acknowledged."""
        return self._waiting

    @property
    def full(self) -> bool:
        """Whether to wait with more: nothing here ever blocks, since the servers of the plant share the thread."""
        return self._waiting >= self._waiting_max

    @property
    def roomy(self) -> bool:
        """Whether to go on after it was full: half of the room is free again."""
        return self._waiting <= self._waiting_max // 2

    def _publish(self, topic: str, document: Mapping[str, Any]) -> None:
        with self._changing:
            self._waiting += 1
        self._client.publish(topic, json.dumps(document), qos=1)

    def _acknowledged(self, *_: object) -> None:
        with self._changing:
            self._waiting -= 1

    def close(self) -> None:
        """Says goodbye where there is somebody to hear it; a client that is about to try again is not waited for."""
        self._client.disconnect()
        goodbye = threading.Thread(target=self._client.loop_stop, daemon=True)
        goodbye.start()
        goodbye.join(CLOSE_S)


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(part) for part in value]
    if isinstance(value, dict):
        return {
            name: iso(part) if name in _TIMES and part is not None else _with_times(part)
            for name, part in value.items()
        }
    return value
