"""One work unit: the samples it sent, the facts that hold for it and what was published about it.

Samples only update sets here (series, signs of life, newest values); everything derived is computed from the sets at the
next tick, over the stretch of time that changed (`touched`).
"""

from collections.abc import Iterator, Mapping, Sequence

from processors.base import Rejection
from processors.cell.tags import Measured, Metered, Named, Slot, Whole, outranks, refuse
from processors.inputs.counters import MADE_BEFORE, Counted, Counter
from processors.inputs.facts import Facts
from processors.inputs.journal import Journal
from processors.inputs.pieces import Pieces
from processors.inputs.schedule import Plan
from processors.inputs.series import Series
from processors.output.ledger import Ledger
from processors.spc.chart import Chart
from processors.timeline import noise, stops
from processors.timeline.elements import MAINTENANCE, PLAIN, Context, Elements
from processors.timeline.timeline import UNKNOWN, Interval, Names, Timeline
from processors.timeline.windows import Group, Groups, Totals, Windows, merge
from processors.units import HOUR, INF
from schemas.records import Downtime, Order, Sample, Shift
from topology.kpi.definition import KpiFormula
from topology.model.plant import EquipmentType, Tag
from topology.model.shifts import Days

TAGS_MAX = 512
"""Tags of one cell; more is a fault of the source (a time or a serial number in the tag's name)."""
CHARTS_MAX = 64
"""Characteristics of one cell."""
BASELINE = 25
"""Points from which limits are learnt where the equipment type says nothing."""
COUNTED: dict[str, Counted] = {"good_count": "good", "scrap_count": "scrap", "rework_count": "rework"}
"""Role of a tag → what it counts."""


