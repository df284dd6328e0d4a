"""The only clock of the runtime; a demo plant's clock may run faster than the wall's."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns now in microseconds UTC."""


def system() -> int:
    return time.time_ns() // 1000


def scaled(spec: str) -> Clock:
    """A clock from `<wall epoch s>,<plant epoch s>,<rate>`: plant time = plant epoch + rate · (now − wall epoch)."""
    wall_s, plant_s, rate = _parts(spec)
    return lambda: int((plant_s + rate * (time.time() - wall_s)) * 1_000_000)


def rate_of(spec: str | None) -> float:
    """How many times as fast as the wall's clock it runs."""
    return _parts(spec)[2] if spec else 1.0


def _parts(spec: str) -> tuple[float, float, float]:
    try:
        wall_s, plant_s, rate = (float(part) for part in spec.split(","))
    except ValueError:
        raise ValueError(
            f"UNS_CLOCK={spec!r}: three numbers are expected, <wall epoch s>,<plant epoch s>,<rate>"
        ) from None
    return wall_s, plant_s, rate


def from_spec(spec: str | None) -> Clock:
    return scaled(spec) if spec else system
