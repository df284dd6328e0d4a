"""Many tests at once: which of them may be called discoveries, with the expected share of false ones bounded. Pure.

Benjamini & Hochberg (1995), J. R. Statist. Soc. B 57:289, for tests that are independent or positively dependent;
Benjamini & Yekutieli (2001), Ann. Statist. 29:1165, for any dependence. When nothing is true, the chance of any discovery
is below the level, too.
"""

from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Each p adjusted, so that it may be held against the level by itself.

    >>> [round(q, 3) for q in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    count = len(p_values)
    adjusted = [0.0] * count
    least = 1.0
    for rank, index in sorted(enumerate(sorted(range(count), key=p_values.__getitem__), 1), reverse=True):
        least = min(least, p_values[index] * count / rank)
        adjusted[index] = least
    return adjusted


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """The same, whatever the tests have to do with each other: Σ 1/i times as strict."""
    harmonic = sum(1 / rank for rank in range(1, len(p_values) + 1))
    return benjamini_hochberg([p * harmonic for p in p_values])
