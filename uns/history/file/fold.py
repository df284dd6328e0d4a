"""A file's records through the line fold: what the processors would have said, had they lived it punctually.

Everything is known before anything is derived: records come in order of event time and nothing is late. Ticks follow the
data, so history of any age is folded. At the end of the file what is still open is closed there; nothing is derived of
the time after.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from processors.base import Input, Rejection
from processors.inputs.admission import Admission
from processors.line import LineFold
from schemas.records import Derived, Prediction, Production, Raw, Samples, Tick
from topology.model.plant import Plant
from topology.model.timing import Time
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import BadPath, Level, Path
from topology.namespace.topics import partition, topic
from topology.nearest import nearest
from uns.history.file.order import ANSWER, FIRST, TICK, cut, end, seen, span, units
from uns.history.file.read import SOURCE, FileRecord, Refusal

HORIZON_H = 96.0
"""What is said of a stop after a weekend still reaches its begin; longer costs with each order and reason kept."""
MINUTE, DENSE = 60_000_000, 50
"""After so many records a tick comes with the minute: to derive from what is at hand costs less than to unpack an hour."""
SAVED = 24
"""Every so many ticks the fold lets go of what it would have saved."""
NO_LINE = 0
"""Stands for the offset of what no line says: ticks, and the shifts of the plant's calendars."""


@dataclass
class Folded:
    """What a file says."""

    records: list[Derived] = field(default_factory=list)
    """By path, class and begin the last revision of each; or every revision, as they came."""
    refused: list[Refusal] = field(default_factory=list)
    """In order of lines."""
    taken: int = 0
    """Raw records that went into the fold, ticks too; of some of them samples may be among the refused."""
    samples: int = 0
    """Samples in them."""
    unread: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(path, tag) → samples of a tag that the machine's type does not name."""

    @property
    def summary(self) -> str:
        """`1,000 records with 3,000 samples folded, 2 refused; 900 records derived`."""
        return (
            f"{self.taken:,} records with {self.samples:,} samples folded, {len(self.refused):,} refused; "
            f"{len(self.records):,} records derived"
        )

    def resemblances(self, plant: Plant) -> list[str]:
        """What to say of tags that the type does not name, but whose names resemble one that it does."""
        known = {str(path): equipment.tags for path, equipment in plant.cells().items()}
        said = []
        for (path, tag), samples in sorted(self.unread.items()):
            close = nearest(tag, known[path])
            if close is not None:
                said.append(f"{path}: tag {tag!r} is not read ({samples:,} samples); did you mean {close!r}?")
        return said


def fold(plant: Plant, told: Iterable[FileRecord | Refusal], until: int | None = None, every: bool = False) -> Folded:
    """Folds a file's records. `until` (µs UTC): time ends there; `every`: all revisions."""
    out = Folded()
    homes = {str(path): str(path.at(Level.LINE)) for path in plant.cells()}
    homes |= {line: line for line in homes.values()}
    admission = Admission(plant)
    logs: dict[str, list[FileRecord]] = {}
    tags = {str(path): equipment.tags for path, equipment in plant.cells().items()}
    now = 0
    for item in told:
        if isinstance(item, Refusal):
            out.refused.append(item)
        elif isinstance(item.record, Tick):  # time went on for all
            now, out.taken = max(now, item.record.at), out.taken + 1
        elif (nowhere := admission.unknown_path(item.path, type(item.record))) is not None:
            out.refused.append(_unknown(item, nowhere, homes))
        else:
            logs.setdefault(homes[item.path], []).append(item)
            now, out.taken = max(now, seen(item.record)), out.taken + 1
            if isinstance(item.record, Samples):
                out.samples += len(item.record.samples)
                for sample in item.record.samples:
                    if sample.tag not in tags[item.path]:
                        out.unread[item.path, sample.tag] += 1
    for line in sorted(logs):
        LineLog(plant, line, out, every).run(logs.pop(line), now, until)
    out.refused.sort(key=lambda refusal: refusal.line)
    if not every:
        out.records.sort(key=lambda r: (r.path, DERIVED.index(MessageClass(r.message_class)), r.started_at, r.id))
    return out


