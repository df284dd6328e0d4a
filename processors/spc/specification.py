"""Specification limits of a characteristic: which values break them, and which control limits reach beyond them."""

import struct
from dataclasses import dataclass

_SINGLE = struct.Struct("<f")


@dataclass(frozen=True, slots=True)
class Specification:
    """Lower and upper limit in the unit of measure, either of which may be missing."""

    lsl: float | None = None
    usl: float | None = None

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return self.lsl is not None or self.usl is not None

    def broken(self, value: float) -> str | None:
        """`usl` or `lsl`, whichever the value is beyond; None where it is within. On the limit is within.

        A source of single precision says a limit of 0.3 as 0.30000001192…: that is on the limit, too.
        """
        if self.usl is not None and value > self.usl:
            return "usl" if value != _single(self.usl) else None
        if self.lsl is not None and value < self.lsl:
            return "lsl" if value != _single(self.lsl) else None
        return None

    def limit(self, name: str) -> float | None:
        """The limit of a name that `broken` gives."""
        return self.usl if name == "usl" else self.lsl

    def exceeded(self, lcl: float, ucl: float) -> str | None:
        """In words, which control limits lie beyond the specification; None: none does.

        For an individuals chart, UCL above USL says (USL − mean) / 3σ < 1: the process makes pieces out of specification
        while it is in control (Cpk < 1; Montgomery, Introduction to Statistical Quality Control, ch. 8).
        """
        if (self.usl is None or ucl <= self.usl) and (self.lsl is None or lcl >= self.lsl):
            return None
        words = []
        if self.usl is not None and ucl > self.usl:
            words.append(f"UCL {ucl:.4g} above USL {self.usl:.4g}")
        if self.lsl is not None and lcl < self.lsl:
            words.append(f"LCL {lcl:.4g} below LSL {self.lsl:.4g}")
        return ", ".join(words)


NONE = Specification()
"""No limit."""


def _single(value: float) -> float:
    """The nearest number of single precision; the value itself where that has no room for it."""
    try:
        (nearest,) = _SINGLE.unpack(_SINGLE.pack(value))
    except OverflowError:
        return value
    return float(nearest)
