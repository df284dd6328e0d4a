"""What is remembered of a line's hours between ticks: what nothing can change but something late, and what the floor has
passed and a record still needs."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from processors.cell.cell import Cell
from processors.derive.bottleneck.activity import Activity, Stretch
from processors.derive.bottleneck.line_view import LOOK, CellShare, Edge, Hour, HourShares, LineView
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import Moment
from processors.units import HOUR


class SavedShares(msgspec.Struct, omit_defaults=True, gc=False):
    """Settled shares of [start, end)."""

    start: int
    end: int
    cells: list[dict[str, int]] = []
    """A `CellShare` a cell, by name; what is zero is left out."""
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET
    looked: int | None = None
    """None: saved before it was known; as far as was ever looked."""


class SavedEdge(msgspec.Struct, omit_defaults=True, gc=False):
    begun: list[int | None] = []
    holder: int | None = None
    certain: bool = False


class SavedStretches(msgspec.Struct, omit_defaults=True, gc=False):
    """An hour of a cell whose samples are evicted."""

    stretches: list[tuple[int, int, int]] = []
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET


class SavedHourShares(msgspec.Struct, omit_defaults=True, gc=False):
    """An hour of a line."""

    shares: list[SavedShares] = []
    edge: SavedEdge | None = None
    kept: list[SavedStretches] = []


_decode = msgspec.msgpack.Decoder(SavedHourShares).decode


class LineMemory:
    """Settled shares, edges of hours, and stretches, by hour."""

    def __init__(self) -> None:
        self._settled: dict[int, dict[tuple[int, int], HourShares]] = {}
        """Hour → (start, end) → what nothing can change but something late."""
        self._edges: dict[int, Edge] = {}
        self._past: dict[tuple[int, int], Hour] = {}
        """(cell, hour) behind the watermark; can be read again."""
        self._kept: dict[int, list[Hour]] = {}
        """Hours whose samples are evicted, and which a record that is open still rests on."""
        self._resaved: dict[int, None] = {}
        """Hours that differ from those saved."""
        self._edged: set[int] = set()
        """Hours whose edge is saved."""

    def look(self, flow: Sequence[Cell | None], ideal_us: Sequence[int], moment: Moment, begin: int) -> LineView:
        """The line at a tick. `begin`: the first sign of life of any cell (µs)."""
        first = max(moment.floor, begin) // HOUR
        past = self._past | {(n, hour): kept for hour, cells in self._kept.items() for n, kept in enumerate(cells)}
        self._past = past
        return LineView(flow, ideal_us, past, self._edges, moment, first, min([first, *self._kept]))

    def shares(self, look: LineView, hour: int, start: int, end: int) -> HourShares:
        """[start, end) of one hour; of one that is too long ago for anything to be known, time of no kind."""
        known = self._settled.get(hour, {}).get((start, end))
        if known is not None:
            return known
        if hour < look.lowest:
            blank = [CellShare(other=end - start)] * look.cells
            return HourShares(blank, True, end, NO_OFFSET, NO_OFFSET)
        shares = look.shares(hour, start, end)
        if shares.certain:
            self._settled.setdefault(hour, {})[start, end] = shares
            self._resaved[hour] = None
        return shares

    def change(self, look: LineView, touched: Sequence[tuple[int, int]]) -> set[int]:
        """Forgets what does not hold any more as [lo, hi] have changed; returns the hours it concerns."""
        before = self._edges.copy()
        hours: set[int] = set()
        for lo, hi in touched:
            for n, hour in [key for key in self._past if key[1] * HOUR <= hi and (key[1] + 1) * HOUR >= lo]:
                if hour not in self._kept:
                    del self._past[n, hour]
            for hour, parts in self._settled.items():
                if hour * HOUR <= hi and any(shares.looked >= lo for shares in parts.values()):
                    hours.add(hour)
            hours.update(range(max(lo // HOUR, look.lowest), min(hi, look.now) // HOUR + 1))
        first, last = min(hours, default=look.now // HOUR), max(hours, default=0)
        for hour in [hour for hour, edge in before.items() if not edge.certain or hour > first]:
            del self._edges[hour]
        for hour in range(max(first, look.lowest) + 1, look.now // HOUR + 1):
            known, edge = before.get(hour), look.edge(hour)
            if known is not None and known.certain and known == edge:
                if hour > last:  # from here on all is as it was
                    self._edges |= {later: kept for later, kept in before.items() if later > hour and kept.certain}
                    break
            else:
                hours.add(hour)
                self._resaved[hour] = None
        for hour in hours:
            if self._settled.pop(hour, None) is not None:
                self._resaved[hour] = None
        return hours

    def tidy(self, watermark: int) -> None:
        """Forgets what can be read again and is not asked for often."""
        lowest = watermark // HOUR - LOOK - 2
        self._past = {key: hour for key, hour in self._past.items() if key[1] >= lowest or key[1] in self._kept}

    def expire(self, look: LineView, floor: int, opened: Sequence[int], shifts: Sequence[tuple[int, int]]) -> None:
        """Keeps of the hours below `floor` what records still need: all that the hours `opened` rest on, and settled
        parts of `shifts` that run on."""
        lowest = min([*opened, floor])
        if floor > look.lowest:
            begin = max((hour for hour in self._edges if hour <= floor), default=look.lowest)
            horizon = look.now // HOUR - floor
            if floor - begin > horizon:  # nothing was heard for so long: a year goes by at once
                self._edges[floor] = look.fresh
            look.edge(floor)
            self._resaved[floor] = None
        for hour in range(max(look.lowest, lowest), min(floor, max(opened, default=0) + LOOK + 1)):
            self._kept[hour] = [look.hour(n, hour) for n in range(look.cells)]
            self._resaved[hour] = None
        for hour in [hour for hour in {*self._kept, *self._edges} if hour < lowest]:
            self._kept.pop(hour, None)
            self._edges.pop(hour, None)
            self._resaved[hour] = None
        self._past = {key: hour for key, hour in self._past.items() if key[1] >= lowest}
        for hour in [hour for hour in self._settled if hour < lowest]:
            edge = hour * HOUR
            if not any(start < edge + HOUR and end > edge for start, end in shifts):
                del self._settled[hour]
                self._resaved[hour] = None

    # --- saved

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        """The hours that differ from those saved, by number; an edge is saved once it is certain."""
        certain = {hour: edge for hour, edge in self._edges.items() if edge.certain}
        resaved, self._edged = sorted(self._resaved.keys() | (certain.keys() ^ self._edged)), set(certain)
        for hour in resaved:
            parts = [_saved(*span, shares) for span, shares in sorted(self._settled.get(hour, {}).items())]
            edge, kept = certain.get(hour), self._kept.get(hour, [])
            if not parts and edge is None and not kept:
                yield str(hour), None
                continue
            yield (
                str(hour),
                SavedHourShares(
                    parts,
                    None if edge is None else SavedEdge(list(edge.begun), edge.holder, True),
                    [SavedStretches([(s.start, s.end, int(s.activity)) for s in of.stretches], *of[1:]) for of in kept],
                ),
            )
        self._resaved.clear()

    def load(self, hour: int, state: msgspec.Raw | None) -> None:
        """Puts back an hour; None: it is not what it was, and goes."""
        if state is None:
            self._resaved[hour] = None
            return
        saved = _decode(state)
        for part in saved.shares:
            self._settled.setdefault(hour, {})[part.start, part.end] = _shares(hour, part)
        if saved.edge is not None:
            self._edges[hour] = Edge(tuple(saved.edge.begun), saved.edge.holder, saved.edge.certain)
            self._edged.add(hour)
        if saved.kept:
            self._kept[hour] = [
                Hour(
                    [Stretch(start, end, Activity(does)) for start, end, does in of.stretches],
                    of.first_offset,
                    of.last_offset,
                )
                for of in saved.kept
            ]


def _saved(start: int, end: int, shares: HourShares) -> SavedShares:
    cells = [{name: us for name, us in share._asdict().items() if us} for share in shares.cells]
    return SavedShares(start, end, cells, shares.first_offset, shares.last_offset, shares.looked)


def _shares(hour: int, part: SavedShares) -> HourShares:
    looked = (hour + 1 + LOOK) * HOUR if part.looked is None else part.looked
    return HourShares([_share(cell) for cell in part.cells], True, looked, part.first_offset, part.last_offset)


def _share(cell: Mapping[str, int]) -> CellShare:
    return CellShare(**{name: us for name, us in cell.items() if name in CellShare._fields})
