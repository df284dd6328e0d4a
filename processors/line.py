"""The fold of one raw partition: samples, facts and ticks of its lines in, derived records out.

Theory of operation. The rules:

- Everything derived is a function of *sets* of inputs: samples by source time, facts by id. The order in which they arrive
  may change which revisions go out, and when; never the numbers that stand in the end.
- There is no clock. Time is the newest `Tick`; the watermark is that tick less the lateness. A sample or fact only updates
  a set and marks the stretch of event time that it changes. All records go out with the next tick.
- What goes out is a difference: a derivation says what is so now, the ledger what was published, and only a record that says
  something else gets a new revision. So deriving too much costs time, and changes nothing.
- The state can be saved after any input and put back, and the fold goes on byte for byte.

How a sample becomes records:

1. inputs. `step` finds the cell by the record's path. `cell.tags` checks the value by its tag's role and puts it among the
   series (`inputs.series`), or refuses it: a `Rejection`, which the caller quarantines. `inputs.counters` decides what is a
   roll-over and what a reset, `inputs.liveness` what is silence, `inputs.schedule` which order and shift an instant is in.
2. timeline. Inputs read as time: the state in each instant (`timeline.timeline`), above the noise floor (`timeline.noise`);
   what it counts as under the KPI definition (`timeline.elements`); sums by hour (`timeline.windows`), and over any window
   (`timeline.sums`).
3. cell. A tick goes to each cell of which anything can have changed (`cell_fold`). A `View` says up to when to derive, and
   which stretches of time have changed since the last tick.
4. derive. Each derivation of the cell (`derive.order`) derives its records from timeline and inputs, in order: a later one
   reads what an earlier one has published. State that only one of them needs is its own. Then the line's own derivations.
5. output. `output.ledger` gives each record its id, revision and status: provisional while its time is open, final once the
   watermark has passed its end, corrected when something late changes it after that.

Memory. Hours that the watermark has passed are packed. What no record inside the correction horizon can need is evicted,
after each derivation has noted what it must know of it. `cell.store` says how all of it is saved.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby, islice

from processors.base import Input, Rejection
from processors.cell import store
from processors.cell.cell import Cell
from processors.cell.dormant import LOADED_PER_TICK, Dormant
from processors.cell_fold import CellFold
from processors.derive.order import OF_CELL, OF_LINE
from processors.inputs.admission import Admission
from processors.inputs.facts import EARLIEST, LATEST, Fact, OwnFact, addressed, fault
from processors.inputs.line_facts import LineFacts
from processors.line_state import LineState
from processors.output.adoption import adopt
from processors.output.identity import parse
from processors.output.ledger import Ledger
from processors.output.segment import Key
from processors.timeline.elements import Elements
from processors.timeline.timeline import Names
from processors.timeline.view import Moment
from processors.units import HOUR, INF
from schemas.lengths import with_short_comment
from schemas.records import (
    Current,
    Derived,
    Inputs,
    Inspection,
    Limits,
    Quality,
    Samples,
    Tick,
)
from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.namespace.path import Level

FACTS_MAX = 20_000
"""Facts of one kind of path; more means that somebody tells them without end."""

SAVE = 120_000_000
"""Event time (µs) after which the running hour's samples are saved packed, so that a restart reads few one by one."""

Output = Derived | Rejection

CELL_RECORDS = tuple({kind for derivation in OF_CELL for kind in derivation.records} - {Current})
"""Types of records that a cell's ledger keeps; a snapshot is never looked back on."""
LINE_RECORDS = tuple({kind for derivation in OF_LINE for kind in derivation.records})
"""Types of records that a line's ledger keeps."""


