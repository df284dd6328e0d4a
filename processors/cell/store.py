"""The fold's state as small keys, so that a transaction writes only what changed, and back again in any order.

Keys (path: of a cell, or of a line where facts are told):
  #              now, names of states and modes, the definition
  path|told      whether a shift and an order have ever been told for this line
  path|fact|…    one fact
  path|cell      what is small and changes with every sample: signs of life, newest values, what is not derived yet
  path|new|n     newest samples in order of arrival, chunk n
  path|hour|h    samples of hour h, packed, once it is past
  path|out|h     what was published with a begin in hour h, packed
  path|add|h     the same, what is newer than the packed
  path|of|d      what derivation d alone knows of the cell or the line (processors.derive.derivation)
  path|of|d|p    a part of it

Values are maps by name. A name that is not known is passed over, one that is missing takes its default: so a field with a
default, or a derivation, may come or go without a new `state_version`. A name keeps its meaning for ever.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter

import msgspec

from processors.cell.cell import Cell
from processors.inputs.block import Entry
from processors.inputs.facts import KINDS, Fact, ToldFacts
from processors.inputs.journal import Arrival
from processors.inputs.line_facts import LineFacts
from processors.inputs.measurements import SavedValue
from processors.inputs.rank import source_of
from processors.inputs.readings import Readings, SavedReadings
from processors.inputs.series import Packed
from processors.output.ledger import Ledger
from processors.timeline.totals import SavedTotals
from processors.timeline.windows import SavedHour
from processors.units import HOUR, INF
from schemas.records import Sample, Value

encode = msgspec.msgpack.Encoder().encode


class Head(msgspec.Struct, omit_defaults=True, gc=False):
    """What is the fold's own, and not a cell's."""

    now: int = 0
    names: list[str] = []
    """Of states and modes."""
    definition: str = ""
    fingerprint: str = ""
    """Of the definition's content."""
    logged: int = 0
    """The latest `Input.logged_at` that was ahead of the tick before it."""


class SavedTold(msgspec.Struct, omit_defaults=True, gc=False):
    shifts: bool = False
    orders: bool = False


class SavedFact(msgspec.Struct, gc=False):
    offset: int
    fact: msgspec.Raw


class SavedSample(msgspec.Struct, omit_defaults=True, gc=False, rename={"value": "v", "quality": "q"}):
    at: int
    value: Value = None
    quality: int = 0
    rank: int = 0


class SavedEntry(msgspec.Struct, gc=False, rename={"value": "v", "offset": "o"}):
    at: int
    value: int
    offset: int


class SavedSeries(msgspec.Struct, gc=False):
    """An hour of one series."""

    block: bytes
    last: SavedEntry


class SavedCell(msgspec.Struct, omit_defaults=True, gc=False):
    """What of a cell is small and changes with every sample. Names and meanings are those of `Cell` and its parts."""

    born: int | None = None
    settled: int = -INF
    watermark: int = -INF
    floor: int = 0
    silent_from: int | None = None
    touched: list[tuple[int, int]] = []
    awaited: bool = False
    rescheduled: bool = False
    fresh: bool = False
    life: list[tuple[int, int]] = []
    """Chains of signs of life: begin, end."""
    evicted: int | None = None
    """The newest sign of life of evicted chains."""
    stated: int = INF
    unseen_floor: int = 0
    unseen_before: list[tuple[int, int]] = []
    """`Timeline.unseen_before`, up to `unseen_floor`."""
    """The earliest known state there ever was."""
    gaps: list[tuple[int, int]] = []
    """Stretches in which nobody listened, as of the last look."""
    newest: dict[str, SavedSample] = {}
    """By tag."""
    rivals: dict[str, list[SavedSample]] = {}
    """By tag of whose newest time two sources spoke: the last word of each."""
    sources: list[str] = []
    """By number, as ranks have it."""
    carry: dict[str, SavedEntry] = {}
    """By tag: the newest sample of those evicted."""
    carried: dict[str, list[SavedTotals]] = {}
    """By window: its sums over evicted hours."""
    sums: SavedHour | None = None
    readings: dict[str, SavedReadings] = {}
    """By tag of a cumulative counter: what is known of its glitches."""
    measured: dict[str, list[SavedValue]] = {}
    """By characteristic: values that the watermark has not passed."""

    features: dict[str, list[SavedValue]] = {}
    """By tag that rules of condition read: values that the watermark has not passed."""

    @property
    def heard(self) -> int | None:
        """The last sign of life."""
        return self.life[-1][1] if self.life else None


