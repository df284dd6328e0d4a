"""What the screens of machines and lines show, as one pure fold of derived records that they share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from schemas.records import (
    Alert,
    Bottleneck,
    Changeover,
    Condition,
    Current,
    Cycle,
    Derived,
    Downtime,
    Kpi,
    Oee,
    Quality,
    State,
)
from topology.kpi.definition import Definition, definition
from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from uns.runtime.clocks import OFF_S, Clocks
from uns.web.act.book import Book
from uns.web.namespace import in_order
from uns.web.removed import UNIT_SLASHES, Presence
from uns.web.traces import Traces

CLASSES = (
    MessageClass.CURRENT,
    MessageClass.STATE,
    MessageClass.DOWNTIME,
    MessageClass.OEE,
    MessageClass.QUALITY,
    MessageClass.ALERT,
    MessageClass.KPI,
    MessageClass.CHANGEOVER,
    MessageClass.CYCLE,
    MessageClass.BOTTLENECK,
    MessageClass.CONDITION,
    MessageClass.NOTE,
)
"""What the board is made of."""
STATES_MAX = 600
STOPS_MAX = 300
POINTS_MAX = 150
WINDOWS_MAX = 60
ALERTS_MAX = 200
KPIS_MAX = 60
OTHERS_MAX = 60
PLACES_MAX = 20_000
"""Paths that are kept; what comes of more is counted in `beyond`."""

RecordT = TypeVar("RecordT", bound=Derived)


class Newest(Generic[RecordT]):
    """The newest revision of each record, at most `limit` of them: the one that begins first makes room."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._records: dict[str, RecordT] = {}

    def put(self, record: RecordT) -> None:
        known = self._records.get(record.natural_id)
        if known is not None and known.revision >= record.revision:
            return
        self._records[record.natural_id] = record
        if len(self._records) > self._limit:
            del self._records[min(self._records, key=lambda name: self._records[name].started_at)]

    def __iter__(self) -> Iterator[RecordT]:
        """In order of begin."""
        return iter(sorted(self._records.values(), key=lambda record: record.started_at))

    def __len__(self) -> int:
        return len(self._records)


