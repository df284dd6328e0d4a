"""The same history under two KPI definitions: in minutes, in points, and by the stops that explain the difference. Pure.

Times and KPIs are those of the folds' own Kpi records. What explains their difference is found by laying the pieces of
time under one definition over those under the other: where the loss class changes, time has moved.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from processors.inputs.schedule import Schedule
from processors.timeline.elements import Elements
from processors.units import INF
from schemas.records import Derived, Downtime, Kpi, State
from topology.kpi.definition import Definition, KpiFormula, Loss
from topology.kpi.values import Facts, Pieces, total, values
from uns.history.segments import TimeSegment, segments

WindowName = Literal["hour", "shift", "day"]
WINDOWS: tuple[WindowName, ...] = get_args(WindowName)
CLASSES: tuple[Loss, ...] = get_args(Loss)
RATIOS = ("availability", "performance", "quality", "oee")
POINTS = 100


@dataclass(frozen=True)
class Side:
    """A history under one definition."""

    definition: Definition
    records: Sequence[Derived]
    """Newest revisions: Kpi, State and Downtime; others are passed over."""
    added: Mapping[str, Mapping[str, KpiFormula]] = field(default_factory=dict)
    """Path → the KPIs that its site adds."""


class LossCause(NamedTuple):
    """What time that moved was: a stop, or why it was none."""

    started_at: int | None
    """Begin of the stop, or of its part with this reason; None: no stop."""
    what: str
    """The stop's reason, or what the machine and the plan were in."""
    category: str | None = None
    reason_code: int | None = None
    state: str | None = None


class Moved(NamedTuple):
    """Time that counts as one loss class under A and as another under B."""

    path: str
    cause: LossCause
    us: int
    element_a: str
    element_b: str
    class_a: Loss
    class_b: Loss


@dataclass(frozen=True)
class Numbers:
    """One side of a row."""

    element_us: Mapping[str, int]
    class_us: Mapping[Loss, int]
    values: Mapping[str, float | None]


@dataclass(frozen=True)
class ComparedWindows:
    """One machine and one window, or all its windows together."""

    path: str
    window: str
    name: str | None
    start: int
    end: int
    windows: int
    open: int
    """How many of them are not over: they are as they were told last, up to `time.kpi_s` ago."""
    a: Numbers
    b: Numbers
    stops: list[Moved]
    """Longest first."""
    others: list[Moved]
    """Time that moved and is no stop: breaks, setup, what is unknown. Longest first."""

    @property
    def difference_us(self) -> dict[Loss, int]:
        """Loss class → B − A."""
        return {name: self.b.class_us[name] - self.a.class_us[name] for name in CLASSES}

    @property
    def explained_us(self) -> dict[Loss, int]:
        """What the stops explain of it."""
        return net(self.stops)

    @property
    def rest_us(self) -> dict[Loss, int]:
        """What neither stops nor other time explains; explained + others + rest is the difference, exactly."""
        stops, others = net(self.stops), net(self.others)
        return {name: us - stops[name] - others[name] for name, us in self.difference_us.items()}

    def points(self, name: str) -> float | None:
        """B − A of a KPI, a ratio in percentage points; None where one of them has no value."""
        before, after = self.a.values.get(name), self.b.values.get(name)
        return None if before is None or after is None else (after - before) * POINTS


def net(moved: Iterable[Moved]) -> dict[Loss, int]:
    """Loss class → what comes in less what goes out."""
    balance: dict[Loss, int] = dict.fromkeys(CLASSES, 0)
    for part in moved:
        balance[part.class_a] -= part.us
        balance[part.class_b] += part.us
    return balance


