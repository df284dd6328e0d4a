"""What an answer says: for each name its status and its bytes. Pure, and strict: nothing is guessed."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from connectors.kit.polling.wire import Garbled, Refused

SEND_UNIT_DATA = 0x70
READ, SEVERAL = 0xCC, 0x8A
"""Services of an answer: Read Tag, Multiple Service Packet."""
EMBEDDED = 0x1E
"""Status of several of which some have failed."""
_MESSAGE = 46
"""Where the message begins, behind encapsulation, addresses and sequence."""


class Reply(NamedTuple):
    status: int
    extended: int
    data: bytes


def replies(came: bytes, sequence: int, count: int) -> list[Reply]:
    """One for each of the names that were asked for by the request of this sequence; of one name without a packet around it.
    Raises `Refused` for what is refused as a whole, `Garbled` for what is no answer.
    """
    if len(came) < _MESSAGE + 4 or struct.unpack_from("<H", came)[0] != SEND_UNIT_DATA:
        raise Garbled("bad_frame", "what came is no answer", came)
    (length,), (status,) = struct.unpack_from("<H", came, 2), struct.unpack_from("<I", came, 8)
    if status:
        raise Garbled("bad_frame", f"what came is an error of the encapsulation: {status:#x}", came)
    if len(came) != 24 + length or struct.unpack_from("<H", came, 42)[0] != len(came) - 44:
        raise Garbled("bad_frame", "what came is no answer: its length is not what it says", came)
    if struct.unpack_from("<H", came, 44)[0] != sequence & 0xFFFF:
        raise Garbled("bad_answer", "it is the answer to another request", came)
    message = came[_MESSAGE:]
    if message[0] == READ and count == 1:
        return [_reply(message, came)]
    if message[0] != SEVERAL:
        raise Garbled("bad_answer", f"it is the answer to another service: {message[0]:#x}", came)
    whole = _reply(message, came, SEVERAL)
    if whole.status not in (0, EMBEDDED):
        raise Refused(whole.status)
    found = list(_several(whole.data, came))
    if len(found) != count:
        raise Garbled("bad_answer", f"{len(found)} answers have come, {count} were expected", came)
    return found


def _several(data: bytes, came: bytes) -> Iterator[Reply]:
    count = int.from_bytes(data[:2], "little")
    offsets = [
        at for (at,) in struct.iter_unpack("<H", data[2 : 2 + 2 * count][: len(data[2 : 2 + 2 * count]) // 2 * 2])
    ]
    if (
        len(data) < 2
        or len(offsets) != count
        or offsets != sorted(offsets)
        or any(at < 2 + 2 * count for at in offsets)
    ):
        raise Garbled("bad_answer", "it does not say where its answers begin", came)
    for begin, end in zip(offsets, [*offsets[1:], len(data)], strict=True):
        yield _reply(data[begin:end], came)


def _reply(message: bytes, came: bytes, service: int = READ) -> Reply:
    if len(message) < 4 or message[0] != service or len(message) < 4 + 2 * message[3]:
        raise Garbled("bad_answer", "an answer in it is cut short, or to another service", came)
    begin = 4 + 2 * message[3]
    return Reply(message[2], int.from_bytes(message[4 : min(begin, 6)], "little"), message[begin:])
