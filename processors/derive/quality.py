"""Runs the control charts of a cell: points up to the watermark become quality records, and signals become alerts.

Each value is a record of its own. Where values are taken together, the one that completes its subgroup has what the chart says;
of a subgroup that ends with time, a lot or a piece that is known only later, and the newest value's record is revised.
A chart that starts anew leaves the alert as it is: that ends with points of the control phase alone.
"""

import math
from collections.abc import Iterator

import msgspec

from processors.base import Rejection
from processors.cell.cell import CHARACTERISTICS_MAX, Cell
from processors.cell.tags import MEASURE_MAX
from processors.derive import quality_alert
from processors.derive.decided import Decisions, SavedDecisions, standard_of
from processors.derive.derivation import Derivation, Saved
from processors.derive.quality_content import COUNT_MAX, content_of, impossible
from processors.inputs.facts import OwnFact
from processors.inputs.series import Series
from processors.spc.chart import Chart, SavedChart, Value, joined, label_of_time
from processors.spc.control import Judged
from processors.spc.ordinal import ordinal
from processors.spc.specification import Specification
from processors.timeline.view import View
from processors.units import INF
from schemas.records import Alert, Derived, Inspection, Limits, Lot, Quality

KIND = "quality"
BASELINE = 25
"""Points from which limits are learnt where the equipment type says nothing."""

WITHDRAWN = "withdrawn"
"""Phase of a point that was taken back: its inspection was told again, of another time or characteristic."""

_decode = msgspec.msgpack.Decoder(SavedChart).decode
_decisions = msgspec.msgpack.Decoder(SavedDecisions).decode