class LineLog:
    """One line's records through a fold of its own, as a line never splits. Offsets are numbers of file lines."""

    def __init__(self, plant: Plant, line: str, out: Folded, every: bool) -> None:
        self._path = Path.parse(line)
        self._plant, self._out, self._every = plant, out, every
        area = self._path.at(Level.AREA)
        self._area, self._topic = str(area), topic(area, MessageClass.RAW)
        self._partition = partition(self._path, plant.areas()[area])
        self._now = self._ticks = self._fed = 0
        self._said: list[Derived] = []
        """Every revision, where they are wanted."""
        self._last: dict[str, Derived] = {}
        self._current: dict[str, Derived] = {}

    def run(self, told: list[FileRecord], now: int, until: int | None) -> None:
        """Adds what the line says. `now`: the last moment seen of any line."""
        if until is not None:
            told = cut(told, until)
        if not told:
            return
        types = {str(path): equipment for path, equipment in self._plant.cells().items() if self._path.contains(path)}
        begin, last = min(span(item.record)[0] for item in told), end(told, now) if until is None else until
        calendar = self._plant.calendars.get(self._path)
        shifts = self._plant.shifts[calendar].between(begin, last) if calendar is not None else []
        patience = {
            path: round(equipment.silent_after_s * 1_000_000)
            for path, equipment in types.items()
            if equipment.silent_after_s is not None
        }
        if until is None and len(patience) < len(types):  # the last state holds on
            last = max([last, *(shift.ended_at for shift in shifts if shift.started_at < now)])
        told = [*(FileRecord(NO_LINE, str(self._path), shift) for shift in shifts if shift.started_at < last), *told]
        model = self._plant.model_copy(update={"time": _punctual(self._plant.time)})
        self._fold = LineFold(model, self._topic, self._partition, last)
        ordered = units(told, patience)
        ordered.reverse()
        while ordered:  # what has been told is let go
            at, rank, line, _, path, record = ordered.pop()
            if rank != FIRST:
                self._tick_before(min(at, last))
                self._fed += 1
                if rank == ANSWER:  # what it answers must have been said
                    self._tick(min(at, last))
            self._step(path, record, line)
        self._tick_before(last)
        self._tick(last)
        self._close(last)
        self._publish()

    def _tick_before(self, at: int) -> None:
        """The ticks that are due before a time."""
        if not self._now:  # of the time before the first record nothing can be said
            self._now = (at - 1) // TICK * TICK
        while (following := (self._now // TICK + 1) * TICK) < at:
            self._tick(following)
        if self._fed >= DENSE:
            self._tick((at - 1) // MINUTE * MINUTE)

    def _tick(self, at: int) -> None:
        if at <= self._now:
            return
        self._now, self._fed = at, 0
        self._step(self._area, Tick(at=at, worker=SOURCE), NO_LINE)
        self._ticks += 1
        if self._ticks % SAVED == 0:
            self._fold.changes()

    def _step(self, path: str, record: Raw, line: int) -> None:
        for output in self._fold.step(Input(path, self._topic, self._partition, line, record)):
            if isinstance(output, Rejection):
                self._out.refused.append(Refusal(line, path, output.tag, output.reason, output.message))
            else:
                self._keep(output)

    def _keep(self, record: Derived) -> None:
        if self._every:
            self._said.append(record)
        if record.message_class == MessageClass.CURRENT:
            self._current[record.path] = record
        else:
            self._last[record.natural_id] = record

    def _close(self, last: int) -> None:
        """One more revision of what is open: it ends with the file; what begins with the last moment lasts a microsecond."""
        for natural_id, record in list(self._last.items()):
            lasts = record.ended_at is None
            if lasts or record.status == "provisional":
                closed = msgspec.structs.replace(
                    record,
                    id=f"{natural_id}:{record.revision + 1}",
                    revision=record.revision + 1,
                    ended_at=max(last, record.started_at + 1) if lasts else record.ended_at,
                )
                self._keep(closed)
        # The pieces of a bucket are published once it is over. Nothing else is asked about that time.
        bucket = self._plant.time.production_s * 1_000_000
        tick = Tick(at=(last // bucket + 1) * bucket, worker=SOURCE)
        for output in self._fold.step(Input(self._area, self._topic, self._partition, NO_LINE, tick)):
            if isinstance(output, Production | Prediction) and output.started_at <= last:
                over = output.started_at < last < (output.ended_at or last)
                self._keep(msgspec.structs.replace(output, ended_at=last) if over else output)

    def _publish(self) -> None:
        """The last revision of each record is final, those before it are provisional: in a file nothing is late."""
        if self._every:
            for record in self._said:
                if record.message_class != MessageClass.CURRENT:
                    final = self._last[record.natural_id] is record
                    record = msgspec.structs.replace(record, status="final" if final else "provisional")
                self._out.records.append(record)
            return
        for record in self._last.values():
            if not record.withdrawn:
                self._out.records.append(msgspec.structs.replace(record, status="final"))
        self._out.records += self._current.values()


def _punctual(time: Time) -> Time:
    """Windows that wait for nothing; what is open is looked at each hour."""
    horizon_h = max(HORIZON_H, time.horizon_h)
    return time.model_copy(
        update={
            "lateness_s": 0.0,
            "future_s": 4e9,
            "provisional_s": 3_600.0,
            "kpi_s": 3_600.0,
            "horizon_h": horizon_h,
        },
    )


def _unknown(item: FileRecord, nowhere: Rejection, known: Mapping[str, str]) -> Refusal:
    """The refusal of a record of a place that is not in the model, with the nearest that is."""
    message = nowhere.message
    if item.path not in known:
        try:
            Path.parse(item.path)
            close = nearest(item.path, known)
            message += (
                "; add it to the plant model, or mend the path" if close is None else f"; did you mean {close!r}?"
            )
        except BadPath as error:
            message = str(error)
    return Refusal(item.line, item.path, None, nowhere.reason, message)
