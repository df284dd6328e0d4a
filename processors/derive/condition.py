"""Condition records: one a cause and machine, from when there is evidence until it is repaired or over, revised as it goes on.

What judges a cause is a watch of `processors.condition`, a fold of values in order of time: of samples up to the watermark,
of hours that it has passed. A value that comes later is left out and counted (`details.late`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from processors.anomaly.budget import Budget
from processors.anomaly.watch import Anomaly
from processors.base import Rejection
from processors.cell.cell import Cell
from processors.condition.finding import Finding
from processors.condition.use import Use
from processors.condition.wear import Wear
from processors.derive.derivation import Derivation, Saved
from processors.inputs.counters import increments
from processors.inputs.facts import OwnFact
from processors.inputs.pieces import MADE
from processors.output.columns import content_of
from processors.output.identity import parse
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Condition, Cycle, Derived, WorkOrder
from topology.model.anomaly import AnomalyRule, AnomalyTagRule, GroupRule, SeasonRule, TreesRule
from topology.model.condition import UseRule, WearRule
from topology.model.equipment import EquipmentType
from topology.vocabulary import PRODUCTION

KIND = "condition"
DONE = frozenset({"done", "completed", "complete", "closed", "finished"})
"""Words of a work order's status, small, after which the work is done."""


MODEL = ".model"
"""What the name of a record about a model adds to that of its rule."""
AnomalyRules = AnomalyTagRule | GroupRule | TreesRule | SeasonRule
Rule = WearRule | UseRule | AnomalyRule


class SavedCause(msgspec.Struct, omit_defaults=True, gc=False):
    """One cause as it is saved."""

    watch: msgspec.Raw = msgspec.Raw(b"\xc0")
    said: Finding | None = None
    first: int = NO_OFFSET
    last: int = NO_OFFSET
    repair: int | None = None


class Cause:
    """A rule of the equipment type on one machine: its watch, and what was said of it."""

    __slots__ = ("changed", "first", "last", "mended", "repair", "rule", "said", "watch")

    def __init__(self, rule: Rule, watch: Wear | Use | Anomaly | Budget) -> None:
        self.rule, self.watch = rule, watch
        self.said: Finding | None = None
        self.first = self.last = NO_OFFSET
        """Raw offsets of the evidence."""
        self.repair: int | None = None
        """When (µs) it was repaired, until the watermark has passed that."""
        self.mended: int | None = None
        """When (µs) it was repaired, within this refresh."""
        self.changed = False

    def heard(self, first: int, last: int) -> None:
        """Evidence came with raw offsets first to last; what was heard while all was well is none."""
        if not self.watch.suspects:
            self.first = self.last = NO_OFFSET
        self.first, self.last = hull(self.first, self.last, first, last)
        self.changed = True

    def mend(self, before: int) -> None:
        """Begins anew where a repair lies before a time (µs)."""
        if self.repair is not None and self.repair < before:
            self.watch.repaired(self.repair)
            self.mended, self.repair, self.changed = self.repair, None, True
            self.first = self.last = NO_OFFSET

    def dump(self) -> SavedCause:
        return SavedCause(msgspec.Raw(_encode(self.watch.dump())), self.said, self.first, self.last, self.repair)

    def load(self, saved: SavedCause) -> None:
        self.watch.load(saved.watch)
        self.said, self.first, self.last, self.repair = saved.said, saved.first, saved.last, saved.repair


