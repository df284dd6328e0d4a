"""The answer to read: sentences that a person understands first, the tables after."""

from collections.abc import Iterator

from processors.analysis.drivers import LEVEL, Finding, LevelFinding
from processors.analysis.effects import Effect
from processors.analysis.factors import OTHERS
from processors.analysis.funnel import Funnel, Point
from schemas.text import iso
from uns.reports.drivers.answer import METHOD, Answer
from uns.reports.words import between, number, table

SHOWN, REASONS, WIDTH = 12, 8, 41
"""Levels of a table, reasons, and characters of a funnel's line."""


def page(answer: Answer) -> str:
    """The whole page."""
    drivers, outcome = answer.drivers, answer.outcome
    scale = _scale(answer)
    span = (
        "" if answer.start is None or answer.end is None else f", {iso(answer.start)[:16]} … {iso(answer.end)[:16]} UTC"
    )
    whole = drivers.loss / drivers.exposure if drivers.exposure else None
    amount = f"{_count(drivers.exposure)} {outcome.exposure_unit}"
    loss = f"{_count(drivers.loss)} {outcome.loss_unit} of {amount}" if outcome.kind != "mean" else amount
    head = f"{answer.words} of {answer.subject}{span}: {loss}, {number(whole, scale)} {_unit(answer)}".rstrip()
    lines = [head, ""]
    lines += list(_sentences(answer))
    lines += ["", *_overview(answer)]
    for finding in answer.found:
        lines += ["", *_levels(finding, answer)]
    if answer.reasons:
        rows = [("reason", "category", "stops", "minutes")]
        rows += [
            (name, category, str(stops), number(minutes)) for name, category, stops, minutes in answer.reasons[:REASONS]
        ]
        lines += ["", "What people and machines gave as reasons:", *table(rows)]
    if answer.nested is not None:
        parts = [(part.name, number(part.variance), f"{part.share:.1%}") for part in answer.nested.parts]
        lines += ["", *table([("where the scatter is", "variance", "share"), *parts])]
    notes = [f"Note: {note}" for note in answer.notes]
    return readable("\n".join([*lines, "", *notes, f"Method: {METHOD}."]))