decode_head = msgspec.msgpack.Decoder(Head).decode
decode_cell = msgspec.msgpack.Decoder(SavedCell).decode
_decode_told = msgspec.msgpack.Decoder(SavedTold).decode
_decode_fact = msgspec.msgpack.Decoder(SavedFact).decode
_decode_hour = msgspec.msgpack.Decoder(dict[str, SavedSeries]).decode


# --- facts


def fact_key(path: str, kind: str, name: str) -> str:
    return f"{path}|fact|{kind}|{name}"


def encode_fact(fact: Fact, offset: int) -> bytes:
    return encode(SavedFact(offset, msgspec.Raw(encode(fact))))


def load_facts(facts: ToldFacts, parts: Mapping[str, bytes]) -> None:
    """Puts back the facts among a path's keys (what follows `path|`)."""
    for key, data in parts.items():
        if key.startswith("fact|"):
            saved = _decode_fact(data)
            facts.put(msgspec.msgpack.decode(saved.fact, type=KINDS[key.split("|")[1]]), saved.offset)


def line_changes(line: LineFacts) -> tuple[str, bytes]:
    """The key that says what has ever been told for a line."""
    return f"{line.path}|told", encode(SavedTold(line.shifts_told, line.orders_told))


def load_line(line: LineFacts, parts: Mapping[str, bytes]) -> None:
    """Puts back what was told for a line from its keys (what follows `path|`)."""
    if "told" in parts:
        told = _decode_told(parts["told"])
        line.shifts_told, line.orders_told = told.shifts, told.orders
    load_facts(line.facts, parts)


# --- a cell


def redefined(parts: dict[str, bytes], same_label: bool) -> list[str]:
    """Makes a cell's keys ready for a definition of other content; returns the keys dropped.

    Sums are judged anew. Under the same label what was published stays known, so that it is corrected; under another it
    is published anew, as far back as samples are kept.
    """
    if "cell" in parts:
        saved = decode_cell(parts["cell"])
        saved.carried, saved.sums = {}, None
        if same_label:
            saved.touched = [(0, saved.settled)]
        else:
            saved.touched, saved.settled, saved.watermark = [], -INF, -INF
        parts["cell"] = encode(saved)
    gone = [] if same_label else [key for key in parts if key.startswith(("out|", "add|"))]
    for key in gone:
        del parts[key]
    return gone


def cell_changes(cell: Cell) -> Iterator[tuple[str, bytes | None]]:
    """Keys of a cell (what follows `path|`) that changed since the last call; clears the marks."""
    for key in sorted(cell.gone):  # first: what came back since then is given again below
        yield key, None
    cell.gone.clear()
    yield "cell", encode(_saved(cell))
    for number, data in cell.journal.save().items():
        yield f"new|{number}", data
    yield from cell.ledger.changes()
    for hour in sorted(cell.packed_hours):
        blocks = {tag: packed for tag, series in cell.series.items() if (packed := series.packed(hour)) is not None}
        if blocks:
            saved = {tag: SavedSeries(packed.data, SavedEntry(*packed.last)) for tag, packed in blocks.items()}
            yield f"hour|{hour}", encode(saved)
    cell.packed_hours.clear()


def _saved(cell: Cell) -> SavedCell:
    life = cell.timeline.life
    return SavedCell(
        born=cell.born,
        settled=cell.settled,
        watermark=cell.watermark,
        floor=cell.floor,
        silent_from=life.silent_from,
        touched=cell.touched,
        awaited=cell.awaited,
        rescheduled=cell.rescheduled,
        fresh=cell.fresh,
        life=list(zip(life.starts, life.ends, strict=True)),
        evicted=life.evicted,
        stated=cell.timeline.stated,
        unseen_floor=cell.timeline.floor,
        unseen_before=list(cell.timeline.unseen_before.items()),
        gaps=life.unheard.spans,
        newest={
            tag: _saved_sample(slot.rank, slot.newest) for tag, slot in cell.tags.items() if slot.newest is not None
        },
        rivals={
            tag: [_saved_sample(*last) for last in slot.rivals.values()]
            for tag, slot in cell.tags.items()
            if slot.rivals
        },
        sources=cell.sources.dump(),
        carry={tag: SavedEntry(*series.carry) for tag, series in cell.series.items() if series.carry is not None},
        carried={label: cell.windows.dump(groups) for label, groups in cell.sums.carried.items()},
        sums=cell.windows.newest,
        readings={tag: series.dump() for tag, series in cell.series.items() if isinstance(series, Readings)},
        features={tag: values.dump() for tag, values in cell.features.items() if len(values)},
        measured={
            name: values.dump()
            for name, values in cell.measurements.items()
            if values or name not in cell.series  # one inspected by hand is known from its first value on
        },
    )


