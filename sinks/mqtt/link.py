"""The link to the broker: paho in our event loop. Messages go out in a bounded window, each is acknowledged, and what the
broker has retained can be asked."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from sinks.base import Retryable
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.message import Message, packed, size
from sinks.mqtt.topics import status
from sinks.mqtt.wire import Client, packet
from topology.broker import Address
from topology.endpoint import BadSecret
from topology.mqtt import end_in_words, identify, in_words, topic_text, transport

QOS = 1
BURST = 100
"""Messages that are written before acknowledgements are read."""
ASKED_MAX = 100
WIDE_QOS = 0
"""Of filters for many topics: with 1, mosquitto drops whatever exceeds its queue for us. With 0 it drops what the socket does
not take, so single topics are asked with 1."""
"""Topics that are asked at once: a broker queues only so many messages for a client."""
BEAT_S = 1.0
GOODBYE_S = 1.0
ONLINE, OFFLINE = b"online", b"offline"
QUOTA = 0x97


class Refusal(NamedTuple):
    """What the broker says to one message."""

    code: int
    words: str


class Lost(Retryable):
    """The link ended in the middle of `publish`."""

    def __init__(self, words: str, open_: Sequence[int], done: bool) -> None:
        """`open_`: which of the messages were sent and not acknowledged; `done`: others were."""
        super().__init__(words, done)
        self.open = open_


class Link:
    """One connection; a new one is a new link. All of it runs in the event loop, but connecting itself."""

    tells = True
    """It says of itself that it is there."""

    def __init__(self, name: str, config: MirrorConfig) -> None:
        self._name, self._config = name, config
        self._status = status(config.prefix, config.client_id)
        self._client: Client | None = None
        self._fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self.lost = asyncio.Event()
        self._why = ""
        self._greeted = False
        self.window = config.in_flight
        self._packet_max = 0
        self._waiting: dict[int, int] = {}
        """Message id → which of the messages."""
        self._refusals: dict[int, Refusal] = {}
        self._subscribed: dict[int, str] = {}
        """Message id → what was asked; taken out by the answer."""
        self._heard: dict[str, bytes] = {}
        """What came of what was asked last."""
        self._barrier = False

    # -- coming and going --------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connects, and says that we are there. Raises `Retryable`."""
        self._loop = asyncio.get_running_loop()
        self._client = client = self._new_client()
        try:
            async with asyncio.timeout(self._config.connect_timeout_s):
                await asyncio.to_thread(self._connect, client)
        except (OSError, TimeoutError, ValueError) as error:
            words = f"{error}" if str(error) else "no answer"
            raise self._retryable(f"cannot be reached ({words}); is it up, is the address right?") from error
        sock = client.socket()
        if sock is None:
            raise self._retryable("ended the link at once")
        self._fd = sock.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._write()
        self._loop.call_later(BEAT_S, self._beat)
        await self._until(lambda: self._greeted, self._config.connect_timeout_s, "does not answer CONNECT")
        if self.tells:
            await self.publish([Message(self._status, ONLINE, True)])
        for refusal in self._refusals.values():
            raise self._retryable(f"refuses {self._status}: {refusal.words}")

    def _new_client(self) -> Client:
        config, five = self._config, self._config.version == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id(),
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            transport=transport(config.broker),
            reconnect_on_failure=False,
        )
        client.connect_timeout = config.connect_timeout_s
        if (will := self._will()) is not None:
            client.will_set(will.topic, will.payload, QOS, retain=will.retain)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_acknowledged, client.on_subscribe = self._on_acknowledged, self._on_subscribe
        client.on_unsubscribe, client.on_message = self._on_unsubscribe, self._on_message
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        try:
            identify(client, config, config.broker, datetime.now(UTC))
        except (OSError, BadSecret) as error:  # an SSLError is an OSError, too
            raise self._retryable(f"credentials or certificates cannot be read: {error}") from error
        return client

    def _client_id(self) -> str:
        return self._config.client_id

    def _will(self) -> Message | None:
        """What the broker says when the link ends without a word of ours."""
        return Message(self._status, OFFLINE, True) if self.tells else None

    def _connect(self, client: Client) -> None:
        parts = Address.of(self._config.broker)
        if self._config.version == "5":
            client.connect(parts.host, parts.port, self._config.keep_alive_s, clean_start=True)
        else:
            client.connect(parts.host, parts.port, self._config.keep_alive_s)

    async def close(self) -> None:
        """Says that we go, where the link stands."""
        if self._client is None:
            return
        if self.tells and self._greeted and not self.lost.is_set():
            with suppress(Retryable, TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self.publish([Message(self._status, OFFLINE, True)])
        client, self._client = self._client, None
        client.disconnect()
        client.loop_write()
        self.lost.set()
        if (sock := client.socket()) is not None:  # the last bytes did not go: end it as it is
            self._unwatch()
            sock.close()

    @property
    def words(self) -> str:
        """Why it is lost."""
        return self._in_words(self._why or "not connected")

    # -- messages ----------------------------------------------------------------------------------------------

    async def publish(self, messages: Sequence[Message], window: int | None = None) -> dict[int, Refusal]:
        """Returns once the broker has acknowledged each: what it refused, by place. Raises `Lost` and `Retryable`."""
        most = min(window or self.window, self.window)
        self._refusals, self._waiting = {}, {}
        sent = 0
        while sent < len(messages) or self._waiting:
            client = self._standing(len(self._waiting) < sent)
            some = messages[sent : sent + min(BURST, most - len(self._waiting))]
            client.send(
                [piece for place, message in enumerate(some, sent) if (piece := self._packet(client, place, message))]
            )
            sent += len(some)
            self._write()
            self._readable()
            if sent < len(messages) and len(self._waiting) < most:
                await asyncio.sleep(0)
            elif self._waiting:
                await self._acknowledged(len(self._waiting), sent)
        return self._refusals

    def _packet(self, client: Client, place: int, message: Message) -> bytes:
        """What goes out; nothing of a message that the broker would not take."""
        properties = packed(message) if self._config.version == "5" else b""
        if self._packet_max and (length := size(message, properties)) > self._packet_max:
            words = f"Packet too large: {length} bytes, and the broker takes {self._packet_max}"
            self._refusals[place] = Refusal(0x95, words)
            return b""
        number = client.number()
        self._waiting[number] = place
        return packet(message, number, properties)

    async def _acknowledged(self, waiting: int, sent: int) -> None:
        """Waits until less is waiting than now, however little."""
        try:
            await self._until(
                lambda: len(self._waiting) < waiting, self._config.answer_timeout_s, "acknowledges nothing"
            )
        except Retryable as error:
            raise self._lost_in_the_middle(str(error), len(self._waiting) < sent) from None

    def _standing(self, done: bool) -> Client:
        if self._client is None or self.lost.is_set():
            raise self._lost_in_the_middle(self.words, done)
        return self._client

    def _lost_in_the_middle(self, words: str, done: bool) -> Lost:
        self.lost.set()
        return Lost(words, sorted(self._waiting.values()), done)

    async def retained(self, filters: Sequence[str], qos: int = QOS) -> dict[str, bytes]:
        """What the broker has retained of them, by topic. Raises `Retryable`."""
        found: dict[str, bytes] = {}
        for begin in range(0, len(filters), ASKED_MAX):
            found |= await self._asked(filters[begin : begin + ASKED_MAX], qos)
        return found

    @property
    def heard(self) -> list[str]:
        """Topics that have come of what was asked last, where not all did."""
        return list(self._heard)

    async def _asked(self, filters: Sequence[str], qos: int) -> dict[str, bytes]:
        self._heard, self._barrier = {}, False
        wait_s = self._config.answer_timeout_s
        # A broker sends in the order in which it was asked: when our own status comes, all before it has come.
        for asked in (filters, [self._status]):
            self._subscribe(asked, qos)
            await self._coming(lambda: not self._subscribed, f"does not answer a subscription of {asked[0]}")
        unread = f"does not give back {self._status}: may this user read what it writes?"
        await self._coming(lambda: self._barrier, unread)
        heard, self._heard = self._heard, {}
        client = self._standing(False)
        _, mid = client.unsubscribe([*filters, self._status])
        if mid is not None:
            self._subscribed[mid] = ""
        self._write()
        await self._until(lambda: not self._subscribed, wait_s, "does not end a subscription")
        heard.pop(self._status, None)
        return heard

    def _subscribe(self, filters: Sequence[str], qos: int) -> None:
        client = self._standing(False)
        topics: list[Any] = [
            (one, SubscribeOptions(qos, retainAsPublished=True) if self._config.version == "5" else qos)
            for one in filters
        ]
        _, mid = client.subscribe(topics)
        if mid is not None:
            self._subscribed[mid] = filters[0]
        self._write()

    # -- waiting -----------------------------------------------------------------------------------------------

    async def _until(self, done: Callable[[], bool], wait_s: float, else_: str) -> None:
        """Raises `Retryable` when the link is lost first, or nothing comes for so long."""
        try:
            async with asyncio.timeout(wait_s):
                while not done():
                    if self.lost.is_set():
                        raise self._retryable(self._why or "not connected")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self._why = f"{else_}, for {wait_s:g} s"
            self.lost.set()
            raise self._retryable(self._why) from None

    async def _coming(self, done: Callable[[], bool], else_: str) -> None:
        """As `_until`; the wait begins anew with each message that comes of what was asked."""
        count = -1

        def moved() -> bool:
            return done() or len(self._heard) > count

        while not done():
            count = len(self._heard)
            await self._until(moved, self._config.answer_timeout_s, else_)

    def _retryable(self, words: str) -> Retryable:
        return Retryable(self._in_words(words))

    def _in_words(self, words: str) -> str:
        return f"sink {self._name}: MQTT broker {self._config.broker} {words}"

    # -- what the event loop and paho call ----------------------------------------------------------------------

    def _readable(self) -> None:
        client = self._client
        while client is not None and client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            sock = client.socket()
            if not client.buffered and not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                break

    def _write(self) -> None:
        if self._client is not None:
            self._client.loop_write()

    def _beat(self) -> None:
        if self._client is not None and self._loop is not None and not self.lost.is_set():
            self._client.loop_misc()
            self._loop.call_later(BEAT_S, self._beat)

    def _on_register_write(self, _client: paho.Client, _userdata: Any, _sock: Any) -> None:
        if self._fd >= 0 and self._loop is not None:
            self._loop.add_writer(self._fd, self._write)

    def _on_unregister_write(self, _client: paho.Client, _userdata: Any, _sock: Any) -> None:
        if self._fd >= 0 and self._loop is not None:
            self._loop.remove_writer(self._fd)

    def _on_socket_close(self, _client: paho.Client, _userdata: Any, _sock: Any) -> None:
        self._unwatch()

    def _unwatch(self) -> None:
        if self._fd >= 0 and self._loop is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1

    def _on_connect(self, _client: paho.Client, _userdata: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._end(f"refused the connection: {in_words(reason)}")
            return
        for missing in _shortcomings(properties):
            self._end(missing)
            return
        self.window = min(self._config.in_flight, getattr(properties, "ReceiveMaximum", 65_535))
        self._packet_max = getattr(properties, "MaximumPacketSize", 0)
        self._greeted = True
        self._news.set()

    def _on_disconnect(self, _client: paho.Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if self._greeted:
            self._end(f"ended the link: {end_in_words(flags, reason)}")
        else:
            self._end("ended the link before it answered; if it does not speak MQTT 5, say `version: 3.1.1`")

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self.lost.set()
        self._news.set()

    def _on_acknowledged(self, number: int, reason: Any, properties: Any) -> None:
        place = self._waiting.pop(number, None)
        if place is not None and reason is not None:
            said = getattr(properties, "ReasonString", "")
            self._refusals[place] = Refusal(reason.value, f"{in_words(reason)}{f': {said}' if said else ''}")
        self._news.set()

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        asked = self._subscribed.pop(mid, "")
        for reason in reasons:
            if reason.is_failure:
                self._end(f"refuses to be asked what it has retained of {asked}: {in_words(reason)}")
        self._news.set()

    def _on_unsubscribe(self, _client: paho.Client, _userdata: Any, mid: int, _reasons: Any, _properties: Any) -> None:
        self._subscribed.pop(mid, None)
        self._news.set()

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            topic = topic_text(message)
            self._heard[topic] = bytes(message.payload)
            self._barrier = self._barrier or topic == self._status
            self._news.set()


class ReadingLink(Link):
    """Asks beside the mirror, under a name of its own, and writes nothing. What marks the end of an answer is the mirror's
    own status, which stands there since it first ran."""

    tells = False

    def _client_id(self) -> str:
        return f"{self._config.client_id}-verify"


def _shortcomings(properties: Any) -> Iterator[str]:
    """What a broker says that it does not do, and we need."""
    if getattr(properties, "RetainAvailable", 1) == 0:
        yield "retains nothing, and a mirror is what is retained"
    if getattr(properties, "MaximumQoS", 2) == 0:
        yield "takes messages at QoS 0 only, and those it does not acknowledge"
