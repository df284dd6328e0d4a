"""One work unit: the samples it sent, the facts that hold for it and what was published about it.

Samples only update sets here (series, signs of life, newest values); everything derived is computed from the sets at the
next tick, over the stretch of time that changed (`touched`). What only one derivation knows is not here but its own.
"""

from bisect import insort
from functools import partial

from processors.base import Rejection
from processors.cell.slots import slots_of
from processors.cell.stopped import stopped_parts
from processors.cell.tags import Slot, refuse
from processors.inputs.facts import NO_REASON, ToldFacts
from processors.inputs.journal import Journal
from processors.inputs.line_facts import LineFacts
from processors.inputs.measurements import Measurements
from processors.inputs.rank import Sources
from processors.inputs.readings import Readings
from processors.inputs.series import Series
from processors.inputs.waking import listen
from processors.output.ledger import Ledger
from processors.timeline import noise
from processors.timeline.elements import Elements
from processors.timeline.sums import DAY, ORDERS, SHIFTS, Running, Sums
from processors.timeline.timeline import Interval, Names, Timeline
from processors.timeline.unseen import counted_after
from processors.timeline.windows import Windows
from processors.units import HOUR, INF
from schemas.lengths import NAME_MAX
from schemas.records import Gap, Reason, Samples, is_live, is_measured
from topology.model.equipment import EquipmentType

NOTHING, VALUES, RECORDS = 0, 1, 2
CHARACTERISTICS_MAX = 64
"""Characteristics of one cell."""


