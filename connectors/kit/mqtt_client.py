"""paho's client with fewer calls of the kernel: what has come is taken at once, and acknowledgements go in one piece.

paho reads a packet in three calls of `recv`, waits in `select` before each, and sends each acknowledgement by itself; that is
more than half of what a small message costs. Its own way is taken wherever a name that is used here is none of its any more.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

READ_BYTES = 65_536
PACKETS_MAX = 200
"""Read one after another before what is to be sent has its turn."""
_PUBACK = 0x40


class BufferedSocket(socket.socket):
    """A TCP connection whose `recv` takes what is there, and hands it out piece by piece."""

    _taken: bytes = b""
    _at = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        left = len(self._taken) - self._at
        if not left:
            if size >= READ_BYTES:
                return super().recv(size, flags)
            self._taken, self._at = super().recv(READ_BYTES, flags), 0
        part = self._taken[self._at : self._at + size]
        self._at += len(part)
        return part

    def pending(self) -> int:
        """Bytes that were taken and not handed out: paho asks, as it does of TLS, before it waits for more."""
        return len(self._taken) - self._at


class Client(paho.Client):
    """For one connection and manual acknowledgement."""

    def _create_socket(self) -> Any:
        made = super()._create_socket()
        if type(made) is not socket.socket:
            return made  # TLS and websockets have buffers of their own
        timeout_s = made.gettimeout()
        buffered = BufferedSocket(made.family, made.type, made.proto, made.detach())
        buffered.settimeout(timeout_s)
        return buffered

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Of what was taken from the socket all that is whole, not one packet."""
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        for _ in range(PACKETS_MAX):
            code = super().loop_read(max_packets)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or not self._holds_more():
                break
        return code

    def _holds_more(self) -> bool:
        link = self._sock
        return isinstance(link, BufferedSocket | ssl.SSLSocket) and link.pending() > 0

    def acknowledge(self, messages: Sequence[tuple[int, int]]) -> None:
        """(message id, QoS) of each."""
        if not hasattr(self, "_packet_queue") or any(qos != 1 for _, qos in messages):
            for mid, qos in messages:
                self.ack(mid, qos)
        elif messages:
            packets = b"".join(bytes((_PUBACK, 2, mid >> 8, mid & 255)) for mid, _ in messages)
            self._packet_queue(_PUBACK, packets, messages[-1][0], 0)
