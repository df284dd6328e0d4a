"""Bottleneck records of a line, per hour (UTC) and shift: who held it up, by active periods and by turning points.

Sole and shifting time by Roser's method (processors.derive.bottleneck.active_period), over whole periods: what of a period lies outside the
window counts towards its length, up to LOOK before and after. Periods end at time that is not planned or not known. The
chain of bottlenecks begins WARM_UP before the hour, so that it does not begin at its edge. Blocked and starved time by
what the neighbours do (processors.derive.bottleneck.activity); the turning point from these is a second opinion.

Provisional every kpi_s from what has gone by; final once the watermark has passed the end and no period that still lasts
can change it (LOOK after the end at the latest); corrected when something late does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from processors.cell.cell import Cell
from processors.cell.store import restore_ledger
from processors.cell.view import merged
from processors.derive.bottleneck.active_period import Chain, Period, chain, shares
from processors.derive.bottleneck.activity import Activity, Stretch, activity, blocked_and_starved, turning_point
from processors.inputs.schedule import ShiftSpan
from processors.output.ledger import Ledger
from processors.output.withdrawal import emptied
from processors.timeline.timeline import NO_OFFSET, hull
from processors.units import HOUR, INF
from schemas.records import Bottleneck, BottleneckCell, Derived

HOURLY, SHIFT = "kpi.bottleneck.hour", "kpi.bottleneck.shift"
LOOK, WARM_UP = 4, 1
"""Hours."""
KEPT_STRETCHES = 16
"""A past hour of a cell with more of them is not remembered between refreshes."""


class Hour(NamedTuple):
    """One hour of one cell."""

    stretches: list[Stretch]
    first_offset: int
    last_offset: int


class Part(NamedTuple):
    """One cell in one hour, or in the part of it that is in one shift; parts add up. All but `ended` in µs."""

    sole: int = 0
    shifting: int = 0
    active: int = 0
    blocked: int = 0
    starved: int = 0
    other: int = 0
    ended: int = 0
    """Active periods that ended in it."""
    ended_us: int = 0
    """Their whole length."""
    age: int = 0
    """Of the active period that reaches over its end."""


class Parts(NamedTuple):
    cells: list[Part]
    certain: bool
    first_offset: int
    last_offset: int


class Saved(msgspec.Struct, array_like=True, gc=False):
    watermark: int
    touched: list[tuple[int, int]]
    flow: list[str] = []
    """Whose parts are saved, in their order."""


Rows = list[tuple[int, int, list[tuple[int, ...]], int, int]]
"""Settled parts of an hour: start, end, a `Part` a cell, first and last offset."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode
_decode_rows = msgspec.msgpack.Decoder(Rows).decode