class ConditionRecords(Derivation):
    """The causes of one cell, by name."""

    __slots__ = ("causes",)

    name = KIND
    kinds = (KIND,)
    records = (Condition,)
    reads = (WorkOrder,)

    def __init__(self, cell: Cell) -> None:
        self.causes = causes_of(cell.type)

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """A work order that is done, about a condition of this cell, repairs it. All others say nothing here."""
        assert isinstance(fact, WorkOrder)
        if fact.about is None or fact.status.lower() not in DONE:
            return None
        try:
            kind, _ = parse(fact.about)
        except ValueError:
            return None
        name = kind.removeprefix(f"{KIND}.").removesuffix(MODEL)
        for each in (name, f"{name}{MODEL}"):  # a model and its anomalies begin anew together
            cause = self.causes.get(each)
            if cause is not None:
                cause.repair = fact.started_at if fact.ended_at is None else fact.ended_at
                cause.changed = True
                cell.expect_tick()
        return None

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """What has been found by the watermark, where that is news."""
        if not self.causes:
            return []
        due = {tag: values.due(view.watermark) for tag, values in cell.features.items() if len(values)}
        hours = _Hours(cell, view)
        out: list[Derived] = []
        for name, cause in self.causes.items():
            match cause.watch:
                case Use() as watch:
                    self._use(cell, view, cause, watch)
                case Wear() as watch:
                    self._wear(cell, view, cause, watch, due, hours)
                case Anomaly() as watch:
                    self._anomaly(cell, view, cause, watch, due, self.causes[f"{name}{MODEL}"])
                case Budget() as watch:
                    watch.advance(view.watermark)
            cause.mend(view.watermark + 1)
            out += _say(cell, view, name, cause)
        return out

    def _wear(self, cell: Cell, view: View, cause: Cause, watch: Wear, due: "Due", hours: "_Hours") -> None:
        rule = cause.rule
        assert isinstance(rule, WearRule)
        if rule.tag is None:
            for at, value, first, last in hours.values(str(rule.of)):
                cause.mend(at)
                cause.heard(first, last)
                watch.put(at, value)
            return
        for at, _, value, offset, _, _ in due.get(rule.tag, ()):
            if rule.running and not running(cell, at):
                continue
            if at <= view.previous_watermark:
                watch.too_late()
                continue
            cause.mend(at)
            cause.heard(offset, offset)
            watch.take(at, value)
        watch.advance(view.watermark)

    def _anomaly(self, cell: Cell, view: View, cause: Cause, watch: Anomaly, due: "Due", model: Cause) -> None:
        rule, budget = cause.rule, model.watch
        assert isinstance(rule, AnomalyRules)
        assert isinstance(budget, Budget)
        watch.trusted = not budget.spent
        told = [
            (at, tag, value, offset)
            for tag, name in enumerate(rule.tags)
            for at, _, value, offset, *_ in due.get(name, ())
        ]
        for at, tag, value, offset in sorted(told):
            if at <= view.previous_watermark:
                watch.too_late()
                continue
            cause.mend(at)
            if rule.running and not running(cell, at):
                watch.rests(at)
                continue
            cause.heard(offset, offset)
            order = cell.schedule.order_at(at) if rule.by_product else None
            watch.take(at, tag, value, None if order is None else order.product)
        watch.advance(view.watermark)
        for begun in watch.begun:
            model.heard(cause.first, cause.last)
            budget.hear(begun.at, begun.found)
        watch.begun.clear()

    def _use(self, cell: Cell, view: View, cause: Cause, watch: Use) -> None:
        # not what it has counted already: under another KPI definition all is derived anew
        begin, end = max(view.begin, view.previous_watermark, watch.at), min(view.watermark, view.now)
        if begin >= end or view.begin == INF:
            return
        cause.mend(end)
        for use in used_in(cell, watch, begin, end, view.now):
            cause.heard(use.first_offset, use.last_offset)
            watch.add(use.begin, use.at, use.used)
        watch.counted(end)

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for name, cause in self.causes.items():
            if cause.changed or cause.watch.changed:
                cause.changed = cause.watch.changed = False
                yield name, cause.dump()

    def load(self, saved: Saved, redefined: bool) -> None:
        for name, section in saved.items():
            if name in self.causes:
                self.causes[name].load(_decode(section.state))


Due = dict[str, list[tuple[int, str, float, int, int, float]]]
"""By tag: values that the watermark has passed, as `Measurements.due` gives them."""


def causes_of(equipment: EquipmentType) -> dict[str, Cause]:
    """New ones of all rules; one of anomaly has a second, of its model."""
    causes = {
        name: Cause(rule, Use(rule) if isinstance(rule, UseRule) else Wear(rule))
        for name, rule in equipment.conditions.items()
    }
    for name, learnt in equipment.anomaly.items():
        causes[name] = Cause(learnt, Anomaly(name, learnt))
        causes[f"{name}{MODEL}"] = Cause(learnt, Budget(name, learnt))
    return causes


def running(cell: Cell, at: int) -> bool:
    """Whether the machine ran at an instant; one that says no state always does."""
    if cell.type.tag("state") is None:
        return True
    state, mode = cell.timeline.state.in_force(at), cell.timeline.mode.in_force(at)
    texts = cell.names.texts
    return state is not None and cell.elements.runs(
        texts[state.value], PRODUCTION if mode is None else texts[mode.value]
    )


class Used(NamedTuple):
    """Use in a stretch of time (µs), which may be an instant, and the raw offsets that say so."""

    begin: int
    at: int
    used: float
    first_offset: int
    last_offset: int


