"""Factors of observations: process values in bins, rare levels together, which factor is within which, and their cells. Pure."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from processors.analysis.association import Cells, Kind, Unit
from processors.analysis.observations import Observation

OTHERS = "(others)"
"""Levels with too little to be held against anything, together."""
LEVELS_MAX = 60
"""Levels of a factor; of more, those with the least exposure become `OTHERS`. Bounds time and memory."""
FACTORS_MAX = 200
EXPECTED_MIN = 5.0
"""Losses that a level must be expected to have, and pieces not lost (Cochran 1954): below, χ² is no guide."""
BINS = 5
WITHIN = 0.99
"""A factor is within another where so much of each of its levels' exposure is of one level of the other."""
CARRIERS_MIN = 2
"""Degrees of freedom that the units of a factor's own carriers must leave; else its periods are the units."""


@dataclass(slots=True)
class Factor:
    """One factor and everything that its tests need."""

    name: str
    rows: list[tuple[Observation, str]] = field(default_factory=list)
    """Observations with the level that they have."""
    unknown: float = 0.0
    """Exposure of observations whose level is not known."""
    pooled: int = 0
    """Levels that became `OTHERS`."""
    bins: bool = False
    """Whether levels are bins of a process value, in order."""
    within: tuple[str, ...] = ()
    """Coarser factors that it lies within: it is looked at inside of each of their levels."""
    aliases: tuple[str, ...] = ()
    """Factors that part the observations just as this one does: nothing tells them apart."""

    @property
    def exposures(self) -> dict[str, float]:
        return _sums((level, one.exposure) for one, level in self.rows)

    @property
    def losses(self) -> dict[str, float]:
        return _sums((level, one.loss) for one, level in self.rows)


def factors(observations: Sequence[Observation], kind: Kind, wanted: Iterable[str] = ()) -> list[Factor]:
    """Every factor with two levels or more, in order of name, rare levels pooled. `wanted`: these alone, where any is named."""
    only = set(wanted)
    named = sorted({name for one in observations for name in one.levels})
    binned = sorted({name for one in observations for name in one.values} - set(named))
    found = []
    for name in (name for name in [*named, *binned] if not only or name in only):
        levels = _binned(observations, name) if name in binned else [one.levels.get(name) for one in observations]
        factor = Factor(name, bins=name in binned)
        for one, level in zip(observations, levels, strict=True):
            if level is None:
                factor.unknown += one.exposure
            elif one.exposure > 0:
                factor.rows.append((one, level))
        _pool(factor, kind)
        if len(factor.exposures) > 1:
            found.append(factor)
    found = found[:FACTORS_MAX]
    _nest(found, only)
    return found


