"""Drivers of a loss: which factor's levels differ by more than chance, by how much, and what it would save. Pure.

Every factor is one test (`association`), within strata of product and line, and within the coarser factors that it is a
part of (a lot within its supplier), so that a difference is not told of what merely goes with it. q is p after Benjamini
and Yekutieli over all factors, for factors of one history hang together; a factor is a driver at q ≤ 0.05. Factors are
ranked by their evidence. Of a driver each level is compared with the rest, and what it would save if it were as the best.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from processors.analysis.association import Association, Cells, Kind, Unit, associate, p_value, standing_out
from processors.analysis.discovery import benjamini_hochberg, benjamini_yekutieli
from processors.analysis.effects import (
    UNKNOWN,
    Effect,
    Stratum,
    breslow_day,
    difference,
    odds_ratio,
    pooled,
    rate_ratio,
    ratio,
    value_of,
)
from processors.analysis.factors import OTHERS, Factor, cells, factors, merged
from processors.analysis.funnel import Funnel, funnel
from processors.analysis.observations import Observation, one_off

LEVEL = 0.05
"""Expected share of false drivers among those told."""
STRATA = ("product", "line", "machine")
LOOKED_AT = 12
"""Factors within which a driver's sign is looked at again, at most: those with the strongest evidence."""
BEST_UNITS = 2
"""Units that a level must have to be the best one, where units are known."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A level against the rest: difference (per piece, per hour, of the mean), ratio, odds ratio (of shares)."""

    difference: Effect
    ratio: Effect
    odds_ratio: Effect


@dataclass(frozen=True, slots=True)
class LevelFinding:
    """One level of a factor."""

    name: str
    exposure: float
    loss: float
    units: int
    value: Effect
    crude: Comparison
    adjusted: Comparison
    """Within strata."""
    p: float | None
    q: float | None
    """After Benjamini & Yekutieli over the factor's levels."""
    avoidable: Effect
    """Losses that would not be, were the level as the best within each stratum; 0 for the best."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One factor."""

    factor: str
    test: Association
    crude: Association
    """Of all strata as one, every piece for itself."""
    q: float | None
    q_independent: float | None
    """q if the tests of all factors were independent (Benjamini & Hochberg)."""
    driver: bool
    strata: tuple[str, ...]
    homogeneity: tuple[float, float] | None
    """Breslow and Day's χ² and p, of a factor with two levels."""
    best: str | None
    avoidable: Effect
    levels: tuple[LevelFinding, ...]
    """In order of name for bins, else from the worst."""
    funnel: Funnel | None
    aliases: tuple[str, ...]
    bins: bool
    pooled: int
    unknown: float
    """Exposure whose level is not known."""
    warnings: tuple[str, ...]

    @property
    def cramer_v(self) -> float | None:
        """Of the crude table of a share."""
        whole = math.fsum(level.exposure for level in self.levels)
        return math.sqrt(self.chi2 / whole) if self.test.freedom and whole > 1 else None

    @property
    def chi2(self) -> float:
        """Pearson's χ² of the crude table of a share."""
        whole = math.fsum(level.exposure for level in self.levels)
        return self.crude.statistic * whole / (whole - 1) if whole > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Drivers:
    """What was found."""

    kind: Kind
    exposure: float
    loss: float
    observations: int
    findings: tuple[Finding, ...]
    """From the strongest evidence to the weakest; those that could not be tested last."""


def drivers(
    observations: Sequence[Observation], kind: Kind, strata: Sequence[str] = STRATA, wanted: Sequence[str] = ()
) -> Drivers:
    """Every factor's finding. `wanted`: these factors alone. Neither the order of observations nor that of factors matters."""
    kept = [one for one in observations if one.exposure > 0 and math.isfinite(one.loss)]
    found = factors(kept, kind, wanted)
    by_name = {factor.name: factor for factor in found}
    first = [
        _tested(factor, [name for name in strata if name in by_name and factor.name not in by_name[name].within], kind)
        for factor in found
    ]
    tested = [index for index, one in enumerate(first) if one.test.p is not None]
    p_values = [first[index].test.p or 0.0 for index in tested]
    strict = dict(zip(tested, benjamini_yekutieli(p_values), strict=True))
    loose = dict(zip(tested, benjamini_hochberg(p_values), strict=True))
    ranked = sorted(range(len(first)), key=lambda index: _rank(first[index]))
    others = [first[index].factor for index in ranked[:LOOKED_AT]]
    # What comes again can be acted upon; what comes once is told first only where nothing else is a driver.
    ranked.sort(key=lambda index: (strict.get(index, 1.0) > LEVEL, one_off(first[index].factor.name)))
    findings = [_finding(first[index], kind, strict.get(index), loose.get(index), others) for index in ranked]
    exposure, loss = math.fsum(one.exposure for one in kept), math.fsum(one.loss for one in kept)
    return Drivers(kind, exposure, loss, len(kept), tuple(findings))


@dataclass(frozen=True, slots=True)
class _Tested:
    factor: Factor
    strata: tuple[str, ...]
    cells: Cells
    plain: Cells
    """Without strata."""
    own: bool
    test: Association