class QualityRecords(Derivation):
    """The control charts of one cell, by characteristic."""

    __slots__ = ("_changed", "_timed", "charts", "decisions")

    name = KIND
    kinds = (KIND, "alert")
    records = (Quality, Alert)
    reads = (Inspection, Limits)

    def __init__(self, cell: Cell) -> None:
        self.charts: dict[str, Chart] = {
            tag: Chart(spec.baseline, Specification(spec.lsl, spec.usl), spec.chart)
            for tag, spec in cell.type.tags.items()
            if spec.role == "characteristic"
        }
        self.decisions = Decisions()
        self._timed = [tag for tag, chart in sorted(self.charts.items()) if chart.plan.subgroup.by == "time"]
        """Charts whose subgroups end with time."""
        self._changed: dict[str, None] = {}
        """Charts that differ from those saved."""

    def chart(self, characteristic: str) -> Chart:
        """The chart of a characteristic; one that is only inspected by hand gets its chart with the first value."""
        chart = self.charts.get(characteristic)
        if chart is None:
            chart = self.charts[characteristic] = Chart(BASELINE)
        return chart

    # --- facts

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """An inspection is one more value of its characteristic; a decision holds from the point on that it names."""
        if isinstance(fact, Limits):
            known = (None, *cell.measurements, *self.charts)
            if fact.characteristic not in known and len(self.charts) >= CHARACTERISTICS_MAX:
                what = f"{cell.path}: Limits {fact.id} of {fact.characteristic}"
                return Rejection("too_many_tags", f"{what}: too many characteristics already", fact.characteristic)
            refused = self.decisions.take(cell.path, fact, oldest, newest)
            cell.expect_tick()
            return refused
        assert isinstance(fact, Inspection)
        if (refused := self._unfit(cell.path, fact, oldest, newest)) is not None:
            return refused
        # one told again stands for the one before, at whatever time and of whatever characteristic that was
        told = [values.replace(fact.id, offset) for values in cell.measurements.values()]
        if not all(told):
            return None
        if not cell.inspect(fact.characteristic, fact.at, fact.id, fact.value, offset, fact.size or 0.0):
            what = f"{cell.path}: Inspection {fact.id} of {fact.characteristic}"
            return Rejection("too_many_tags", f"{what}: too many characteristics already", fact.characteristic)
        return None

    def _unfit(self, path: str, fact: Inspection, oldest: int, newest: int) -> Rejection | None:
        what, of = f"{path}: Inspection {fact.id} of {fact.characteristic}", fact.characteristic
        if not math.isfinite(fact.value):
            return Rejection("not_finite", f"{what} is {fact.value}; a finite number is expected", of)
        if abs(fact.value) > MEASURE_MAX:
            return Rejection("out_of_range", f"{what} is {fact.value}", of)
        if fact.size is not None and not 0 < fact.size <= COUNT_MAX:
            return Rejection("out_of_range", f"{what} is of {fact.size:g} items; more than 0 are expected", of)
        if any(not 0 <= defect.count <= COUNT_MAX for defect in fact.defects):
            return Rejection("out_of_range", f"{what} has a number of defects that cannot be", of)
        chart = self.charts.get(of)
        if chart is not None and (words := impossible(chart, fact.value, fact.size or 0.0)) is not None:
            return Rejection("out_of_range", f"{what} is {fact.value:g}: {words}", of)
        if fact.at < oldest:
            return Rejection("late", f"{what} is older than the correction horizon", of)
        if fact.at > newest:
            return Rejection("future", f"{what} is ahead of the plant's clock", of)
        return None

    # --- points

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Quality records and alerts of the points that the watermark has passed."""
        out: list[Derived] = []
        decided = self.decisions.due(view.watermark)
        if not decided and not cell.measurements:
            return out
        named = {fact.characteristic for fact in decided if fact.characteristic is not None}
        for characteristic in sorted({*cell.measurements, *self.charts, *named} if decided else cell.measurements):
            measured = cell.measurements.get(characteristic)
            due = measured.due(view.watermark) if measured else []
            facts = [fact for fact in decided if fact.characteristic in (None, characteristic)]
            if not due and not facts:
                continue
            chart = self.chart(characteristic)
            self._changed[characteristic] = None
            out += quality_alert.stand(cell, chart, characteristic, view)
            for value in due:
                while facts and facts[0].at <= value[0]:
                    _decide(chart, facts.pop(0))
                out += self._point(cell, chart, characteristic, Value(*value), view)
            for fact in facts:
                _decide(chart, fact)
        for characteristic in self._timed:
            chart = self.charts[characteristic]
            every_s = chart.plan.subgroup.every_s
            if chart.group and every_s is not None and label_of_time(view.watermark, every_s) != chart.label:
                self._changed[characteristic] = None
                out += self._closed(cell, chart, characteristic, view)
        return out

    def _point(self, cell: Cell, chart: Chart, characteristic: str, value: Value, view: View) -> list[Derived]:
        """One more value, in order of time."""
        out: list[Derived] = []
        if value.inspection:
            withdrawn = _replaced(cell, characteristic, value.inspection, value.at, value.offset)
            if withdrawn is None:
                return out
            out += withdrawn
        if value.at <= view.previous_watermark:
            return out + _late(cell, chart, characteristic, value)
        order = cell.schedule.order_at(value.at)
        if order is not None and chart.product != order.product:
            out += self._another_product(cell, chart, characteristic, order.product, view)
        by = chart.plan.subgroup.by
        if by != "count" or "lot" in chart.plan.restart_on:
            out += self._labelled(cell, chart, characteristic, value.at, view)
        if chart.comparable(value.value) is None or impossible(chart, value.value, value.size):
            return out + _publish(cell, chart, characteristic, value, "unknown", None)
        if chart.add(value):
            return out + self._judged(cell, chart, characteristic, view, anew=False)
        return out + _publish(cell, chart, characteristic, value, "member", None)

    def _another_product(
        self, cell: Cell, chart: Chart, characteristic: str, product: str, view: View
    ) -> list[Derived]:
        """Ends the subgroup, and starts the chart anew where it is not one of many products."""
        out = [] if chart.plan.subgroup.by == "count" else self._closed(cell, chart, characteristic, view)
        if chart.product is not None and chart.plan.standardise == "none" and "product" in chart.plan.restart_on:
            chart.restart()
        chart.drop()
        chart.product = product
        return out

    def _labelled(self, cell: Cell, chart: Chart, characteristic: str, at: int, view: View) -> list[Derived]:
        """Ends the subgroup where what its values have in common is over, and starts anew with another lot."""
        out: list[Derived] = []
        plan = chart.plan
        lot = lots_at(cell, at) if plan.subgroup.by == "lot" or "lot" in plan.restart_on else ""
        label: int | str = 0
        match plan.subgroup.by:
            case "time":
                label = label_of_time(at, plan.subgroup.every_s or 1)
            case "piece":
                label = pieces_at(cell, at)
            case "lot":
                label = lot
            case _:
                pass
        if chart.group and plan.subgroup.by != "count" and chart.label != label:
            out += self._closed(cell, chart, characteristic, view)
        if "lot" in plan.restart_on and chart.lot != lot:
            if chart.lot:
                chart.restart()
            chart.lot = lot
        chart.label = label
        return out

    def _closed(self, cell: Cell, chart: Chart, characteristic: str, view: View) -> list[Derived]:
        """Judges the open subgroup, whose newest value was published already."""
        return self._judged(cell, chart, characteristic, view, anew=True) if chart.group else []

    def _judged(self, cell: Cell, chart: Chart, characteristic: str, view: View, *, anew: bool) -> list[Derived]:
        label = chart.label
        value, judged = chart.close()
        chart.label = label
        out = _publish(cell, chart, characteristic, value, judged.phase, judged, anew=anew)
        # the point that completes the baseline still shows as baseline, with the limits it gave
        if judged.phase == "control":
            out += quality_alert.after(cell, chart, characteristic, value, judged, view)
        return out

    # --- state

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for characteristic in self._changed:
            yield characteristic, self.charts[characteristic].dump()
        self._changed.clear()
        if self.decisions.changed:
            self.decisions.changed = False
            yield "", self.decisions.dump()

    def load(self, saved: Saved, redefined: bool) -> None:
        for characteristic, section in saved.items():
            if characteristic:
                self.chart(characteristic).load(_decode(section.state))
            else:
                self.decisions.load(_decisions(section.state))


def kind_of(characteristic: str, inspection: str) -> str:
    """The kind of the record of a point; `inspection`: its id, empty for a sample."""
    return f"{KIND}.{characteristic}" + (f".{inspection}" if inspection else "")


def inspection_of(characteristic: str, kind: str) -> str:
    """The id of the inspection that a kind names; empty for a sample."""
    return kind.removeprefix(f"{KIND}.{characteristic}").removeprefix(".")


def sampled(cell: Cell, characteristic: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Time and `ordinal` of the published points of a tag with start ≤ at < end, in order."""
    series = _points(cell, characteristic, kind_of(characteristic, ""))
    if series is not None:
        for at, number, _ in series.between(start, end):
            yield at, number


