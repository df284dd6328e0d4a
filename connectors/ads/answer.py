"""What answers say: of sums of requests, of a symbol, of the whole symbol table. Pure, and strict: nothing is guessed.

Source: Beckhoff Information System, *ADS sum commands* and *AdsSymbolEntry*.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from connectors.ads.kinds import Symbol
from connectors.kit.polling.wire import Garbled

ENTRY = struct.Struct("<IIIIIIHHH")
"""Length of all, index group and offset, size, type, flags, lengths of name, type and comment, each of which ends with a
byte more."""
_SOME_MAX = 4096
"""Bytes of what is no answer that are kept."""


class Entry(NamedTuple):
    """A symbol as the table has it."""

    name: str
    symbol: Symbol
    comment: str


def values(came: bytes, sizes: Sequence[int]) -> list[bytes | int]:
    """Of a sum of reads: for each its bytes, or the error. Raises `Garbled` unless all have just the lengths asked for.

    Whether what failed has bytes, too, the length of all says: both are found.
    """
    count = len(sizes)
    if len(came) < 4 * count:
        raise _garbled(came, f"{len(came)} bytes have come for {count} variables")
    codes = struct.unpack_from(f"<{count}I", came)
    whole = 4 * count + sum(sizes)
    good = 4 * count + sum(size for size, code in zip(sizes, codes, strict=True) if not code)
    if len(came) not in (whole, good):
        raise _garbled(came, f"{len(came)} bytes have come, {whole} were expected")
    padded, at = len(came) == whole, 4 * count
    found: list[bytes | int] = []
    for size, code in zip(sizes, codes, strict=True):
        found.append(code or came[at : at + size])
        at += size if padded or not code else 0
    return found


def replies(came: bytes, count: int) -> list[bytes | int]:
    """Of a sum of reads with a question: for each its bytes, or the error. Raises `Garbled`."""
    if len(came) < 8 * count:
        raise _garbled(came, f"{len(came)} bytes have come for {count} questions")
    heads = list(struct.iter_unpack("<II", came[: 8 * count]))
    if len(came) != 8 * count + sum(length for _, length in heads):
        raise _garbled(came, f"{len(came)} bytes have come, which is not what they say")
    at, found = 8 * count, list[bytes | int]()
    for code, length in heads:
        found.append(code or came[at : at + length])
        at += length
    return found


def entry(came: bytes) -> Entry:
    """A symbol, by its entry. Raises `Garbled`."""
    if len(came) < ENTRY.size:
        raise _garbled(came, "an entry of the symbol table is cut short")
    _, _, _, size, code, _, *lengths = ENTRY.unpack_from(came)
    at, texts = ENTRY.size, list[str]()
    for length in lengths:
        if len(texts) < 2 and at + length > len(came):  # nothing rests on the comment
            raise _garbled(came, "an entry of the symbol table is cut short")
        texts.append(came[at : at + length].decode("cp1252", "replace").strip("\0 "))
        at += length + 1
    name, type_, comment = texts
    return Entry(name, Symbol(size, code, type_), comment)


def table(came: bytes) -> Iterator[Entry]:
    """Every symbol of a table. Raises `Garbled`."""
    at = 0
    while at < len(came):
        length = int.from_bytes(came[at : at + 4], "little")
        if length < ENTRY.size or at + length > len(came):
            raise _garbled(came, f"the symbol table is cut short behind {at} bytes")
        yield entry(came[at : at + length])
        at += length


def number(came: bytes) -> int:
    """A handle, a count. Raises `Garbled`."""
    if len(came) != 4:
        raise _garbled(came, f"{len(came)} bytes have come, 4 were expected")
    return int.from_bytes(came, "little")


def _garbled(came: bytes, why: str) -> Garbled:
    return Garbled("bad_answer", why, came[:_SOME_MAX])
