"""Frequencies at which a rolling bearing shows its faults, from its geometry; and which peak of a spectrum is one of them."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SLIP = 0.03
"""By how much a real bearing turns slower or faster than its geometry says: balls slip by one to three per cent."""


class Bearing(NamedTuple):
    """Fault frequencies of a bearing with a standing outer race, as multiples of the shaft's.

    FTF = (1 − r)/2, BPFO = N·FTF, BPFI = N(1 + r)/2, BSF = (1 − r²)/(2r), r = d/D·cos α (Harris, Rolling Bearing Analysis). Of a
    fault of a ball 2·BSF is seen too, as it meets both races.

    >>> bearing = of_geometry(balls=9, ball_diameter=7.94, pitch_diameter=39.04)
    >>> [round(each, 4) for each in bearing]
    [0.3983, 3.5848, 5.4152, 2.3567]
    """

    cage: float
    """FTF."""
    outer_race: float
    """BPFO."""
    inner_race: float
    """BPFI."""
    ball: float
    """BSF."""

    def lines(self, peaks: Sequence[float], shaft: float, harmonics: int = 3, bands: int = 2) -> list["Line | None"]:
        """What each peak of an envelope spectrum is, within `SLIP`; None: nothing of this bearing. Peaks and `shaft`, the
        shaft's frequency, in one unit.

        A harmonic k·f is one by itself. A side band k·f ± m·b counts only beside its harmonic: b is the shaft's frequency at the
        inner race, which turns through the load, and the cage's at a ball (Randall and Antoni 2011); other parts have none.
        """
        plain = [self._harmonic(peak, shaft, harmonics) for peak in peaks]
        seen = {(line.part, line.harmonic): peak for line, peak in zip(plain, peaks, strict=True) if line is not None}
        return [
            line if line is not None else self._band(peak, shaft, seen, bands)
            for line, peak in zip(plain, peaks, strict=True)
        ]

    def _harmonic(self, peak: float, shaft: float, harmonics: int) -> "Line | None":
        nearest: tuple[float, Line] | None = None
        for part, multiple in zip(self._fields, self, strict=True):
            for harmonic in range(1, harmonics + 1):
                off = abs(peak / (multiple * harmonic * shaft) - 1)
                if off <= SLIP and (nearest is None or off < nearest[0]):
                    nearest = (off, Line(part, harmonic))
        return None if nearest is None else nearest[1]

    def _band(self, peak: float, shaft: float, seen: Mapping[tuple[str, int], float], bands: int) -> "Line | None":
        apart = {"inner_race": shaft, "ball": self.cage * shaft}
        for (part, harmonic), centre in sorted(seen.items()):
            for band in range(1, bands + 1) if part in apart else ():
                for sign in (-1, 1):
                    if abs(peak - (centre + sign * band * apart[part])) <= SLIP * band * apart[part]:
                        return Line(part, harmonic, sign * band)
        return None


class Line(NamedTuple):
    """A line of a spectrum."""

    part: str
    """cage, outer_race, inner_race or ball."""
    harmonic: int
    band: int = 0
    """How many side bands above (or below) the harmonic; 0: the harmonic itself."""


def of_geometry(balls: int, ball_diameter: float, pitch_diameter: float, contact_angle_deg: float = 0.0) -> Bearing:
    """Diameters in one unit of length. Raises ValueError for what is no bearing."""
    ratio = ball_diameter / pitch_diameter * math.cos(math.radians(contact_angle_deg)) if pitch_diameter > 0 else 0.0
    if balls < 3 or not 0 < ratio < 1:
        raise ValueError(
            f"{balls} balls of {ball_diameter} on a pitch diameter of {pitch_diameter} at {contact_angle_deg}° are no bearing"
        )
    cage = (1 - ratio) / 2
    return Bearing(cage, balls * cage, balls * (1 + ratio) / 2, (1 - ratio * ratio) / (2 * ratio))