def _tested(factor: Factor, strata: Sequence[str], kind: Kind) -> _Tested:
    own = [name for name in dict.fromkeys([*strata, *factor.within]) if name not in (factor.name, *factor.aliases)]
    found, carried = cells(factor, own)
    test = associate(found, kind)
    if not test.freedom and factor.within:  # nothing is left to compare within the coarser ones
        own = [name for name in own if name not in factor.within]
        found, carried = cells(factor, own)
        test = associate(found, kind)
    if one_off(factor.name) and not math.isinf(test.within):
        test = replace(test, p=standing_out(found, kind, test.dispersion))
    if math.isinf(test.within) and any(row.hour is not None for row, _ in factor.rows):
        test = replace(test, p=None)  # whatever differs once differs by something
    return _Tested(factor, tuple(own), found, cells(factor, ())[0], carried, test)


def _rank(one: _Tested) -> tuple[bool, float, float, str]:
    test = one.test
    strength = test.statistic / test.freedom / test.dispersion if test.freedom and test.dispersion > 0 else 0.0
    return test.p is None, 1.0 if test.p is None else test.p, -strength, one.factor.name


def _finding(one: _Tested, kind: Kind, q: float | None, loose: float | None, others: Sequence[Factor]) -> Finding:
    factor = one.factor
    driver = q is not None and q <= LEVEL
    best = _best(one.cells, kind)
    levels = _levels(one, kind, best)
    whole = {name: _whole(strata) for name, strata in one.plain.items()}
    spread = one.test.dispersion if kind == "mean" else 1.0
    common = odds_ratio(_against(one.cells, sorted(one.cells)[0]))
    homogeneity = None
    if kind == "share" and len(one.cells) == 2 and common.value:
        homogeneity = breslow_day(_against(one.cells, sorted(one.cells)[0]), common.value)
    crude = associate({name: {"": [unit]} for name, unit in whole.items()}, kind)
    warnings = [*_warnings(one, homogeneity)]
    warnings += _flips(one, levels, kind)
    if driver or (kind == "share" and crude.naive_p <= LEVEL):
        warnings += chain.from_iterable(_flips_within(one, other, kind) for other in others)
    return Finding(
        factor.name,
        one.test,
        crude,
        q,
        loose,
        driver,
        one.strata,
        homogeneity,
        best,
        _total([level.avoidable for level in levels]),
        levels,
        funnel(whole, kind, spread),
        factor.aliases,
        factor.bins,
        factor.pooled,
        factor.unknown,
        tuple(dict.fromkeys(warnings)),
    )


def _levels(one: _Tested, kind: Kind, best: str | None) -> tuple[LevelFinding, ...]:
    found = []
    for name, strata in sorted(one.cells.items()):
        whole, dispersion = _whole(strata), one.test.dispersion
        against = _against(one.cells, name)
        plain = [pooled(against)]
        test = associate(merged(one.cells, name), kind)
        found.append(
            LevelFinding(
                name,
                whole.exposure,
                whole.loss,
                sum(map(len, strata.values())),
                value_of(plain[0], kind, dispersion),
                _comparison(plain, kind, 1.0 if kind == "share" else dispersion),
                _comparison(against, kind, dispersion),
                p_value(test.statistic, test.freedom, dispersion, one.test.within, kind)
                if one.test.p is not None
                else None,
                None,
                _avoidable(one, name, best, kind),
            )
        )
    tested = [level for level in found if level.p is not None]
    adjusted = benjamini_yekutieli([level.p or 0.0 for level in tested])
    by_name = {level.name: q for level, q in zip(tested, adjusted, strict=True)}
    found = [replace(level, q=by_name.get(level.name)) for level in found]
    if not one.factor.bins:
        found.sort(key=lambda level: (-(level.value.value or 0.0), level.name))
    return tuple(found)


def _comparison(strata: Sequence[Stratum], kind: Kind, dispersion: float) -> Comparison:
    if kind == "mean":
        return Comparison(difference(strata, kind, dispersion), UNKNOWN, UNKNOWN)
    of_one = kind == "rate" and len(strata) == 1 and dispersion == 1.0
    times = rate_ratio(strata[0]) if of_one else ratio(strata, kind, dispersion)
    odds = odds_ratio(strata, dispersion) if kind == "share" else UNKNOWN
    return Comparison(difference(strata, kind, dispersion), times, odds)


def _against(found: Cells, level: str, other: str | None = None) -> list[Stratum]:
    """A level against the rest, or against another level, stratum by stratum."""
    rest = merged(found, level)[""] if other is None else found[other]
    strata = []
    for stratum in sorted({*found[level], *rest}):
        one, against = _sum(found[level].get(stratum, ())), _sum(rest.get(stratum, ()))
        strata.append(Stratum(one.loss, one.exposure, against.loss, against.exposure))
    return strata


