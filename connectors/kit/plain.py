"""The usual message of samples, read at once: `{"at": …, "values": {"Tag": 1}}` without anything that has to be judged. Pure.

What it takes it reads as `connectors.kit.payloads` does, value by value; all else is left to that, so that one rule and one
set of words say what is wrong.
"""

import msgspec

from connectors.base import Reading
from connectors.kit.shape import Shape
from connectors.kit.times import BadTime, micros
from schemas.records import GOOD, Sample
from topology.namespace.path import Path

_NOT_GIVEN = -1


class _Message(msgspec.Struct, frozen=True, gc=False):
    at: int | float | str
    values: dict[str, int | float | str | bool | None]
    quality: int = _NOT_GIVEN


_decode = msgspec.json.Decoder(_Message).decode


def plain(shape: Shape, path: Path, payload: bytes, bytes_max: int) -> list[Reading] | None:
    """What the message says; None where it has to be looked at closely.

    A name that stands twice in an object is no mistake for a decoder, but nobody knows which counts. Each member has one
    colon outside of texts: where there are as many as those that were read need, there were no others. A backslash may hide
    or make one.
    """
    if b"\\" in payload or len(payload) > bytes_max or shape.text_numbers:
        return None
    try:
        said = _decode(payload)
        at = micros(said.at, shape.time, shape.zone_info, shape.time_format)
    except (msgspec.MsgspecError, BadTime, ValueError, RecursionError):
        return None
    colons = 2 + len(said.values)
    quality = said.quality
    if quality == _NOT_GIVEN:
        quality = GOOD
    elif 0 <= quality < 2**32:
        colons += 1
    else:
        return None
    if type(said.at) is str:
        colons += said.at.count(":")
    readings = []
    for tag, value in said.values.items():
        kind = type(value)
        if kind is str:
            colons += value.count(":")  # type: ignore[union-attr]
        elif kind is int and not -(2**63) <= value < 2**63:  # type: ignore[operator]
            return None
        if ":" in tag:
            colons += tag.count(":")
        if not tag:
            return None
        readings.append(Reading(path, Sample(tag, at, value, quality)))
    return readings if payload.count(b":") == colons else None
