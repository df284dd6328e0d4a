"""What an answer says: its header, its parameters, and what it has of each block. Pure, and strict: nothing is guessed."""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.wire import Garbled, Refused
from connectors.s7.quality import of_item

PROTOCOL, ACK_DATA = 0x32, 3
ACK = 2
"""An answer that is nothing but its header: an error."""
READ = 0x04
SUCCESS = 0xFF
IN_BITS = (0x03, 0x04, 0x05)
"""Transport sizes whose length counts bits; of others it counts bytes."""
_HEADER = struct.Struct(">BBHHHHBB")


class Answer(NamedTuple):
    parameters: bytes
    data: bytes


def number(came: bytes) -> int | None:
    """Of which request it is the answer; None where it does not say."""
    return int.from_bytes(came[4:6], "big") if len(came) >= 6 else None


def parse(came: bytes) -> Answer:
    """Raises `Refused` for an error in the header, `Garbled` for what is no answer."""
    if len(came) < _HEADER.size:
        raise Garbled("bad_frame", f"what came is no answer: it has {len(came)} bytes", came)
    protocol, kind, _, _, parameters, data, error_class, error_code = _HEADER.unpack_from(came)
    if protocol != PROTOCOL or kind not in (ACK, ACK_DATA):
        raise Garbled("bad_frame", f"what came is no answer: protocol {protocol:#x}, kind {kind}", came)
    if code := error_class << 8 | error_code:
        raise Refused(code)
    if len(came) != _HEADER.size + parameters + data:
        raise Garbled("bad_frame", "what came is no answer: its length is not what it says", came)
    return Answer(came[_HEADER.size : _HEADER.size + parameters], came[_HEADER.size + parameters :])


def items(answer: Answer, counts: Sequence[int]) -> Iterator[bytes | Refusal]:
    """What it has of each block. Raises `Garbled` unless they have just the lengths that were asked for."""
    parameters, raw = answer
    if parameters[:2] != bytes([READ, len(counts)]):
        raise Garbled("bad_answer", "it is the answer to something else", parameters + raw)
    at = 0
    for done, count in enumerate(counts):
        if at + 4 > len(raw):
            raise Garbled("bad_answer", f"{done} of {len(counts)} items have come", parameters + raw)
        code, transport, length = struct.unpack_from(">BBH", raw, at)
        at += 4
        if code != SUCCESS:  # nothing is behind it, whatever length it says: snap7's server says 4
            yield of_item(code)
            continue
        size = length // 8 if transport in IN_BITS else length
        if size != count or at + size > len(raw):
            raise Garbled("bad_answer", f"{size} bytes have come, {count} were expected", parameters + raw)
        yield raw[at : at + size]
        at += size + size % 2
    if at < len(raw):
        raise Garbled("bad_answer", f"{len(raw) - at} bytes too many have come", parameters + raw)