def compare(
    a: Side, b: Side, plans: Mapping[str, Schedule], start: int, end: int, window: WindowName | None = None
) -> list[ComparedWindows]:
    """A row for each machine and window that begins in [start, end); None: a row a machine, its shifts (without any its
    hours) together. `plans`: path → what was planned. Windows that only one side has are left out.
    """
    ours, theirs = (_by_path(side) for side in (a, b))
    rows: list[ComparedWindows] = []
    for path in sorted(ours.keys() & theirs.keys()):
        windows = _shared(ours[path], theirs[path], window, start, end)
        if not windows:
            continue
        plan = plans.get(path) or Schedule((), (), False, False)
        whole = _Machine(path, (a, b), (ours[path], theirs[path]), plan)
        rows += [whole.row(part) for part in ([windows] if window is None else [[pair] for pair in windows])]
    return rows


def together(rows: Sequence[ComparedWindows]) -> dict[str, dict[Loss, int]]:
    """Minutes add up over machines (KPIs do not): a, b, difference, stops, others, rest by loss class, in µs."""
    sums = {name: dict.fromkeys(CLASSES, 0) for name in ("a", "b", "difference", "stops", "others", "rest")}
    for row in rows:
        parts = {
            "a": row.a.class_us,
            "b": row.b.class_us,
            "difference": row.difference_us,
            "stops": row.explained_us,
            "others": net(row.others),
            "rest": row.rest_us,
        }
        for name, by_class in parts.items():
            for loss, us in by_class.items():
                sums[name][loss] += us
    return sums


def by_reason(moved: Iterable[Moved]) -> list[tuple[str, Loss, Loss, int, int]]:
    """(what, class under A, class under B, how many, µs), longest first."""
    groups: dict[tuple[str, Loss, Loss], tuple[set[tuple[str, int | None]], int]] = {}
    for part in moved:
        stops, us = groups.setdefault((part.cause.what, part.class_a, part.class_b), (set(), 0))
        groups[part.cause.what, part.class_a, part.class_b] = stops | {(part.path, part.cause.started_at)}, us + part.us
    ranked = [(*key, len(stops), us) for key, (stops, us) in groups.items()]
    return sorted(ranked, key=lambda row: (-row[4], row[:3]))


@dataclass
class _Own:
    """One machine's records of one side."""

    kpis: dict[tuple[str, int, str | None], Kpi] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    stops: list[Downtime] = field(default_factory=list)


@dataclass(frozen=True)
class _Machine:
    """Both sides of one machine."""

    path: str
    sides: tuple[Side, Side]
    own: tuple[_Own, _Own]
    plan: Schedule

    def row(self, windows: Sequence[tuple[Kpi, Kpi]]) -> ComparedWindows:
        numbers = [_numbers(side, self.path, [pair[n] for pair in windows]) for n, side in enumerate(self.sides)]
        sums: dict[tuple[LossCause, str, str], int] = {}
        for pair in windows:
            for piece_a, piece_b, us in self._moved(pair):
                key = _cause(piece_a, piece_b), piece_a.element, piece_b.element
                sums[key] = sums.get(key, 0) + us
        moved = [
            Moved(self.path, cause, us, x, y, self._class(0, x), self._class(1, y))
            for (cause, x, y), us in sums.items()
        ]
        moved.sort(key=lambda part: (-part.us, part.cause.started_at or 0, part.cause.what, sorted(part[3:5])))
        first, last = windows[0][0], windows[-1][0]
        return ComparedWindows(
            self.path,
            first.window,
            first.window_name if len(windows) == 1 else None,
            first.started_at,
            _reach((last, last))[1],
            len(windows),
            sum("provisional" in (kpi_a.status, kpi_b.status) for kpi_a, kpi_b in windows),
            numbers[0],
            numbers[1],
            [part for part in moved if part.cause.started_at is not None],
            [part for part in moved if part.cause.started_at is None],
        )

    def _class(self, n: int, element: str) -> Loss:
        return self.sides[n].definition.elements[element].loss

    def _moved(self, pair: tuple[Kpi, Kpi]) -> Iterator[tuple[TimeSegment, TimeSegment, int]]:
        """Where the loss class changes."""
        start, end = _reach(pair)
        pieces_a, pieces_b = (
            segments(Elements(side.definition), own.states, own.stops, self.plan, start, end)
            for side, own in zip(self.sides, self.own, strict=True)
        )
        for mine, theirs, us in overlaid(pieces_a, pieces_b):
            if pair[0].window == "shift" and mine.shift not in (None, pair[0].window_name):
                continue  # another shift lies inside of it
            if self._class(0, mine.element) != self._class(1, theirs.element):
                yield mine, theirs, us