class LineFold:
    """Implements `processors.base.Fold`. The same inputs in the same order give the same outputs, byte for byte."""

    state_version = 5

    def __init__(self, plant: Plant, topic: str, partition: int, end: int | None = None) -> None:
        """`end` (µs): the tick with which a history ends; it publishes all that is open, due or not."""
        time = plant.time
        self._end = end
        self._topic = topic
        self._partition = partition
        self._label = plant.kpi.definition
        self._elements = Elements(selected(plant))
        self._lateness, self._future = round(time.lateness_s * 1_000_000), round(time.future_s * 1_000_000)
        self._horizon = round(time.horizon_h * 3_600_000_000)
        self._bucket = time.production_s * 1_000_000
        self._flush, self._flush_kpi = round(time.provisional_s * 1_000_000), round(time.kpi_s * 1_000_000)
        self._current = round(time.current_s * 1_000_000)
        self._types = {str(path): equipment for path, equipment in plant.cells().items()}
        self._admission = Admission(plant)
        self.dropped: dict[str, int] = {}
        self._lines: dict[str, LineState] = {}
        for path, cells in groupby(plant.cells().items(), lambda cell: cell[0].at(Level.LINE)):  # line by line, there
            line = LineFacts(path, plant)
            self._lines[line.path] = LineState(line, {str(at): kind for at, kind in cells}, self._ledger(line.path))
        self._names = Names()
        self._cells: dict[str, CellFold] = {}
        self._order: list[str] = []
        """Paths of the cells heard of, sorted: a restored fold must speak in the same order."""
        self._now = self._logged = 0
        self._oldest, self._newest = EARLIEST, LATEST
        self._changed: dict[str, CellFold] = {}
        self._keys: dict[str, bytes | None] = {}
        self._saved_head = b""
        self._restored: dict[str, bytes] = {}
        self._redefined = False
        """Whether the state restored is of a KPI definition that said something else."""
        self._dormant: dict[str, Dormant] = {}
        """Cells restored and not loaded yet; their paths are in `_order`."""

    @property
    def horizon_us(self) -> int:
        return self._horizon

    @property
    def watermark(self) -> int:
        # not yet stepped since it was restored
        now = store.decode_head(self._restored["#"]).now if "#" in self._restored else self._now
        return now - self._lateness if now else 0

    def step(self, item: Input) -> list[Output]:
        if self._restored:
            self._put_back()
        record = item.record
        if type(record) is Samples:
            fold = self._cells.get(item.path) or self._cell(item.path)
            if fold is None:
                return [self._admission.nowhere(item.path, Samples)]
            self._changed[item.path] = fold
            return list(fold.cell.take(record, item.offset, self._oldest, self._newest_of(item)) or ())
        if type(record) is Tick:
            return self._tick(record.at, item)
        if isinstance(record, Fact):
            return self._fact(item.path, with_short_comment(record), item.offset)
        if isinstance(record, OwnFact):
            return self._own_fact(item.path, with_short_comment(record), item.offset, self._newest_of(item))
        return [Rejection("wrong_type", f"{item.path}: {type(record).__name__} is no raw record")]

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
        """Brings all cells and lines up to `now`."""
        before, before_watermark = self._now, self.watermark
        self._now = now
        self._oldest, self._newest = now - self._horizon, now + self._future
        moment = Moment(
            now,
            self.watermark,
            max(self._oldest, 0) // HOUR * HOUR,
            now == self._end or now // self._flush != before // self._flush,
            now == self._end or now // self._flush_kpi != before // self._flush_kpi,
            now == self._end,
            self._bucket,
            Inputs(item.topic, item.partition, item.offset, item.offset),
            self._current,
        )
        if before and moment.floor > (before - self._horizon) // HOUR * HOUR:
            self._evict(moment)
        if self._dormant:
            self._load_due(moment)
        out: list[Derived] = []
        for path in self._order:
            fold = self._cells.get(path)
            if fold is None:
                continue
            said = fold.refresh(moment, self._lines[fold.cell.line.path].derivations)
            if said is not None:
                self._changed[path] = fold
                out += said
        if moment.flush_kpi:
            for line in self._lines.values():
                out += line.derive(moment)
        if moment.watermark // HOUR != before_watermark // HOUR:
            self._pack(moment.watermark // HOUR)
        elif moment.watermark // SAVE != before_watermark // SAVE:
            for path, fold in self._cells.items():
                if fold.cell.condense():
                    self._changed[path] = fold
        return out

    # --- facts

    def _fact(self, path: str, fact: Fact, offset: int) -> list[Output]:
        """Takes in a fact that the whole line or a cell is judged by."""
        if refused := self._admission.refusal(path, fact) or fault(path, fact, self._oldest):
            return [refused]
        line = self._lines.get(path)
        fold = self._cell(path) if line is None else None
        if self._dormant:
            beside = f"{path if line is not None else path.rpartition('/')[0]}/"
            self._load([cell for cell in self._dormant if cell.startswith(beside)])
        home = line if fold is None else self._lines[fold.cell.line.path]
        assert home is not None
        facts = home.line.facts if fold is None else fold.cell.facts
        if len(facts) >= FACTS_MAX:
            return [Rejection("too_many_facts", f"{path}: {FACTS_MAX} facts are kept already")]
        before = facts.put(fact, offset)
        if before is not None and before.fact == fact:
            return []
        self._keys[store.fact_key(path, type(fact).__name__, fact.id)] = store.encode_fact(fact, offset)
        self._changed |= {touched.cell.path: touched for touched in home.tell(fold, fact, before)}
        self._keys.update([store.line_changes(home.line)])
        return []

    def _own_fact(self, path: str, fact: OwnFact, offset: int, newest: int) -> list[Output]:
        """Gives a fact to the one derivation of a cell that reads it."""
        cell = addressed(path, fact)
        if isinstance(cell, Rejection):
            return [cell]
        if refused := self._admission.own_refusal(path, cell, fact):
            return [refused]
        # What was published about a cell can only be told of one that has been heard of.
        fold = (
            self._cell(cell)
            if isinstance(fact, Inspection | Limits) or cell in self._dormant
            else self._cells.get(cell)
        )
        if fold is None:
            return [*self._admission.unheard(cell, fact)]
        if refused := fold.take(fact, offset, self._oldest, newest):
            return [refused]
        self._changed[cell] = fold
        return []

    # --- cells and memory

    def _cell(self, path: str) -> CellFold | None:
        """The cell's state, from its first record on; None where the plant has no such cell."""
        fold = self._cells.get(path)
        if fold is None and path in self._dormant:
            self._load([path])
            fold = self._cells[path]
        elif fold is None and path in self._types:
            insort(self._order, path)
            fold = self._changed[path] = self._open(path)  # it is spoken of from now on
        return fold

    def _open(self, path: str) -> CellFold:
        line, end = self._lines[path.rpartition("/")[0]], INF if self._end is None else self._end
        cell = Cell(path, line.line, self._types[path], self._ledger(path), self._names, self._elements, end)
        fold = self._cells[path] = line.cells[path] = CellFold(cell)
        return fold

    def _ledger(self, path: str) -> Ledger:
        return Ledger(path, self._label, self._topic, self._partition, self.dropped)

    def _evict(self, moment: Moment) -> None:
        """Forgets what no record inside the horizon can need."""
        self._load(list(self._dormant))
        for line in self._lines.values():
            line.expire(moment)
        for path, fold in self._cells.items():
            fold.evict(moment.floor, moment.now, moment.watermark)
            self._changed[path] = fold
        for line in self._lines.values():
            line.evict(moment.floor)
            self._keys |= dict.fromkeys(line.expire_facts(moment.floor))

    def _pack(self, before: int) -> None:
        """Packs hours below the hour number `before`."""
        for path, fold in self._cells.items():
            fold.cell.pack(before)
            self._changed[path] = fold
        for line in self._lines.values():
            line.pack(before)

    # --- state

    def changes(self) -> Mapping[str, bytes | None]:
        keys, self._keys = self._keys, {}
        if self._restored:
            return keys
        for path, fold in self._changed.items():
            keys.update((f"{path}|{key}", value) for key, value in fold.changes())
        for path, line in self._lines.items():
            keys.update((f"{path}|{key}", value) for key, value in line.changes())
        head = self._head()
        if head != self._saved_head:
            keys["#"] = self._saved_head = head
        self._changed = {}
        return keys

    def _head(self) -> bytes:
        return store.encode(
            store.Head(self._now, self._names.texts, self._label, self._elements.fingerprint, self._logged)
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
            records = newest.get(path, {})
            if path in self._lines:
                out += self._lines[path].adopt(records, floor, since, trimmed)
            elif (fold := self._cell(path)) is not None:
                out += adopt(fold.cell.ledger, records, floor, since, trimmed)
                self._changed[path] = fold
        return out

    def _keeps(self, record: Derived) -> bool:
        """Whether a ledger has it. Others speak of our paths, too: roll-ups of lines, and pilots."""
        if record.path in self._lines:
            return isinstance(record, LINE_RECORDS)
        equipment = self._types.get(record.path)
        if equipment is None or not isinstance(record, CELL_RECORDS):
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
        self._redefined = head is not None and head.fingerprint != self._elements.fingerprint
        if head is not None and self._redefined:
            for path in (self._types.keys() | self._lines.keys()) & parts.keys():
                for key in store.redefined(parts[path], head.definition == self._label):
                    self._keys[f"{path}|{key}"] = None
        for path, line in self._lines.items():
            line.load(parts.get(path, {}), self._redefined)
        self._dormant = {path: Dormant.of(values) for path, values in parts.items() if path in self._types}
        self._order = sorted(self._dormant)

    def _load_due(self, moment: Moment) -> None:
        """Loads the cells of which this tick may have something to say, and some besides."""
        everything = moment.flush or moment.flush_kpi
        self._load(
            [
                path
                for path, cell in self._dormant.items()
                if everything
                or cell.due(moment.now, moment.watermark, moment.bucket_us, self._types[path].silent_after_s)
            ]
        )
        self._load(list(islice(self._dormant, LOADED_PER_TICK)))

    def _load(self, paths: Iterable[str]) -> None:
        for path in paths:
            parts = self._dormant.pop(path).parts
            self._open(path).load(parts, self._redefined)