def inspected(cell: Cell, characteristic: str, start: int, end: int) -> Iterator[tuple[int, str, float]]:
    """Time, id and value of the inspections published with start ≤ at < end."""
    begin = kind_of(characteristic, "") + "."
    for kind in cell.ledger.kinds():
        if kind.startswith(begin):
            for at in cell.ledger.starts(kind, start, end):
                record = cell.ledger.get(kind, at)
                if isinstance(record, Quality) and record.characteristic == characteristic:
                    yield at, inspection_of(characteristic, kind), record.value


def _decide(chart: Chart, fact: Limits) -> None:
    """What was decided holds for the points from here on; those before keep the limits that judged them."""
    standard = standard_of(fact)
    if standard is None:
        chart.restart()
    else:
        chart.freeze(standard)


def lots_at(cell: Cell, at: int) -> str:
    """The lots in use at a time: of each material the one that began last."""
    newest: dict[str, Lot] = {}
    for lot, _ in cell.line.facts.of(Lot) + cell.facts.of(Lot):
        if lot.started_at <= at and (lot.ended_at is None or at < lot.ended_at):
            known = newest.get(lot.material)
            if known is None or (known.started_at, known.id) < (lot.started_at, lot.id):
                newest[lot.material] = lot
    return joined([lot.id for lot in newest.values()])


def pieces_at(cell: Cell, at: int) -> str:
    """What the counters of pieces say at a time: the same as long as none has moved."""
    told = [(counter, counter.series.in_force(at)) for counter in cell.counters if counter.what != "energy"]
    return joined(
        [
            f"{counter.tag}={known.at if counter.increments else known.value}"
            for counter, known in told
            if known is not None
        ]
    )


def _publish(
    cell: Cell,
    chart: Chart,
    characteristic: str,
    value: Value,
    phase: str,
    judged: Judged | None,
    *,
    anew: bool = False,
) -> list[Derived]:
    """The record of a point; `anew`: it was published before its subgroup was complete."""
    at, kind = value.at, kind_of(characteristic, value.inspection)
    content = content_of(chart, characteristic, value, phase, judged)
    inputs = (value.offset, value.offset)
    points = _points(cell, characteristic, kind)
    if points is None:
        return cell.ledger.put(Quality, kind, at, at, True, inputs, **content)
    # thousands a day of each: what is kept of them is what a late one at the same time is compared with
    known = points.at(at)
    revision, status = (0, "final") if known is None else (known.offset + 1, "corrected")
    if anew and known is not None and known.value != ordinal(value.value):
        return []  # another value of that time has come meanwhile, and was published
    cell.note(characteristic, points, at, ordinal(value.value), revision, value.rank)
    return [cell.ledger.record(Quality, kind, at, at, status, revision, inputs, **content)]


def _points(cell: Cell, characteristic: str, kind: str) -> Series | None:
    """Where the points of a tag are kept; those of inspections are in the ledger."""
    spec = cell.type.tags.get(characteristic)
    sampled = spec is not None and spec.role == "characteristic" and kind == f"{KIND}.{characteristic}"
    return cell.series[characteristic] if sampled else None


def _late(cell: Cell, chart: Chart, characteristic: str, value: Value) -> list[Derived]:
    """A point behind the watermark. A sample corrects where it counts beside what was said of that time, an inspection with
    another value."""
    at, kind = value.at, kind_of(characteristic, value.inspection)
    points = _points(cell, characteristic, kind)
    if points is not None:
        if not points.changes(at, ordinal(value.value), value.rank):
            return []
    else:
        known = cell.ledger.get(kind, at)
        if isinstance(known, Quality) and value.value == known.value and known.phase != WITHDRAWN:
            return []
    return _publish(cell, chart, characteristic, value, "late", None)


def _replaced(cell: Cell, characteristic: str, inspection: str, at: int, offset: int) -> list[Derived] | None:
    """Takes back what was published of an inspection that is now told otherwise; None where the log has said so later."""
    out: list[Derived] = []
    for other in cell.measurements:
        kind = kind_of(other, inspection)
        for started_at in cell.ledger.starts(kind, -INF, INF):
            known = cell.ledger.get(kind, started_at)
            if not isinstance(known, Quality) or known.characteristic != other:
                continue
            if known.inputs.last_offset > offset:
                return None
            if (other, started_at) != (characteristic, at):
                out += cell.ledger.withdraw(kind, started_at, phase=WITHDRAWN, rules=(), beyond=None, alarming=())
    return out
