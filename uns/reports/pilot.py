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
class PilotReport:
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


def examine(settings: Settings, codec: Codec, name: str, known: Known, now: int, day: int | None = None) -> PilotReport:
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
    same = [one for one in told if one.definition == label and one.path.count("/") + 1 == level]
    measures = {target.measure for target in pilot.targets}
    changed = _changeovers(settings, codec, wanted, start, until) if "changeover" in measures else []
    ended = _orders(settings, codec, wanted, start, until, same) if "schedule_adherence" in measures else []

    def period(begin: int, stop: int) -> Period:
        return Period(
            [one for one in windows if begin <= one.started_at < stop],
            [one for one in same if one.window == "product" and begin <= one.started_at < stop],
            [one for one in changed if begin <= one.ended_at < stop],
            [one for one in ended if begin <= one.ended_at < stop],
        )

    definition = known.definitions.get(label)
    if definition is None:
        raise LookupError(f"KPI definition {label!r} is not known here; `uns kpi list` shows those that are")
    fitting(same, definition)
    found = report(pilot.targets, period(start, end), period(pilot.begin, until), definition, known.more)
    warnings = (*found.warnings, *_forgotten(known.plant.retention.derived_h, start, now))
    found = Report(found.outcomes, warnings)
    paths = len({one.path for one in windows})
    inputs = _inputs([one for one in windows if one.started_at >= pilot.begin] or windows)
    return PilotReport(name, pilot, found, label, f"{paths} × {Level(level).name.lower()}", until, span, inputs, now)


def _forgotten(kept_h: float | None, start: int, now: int) -> Iterator[str]:
    if kept_h is not None and start < now - kept_h * 3_600_000_000:
        yield (
            f"the baseline begins before what Kafka keeps (retention.derived_h {kept_h:g}): its first windows are gone; keep "
            "derived records longer before a pilot begins"
        )


def _changeovers(settings: Settings, codec: Codec, wanted: Filter, start: int, end: int) -> list[Changeover]:
    return [
        Changeover(one.ended_at, one.ended_at - one.started_at)
        for one in newest(changeovers(settings, codec, wanted, start, end))
        if one.ended_at is not None and one.status != "provisional"
    ]


def _orders(
    settings: Settings, codec: Codec, wanted: Filter, start: int, end: int, windows: Sequence[Kpi]
) -> list[EndedOrder]:
    """Ended orders with a planned quantity whose windows are known. Several places of one order: their pieces summed."""
    facts = {order.id: order for order in orders(settings, codec, wanted, start, end)}
    good: dict[str, int] = {}
    for window in windows:
        if window.window == "order" and window.order is not None:
            good[window.order] = good.get(window.order, 0) + sum(one.good for one in window.pieces)
    return [
        EndedOrder(order.id, order.ended_at, order.planned_quantity, good[order.id])
        for order in facts.values()
        if order.planned_quantity is not None and order.ended_at is not None and order.id in good
    ]


def _inputs(windows: Sequence[Kpi]) -> Inputs:
    last = max(windows, key=lambda one: (one.started_at, one.path)).inputs
    same = [one.inputs for one in windows if (one.inputs.topic, one.inputs.partition) == (last.topic, last.partition)]
    first = min(one.first_offset for one in same)
    return Inputs(last.topic, last.partition, first, max(one.last_offset for one in same))


def record(found: PilotReport, revision: int = 0) -> PilotRecord:
    """The report as a derived record: its id says the pilot and the day."""
    path, (begin, end) = str(found.pilot.path), found.day
    status = "provisional" if found.now < end else "corrected" if revision else "final"
    return PilotRecord(
        id=revised(natural_id(path, f"pilot-{found.name}", begin, found.definition), revision),
        path=path,
        started_at=begin,
        ended_at=end,
        definition=found.definition,
        status=status,
        revision=revision,
        inputs=found.inputs,
        name=found.name,
        filter=found.pilot.filter,
        baseline_from=found.pilot.before[0],
        baseline_to=found.pilot.before[1],
        since=found.pilot.begin,
        until=found.until,
        targets=tuple(_target(one) for one in found.report.outcomes),
        warnings=found.report.warnings,
    )


