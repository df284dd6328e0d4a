"""paho's client, with its own way for what a mirror does most: messages at QoS 1 go out many in one piece, and what comes is
read in large parts. paho makes a call of the system and some tables of each message and each acknowledgement, which costs more
than all the rest of it, here and at the broker.

It overrides three methods of paho that are not documented; tests/integration/sinks/mqtt sees whether they still fit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sinks.mqtt.message import Message, length

READ_BYTES = 65_536
FAILURE = 0x80
"""From this reason code on a message was refused."""
_PUBLISH = {False: b"\x32", True: b"\x33"}
"""Retained or not → the first byte of a PUBLISH at QoS 1."""
Acknowledged = Callable[[int, Any, Any], None]
"""(message id, reason code and properties of a refusal; None: it was taken)."""


def packet(message: Message, number: int, properties: bytes) -> bytes:
    """A PUBLISH at QoS 1 (MQTT 5, chapter 3.3); `properties` with their length, nothing for MQTT 3.1.1."""
    topic, payload = message.topic.encode(), message.payload
    rest = length(4 + len(topic) + len(properties) + len(payload))
    return b"".join(
        (_PUBLISH[message.retain], rest, len(topic).to_bytes(2), topic, number.to_bytes(2), properties, payload)
    )


class Client(paho.Client):
    """Messages that are sent by `send` are the caller's: he keeps what is not acknowledged."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_acknowledged: Acknowledged = lambda *_: None
        self._came, self._read = b"", 0

    @property
    def buffered(self) -> bool:
        """Something came that was not looked at yet."""
        return self._read < len(self._came)

    def number(self) -> int:
        """The id of a next message."""
        return self._mid_generate()

    def send(self, packets: Sequence[bytes]) -> None:
        """As one piece; it goes out with the next `loop_write`."""
        if packets and self._sock is not None:
            self._packet_queue(PacketTypes.PUBLISH << 4, b"".join(packets), 0, 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.buffered:
            self._came, self._read = super()._sock_recv(READ_BYTES), 0
        part = self._came[self._read : self._read + bufsize]
        self._read += len(part)
        return part

    def _handle_pubackcomp(self, cmd: Any) -> MQTTErrorCode:
        came = self._in_packet["packet"]
        if cmd != "PUBACK" or len(came) < 2:
            return super()._handle_pubackcomp(cmd)
        number = int.from_bytes(came[:2])
        if len(came) == 2 or came[2] < FAILURE:
            self.on_acknowledged(number, None, None)
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        reason, properties = ReasonCode(PacketTypes.PUBACK), Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]
        reason.unpack(came[2:])
        if len(came) > 3 and self._protocol == MQTTProtocolVersion.MQTTv5:
            properties.unpack(came[3:])  # type: ignore[no-untyped-call]
        self.on_acknowledged(number, reason, properties)
        return MQTTErrorCode.MQTT_ERR_SUCCESS
