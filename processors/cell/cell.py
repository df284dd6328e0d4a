"""One work unit: the samples it sent, the facts that hold for it and what was published about it.

Samples only update sets here (series, signs of life, newest values); everything derived is computed from the sets at the
next tick, over the stretch of time that changed (`touched`). What only one derivation knows is not here but its own.
"""

from collections.abc import Iterator, Sequence

from processors.base import Rejection
from processors.cell.tags import Measured, Metered, Named, Slot, Whole, outranks, refuse
from processors.inputs.counters import MADE_BEFORE, Counted, Counter
from processors.inputs.facts import ToldFacts
from processors.inputs.journal import Journal
from processors.inputs.line_facts import LineFacts
from processors.inputs.measurements import Measurements
from processors.inputs.series import Series
from processors.output.ledger import Ledger
from processors.timeline import noise
from processors.timeline.elements import PLAIN, Context, Elements
from processors.timeline.sums import DAY, ORDERS, SHIFTS, Running, Sums
from processors.timeline.timeline import UNKNOWN, Interval, Names, Timeline
from processors.timeline.windows import Windows
from processors.units import HOUR, INF
from schemas.records import Downtime, Reason, Sample
from topology.model.plant import EquipmentType
from topology.model.tags import Tag

TAGS_MAX = 512
"""Tags of one cell; more is a fault of the source (a time or a serial number in the tag's name)."""
CHARACTERISTICS_MAX = 64
"""Characteristics of one cell."""
COUNTED: dict[str, Counted] = {"good_count": "good", "scrap_count": "scrap", "rework_count": "rework"}
"""Role of a tag → what it counts."""


