"""The fold of one raw partition: samples, facts and ticks of its lines in, derived records out."""

import math
from bisect import insort
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from processors.base import Input, Rejection
from processors.cell import store
from processors.cell.asleep import WOKEN_A_TICK, Asleep
from processors.cell.cell import Cell
from processors.cell.tags import MEASURE_MAX
from processors.cell.view import View, merged
from processors.derive import (
    alert,
    changeover,
    current,
    cycle,
    downtime,
    kpi,
    oee,
    production,
    state,
)
from processors.derive import (
    quality as control,
)
from processors.derive.bottleneck.bottleneck import Bottlenecks
from processors.inputs.facts import EARLIEST, LATEST, Facts, fault, span
from processors.inputs.schedule import Plan
from processors.output.adoption import adopt
from processors.output.identity import parse
from processors.output.ledger import Key, Ledger
from processors.timeline.elements import Elements
from processors.timeline.timeline import Names
from processors.units import HOUR, INF
from schemas.records import (
    Acknowledge,
    Bottleneck,
    Current,
    Derived,
    Downtime,
    Inputs,
    Inspection,
    Lot,
    Order,
    Pilot,
    Quality,
    Raw,
    Reason,
    Samples,
    Shift,
    Tick,
)
from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.model.shifts import Days
from topology.namespace.path import Level, Path

FACTS_MAX = 20_000
"""Facts of one kind of path; more means that somebody tells them without end."""

SAVE = 120_000_000
"""Event time (µs) after which the running hour's samples are saved packed, so that a restart reads few one by one."""

Output = Derived | Rejection


class Line:
    """What is told about a line, and its cells that have been heard of."""

    def __init__(self, path: Path, plant: Plant) -> None:
        calendar = plant.calendars.get(path)
        self.path = str(path)
        self.days = Days(plant.shifts[calendar].zone if calendar is not None else "UTC")
        self.site_kpis = plant.namespace.sites[path.segments[1]].kpis
        self.facts = Facts()
        self.cells: list[Cell] = []
        self.shifts_told = False
        self.orders_told = False