def _saved_sample(rank: int, sample: Sample) -> SavedSample:
    return SavedSample(sample.at, sample.value, sample.quality, rank)


def _loaded_sample(tag: str, saved: SavedSample) -> tuple[int, Sample]:
    return saved.rank, Sample(tag, saved.at, saved.value, saved.quality)


def load_cell(cell: Cell, parts: Mapping[str, bytes]) -> None:
    """Puts back a new cell from its keys (what follows `path|`), given in any order."""
    for key, data in parts.items():
        if key.startswith("hour|"):
            for tag, hour in _decode_hour(data).items():
                if tag in cell.series:
                    last = Entry(hour.last.at, hour.last.value, hour.last.offset)
                    cell.series[tag].restore_hour(int(key[5:]), Packed(hour.block, last))
    load_ledger(cell.ledger, parts)
    arrivals: list[Arrival] = []
    for key, data in parts.items():
        if key.startswith("new|"):
            arrivals += cell.journal.load(int(key[4:]), data)
    for sample in sorted(arrivals, key=attrgetter("at")):  # in order of time little is unpacked
        if sample.tag in cell.series:
            cell.series[sample.tag].add(sample.at, sample.value, sample.offset, sample.rank)
    if "cell" in parts:
        _load_saved(cell, decode_cell(parts["cell"]))


def load_ledger(ledger: Ledger, parts: Mapping[str, bytes]) -> None:
    """Puts back a new ledger from the keys of its path (what follows `path|`)."""
    for hour in sorted({int(key[4:]) for key in parts if key.startswith(("out|", "add|"))}):
        ledger.restore(hour, parts.get(f"out|{hour}"), parts.get(f"add|{hour}"))


def _load_saved(cell: Cell, saved: SavedCell) -> None:
    life = cell.timeline.life
    cell.born, cell.settled, cell.watermark, cell.floor = saved.born, saved.settled, saved.watermark, saved.floor
    cell.touched, cell.awaited = saved.touched, saved.awaited
    cell.rescheduled, cell.fresh = saved.rescheduled, saved.fresh
    life.starts, life.ends = [start for start, _ in saved.life], [end for _, end in saved.life]
    life.silent_from, life.evicted = saved.silent_from, saved.evicted
    cell.timeline.stated = saved.stated
    cell.timeline.floor, cell.timeline.unseen_before = saved.unseen_floor, dict(saved.unseen_before)
    life.unheard.put_back(saved.gaps)
    if saved.sums is not None:
        cell.windows.keep(saved.sums.hour, saved.sums.done, cell.windows.load(saved.sums.sums))
    cell.sources.load(saved.sources)
    for tag, sample in saved.newest.items():
        if (slot := cell.slot(tag)) is not None:
            slot.rank, slot.newest = _loaded_sample(tag, sample)
    for tag, samples in saved.rivals.items():
        if (slot := cell.slot(tag)) is not None:
            slot.rivals = {source_of(last.rank): _loaded_sample(tag, last) for last in samples}
    cell.forget(cell.floor // HOUR)  # a chunk of newest samples may reach back before the floor
    for tag, entry in saved.carry.items():
        if tag in cell.series:
            cell.series[tag].restore_carry(Entry(entry.at, entry.value, entry.offset))
    for tag, readings in saved.readings.items():
        counted = cell.series.get(tag)
        if isinstance(counted, Readings):
            counted.load(readings)
    for tag, values in saved.features.items():
        if tag in cell.features:
            cell.features[tag].load(values)
    for characteristic, values in saved.measured.items():
        if (known := cell.measured(characteristic)) is not None:
            known.load(values)
    cell.sums.carried = {label: cell.windows.load(rows) for label, rows in saved.carried.items()}
