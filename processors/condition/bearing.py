"""Frequencies at which a rolling bearing shows its faults, from its geometry; and which peak of a spectrum is one of them."""

import math
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

    def fault_at(self, frequency: float, shaft: float, harmonics: int = 3) -> str | None:
        """Name of the part whose fault frequency, or a harmonic of it, a peak of an envelope spectrum is (both in one unit),
        within `SLIP`; the nearest where there are several."""
        nearest: tuple[float, str] | None = None
        for name, multiple in zip(self._fields, self, strict=True):
            for harmonic in range(1, harmonics + 1):
                off = abs(frequency / (multiple * harmonic * shaft) - 1)
                if off <= SLIP and (nearest is None or off < nearest[0]):
                    nearest = (off, name)
        return None if nearest is None else nearest[1]


def of_geometry(balls: int, ball_diameter: float, pitch_diameter: float, contact_angle_deg: float = 0.0) -> Bearing:
    """Diameters in one unit of length. Raises ValueError for what is no bearing."""
    ratio = ball_diameter / pitch_diameter * math.cos(math.radians(contact_angle_deg)) if pitch_diameter > 0 else 0.0
    if balls < 3 or not 0 < ratio < 1:
        raise ValueError(
            f"{balls} balls of {ball_diameter} on a pitch diameter of {pitch_diameter} at {contact_angle_deg}° are no bearing"
        )
    cage = (1 - ratio) / 2
    return Bearing(cage, balls * cage, balls * (1 + ratio) / 2, (1 - ratio * ratio) / (2 * ratio))