def _binned(observations: Sequence[Observation], name: str) -> list[str | None]:
    """Fifths of a value; a value that takes few values is its own levels."""
    known = sorted(one.values[name] for one in observations if name in one.values and math.isfinite(one.values[name]))
    distinct = sorted(set(known))
    if len(distinct) <= BINS:
        edges, names = distinct[:-1], [f"{value:.6g}" for value in distinct]
    else:
        edges = sorted({known[len(known) * part // BINS - 1] for part in range(1, BINS)} - {distinct[-1]})
        names = [_bin(edges, place) for place in range(len(edges) + 1)]
    found: list[str | None] = []
    for one in observations:
        value = one.values.get(name)
        found.append(None if value is None or not math.isfinite(value) else names[bisect_left(edges, value)])
    return found


def _bin(edges: Sequence[float], place: int) -> str:
    """`1: ≤ 3.2`, `2: 3.2 … 4.1`, `3: > 4.1`: sorts by what it says."""
    if not edges:
        return "1: all"
    if place == 0:
        return f"1: ≤ {edges[0]:.6g}"
    if place == len(edges):
        return f"{place + 1}: > {edges[-1]:.6g}"
    return f"{place + 1}: {edges[place - 1]:.6g} … {edges[place]:.6g}"


def _pool(factor: Factor, kind: Kind) -> None:
    """Puts rare levels together, and leaves them out where even together they are rare."""
    exposures = factor.exposures
    whole, loss = math.fsum(exposures.values()), math.fsum(factor.losses.values())
    if whole <= 0:
        factor.rows.clear()
        return
    least = 0.0
    if kind == "share":
        rate = min(loss, whole - loss) / whole
        least = EXPECTED_MIN / rate if rate > 0 else math.inf
    ranked = sorted(exposures, key=lambda level: (-exposures[level], level))
    kept = {level for level in ranked[:LEVELS_MAX] if exposures[level] >= least}
    rare = [level for level in ranked if level not in kept]
    factor.pooled = len(rare)
    together = math.fsum(exposures[level] for level in rare)
    if rare and together >= least:
        factor.rows = [(one, level if level in kept else OTHERS) for one, level in factor.rows]
    else:
        factor.rows = [(one, level) for one, level in factor.rows if level in kept]


def _nest(found: Sequence[Factor], only: set[str]) -> None:
    """Notes for each factor which coarser ones it lies within, and which are the same under another name."""
    owners = {
        (fine.name, coarse.name): _inside(fine, coarse)
        for fine in found
        for coarse in found
        if fine is not coarse and not fine.bins and not coarse.bins
    }
    for fine in found:
        coarser, same = [], []
        for other in found:
            if not owners.get((fine.name, other.name)):
                continue
            if owners.get((other.name, fine.name)):
                same.append(other.name)
            elif other.name not in coarser:
                coarser.append(other.name)
        fine.within, fine.aliases = tuple(coarser), tuple(same)


def _inside(fine: Factor, coarse: Factor) -> bool:
    """Whether each level of one is, but for a hundredth of its exposure, of one level of the other."""
    levels = {id(one): level for one, level in coarse.rows}
    shared: dict[str, dict[str, float]] = {}
    for one, level in fine.rows:
        if (other := levels.get(id(one))) is not None and OTHERS not in (level, other):
            inner = shared.setdefault(level, {})
            inner[other] = inner.get(other, 0.0) + one.exposure
    if len({max(sorted(inner), key=inner.__getitem__) for inner in shared.values()}) < 2:
        return False
    return all(max(inner.values()) >= WITHIN * math.fsum(inner.values()) for inner in shared.values())


def cells(factor: Factor, strata: Sequence[str]) -> tuple[Cells, bool]:
    """The factor's cells within strata, and whether their units are what carries the factor: lots of a supplier, orders of a
    product, else periods. Where these are too few, what they did in each period is a unit, else what they did in each hour.
    """
    namings: list[Callable[[Observation], str]] = [
        lambda one: one.clusters.get(factor.name, one.period),
        lambda one: f"{one.clusters.get(factor.name, '')}|{one.period}",
        lambda one: f"{one.clusters.get(factor.name, '')}|{one.period}|{one.hour}",
    ]
    found: Cells = {}
    for place, naming in enumerate(namings):
        found = _cells(factor.rows, strata, naming)
        if _freedom(found) >= max(CARRIERS_MIN, len(found) - 1):
            return found, place == 0 or not any(factor.name in one.clusters for one, _ in factor.rows)
    return found, False


def _cells(rows: Sequence[tuple[Observation, str]], strata: Sequence[str], unit: Callable[[Observation], str]) -> Cells:
    sums: dict[str, dict[str, dict[str, tuple[list[float], list[float]]]]] = {}
    for one, level in rows:
        stratum = stratum_of(one, strata)
        exposures, losses = sums.setdefault(level, {}).setdefault(stratum, {}).setdefault(unit(one), ([], []))
        exposures.append(one.exposure)
        losses.append(one.loss)
    return {
        level: {
            stratum: [Unit(math.fsum(units[key][0]), math.fsum(units[key][1]), key) for key in sorted(units)]
            for stratum, units in inner.items()
        }
        for level, inner in sums.items()
    }


def stratum_of(one: Observation, strata: Sequence[str]) -> str:
    """What an observation is compared within: `product cola, line acme/…`."""
    return ", ".join(f"{name} {one.levels.get(name, '?')}" for name in strata)


def _freedom(found: Cells) -> int:
    """How many units there are beyond one in each cell."""
    units = {(level, unit.name) for level, strata in found.items() for some in strata.values() for unit in some}
    return len(units) - sum(map(len, found.values()))


def merged(found: Cells, level: str) -> Cells:
    """A level against all the others together; a unit that has some of each stays two."""
    rest: dict[str, list[Unit]] = {}
    for other, strata in sorted(found.items()):
        if other != level:
            for stratum, units in strata.items():
                rest.setdefault(stratum, []).extend(units)
    return {level: found[level], "": rest}


def _sums(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    parts: dict[str, list[float]] = {}
    for name, value in pairs:
        parts.setdefault(name, []).append(value)
    return {name: math.fsum(some) for name, some in parts.items()}
