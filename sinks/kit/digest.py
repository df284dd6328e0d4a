"""A number for values, the same on both sides of a comparison. Pure."""

from hashlib import blake2b
from typing import Any

import msgspec

_TOLD_APART = 2**53
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def digest(values: Any) -> int:
    """64 bits, signed, of numbers, texts, booleans, None, and lists and dicts of them. An integer is not the float that
    equals it: a side that cannot tell them apart makes one kind of both first (`numbers_as_one`)."""
    return int.from_bytes(blake2b(_encode(values), digest_size=8).digest(), "big", signed=True)


def numbers_as_one(value: Any) -> Any:
    """The value with every number in the one form that JSON in a database leaves of it, however it was written there: whole
    ones as integers, where a double tells them apart, all others as doubles."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < _TOLD_APART else number
    if isinstance(value, list | tuple):
        return [numbers_as_one(each) for each in value]
    if isinstance(value, dict):
        return {name: numbers_as_one(each) for name, each in value.items()}
    return value
