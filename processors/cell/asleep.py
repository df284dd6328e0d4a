"""Cells that lie unopened since a restart, and what a tick must know of one to leave it so."""

from collections.abc import Mapping
from typing import NamedTuple

from processors.cell import store
from processors.units import INF

WOKEN_A_TICK = 250
"""Cells opened with each tick besides those that must be: a plant wakes over some ticks, not at one."""


class Asleep(NamedTuple):
    """A cell as its state keys."""

    parts: Mapping[str, bytes]
    """What follows `path|` → the key's bytes."""
    restless: bool
    """Whether something came in that no tick has derived yet."""
    settled: int
    watermark: int
    silent_from: int | None
    heard: int | None
    """The last sign of life."""

    @classmethod
    def of(cls, parts: Mapping[str, bytes]) -> "Asleep":
        if "cell" not in parts:
            return cls(parts, True, -INF, -INF, None, None)
        small = store.decode_small(parts["cell"])
        restless = bool(small.touched or small.acknowledged or small.replanned or small.fresh)
        heard = small.ends[-1] if small.ends else None
        return cls(parts, restless, small.settled, small.watermark, small.silent_from, heard)

    def stirs(self, now: int, watermark: int, bucket: int, silent_after_s: float | None) -> bool:
        """Whether a tick may have something to derive."""
        patience = INF if silent_after_s is None else silent_after_s * 1_000_000
        return (
            self.restless
            or now // bucket != self.settled // bucket
            or watermark // bucket != self.watermark // bucket
            or (self.silent_from is not None and self.silent_from != self.heard)
            or (self.silent_from is None and self.heard is not None and now - self.heard > patience)
        )
