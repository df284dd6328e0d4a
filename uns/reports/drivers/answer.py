"""What was asked and what was found, with what a loss costs, and the answer as a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from processors.analysis.association import Association
from processors.analysis.drivers import Comparison, Drivers, Finding, LevelFinding
from processors.analysis.effects import Effect
from processors.analysis.funnel import Funnel
from processors.analysis.observations import OUTCOMES, Of, Outcome
from processors.analysis.variance import Components
from schemas.text import iso

METHOD = (
    "Each factor is one test within strata (generalised Cochran–Mantel–Haenszel; of rates and means its like), held against "
    "the scatter of its own units (lots, orders, shifts), not of pieces. q: Benjamini–Yekutieli over all factors, a driver "
    "at q ≤ 0.05. Ratios and odds ratios: Mantel–Haenszel; differences of one stratum: Newcombe. Avoidable: what would not "
    "be at the rate of the best level within strata; the best is known only from the same history, so expect less"
)


@dataclass(frozen=True)
class Answer:
    """Times in µs; None for a table, which has none."""

    of: Of
    subject: str
    start: int | None
    end: int | None
    drivers: Drivers
    characteristic: str | None = None
    name: str | None = None
    """What a table calls the loss."""
    cost: float | None = None
    """Of a piece lost, a minute stood, or a second of cycle."""
    reasons: tuple[tuple[str, str, int, float], ...] = ()
    """Of downtime: reason, category, stops, minutes; the longest first."""
    nested: Components | None = None
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES[self.of]

    @property
    def words(self) -> str:
        return self.characteristic or self.name or self.outcome.words

    @property
    def found(self) -> Sequence[Finding]:
        """The drivers."""
        return [finding for finding in self.drivers.findings if finding.driver]


def document(answer: Answer) -> dict[str, Any]:
    """All of it; shares as ratios, rates in minutes an hour, means in their unit."""
    drivers, outcome = answer.drivers, answer.outcome
    return {
        "of": str(answer.of),
        "characteristic": answer.characteristic,
        "subject": answer.subject,
        "from": None if answer.start is None else iso(answer.start),
        "to": None if answer.end is None else iso(answer.end),
        "exposure": drivers.exposure,
        "exposure_unit": outcome.exposure_unit,
        "loss": drivers.loss,
        "loss_unit": outcome.loss_unit,
        "value": drivers.loss / drivers.exposure if drivers.exposure else None,
        "observations": drivers.observations,
        "drivers": [finding.factor for finding in answer.found],
        "factors": [_finding(finding, answer) for finding in drivers.findings],
        "reasons": [
            {"reason": name, "category": category, "stops": stops, "minutes": minutes}
            for name, category, stops, minutes in answer.reasons
        ],
        "components": None if answer.nested is None else _components(answer.nested),
        "method": METHOD,
        "notes": list(answer.notes),
    }


def _finding(finding: Finding, answer: Answer) -> dict[str, Any]:
    cost = answer.cost
    return {
        "factor": finding.factor,
        "driver": finding.driver,
        "p": finding.test.p,
        "q": finding.q,
        "q_benjamini_hochberg": finding.q_independent,
        "strata": list(finding.strata),
        "test": _association(finding.test),
        "crude": {
            **_association(finding.crude),
            "pearson_chi2": finding.chi2 if answer.outcome.kind == "share" else None,
            "cramer_v": finding.cramer_v if answer.outcome.kind == "share" else None,
        },
        "breslow_day": _breslow_day(finding),
        "best": finding.best,
        "avoidable": _effect(finding.avoidable),
        "avoidable_cost": None if cost is None or finding.avoidable.value is None else finding.avoidable.value * cost,
        "aliases": list(finding.aliases),
        "bins": finding.bins,
        "levels": [_level(level) for level in finding.levels],
        "levels_pooled": finding.pooled,
        "exposure_unknown": finding.unknown,
        "funnel": None if finding.funnel is None else _funnel(finding.funnel),
        "warnings": list(finding.warnings),
    }


def _breslow_day(finding: Finding) -> dict[str, float] | None:
    found = finding.homogeneity
    return None if found is None else {"chi2": found[0], "p": found[1]}


def _association(test: Association) -> dict[str, Any]:
    """`statistic` is χ² of independent units; `f` what is held against the scatter of units."""
    scattered = test.freedom > 0 and test.within != float("inf") and test.dispersion > 0
    return {
        "statistic": test.statistic,
        "freedom": test.freedom,
        "naive_p": test.naive_p,
        "dispersion": test.dispersion,
        "within_freedom": None if test.within == float("inf") else test.within,
        "f": test.statistic / test.freedom / test.dispersion if scattered else None,
        "eta_squared": test.share_explained,
    }


def _level(level: LevelFinding) -> dict[str, Any]:
    return {
        "level": level.name,
        "exposure": level.exposure,
        "loss": level.loss,
        "units": level.units,
        **_effect(level.value),
        "crude": _comparison(level.crude),
        "adjusted": _comparison(level.adjusted),
        "p": level.p,
        "q": level.q,
        "avoidable": _effect(level.avoidable),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "difference": _effect(found.difference),
        "ratio": _effect(found.ratio),
        "odds_ratio": _effect(found.odds_ratio),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {"value": effect.value, "low": effect.low, "high": effect.high}


def _funnel(found: Funnel) -> dict[str, Any]:
    return {
        "target": found.target,
        "dispersion": found.dispersion,
        "between_variance": found.between,
        "points": [
            {
                "level": point.name,
                "exposure": point.exposure,
                "value": point.value,
                "score": point.score,
                "warning": list(point.warning),
                "action": list(point.action),
                "outside": point.outside,
            }
            for point in found.points
        ],
    }


def _components(found: Components) -> dict[str, Any]:
    return {
        "mean": found.mean,
        "intraclass_correlation_interval": None if found.correlation is None else list(found.correlation),
        "levels": [
            {
                "level": part.name,
                "freedom": part.freedom,
                "sum_of_squares": part.sum_of_squares,
                "mean_square": part.mean_square,
                "variance": part.variance,
                "share": part.share,
                "f": part.f,
                "p": part.p,
            }
            for part in found.parts
        ],
    }
