"""Capability records: of each characteristic with a specification, for each shift, order, day and lot that has ended.

A record is a function of the published points of its window: said once the watermark has passed the end, and again where a
late point or another plan changes it. Of a window that began before the horizon values are kept up to `HELD_MAX`, and beyond
that their sums alone: then the quantiles and the test for normality are not known.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from processors.cell.cell import Cell
from processors.derive import quality
from processors.derive.derivation import Derivation, Saved
from processors.inputs.schedule import Stretch
from processors.output.withdrawal import emptied
from processors.spc.capability import CONFIDENCE, ByQuantiles, Index, Shape, by_quantiles, capability, shape
from processors.spc.chart import Chart, label_of_time
from processors.spc.ordinal import measure
from processors.spc.scatter import Sums, estimate_of, sums
from processors.spc.specification import Specification
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import INF
from schemas.records import Capability, Derived, Lot, Quality
from topology.model.charts import COUNTED, SUBGROUP_MAX

KIND = "capability"


class Window(NamedTuple):
    """A stretch that a record is about, and the parts of it that count."""

    word: str
    name: str
    start: int
    end: int
    parts: tuple[Stretch, ...]
    order: str | None = None
    product: str | None = None

    def kind(self, characteristic: str) -> str:
        """Kind of the record. Lots of several materials may begin at once: their names are in it."""
        kind = f"{KIND}.{self.word}.{characteristic}"
        return f"{kind}.{self.name}" if self.word == "lot" else kind


class Run(msgspec.Struct, array_like=True, gc=False):
    """Values one after the other that may be taken together."""

    label: tuple[int, str, int | str]
    """What they have in common: part of the window, product, and what the chart takes together."""
    values: list[float]


class Kept(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of one characteristic in a window from before the floor."""

    runs: list[Run] = []
    sums: Sums = msgspec.field(default_factory=Sums)
    """Of the values before those, which were too many."""


