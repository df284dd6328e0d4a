"""The MQTT connection: paho in its own thread, messages handed over bounded, acknowledged only when Kafka has them."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import LogLevel

from connectors.base import Batch, Malformed, Resume, Said, SourceUnavailable
from connectors.kit.mqtt_client import Client
from connectors.mqtt.codec import NO_PATH, Decoder
from connectors.mqtt.config import MqttConfig
from connectors.mqtt.filters import filters_of
from connectors.mqtt.link import connect, new_client, subscribe
from topology.broker import Address
from topology.endpoint import BadSecret
from topology.mqtt import end_in_words, in_words, renewal, topic_text

log = structlog.get_logger()

WAITING_MAX = 5_000
"""Messages taken from the socket and not yet in a batch; the thread then waits, and with it the broker."""
BATCH_MAX = 500
QOS = 1
FORGET_MAX = 100
"""Topics of a connection for which filters are taken back."""
FORGET_FILTERS = 50
"""Filters of one request."""
GOODBYE_S = 1.0
"""Longest wait for the broker to have read the last acknowledgements."""


_Message = tuple[str, bytes, int, int]
"""Topic, payload, message id and QoS: no more of paho's message is kept, for with MQTT 5 it is of many small objects, which
Python's collector would look through again and again while they wait."""


