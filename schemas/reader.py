"""The body of a `Samples` record as its struct: what fastavro reads, in half the time.

Nearly all that a plant says is such a record. fastavro makes dictionaries, which are made structs then; here the bytes become
the structs at once. It takes what our own writer makes of usual values, and gives None for anything else, above all for
bytes that are not well formed: that is fastavro's to judge, by one rule and in one set of words. Avro 1.11, binary encoding.
"""

import struct
from functools import lru_cache

from schemas.raw import Sample, Samples, Value

CACHED = 65_536
"""Tags and sources that are kept as texts: most are said again and again."""
SECONDS = 4_096
"""Seconds of which the times are known: whatever is late is of one of them, too."""
_NULL, _BOOLEAN, _LONG, _DOUBLE, _STRING = 0, 2, 4, 6, 8
"""Branches of a value, as they are written."""
_MOST = 9
"""Bytes of a number; a longer one may not fit 64 bits."""

_double = struct.Struct("<d").unpack_from
_faults = (IndexError, UnicodeDecodeError, struct.error)


def samples(data: bytes, at: int) -> Samples | None:
    """The record whose body begins at `at` and ends with the bytes."""
    try:
        byte = data[at]
        if byte & 129:  # of 64 bytes and more, or of fewer than none
            return None
        at += 1
        end = at + (byte >> 1)
        source = _text(data[at:end])
        number, at = _number(data, end)
        sequence = (number >> 1) ^ -(number & 1)
        count, at = _number(data, at)
        if count & 1:
            return None
        found: list[Sample] = []
        for _ in range(count >> 1):
            byte = data[at]
            if byte & 129:
                return None
            at += 1
            end = at + (byte >> 1)
            tag = _text(data[at:end])
            at = end + 8
            high = _since(data[end + 3 : at])
            if high and data[end] > 127 < data[end + 1] and data[end + 2] > 127:
                number = high | data[end] & 127 | (data[end + 1] & 127) << 7 | (data[end + 2] & 127) << 14
            else:
                number, at = _number(data, end)
            branch = data[at]
            if branch == _DOUBLE:
                (value,) = _double(data, at + 1)
                at += 9
            else:
                value, at = _value(data, branch, at + 1)
            quality = data[at]
            if quality < 128:
                at += 1
            else:
                quality, at = _number(data, at)
            found.append(Sample(tag, (number >> 1) ^ -(number & 1), value, (quality >> 1) ^ -(quality & 1)))
        if count:  # one block, then its end
            if data[at]:
                return None
            at += 1
    except _faults:
        return None
    return Samples(source, sequence, tuple(found)) if at == len(data) else None


def _value(data: bytes, branch: int, at: int) -> tuple[Value, int]:
    """null, boolean, long or string by the branch's number, and where it ends. Raises one of the faults."""
    if branch == _LONG:
        number, at = _number(data, at)
        return (number >> 1) ^ -(number & 1), at
    if branch == _STRING:
        length, at = _number(data, at)
        end = at + (length >> 1)
        if length & 1 or end > len(data):
            raise IndexError
        return data[at:end].decode(), end
    if branch == _BOOLEAN and data[at] < 2:
        return data[at] == 1, at + 1
    if branch == _NULL:
        return None, at
    raise IndexError


@lru_cache(SECONDS)
def _since(high: bytes) -> int:
    """The last five bytes of a time, as what they add to the first three: they change once a second. 0: they are not."""
    try:
        number, end = _number(high, 0)
    except IndexError:
        return 0
    return number << 21 if end == 5 else 0


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number as it is written, its sign in the lowest bit, and where it ends. Raises one of the faults."""
    number = data[at]
    at += 1
    if number < 128:
        return number, at
    number &= 127
    shift = 7
    for byte in data[at : at + _MOST - 1]:
        at += 1
        if byte < 128:
            return number | byte << shift, at
        number |= (byte & 127) << shift
        shift += 7
    raise IndexError


@lru_cache(CACHED)
def _text(body: bytes) -> str:
    return body.decode()