def overlaid(
    pieces_a: Sequence[TimeSegment], pieces_b: Sequence[TimeSegment]
) -> Iterator[tuple[TimeSegment, TimeSegment, int]]:
    """Two sequences of pieces of the same time, cut where either is: (piece, piece, µs they share)."""
    i = j = 0
    while i < len(pieces_a) and j < len(pieces_b):
        us = min(pieces_a[i].end, pieces_b[j].end) - max(pieces_a[i].start, pieces_b[j].start)
        if us > 0:
            yield pieces_a[i], pieces_b[j], us
        if pieces_a[i].end <= pieces_b[j].end:
            i += 1
        else:
            j += 1


def _cause(piece_a: TimeSegment, piece_b: TimeSegment) -> LossCause:
    """Does not depend on which definition comes first."""
    stops = [stop for stop in (piece_a.stop, piece_b.stop) if stop is not None]
    if not stops:
        if piece_a.planned != "busy":
            return LossCause(None, piece_a.planned)
        words = sorted({f"{part.state} in mode {part.mode}" for part in (piece_a, piece_b)})
        order = "" if piece_a.order is not None else ", no order"
        return LossCause(None, f"{' or '.join(words)}{order}")
    stop = min(stops, key=lambda stop: (stop.started_at, stop.ended_at or INF, stop.kind))
    what = stop.reason or (f"{stop.category}, no reason given" if stop.category else "no reason given")
    return LossCause(stop.started_at, what, stop.category, stop.reason_code, stop.state)


def _by_path(side: Side) -> dict[str, _Own]:
    machines: dict[str, _Own] = {}
    for record in side.records:
        if record.withdrawn or record.definition != side.definition.label:
            continue
        own = machines.setdefault(record.path, _Own())
        match record:
            case Kpi() if not record.parts:
                own.kpis[record.window, record.started_at, record.window_name] = record
            case State():
                own.states.append(record)
            case Downtime():
                own.stops.append(record)
    return machines


def _shared(own_a: _Own, own_b: _Own, window: WindowName | None, start: int, end: int) -> list[tuple[Kpi, Kpi]]:
    shared = [
        (own_a.kpis[key], own_b.kpis[key])
        for key in sorted(own_a.kpis.keys() & own_b.kpis.keys(), key=lambda key: (key[1], str(key[2])))
        if start <= key[1] < end
    ]
    wanted = window or ("shift" if any(pair[0].window == "shift" for pair in shared) else "hour")
    return [pair for pair in shared if pair[0].window == wanted]


def _reach(pair: tuple[Kpi, Kpi]) -> tuple[int, int]:
    """The time that both records speak of: an open window so far as both have come."""
    kpi_a, kpi_b = pair
    if kpi_a.ended_at is not None and kpi_b.ended_at is not None:
        return kpi_a.started_at, min(kpi_a.ended_at, kpi_b.ended_at)
    return kpi_a.started_at, kpi_a.started_at + min(sum(kpi_a.element_us.values()), sum(kpi_b.element_us.values()))


def _numbers(side: Side, path: str, records: Sequence[Kpi]) -> Numbers:
    facts = total(
        Facts(
            record.element_us,
            tuple(Pieces.of(pieces) for pieces in record.pieces),
            record.quantities,
            record.observed_us,
        )
        for record in records
    )
    elements = side.definition.elements
    by_class: dict[Loss, int] = dict.fromkeys(CLASSES, 0)
    for name, us in facts.element_us.items():
        by_class[elements[name].loss] += us
    return Numbers(
        {name: facts.element_us.get(name, 0) for name in elements},
        by_class,
        values(side.definition, facts, side.added.get(path)),
    )
