"""From a question to its answer: material, observations, findings, and what stands beside them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from processors.analysis.drivers import STRATA, drivers
from processors.analysis.observations import OUTCOMES, Observation, Of
from processors.analysis.selection import newest
from processors.analysis.variance import Components, components
from schemas.records import Downtime
from uns.reports.drivers import material as gathered
from uns.reports.drivers.answer import Answer
from uns.reports.drivers.material import Material
from uns.reports.drivers.table import Columns, observations, rows_of
from uns.reports.plant import Known


@dataclass(frozen=True)
class Question:
    """Times in µs; None for a table."""

    of: Of
    subject: str
    start: int | None = None
    end: int | None = None
    characteristic: str | None = None
    factors: Sequence[str] = ()
    """These alone; none: all."""
    strata: Sequence[str] | None = None
    """None: product, line and machine, of records."""
    nest: Sequence[str] = ()
    """Factors from the outermost in, whose components of variance are wanted."""
    cost: float | None = None


def of_material(question: Question, material: Material, known: Known) -> Answer:
    """Raises `Incomparable` and `Absent`."""
    rows = gathered.observations(material, question.of, known, question.characteristic)
    reasons = _reasons(material) if question.of is Of.DOWNTIME else ()
    return _answered(question, rows, STRATA if question.strata is None else question.strata, reasons=reasons)


def of_table(question: Question, text: str, columns: Columns) -> Answer:
    """Raises `Incomparable` and `Absent`."""
    rows, notes = observations(rows_of(text), question.of, columns, question.characteristic)
    return _answered(question, rows, question.strata or (), tuple(notes), name=columns.loss)


def _answered(
    question: Question,
    rows: Sequence[Observation],
    strata: Sequence[str],
    notes: tuple[str, ...] = (),
    reasons: tuple[tuple[str, str, int, float], ...] = (),
    name: str | None = None,
) -> Answer:
    found = drivers(rows, OUTCOMES[question.of].kind, strata, question.factors)
    known = {name for one in rows for name in (*one.levels, *one.values)}
    notes += tuple(
        f"{name} is in no observation; there are {', '.join(sorted(known)) or 'none'}"
        for name in dict.fromkeys([*question.factors, *(question.strata or ()), *question.nest])
        if name not in known
    )
    notes += tuple(
        f"{finding.factor} is not known of {finding.unknown:.6g} of {found.exposure:.6g} {OUTCOMES[question.of].exposure_unit}"
        for finding in found.findings
        if finding.unknown
    )
    return Answer(
        question.of,
        question.subject,
        question.start,
        question.end,
        found,
        question.characteristic,
        name,
        question.cost,
        reasons,
        _nested(rows, question.nest) if question.nest else None,
        notes,
    )


def _nested(rows: Sequence[Observation], names: Sequence[str]) -> Components | None:
    """Components of the observations' means; those that lack a level are left out."""
    return components(
        (
            (tuple(one.levels[name] for name in names), one.loss / one.exposure)
            for one in rows
            if one.exposure > 0 and all(name in one.levels for name in names)
        ),
        names,
    )


def _reasons(material: Material) -> tuple[tuple[str, str, int, float], ...]:
    """(reason, category, stops, minutes), the longest first."""
    stops: Counter[tuple[str, str]] = Counter()
    minutes: Counter[tuple[str, str]] = Counter()
    for record in newest(material.of(Downtime)):
        key = record.reason or "(no reason given)", record.category or "–"
        stops[key] += record.new_reason
        minutes[key] += ((record.ended_at or record.started_at) - record.started_at) // 1_000_000
    ranked = sorted(minutes, key=lambda key: (-minutes[key], key))
    return tuple((*key, stops[key], minutes[key] / 60) for key in ranked)
