"""One cell and its derivations: how a tick goes through them, and what of both is evicted, saved and loaded."""

from collections.abc import Iterator, Mapping, Sequence

from processors.base import Rejection
from processors.cell import store
from processors.cell.cell import NOTHING, RECORDS, VALUES, Cell
from processors.derive.derivation import Derivation, LineDerivation, load_sections, sections
from processors.derive.order import OF_CELL
from processors.inputs.facts import OwnFact
from processors.spans import merged
from processors.timeline.view import Moment, View
from processors.units import HOUR, INF
from schemas.records import Derived

BORDER = HOUR // 2
"""Windows of their own accord begin and end at multiples of it."""
TAGS_AT_ONCE = 100
"""Tags of a machine whose values alone are reason enough for a snapshot; each more as many make it wait as long again."""
CLOSED_BY_WATERMARK = tuple(sorted({kind for derivation in OF_CELL if derivation.closes for kind in derivation.kinds}))
"""First words of kinds whose records are closed once the watermark has passed their end."""


def _in_stage(stage: str) -> tuple[int, ...]:
    """Places in the list of the derivations that have something to do in a stage, or to save: most have in one or two only."""
    default = getattr(Derivation, stage)
    return tuple(n for n, derivation in enumerate(OF_CELL) if getattr(derivation, stage) is not default)


DERIVE, WITHDRAW, FOLLOW, SNAPSHOT, DUMP = map(_in_stage, ("derive", "withdraw", "follow", "snapshot", "dump"))
RESTLESS = tuple(n for n in DERIVE if not OF_CELL[n].rests)
"""Those of DERIVE that a quiet tick is given to, too."""


class CellFold:
    """A cell, and what derives records of it."""

    __slots__ = ("cell", "derivations")

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.derivations: tuple[Derivation, ...] = tuple(derivation(cell) for derivation in OF_CELL)

    def take(self, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """Gives a fact to the derivations that read it, or says what is wrong with it: the first of them does."""
        for derivation in self.derivations:
            if type(fact) in derivation.reads:
                refused = derivation.take(self.cell, fact, offset, oldest, newest)
                if refused is not None:
                    return refused
        return None

    def refresh(self, moment: Moment, line: Sequence[LineDerivation]) -> list[Derived] | None:
        """Brings the cell up to a tick: the differences to what was published. None where nothing can have changed.

        `line`: what derives records of the cell's line is told what has changed.
        """
        cell, derivations, now, watermark = self.cell, self.derivations, moment.now, moment.watermark
        cell.listen(now)
        if not self._due(moment):
            return self._show_late(moment)
        cell.now, cell.wake = now, INF
        begin = max(cell.born, moment.floor) if cell.born is not None else INF
        steady = (
            begin < cell.settled  # which is −INF at the first refresh
            and not cell.touched
            and not cell.rescheduled
            and not cell.elements.margin_us
            and cell.timeline.steady(cell.settled - 1, now)
        )
        view = View(
            now,
            watermark,
            cell.watermark,
            begin,
            moment.floor,
            merged([*cell.touched, (cell.settled - cell.elements.margin_us, now)], begin, now),
            moment,
            steady,
            steady and self._quiet(moment),
        )
        if begin <= now:
            if cell.settled == -INF:
                cell.floor = moment.floor
                cell.forget(moment.floor // HOUR)  # before the first tick samples of any age come in
                cell.windows.invalidate(-INF, INF)  # a snapshot may have asked for sums before the first sign of life
            for start, end in cell.touched:
                cell.windows.invalidate(start, end)
            for n in RESTLESS if view.quiet else DERIVE:
                view.said += derivations[n].derive(cell, view)
            if cell.rescheduled:
                for n in WITHDRAW:
                    view.said += derivations[n].withdraw(cell, view)
            for of_line in line:
                of_line.touch(cell.touched)
            cell.touched.clear()
            cell.rescheduled = False
            cell.settled = now
        for n in FOLLOW:
            view.said += derivations[n].follow(cell, view)
        view.said += cell.ledger.finalise(watermark, CLOSED_BY_WATERMARK)
        if view.said or moment.flush:
            cell.unshown = RECORDS
        elif cell.fresh and not cell.unshown:
            cell.unshown = VALUES
        if cell.unshown and self._showable(moment):
            view.said += self._show(view)
        cell.watermark = watermark
        cell.fresh = cell.awaited = False
        cell.ledger.pack()
        return view.said

    def _quiet(self, moment: Moment) -> bool:
        """Whether a steady tick is quiet (`View.quiet`)."""
        cell, now, watermark, bucket_us = self.cell, moment.now, moment.watermark, moment.bucket_us
        before, settled = cell.watermark, cell.settled
        return (
            not (moment.flush or moment.flush_kpi or moment.last)
            and before < settled  # else what closed at that very instant is looked at again
            and now // BORDER == settled // BORDER
            and watermark // BORDER == before // BORDER
            and now // bucket_us == settled // bucket_us
            and watermark // bucket_us == before // bucket_us
            and now < cell.schedule.slice_at(before).end
        )

    # --- snapshots

    def _showable(self, moment: Moment) -> bool:
        """Whether a snapshot may follow the last one. Where values of tags alone have changed, one of many tags waits longer:
        a machine of a thousand tags takes no more than some of a hundred."""
        times = 1 + len(self.cell.tags) // TAGS_AT_ONCE if self.cell.unshown == VALUES else 1
        return moment.last or moment.now - self.cell.shown >= times * moment.current_us

    def _show(self, view: View) -> list[Derived]:
        self.cell.shown, self.cell.unshown = view.now, NOTHING
        return [record for n in SNAPSHOT for record in self.derivations[n].snapshot(self.cell, view)]

    def _show_late(self, moment: Moment) -> list[Derived] | None:
        """The snapshot of what changed at an earlier tick, which was too soon after the last one. None: there is none."""
        cell = self.cell
        if not (cell.unshown and self._showable(moment)):
            return None
        view = View(moment.now, moment.watermark, cell.watermark, INF, moment.floor, [], moment)
        said = self._show(view)
        cell.windows.invalidate(
            cell.settled, INF
        )  # it has summed what is not settled yet, and so is not marked if it changes
        return said

    def _due(self, moment: Moment) -> bool:
        cell, bucket_us = self.cell, moment.bucket_us
        return bool(
            moment.flush
            or moment.flush_kpi
            or cell.fresh
            or cell.touched
            or cell.awaited
            or cell.rescheduled
            or moment.now > cell.wake
            or moment.now // bucket_us != cell.settled // bucket_us
            or moment.watermark // bucket_us != cell.watermark // bucket_us
        )

    # --- memory

    def evict(self, floor: int, now: int, watermark: int) -> None:
        """Forgets what no record inside the horizon can need: samples and records before `floor` (a full hour, µs)."""
        cell = self.cell
        cell.listen(now)  # a silence that begins before the floor counts in what is carried over it
        for derivation in self.derivations:
            derivation.expire(cell, floor)
        cell.evict(floor, now, watermark)

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """State keys (what follows `path|`) that changed since the last call."""
        yield from store.cell_changes(self.cell)
        yield from sections([self.derivations[n] for n in DUMP])

    def load(self, parts: Mapping[str, bytes], redefined: bool) -> None:
        """Puts back a new cell from its keys (what follows `path|`), given in any order. `redefined`: the KPI definition
        says something else since they were saved."""
        store.load_facts(self.cell.facts, parts)
        self.cell.recall_gaps()
        store.load_cell(self.cell, parts)
        load_sections(self.derivations, parts, redefined)
        self.cell.reschedule()
