"""Parts of derived records that explain a number: what a factor, a level or a process value has to do with it."""

import msgspec


class DriverLevel(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One level of a factor against the rest, within strata."""

    level: str
    exposure: float
    loss: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    q: float | None
    avoidable: float | None


class DriverFactor(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One factor, with its evidence."""

    factor: str
    driver: bool
    p: float | None
    q: float | None
    strata: tuple[str, ...]
    best: str | None
    avoidable: float | None
    avoidable_low: float | None
    avoidable_high: float | None
    levels: tuple[DriverLevel, ...]
    warnings: tuple[str, ...]


class Contribution(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one process value adds to a prediction."""

    characteristic: str
    value: float | None
    log_odds: float
