"""One tag by the hour of the week (UTC): what is usual on Monday at six is not on Sunday."""

from collections.abc import Sequence
from statistics import median

import msgspec

from processors.anomaly.robust import MAD_TO_SIGMA
from processors.anomaly.verdict import Row, Verdict, checked, resolution
from processors.spc.distributions import t_quantile
from processors.units import HOUR

WEEK_H = 168
EPOCH_H = 72
"""1970 began on a Thursday."""


def hour_of_week(at: int) -> int:
    """0 is Monday, 0 to 1 o'clock UTC.

    >>> hour_of_week(0), hour_of_week(4 * 24 * 3_600_000_000)
    (72, 0)
    """
    return (at // HOUR + EPOCH_H) % WEEK_H


class Season(msgspec.Struct, tag="season", gc=False):
    """z = (x − median of that hour) / (1.4826·MAD over all hours), widened for medians of few weeks.

    An hour that was learnt from fewer than two weeks is not judged. Prefer `tag` where nothing goes with the hour.
    """

    hours: list[float | None]
    spread: float
    limit: float

    def score(self, at: int, values: Sequence[float]) -> Verdict | None:
        """Raises ValueError for a value that is no finite number."""
        checked(values)
        expected = self.hours[hour_of_week(at)]
        if expected is None:
            return None
        z = (values[0] - expected) / self.spread
        return Verdict(abs(z) / self.limit, 0, expected, {"z": round(z, 4)})


def learn_season(rows: Sequence[Row], alpha: float) -> Season:
    """Residuals from a median of m values are too small by √(1 − 1/m); a new one differs by √(1 + π/(2m))."""
    by_hour: list[list[float]] = [[] for _ in range(WEEK_H)]
    for at, values in rows:
        by_hour[hour_of_week(at)].append(values[0])
    hours = [median(values) if len(values) > 1 else None for values in by_hour]
    told = [
        (value, middle) for values, middle in zip(by_hour, hours, strict=True) if middle is not None for value in values
    ]
    if not told:
        return Season(hours, 1.0, 1.0)
    buckets = sum(middle is not None for middle in hours)
    weeks = len(told) / buckets
    rests = [abs(value - middle) for value, middle in told]
    typical = median(abs(middle) for _, middle in told)
    spread = resolution(typical, MAD_TO_SIGMA * median(rests) / (1 - 1 / weeks) ** 0.5)
    freedom = max(2.0, float(len(told) - buckets))
    limit = t_quantile(1 - alpha / 2, freedom) * (1 + 1.5708 / weeks) ** 0.5
    return Season(hours, spread, max(limit, max(rests) / spread))