class Cell:
    """State of one work unit inside the fold. Its methods alone write its attributes; only the marks at the end are cleared
    by the tick (`processors.cell_fold`), and `cell.store` puts back what was saved."""

    __slots__ = (
        "_others",
        "alarms",
        "awaited",
        "born",
        "counters",
        "elements",
        "facts",
        "features",
        "floor",
        "fresh",
        "gone",
        "journal",
        "ledger",
        "line",
        "measurements",
        "names",
        "now",
        "packed_hours",
        "path",
        "reasons",
        "rescheduled",
        "schedule",
        "series",
        "settled",
        "shown",
        "sources",
        "spread",
        "sums",
        "tags",
        "timeline",
        "touched",
        "type",
        "unshown",
        "wake",
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
        end: int = INF,
    ) -> None:
        """`end` (µs): the tick with which a history ends."""
        self.path = path
        self.line = line
        self.type = equipment
        self.ledger = ledger
        self.names = names
        self.elements = elements
        # inputs
        self.facts = ToldFacts()
        self.schedule = line.schedule(self.facts)
        silent_after_s = equipment.silent_after_s
        silent_after = INF if silent_after_s is None else round(silent_after_s * 1_000_000)
        self.timeline = Timeline(names, silent_after, -(-elements.margin_us // HOUR))
        slots = slots_of(equipment, self.timeline, self._cycle_us)
        self.tags, self.series, self.counters = slots.tags, slots.series, slots.counters
        """The tags that the type names, and those others that a snapshot shows."""
        self.alarms = slots.alarms
        """What its alarm rules make, by name."""
        self.spread, self.measurements = slots.spread, slots.measurements
        """Of characteristics, those too that are only inspected by hand."""
        self.reasons, self.features = slots.reasons, slots.features
        self._others: list[str] = []
        """The tags that the type does not name, sorted."""
        self.sources = Sources()
        # inputs read as time
        stopped = partial(stopped_parts, ledger, equipment, elements)
        self.windows = Windows(self.intervals, self.counters, elements, stopped, self._starting_up, self.timeline, end)
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
        self.recall_gaps()
        self._mark_nothing()

    def _mark_nothing(self) -> None:
        self.settled = -INF
        """The tick up to which derived records are up to date."""
        self.watermark = -INF
        """The watermark of that tick."""
        self.touched: list[tuple[int, int]] = []
        """Stretches that changed since the last tick, where they had been derived already."""
        self.rescheduled = self.fresh = self.awaited = False
        """Since the last tick: whether orders or shifts changed, a sample had an effect, a fact for one derivation came in."""
        self.shown, self.unshown = -INF, NOTHING
        """The tick of the last snapshot, and what has changed since: NOTHING, VALUES of tags alone, or RECORDS too."""
        self.now, self.wake = -INF, INF
        """The tick that is being derived, and after which time there is something to derive though nothing came in."""

    # --- samples

    def take(self, record: Samples, offset: int, oldest: int, newest: int) -> list[Rejection]:
        """Takes in the samples of a record; those outside [oldest, newest] or at fault are refused one by one."""
        refused: list[Rejection] = []
        tags, life = self.tags, self.timeline.life
        heard = life.ends[-1] if life.ends else INF
        patience = life.silent_after if life.silent_from is None else -1
        late = ahead = 0
        text_max, first = self.type.text_max, self.sources.first_rank(record)
        for n, sample in enumerate(record.samples):
            at = sample.at
            if not oldest <= at <= newest:
                late += at < oldest
                ahead += at > newest
                continue
            if type(sample.value) is str and len(sample.value) > text_max:
                refused.append(refuse(self, "too_long", sample, f"at most {text_max} characters; see text_max"))
                continue
            slot = tags.get(sample.tag)
            if slot is None:
                if len(sample.tag) > NAME_MAX:
                    refused.append(refuse(self, "too_long", sample, f"a tag has at most {NAME_MAX} characters"))
                    continue
                slot = self.slot(sample.tag)
            elif slot.reads and (fault := slot.take(self, sample, offset, first + n)) is not None:
                refused.append(fault)
                if fault.reason != "unmapped_state":
                    continue
            if slot is None:
                self.fresh = True
            elif (known := slot.newest) is None or at > known.at:
                slot.newest, slot.first, slot.place = sample, first, n
                self.fresh = True
            elif at == known.at and slot.hear(sample, first + n):
                self.fresh = True
            if sample.quality & 0xC0000000 and not (is_live(sample.quality) and self.trusts(sample.quality)):
                continue  # the source has lost the machine: no sign of life
            if heard < at <= heard + patience:
                heard = life.ends[-1] = at
            elif not (life.starts and life.starts[-1] <= at <= heard):
                self._hear(at)
                heard = life.ends[-1]
                patience = -1 if life.silent_from is not None else life.silent_after
        if late:
            words = f"{late} sample(s) older than the correction horizon; `uns replay` can still fold them in"
            refused.append(Rejection("late", f"{self.path}: {words}"))
        if ahead:
            words = f"{ahead} sample(s) ahead of the plant's clock; check the clock of the source"
            refused.append(Rejection("future", f"{self.path}: {words}"))
        return refused

    def trusts(self, quality: int) -> bool:
        """Whether a sample that is not good counts: an uncertain one with a measured value, where the type says so."""
        return self.type.uncertain == "use" and is_measured(quality)

    def _hear(self, at: int) -> None:
        span = self.timeline.life.add(at)
        if span is None:
            return
        if self.born is None or at < self.born:
            self.born = at
        self.touch(*span)
        self.fresh = True

    def listen(self, now: int) -> None:
        """Declares silence once nothing has been heard for too long, and its end; finds what counters' glitches are."""
        if self.timeline.life.unheard.lasting:
            self.mark_gaps()
        silent_from = self.timeline.life.declare(now)
        if silent_from is not None:
            self.touch(silent_from, INF)
        for counter in self.counters:
            readings = counter.series
            if isinstance(readings, Readings) and (readings.late is not None or readings.retold):
                readings.settle()
                if readings.retold:
                    for start, end in readings.retold:
                        self.touch(*counter.reach(start, end))
                    readings.retold.clear()

    def _cycle_us(self, at: int) -> int:
        """The ideal cycle of the running order, or the type's where that is shorter."""
        cycle_us = max(1, round(self.type.ideal_cycle_s * 1_000_000))
        if not self.schedule.orders:
            return cycle_us
        running = self.schedule.order_at(at)
        stated_s = None if running is None else running.ideal_cycle_s
        return cycle_us if stated_s is None else min(cycle_us, max(1, round(stated_s * 1_000_000)))

    def doubt_counts(self, start: int, end: int) -> None:
        """Has counters judged again in [start, end), where orders have changed, and so what is possible."""
        for counter in self.counters:
            if isinstance(counter.series, Readings):
                counter.series.doubt(start, end)

    def slot(self, tag: str) -> Slot | None:
        """What a tag's samples are for. Of tags that the type does not name the first by name are carried along, so that
        which these are follows from the set of names; None for all others, which cost nothing."""
        slot = self.tags.get(tag)
        if slot is None:
            others = self._others
            if len(others) >= self.type.other_tags_max:
                if not others or tag > others[-1]:
                    return None
                del self.tags[others.pop()]
            insort(others, tag)
            slot = self.tags[tag] = Slot(tag)
        return slot

    def measured(self, characteristic: str) -> Measurements | None:
        """The values of a characteristic; one that is only inspected by hand is known from its first value on. None
        where there are too many already."""
        values = self.measurements.get(characteristic)
        if values is None and len(self.measurements) < CHARACTERISTICS_MAX:
            values = self.measurements[characteristic] = Measurements()
        return values

    def inspect(self, characteristic: str, at: int, name: str, value: float, offset: int, size: float = 0.0) -> bool:
        """Adds a value measured by hand (`name`: its id); False where there are too many characteristics already."""
        values = self.measured(characteristic)
        if values is not None and values.add(at, name, value, offset, 0, size):
            self.fresh = True
        return values is not None

    def touch(self, start: int, end: int) -> None:
        """Marks [start, end) as changed, where it had been derived already, and what the noise floor sees it from."""
        if start < self.settled:
            end = counted_after(self.timeline, self.counters, start, end)
            self.touched.append((start - self.elements.margin_us, end + self.elements.margin_us))

    def expect_tick(self) -> None:
        """Has the next tick look at the cell, for a fact that one derivation alone has taken in."""
        self.awaited = True

    def wake_at(self, at: int) -> None:
        """Has the first tick after a time (µs) look at the cell."""
        self.wake = min(self.wake, at)

    def put(self, tag: str, series: Series, at: int, value: int, offset: int, rank: int) -> None:
        """Adds a sample to a series of this cell and to the journal."""
        following = series.add(at, value, offset, rank)
        if following is None:
            return
        self.journal.add(tag, at, value, offset, rank)
        if following > at:
            self.fresh = True
            self.touch(*(self.spread[tag].reach(at, following) if tag in self.spread else (at, following)))

    def note(self, tag: str, series: Series, at: int, value: int, revision: int, rank: int) -> None:
        """Adds a published point to a series of this cell and to the journal: nothing is derived from it. What lies before
        the floor no late one can meet."""
        if at >= self.floor and series.add(at, value, revision, rank) is not None:
            self.journal.add(tag, at, value, revision, rank)

    # --- facts

    def reschedule(self) -> None:
        """Takes the orders and shifts of the line and its own as they are now."""
        self.schedule = self.line.schedule(self.facts)

    def operator_reasons(self) -> list[tuple[Reason, int]]:
        """What operators said of stops of the line and of this cell, with raw offsets, in order of begin and id."""
        reasons = self.line.facts.of(Reason) + self.facts.of(Reason)
        # One told of the line may have a code of other machines; one restored, a code that has left the model since then.
        reasons = [pair for pair in reasons if pair[0].code == NO_REASON or pair[0].code in self.type.reasons]
        reasons.sort(key=lambda pair: (pair[0].started_at, pair[0].id))
        return reasons

    def mark_gaps(self) -> None:
        """Takes the gaps of the line and its own as they are now, and marks what that changes: silences around them, too."""
        if (changed := self.recall_gaps()) is not None:
            self.touch(*self.timeline.life.around(*changed))

    def recall_gaps(self) -> tuple[int, int] | None:
        """The same without a mark; returns the stretch in which it changes anything."""
        told = [gap for gap, _ in self.line.facts.of(Gap) + self.facts.of(Gap)]
        kept = (self.timeline.state, self.timeline.mode, self.reasons, *(counter.series for counter in self.counters))
        return listen(self.timeline.life, kept, told)

    # --- time

    def intervals(self, start: int, end: int, now: int) -> list[Interval]:
        """The intervals of equal state and mode that make up [start, end), above the definition's noise floor."""
        return noise.intervals(self.timeline, self.elements, start, end, now)

    def until(self, end: int) -> int:
        """Up to when (exclusive) what is told of [start, end) reaches: as a history ends, its last moment is part of it."""
        return end + (end == self.windows.end)

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
            for start, end in self.touched if self.settled != -INF else [(-INF, INF)]:
                self.windows.invalidate(start, end)
            running = self._running(floor)
            self.sums.carry_over(self.schedule, running, self.floor // HOUR, before, now, watermark)
        readings = [of.series.believed(floor) for of in self.counters if isinstance(of.series, Readings)]
        self.timeline.evict(floor, [of.at for of in readings if of is not None], now)
        self.forget(before)
        for hour in self.ledger.expire(before):
            self.gone.update((f"out|{hour}", f"add|{hour}"))
        self.timeline.life.evict(floor - self.elements.margin_us)
        self.windows.evict(before)
        self.floor = floor

    def forget(self, before: int) -> None:
        """Forgets samples of hours below the hour number `before` that nothing looks back on."""
        gone = {hour for series in self.series.values() for hour in series.evict(before)}
        gone.difference_update(*(series.hours for series in self.series.values()))
        self.gone.update(f"hour|{hour}" for hour in gone)

    def _running(self, at: int) -> list[Running]:
        """The orders, shifts and the day whose sums must go on over `at`, and those that have ended."""
        windows = [Running(ORDERS, of.order.id, of.start, of.end, of.parts) for of in self.schedule.orders.values()]
        windows += [Running(SHIFTS, of.shift.id, of.start, of.end, of.parts) for of in self.schedule.shifts.values()]
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