def readable(text: str) -> str:
    """Without what a terminal would obey: names come from records that anybody may have written."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def _sentences(answer: Answer) -> Iterator[str]:
    tested = [finding for finding in answer.drivers.findings if finding.q is not None]
    if not tested:
        yield "No factor could be looked into: each needs two levels or more with enough in them."
    elif not answer.found:
        yield (
            f"No driver was found: none of {len(tested)} factors differs by more than chance (q ≤ {LEVEL}). The strongest, "
            f"{tested[0].factor}, has q {tested[0].q:.2g}."
        )
    told = [
        one
        for n, one in enumerate(answer.found)
        if not any(one.factor in before.aliases for before in answer.found[:n])
    ]
    for place, finding in enumerate(told, 1):
        yield f"{place}. {_sentence(finding, answer)}"
        yield from (f"   Careful: {words}." for words in finding.warnings)
    for finding in answer.drivers.findings:
        if not finding.driver:
            yield from (f"Careful: {words}." for words in finding.warnings if words.startswith("the sign turns"))


def _sentence(finding: Finding, answer: Answer) -> str:
    level = worst(finding)
    outcome, scale, unit = answer.outcome, _scale(answer), _unit(answer)
    if level is None:
        return f"{finding.factor}: its levels differ"
    within = f", within {' and '.join(finding.strata)}" if finding.strata else ""
    if outcome.kind == "mean":
        by = _interval(level.adjusted.difference, 1.0, signed=True)
        told = f"{finding.factor} {level.name} differs by {by} {unit} from the rest".replace("  ", " ")
    else:
        times = _interval(level.adjusted.ratio)
        told = f"{finding.factor} {level.name} has {times} times the {answer.name or outcome.worse} of the rest"
    told += f" ({number(level.value.value, scale)} {unit}{within})".replace("  ", " ")
    if answer.characteristic is not None or finding.best is None or not finding.avoidable.value:
        return f"{told}."
    low, high = finding.avoidable.low or 0.0, finding.avoidable.high or 0.0
    saved = f"{_count(finding.avoidable.value)} ({_count(low)} … {_count(high)}) {outcome.loss_unit}"
    money = "" if answer.cost is None else f", {finding.avoidable.value * answer.cost:,.0f} in money"
    return f"{told}; had all been as {finding.best}, it would be {saved} less{money}."


def worst(finding: Finding) -> LevelFinding | None:
    """The level to speak of: of those that differ with certainty the one that costs most, else the most certain one."""
    named = [level for level in finding.levels if level.name != OTHERS and level.p is not None]
    certain = [level for level in named if level.q is not None and level.q <= LEVEL and _more(level)]
    if certain:
        return max(certain, key=lambda level: (level.avoidable.value or 0.0, level.name))
    return min(named, key=lambda level: (level.p or 0.0, level.name), default=None)


def _more(level: LevelFinding) -> bool:
    return (level.adjusted.difference.value or 0.0) > 0


def _overview(answer: Answer) -> list[str]:
    rows = [("factor", "levels", "q", "explains", "within", "could save", "driver")]
    for finding in answer.drivers.findings:
        explained = f"{finding.test.share_explained:.1%}" if finding.test.within != float("inf") else "–"
        rows.append(
            (
                finding.factor,
                str(len(finding.levels)),
                "–" if finding.q is None else f"{finding.q:.2g}",
                explained,
                ", ".join(finding.strata) or "–",
                _count(finding.avoidable.value) if answer.characteristic is None else "–",
                "yes" if finding.driver else "no",
            )
        )
    return table(rows) if len(rows) > 1 else []


def _levels(finding: Finding, answer: Answer) -> list[str]:
    outcome, scale = answer.outcome, _scale(answer)
    mean = outcome.kind == "mean"
    effect = "difference, adjusted" if mean else "ratio, adjusted"
    rows = [
        (
            finding.factor,
            outcome.exposure_unit,
            f"{answer.words} {_unit(answer)}".strip(),
            "95 % interval",
            effect,
            "q",
            "could save",
        )
    ]
    for level in finding.levels[:SHOWN]:
        adjusted = level.adjusted.difference if mean else level.adjusted.ratio
        rows.append(
            (
                level.name,
                _count(level.exposure),
                number(level.value.value, scale),
                between(level.value.low, level.value.high, scale),
                _interval(adjusted, signed=mean),
                "–" if level.q is None else f"{level.q:.2g}",
                _count(level.avoidable.value) if answer.characteristic is None else "–",
            )
        )
    lines = table(rows)
    if len(finding.levels) > SHOWN:
        lines.append(f"  and {len(finding.levels) - SHOWN} more; --json has all")
    if finding.pooled:
        lines.append(f"  {finding.pooled} levels with too little in them are together in {OTHERS}, or left out")
    if finding.funnel is not None and len(finding.funnel.points) > 2:
        lines += ["", *picture(finding.funnel, scale)]
    return lines


def picture(found: Funnel, scale: float = 1.0) -> list[str]:
    """The funnel as text, a line a level, from the smallest: `(` and `)` the limits of 99.8 %, `|` the target, ● the level."""
    low = min(min(point.action[0], point.value) for point in found.points)
    high = max(max(point.action[1], point.value) for point in found.points)
    rows = [("funnel", "exposure", f"{number(low, scale)} … {number(high, scale)}", "outside")]
    rows += [
        (point.name, _count(point.exposure), _line(point, found.target, low, high), point.outside or "–")
        for point in found.points[-SHOWN:]
    ]
    return table(rows)


def _line(point: Point, target: float, low: float, high: float) -> str:
    cells = ["·"] * WIDTH

    def put(value: float, mark: str) -> None:
        if high > low:
            cells[min(WIDTH - 1, max(0, round((value - low) / (high - low) * (WIDTH - 1))))] = mark

    for value, mark in ((point.action[0], "("), (point.action[1], ")"), (target, "|"), (point.value, "●")):
        put(value, mark)
    return "".join(cells)


def _interval(effect: Effect, scale: float = 1.0, signed: bool = False) -> str:
    if effect.low is None or effect.high is None:
        return number(effect.value, scale, signed)
    return f"{number(effect.value, scale, signed)} ({between(effect.low, effect.high, scale, signed)})"


def _count(value: float | None) -> str:
    """`12,345`; below ten with a digit."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:.1f}"


def _scale(answer: Answer) -> float:
    return 100.0 if answer.outcome.kind == "share" else 1.0


def _unit(answer: Answer) -> str:
    return answer.outcome.value_unit
