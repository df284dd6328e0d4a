"""Listens to all that a broker lets us hear, in a session of its own that leaves nothing behind."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import paho.mqtt.client as paho

from connectors.base import Found, LeftOut, SourceUnavailable
from connectors.mqtt.config import MqttConfig
from connectors.mqtt.inventory import Inventory
from connectors.mqtt.link import connect, new_client, subscribe
from topology.endpoint import BadSecret
from topology.mqtt import end_in_words, in_words, topic_text

WAITING_MAX = 10_000
"""Messages not yet looked at; what comes beyond is not listed, and said."""
EVERYTHING = "#"


async def browse(config: MqttConfig) -> AsyncIterator[Found | LeftOut]:
    """What is said while somebody listens, each field of each topic once; it goes on until the caller has enough.

    Raises `SourceUnavailable`.
    """
    ear = _Ear(config, asyncio.get_running_loop())
    try:
        client = new_client(config, f"{config.client_id}-browse-{secrets.token_hex(4)}", keeps=False)
    except (OSError, BadSecret) as error:
        raise SourceUnavailable(f"{config.broker}: credentials or certificates cannot be read: {error}") from error
    client.on_connect, client.on_subscribe = ear.on_connect, ear.on_subscribe
    client.on_message, client.on_disconnect = ear.on_message, ear.on_disconnect
    try:
        async with asyncio.timeout(config.connect_timeout_s):
            await asyncio.to_thread(connect, client, config, False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SourceUnavailable(f"MQTT broker {config.broker} cannot be reached ({error or 'no answer'})") from error
    client.loop_start()
    inventory = Inventory()
    try:
        while True:
            heard = await ear.heard.get()
            if isinstance(heard, LeftOut):
                yield heard
                continue
            if isinstance(heard, SourceUnavailable):
                raise heard
            for found in inventory.heard(*heard):
                yield found
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


class _Ear:
    """What paho calls, in its thread."""

    def __init__(self, config: MqttConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._config, self._loop = config, loop
        self.heard: asyncio.Queue[tuple[str, bytes] | LeftOut | SourceUnavailable] = asyncio.Queue()
        self._full = False

    def _put(self, heard: tuple[str, bytes] | LeftOut | SourceUnavailable) -> None:
        self._loop.call_soon_threadsafe(self.heard.put_nowait, heard)

    def on_connect(self, client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._put(
                SourceUnavailable(f"MQTT broker {self._config.broker} refused the connection: {in_words(reason)}")
            )
        else:
            subscribe(client, self._config, EVERYTHING, 0)

    def on_subscribe(
        self, client: paho.Client, _userdata: Any, _mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._put(LeftOut(f"the broker refuses {EVERYTHING}, or one of the topics of the configuration"))
            client.on_subscribe = None
            for one in self._config.filters:
                subscribe(client, self._config, one, 0)

    def on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if self.heard.qsize() < WAITING_MAX:
            self._put((topic_text(message), bytes(message.payload)))
        elif not self._full:
            self._full = True
            self._put(LeftOut("more was said than could be looked at: not all is listed"))

    def on_disconnect(self, _client: paho.Client, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        words = f"MQTT broker {self._config.broker}: the link was lost: {end_in_words(flags, reason)}"
        self._put(SourceUnavailable(words))
