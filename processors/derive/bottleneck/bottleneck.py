"""Bottleneck records of a line, per hour (UTC) and shift: who held it up, by active periods and by turning points.

Sole and shifting time by Roser's method (`active_period`), over whole periods: what of a period lies outside the window
counts towards its length, up to LOOK before and after. Periods end at time that is not planned or not known. The chain of
bottlenecks begins WARM_UP before the hour, so that it does not begin at its edge. Blocked and starved time by what the
neighbours do (`activity`); the turning point from these is a second opinion.

Provisional every kpi_s from what has gone by; final once the watermark has passed the end and no period that still lasts
can change it (LOOK after the end at the latest); corrected when something late does.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from processors.cell.cell import Cell
from processors.derive.bottleneck.activity import turning_point
from processors.derive.bottleneck.line_view import LOOK, CellShare, Hour, HourShares, LineView
from processors.derive.derivation import LineDerivation, Saved
from processors.inputs.schedule import Schedule, ShiftSpan
from processors.output.ledger import Ledger
from processors.output.withdrawal import emptied
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import Moment, merged
from processors.units import HOUR, INF
from schemas.records import Bottleneck, BottleneckCell, Derived
from topology.model.plant import EquipmentType

HOURLY, SHIFT = "kpi.bottleneck.hour", "kpi.bottleneck.shift"


class SavedLine(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of a line, but for its hours."""

    watermark: int = -INF
    touched: list[tuple[int, int]] = []
    flow: list[str] = []
    """Whose shares are saved, in their order."""


class SavedShares(msgspec.Struct, omit_defaults=True, gc=False):
    """Settled shares of [start, end)."""

    start: int
    end: int
    cells: list[dict[str, int]] = []
    """A `CellShare` a cell, by name; what is zero is left out."""
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET


class SavedHourShares(msgspec.Struct, gc=False):
    """An hour of a line."""

    shares: list[SavedShares] = []


_decode_line = msgspec.msgpack.Decoder(SavedLine).decode
_decode_hour = msgspec.msgpack.Decoder(SavedHourShares).decode


class BottleneckRecords(LineDerivation):
    """What is known and published of one line, whose flow is the cells that tell a state."""

    __slots__ = (
        "_changed",
        "_ideal_us",
        "_ledger",
        "_past",
        "_paths",
        "_resettled",
        "_settled",
        "_touched",
        "_watermark",
    )

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
        self._past: dict[tuple[int, int], Hour] = {}
        """(cell, hour) behind the watermark."""
        self._settled: dict[tuple[int, int, int], HourShares] = {}
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

    def derive(self, cells: Mapping[str, Cell], schedule: Schedule, moment: Moment) -> list[Derived]:
        """Windows that are open, and those that something late has changed."""
        now, watermark = moment.now, moment.watermark
        flow = [cells.get(path) for path in self._paths]
        begin = min((cell.born for cell in flow if cell is not None and cell.born is not None), default=INF)
        if len(flow) < 2 or begin > now:
            return []
        look = LineView(flow, self._ideal_us, self._past, moment, max(moment.floor, begin // HOUR * HOUR))
        first = look.floor // HOUR if self._watermark == -INF else self._watermark // HOUR
        hours = {hour for hour in range(max(first, look.floor // HOUR), now // HOUR + 1) if hour * HOUR < now}
        hours |= {start // HOUR for kind, start in self._ledger.open if kind == HOURLY and start >= look.floor}
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
                out += self._publish(look, HOURLY, start, end, [self._shares(look, hour, start, end)], None)
                changed.append(hour)
        out += self._derive_shifts(look, schedule.shifts, changed)
        self._watermark, self._touched, self._changed = watermark, [], True
        self._unsettle(range(look.floor // HOUR))
        self._past = {key: hour for key, hour in self._past.items() if key[1] * HOUR >= watermark - (LOOK + 2) * HOUR}
        return out

    def _derive_shifts(self, look: LineView, shifts: Mapping[str, ShiftSpan], changed: Sequence[int]) -> list[Derived]:
        """Shifts that hold a changed hour; those that are no more are withdrawn."""
        out: list[Derived] = []
        there = set()
        for name, shift in shifts.items():
            there.add(shift.start)
            if (
                shift.end <= look.floor
                or shift.start >= look.now
                or not any(hour * HOUR < shift.end and (hour + 1) * HOUR > shift.start for hour in changed)
            ):
                continue
            shares = [
                self._shares(look, hour, max(hour * HOUR, shift.start), min((hour + 1) * HOUR, shift.end))
                for hour in range(max(shift.start, look.floor) // HOUR, -(-min(shift.end, look.now) // HOUR))
            ]
            before = max(0, look.floor - shift.start)  # a part older than anything kept
            shares.insert(0, HourShares([CellShare(other=before)] * len(self._paths), True, NO_OFFSET, NO_OFFSET))
            out += self._publish(look, SHIFT, shift.start, shift.end, shares, name)
        for start in self._ledger.starts(SHIFT, look.floor, INF):
            if start not in there:
                out += self._ledger.withdraw(SHIFT, start, **emptied(self._ledger.get(SHIFT, start)))
        return out

    def _forget(self, lo: int, hi: int) -> None:
        for key in [key for key in self._past if key[1] * HOUR <= hi and (key[1] + 1) * HOUR >= lo]:
            del self._past[key]

    def _unsettle(self, hours: range) -> None:
        for key in [key for key in self._settled if key[0] in hours]:
            del self._settled[key]
            self._resettled[key[0]] = None

    def _shares(self, look: LineView, hour: int, start: int, end: int) -> HourShares:
        key = hour, start, end
        shares = self._settled.get(key)
        if shares is None:
            shares = look.shares(*key)
            if shares.certain:
                self._settled[key] = shares
                self._resettled[hour] = None
        return shares

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

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if not self._changed:
            return
        self._changed = False
        yield "", SavedLine(self._watermark, self._touched, self._paths)
        for hour in sorted(self._resettled):
            settled = sorted((start, end) for number, start, end in self._settled if number == hour)
            saved = [_saved(start, end, self._settled[hour, start, end]) for start, end in settled]
            yield str(hour), SavedHourShares(saved) if saved else None
        self._resettled.clear()

    def load(self, saved: Saved, redefined: bool) -> None:
        line = _decode_line(saved[""].state) if "" in saved else SavedLine()
        if not redefined:
            self._watermark, self._touched = line.watermark, line.touched
        for part, section in saved.items():
            if not part:
                continue
            hour = int(part)
            if redefined or line.flow != self._paths:
                self._resettled[hour] = None
                continue
            for kept in _decode_hour(section.state).shares:
                cells = [
                    CellShare(**{k: us for k, us in cell.items() if k in CellShare._fields}) for cell in kept.cells
                ]
                self._settled[hour, kept.start, kept.end] = HourShares(cells, True, kept.first_offset, kept.last_offset)


def _saved(start: int, end: int, shares: HourShares) -> SavedShares:
    cells = [{name: us for name, us in share._asdict().items() if us} for share in shares.cells]
    return SavedShares(start, end, cells, shares.first_offset, shares.last_offset)