class LineFold:
    """Implements `processors.base.Fold`. The same inputs in the same order give the same outputs, byte for byte.

    Samples and facts update sets; the next tick derives what changed and returns the differences to what was published.
    """

    state_version = 4

    def __init__(self, plant: Plant, topic: str, partition: int, end: int | None = None) -> None:
        """`end` (µs): the tick with which a history ends; it publishes all that is open, due or not."""
        time = plant.time
        self._end = end
        self._topic = topic
        self._partition = partition
        self._label = plant.kpi.definition
        self._elements = Elements(selected(plant))
        self._lateness = round(time.lateness_s * 1_000_000)
        self._horizon = round(time.horizon_h * 3_600_000_000)
        self._future = round(time.future_s * 1_000_000)
        self._bucket = time.production_s * 1_000_000
        self._flush = round(time.provisional_s * 1_000_000)
        self._flush_kpi = round(time.kpi_s * 1_000_000)
        self._plant = plant
        self._types = {str(path): equipment for path, equipment in plant.cells().items()}
        lines = dict.fromkeys(path.at(Level.LINE) for path in plant.cells())
        self._lines = {str(path): Line(path, plant) for path in lines}
        self.dropped: dict[str, int] = {}
        self._bottlenecks = {str(path): self._bottleneck(path) for path in lines}
        self._names = Names()
        self._cells: dict[str, Cell] = {}
        self._order: list[str] = []
        """Paths of the cells heard of, sorted: a restored fold must speak in the same order."""
        self._now = self._logged = 0
        self._oldest, self._newest = EARLIEST, LATEST
        self._changed: dict[str, Cell] = {}
        self._keys: dict[str, bytes | None] = {}
        self._restored: dict[str, bytes] = {}
        self._asleep: dict[str, Asleep] = {}
        """Cells restored and not opened yet; their paths are in `_order`."""

    @property
    def horizon_us(self) -> int:
        return self._horizon

    @property
    def watermark(self) -> int:
        if "#" in self._restored:  # not yet stepped since
            now = store.decode_head(self._restored["#"]).now
            return now - self._lateness if now else 0
        return self._now - self._lateness if self._now else 0

    def step(self, item: Input) -> list[Output]:
        if self._restored:
            self._put_back()
        record = item.record
        if type(record) is Samples:
            cell = self._cells.get(item.path) or self._cell(item.path)
            if cell is None:
                return [self._unknown(item.path, record)]
            self._changed[item.path] = cell
            refused = cell.take(record.samples, item.offset, self._oldest, self._newest_of(item))
            return list(refused) if refused else []
        if type(record) is Tick:
            return self._tick(record.at, item)
        return self._fact(item.path, record, item.offset, self._newest_of(item))

    # --- time

    def _newest_of(self, item: Input) -> int:
        """The newest time that is believed of a record. Logged after the last tick: no worker may have run for hours."""
        if item.logged_at <= self._now:
            return self._newest
        self._logged = max(self._logged, item.logged_at)
        return max(self._newest, item.logged_at + self._future)

    def _tick(self, now: int, item: Input) -> list[Output]:
        """Derives what changed. A tick that is not newer than the last says nothing."""
        if not EARLIEST <= now <= LATEST:
            return [Rejection("out_of_range", f"{item.path}: a tick of {now} µs is no time; check the worker's clock")]
        if now <= self._now:
            return []
        out: list[Output] = []
        # After an outage, in strides: no window may pass the horizon unsaid. Once all samples have passed it, at once.
        all_said = max(self._now, self._logged) + self._future + self._horizon
        while self._now and now - self._now > self._horizon // 2 and self._now < all_said:
            out += self._go_on(self._now + self._horizon // 2, item)
        return out + self._go_on(now, item)

    def _go_on(self, now: int, item: Input) -> list[Derived]:
        before, before_watermark = self._now, self.watermark
        self._now = now
        self._oldest, self._newest = now - self._horizon, now + self._future
        self._keys["#"] = self._head()
        floor = max(self._oldest, 0) // HOUR * HOUR
        if before and floor > (before - self._horizon) // HOUR * HOUR:
            self._forget(floor)
        out: list[Derived] = []
        flush = now == self._end or now // self._flush != before // self._flush
        flush_kpi = now == self._end or now // self._flush_kpi != before // self._flush_kpi
        if self._asleep:
            self._wake_some(flush or flush_kpi)
        for path in self._order:
            cell = self._cells.get(path)
            if cell is not None:
                out += self._refresh(cell, flush, flush_kpi, floor, item)
        if flush_kpi:
            for path, line in self._lines.items():
                shifts = Plan((), line.facts.of(Shift), False, False).shifts
                out += self._bottlenecks[path].derive(self._cells, shifts, now, self.watermark, floor, item.offset)
        if self.watermark // HOUR != before_watermark // HOUR:
            self._pack(self.watermark // HOUR)
        elif self.watermark // SAVE != before_watermark // SAVE:
            for path, cell in self._cells.items():
                if cell.condense():
                    self._changed[path] = cell
        return out

    def _refresh(self, cell: Cell, flush: bool, flush_kpi: bool, floor: int, item: Input) -> list[Derived]:
        """Brings a cell up to this tick, unless nothing can have changed."""
        now, watermark = self._now, self.watermark
        cell.listen(now)
        if not (
            flush
            or flush_kpi
            or cell.fresh
            or cell.touched
            or cell.acknowledged
            or cell.replanned
            or now // self._bucket != cell.settled // self._bucket
            or watermark // self._bucket != cell.watermark // self._bucket
        ):
            return []
        self._changed[cell.path] = cell
        out: list[Derived] = []
        begin = max(cell.born, floor) if cell.born is not None else INF
        view = View(
            now=now,
            watermark=watermark,
            previous_watermark=cell.watermark,
            begin=begin,
            floor=floor,
            spans=merged([*cell.touched, (cell.settled - self._elements.margin_us, now)], begin, now),
            flush=flush,
            flush_kpi=flush_kpi,
            last=now == self._end,
            offset=item.offset,
        )
        if begin <= now:
            if cell.settled == -INF:
                cell.floor = floor
            for start, end in cell.touched:
                cell.windows.invalidate(start, end)
            reasons = self._lines[cell.line].facts.of(Reason) + cell.facts.of(Reason)
            reasons.sort(key=lambda pair: (pair[0].started_at, pair[0].id))
            out += state.derive(cell, view)
            stops = downtime.derive(cell, view, reasons)
            out += stops
            if stops:
                view = self._judged_again(cell, view, stops)
            out += production.derive(cell, view, self._bucket)
            out += oee.derive(cell, view)
            out += kpi.derive(cell, view)
            out += changeover.derive(cell, view)
            out += cycle.derive(cell, view)
            if cell.replanned:
                out += oee.withdraw_lost(cell, view)
                out += kpi.withdraw_lost(cell, view)
            out += alert.silent(cell, view)
            self._bottlenecks[cell.line].touch(cell.touched)
            cell.touched.clear()
            cell.replanned = False
            cell.settled = now
        if begin <= now or cell.charts:
            out += control.derive(cell, view)
        out += alert.acknowledge(cell)
        out += cell.ledger.finalise(watermark, ("state", "downtime", "alert"))
        cell.watermark = watermark
        if out or cell.fresh or flush:
            inputs = Inputs(item.topic, item.partition, item.offset, item.offset)
            out += current.derive(cell, view, inputs)
        cell.fresh = False
        cell.ledger.pack()
        return out

    def _judged_again(self, cell: Cell, view: View, changed: list[Derived]) -> View:
        """The view with the stops that changed: their time may count as another element, their number has changed."""
        spans = [
            (record.started_at, view.now if record.ended_at is None else record.ended_at)
            for record in changed
            if isinstance(record, Downtime)
        ]
        if self._elements.contextual:
            for start, end in spans:
                cell.windows.invalidate(start, end)
        return view._replace(spans=merged([*view.spans, *spans], view.begin, view.now))

    # --- facts

    def _fact(self, path: str, fact: Raw, offset: int, newest: int) -> list[Output]:
        if isinstance(fact, Inspection):
            return self._inspection(path, fact, offset, newest)
        if isinstance(fact, Acknowledge):
            return self._acknowledge(fact)
        if not isinstance(fact, Order | Shift | Lot | Reason):
            return [Rejection("wrong_type", f"{path}: {type(fact).__name__} is no raw record")]
        line = self._lines.get(path)
        cell = self._cell(path) if line is None else None
        if line is None and cell is None:
            return [self._unknown(path, fact)]
        if self._asleep:
            self._wake([other for other in self._asleep if other.startswith(f"{path}/")])
        if refused := fault(path, fact, self._oldest):
            return [refused]
        facts = line.facts if line is not None else cell.facts if cell is not None else Facts()
        if len(facts) >= FACTS_MAX:
            return [Rejection("too_many_facts", f"{path}: {FACTS_MAX} facts are kept already")]
        before = facts.put(fact, offset)
        if before is not None and before.fact == fact:
            return []
        kind = type(fact).__name__
        self._keys[store.fact_key(path, kind, fact.id)] = store.encode_fact(fact, offset)
        start, end = span(fact)
        if before is not None:
            start, end = min(start, span(before.fact)[0]), max(end, span(before.fact)[1])
        home = line if line is not None else self._lines[str(Path.parse(path).at(Level.LINE))]
        if isinstance(fact, Order | Shift) and self._first_told(home, fact):
            start, end = -INF, INF
        for touched in home.cells if cell is None or start == -INF else [cell]:
            since, until = start, end
            if isinstance(fact, Order | Shift):
                known = touched.plan
                touched.replan(home.facts, home.shifts_told, home.orders_told)
                touched.replanned = True
                if (changed := touched.plan.change(known)) is not None:  # it may have cut another one short
                    since, until = min(since, changed[0]), max(until, changed[1])
            touched.touch(since, until)
            self._changed[touched.path] = touched
        return []

    def _first_told(self, line: Line, fact: Order | Shift) -> bool:
        """Notes that orders or shifts are told for a line; True the first time, when it changes the meaning of all time."""
        told = line.orders_told if isinstance(fact, Order) else line.shifts_told
        if isinstance(fact, Order):
            line.orders_told = True
        else:
            line.shifts_told = True
        self._keys[f"{line.path}|told"] = store.encode_told(line.shifts_told, line.orders_told)
        return not told

    def _inspection(self, path: str, fact: Inspection, offset: int, newest: int) -> list[Output]:
        cell = self._cell(path)
        if cell is None:
            return [self._unknown(path, fact)]
        what = f"{path}: Inspection {fact.id} of {fact.characteristic}"
        if not math.isfinite(fact.value):
            return [
                Rejection("not_finite", f"{what} is {fact.value}; a finite number is expected", fact.characteristic)
            ]
        if abs(fact.value) > MEASURE_MAX:
            return [Rejection("out_of_range", f"{what} is {fact.value}", fact.characteristic)]
        if fact.at < self._oldest:
            return [Rejection("late", f"{what} is older than the correction horizon", fact.characteristic)]
        if fact.at > newest:
            return [Rejection("future", f"{what} is ahead of the plant's clock", fact.characteristic)]
        if not cell.has_room_for(fact.characteristic):
            return [Rejection("too_many_tags", f"{what}: too many characteristics already", fact.characteristic)]
        if cell.chart(fact.characteristic).add(fact.at, fact.id, fact.value, offset):
            cell.fresh = True
            self._changed[path] = cell
        return []

    def _acknowledge(self, fact: Acknowledge) -> list[Output]:
        try:
            kind, started_at = parse(fact.alert)
        except ValueError:
            return [Rejection("unknown_alert", f"{fact.alert!r} is no id of an alert (without its revision)")]
        path = fact.alert.partition("#")[0]
        cell = self._cell(path) if path in self._asleep else self._cells.get(path)
        known = cell.ledger.get(kind, started_at) if cell is not None and kind.startswith("alert.") else None
        if cell is None or known is None or (known.ended_at is not None and known.ended_at < self._oldest):
            return [Rejection("unknown_alert", f"alert {fact.alert!r} is not known here, or older than the horizon")]
        cell.acknowledged.append((kind, started_at, fact.by))
        self._changed[cell.path] = cell
        return []

    # --- cells and memory

    def _cell(self, path: str) -> Cell | None:
        """The cell's state, from its first record on; None where the plant has no such cell."""
        found = self._cells.get(path)
        if found is None and path in self._asleep:
            self._wake([path])
            found = self._cells[path]
        elif found is None and path in self._types:
            insort(self._order, path)
            found = self._open(path)
        return found

    def _open(self, path: str) -> Cell:
        equipment = self._types[path]
        line = self._lines[path.rpartition("/")[0]]
        ledger = Ledger(path, self._label, self._topic, self._partition, self.dropped)
        cell = self._cells[path] = Cell(
            path, line.path, equipment, ledger, self._names, self._elements, line.days, line.site_kpis
        )
        line.cells.append(cell)
        cell.replan(line.facts, line.shifts_told, line.orders_told)
        return cell

    def _bottleneck(self, path: Path) -> Bottlenecks:
        types = {cell: kind for cell, kind in self._types.items() if cell.startswith(f"{path}/") and kind.tag("state")}
        flow = {cell: kind.ideal_cycle_s for cell, kind in types.items()}
        return Bottlenecks(flow, Ledger(str(path), self._label, self._topic, self._partition, self.dropped))

    def _unknown(self, path: str, record: Raw) -> Rejection:
        what = type(record).__name__
        return Rejection(
            "unknown_path", f"{what} for {path}: the plant model has no such place; add it or mend the key"
        )

    def _forget(self, floor: int) -> None:
        """Lets go of what no record inside the horizon can need."""
        self._wake(list(self._asleep))
        for cell in self._cells.values():
            cell.listen(self._now)  # a silence that begins before the floor counts in what is carried over it
            changeover.remember(cell, floor)
            cell.let_go(floor, self._now, self.watermark)
            self._changed[cell.path] = cell
        for bottlenecks in self._bottlenecks.values():
            bottlenecks.let_go(floor // HOUR)
        for line in self._lines.values():
            if self._forget_facts(line.path, line.facts, floor):
                for cell in line.cells:
                    cell.replan(line.facts, line.shifts_told, line.orders_told)
            for cell in line.cells:
                if self._forget_facts(cell.path, cell.facts, floor):
                    cell.replan(line.facts, line.shifts_told, line.orders_told)

    def _forget_facts(self, path: str, facts: Facts, floor: int) -> bool:
        plan = Plan(facts.of(Order), facts.of(Shift), False, False)
        ends = {("Order", name): order.end for name, order in plan.orders.items()}
        ends |= {("Shift", name): shift.end for name, shift in plan.shifts.items()}
        gone = False
        for key in facts.names():
            told = facts.get(*key)
            if told is None:
                continue
            start, end = span(told.fact)
            if key[0] in ("Order", "Shift"):
                end = ends.get(key, start)
            if end <= floor:
                facts.forget(*key)
                self._keys[store.fact_key(path, *key)] = None
                gone = True
        return gone

    def _pack(self, before: int) -> None:
        for cell in self._cells.values():
            cell.cool(before)
            self._changed[cell.path] = cell
        for bottlenecks in self._bottlenecks.values():
            bottlenecks.cool(before)

    def changes(self) -> Mapping[str, bytes | None]:
        keys, self._keys = self._keys, {}
        if self._restored:
            return keys
        for cell in self._changed.values():
            keys.update(store.cell_changes(cell))
        for path, bottlenecks in self._bottlenecks.items():
            keys.update((f"{path}|{key}", value) for key, value in bottlenecks.changes())
        if self._changed:
            keys["#"] = self._head()
        self._changed = {}
        return keys

    def _head(self) -> bytes:
        return store.encode(
            store.Head(self._now, self._names.texts, self._label, self._elements.definition.fingerprint, self._logged)
        )

    def adopt(self, published: Iterable[Derived], since: int, trimmed: Collection[str]) -> list[Derived]:
        floor = max(self._oldest, 0) // HOUR * HOUR
        newest: dict[str, dict[Key, Derived]] = {}
        for record in published:
            if record.definition == self._label and self._keeps(record):
                newest.setdefault(record.path, {})[parse(record.natural_id)] = record
        out: list[Derived] = []
        lasting = {
            path
            for path, records in newest.items()
            if any(record.ended_at is None or record.ended_at > floor for record in records.values())
        }
        for path in sorted(lasting | set(self._order) | self._lines.keys()):
            cell = self._cell(path)
            ledger = self._bottlenecks[path].ledger if cell is None else cell.ledger
            out += adopt(ledger, newest.get(path, {}), floor, since, trimmed)
            if cell is not None:
                self._changed[path] = cell
        for bottlenecks in self._bottlenecks.values():
            bottlenecks.cool(0)  # marked as changed
        return out

    def _keeps(self, record: Derived) -> bool:
        """Whether a ledger has it. Others speak of our paths, too: roll-ups of lines, and pilots."""
        if record.path in self._lines:
            return isinstance(record, Bottleneck)
        equipment = self._types.get(record.path)
        if equipment is None or isinstance(record, Current | Pilot | Bottleneck):
            return False
        # Points of a tag are kept with its chart, which has taken them again.
        tag = equipment.tags.get(record.characteristic) if isinstance(record, Quality) else None
        return tag is None or tag.role != "characteristic" or parse(record.natural_id)[0].count(".") > 1

    def restore(self, key: str, value: bytes) -> None:
        self._restored[key] = value

    def _put_back(self) -> None:
        """Takes in all restored keys at once, so that their order cannot matter."""
        restored, self._restored = self._restored, {}
        head = None
        if "#" in restored:
            head = store.decode_head(restored.pop("#"))
            self._now, self._logged = head.now, head.logged
            self._names.restore(head.names)
        if self._now:
            self._oldest, self._newest = self._now - self._horizon, self._now + self._future
        parts: dict[str, dict[str, bytes]] = {}
        for key, value in sorted(restored.items()):
            path, _, rest = key.partition("|")
            parts.setdefault(path, {})[rest] = value
        for path, line in self._lines.items():
            if told := parts.get(path, {}).pop("told", None):
                line.shifts_told, line.orders_told = store.decode_told(told)
            store.restore_facts(line.facts, parts.get(path, {}))
        anew = head is not None and head.fingerprint != self._elements.definition.fingerprint
        if head is not None and anew:
            for path in (self._types.keys() | self._lines.keys()) & parts.keys():
                for key in store.redefined(parts[path], head.definition == self._label):
                    self._keys[f"{path}|{key}"] = None
        for path, bottlenecks in self._bottlenecks.items():
            bottlenecks.restore(parts.get(path, {}), anew)
        self._asleep = {path: Asleep.of(values) for path, values in parts.items() if path in self._types}
        self._order = sorted(self._asleep)

    def _wake_some(self, flush: bool) -> None:
        """Opens the cells of which this tick may have something to say, and some besides."""
        now, watermark, bucket = self._now, self.watermark, self._bucket
        self._wake(
            list(self._asleep)
            if flush
            else [
                path
                for path, cell in self._asleep.items()
                if cell.stirs(now, watermark, bucket, self._types[path].silent_after_s)
            ]
        )
        self._wake(list(islice(self._asleep, WOKEN_A_TICK)))

    def _wake(self, paths: Iterable[str]) -> None:
        for path in paths:
            parts = self._asleep.pop(path).parts
            cell = self._open(path)
            store.restore_facts(cell.facts, parts)
            store.restore_cell(cell, parts)
            line = self._lines[cell.line]
            cell.replan(line.facts, line.shifts_told, line.orders_told)