class MqttConnector:
    """QoS 1, persistent session: what was not acknowledged comes again, after our death too, as long as the broker keeps
    sessions (mosquitto does; see the README). A message may come twice, never not at all.
    """

    def __init__(self, name: str, config: MqttConfig) -> None:
        self._name, self._config = name, config
        self._decoder = Decoder(config.every_subscription)
        self._client: Client | None = None
        self._room = threading.Condition()
        self._waiting: deque[_Message] = deque()
        self._news = asyncio.Event()
        self._lost: str | None = None
        self._greeting = True
        """Whether the broker has not answered our CONNECT yet."""
        self._trouble = ""
        """What paho has met until then: an alert of TLS for example, of which no other callback tells."""
        self._asked: dict[int, str] = {}
        """Filters whose answer is awaited, by message id."""
        self._granted = 0
        self._remarks: list[str] = []
        """What the broker does not do as it was asked, of this connection."""
        self._forgotten: set[str] = set()
        """Topics that came and are not asked for, of this connection."""
        self._expects_session = False
        self._kept = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, resume: Resume) -> None:
        """Connects and subscribes. The session at the broker knows what was acknowledged; `resume` only that there was one."""
        self._expects_session = bool(resume)
        self._decoder.begin(resume)
        self._loop = asyncio.get_running_loop()
        self._news, self._lost, self._forgotten = asyncio.Event(), None, set()
        self._asked, self._granted, self._remarks = {}, 0, []
        self._greeting, self._trouble = True, ""
        self._waiting.clear()
        try:
            self._client = client = self._new_client()
        except (OSError, BadSecret) as error:  # an SSLError is an OSError, too
            raise SourceUnavailable(
                f"{self._config.broker}: credentials or certificates cannot be read: {error}"
            ) from error
        try:
            async with asyncio.timeout(self._config.connect_timeout_s):
                await asyncio.to_thread(connect, client, self._config)
        except (OSError, TimeoutError, ValueError) as error:
            raise SourceUnavailable(
                f"MQTT broker {self._config.broker} cannot be reached ({error or 'no answer'}); is it up, is the address right?"
            ) from error
        client.loop_start()
        try:
            async with asyncio.timeout(self._config.connect_timeout_s):
                # A broker sends what waited for us first, and that may be more than we take before somebody reads it.
                while self._granted < len(self._config.filters) and len(self._waiting) < WAITING_MAX:
                    self._check()
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            raise SourceUnavailable(f"MQTT broker {self._config.broker} does not answer the subscriptions") from None

    def _new_client(self) -> Client:
        client = new_client(self._config, self._config.client_id)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
        client.on_log = self._on_log
        return client

    async def batches(self) -> AsyncIterator[Batch]:
        """One batch for what has come; ends with `SourceUnavailable` when the link is lost or silent too long."""
        while True:
            messages = self._take()
            if not messages:
                self._check()
                await self._news.wait()
                self._news.clear()
                continue
            yield self._batch(messages)

    def _take(self) -> list[_Message]:
        with self._room:
            messages = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            self._room.notify()
        return messages

    def _batch(self, messages: list[_Message]) -> Batch:
        said: list[Said] = []
        now = time.time_ns() // 1000
        for topic, payload, _, _ in messages:
            parts = self._decoder.decode(topic, payload, now)
            said += parts
            if parts and isinstance(parts[0], Malformed) and parts[0].reason == NO_PATH:
                self._forget(topic)
        client, mids = self._client, [(mid, qos) for _, _, mid, qos in messages if qos]

        async def ack() -> None:
            if client is not None and client is self._client:  # a new connection gets these messages again by itself
                client.acknowledge(mids)

        return Batch.of(said, ack)

    def _forget(self, topic: str) -> None:
        """Has the broker forget by which filter, taken out of the configuration since, it still sends a topic."""
        if self._client is None or len(self._forgotten) >= FORGET_MAX or topic in self._forgotten:
            return
        if self._decoder.asked(topic):
            return  # a topic that gives no path, and not one that nobody wants
        self._forgotten.add(topic)
        kept = self._config.filters
        filters = [filter_ for filter_ in filters_of(topic) if filter_ not in kept]
        log.info("no longer asked, unsubscribed", connector=self._name, topic=topic[:200])
        for start in range(0, len(filters), FORGET_FILTERS):
            self._client.unsubscribe(filters[start : start + FORGET_FILTERS])

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        self._lost = self._lost or "closed"
        with self._room:
            self._waiting.clear()
            self._room.notify_all()
        if client.is_connected():
            await self._acknowledged(client)
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)

    async def _acknowledged(self, client: paho.Client) -> None:
        """Waits until the broker has read our acknowledgements: it answers what is said after them.

        A link that is closed with unread messages on it is reset, and what the other end has not read then is lost.
        """
        loop, answered = asyncio.get_running_loop(), asyncio.Event()

        def on_unsubscribe(*_: Any) -> None:
            loop.call_soon_threadsafe(answered.set)

        client.on_unsubscribe = on_unsubscribe
        client.unsubscribe("uns/nothing")  # nobody subscribed to it: the one request that changes nothing
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await answered.wait()

    def healthy(self) -> bool:
        """paho ends the link when the broker leaves a ping unanswered, so a standing link has answered."""
        return self._client is not None and self._lost is None and self._client.is_connected()

    def problems(self) -> Sequence[str]:
        """What the broker does not do as it was asked, and a certificate of ours that ends soon. A subscription that it
        refuses ends the link."""
        ends = renewal(self._config, datetime.now(UTC))
        return [*self._remarks, *([ends] if ends else [])]

    def kept(self) -> bool:
        """The session was there: what came meanwhile has waited at the broker, as far as its own limits let it."""
        return self._kept

    def _check(self) -> None:
        if self._lost is not None:
            raise SourceUnavailable(f"MQTT broker {self._config.broker}: {self._lost}")

    # -- in paho's thread --------------------------------------------------------------------------------------

    def _tell(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    def _on_log(self, _client: paho.Client, _userdata: Any, level: int, words: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._trouble = words

    def _unanswered(self) -> str:
        """Why a link ended before the broker answered."""
        if Address.of(self._config.broker).tls:
            asked = "; does it ask for a client certificate, and take ours?"
            return f"ended the link before it answered: {self._trouble or 'it gave no reason'}{asked}"
        if self._trouble or self._config.version != "5":
            return f"ended the link before it answered: {self._trouble or 'it gave no reason'}"
        return "gave no answer; if it does not speak MQTT 5, say `version: 3.1.1`"

    def _on_connect(self, client: paho.Client, _userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._greeting, client.on_log = False, None  # which costs time at each packet
        self._kept = bool(flags.session_present)
        if reason.is_failure:
            self._lost = f"refused the connection: {in_words(reason)}"
        else:
            if self._expects_session and not flags.session_present:
                log.warning(
                    "the broker has forgotten our session: what was said meanwhile is lost", connector=self._name
                )
            kept_s = getattr(properties, "SessionExpiryInterval", self._config.session_expiry_s)
            if kept_s < self._config.session_expiry_s:
                self._remarks.append(
                    f"the broker keeps our session for {kept_s} s, not {self._config.session_expiry_s}"
                )
            for one in self._config.filters:
                if (mid := subscribe(client, self._config, one, QOS)) is not None:
                    self._asked[mid] = one
        self._tell()

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        asked = self._asked.get(mid, "")
        if refused := [reason for reason in reasons if reason.is_failure]:
            self._lost = f"refused the subscription {asked}: {in_words(refused[0])}; may this user read the topics?"
        elif any(reason.value < QOS for reason in reasons):
            self._remarks.append(f"the broker gives {asked} at QoS 0 only: what is said while we are away is lost")
        self._granted += 1
        self._tell()

    def _on_disconnect(self, client: paho.Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if client is self._client:
            self._lost = self._lost or (
                self._unanswered() if self._greeting else f"the link was lost: {end_in_words(flags, reason)}"
            )
            self._tell()

    def _on_message(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        with self._room:
            while len(self._waiting) >= WAITING_MAX and client is self._client:
                self._tell()
                self._room.wait(1)
            if client is not self._client:  # closing: it comes again
                return
            was_empty = not self._waiting
            self._waiting.append((topic_text(message), bytes(message.payload), message.mid, message.qos))
        if was_empty:
            self._tell()
