"""Runs the control charts of a cell: points up to the watermark become quality records, and rules become alerts.

A chart that starts anew leaves the alert as it is: that ends with points of the control phase alone.
"""

import math
from collections.abc import Iterator

import msgspec

from processors.base import Rejection
from processors.cell.cell import Cell
from processors.cell.tags import MEASURE_MAX
from processors.derive import alert
from processors.derive.derivation import Derivation, OwnFact, Saved
from processors.inputs.series import Series
from processors.spc.chart import Chart, SavedChart, ordinal
from processors.spc.specification import Specification
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import INF
from schemas.records import Alert, Derived, Inspection, Quality

KIND = "quality"
BASELINE = 25
"""Points from which limits are learnt where the equipment type says nothing."""

WITHDRAWN = "withdrawn"
"""Phase of a point that was taken back: its inspection was told again, of another time or characteristic."""

_decode = msgspec.msgpack.Decoder(SavedChart).decode


class QualityRecords(Derivation):
    """The control charts of one cell, by characteristic."""

    __slots__ = ("_changed", "charts")

    name = KIND
    kinds = (KIND, "alert")
    records = (Quality, Alert)
    reads = Inspection

    def __init__(self, cell: Cell) -> None:
        self.charts: dict[str, Chart] = {
            tag: Chart(spec.baseline, Specification(spec.lsl, spec.usl))
            for tag, spec in cell.type.tags.items()
            if spec.role == "characteristic"
        }
        self._changed: dict[str, None] = {}
        """Charts that differ from those saved."""

    def chart(self, characteristic: str) -> Chart:
        """The chart of a characteristic; one that is only inspected by hand gets its chart with the first value."""
        chart = self.charts.get(characteristic)
        if chart is None:
            chart = self.charts[characteristic] = Chart(BASELINE)
        return chart

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """An inspection is one more value of its characteristic."""
        assert isinstance(fact, Inspection)
        what = f"{cell.path}: Inspection {fact.id} of {fact.characteristic}"
        if not math.isfinite(fact.value):
            return Rejection("not_finite", f"{what} is {fact.value}; a finite number is expected", fact.characteristic)
        if abs(fact.value) > MEASURE_MAX:
            return Rejection("out_of_range", f"{what} is {fact.value}", fact.characteristic)
        if fact.at < oldest:
            return Rejection("late", f"{what} is older than the correction horizon", fact.characteristic)
        if fact.at > newest:
            return Rejection("future", f"{what} is ahead of the plant's clock", fact.characteristic)
        # one told again stands for the one before, at whatever time and of whatever characteristic that was
        told = [values.replace(fact.id, offset) for values in cell.measurements.values()]
        if not all(told):
            return None
        if not cell.inspect(fact.characteristic, fact.at, fact.id, fact.value, offset):
            return Rejection("too_many_tags", f"{what}: too many characteristics already", fact.characteristic)
        return None

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Quality records and alerts of the points that the watermark has passed."""
        out: list[Derived] = []
        for characteristic, values in sorted(cell.measurements.items()) if cell.measurements else ():
            due = values.due(view.watermark) if values else ()
            if not due:
                continue
            chart = self.chart(characteristic)
            self._changed[characteristic] = None
            out += _stand(cell, chart, characteristic, view)
            for at, inspection, value, offset, rank in due:
                kind = kind_of(characteristic, inspection)
                if inspection:
                    withdrawn = _replaced(cell, characteristic, inspection, at, offset)
                    if withdrawn is None:
                        continue
                    out += withdrawn
                if at <= view.previous_watermark:
                    out += _late(cell, chart, characteristic, kind, at, value, offset, rank)
                    continue
                order = cell.schedule.order_at(at)
                if order is not None:
                    if chart.product is not None and chart.product != order.product:
                        chart.restart()
                    chart.product = order.product
                point = chart.take(value)
                # the point that completes the baseline still shows as baseline, with the limits it gave
                out += _publish(
                    cell,
                    chart,
                    characteristic,
                    kind,
                    at,
                    value,
                    offset,
                    rank,
                    point.moving_range,
                    point.phase,
                    point.rules,
                )
                if point.phase == "control":
                    out += _alert(cell, chart, characteristic, kind, at, offset, point.rules, view)
        return out

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for characteristic in self._changed:
            yield characteristic, self.charts[characteristic].dump()
        self._changed.clear()

    def load(self, saved: Saved, redefined: bool) -> None:
        for characteristic, section in saved.items():
            self.chart(characteristic).load(_decode(section.state))


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


def _publish(
    cell: Cell,
    chart: Chart,
    characteristic: str,
    kind: str,
    at: int,
    value: float,
    offset: int,
    rank: int,
    moving_range: float | None,
    phase: str,
    rules: tuple[int, ...],
) -> list[Derived]:
    limits = chart.limits
    content = {
        "characteristic": characteristic,
        "value": value,
        "moving_range": moving_range,
        "phase": phase,
        "mean": limits.mean if limits is not None else None,
        "lcl": limits.lcl if limits is not None else None,
        "ucl": limits.ucl if limits is not None else None,
        "range_ucl": limits.range_ucl if limits is not None else None,
        "lsl": chart.specification.lsl,
        "usl": chart.specification.usl,
        "rules": rules,
        "beyond": chart.specification.broken(value),
        "limits_warning": chart.warning,
    }
    inputs = (offset, offset)
    points = _points(cell, characteristic, kind)
    if points is None:
        return cell.ledger.put(Quality, kind, at, at, True, inputs, **content)
    # thousands a day of each: what is kept of them is what a late one at the same time is compared with
    known = points.at(at)
    revision, status = (0, "final") if known is None else (known.offset + 1, "corrected")
    cell.note(characteristic, points, at, ordinal(value), revision, rank)
    return [cell.ledger.record(Quality, kind, at, at, status, revision, inputs, **content)]


def _points(cell: Cell, characteristic: str, kind: str) -> Series | None:
    """Where the points of a tag are kept; those of inspections are in the ledger."""
    spec = cell.type.tags.get(characteristic)
    sampled = spec is not None and spec.role == "characteristic" and kind == f"{KIND}.{characteristic}"
    return cell.series[characteristic] if sampled else None


def _late(
    cell: Cell, chart: Chart, characteristic: str, kind: str, at: int, value: float, offset: int, rank: int
) -> list[Derived]:
    """A point behind the watermark. A sample corrects where it counts beside what was said of that time, an inspection with
    another value."""
    points = _points(cell, characteristic, kind)
    if points is not None:
        if not points.changes(at, ordinal(value), rank):
            return []
    else:
        known = cell.ledger.get(kind, at)
        if isinstance(known, Quality) and value == known.value and known.phase != WITHDRAWN:
            return []
    return _publish(cell, chart, characteristic, kind, at, value, offset, rank, None, "late", ())


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
                out += cell.ledger.withdraw(kind, started_at, phase=WITHDRAWN, rules=(), beyond=None)
    return out


def _alert(
    cell: Cell, chart: Chart, characteristic: str, kind: str, at: int, offset: int, rules: tuple[int, ...], view: View
) -> list[Derived]:
    """What the alert says after one more point of the control phase."""
    fired = tuple(rule for rule in rules if rule)
    chart.quiet = 0 if fired else chart.quiet + 1
    if chart.alert_from is not None:
        if chart.quiet < alert.CLEAR_AFTER:
            return []
        started_at, chart.alert_from = chart.alert_from, None
        return alert.end(cell, f"{alert.QUALITY}.{characteristic}", started_at, at, at <= view.watermark)
    if not fired:
        return []
    chart.alert_from, chart.alert_rules, chart.alert_point = at, fired, kind
    return _raise(cell, chart, characteristic, at, (offset, offset))


def _stand(cell: Cell, chart: Chart, characteristic: str, view: View) -> list[Derived]:
    """Brings chart and ledger together: under another KPI definition an open alert is raised anew, and one that was
    published before the log's begin is taken over."""
    known = alert.standing(cell, f"{alert.QUALITY}.{characteristic}")
    if known is not None:
        chart.alert_from = known.started_at
        return []
    if chart.alert_from is None:
        return []
    return _raise(cell, chart, characteristic, chart.alert_from, view.inputs(NO_OFFSET, NO_OFFSET))


def _raise(cell: Cell, chart: Chart, characteristic: str, at: int, inputs: tuple[int, int]) -> list[Derived]:
    numbers = ", ".join(map(str, chart.alert_rules))
    return alert.publish(
        cell,
        f"{alert.QUALITY}.{characteristic}",
        at,
        None,
        False,
        inputs,
        severity="medium",
        subject=characteristic,
        message=f"{cell.path} {characteristic} is out of control: Nelson rule {numbers}",
        cause=cell.ledger.natural_id(chart.alert_point, at),
    )
