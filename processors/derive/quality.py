"""Runs the control charts of a cell: points up to the watermark become quality records, and rules become alerts."""

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
from processors.timeline.view import View
from schemas.records import Alert, Derived, Inspection, Quality

KIND = "quality"
BASELINE = 25
"""Points from which limits are learnt where the equipment type says nothing."""

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
            tag: Chart(baseline=spec.baseline, lsl=spec.lsl, usl=spec.usl)
            for tag, spec in cell.type.tags.items()
            if spec.role == "characteristic"
        }
        self._changed: dict[str, None] = {}
        """Charts that differ from those saved."""

    def chart(self, characteristic: str) -> Chart:
        """The chart of a characteristic; one that is only inspected by hand gets its chart with the first value."""
        chart = self.charts.get(characteristic)
        if chart is None:
            chart = self.charts[characteristic] = Chart(baseline=BASELINE, lsl=None, usl=None)
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
        if not cell.inspect(fact.characteristic, fact.at, fact.id, fact.value, offset):
            return Rejection("too_many_tags", f"{what}: too many characteristics already", fact.characteristic)
        return None

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Quality records and alerts of the points that the watermark has passed."""
        out: list[Derived] = []
        for characteristic, values in sorted(cell.measurements.items()):
            for at, inspection, value, offset in values.due(view.watermark):
                chart = self.chart(characteristic)
                self._changed[characteristic] = None
                kind = f"{KIND}.{characteristic}" + (f".{inspection}" if inspection else "")
                if at <= view.previous_watermark:
                    out += _late(cell, chart, characteristic, kind, at, value, offset)
                    continue
                order = cell.schedule.order_at(at)
                if order is not None:
                    if chart.product is not None and chart.product != order.product:
                        out += _clear(cell, chart, characteristic, at, view)
                        chart.restart()
                    chart.product = order.product
                point = chart.take(value)
                # the point that completes the baseline still shows as baseline, with the limits it gave
                out += _publish(
                    cell, chart, characteristic, kind, at, value, offset, point.moving_range, point.phase, point.rules
                )
                out += _alert(cell, chart, characteristic, kind, at, offset, point.rules, view)
        return out

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for characteristic in self._changed:
            yield characteristic, self.charts[characteristic].dump()
        self._changed.clear()

    def load(self, saved: Saved, redefined: bool) -> None:
        for characteristic, section in saved.items():
            self.chart(characteristic).load(_decode(section.state))


def _publish(
    cell: Cell,
    chart: Chart,
    characteristic: str,
    kind: str,
    at: int,
    value: float,
    offset: int,
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
        "lsl": chart.lsl,
        "usl": chart.usl,
        "rules": rules,
    }
    inputs = (offset, offset)
    points = _points(cell, characteristic, kind)
    if points is None:
        return cell.ledger.put(Quality, kind, at, at, True, inputs, **content)
    # thousands a day of each: what is kept of them is what a late one at the same time is compared with
    known = points.at(at)
    revision, status = (0, "final") if known is None else (known.offset + 1, "corrected")
    cell.note(characteristic, points, at, ordinal(value), revision)
    return [cell.ledger.record(Quality, kind, at, at, status, revision, inputs, **content)]


def _points(cell: Cell, characteristic: str, kind: str) -> Series | None:
    """Where the points of a tag are kept; those of inspections are in the ledger."""
    spec = cell.type.tags.get(characteristic)
    sampled = spec is not None and spec.role == "characteristic" and kind == f"{KIND}.{characteristic}"
    return cell.series[characteristic] if sampled else None


def _late(
    cell: Cell, chart: Chart, characteristic: str, kind: str, at: int, value: float, offset: int
) -> list[Derived]:
    """A point behind the watermark: told once more with a greater value it corrects, else it changes nothing."""
    points = _points(cell, characteristic, kind)
    if points is not None:
        told = points.at(at)
        if told is not None and ordinal(value) <= told.value:
            return []
    else:
        known = cell.ledger.get(kind, at)
        if isinstance(known, Quality) and value <= known.value:
            return []
    return _publish(cell, chart, characteristic, kind, at, value, offset, None, "late", ())


def _alert(
    cell: Cell, chart: Chart, characteristic: str, kind: str, at: int, offset: int, rules: tuple[int, ...], view: View
) -> list[Derived]:
    fired = [rule for rule in rules if rule]
    chart.quiet = 0 if fired else chart.quiet + 1
    if chart.alert_from is None:
        if not fired:
            return []
        chart.alert_from = at
        numbers = ", ".join(map(str, fired))
        return alert.publish(
            cell,
            f"{alert.QUALITY}.{characteristic}",
            at,
            None,
            False,
            (offset, offset),
            severity="medium",
            subject=characteristic,
            message=f"{cell.path} {characteristic} is out of control: Nelson rule {numbers}",
            cause=cell.ledger.natural_id(kind, at),
        )
    return _clear(cell, chart, characteristic, at, view) if chart.quiet >= alert.CLEAR_AFTER else []


def _clear(cell: Cell, chart: Chart, characteristic: str, at: int, view: View) -> list[Derived]:
    if chart.alert_from is None:
        return []
    started_at, chart.alert_from = chart.alert_from, None
    return alert.end(cell, f"{alert.QUALITY}.{characteristic}", started_at, at, at <= view.watermark)
