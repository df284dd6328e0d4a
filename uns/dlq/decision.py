"""What was decided of a quarantined record: one JSON record in class `disposition`, under the quarantined record's id. Pure."""

from typing import Literal

import msgspec

from uns.dlq.item import Place


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`retried`: it was given again, at the place `to`. `dropped`: it never will be."""

    state: Literal["retried", "dropped"]
    by: str
    """Who has decided it."""
    at: int
    """When, µs UTC."""
    why: str = ""
    to: Place | None = None
    original: str = ""
    """Names what was given again: several quarantined records may be parts of one, which is given once."""


def encode(decision: Decision) -> bytes:
    return msgspec.json.encode(decision)


def decode(value: bytes) -> Decision:
    """Raises `msgspec.DecodeError` (a `ValidationError` among them)."""
    return msgspec.json.decode(value, type=Decision)
