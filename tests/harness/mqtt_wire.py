"""A wire between an MQTT client and a real broker that writes down what the client sends, and can be cut or frozen."""

import socket
import threading
from contextlib import suppress
from typing import NamedTuple

from uns.runtime.ports import free_port

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


class Packet(NamedTuple):
    """What a client sent, by MQTT 3.1.1; fields that a kind does not have are empty."""

    kind: int
    topic: str = ""
    """Of a CONNECT the will's."""
    payload: bytes = b""
    qos: int = 0
    retained: bool = False
    level: int = 0
    """Of the protocol, in a CONNECT; 4 is 3.1.1."""
    clean: bool = False
    filters: tuple[str, ...] = ()


class Wire:
    """Listens at `url`. `sent` are the packets of all connections, in order."""

    def __init__(self, broker_url: str) -> None:
        host, _, port = broker_url.removeprefix("mqtt://").partition(":")
        self._target = host, int(port)
        self.sent: list[Packet] = []
        self._open: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends all connections, in the middle of whatever they say."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def freeze(self) -> None:
        """Both ends stay open, and nothing passes any more."""
        self._flows.clear()

    def tell(self, packet: bytes) -> None:
        """Lets the broker have said a packet to all clients."""
        for client in self._open[::2]:
            client.sendall(packet)

    def close(self) -> None:
        self._listener.close()
        self._flows.set()
        self.cut()

    def of(self, kind: int) -> list[Packet]:
        return [packet for packet in self.sent if packet.kind == kind]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection(self._target)
                self._open += [client, broker]
                threading.Thread(target=self._pass, args=(client, broker, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(broker, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, read: bool) -> None:
        unread = bytearray()
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if read:
                    unread += data
                    self.sent += _packets(unread)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _packets(unread: bytearray) -> list[Packet]:
    """Takes the whole packets off the front."""
    found: list[Packet] = []
    while len(unread) >= 2:
        length, place = 0, 1
        while True:
            if place >= len(unread):
                return found
            length |= (unread[place] & 0x7F) << 7 * (place - 1)
            place += 1
            if not unread[place - 1] & 0x80:
                break
        if len(unread) < place + length:
            return found
        found.append(_packet(unread[0], bytes(unread[place : place + length])))
        del unread[: place + length]
    return found


def _packet(first: int, body: bytes) -> Packet:
    kind = first >> 4
    if kind == CONNECT:
        _, rest = _field(body)
        level, flags, rest = rest[0], rest[1], rest[4:]
        _, rest = _field(rest)
        topic, rest = _field(rest) if flags & 4 else (b"", rest)
        payload, _ = _field(rest) if flags & 4 else (b"", rest)
        return Packet(kind, topic.decode(), payload, flags >> 3 & 3, bool(flags & 0x20), level, bool(flags & 2))
    if kind == PUBLISH:
        topic, rest = _field(body)
        qos = first >> 1 & 3
        return Packet(kind, topic.decode(), rest[2:] if qos else rest, qos, bool(first & 1))
    if kind == SUBSCRIBE:
        rest, filters = body[2:], []
        while rest:
            text, rest = _field(rest)
            filters.append(text.decode())
            rest = rest[1:]
        return Packet(kind, filters=tuple(filters))
    return Packet(kind)


def _field(body: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(body[:2])
    return body[2 : 2 + length], body[2 + length :]