class Bottlenecks:
    """What is known and published of one line. `flow`: path → ideal cycle (s) of the cells that tell a state, in order."""

    def __init__(self, flow: Mapping[str, float], ledger: Ledger) -> None:
        self.ledger = ledger
        self._paths = list(flow)
        self.ideal_us = [round(ideal_s * 1_000_000) for ideal_s in flow.values()]
        self._watermark = -INF
        """Of the refresh before."""
        self._touched: list[tuple[int, int]] = []
        self._changed = False
        self._gone: list[str] = []
        self.past: dict[tuple[int, int], Hour] = {}
        """(cell, hour) behind the watermark."""
        self._settled: dict[tuple[int, int, int], Parts] = {}
        """(hour, start, end) of what nothing can change but something late. Saved: a period counts whole, and what of it
        lies before the floor cannot be read again after a restart."""
        self._resettled: dict[int, None] = {}
        """Hours whose settled parts differ from those saved."""

    def touch(self, spans: Sequence[tuple[int, int]]) -> None:
        """Notes what changed late, where it was taken for settled."""
        late = [(lo, hi) for lo, hi in spans if lo < self._watermark]
        if late:
            self._touched = merged([*self._touched, *late], -INF, INF)
            self._changed = True

    def derive(
        self,
        cells: Mapping[str, Cell],
        shifts: Mapping[str, ShiftSpan],
        now: int,
        watermark: int,
        floor: int,
        offset: int,
    ) -> list[Derived]:
        """Windows that are open, and those that something late has changed."""
        flow = [cells.get(path) for path in self._paths]
        begin = min((cell.born for cell in flow if cell is not None and cell.born is not None), default=INF)
        if len(flow) < 2 or begin > now:
            return []
        look = _Look(self, flow, now, watermark, max(floor, begin // HOUR * HOUR))
        first = look.floor // HOUR if self._watermark == -INF else self._watermark // HOUR
        hours = {hour for hour in range(max(first, look.floor // HOUR), now // HOUR + 1) if hour * HOUR < now}
        hours |= {start // HOUR for kind, start in self.ledger.open if kind == HOURLY and start >= look.floor}
        for lo, hi in self._touched:
            self._forget(lo, hi)
        for lo, hi in self._touched:
            touched = look.reach(max(lo, look.floor), min(hi, now))
            hours.update(touched)
            self._unsettle(touched)
        out: list[Derived] = []
        changed = []
        for hour in sorted(hours):
            start, end = hour * HOUR, (hour + 1) * HOUR
            if start >= look.floor:
                out += self._publish(look, HOURLY, start, end, offset, [self._parts(look, hour, start, end)], None)
                changed.append(hour)
        there = set()
        for name, shift in shifts.items():
            there.add(shift.start)
            if (
                shift.end <= look.floor
                or shift.start >= now
                or not any(hour * HOUR < shift.end and (hour + 1) * HOUR > shift.start for hour in changed)
            ):
                continue
            parts = [
                self._parts(look, hour, max(hour * HOUR, shift.start), min((hour + 1) * HOUR, shift.end))
                for hour in range(max(shift.start, look.floor) // HOUR, -(-min(shift.end, now) // HOUR))
            ]
            before = max(0, look.floor - shift.start)  # a part older than anything kept
            parts.insert(0, Parts([Part(other=before)] * len(flow), True, NO_OFFSET, NO_OFFSET))
            out += self._publish(look, SHIFT, shift.start, shift.end, offset, parts, name)
        for start in self.ledger.starts(SHIFT, look.floor, INF):
            if start not in there:
                out += self.ledger.withdraw(SHIFT, start, **emptied(self.ledger.get(SHIFT, start)))
        self._watermark, self._touched, self._changed = watermark, [], True
        self._unsettle(range(look.floor // HOUR))
        self.past = {key: hour for key, hour in self.past.items() if key[1] * HOUR >= watermark - (LOOK + 2) * HOUR}
        self.ledger.pack()
        return out

    def _forget(self, lo: int, hi: int) -> None:
        for key in [key for key in self.past if key[1] * HOUR <= hi and (key[1] + 1) * HOUR >= lo]:
            del self.past[key]

    def _unsettle(self, hours: range) -> None:
        for key in [key for key in self._settled if key[0] in hours]:
            del self._settled[key]
            self._resettled[key[0]] = None

    def _parts(self, look: "_Look", hour: int, start: int, end: int) -> Parts:
        key = hour, start, end
        found = self._settled.get(key)
        if found is None:
            found = look.parts(*key)
            if found.certain:
                self._settled[key] = found
                self._resettled[hour] = None
        return found

    def _publish(
        self, look: "_Look", kind: str, start: int, end: int, offset: int, found: list[Parts], name: str | None
    ) -> list[Derived]:
        sums = [
            Part(*map(sum, zip(*[parts.cells[n][:8] for parts in found], strict=True))) for n in range(len(self._paths))
        ]
        ages = [part.age for part in found[-1].cells]
        best = max(range(len(sums)), key=lambda n: (sums[n].sole + sums[n].shifting, sums[n].sole, -n))
        bottleneck = self._paths[best] if sums[best].sole + sums[best].shifting else None
        turning = turning_point([(part.blocked, part.starved) for part in sums])
        turning_path = None if turning is None else self._paths[turning]
        first = last = NO_OFFSET
        for parts in found:
            first, last = hull(first, last, parts.first_offset, parts.last_offset)
        return self.ledger.put(
            Bottleneck,
            kind,
            start,
            end if end <= look.now else None,
            end <= look.watermark and all(parts.certain for parts in found),
            (offset, offset) if first == NO_OFFSET else (first, last),
            window="hour" if kind == HOURLY else "shift",
            window_name=name,
            bottleneck=bottleneck,
            turning_point=turning_path,
            agrees=None if bottleneck is None or turning_path is None else bottleneck == turning_path,
            cells=tuple(
                BottleneckCell(
                    path=path,
                    sole_us=part.sole,
                    shifting_us=part.shifting,
                    active_us=part.active,
                    blocked_us=part.blocked,
                    starved_us=part.starved,
                    other_us=part.other,
                    average_active_us=(2 * part.ended_us + part.ended) // (2 * part.ended)
                    if part.ended
                    else age or None,
                )
                for path, part, age in zip(self._paths, sums, ages, strict=True)
            ),
        )

    # --- memory

    def let_go(self, before: int) -> None:
        """Forgets hours below the hour number `before`."""
        for hour in self.ledger.expire(before):
            self._gone += [f"out|{hour}", f"add|{hour}"]
            self._changed = True

    def cool(self, before: int) -> None:
        self.ledger.pack_before(before)
        self._changed = True

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """State keys (what follows `path|`) that changed since the last call."""
        if not self._changed:
            return
        gone, self._gone, self._changed = self._gone, [], False
        for key in gone:
            yield key, None
        yield "line", _encode(Saved(self._watermark, self._touched, self._paths))
        for hour in sorted(self._resettled):
            settled = sorted((start, end) for number, start, end in self._settled if number == hour)
            rows: Rows = []
            for start, end in settled:
                parts = self._settled[hour, start, end]
                rows.append((start, end, list(parts.cells), parts.first_offset, parts.last_offset))
            yield f"parts|{hour}", _encode(rows) if rows else None
        self._resettled.clear()
        yield from self.ledger.changes()

    def restore(self, parts: Mapping[str, bytes], anew: bool) -> None:
        """Takes in the keys that `changes` gave. `anew`: all of it is to be derived again."""
        restore_ledger(self.ledger, parts)
        saved = _decode(parts["line"]) if "line" in parts else Saved(-INF, [])
        if not anew:
            self._watermark, self._touched = saved.watermark, saved.touched
        for key, data in parts.items():
            if not key.startswith("parts|"):
                continue
            hour = int(key[6:])
            if anew or saved.flow != self._paths:
                self._resettled[hour] = None
                continue
            for start, end, cells, first, last in _decode_rows(data):
                self._settled[hour, start, end] = Parts([Part(*cell) for cell in cells], True, first, last)


class _Look:
    """The cells of a line as they are known at one tick."""

    def __init__(self, line: Bottlenecks, flow: Sequence[Cell | None], now: int, watermark: int, floor: int) -> None:
        self.now, self.watermark, self.floor = now, watermark, floor
        self._line, self._flow = line, flow
        self._hours: dict[tuple[int, int], Hour] = {}
        self._chains: dict[int, tuple[list[Period], Chain]] = {}

    def parts(self, hour: int, start: int, end: int) -> Parts:
        """[start, end) of one hour."""
        over, until = (hour + 1) * HOUR, min(end, self.now)
        hours = [self._hour(n, hour) for n in range(len(self._flow))]
        if hour not in self._chains:
            self._chains[hour] = self._chain(hour)
        periods, found = self._chains[hour]
        held = shares(found.periods, len(hours), start, until)
        flow = [[_clip(s, start, end) for s in one.stretches if s.start < end and s.end > start] for one in hours]
        waits = blocked_and_starved(flow, self._line.ideal_us)
        first = offset = NO_OFFSET
        cells = []
        for n, stretches in enumerate(flow):
            first, offset = hull(first, offset, hours[n].first_offset, hours[n].last_offset)
            active = sum(s.end - s.start for s in stretches if s.activity.active)
            own = [p for p in periods if p.machine == n]
            ended = [p.length for p in own if start < p.end <= until and p.end < self.now]
            age = next((until - p.start for p in own if p.start < until < p.end or until == p.end == self.now), 0)
            other = until - start - active - sum(waits[n])
            cells.append(Part(*held[n], active, *waits[n], other, len(ended), sum(ended), age))
        certain = over + LOOK * HOUR <= self.watermark or (over <= self.watermark and found.certain)
        return Parts(cells, certain, first, offset)

    def _chain(self, hour: int) -> tuple[list[Period], Chain]:
        """(active periods, bottlenecks among them) of an hour."""
        periods = [p for n in range(len(self._flow)) for p in self._periods(n, hour - WARM_UP, hour, hour)]
        begin, over = (hour - WARM_UP) * HOUR, (hour + 1) * HOUR
        last = min(self.now, over + LOOK * HOUR)
        return periods, chain(periods, begin, over, last, lambda at: self._active_at(at, hour))

    def reach(self, lo: int, hi: int) -> range:
        """The hours whose parts a change in [lo, hi] may have changed."""
        since, until = lo, hi
        for _ in range(2):  # periods that hold it, and those that a period held by it may follow
            since = min((p.start for p in self._around(since)), default=since)
        until = max((p.end for p in self._around(until)), default=until)
        return range(max(since, self.floor) // HOUR, min(until // HOUR + WARM_UP, self.now // HOUR) + 1)

    def _around(self, at: int) -> list[Period]:
        hour = at // HOUR
        found = [p for n in range(len(self._flow)) for p in self._periods(n, hour - 1, hour, hour)]
        return [p for p in found if p.start <= at <= p.end]

    def _active_at(self, at: int, hour: int) -> list[Period]:
        return [
            p
            for n in range(len(self._flow))
            for p in self._periods(n, at // HOUR, at // HOUR, hour)
            if p.start <= at < p.end
        ]

    def _periods(self, n: int, first: int, last: int, hour: int) -> list[Period]:
        """The active periods of a cell that meet the hours `first` to `last`, whole within LOOK hours around `hour`."""
        lowest, highest = max(hour - LOOK, self.floor // HOUR), min(hour + LOOK, self.now // HOUR)
        found: list[list[int]] = []
        for number in range(max(first, lowest), min(last, highest) + 1):
            for stretch in self._hour(n, number).stretches:
                if stretch.activity.active:
                    if found and found[-1][1] == stretch.start:
                        found[-1][1] = stretch.end
                    else:
                        found.append([stretch.start, stretch.end])
        if found:
            found[0][0] = self._reach(n, found[0][0], -1, lowest)
            found[-1][1] = self._reach(n, found[-1][1], 1, highest)
        # What reaches up to now lasts, also where nothing is waited for.
        return [Period(start, end, n, end > self.watermark or end == self.now) for start, end in found]

    def _reach(self, n: int, edge: int, step: int, furthest: int) -> int:
        """Where an active period that meets the edge of an hour begins (step −1) or ends (+1)."""
        while edge % HOUR == 0:
            number = edge // HOUR - (step < 0)
            if number * step > furthest * step:
                break
            stretches = self._hour(n, number).stretches
            further = edge
            for stretch in stretches[::step]:
                if not stretch.activity.active or (stretch.start if step > 0 else stretch.end) != further:
                    break
                further = stretch.end if step > 0 else stretch.start
            if further == edge:
                break
            edge = further
        return edge

    def _hour(self, n: int, number: int) -> Hour:
        key = n, number
        found = self._hours.get(key) or self._line.past.get(key)
        if found is None:
            found = self._read(self._flow[n], number * HOUR, min((number + 1) * HOUR, self.now))
            self._hours[key] = found
            if (number + 1) * HOUR <= self.watermark and len(found.stretches) <= KEPT_STRETCHES:
                self._line.past[key] = found
        return found

    def _read(self, cell: Cell | None, start: int, end: int) -> Hour:
        if cell is None or start >= end:
            return Hour([], NO_OFFSET, NO_OFFSET)
        found: list[Stretch] = []
        first = last = NO_OFFSET
        for interval in cell.intervals(start, end, self.now):
            first, last = hull(first, last, interval.first_offset, interval.last_offset)
            for piece in cell.plan.pieces(interval.start, interval.end):
                order = piece.order is not None or not cell.plan.orders_told
                does = activity(cell.elements, interval.state, interval.mode, order, piece.status)
                if does is Activity.NEITHER:
                    continue
                if found and found[-1].end == piece.start and found[-1].activity is does:
                    found[-1] = found[-1]._replace(end=piece.end)
                else:
                    found.append(Stretch(piece.start, piece.end, does))
        return Hour(found, first, last)


def _clip(stretch: Stretch, start: int, end: int) -> Stretch:
    return stretch._replace(start=max(stretch.start, start), end=min(stretch.end, end))
