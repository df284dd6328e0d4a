"""Who listens at a broker, as any client does: what was told, and what is retained."""

import json
import secrets
import threading
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from uns.testing.patience import patient

STATUS = "_mirror/"


class Listener:
    """All of a broker, from now on; in order."""

    def __init__(self, url: str, topic: str = "#", five: bool = False) -> None:
        parts = urlsplit(url)
        self._topic = topic
        self.messages: list[paho.MQTTMessage] = []
        self._subscribed = threading.Event()
        self._mark = threading.Event()
        self._marked = b""
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"listener-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        )
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_connect = self._on_connect
        self._client.connect(parts.hostname or "", parts.port or 1883)
        self._client.loop_start()
        assert self._subscribed.wait(patient(10))

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe([(self._topic, 1), ("mark/#", 1)])

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.topic.startswith("mark/"):
            if message.payload == self._marked:
                self._mark.set()
        elif not message.topic.partition(STATUS)[1]:
            self.messages.append(message)

    def settle(self) -> None:
        """Until all that the broker was told before has come."""
        self._mark.clear()
        self._marked = secrets.token_bytes(8)
        self._client.publish("mark/it", self._marked, qos=1)
        assert self._mark.wait(patient(20))

    def told(self) -> dict[str, dict[str, Any]]:
        """Topic → id → record, of the messages that hold one; of an id that came again, the last."""
        found: dict[str, dict[str, Any]] = {}
        for message in self.messages:
            if message.payload:
                record = json.loads(message.payload)
                found.setdefault(message.topic, {})[record.get("id", record.get("at"))] = record
        return found

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @classmethod
    def retained(cls, url: str, topic: str = "#") -> dict[str, Any]:
        """Topic → what a newcomer is given."""
        listener = cls(url, topic)
        try:
            listener.settle()
            return {one.topic: json.loads(one.payload) for one in listener.messages if one.retain}
        finally:
            listener.close()
