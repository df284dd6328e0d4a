"""A message on the wire is what paho reads, and acknowledgements are told apart however they are cut."""

import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sinks.mqtt.message import Message, length, packed
from sinks.mqtt.wire import Client, packet

TOPICS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="+#"), min_size=1, max_size=300)


@given(TOPICS, st.binary(max_size=20_000), st.booleans(), st.integers(1, 65_535), st.booleans())
def test_a_message_is_what_paho_reads(topic: str, payload: bytes, retain: bool, number: int, five: bool) -> None:
    message = Message(topic, payload, retain, {"id": "a"})
    made = packet(message, number, packed(message) if five else b"")
    size = len(length(len(made) - 2)) if len(made) < 130 else next(n for n in (1, 2, 3, 4) if not made[n] & 0x80)
    protocol = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
    read: Any = _packet.decode_publish(made[0], made[1 + size :], protocol)
    assert made[0] == (0x33 if retain else 0x32)
    assert (read.mid, read.topic, bytes(read.payload)) == (number, topic.encode(), payload)


@given(
    st.lists(st.tuples(st.integers(1, 65_535), st.sampled_from([None, 0, 0x10, 0x87, 0x97])), max_size=60), st.data()
)
def test_acknowledgements_are_told_apart_however_they_are_cut(acks: list[tuple[int, int | None]], data: Any) -> None:
    """2 bytes, 3, or with words."""
    came = b""
    for number, reason in acks:
        rest = number.to_bytes(2) + (b"" if reason is None else bytes([reason]))
        if reason == 0x97:
            rest += b"\x06\x1f\x00\x03why"
        came += b"\x40" + bytes([len(rest)]) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(came)), max_size=6)))
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    told: list[tuple[int, int | None, str]] = []
    client.on_acknowledged = lambda number, reason, more: told.append(
        (number, reason.value if reason is not None else None, getattr(more, "ReasonString", ""))
    )
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client._sock = ours
    with ours, theirs:
        for begin, end in zip([0, *cuts], [*cuts, len(came)], strict=True):
            theirs.sendall(came[begin:end])
            client.loop_read()
            while client.buffered:
                client.loop_read()
    refused = [(number, reason if reason in (0x87, 0x97) else None) for number, reason in acks]
    assert [one[:2] for one in told] == refused
    assert {words for _, reason, words in told if reason == 0x97} <= {"why"}