@dataclass
class CellBoard:
    """The newest of everything about one place, most of all a work unit."""

    path: str
    current: Current | None = None
    states: Newest[State] = field(default_factory=lambda: Newest(STATES_MAX))
    stops: Newest[Downtime] = field(default_factory=lambda: Newest(STOPS_MAX))
    windows: Newest[Oee] = field(default_factory=lambda: Newest(WINDOWS_MAX))
    points: dict[str, Newest[Quality]] = field(default_factory=dict)
    alerts: Newest[Alert] = field(default_factory=lambda: Newest(ALERTS_MAX))
    kpis: Newest[Kpi] = field(default_factory=lambda: Newest(KPIS_MAX))
    changeovers: Newest[Changeover] = field(default_factory=lambda: Newest(OTHERS_MAX))
    cycles: Newest[Cycle] = field(default_factory=lambda: Newest(OTHERS_MAX))
    bottlenecks: Newest[Bottleneck] = field(default_factory=lambda: Newest(OTHERS_MAX))
    conditions: Newest[Condition] = field(default_factory=lambda: Newest(OTHERS_MAX))

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class Board:
    """Everything that is known of machines, lines and what they are part of. Memory is bounded by the limits above."""

    order: tuple[str, ...] = ()
    """Paths of the cells in the order of the plant model, which is the order of the line."""
    definition: Definition = field(default_factory=lambda: definition("iso22400@1"))
    """What the time elements mean; the plant's, where its model can be read."""
    targets: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(path, characteristic) → value to aim at."""
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(path, tag) → unit."""
    promise_s: float = 60.0
    """No snapshot is older than this, in seconds of plant time, while the processors run."""
    cells: dict[str, CellBoard] = field(default_factory=dict)
    now: int = 0
    """Newest plant time (µs) any record has shown."""
    applied: int = 0
    beyond: int = 0
    """How many records were not kept, because their path was one too many."""
    oee_target: float | None = None
    book: Book = field(default_factory=Book)
    """What people have noted."""
    traces: Traces = field(default_factory=Traces)
    """Numbers of tags over the last while."""
    clocks: Clocks = field(default_factory=Clocks)
    """Of machines, told from snapshots: how far what they say last lags behind, while they go on saying."""

    def __post_init__(self) -> None:
        self._presence = Presence(self.order)

    def remove(self, path: str) -> None:
        """Forgets a path that has left the plant: its card, and its open alerts."""
        self._presence.remove(path)

    def apply(self, record: Derived) -> None:
        """Takes in one record; an older revision than the one shown changes nothing."""
        self.applied += 1
        self._presence.apply(record)
        self.book.apply(record)
        cell = self.cells.get(record.path)
        if cell is None:
            if len(self.cells) >= PLACES_MAX:
                self.beyond += 1
                return
            cell = self.cells[record.path] = CellBoard(record.path)
        if isinstance(record, Current):
            self._snapshot(cell, record)
        else:
            _keep(cell, record)

    def _snapshot(self, cell: CellBoard, record: Current) -> None:
        self.now = max(self.now, record.at)
        if cell.current is not None and cell.current.at > record.at:
            return
        spoke = cell.current is None or cell.current.last_seen != record.last_seen
        if record.last_seen is not None and spoke:
            self.clocks.note(Path.parse(record.path), record.last_seen, record.at)
        cell.current = record
        self.traces.take(record)

    def clock_off_us(self, cell: CellBoard) -> int | None:
        """How far a machine's clock is ahead, in µs, where it is off by more than a screen may pass over."""
        offset_s = self.clocks.offset_s(Path.parse(cell.path))
        return None if offset_s is None or abs(offset_s) <= OFF_S else round(offset_s * 1e6)

    def paths(self) -> list[str]:
        """Every path in the order of the plant model; one that the model does not know comes last."""
        return [path for path in in_order(self.order, self.cells) if self._presence.shows(path)]

    def lines(self) -> list[str]:
        """Paths of the lines, in order."""
        return list(dict.fromkeys(path.rpartition("/")[0] for path in self.paths() if path.count("/") == 4))

    def cells_of(self, line: str) -> list[CellBoard]:
        """The line's cells, in the order of the material's flow as the model has it."""
        return [self.cells[path] for path in self.paths() if path.rpartition("/")[0] == line]

    def open_alerts(self, place: str = "") -> list[Alert]:
        """Alerts not cleared at a place or inside it, the most severe and newest first; what is hidden is not for operators."""
        rank = {"critical": 0, "high": 1, "medium": 2, "low": 3}
        standing = [alert for alert in self.alerts_of(place) if alert.state in ("raised", "acknowledged")]
        return sorted(standing, key=lambda alert: (rank.get(alert.severity, 9), -alert.started_at))

    def alerts_of(self, place: str) -> Iterator[Alert]:
        """All alerts that are known of a place or inside it, those taken back too."""
        for path, cell in self.cells.items():
            if self._presence.shows(path) and (not place or path == place or path.startswith(place + "/")):
                yield from cell.alerts

    def units_of(self, place: str) -> list[CellBoard]:
        """The work units at a place or inside it, in order."""
        return [
            self.cells[path]
            for path in self.paths()
            if path.count("/") == UNIT_SLASHES and (path == place or not place or path.startswith(f"{place}/"))
        ]

    def kpi(self, place: str, kind: str) -> Kpi | None:
        """The newest window of a kind with all KPIs of a place, of those that have begun; None: there is none."""
        cell = self.cells.get(place)
        if cell is None:
            return None
        begun = [kpi for kpi in cell.kpis if kpi.window == kind and kpi.started_at <= self.now and not kpi.withdrawn]
        return begun[-1] if begun else None

    def window(self, cell: CellBoard, kind: str) -> Oee | None:
        """The newest window of a kind that has begun, or None."""
        begun = [window for window in cell.windows if window.window == kind and window.started_at <= self.now]
        return begun[-1] if begun else None


def _keep(cell: CellBoard, record: Derived) -> None:
    match record:
        case State():
            cell.states.put(record)
        case Downtime():
            cell.stops.put(record)
        case Oee():
            cell.windows.put(record)
        case Quality():
            cell.points.setdefault(record.characteristic, Newest(POINTS_MAX)).put(record)
        case Alert():
            cell.alerts.put(record)
        case Kpi():
            cell.kpis.put(record)
        case Changeover():
            cell.changeovers.put(record)
        case Cycle():
            cell.cycles.put(record)
        case Bottleneck():
            cell.bottlenecks.put(record)
        case Condition():
            cell.conditions.put(record)
        case _:
            pass


def board_of(plant: Plant | None) -> Board:
    """The board of a plant. Screens that name this very function share one."""
    if plant is None:
        return Board()
    return Board(
        order=tuple(str(path) for path in plant.cells()),
        definition=selected(plant),
        targets=plant.targets,
        units=plant.units,
        promise_s=plant.time.provisional_s,
        oee_target=plant.kpi.oee_target,
    )
