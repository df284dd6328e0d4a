"""Runs the control charts of a cell: points up to the watermark become quality records, and rules become alerts."""

from processors.cell.cell import Cell
from processors.cell.view import View
from processors.derive import alert
from processors.inputs.series import Series
from processors.spc.chart import Chart, ordinal
from schemas.records import Derived, Quality

KIND = "quality"


def derive(cell: Cell, view: View) -> list[Derived]:
    """Quality records and alerts of the points that the watermark has passed."""
    out: list[Derived] = []
    for characteristic, chart in sorted(cell.charts.items()):
        for at, inspection, value, offset in chart.due(view.watermark):
            kind = f"{KIND}.{characteristic}" + (f".{inspection}" if inspection else "")
            if at <= view.previous_watermark:
                out += _late(cell, chart, characteristic, kind, at, value, offset)
                continue
            order = cell.plan.order_at(at)
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
    if points.add(at, ordinal(value), revision) is not None:
        cell.journal.add(characteristic, at, ordinal(value), revision)
    return [cell.ledger.record(Quality, kind, at, at, status, revision, inputs, **content)]


def _points(cell: Cell, characteristic: str, kind: str) -> Series | None:
    """Where the points of a tag are kept; those of inspections are in the ledger."""
    return cell.points.get(characteristic) if kind == f"{KIND}.{characteristic}" else None


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