class Held(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of windows from before the floor."""

    windows: dict[str, dict[str, Kept]] = {}
    """Word and name of the window → characteristic → values."""
    floor: int = -INF
    """Up to where they reach, µs."""
    over: dict[str, int] = {}
    """Lots that nobody has ended, and that one which is forgotten has followed: when (µs)."""


HELD_MAX = 10_000
"""Values from before the horizon that are kept of a characteristic and window, at most."""
_decode = msgspec.msgpack.Decoder(Held).decode


class CapabilityRecords(Derivation):
    """The capability of one cell's characteristics."""

    __slots__ = ("_changed", "_charts", "_held", "_targets")

    name = KIND
    kinds = (KIND,)
    records = (Capability,)

    def __init__(self, cell: Cell) -> None:
        self._charts = {
            tag: Chart(spec.baseline, Specification(spec.lsl, spec.usl), spec.chart)
            for tag, spec in sorted(cell.type.tags.items())
            if spec.role == "characteristic"
            and (spec.lsl is not None or spec.usl is not None)
            and spec.chart.kind not in COUNTED
        }
        """For what the plant model says of a characteristic; they are given no values."""
        self._targets = {tag: spec.target for tag, spec in cell.type.tags.items() if spec.role == "characteristic"}
        self._held = Held()
        self._changed = False

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Windows that end by the watermark now, or have changed since they did."""
        if not self._charts:
            return []
        points = [(r.characteristic, r.started_at) for r in view.said if type(r) is Quality]
        late = any(at <= view.previous_watermark for _, at in points)
        if not late and (view.quiet or _between_borders(cell, view)) and not _lots(cell):
            return []  # the usual case
        windows = list(_windows(cell, view, self._held.over))
        out = self._taken_back(cell, view, windows)
        for window in windows:
            if window.end > view.watermark:
                continue
            whole = view.due(window.start, window.end, False)
            moved = {of for of, at in points if window.start <= at < window.end}
            for characteristic, chart in self._charts.items():
                if whole or characteristic in moved:
                    out += self._say(cell, chart, characteristic, window, view)
        return out

    def _taken_back(self, cell: Cell, view: View, windows: list[Window]) -> list[Derived]:
        """Records of orders, shifts and lots that a later fact has moved, removed, or opened again."""
        there = {
            (window.kind(characteristic), window.start)
            for window in windows
            if window.end <= view.watermark
            for characteristic in self._charts
        }
        out: list[Derived] = []
        for kind in cell.ledger.kinds():
            if kind.startswith(f"{KIND}."):
                for started_at in cell.ledger.starts(kind, view.floor, INF):
                    if (kind, started_at) not in there:
                        out += cell.ledger.withdraw(kind, started_at, **emptied(cell.ledger.get(kind, started_at)))
        return out

    def _say(self, cell: Cell, chart: Chart, characteristic: str, window: Window, view: View) -> list[Derived]:
        kind, specification = window.kind(characteristic), chart.specification
        held = self._held.windows.get(f"{window.word} {window.name}", {}).get(characteristic)
        since = -INF if held is None else self._held.floor
        runs = list(_runs(cell, chart, characteristic, window, since, INF))
        before = Sums()
        if held is not None:
            runs, before = _continued(held.runs, runs), held.sums
        found = before.joined(_sums(chart, runs))
        if found.number < 2:
            return cell.ledger.withdraw(kind, window.start, **emptied(cell.ledger.get(kind, window.start)))
        scatter = found.scatter
        target = _target(chart, self._targets[characteristic], window)
        values = [] if before.number else sorted(value for run in runs for value in run.values)
        quantiles, shaped = by_quantiles(values, specification), shape(values, scatter.mean, scatter.overall)
        content: dict[str, Any] = {
            "characteristic": characteristic,
            "window": window.word,
            "window_name": window.name,
            "order": window.order,
            "product": window.product,
            "points": found.number,
            "out_of_specification": found.beyond,
            "subgroups": found.subgroups,
            "mean": scatter.mean,
            "minimum": found.least,
            "maximum": found.greatest,
            "sigma_within": scatter.within,
            "sigma_overall": scatter.overall,
            "lsl": specification.lsl,
            "usl": specification.usl,
            "target": target,
            "confidence": CONFIDENCE,
            **_indices(capability(scatter, specification, target)._asdict()),
            **_as_they_are(quantiles, shaped),
        }
        inputs = view.inputs(NO_OFFSET, NO_OFFSET)
        return cell.ledger.put(Capability, kind, window.start, window.end, True, inputs, **content)

    # --- what is evicted

    def expire(self, cell: Cell, floor: int) -> None:
        """Adds up what goes of windows that go on after the floor."""
        if not self._charts or floor <= self._held.floor:
            return
        before, self._changed = self._held, True
        over = {lot.id: end for lot, end in _lot_ends(cell, before.over) if lot.ended_at is None and end <= floor}
        self._held = Held({}, floor, over)
        for window in _open(cell, floor, over):
            key = f"{window.word} {window.name}"
            known = before.windows.get(key, {})
            kept = {}
            for characteristic, chart in self._charts.items():
                more = list(_runs(cell, chart, characteristic, window, before.floor, floor))
                held = known.get(characteristic, Kept())
                if held.sums.number or held.runs or more:
                    kept[characteristic] = _fitting(chart, Kept(_continued(held.runs, more), held.sums))
            if kept:
                self._held.windows[key] = kept

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed:
            self._changed = False
            yield "", self._held

    def load(self, saved: Saved, redefined: bool) -> None:
        self._held = _decode(saved[""].state)


def _between_borders(cell: Cell, view: View) -> bool:
    """Whether no window can have ended by the watermark since the refresh before, and nothing has changed that had ended."""
    before, watermark = view.previous_watermark, view.watermark
    return (
        before != -INF
        and (not view.spans or view.spans[0][0] > before)
        and watermark < cell.schedule.slice_at(before).end  # days, and what holds
        and not any(before < shift.end <= watermark for shift in cell.schedule.shifts.values())
        and not any(before < order.end <= watermark for order in cell.schedule.orders.values())
    )


def _lots(cell: Cell) -> list[tuple[Lot, int]]:
    return cell.line.facts.of(Lot) + cell.facts.of(Lot)


def _windows(cell: Cell, view: View, over: Mapping[str, int]) -> Iterator[Window]:
    """All that the horizon touches, ended or not."""
    yield from _planned(cell, view.floor, over)
    for day in cell.schedule.days.between(view.floor, view.now + 1):
        yield Window("day", day.name, day.start, day.end, ((day.start, day.end),))


def _open(cell: Cell, floor: int, over: Mapping[str, int]) -> Iterator[Window]:
    """Those that go on over a time."""
    for window in _planned(cell, floor, over):
        if window.start < floor < window.end:
            yield window
    day = cell.schedule.days.at(floor)
    if day.start < floor:
        yield Window("day", day.name, day.start, day.end, ((day.start, day.end),))


def _planned(cell: Cell, begin: int, over: Mapping[str, int]) -> Iterator[Window]:
    """Shifts, orders and lots that end after a time."""
    for name, shift in cell.schedule.shifts.items():
        if shift.end > begin:
            yield Window("shift", name, shift.start, shift.end, shift.parts)
    for name, order in cell.schedule.orders.items():
        if order.end > begin:
            yield Window("order", name, order.start, order.end, order.parts, name, order.order.product)
    for lot, end in _lot_ends(cell, over):
        if end > begin:
            yield Window("lot", lot.id, lot.started_at, end, ((lot.started_at, end),))


def _lot_ends(cell: Cell, over: Mapping[str, int]) -> Iterator[tuple[Lot, int]]:
    """Lots and when they end: one without an end where the next of its material begins."""
    lots = sorted((lot for lot, _ in _lots(cell)), key=lambda lot: (lot.material, lot.started_at, lot.id))
    for lot, following in zip(lots, [*lots[1:], None], strict=False):
        end = lot.ended_at
        if end is None:
            followed = following is not None and following.material == lot.material
            end = over.get(lot.id, following.started_at if following is not None and followed else INF)
        if end > lot.started_at:
            yield lot, end


def _target(chart: Chart, of_tag: float | None, window: Window) -> float | None:
    """What a window's values aim at; None: the plant model says nothing, and one limit has no middle."""
    plan, specification = chart.plan, chart.specification
    if window.product in plan.products:
        return plan.products[window.product].target
    if of_tag is not None or plan.target is not None:
        return plan.target if of_tag is None else of_tag
    lsl, usl = specification.lsl, specification.usl
    return None if lsl is None or usl is None else (lsl + usl) / 2


def _continued(runs: list[Run], more: list[Run]) -> list[Run]:
    """Runs with those that follow: the last one may go on."""
    if runs and more and runs[-1].label == more[0].label:
        return [*runs[:-1], Run(runs[-1].label, runs[-1].values + more[0].values), *more[1:]]
    return runs + more


def _fitting(chart: Chart, kept: Kept) -> Kept:
    """The same in a bounded place: where there are too many values, their sums stand for them."""
    if sum(len(run.values) for run in kept.runs) <= HELD_MAX:
        return kept
    return Kept([], kept.sums.joined(_sums(chart, kept.runs)))


def _sums(chart: Chart, runs: list[Run]) -> Sums:
    """Of values as they are taken together: so many in a row, or all that have something in common."""
    subgroup = chart.plan.subgroup
    size = subgroup.size if subgroup.by == "count" else SUBGROUP_MAX
    if size == 1:
        return sums([run.values for run in runs], estimate_of(chart.plan), chart.specification)
    groups = [run.values[first : first + size] for run in runs for first in range(0, len(run.values), size)]
    return sums(groups, estimate_of(chart.plan), chart.specification)


def _runs(cell: Cell, chart: Chart, characteristic: str, window: Window, since: int, until: int) -> Iterator[Run]:
    """Values of a window within [since, until), in order."""
    for start, end in window.parts:
        points = list(_points(cell, characteristic, max(start, since), min(end, until)))
        for label, of_one in groupby(points, key=lambda point: _label(cell, chart, point[0])):
            yield Run((start, *label), [value for _, value in of_one])


def _label(cell: Cell, chart: Chart, at: int) -> tuple[str, int | str]:
    """What values have in common that are taken together: the product, and what the chart says."""
    order = cell.schedule.order_at(at)
    product = "" if order is None else order.product
    match chart.plan.subgroup.by:
        case "time":
            return product, label_of_time(at, chart.plan.subgroup.every_s or 1)
        case "piece":
            return product, quality.pieces_at(cell, at)
        case "lot":
            return product, quality.lots_at(cell, at)
        case _:
            return product, ""


def _points(cell: Cell, characteristic: str, start: int, end: int) -> Iterator[tuple[int, float]]:
    """Time and value of the published points with start ≤ at < end, samples and inspections, in order."""
    found = [(at, "", measure(number)) for at, number in quality.sampled(cell, characteristic, start, end)]
    found += quality.inspected(cell, characteristic, start, end)
    for at, _, value in sorted(found):
        yield at, value


def _indices(found: dict[str, Index]) -> dict[str, float | None]:
    return {
        f"{name}{end}": of
        for name, index in found.items()
        for end, of in zip(("", "_low", "_high"), index, strict=True)
    }


def _as_they_are(quantiles: ByQuantiles | None, shaped: Shape) -> dict[str, Any]:
    """The part of a record that asks for no normal distribution, and whether there is one."""
    low = median = high = pp = ppk = None
    if quantiles is not None:
        low, median, high, pp, ppk = quantiles
    method = "unknown"
    if shaped.normal is not False:
        method = "normal"
    elif quantiles is not None:
        method = "quantile"
    return {
        "normality": shaped.statistic,
        "normal_p": shaped.probability,
        "quantile_low": low,
        "median": median,
        "quantile_high": high,
        "pp_quantile": pp,
        "ppk_quantile": ppk,
        "method": method,
    }