class Cell:
    """State of one work unit inside the fold. Its methods alone write its attributes; only the marks at the end are cleared
    by the tick (`processors.cell_fold`), and `cell.store` puts back what was saved."""

    __slots__ = (
        "awaited",
        "born",
        "counters",
        "elements",
        "facts",
        "floor",
        "fresh",
        "gone",
        "journal",
        "ledger",
        "line",
        "measurements",
        "names",
        "packed_hours",
        "path",
        "reasons",
        "rescheduled",
        "schedule",
        "series",
        "settled",
        "sums",
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
        line: LineFacts,
        equipment: EquipmentType,
        ledger: Ledger,
        names: Names,
        elements: Elements,
    ) -> None:
        self.path = path
        self.line = line
        self.type = equipment
        self.ledger = ledger
        self.names = names
        self.elements = elements
        # inputs
        silent_after_s = equipment.silent_after_s
        self.timeline = Timeline(names, INF if silent_after_s is None else round(silent_after_s * 1_000_000))
        self.counters: list[Counter] = []
        self.reasons = Series()
        self.series: dict[str, Series] = {}
        """Samples kept, by tag. Of a characteristic: its points published, value as `spc.chart.ordinal`, in place of the
        offset the revision."""
        self.measurements: dict[str, Measurements] = {}
        """By characteristic, those too that are only inspected by hand."""
        self.tags: dict[str, Slot] = {}
        for tag, spec in equipment.tags.items():
            self.tags[tag] = self._slot(tag, spec)
        self.facts = ToldFacts()
        self.schedule = line.schedule(self.facts)
        # inputs read as time
        self.windows = Windows(self.intervals, self.counters, elements, self._stopped, self._starting_up)
        self.sums = Sums(self.windows, self.timeline, ledger)
        # memory
        self.journal = Journal()
        self.born: int | None = None
        """The earliest sign of life there ever was."""
        self.floor = 0
        """Samples before this full hour were evicted."""
        self.packed_hours: set[int] = set()
        """Hours packed since the last save."""
        self.gone: set[str] = set()
        """State keys (what follows `path|`) dropped since the last save."""
        # marks
        self.settled = -INF
        """The tick up to which derived records are up to date."""
        self.watermark = -INF
        """The watermark of that tick."""
        self.touched: list[tuple[int, int]] = []
        """Stretches that changed since the last tick, where they had been derived already."""
        self.rescheduled = False
        """Whether orders or shifts changed since the last tick."""
        self.fresh = False
        """Whether a sample had an effect since the last tick."""
        self.awaited = False
        """Whether a fact for one derivation alone came in since the last tick."""

    # --- samples

    def take(self, samples: Sequence[Sample], offset: int, oldest: int, newest: int) -> list[Rejection]:
        """Takes in the samples of one record; those outside [oldest, newest] or at fault are refused one by one."""
        refused: list[Rejection] = []
        tags = self.tags
        life = self.timeline.life
        heard = life.ends[-1] if life.ends else INF
        patience = life.silent_after if life.silent_from is None else -1
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
                patience = -1 if life.silent_from is not None else life.silent_after
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
        silent_from = self.timeline.life.declare(now)
        if silent_from is not None:
            self.touch(silent_from, INF)

    def slot(self, tag: str) -> Slot:
        """What a tag's samples are for; a tag that no one knew is only carried along."""
        slot = self.tags.get(tag)
        if slot is None:
            slot = self.tags[tag] = Slot(tag)
        return slot

    def measured(self, characteristic: str) -> Measurements | None:
        """The values of a characteristic; one that is only inspected by hand is known from its first value on. None
        where there are too many already."""
        values = self.measurements.get(characteristic)
        if values is None and len(self.measurements) < CHARACTERISTICS_MAX:
            values = self.measurements[characteristic] = Measurements()
        return values

    def inspect(self, characteristic: str, at: int, inspection: str, value: float, offset: int) -> bool:
        """Adds a value measured by hand; False where there are too many characteristics already."""
        values = self.measured(characteristic)
        if values is not None and values.add(at, inspection, value, offset):
            self.fresh = True
        return values is not None

    def touch(self, start: int, end: int) -> None:
        """Marks [start, end) as changed, where it had been derived already, and what the noise floor sees it from."""
        if start < self.settled:
            margin = self.elements.margin_us
            self.touched.append((start - margin, end + margin))

    def expect_tick(self) -> None:
        """Has the next tick look at the cell, for a fact that one derivation alone has taken in."""
        self.awaited = True

    def put(self, tag: str, series: Series, at: int, value: int, offset: int) -> None:
        """Adds a sample to a series of this cell and to the journal."""
        following = series.add(at, value, offset)
        if following is None:
            return
        self.journal.add(tag, at, value, offset)
        self.fresh = True
        self.touch(at, following)

    def note(self, tag: str, series: Series, at: int, value: int, revision: int) -> None:
        """Adds a published point to a series of this cell and to the journal: nothing is derived from it."""
        if series.add(at, value, revision) is not None:
            self.journal.add(tag, at, value, revision)

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
                self.series[tag] = Series()
                values = self.measurements[tag] = Measurements()
                return Measured(tag, values)
            case _:
                return Slot(tag)

    def _outside(self, reason: str, count: int, what: str) -> Rejection:
        return Rejection(reason, f"{self.path}: {count} sample(s) {what}")

    # --- facts

    def reschedule(self) -> None:
        """Takes the orders and shifts of the line and its own as they are now."""
        self.schedule = self.line.schedule(self.facts)

    def operator_reasons(self) -> list[tuple[Reason, int]]:
        """What operators said of stops of the line and of this cell, with raw offsets, in order of begin and id."""
        reasons = self.line.facts.of(Reason) + self.facts.of(Reason)
        reasons.sort(key=lambda pair: (pair[0].started_at, pair[0].id))
        return reasons

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
        if order is not None and at - self.schedule.orders[order].start < rule.of_order_s * 1_000_000:
            return True
        mode = self.timeline.mode.in_force(at)
        return mode is not None and self.names.texts[mode.value] in rule.modes

    # --- memory

    def evict(self, floor: int, now: int, watermark: int) -> None:
        """Forgets samples before `floor` (a full hour), after adding their sums to the windows that still run on."""
        before = floor // HOUR
        if self.born is not None:
            for start, end in self.touched:
                self.windows.invalidate(start, end)
            first = max(self.floor, self.born) // HOUR
            self.sums.carry_over(self.schedule, self._running(floor), first, before, now, watermark)
        for series in self.series.values():
            self.gone.update(f"hour|{hour}" for hour in series.evict(before))
        for hour in self.ledger.expire(before):
            self.gone.update((f"out|{hour}", f"add|{hour}"))
        self.packed_hours = {hour for hour in self.packed_hours if hour >= before}
        self.timeline.life.evict(floor)
        self.windows.evict(before)
        self.floor = floor

    def _running(self, at: int) -> list[Running]:
        """The orders, shifts and the day whose sums must go on over `at`, and those that have ended."""
        windows = [Running(ORDERS, of.order.id, of.start, of.end) for of in self.schedule.orders.values()]
        windows += [Running(SHIFTS, of.shift.id, of.start, of.end) for of in self.schedule.shifts.values()]
        day = self.line.days.at(at)
        windows.append(Running(DAY, day.name, day.start, day.end))
        return windows

    def pack(self, before: int) -> None:
        """Packs samples and published records of hours below the hour number `before`."""
        for series in self.series.values():
            self.packed_hours.update(series.pack(before))
        self.gone.update(f"new|{number}" for number in self.journal.drop(before))
        self.ledger.pack_before(before)

    def condense(self) -> bool:
        """Has the hours of full chunks saved packed in their place; True where there are any."""
        hours, numbers = self.journal.condense()
        self.packed_hours |= hours
        self.gone.update(f"new|{number}" for number in numbers)
        return bool(hours)
