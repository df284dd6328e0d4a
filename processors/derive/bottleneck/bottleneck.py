"""Bottleneck records of a line, per hour (UTC) and shift: who held it up, by active periods and by turning points.

Sole and shifting time by Roser's method (`active_period`), over whole periods: what of a period lies outside the window
counts towards its length, up to LOOK hours after it. Periods end at time that is not planned or not known. Each hour goes
on from the bottleneck of the hour before. Blocked and starved time by what the neighbours do (`activity`); the turning
point from these is a second opinion.

Provisional every kpi_s from what has gone by; final once the watermark has passed the end and no period that still lasts
can change it (LOOK after the end at the latest); corrected when something late does.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from processors.cell.cell import Cell
from processors.derive.bottleneck.activity import turning_point
from processors.derive.bottleneck.line_memory import LineMemory
from processors.derive.bottleneck.line_view import CellShare, HourShares, LineView
from processors.derive.derivation import LineDerivation, Saved
from processors.inputs.schedule import Schedule, ShiftSpan
from processors.output.ledger import Ledger
from processors.output.withdrawal import emptied
from processors.spans import merged
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import Moment
from processors.units import HOUR, INF
from schemas.records import Bottleneck, BottleneckCell, Derived
from topology.model.equipment import EquipmentType

HOURLY, SHIFT = "kpi.bottleneck.hour", "kpi.bottleneck.shift"


class SavedLine(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of a line, but for its hours."""

    watermark: int = -INF
    touched: list[tuple[int, int]] = []
    flow: list[str] = []
    """Whose shares are saved, in their order."""


_decode_line = msgspec.msgpack.Decoder(SavedLine).decode


class BottleneckRecords(LineDerivation):
    """What is known and published of one line, whose flow is the cells that tell a state."""

    __slots__ = ("_changed", "_ideal_us", "_ledger", "_memory", "_paths", "_touched", "_watermark")

    name = "bottleneck"
    kinds = ("kpi",)
    records = (Bottleneck,)

    def __init__(self, types: Mapping[str, EquipmentType], ledger: Ledger) -> None:
        flow = {path: kind.ideal_cycle_s for path, kind in types.items() if kind.tag("state")}
        self._ledger = ledger
        self._paths = list(flow)
        self._ideal_us = [round(ideal_s * 1_000_000) for ideal_s in flow.values()]
        self._watermark = -INF
        """Of the refresh before."""
        self._touched: list[tuple[int, int]] = []
        self._changed = False
        self._memory = LineMemory()

    def touch(self, spans: Sequence[tuple[int, int]]) -> None:
        """Notes what changed late, where it was taken for settled."""
        late = [(lo, hi) for lo, hi in spans if lo <= self._watermark]
        if late:
            self._touched = merged([*self._touched, *late], -INF, INF)
            self._changed = True

    def derive(self, cells: Mapping[str, Cell], schedule: Schedule, moment: Moment) -> list[Derived]:
        """Windows that are open, and those that something late has changed."""
        now, watermark = moment.now, moment.watermark
        look = self._look(cells, moment)
        if look is None:
            return []
        first = look.first if self._watermark == -INF else max(look.first, self._watermark // HOUR)
        hours = {hour for hour in range(first, now // HOUR + 1) if hour * HOUR < now}
        hours |= {start // HOUR for kind, start in self._ledger.open if kind == HOURLY}
        hours |= self._memory.change(look, self._touched)
        out: list[Derived] = []
        changed = [hour for hour in sorted(hours) if hour >= look.lowest]
        for hour in changed:
            start, end = hour * HOUR, (hour + 1) * HOUR
            out += self._publish(look, HOURLY, start, end, [self._memory.shares(look, hour, start, end)], None)
        out += self._derive_shifts(look, schedule.shifts, changed)
        self._watermark, self._touched, self._changed = watermark, [], True
        self._memory.tidy(watermark)
        return out

    def _look(self, cells: Mapping[str, Cell], moment: Moment) -> LineView | None:
        """The line at a tick; None where there is nothing to say of it yet."""
        flow = [cells.get(path) for path in self._paths]
        begin = min((cell.born for cell in flow if cell is not None and cell.born is not None), default=INF)
        if len(flow) < 2 or begin > moment.now:
            return None
        return self._memory.look(flow, self._ideal_us, moment, begin)

    def _derive_shifts(self, look: LineView, shifts: Mapping[str, ShiftSpan], changed: Sequence[int]) -> list[Derived]:
        """Shifts that hold a changed hour; those that are no more are withdrawn."""
        out: list[Derived] = []
        there = set()
        for name, shift in shifts.items():
            there.add(shift.start)
            if (
                shift.end <= look.lowest * HOUR
                or shift.start >= look.now
                or not any(hour * HOUR < shift.end and (hour + 1) * HOUR > shift.start for hour in changed)
            ):
                continue
            shares = [
                self._memory.shares(look, hour, max(hour * HOUR, start), min((hour + 1) * HOUR, end))
                for start, end in shift.parts
                for hour in range(start // HOUR, -(-min(end, look.now) // HOUR))
            ]
            out += self._publish(look, SHIFT, shift.start, shift.end, shares, name)
        for start in self._ledger.starts(SHIFT, look.lowest * HOUR, INF):
            if start not in there:
                out += self._ledger.withdraw(SHIFT, start, **emptied(self._ledger.get(SHIFT, start)))
        return out

    def _publish(
        self, look: LineView, kind: str, start: int, end: int, hours: list[HourShares], name: str | None
    ) -> list[Derived]:
        sums = [
            CellShare(*map(sum, zip(*[shares.cells[n][:8] for shares in hours], strict=True)))
            for n in range(len(self._paths))
        ]
        ages = [part.age for part in hours[-1].cells]
        best = max(range(len(sums)), key=lambda n: (sums[n].sole + sums[n].shifting, sums[n].sole, -n))
        bottleneck = self._paths[best] if sums[best].sole + sums[best].shifting else None
        turning = turning_point([(part.blocked, part.starved) for part in sums])
        turning_path = None if turning is None else self._paths[turning]
        first = last = NO_OFFSET
        for shares in hours:
            first, last = hull(first, last, shares.first_offset, shares.last_offset)
        return self._ledger.put(
            Bottleneck,
            kind,
            start,
            end if end <= look.now else None,
            end <= look.watermark and all(shares.certain for shares in hours),
            (look.offset, look.offset) if first == NO_OFFSET else (first, last),
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

    def expire(self, cells: Mapping[str, Cell], schedule: Schedule, moment: Moment) -> None:
        """Remembers what records that are open still need of the time before the floor."""
        floor = max((cell.floor for cell in cells.values()), default=0)
        look = self._look(cells, moment._replace(floor=floor))
        if look is not None:
            self._changed = True
            opened = [start // HOUR for kind, start in self._ledger.open if kind == HOURLY]
            shifts = [(shift.start, shift.end) for shift in schedule.shifts.values() if shift.end > moment.floor]
            self._memory.expire(look, moment.floor // HOUR, opened, shifts)

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if not self._changed:
            return
        self._changed = False
        yield "", SavedLine(self._watermark, self._touched, self._paths)
        yield from self._memory.dump()

    def load(self, saved: Saved, redefined: bool) -> None:
        line = _decode_line(saved[""].state) if "" in saved else SavedLine()
        if not redefined:
            self._watermark, self._touched = line.watermark, line.touched
        known = not redefined and line.flow == self._paths
        for part, section in saved.items():
            if part:
                self._memory.load(int(part), section.state if known else None)
