"""One line: what is told about it, its cells that have been heard of, and what derives records of the line itself."""

from collections.abc import Collection, Iterator, Mapping

from processors.cell import store
from processors.cell.cell import Cell
from processors.cell_fold import CellFold
from processors.derive.derivation import LineDerivation, load_sections, sections
from processors.derive.order import OF_LINE
from processors.inputs.expiry import Edges, forget
from processors.inputs.facts import Fact, Told, span
from processors.inputs.line_facts import LineFacts
from processors.inputs.schedule import Schedule
from processors.output.adoption import adopt
from processors.output.ledger import Ledger
from processors.output.segment import Key
from processors.timeline.view import Moment
from processors.units import HOUR, INF
from schemas.records import Derived, Downtime, Gap, Order, Shift
from topology.model.equipment import EquipmentType


class LineState:
    """A line inside the fold."""

    def __init__(self, line: LineFacts, types: Mapping[str, EquipmentType], ledger: Ledger) -> None:
        """`types`: path of each of its cells → its type, in the order of the flow."""
        self.line = line
        self.cells: dict[str, CellFold] = {}
        """Cells that have been heard of, by path."""
        self.derivations: tuple[LineDerivation, ...] = tuple(derivation(types, ledger) for derivation in OF_LINE)
        self._ledger = ledger
        self._patience = max(
            (round(kind.silent_after_s * 1_000_000) for kind in types.values() if kind.silent_after_s is not None),
            default=0,
        )
        """The longest pause (µs) of any of its machines that is no silence yet."""
        self._gone: set[str] = set()
        """State keys (what follows `path|`) dropped since the last save."""

    def derive(self, moment: Moment) -> list[Derived]:
        """The differences to what was published of the line itself."""
        cells, schedule = self._told()
        out: list[Derived] = []
        for derivation in self.derivations:
            out += derivation.derive(cells, schedule, moment)
        self._ledger.pack()
        return out

    def _told(self) -> tuple[dict[str, Cell], Schedule]:
        """The cells that have been heard of, and the line's shifts."""
        cells = {path: fold.cell for path, fold in self.cells.items()}
        return cells, Schedule((), self.line.facts.of(Shift), False, False)

    def tell(self, cell: CellFold | None, fact: Fact, before: Told | None) -> list[CellFold]:
        """Marks what a fact changes that has been put; returns the cells. `cell`: for which alone it holds.

        `before`: the fact that it replaces.
        """
        start, end = span(fact)
        if before is not None:
            start, end = min(start, span(before.fact)[0]), max(end, span(before.fact)[1])
        schedules = isinstance(fact, Order | Shift)
        if self.line.first_told(fact):
            start, end = -INF, INF
        touched = [cell] if cell is not None and start != -INF else list(self.cells.values())
        if isinstance(fact, Gap):
            for fold in touched:
                fold.cell.mark_gaps()
            return touched
        for fold in touched:
            since, until = start, end
            if schedules:
                known = fold.cell.schedule
                fold.cell.reschedule()
                fold.cell.rescheduled = True
                if (changed := fold.cell.schedule.change(known)) is not None:  # it may have cut another one short
                    since, until = min(since, changed[0]), max(until, changed[1])
            if schedules:
                fold.cell.doubt_counts(since, until)
            fold.cell.touch(since, until)
        return touched

    def adopt(
        self, published: Mapping[Key, Derived], floor: int, since: int, trimmed: Collection[str]
    ) -> list[Derived]:
        """Takes what was published of the line itself for its past, as `LineFold.adopt` does."""
        return adopt(self._ledger, published, floor, since, trimmed)

    # --- memory

    def expire(self, moment: Moment) -> None:
        """Has derivations note what they must know of the time before `moment.floor`, before cells are evicted."""
        cells, schedule = self._told()
        for derivation in self.derivations:
            derivation.expire(cells, schedule, moment)

    def evict(self, floor: int) -> None:
        """Forgets what no record of the line inside the horizon can need: the time before `floor` (a full hour, µs)."""
        for hour in self._ledger.expire(floor // HOUR):
            self._gone.update((f"out|{hour}", f"add|{hour}"))

    def expire_facts(self, floor: int) -> Iterator[str]:
        """Forgets facts of which nothing after `floor` (µs) speaks any more; returns their state keys."""
        cells = {path: fold.cell for path, fold in self.cells.items()}
        edges = [_edges(cell, floor, self._patience) for cell in cells.values()]
        gone: dict[str, list[tuple[str, str]]] = {}
        for (path, cell), own in zip(cells.items(), edges, strict=True):
            gone[path] = forget(cell.facts, own, [self.line.facts], self.line.facts)
        of_line = (
            Edges(*map(min, zip(*edges, strict=True))) if edges else Edges(floor, floor, floor - self._patience, floor)
        )
        gone[self.line.path] = forget(self.line.facts, of_line, [cell.facts for cell in cells.values()], None)
        for path, cell in cells.items():
            if gone[path] or gone[self.line.path]:
                cell.reschedule()
                cell.recall_gaps()
        for path, keys in gone.items():
            yield from (store.fact_key(path, *key) for key in keys)

    def pack(self, before: int) -> None:
        """Packs published records of hours below the hour number `before`."""
        self._ledger.pack_before(before)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """State keys (what follows `path|`) that changed since the last call, but for facts and cells."""
        for key in self._gone:
            yield key, None
        self._gone.clear()
        yield from sections(self.derivations)
        yield from self._ledger.changes()

    def load(self, parts: Mapping[str, bytes], redefined: bool) -> None:
        """Puts back a new line from its keys (what follows `path|`), given in any order. `redefined`: the KPI definition
        says something else since they were saved."""
        store.load_line(self.line, parts)
        store.load_ledger(self._ledger, parts)
        load_sections(self.derivations, parts, redefined)


def _edges(cell: Cell, floor: int, patience: int) -> Edges:
    """Up to when facts of a cell may be forgotten: of the day, the shift and the stop that reach over `floor`, all is kept.

    A gap stays for as long (`patience`) as the pause after it may still be too short for a silence; the newest one for as
    long as the pause lasts, because the silence begins where it ends.
    """
    planned, begun = cell.schedule.slice_at(floor), cell.ledger.start_before("downtime", floor)
    since = [floor, cell.line.days.at(floor).start]
    if planned.shift is not None:
        since.append(cell.schedule.shifts[planned.shift].start)
    unheard = cell.timeline.life.forgettable(floor - patience)
    stop = cell.ledger.get("downtime", begun) if begun is not None else None
    if not isinstance(stop, Downtime) or (stop.ended_at is not None and stop.ended_at <= floor):
        return Edges(min(since), floor, unheard, floor)
    since_stop = stop.started_at if stop.stop_started_at is None else stop.stop_started_at
    return Edges(min(since), since_stop, unheard, floor)
