"""`uns kpi compare`: what to read for which question, and the answer as a document and as a page."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from processors.analysis.comparison import METHOD, MORE, Comparison, Difference, Group, compare
from processors.analysis.inference import Estimate
from processors.analysis.measure import Measure, measure
from processors.analysis.selection import By, Samples, at_level, closed, fitting, grouped, of_definition, of_window
from processors.analysis.supply import by_supplier, refuse_time
from schemas.codec import Codec
from schemas.text import iso
from topology.kpi.definition import Definition, KpiFormula
from topology.model.kpis import look_up
from topology.namespace.filters import Filter
from topology.namespace.path import Level
from uns.reports.reading import kpis, lots, productions
from uns.reports.words import between, number, table
from uns.runtime.settings import Settings

SHOWN = 20
"""Differences on the page; of more only those that are more than noise. The document has all."""


@dataclass(frozen=True)
class Question:
    """What to compare. Times in µs, `end` excluded."""

    kpi: str
    wanted: Filter
    by: By
    start: int
    end: int
    window: str | None = None
    level: Level | None = None
    definition: str | None = None
    material: str | None = None


@dataclass(frozen=True)
class GroupComparison:
    question: Question
    measure: Measure
    window: str
    level: str
    result: Comparison
    notes: tuple[str, ...]


def answer(
    settings: Settings,
    codec: Codec,
    question: Question,
    definitions: Mapping[str, Definition],
    preferred: str | None,
    more: Mapping[str, KpiFormula],
) -> GroupComparison:
    """Raises `Incomparable`, `LookupError` for a KPI or a definition that is not known, and as `reading.kpis` does.

    `definitions` by label; `preferred`: the plant's; `more`: KPIs of the sites.
    """
    if question.by is By.SUPPLIER:
        return _of_suppliers(settings, codec, question, definitions, preferred, more)
    usual = {By.PRODUCT: ["product"], By.SHIFT: ["shift"]}.get(question.by, ["shift", "day"])
    given = question.window if question.by not in (By.PRODUCT, By.SHIFT) else None
    kinds = usual if given is None else [given]
    told = kpis(settings, codec, question.wanted, kinds, question.start, question.end)
    window, windows = of_window(closed(told, question.start, question.end), kinds)
    level = {By.LINE: Level.LINE, By.CELL: Level.CELL}.get(question.by, question.level)
    windows = at_level(windows, level, Level.SITE if question.by is By.SITE else Level.ENTERPRISE)
    label, windows = of_definition(windows, preferred, question.definition, str(question.wanted))
    measured = measure(look_up(definitions, label), question.kpi, more=more)
    fitting(windows, measured.definition)
    samples = grouped(windows, question.by)
    name = f"{len({record.path for record in windows})} × {_level(windows[0].path)}"
    return GroupComparison(
        question, measured, window, name, compare(samples, measured), tuple(_notes(samples, question.by))
    )


def _of_suppliers(
    settings: Settings,
    codec: Codec,
    question: Question,
    definitions: Mapping[str, Definition],
    preferred: str | None,
    more: Mapping[str, KpiFormula],
) -> GroupComparison:
    measured = measure(look_up(definitions, question.definition or preferred or "iso22400@2"), question.kpi, more=more)
    refuse_time(measured)
    told = lots(settings, codec, question.wanted, question.start, question.end)
    made = productions(settings, codec, question.wanted, question.start, question.end)
    joined = by_supplier(made, told, question.material)
    notes = [f"{joined.pieces} pieces counted from production records, lots of {joined.material}"]
    if joined.without_lot:
        notes.append(f"{joined.without_lot} pieces left out: no lot was in use")
    if joined.at_change:
        notes.append(f"{joined.at_change} pieces left out: made while a lot changed, or with two in use")
    paths = {record.path for record in made}
    if len(paths) > 1:
        notes.append(f"a piece counts at each of {len(paths)} machines that it passes; narrow FILTER for one of them")
    return GroupComparison(
        question, measured, "lot", f"{len(paths)} × cell", compare(joined.samples, measured), tuple(notes)
    )


def _level(path: str) -> str:
    return Level(path.count("/") + 1).name.lower()


def _notes(samples: Samples, by: By) -> Iterator[str]:
    if len(samples) == 1:
        yield f"only one {by}: nothing to compare it with"
    if by is By.SHIFT and len(samples) > 6 and all(len(units) == 1 for units in samples.values()):
        yield "every shift has a name of its own: ids that end or begin with a date (2026-11-23-early) are grouped by the rest"


def document(answer: GroupComparison) -> dict[str, Any]:
    """All of it, values in the KPI's unit; points are hundredths of a ratio."""
    return {
        "kpi": answer.question.kpi,
        "by": str(answer.question.by),
        "filter": str(answer.question.wanted),
        "from": iso(answer.question.start),
        "to": iso(answer.question.end),
        "window": answer.window,
        "level": answer.level,
        "definition": answer.measure.label,
        "formula": answer.measure.formula.formula,
        "unit": answer.measure.formula.unit,
        "trend": answer.measure.formula.trend,
        "groups": [_group(group) for group in answer.result.groups],
        "differences": [_difference(pair, answer.measure) for pair in answer.result.differences],
        "method": METHOD,
        "notes": list(answer.notes),
    }


