"""A measured value as an integer of the same order, which a series of samples can keep."""

import struct


def ordinal(value: float) -> int:
    """A double as an int64 of the same order."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value + 0.0))  # -0.0 is 0.0
    return int(bits) if bits >= 0 else int(bits) ^ 0x7FFF_FFFF_FFFF_FFFF


def measure(number: int) -> float:
    """The double of which `ordinal` gave the number."""
    bits = number if number >= 0 else number ^ 0x7FFF_FFFF_FFFF_FFFF
    (value,) = struct.unpack("<d", struct.pack("<q", bits))
    return float(value)