class Cell:
    """State of one work unit inside the fold."""

    __slots__ = (
        "acknowledged",
        "born",
        "carry",
        "charts",
        "counters",
        "days",
        "elements",
        "facts",
        "floor",
        "fresh",
        "gone",
        "journal",
        "last_good",
        "ledger",
        "line",
        "names",
        "packed_hours",
        "path",
        "piece_before",
        "plan",
        "points",
        "reasons",
        "replanned",
        "series",
        "settled",
        "silent_from",
        "site_kpis",
        "tags",
        "timeline",
        "touched",
        "type",
        "watermark",
        "windows",
    )

    def __init__(
        self,
        path: str,
        line: str,
        equipment: EquipmentType,
        ledger: Ledger,
        names: Names,
        elements: Elements,
        days: Days,
        site_kpis: Mapping[str, KpiFormula],
    ) -> None:
        self.days = days
        self.site_kpis = site_kpis
        self.path = path
        self.line = line
        self.type = equipment
        self.ledger = ledger
        self.names = names
        self.elements = elements
        silent_after_s = equipment.silent_after_s
        self.timeline = Timeline(names, INF if silent_after_s is None else round(silent_after_s * 1_000_000))
        self.counters: list[Counter] = []
        self.reasons = Series()
        self.series: dict[str, Series] = {}
        self.charts: dict[str, Chart] = {}
        self.points: dict[str, Series] = {}
        """Points published of characteristics that are tags: value as `quality.ordinal`, in place of the offset the revision."""
        self.tags: dict[str, Slot] = {}
        for tag, spec in equipment.tags.items():
            self.tags[tag] = self._slot(tag, spec)
        self.windows = Windows(self.intervals, self.counters, elements, self._stopped, self._starting_up)
        self.facts = Facts()
        self.plan = Plan((), (), False, False, days)
        self.carry: dict[str, Groups] = {}
        """Sums of windows still of interest over hours already let go, by `order <id>` or `shift <id>`."""
        self.journal = Journal()
        self.born: int | None = None
        """The earliest sign of life there ever was."""
        self.settled = -INF
        """The tick up to which derived records are up to date."""
        self.watermark = -INF
        """The watermark of that tick."""
        self.silent_from: int | None = None
        """The last sign of life of the silence that was declared, while it lasts."""
        self.touched: list[tuple[int, int]] = []
        self.acknowledged: list[tuple[str, int, str]] = []
        """Alerts acknowledged since the last tick: (kind, started_at, by whom)."""
        self.last_good: tuple[int, str, str, int, int, int] | None = None
        """The last good piece before the floor, as `changeover.Origin`."""
        self.piece_before: tuple[int, Pieces | None] | None = None
        """An hour's begin, and the last piece before it."""
        self.replanned = False
        """Whether orders or shifts changed since the last tick."""
        self.fresh = False
        """Whether a sample had an effect since the last tick."""
        self.floor = 0
        """Samples before this full hour were let go."""
        self.packed_hours: set[int] = set()
        """Hours packed since the last save."""
        self.gone: set[str] = set()
        """State keys (what follows `path|`) dropped since the last save."""

    # --- samples

    def take(self, samples: Sequence[Sample], offset: int, oldest: int, newest: int) -> list[Rejection]:
        """Takes in the samples of one record; those outside [oldest, newest] or at fault are refused one by one."""
        refused: list[Rejection] = []
        tags = self.tags
        life = self.timeline.life
        heard = life.ends[-1] if life.ends else INF
        patience = life.silent_after if self.silent_from is None else -1
        late = ahead = 0
        for sample in samples:
            at = sample.at
            if not oldest <= at <= newest:
                late += at < oldest
                ahead += at > newest
                continue
            slot = tags.get(sample.tag)
            if slot is None:
                if len(tags) >= TAGS_MAX:
                    refused.append(refuse(self, "too_many_tags", sample, f"the cell has {TAGS_MAX} tags already"))
                    continue
                slot = tags[sample.tag] = Slot(sample.tag)
            elif slot.reads and (fault := slot.take(self, sample, offset)) is not None:
                refused.append(fault)
                if fault.reason != "unmapped_state":
                    continue
            known = slot.newest
            if known is None or at > known.at or (at == known.at and outranks(sample, known)):
                slot.newest = sample
                self.fresh = True
            if sample.quality & 0xC0000000:
                continue  # the source has lost the machine: no sign of life
            if heard < at <= heard + patience:
                heard = life.ends[-1] = at
            elif not (life.starts and life.starts[-1] <= at <= heard):
                self._hear(at)
                heard = life.ends[-1]
                patience = -1 if self.silent_from is not None else life.silent_after
        if late:
            refused.append(
                self._outside("late", late, "older than the correction horizon; `uns replay` can still fold them in")
            )
        if ahead:
            refused.append(self._outside("future", ahead, "ahead of the plant's clock; check the clock of the source"))
        return refused

    def _hear(self, at: int) -> None:
        span = self.timeline.life.add(at)
        if span is None:
            return
        if self.born is None or at < self.born:
            self.born = at
        self.touch(*span)
        self.fresh = True

    def listen(self, now: int) -> None:
        """Declares silence once nothing has been heard for too long, and its end."""
        life = self.timeline.life
        if not life.ends:
            return
        heard = life.ends[-1]
        if self.silent_from is not None and self.silent_from != heard:
            self.silent_from = None
        if self.silent_from is None and now - heard > life.silent_after:
            self.silent_from = heard
            self.touch(heard, INF)

    def slot(self, tag: str) -> Slot:
        found = self.tags.get(tag)
        if found is None:
            found = self.tags[tag] = Slot(tag)
        return found

    def chart(self, characteristic: str) -> Chart:
        """The chart of a characteristic; one that is only inspected by hand gets its chart with the first value."""
        found = self.charts.get(characteristic)
        if found is None:
            found = self.charts[characteristic] = Chart(baseline=BASELINE, lsl=None, usl=None)
        return found

    def has_room_for(self, characteristic: str) -> bool:
        return characteristic in self.charts or len(self.charts) < CHARTS_MAX

    def touch(self, start: int, end: int) -> None:
        """Marks [start, end) as changed, where it had been derived already, and what the noise floor sees it from."""
        if start < self.settled:
            margin = self.elements.margin_us
            self.touched.append((start - margin, end + margin))

    def put(self, tag: str, series: Series, at: int, value: int, offset: int) -> None:
        """Adds a sample to a series of this cell and to the journal."""
        following = series.add(at, value, offset)
        if following is None:
            return
        self.journal.add(tag, at, value, offset)
        self.fresh = True
        self.touch(at, following)

    def _slot(self, tag: str, spec: Tag) -> Slot:
        """What the samples of a tag are for, by its role."""
        match spec.role:
            case "state" | "mode":
                series = self.series[tag] = self.timeline.state if spec.role == "state" else self.timeline.mode
                return Named(tag, series, self.names.codes(spec.codes), self.names.number(UNKNOWN))
            case "good_count" | "scrap_count" | "rework_count":
                series = self.series[tag] = Series()
                cycle_us = max(1, round(self.type.ideal_cycle_s * 1_000_000))
                added = spec.counts == "increments"
                self.counters.append(Counter(series, COUNTED[spec.role], spec.modulus, cycle_us, added))
                return Whole(tag, series, spec.modulus, 0 if added else MADE_BEFORE)
            case "energy":
                series = self.series[tag] = Series()
                self.counters.append(Counter(series, "energy", None, 1))
                return Metered(tag, series, MADE_BEFORE)
            case "reason":
                self.series[tag] = self.reasons
                return Whole(tag, self.reasons)
            case "characteristic":
                chart = self.charts[tag] = Chart(baseline=spec.baseline, lsl=spec.lsl, usl=spec.usl)
                self.series[tag] = self.points[tag] = Series()
                return Measured(tag, chart)
            case _:
                return Slot(tag)

    def _outside(self, reason: str, count: int, what: str) -> Rejection:
        return Rejection(reason, f"{self.path}: {count} sample(s) {what}")

    # --- facts

    def replan(self, line: Facts, shifts_told: bool, orders_told: bool) -> None:
        """Takes the orders and shifts of the line and its own as they are now; its own replace those of the same id."""
        orders = {order.id: (order, offset) for order, offset in [*line.of(Order), *self.facts.of(Order)]}
        shifts = {shift.id: (shift, offset) for shift, offset in [*line.of(Shift), *self.facts.of(Shift)]}
        self.plan = Plan(
            sorted(orders.values(), key=lambda pair: (pair[0].started_at, pair[0].id)),
            sorted(shifts.values(), key=lambda pair: (pair[0].started_at, pair[0].id)),
            shifts_told,
            orders_told,
            self.days,
        )

    # --- time

    def intervals(self, start: int, end: int, now: int) -> list[Interval]:
        """The intervals of equal state and mode that make up [start, end), above the definition's noise floor."""
        return noise.intervals(self.timeline, self.elements, start, end, now)

    def _stopped(self, start: int, end: int) -> Iterator[tuple[int, int, Context]]:
        """[start, end) of time in a stop by what its published parts say."""
        begun = self.ledger.start_before("downtime", start + 1)
        begins = [] if begun is None or begun == start else [begun]
        for started_at in [*begins, *self.ledger.starts("downtime", start, end)]:
            known = self.ledger.get("downtime", started_at)
            until = end if not isinstance(known, Downtime) or known.ended_at is None else min(known.ended_at, end)
            if isinstance(known, Downtime) and until > start:
                since = max(known.started_at, start)
                if since > start:
                    yield start, since, PLAIN
                yield since, until, self._context(known)
                start = until
        if start < end:
            yield start, end, PLAIN

    def _context(self, known: Downtime) -> Context:
        """What time in a part of a stop is to be judged by."""
        code = known.reason_code
        reason = self.type.reasons.get(code) if code is not None else None
        micro = known.kind == "micro_stop" and self.elements.micro(code is not None)
        return Context(reason.category if reason is not None else None, micro)

    def _starting_up(self, at: int, order: str | None) -> bool:
        """Whether what is scrapped then is start-up loss."""
        rule = self.elements.definition.options.start_up
        if rule is None:
            return False
        if order is not None and at - self.plan.orders[order].start < rule.of_order_s * 1_000_000:
            return True
        mode = self.timeline.mode.in_force(at)
        return mode is not None and self.names.texts[mode.value] in rule.modes

    # --- memory

    def let_go(self, floor: int, now: int, watermark: int) -> None:
        """Forgets samples before `floor` (a full hour), after adding their sums to the windows that still run on."""
        before = floor // HOUR
        if self.born is not None:
            for start, end in self.touched:
                self.windows.invalidate(start, end)
            first = max(self.floor, self.born) // HOUR
            windows = [(0, order.order.id, order.start, order.end) for order in self.plan.orders.values()]
            windows += [(1, shift.shift.id, shift.start, shift.end) for shift in self.plan.shifts.values()]
            day = self.days.at(floor)
            windows.append((2, day.name, day.start, day.end))
            for part, name, start, end in windows:
                if start < floor < end:
                    self._carry(part, name, max(first, start // HOUR), before, now, watermark)
            live = {window_label(part, name) for part, name, _, end in windows if end > floor}
            self.carry = {label: groups for label, groups in self.carry.items() if label in live}
        for series in self.series.values():
            self.gone.update(f"hour|{hour}" for hour in series.prune(before))
        for hour in self.ledger.expire(before):
            self.gone.update((f"out|{hour}", f"add|{hour}"))
        self.packed_hours = {hour for hour in self.packed_hours if hour >= before}
        self.timeline.life.prune(floor)
        self.windows.forget(before)
        self.floor = floor

    def _carry(self, part: int, name: str, first: int, before: int, now: int, watermark: int) -> None:
        carried = self.carry.setdefault(window_label(part, name), {})
        for hour in range(first, before):
            for group, totals in self.windows.hour(self.plan, hour, now, watermark).items():
                if group[part] == name:
                    merge(carried, {group: totals})
        for piece in self.plan.pieces(first * HOUR, before * HOUR):
            group = Group(piece.order, piece.shift, piece.day)
            if group[part] == name:
                maintained = self.timeline.in_mode_us(MAINTENANCE, piece.start, piece.end, now)
                found = stops.within(self.ledger, piece.start, piece.end)
                if maintained or found:
                    merge(
                        carried,
                        {group: Totals(self.windows.nothing().element_us, maintained_us=maintained, stopped=found)},
                    )

    def cool(self, before: int) -> None:
        """Packs samples and published records of hours below the hour number `before`."""
        for series in self.series.values():
            self.packed_hours.update(series.cool(before))
        self.gone.update(f"new|{number}" for number in self.journal.drop(before))
        self.ledger.pack_before(before)

    def condense(self) -> bool:
        """Has the hours of full chunks saved packed in their place; True where there are any."""
        hours, numbers = self.journal.condense()
        self.packed_hours |= hours
        self.gone.update(f"new|{number}" for number in numbers)
        return bool(hours)


def window_label(part: int, name: str) -> str:
    """Names a window in `carry`: an order (part 0 of a group), a shift (1) or a day (2)."""
    return f"{('order', 'shift', 'day')[part]} {name}"
