"""One line: what is told about it, its cells that have been heard of, and what derives records of the line itself."""

from collections.abc import Collection, Iterator, Mapping

from processors.cell import store
from processors.cell_fold import CellFold
from processors.derive.derivation import LineDerivation, load_sections, sections
from processors.derive.order import OF_LINE
from processors.inputs.facts import Fact, Told, ToldFacts, span
from processors.inputs.line_facts import LineFacts
from processors.inputs.schedule import Schedule
from processors.output.adoption import adopt
from processors.output.ledger import Key, Ledger
from processors.timeline.view import Moment
from processors.units import HOUR, INF
from schemas.records import Derived, Order, Shift
from topology.model.plant import EquipmentType


class LineState:
    """A line inside the fold."""

    def __init__(self, line: LineFacts, types: Mapping[str, EquipmentType], ledger: Ledger) -> None:
        """`types`: path of each of its cells → its type, in the order of the flow."""
        self.line = line
        self.cells: dict[str, CellFold] = {}
        """Cells that have been heard of, by path."""
        self.derivations: tuple[LineDerivation, ...] = tuple(derivation(types, ledger) for derivation in OF_LINE)
        self._ledger = ledger
        self._gone: set[str] = set()
        """State keys (what follows `path|`) dropped since the last save."""

    def derive(self, moment: Moment) -> list[Derived]:
        """The differences to what was published of the line itself."""
        schedule = Schedule((), self.line.facts.of(Shift), False, False)
        cells = {path: fold.cell for path, fold in self.cells.items()}
        out: list[Derived] = []
        for derivation in self.derivations:
            out += derivation.derive(cells, schedule, moment)
        self._ledger.pack()
        return out

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
        for fold in touched:
            since, until = start, end
            if schedules:
                known = fold.cell.schedule
                fold.cell.reschedule()
                fold.cell.rescheduled = True
                if (changed := fold.cell.schedule.change(known)) is not None:  # it may have cut another one short
                    since, until = min(since, changed[0]), max(until, changed[1])
            fold.cell.touch(since, until)
        return touched

    def adopt(
        self, published: Mapping[Key, Derived], floor: int, since: int, trimmed: Collection[str]
    ) -> list[Derived]:
        """Takes what was published of the line itself for its past, as `LineFold.adopt` does."""
        return adopt(self._ledger, published, floor, since, trimmed)

    # --- memory

    def evict(self, floor: int) -> None:
        """Forgets what no record of the line inside the horizon can need: the time before `floor` (a full hour, µs)."""
        for derivation in self.derivations:
            derivation.expire(floor)
        for hour in self._ledger.expire(floor // HOUR):
            self._gone.update((f"out|{hour}", f"add|{hour}"))

    def expire_facts(self, floor: int) -> Iterator[str]:
        """Forgets facts that only speak of the time before `floor` (µs); returns their state keys."""
        if expired := list(_expired(self.line.facts, floor)):
            yield from (store.fact_key(self.line.path, *key) for key in expired)
            for fold in self.cells.values():
                fold.cell.reschedule()
        for path, fold in self.cells.items():
            if expired := list(_expired(fold.cell.facts, floor)):
                yield from (store.fact_key(path, *key) for key in expired)
                fold.cell.reschedule()

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


def _expired(facts: ToldFacts, floor: int) -> Iterator[tuple[str, str]]:
    """Forgets facts that end before `floor`, as the schedule cuts them; returns (kind, name)."""
    schedule = Schedule(facts.of(Order), facts.of(Shift), False, False)
    ends = {("Order", name): order.end for name, order in schedule.orders.items()}
    ends |= {("Shift", name): shift.end for name, shift in schedule.shifts.items()}
    for key in facts.names():
        told = facts.get(*key)
        if told is None:
            continue
        start, end = span(told.fact)
        if key[0] in ("Order", "Shift"):
            end = ends.get(key, start)
        if end <= floor:
            facts.expire(*key)
            yield key
