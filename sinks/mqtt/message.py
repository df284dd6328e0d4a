"""A message for the broker: the record as JSON, and what MQTT 5 says beside it. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from sinks.kit.cloudevents import CONTENT_TYPE

TEXT_BYTES_MAX = 65_535
PLAIN_BYTES = 16
"""More than what a PUBLISH has beside topic, properties and payload."""


class Message(NamedTuple):
    topic: str
    payload: bytes
    retain: bool
    user: Mapping[str, str] = {}
    """User properties: those of a CloudEvent in binary mode."""
    expiry_s: int | None = None


_TEXT, _EXPIRY, _CONTENT_TYPE, _USER = b"\x01\x01", b"\x02", b"\x03", b"\x26"


def packed(message: Message) -> bytes:
    """The properties as MQTT 5 writes them (chapter 3.3.2.3), with their length."""
    parts = [_TEXT, _CONTENT_TYPE, _text(CONTENT_TYPE)] if message.payload else []
    if message.expiry_s is not None:
        parts += [_EXPIRY, message.expiry_s.to_bytes(4)]
    for name, value in message.user.items():
        parts.append(_few(name, value) if name in _OF_FEW else _property(name, value))
    joined = b"".join(parts)
    return length(len(joined)) + joined


def size(message: Message, properties: bytes) -> int:
    """Bytes of the packet, at most."""
    return len(message.payload) + len(message.topic.encode()) + len(properties) + PLAIN_BYTES


_FORBIDDEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef\\ufffe\\uffff]|[\\U00010000-\\U0010ffff]")


def carried(value: str) -> str:
    """A text as a property can carry it: control characters and what is no character, over which brokers end the link
    (MQTT 5, chapter 1.5.4), are percent-encoded."""
    return value if value.isascii() and value.isprintable() else _FORBIDDEN.sub(_encoded, value)


def _encoded(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if ord(letter) > 0xFFFF and ord(letter) & 0xFFFE != 0xFFFE else quote(letter)


def _text(value: str) -> bytes:
    text = carried(value).encode()
    return len(text).to_bytes(2) + text


def _property(name: str, value: str) -> bytes:
    return _USER + _name(name) + _text(value)


_name = lru_cache(64)(_text)
_few = lru_cache(8192)(_property)
_OF_FEW = frozenset({"specversion", "source", "type", "revision", "status"})
"""Properties that say the same again and again."""


def length(number: int) -> bytes:
    """A variable byte integer."""
    if number < 128:
        return number.to_bytes(1)
    made = bytearray()
    while True:
        number, digit = divmod(number, 128)
        made.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(made)
