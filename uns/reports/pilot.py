"""`uns pilot report`: what a pilot has come to, as a record, as a page, and on the namespace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from processors.analysis.inference import CONFIDENCE, Estimate
from processors.analysis.pilot import Changeover, EndedOrder, Outcome, Period, Report, report
from processors.analysis.selection import Incomparable, at_level, closed, fitting, newest, of_definition, of_window
from processors.output.identity import natural_id, revised
from schemas.codec import Codec
from schemas.records import Inputs, Kpi, PilotEstimate, PilotTarget
from schemas.records import Pilot as PilotRecord
from schemas.text import moment, to_plain
from topology.model.pilot import PilotPlan, Target
from topology.namespace.filters import Filter
from topology.namespace.path import Level
from uns.kafka.publish import publish_derived
from uns.reports.plant import Known
from uns.reports.reading import changeovers, kpis, orders, pilots
from uns.reports.words import between, number, table
from uns.runtime.settings import Settings

METHOD = (
    f"Values are Σ/Σ over windows, changeovers or orders; intervals ({CONFIDENCE:.0%}) by delete-one jackknife over them and "
    "Student's t, of a relative change by the delta method. Reached: all of the interval is; on the way: certainly better, not "
    "certainly reached; cannot tell: the interval covers both. Mix-adjusted values weigh products as the baseline did, its "
    "proportions taken as given"
)


@dataclass(frozen=True)
class ExaminedPilot:
    """A report and what it was made from."""

    name: str
    pilot: PilotPlan
    report: Report
    definition: str
    level: str
    until: int
    day: tuple[int, int]
    inputs: Inputs
    now: int


def examine(
    settings: Settings, codec: Codec, name: str, known: Known, now: int, day: int | None = None
) -> ExaminedPilot:
    """Reads what the pilot needs and reports as of `now`, or of the end of the day that holds `day` (µs UTC).

    Raises `Incomparable`, and as `reading.kpis` does. `known` has a plant that has the pilot.
    """
    assert known.plant is not None
    pilot = known.plant.pilot[name]
    span = pilot.day(now if day is None else day)
    until = min(now, span[1], *([] if pilot.until is None else [pilot.at(pilot.until)]))
    if until <= pilot.begin:
        raise Incomparable(f"pilot {name}: nothing to report yet: it is measured from {pilot.since} on")
    wanted = Filter.parse(pilot.filter)
    start, end = pilot.before
    kinds = {pilot.window, "product", "order"}
    told = [
        record
        for record in closed(kpis(settings, codec, wanted, kinds, start, until), start, until)
        if record.started_at >= pilot.begin or (record.ended_at or until) <= end
    ]
    _, windows = of_window(told, [pilot.window])
    windows = at_level(windows, None if pilot.level is None else Level[pilot.level.upper()])
    label, windows = of_definition(windows, known.preferred, pilot.definition, f"pilot {name}, {wanted}")
    level = windows[0].path.count("/") + 1
    same = [kpi for kpi in told if kpi.definition == label and kpi.path.count("/") + 1 == level]
    measures = {target.measure for target in pilot.targets}
    changed = _changeovers(settings, codec, wanted, start, until) if "changeover" in measures else []
    ended = _orders(settings, codec, wanted, start, until, same) if "schedule_adherence" in measures else []

    def period(begin: int, stop: int) -> Period:
        return Period(
            [kpi for kpi in windows if begin <= kpi.started_at < stop],
            [kpi for kpi in same if kpi.window == "product" and begin <= kpi.started_at < stop],
            [changeover for changeover in changed if begin <= changeover.ended_at < stop],
            [order for order in ended if begin <= order.ended_at < stop],
        )

    definition = known.definitions.get(label)
    if definition is None:
        raise LookupError(f"KPI definition {label!r} is not known here; `uns kpi list` shows those that are")
    fitting(same, definition)
    reported = report(pilot.targets, period(start, end), period(pilot.begin, until), definition, known.more)
    warnings = (*reported.warnings, *_forgotten(known.plant.retention.derived_h, start, now))
    reported = Report(reported.outcomes, warnings)
    paths = len({kpi.path for kpi in windows})
    inputs = _inputs([kpi for kpi in windows if kpi.started_at >= pilot.begin] or windows)
    return ExaminedPilot(
        name, pilot, reported, label, f"{paths} × {Level(level).name.lower()}", until, span, inputs, now
    )


def _forgotten(kept_h: float | None, start: int, now: int) -> Iterator[str]:
    if kept_h is not None and start < now - kept_h * 3_600_000_000:
        yield (
            f"the baseline begins before what Kafka keeps (retention.derived_h {kept_h:g}): its first windows are gone; keep "
            "derived records longer before a pilot begins"
        )


def _changeovers(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Changeover]:
    return [
        Changeover(record.ended_at, record.ended_at - record.started_at)
        for record in newest(changeovers(settings, codec, wanted, start, end))
        if record.ended_at is not None and record.status != "provisional"
    ]


def _orders(
    settings: Settings, codec: Codec, wanted: Filter, start: int, end: int, windows: Sequence[Kpi]
) -> list[EndedOrder]:
    """Ended orders with a planned quantity whose windows are known. Several places of one order: their pieces summed."""
    facts = {order.id: order for order in orders(settings, codec, wanted, start, end)}
    good: dict[str, int] = {}
    for window in windows:
        if window.window == "order" and window.order is not None:
            good[window.order] = good.get(window.order, 0) + sum(pieces.good for pieces in window.pieces)
    return [
        EndedOrder(order.id, order.ended_at, order.planned_quantity, good[order.id])
        for order in facts.values()
        if order.planned_quantity is not None and order.ended_at is not None and order.id in good
    ]


def _inputs(windows: Sequence[Kpi]) -> Inputs:
    last = max(windows, key=lambda kpi: (kpi.started_at, kpi.path)).inputs
    place = last.topic, last.partition
    same = [kpi.inputs for kpi in windows if (kpi.inputs.topic, kpi.inputs.partition) == place]
    first = min(inputs.first_offset for inputs in same)
    return Inputs(*place, first, max(inputs.last_offset for inputs in same))


def record(examined: ExaminedPilot, revision: int = 0) -> PilotRecord:
    """The report as a derived record: its id says the pilot and the day."""
    path, (begin, end) = str(examined.pilot.path), examined.day
    status = "provisional" if examined.now < end else "corrected" if revision else "final"
    return PilotRecord(
        id=revised(natural_id(path, f"pilot-{examined.name}", begin, examined.definition), revision),
        path=path,
        started_at=begin,
        ended_at=end,
        definition=examined.definition,
        status=status,
        revision=revision,
        inputs=examined.inputs,
        name=examined.name,
        filter=examined.pilot.filter,
        baseline_from=examined.pilot.before[0],
        baseline_to=examined.pilot.before[1],
        since=examined.pilot.begin,
        until=examined.until,
        targets=tuple(_target(outcome) for outcome in examined.report.outcomes),
        warnings=examined.report.warnings,
    )


def _target(outcome: Outcome) -> PilotTarget:
    return PilotTarget(
        name=outcome.name,
        unit=outcome.unit,
        better=outcome.better,
        baseline=_estimate(outcome.baseline),
        since=_estimate(outcome.since),
        change=_estimate(outcome.change),
        relative=_estimate(outcome.relative),
        target=outcome.target,
        target_change=outcome.target_change,
        verdict=outcome.verdict,
        mix_baseline=None if outcome.mix is None else outcome.mix.baseline,
        mix_since=None if outcome.mix is None else _estimate(outcome.mix.since),
    )


def _estimate(estimate: Estimate) -> PilotEstimate:
    return PilotEstimate(value=estimate.value, low=estimate.low, high=estimate.high, windows=estimate.windows)


def publish(settings: Settings, codec: Codec, examined: ExaminedPilot) -> PilotRecord | None:
    """Writes the report where it says something new: other numbers or words, or the day is over. None: it is there already.

    Raises `NotPublished`, and as `reading.kpis` does.
    """
    draft = record(examined)
    there = [
        published
        for published in pilots(settings, codec, examined.pilot.path, examined.day[0])
        if published.natural_id == draft.natural_id
    ]
    if there:
        last = max(there, key=lambda published: published.revision)
        draft = record(examined, last.revision + 1)
        if _content(draft) == _content(last) and (draft.status == "provisional") == (last.status == "provisional"):
            return None
    publish_derived(settings, codec, draft)
    return draft


def _content(draft: PilotRecord) -> PilotRecord:
    """What makes a revision: not its number, nor until when nothing changed."""
    return msgspec.structs.replace(draft, id="", revision=0, status="", until=0)


def document(examined: ExaminedPilot) -> dict[str, Any]:
    """The record, with what it was measured by."""
    return {**to_plain(record(examined)), "window": examined.pilot.window, "level": examined.level, "method": METHOD}


def page(examined: ExaminedPilot) -> str:
    """The report to read."""
    pilot = examined.pilot
    (start, end), zone = pilot.before, ZoneInfo(pilot.zone)
    head = f"pilot {examined.name}: {pilot.filter}, {pilot.window} windows of {examined.level}, {examined.definition}"
    times = [moment(at).astimezone(zone).strftime("%Y-%m-%d %H:%M") for at in (start, end, pilot.begin, examined.until)]
    before, to, since, until = (text.removesuffix(" 00:00") for text in times)
    spans = f"baseline {before} … {to}, since {since} … {until} ({pilot.zone})"
    rows: list[tuple[str, ...]] = [("target", "unit", "baseline", "n", "since", "n", "change", "to reach", "verdict")]
    rows += [_row(target, outcome) for target, outcome in zip(pilot.targets, examined.report.outcomes, strict=True)]
    lines = [head, spans, "", *table(rows), ""]
    lines += [
        f"{outcome.name} with the baseline's product mix: {number(outcome.mix.baseline, _scale(outcome))} → "
        f"{_interval(outcome.mix.since, _scale(outcome))} {_unit(outcome)}, {outcome.mix.covered:.0%} of its pieces are of products made since"
        for outcome in examined.report.outcomes
        if outcome.mix is not None
    ]
    return "\n".join([*lines, *(f"Warning: {words}" for words in examined.report.warnings), "", f"Method: {METHOD}."])


def _row(target: Target, outcome: Outcome) -> tuple[str, ...]:
    scale = _scale(outcome)
    sign = "≥" if outcome.better == "higher" else "≤"
    if target.change is None:  # in points where it is a ratio
        change, goal = _interval(outcome.change, scale, signed=True), f"{sign} {number(target.value, scale)}"
    else:
        change, goal = _interval(outcome.relative, 100, signed=True, unit=" %"), f"{sign} {100 * target.change:+.3g} %"
    before, since = outcome.baseline, outcome.since
    return (
        outcome.name,
        _unit(outcome),
        _interval(before, scale),
        str(before.windows),
        _interval(since, scale),
        str(since.windows),
        change,
        goal,
        outcome.verdict,
    )


def _interval(estimate: Estimate, scale: float, signed: bool = False, unit: str = "") -> str:
    return f"{number(estimate.value, scale, signed)}{unit} ({between(estimate.low, estimate.high, scale, signed)})"


def _scale(outcome: Outcome) -> float:
    return 100.0 if outcome.unit == "1" else 1.0


def _unit(outcome: Outcome) -> str:
    return "%" if outcome.unit == "1" else outcome.unit