def _interval(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "standard_error": estimate.error}


def _group(group: Group) -> dict[str, Any]:
    return {
        "group": group.name,
        "windows": group.value.windows,
        "pieces": group.pieces,
        "planned_h": round(group.planned_h, 6),
        "coverage": group.coverage,
        **_interval(group.value),
        "proportion": list(group.proportion) if group.proportion else None,
        "wilson": list(group.pieces_interval) if group.pieces_interval else None,
        "unknown_quantities": list(group.missing),
    }


def _difference(pair: Difference, measure: Measure) -> dict[str, Any]:
    scaled = {
        name: None if value is None else value * measure.scale
        for name, value in (("low", pair.effect.low), ("high", pair.effect.high))
    }
    effect = None if pair.effect.value is None else pair.effect.value * measure.scale
    return {
        "from": pair.first,
        "to": pair.second,
        "difference": effect,
        **scaled,
        "unit": measure.difference_unit,
        "verdict": pair.verdict,
        "test": pair.test,
        "p": pair.p,
        "p_holm": pair.p_adjusted,
    }


def page(answer: GroupComparison) -> str:
    """The answer to read."""
    question, unit, scale = answer.question, answer.measure.shown_unit, answer.measure.scale
    span = f"{iso(question.start)[:16]} … {iso(question.end)[:16]} UTC"
    head = f"{question.kpi} by {question.by}, {question.wanted}, {span}: {answer.window} windows of {answer.level}, {answer.measure.label}"
    rows = [
        (
            str(question.by),
            "windows",
            "planned h",
            "seen",
            "pieces",
            f"{question.kpi} {unit}",
            "95 % interval",
            "Wilson",
        )
    ]
    rows += [
        (
            group.name,
            str(group.value.windows),
            f"{group.planned_h:.1f}" if group.planned_h else "–",
            "–" if group.coverage is None else f"{100 * group.coverage:.1f} %",
            str(group.pieces),
            number(group.value.value, scale),
            between(group.value.low, group.value.high, scale),
            between(*group.pieces_interval, scale) if group.pieces_interval else "–",
        )
        for group in answer.result.groups
    ]
    lines = [head, "", *table(rows), ""]
    lines += [
        f"{group.name}: {', '.join(group.missing)} not known in every window, so there is no value"
        for group in answer.result.groups
        if group.missing
    ]
    lines += _sentences(answer)
    return "\n".join([*lines, *(f"Note: {note}" for note in answer.notes), "", f"Method: {METHOD}."])


def _sentences(answer: GroupComparison) -> Iterator[str]:
    """All differences; of many only those that are more than noise, and how many others there are."""
    told = sorted(answer.result.differences, key=lambda pair: (pair.verdict != MORE, pair.p_adjusted or 0.0))
    shown = told if len(told) <= SHOWN else [pair for pair in told if pair.verdict == MORE][:SHOWN]
    yield from (_sentence(pair, answer.measure) for pair in shown)
    if left := Counter(pair.verdict for pair in told[len(shown) :]):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(left.items()))
        yield f"other pairs: {counts}; --json has all"


def _sentence(pair: Difference, measure: Measure) -> str:
    effect = pair.effect
    how = ""
    if pair.p_adjusted is not None:
        how = f" (p {pair.p_adjusted:.2g} after Holm, {pair.test})"
    if effect.value is None:
        return f"{pair.first} → {pair.second}: no value"
    interval = between(effect.low, effect.high, measure.scale, signed=True)
    return (
        f"{pair.first} → {pair.second}: {number(effect.value, measure.scale, signed=True)} {measure.difference_unit} "
        f"({interval}): {pair.verdict}{how}"
    )