def used_in(cell: Cell, watch: Use, begin: int, end: int, now: int) -> list[Used]:
    """What was used in [begin, end), in the order of time."""
    if watch.counts == "cycles":
        made = (each for counter in cell.counters if counter.what in MADE for each in increments(counter, begin, end))
        return sorted(
            Used(each.at, each.at, float(each.pieces), each.offset, each.offset) for each in made if each.pieces > 0
        )
    found = []
    for interval in cell.intervals(begin, end, now):
        runs = cell.elements.runs(interval.state, interval.mode)
        if runs and watch.counts == "hours":
            hours = (interval.end - interval.start) / HOUR
            found.append(Used(interval.start, interval.end, hours, interval.first_offset, interval.last_offset))
        elif runs and not watch.ran:
            found.append(Used(interval.start, interval.start, 1.0, interval.first_offset, interval.last_offset))
        watch.ran = runs
    return found


class _Hours:
    """Values of whole hours, made once a refresh and only where a rule asks."""

    __slots__ = ("_cell", "_known", "_view")

    def __init__(self, cell: Cell, view: View) -> None:
        self._cell, self._view = cell, view
        self._known: dict[str, list[tuple[int, float, int, int]]] = {}

    def values(self, of: str) -> list[tuple[int, float, int, int]]:
        """(middle of the hour, value, first and last raw offset) of the hours that the watermark has passed now."""
        known = self._known.get(of)
        if known is None:
            known = self._known[of] = list(self._cycles() if of == "cycle" else self._energy())
        return known

    def _hours(self) -> range:
        """Numbers of hours that have closed."""
        first = max(self._view.begin, self._view.previous_watermark)
        return range(max(first, 0) // HOUR, max(self._view.watermark, 0) // HOUR)

    def _cycles(self) -> Iterator[tuple[int, float, int, int]]:
        """Median cycles by their ideals, all products of an hour together, weighed by how many there were."""
        for hour in self._hours():
            told = [
                record
                for record in self._view.said
                if isinstance(record, Cycle) and record.started_at == hour * HOUR and record.status != "provisional"
            ]
            rows = [(of.cycles, of.median_us, of.ideal_cycle_us, of.inputs) for of in told]
            whole = [(n, median, ideal, inputs) for n, median, ideal, inputs in rows if n and median and ideal]
            if whole:
                count = sum(n for n, _, _, _ in whole)
                share = sum(n * median / ideal for n, median, ideal, _ in whole) / count
                first = min(inputs.first_offset for *_, inputs in whole)
                yield hour * HOUR + HOUR // 2, share, first, max(inputs.last_offset for *_, inputs in whole)

    def _energy(self) -> Iterator[tuple[int, float, int, int]]:
        """Energy by piece, good or not."""
        for hour in self._hours():
            start, end = hour * HOUR, (hour + 1) * HOUR
            used, made, offsets = 0.0, 0, []
            for counter in self._cell.counters:
                if counter.what in MADE or counter.what == "energy":
                    for each in increments(counter, start, end):
                        offsets.append(each.offset)
                        if counter.what == "energy":
                            used += each.pieces / 1000
                        else:
                            made += each.pieces
            if made > 0 and used > 0:
                yield start + HOUR // 2, used / made, min(offsets), max(offsets)


def _say(cell: Cell, view: View, name: str, cause: Cause) -> list[Derived]:
    """The record of a cause as it is now, if that is news; its end, if it is over."""
    kind, watch = f"{KIND}.{name}", cause.watch
    begun = cell.ledger.start_before(kind, INF)
    standing = None if begun is None else cell.ledger.get(kind, begun)
    if not isinstance(standing, Condition) or standing.ended_at is not None:
        standing = None
    found = watch.finding
    if watch.started_at is None or found is None:
        if standing is None or (watch.learning and cause.mended is None):
            return []
        cause.said, cause.changed = None, True
        over_at = watch.at if cause.mended is None else cause.mended
        cause.mended = None
        return _end(cell, kind, standing, max(over_at, standing.started_at + 1))
    if standing is not None and not found.is_news(cause.said):
        return []
    cause.said, cause.changed = msgspec.structs.replace(found), True
    started_at = watch.started_at if standing is None else standing.started_at
    order = cell.schedule.order_at(view.watermark)
    return cell.ledger.put(
        Condition,
        kind,
        started_at,
        None,
        False,
        view.inputs(cause.first, cause.last),
        **{field: getattr(found, field) for field in found.__struct_fields__},
        name=name,
        state="raised",
        order=None if order is None else order.id,
        product=None if order is None else order.product,
    )


def _end(cell: Cell, kind: str, standing: Condition, at: int) -> list[Derived]:
    inputs = (standing.inputs.first_offset, standing.inputs.last_offset)
    content = content_of(standing) | {"state": "cleared"}
    return cell.ledger.put(Condition, kind, standing.started_at, at, True, inputs, **content)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SavedCause).decode
