"""Whether a chart alarms more often than people said they can live with."""

from processors.spc.distributions import gamma_cdf

SURE = 0.01
"""So unlikely must as many alarms be under the budget that they are said to be beyond it."""
REMEMBERED = 20
"""Budgets' worth of points that are counted; then both counts are halved, so that the old is forgotten."""


def beyond_budget(alarms: int, points: int, budget: int) -> bool:
    """Whether `alarms` in `points` are more than one in `budget` points gives by chance: P(X ≥ alarms) < `SURE` for a Poisson
    number of mean points/budget, which is P(alarms, mean) of the incomplete gamma function.

    >>> beyond_budget(2, 370, 370), beyond_budget(5, 370, 370)
    (False, True)
    """
    return alarms > 0 and gamma_cdf(points / budget, alarms) < SURE


def counted(alarms: int, points: int, budget: int) -> tuple[int, int]:
    """Both counts, bounded."""
    if points <= REMEMBERED * budget:
        return alarms, points
    return alarms // 2, points // 2
