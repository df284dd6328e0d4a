"""Cells that are not loaded yet since a restart, and what a tick must know of one to leave it so."""

from collections.abc import Mapping
from typing import NamedTuple

from processors.cell import store
from processors.units import INF

LOADED_PER_TICK = 250
"""Cells loaded with each tick besides those that must be: a plant comes back over some ticks, not at one."""


class Dormant(NamedTuple):
    """A cell as its state keys."""

    parts: Mapping[str, bytes]
    """What follows `path|` → the key's bytes."""
    unsettled: bool
    """Whether something came in that no tick has derived yet, or no snapshot shows."""
    settled: int
    watermark: int
    silent_from: int | None
    heard: int | None
    """The last sign of life."""
    wake: int = INF
    """After this time there is something to derive, though nothing came in."""

    @classmethod
    def of(cls, parts: Mapping[str, bytes]) -> "Dormant":
        if "cell" not in parts:
            return cls(parts, True, -INF, -INF, None, None)
        saved = store.decode_cell(parts["cell"])
        unsettled = bool(saved.touched or saved.awaited or saved.rescheduled or saved.fresh or saved.unshown)
        apart = any(saved.heard is not None and end > saved.heard for _, end in saved.gaps)
        silent_from = None if apart else saved.silent_from  # another may begin at the gap's edge
        return cls(parts, unsettled, saved.settled, saved.watermark, silent_from, saved.heard, saved.wake)

    def due(self, now: int, watermark: int, bucket_us: int, silent_after_s: float | None) -> bool:
        """Whether a tick may have something to derive."""
        patience = INF if silent_after_s is None else silent_after_s * 1_000_000
        return (
            self.unsettled
            or now > self.wake
            or now // bucket_us != self.settled // bucket_us
            or watermark // bucket_us != self.watermark // bucket_us
            or (self.silent_from is not None and self.silent_from != self.heard)
            or (self.silent_from is None and self.heard is not None and now - self.heard > patience)
        )