def _target(one: Outcome) -> PilotTarget:
    return PilotTarget(
        name=one.name,
        unit=one.unit,
        better=one.better,
        baseline=_estimate(one.baseline),
        since=_estimate(one.since),
        change=_estimate(one.change),
        relative=_estimate(one.relative),
        target=one.target,
        target_change=one.target_change,
        verdict=one.verdict,
        mix_baseline=None if one.mix is None else one.mix.baseline,
        mix_since=None if one.mix is None else _estimate(one.mix.since),
    )


def _estimate(one: Estimate) -> PilotEstimate:
    return PilotEstimate(value=one.value, low=one.low, high=one.high, windows=one.windows)


def publish(settings: Settings, codec: Codec, found: PilotReport) -> PilotRecord | None:
    """Writes the report where it says something new: other numbers or words, or the day is over. None: it is there already.

    Raises `NotPublished`, and as `reading.kpis` does.
    """
    draft = record(found)
    there = [
        one for one in pilots(settings, codec, found.pilot.path, found.day[0]) if one.natural_id == draft.natural_id
    ]
    if there:
        last = max(there, key=lambda one: one.revision)
        draft = record(found, last.revision + 1)
        if _content(draft) == _content(last) and (draft.status == "provisional") == (last.status == "provisional"):
            return None
    publish_derived(settings, codec, draft)
    return draft


def _content(one: PilotRecord) -> PilotRecord:
    """What makes a revision: not its number, nor until when nothing changed."""
    return msgspec.structs.replace(one, id="", revision=0, status="", until=0)


def document(found: PilotReport) -> dict[str, Any]:
    """The record, with what it was measured by."""
    return {**to_plain(record(found)), "window": found.pilot.window, "level": found.level, "method": METHOD}


def page(found: PilotReport) -> str:
    """The report to read."""
    pilot = found.pilot
    (start, end), zone = pilot.before, ZoneInfo(pilot.zone)
    head = f"pilot {found.name}: {pilot.filter}, {pilot.window} windows of {found.level}, {found.definition}"
    times = [moment(at).astimezone(zone).strftime("%Y-%m-%d %H:%M") for at in (start, end, pilot.begin, found.until)]
    before, to, since, until = (text.removesuffix(" 00:00") for text in times)
    spans = f"baseline {before} … {to}, since {since} … {until} ({pilot.zone})"
    rows: list[tuple[str, ...]] = [("target", "unit", "baseline", "n", "since", "n", "change", "to reach", "verdict")]
    rows += [_row(target, one) for target, one in zip(pilot.targets, found.report.outcomes, strict=True)]
    lines = [head, spans, "", *table(rows), ""]
    lines += [
        f"{one.name} with the baseline's product mix: {number(one.mix.baseline, _scale(one))} → "
        f"{_interval(one.mix.since, _scale(one))} {_unit(one)}, {one.mix.covered:.0%} of its pieces are of products made since"
        for one in found.report.outcomes
        if one.mix is not None
    ]
    return "\n".join([*lines, *(f"Warning: {words}" for words in found.report.warnings), "", f"Method: {METHOD}."])


def _row(target: Target, one: Outcome) -> tuple[str, ...]:
    scale = _scale(one)
    sign = "≥" if one.better == "higher" else "≤"
    if target.change is None:  # in points where it is a ratio
        change, goal = _interval(one.change, scale, signed=True), f"{sign} {number(target.value, scale)}"
    else:
        change, goal = _interval(one.relative, 100, signed=True, unit=" %"), f"{sign} {100 * target.change:+.3g} %"
    before, since = one.baseline, one.since
    return (
        one.name,
        _unit(one),
        _interval(before, scale),
        str(before.windows),
        _interval(since, scale),
        str(since.windows),
        change,
        goal,
        one.verdict,
    )


def _interval(one: Estimate, scale: float, signed: bool = False, unit: str = "") -> str:
    return f"{number(one.value, scale, signed)}{unit} ({between(one.low, one.high, scale, signed)})"


def _scale(one: Outcome) -> float:
    return 100.0 if one.unit == "1" else 1.0


def _unit(one: Outcome) -> str:
    return "%" if one.unit == "1" else one.unit
