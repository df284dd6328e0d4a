"""One broker: a clean MQTT session with the host's STATE as its will, subscriptions first, then the birth."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from connectors.base import SourceUnavailable
from connectors.kit.mqtt_client import Client
from connectors.sparkplug.config import Broker, SparkplugConfig
from connectors.sparkplug.inbox import Heard, Inbox
from topology.broker import Address
from topology.endpoint import BadSecret
from topology.mqtt import end_in_words, identify, in_words, topic_text, transport
from topology.sparkplug.topics import says_offline, state, state_topic

QOS = 1
"""Of STATE and of subscriptions: what an edge node sends at QoS 1, its death, comes so."""
GOODBYE_S = 1.0
"""Longest wait for the broker to have our death."""


class Link:
    """Opened again and again: each time with a client, a will and a birth of its own. Its callbacks run in paho's thread."""

    def __init__(
        self, number: int, broker: Broker, config: SparkplugConfig, filters: Sequence[str], inbox: Inbox
    ) -> None:
        self.broker = broker
        self.problem: str | None = "not opened yet"
        """Why it does not stand; None: it does."""
        self._number, self._config, self._filters, self._inbox = number, config, filters, inbox
        self._topic = state_topic(config.host_id)
        self._client: paho.Client | None = None
        self._at_ms = 0
        """The time of this connection's STATE: the birth repeats what the will says."""
        self._subscription: int | None = None
        """Its message id."""
        self._born = False
        """Whether we have said that we are there."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answered = asyncio.Event()
        """Set once the link stands or has failed."""
        self._stood = False

    @property
    def up(self) -> bool:
        """paho ends a link whose broker leaves a ping unanswered, so a standing one has answered."""
        client = self._client
        return self.problem is None and client is not None and client.is_connected()

    async def open(self) -> None:
        """Raises `SourceUnavailable`. After it we are subscribed, and our birth is on its way."""
        timeout_s = self._config.connect_timeout_s
        self._at_ms = time.time_ns() // 1_000_000
        self._subscription, self._born, self._stood = None, False, False
        self.problem = "connecting"
        self._loop, self._answered = asyncio.get_running_loop(), asyncio.Event()
        try:
            self._client = client = self._new_client()
        except (OSError, BadSecret) as error:  # an SSLError is an OSError, too
            raise self._away(f"{self.broker.url}: credentials or certificates cannot be read: {error}") from error
        try:
            async with asyncio.timeout(timeout_s):
                parts = Address.of(self.broker.url)
                await asyncio.to_thread(client.connect, parts.host, parts.port, self._config.keep_alive_s)
        except (OSError, TimeoutError, ValueError) as error:
            words = f"MQTT broker {self.broker.url} cannot be reached ({error or 'no answer'}); is it up, is the address right?"
            raise self._away(words) from error
        client.loop_start()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._answered.wait()
        if not self._stood:
            what = self.problem if self._answered.is_set() else "does not answer us"
            await self.close(say=False)
            raise self._away(f"MQTT broker {self.broker.url} {what}")

    def _away(self, words: str) -> SourceUnavailable:
        self.problem = words
        return SourceUnavailable(words)

    def _new_client(self) -> paho.Client:
        config, broker = self._config, self.broker
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id or config.host_id,
            clean_session=True,
            transport=transport(broker.url),
            reconnect_on_failure=False,
        )
        client.connect_timeout = config.connect_timeout_s
        identify(client, broker, broker.url, datetime.now(UTC))
        client.will_set(self._topic, state(False, self._at_ms), QOS, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
        return client

    def send(self, topic: str, payload: bytes) -> None:
        """A command: at QoS 0, not retained. One that a lost link does not take is not sent."""
        if self.up and self._client is not None:
            self._client.publish(topic, payload, qos=0, retain=False)

    async def close(self, say: bool = True) -> None:
        """Says our death, at the time of now, and ends the link. `say` False: there is nothing to take back."""
        client, self._client = self._client, None
        if client is None:
            return
        if say and self.problem is None and client.is_connected():
            death = client.publish(self._topic, state(False, time.time_ns() // 1_000_000), QOS, retain=True)
            with suppress(RuntimeError, ValueError):  # paho's words for: it cannot be sent
                await asyncio.to_thread(death.wait_for_publish, GOODBYE_S)
        self.problem = "closed"
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)

    # -- in paho's thread --------------------------------------------------------------------------------------

    def _fail(self, words: str) -> None:
        self.problem = words
        self._tell()

    def _tell(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._answered.set)

    def _on_connect(self, client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._fail(f"refused the connection: {in_words(reason)}")
            return
        _, self._subscription = client.subscribe([(topic, QOS) for topic in (self._topic, *self._filters)])

    def _on_subscribe(
        self, client: paho.Client, _userdata: Any, mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if mid != self._subscription or client is not self._client:
            return
        if any(reason.is_failure for reason in reasons):
            self._fail("refused a subscription; may this user read the topics?")
        else:
            client.publish(self._topic, state(True, self._at_ms), QOS, retain=True)
            self._born = True
            self._stands()

    def _stands(self) -> None:
        if not self._stood:
            self._stood, self.problem = True, None
            self._inbox.put(Heard(self._number, "up", time.time_ns() // 1000))
            self._tell()

    def _on_disconnect(self, client: paho.Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if client is not self._client:
            return
        stood, self._stood = self._stood, False
        if self.problem in (None, "connecting"):
            self.problem = f"the link was lost: {end_in_words(flags, reason)}"
        self._tell()
        if stood:
            self._inbox.put(Heard(self._number, "lost", time.time_ns() // 1000))

    def _on_message(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if client is not self._client:  # closing
            return
        topic, data = topic_text(message), bytes(message.payload)
        if topic != self._topic:
            if self._inbox.full:  # a broker may send before it answers: who waits for the answer would never read
                self._stands()
            self._inbox.put(Heard(self._number, "message", time.time_ns() // 1000, topic, data, message.retain))
        elif self._born and says_offline(data):  # somebody says that we are gone: a will of ours, that came late
            client.publish(self._topic, state(True, self._at_ms), QOS, retain=True)
