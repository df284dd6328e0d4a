"""A group of tags: whether they go together as usual. Principal components, with Hotelling's T² and the residual Q."""

import math
from collections.abc import Sequence

import msgspec

from processors.anomaly.eigen import eigen
from processors.anomaly.verdict import Row, Verdict, calibrated, checked, parts, resolution
from processors.spc.distributions import f_quantile, normal_quantile


class Group(msgspec.Struct, tag="group", gc=False):
    """z = (x − mean)/s; scores t = Pz of the first a components; T² = Σ t²/λ, Q = |z − P'Pz|² (Jackson, A User's Guide to
    Principal Components, 1991). T² sees what is far away along the usual directions, Q what leaves them. Prefer `tag` where
    tags have nothing to do with each other, and `trees` where what goes together is no line.
    """

    means: list[float]
    spreads: list[float]
    vectors: list[list[float]]
    """Of the components that are kept."""
    variances: list[float]
    t2_limit: float
    q_limit: float | None
    """None: all components are kept, nothing is left over."""
    scale: float = 1.0

    def score(self, at: int, values: Sequence[float]) -> Verdict:
        """Raises ValueError for a value that is no finite number."""
        checked(values)
        z = [(value - mean) / spread for value, mean, spread in zip(values, self.means, self.spreads, strict=True)]
        scores = [math.fsum(p * of for p, of in zip(vector, z, strict=True)) for vector in self.vectors]
        t2 = math.fsum(t * t / variance for t, variance in zip(scores, self.variances, strict=True))
        along = [math.fsum(t * v[j] for t, v in zip(scores, self.vectors, strict=True)) for j in range(len(z))]
        rest = [of - part for of, part in zip(z, along, strict=True)]
        q = math.fsum(part * part for part in rest)
        by_t2, by_q = t2 / self.t2_limit, 0.0 if self.q_limit is None else q / self.q_limit
        details = {"t2": round(t2, 4), "q": round(q, 4)}
        if by_q >= by_t2:
            tag = max(range(len(z)), key=lambda j: abs(rest[j]))
            expected = self.means[tag] + self.spreads[tag] * along[tag]
        else:
            tag = max(range(len(z)), key=lambda j: self._part(j, z, scores))
            expected = self.means[tag]
        # a score grows with the distance, T² and Q with its square
        return Verdict(math.sqrt(max(by_t2, by_q)) / self.scale, tag, expected, details)

    def _part(self, j: int, z: Sequence[float], scores: Sequence[float]) -> float:
        """What a tag adds to T²."""
        terms = zip(scores, self.variances, self.vectors, strict=True)
        return z[j] * math.fsum(t / variance * vector[j] for t, variance, vector in terms)


def learn_group(rows: Sequence[Row], alpha: float, explained: float) -> Group:
    """`alpha`: chance of a period to be unusual for nothing, where values are normal and independent; each limit half of it."""
    fitted, rest = parts(rows)
    vectors = [values for _, values in fitted]
    n, size = len(vectors), len(vectors[0])
    means = [math.fsum(row[j] for row in vectors) / n for j in range(size)]
    spreads = [
        resolution(means[j], math.sqrt(math.fsum((row[j] - means[j]) ** 2 for row in vectors) / (n - 1)))
        for j in range(size)
    ]
    z = [[(row[j] - means[j]) / spreads[j] for j in range(size)] for row in vectors]
    alike = [[math.fsum(row[i] * row[j] for row in z) / (n - 1) for j in range(size)] for i in range(size)]
    variances, directions = eigen(alike)
    variances = [max(of, 1e-12) for of in variances]
    kept = _kept(variances, explained)
    t2_limit = t2_limit_of(kept, n, alpha / 2)
    q_limit = q_limit_of(variances[kept:], alpha / 2) if kept < size else None
    model = Group(means, spreads, directions[:kept], variances[:kept], t2_limit, q_limit)
    model.scale = calibrated(model, rest)
    return model


def _kept(variances: Sequence[float], explained: float) -> int:
    """How many components: as few as explain the share; one is left over for Q where there are more than one."""
    total, sum_ = math.fsum(variances), 0.0
    for number, of in enumerate(variances, 1):
        sum_ += of
        if sum_ >= explained * total:
            return min(number, max(1, len(variances) - 1))
    return max(1, len(variances) - 1)


def t2_limit_of(components: int, n: int, alpha: float) -> float:
    """a(n² − 1)/(n(n − a))·F(1 − α; a, n − a): of a new value, with mean and variances from n others.

    >>> round(t2_limit_of(2, 50, 0.01), 3)
    10.572
    """
    a = components
    return a * (n * n - 1) / (n * (n - a)) * f_quantile(1 - alpha, a, n - a)


def q_limit_of(left: Sequence[float], alpha: float) -> float:
    """Of the variances that no component explains (Jackson and Mudholkar, Technometrics 21, 1979):
    θ1·(1 + z·√(2·θ2·h²)/θ1 + θ2·h(h − 1)/θ1²)^(1/h) with h = 1 − 2θ1θ3/(3θ2²).

    >>> round(q_limit_of([0.5, 0.3, 0.1], 0.01), 4)
    4.0835
    """
    one, two, three = (math.fsum(of**power for of in left) for power in (1, 2, 3))
    h = 1 - 2 * one * three / (3 * two * two)
    z = normal_quantile(1 - alpha)
    inside = 1 + z * math.sqrt(2 * two * h * h) / one * (1 if h > 0 else -1) + two * h * (h - 1) / (one * one)
    return float(one * max(inside, 1e-12) ** (1 / h))
