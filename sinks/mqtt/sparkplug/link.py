"""The edge node's link to the broker: its death is the will, commands come in, messages go out at QoS 0."""

import asyncio
from collections.abc import Iterable
from typing import Any

import paho.mqtt.client as paho

from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.link import Link
from sinks.mqtt.message import Message
from sinks.mqtt.sparkplug.session import Said, Session, asks_rebirth


class EdgeLink(Link):
    """One connection, and the one session of it."""

    tells = False

    def __init__(self, name: str, config: MirrorConfig, session: Session) -> None:
        super().__init__(name, config)
        self.session = session
        self.asked = asyncio.Event()
        """A host asks for all births."""

    async def open(self) -> None:
        """Connects, and hears commands from now on. Raises `Retryable`."""
        await super().open()
        await self.settle()

    async def say(self, messages: Iterable[Said]) -> None:
        """The broker has read them when this returns. Raises `Retryable`."""
        client = self._standing(False)
        for said in messages:
            client.publish(said.topic, said.payload, 0)
        self._write()
        await self.settle()

    async def settle(self) -> None:
        """A broker reads what one client sends in its order: once it has answered a subscription, it has read all before.
        At QoS 0 there is no other proof."""
        self._subscribe([self.session.commands], 1)
        await self._until(
            lambda: not self._subscribed, self._config.answer_timeout_s, "does not answer a subscription of commands"
        )

    async def close(self) -> None:
        """Says the death itself: a broker keeps the will to itself where a client takes its leave."""
        if self._client is not None and not self.lost.is_set():
            death = self.session.death()
            self._client.publish(death.topic, death.payload, 0)
        await super().close()

    def _will(self) -> Message | None:
        death = self.session.death()
        return Message(death.topic, death.payload, False)

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.topic == self.session.commands and not message.retain and asks_rebirth(bytes(message.payload)):
            self.asked.set()