def _best(found: Cells, kind: Kind) -> str | None:
    """The level that loses least within strata, of those that have units enough to be believed."""
    units = {name: sum(map(len, strata.values())) for name, strata in found.items()}
    alone = max(units.values(), default=0) < BEST_UNITS
    ranked = []
    for name in sorted(found):
        if name == OTHERS or (units[name] < BEST_UNITS and not alone):
            continue
        strata = _against(found, name)
        value = difference(strata, kind).value if kind == "mean" else ratio(strata, kind).value
        if value is not None:
            ranked.append((value, name))
    return min(ranked)[1] if ranked else None


def _avoidable(one: _Tested, level: str, best: str | None, kind: Kind) -> Effect:
    """What of a level's loss would not be at the best one's rate, within strata; never below 0."""
    if best is None or level == best:
        return Effect(0.0, 0.0, 0.0)
    strata, whole = _against(one.cells, level, best), _whole(one.cells[level])
    if kind == "mean":
        found = difference(strata, kind, one.test.dispersion)
        scaled = [
            None if side is None else max(0.0, side * whole.exposure) for side in (found.value, found.low, found.high)
        ]
    else:
        found = ratio(strata, kind, one.test.dispersion)
        sides = (found.value, found.low, found.high)
        scaled = [None if side is None else max(0.0, whole.loss * (1 - 1 / side)) if side else 0.0 for side in sides]
    return UNKNOWN if scaled[0] is None else Effect(*scaled)


def _total(effects: Sequence[Effect]) -> Effect:
    known = [effect for effect in effects if effect.value is not None]
    sides = ([getattr(effect, side) or 0.0 for effect in known] for side in ("value", "low", "high"))
    return Effect(*map(math.fsum, sides)) if known else UNKNOWN


def _warnings(one: _Tested, homogeneity: tuple[float, float] | None) -> list[str]:
    factor = one.factor
    found = []
    if factor.aliases:
        names = ", ".join(factor.aliases)
        found.append(f"{factor.name} and {names} part the history in the same way: which of them it is cannot be told")
    if not one.own and one.test.p is not None and not math.isinf(one.test.within):
        found.append(
            f"too few lots, orders or shifts carry {factor.name}: a difference may be one of these, and not of {factor.name}"
        )
    if homogeneity is not None and homogeneity[1] <= LEVEL:
        found.append(
            f"the effect differs between {' and '.join(one.strata)} (Breslow–Day p {homogeneity[1]:.2g}): one number for "
            "all of them hides that"
        )
    if one.test.p is None:
        found.append(f"nothing repeats within {factor.name}: its differences cannot be held against chance")
    return found


def _flips(one: _Tested, levels: Sequence[LevelFinding], kind: Kind) -> list[str]:
    """Levels that look worse than the rest, and are better within strata, or the other way round."""
    if not one.strata:
        return []
    return [
        _turned(one.factor.name, level.name, level.crude, level.adjusted, " and ".join(one.strata))
        for level in levels
        if turns(level.crude, level.adjusted, kind)
    ]


def _flips_within(one: _Tested, other: Factor, kind: Kind) -> list[str]:
    """The same within one more factor, whichever it is."""
    name = other.name
    if name in (one.factor.name, *one.strata, *one.factor.aliases) or name in one.factor.within or other.bins:
        return []
    if one.factor.name in other.within:
        return []
    found, _ = cells(one.factor, (name,))
    turned = []
    for level in sorted(found):
        strata = _against(found, level)
        crude, adjusted = _comparison([pooled(strata)], kind, 1.0), _comparison(strata, kind, one.test.dispersion)
        if turns(crude, adjusted, kind):
            turned.append(_turned(one.factor.name, level, crude, adjusted, name))
    return turned


def turns(crude: Comparison, adjusted: Comparison, kind: Kind) -> bool:
    """Whether the sign flips, and is certain on one side at least (Simpson's paradox)."""
    pairs = [(crude.difference, adjusted.difference, 0.0)]
    if kind == "share":
        pairs = [(crude.odds_ratio, adjusted.odds_ratio, 1.0)]
    for first, second, none in pairs:
        if first.value is None or second.value is None:
            return False
        opposite = (first.value - none) * (second.value - none) < 0
        certain = any(
            side.low is not None and side.high is not None and not side.low <= none <= side.high
            for side in (first, second)
        )
        if opposite and certain:
            return True
    return False


def _turned(factor: str, level: str, crude: Comparison, adjusted: Comparison, within: str) -> str:
    first, second = crude.odds_ratio, adjusted.odds_ratio
    if first.value is None or second.value is None:
        first, second, unit = crude.difference, adjusted.difference, "difference"
    else:
        unit = "odds ratio"
    worse = (crude.difference.value or 0.0) > 0
    seems, is_ = ("worse", "better") if worse else ("better", "worse")
    return (
        f"the sign turns: {factor} {level} looks {seems} than the rest ({unit} {first.value:.3g}), and is {is_} within "
        f"{within} ({second.value:.3g}); what it was given to make differs, so believe the latter"
    )


def _whole(strata: Mapping[str, Sequence[Unit]]) -> Unit:
    return _sum([unit for units in strata.values() for unit in units])


def _sum(units: Sequence[Unit]) -> Unit:
    return Unit(math.fsum(unit.exposure for unit in units), math.fsum(unit.loss for unit in units))
