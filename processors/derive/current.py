"""Snapshots: what a screen shows of a cell now. One every provisional_s in any case, and when something has changed, at most
every current_s; which ticks these are is `processors.cell_fold`'s."""

from processors.cell.cell import Cell
from processors.cell.tags import Slot
from processors.derive import oee
from processors.derive.derivation import Derivation
from processors.timeline.elements import UNKNOWN
from processors.timeline.totals import Groups
from processors.timeline.view import View
from processors.units import HOUR
from schemas.lengths import BYTES_A_CHARACTER, cut
from schemas.records import Current, CurrentTag, Derived, State

KIND = "current"
TEXTS_MAX_BYTES = 1_000_000
"""Of all text values in a snapshot: the rest of it, with the longest names that there may be, has room beside them."""


class Snapshots(Derivation):
    """Each is a record of its own; the compacted topic keeps the newest of a path."""

    __slots__ = ("_made", "_slots")

    name = KIND
    kinds = (KIND,)
    records = (Current,)

    def __init__(self, cell: Cell) -> None:
        self._slots: list[Slot] = []
        """Of the tags, sorted by name."""
        self._made = (0, "")
        """How many tags there were then, and the last one made: another set of tags has another last one."""

    def snapshot(self, cell: Cell, view: View) -> list[Derived]:
        """The snapshot at this tick.

        Pieces and OEE are those of the shift so far; where no shift has ever been told, those of the running hour.
        """
        ledger = cell.ledger
        begun = ledger.start_before("state", view.now + 1)
        state = ledger.get("state", begun) if begun is not None else None
        known = state if isinstance(state, State) else None
        measured = oee.measures(_sums(cell, view), cell.schedule, cell.type.ideal_cycle_s, cell.elements)
        order = cell.schedule.order_at(view.now)
        return [
            Current(
                id=f"{ledger.natural_id(KIND, view.now)}:0",
                path=cell.path,
                started_at=view.now,
                ended_at=None,
                definition=ledger.definition,
                status="provisional",
                revision=0,
                inputs=view.moment.inputs,
                at=view.now,
                state=known.state if known is not None else UNKNOWN,
                mode=known.mode if known is not None else UNKNOWN,
                state_since=known.started_at if known is not None else None,
                last_seen=cell.timeline.life.last_seen,
                order=order.id if order is not None else None,
                product=order.product if order is not None else None,
                shift=cell.schedule.slice_at(view.now).shift,
                good=measured.totals.good,
                scrap=measured.totals.scrap,
                availability=measured.availability,
                performance=measured.performance,
                quality=measured.quality,
                oee=measured.oee,
                open_alerts=sum([kind.startswith("alert.") for kind, _ in ledger.lasting]),
                tags=self._tags(cell),
                coverage=measured.observed.coverage,
                why_null=measured.observed.why_null,
            )
        ]

    def _tags(self, cell: Cell) -> tuple[CurrentTag, ...]:
        """The newest value of each tag. Where texts might take too much together, each has an equal share and longer ones
        are cut and marked."""
        tags = cell.tags
        made = (len(tags), next(reversed(tags), ""))
        if made != self._made:
            self._made, self._slots = made, [tags[name] for name in sorted(tags)]
        newest = [s for slot in self._slots if (s := slot.newest) is not None]
        share = TEXTS_MAX_BYTES // (BYTES_A_CHARACTER * max(1, len(newest)))
        if cell.type.text_max <= share:
            return tuple(newest)
        return tuple(
            CurrentTag(s.tag, s.at, cut(s.value, share) if isinstance(s.value, str) else s.value, s.quality)
            for s in newest
        )


def _sums(cell: Cell, view: View) -> Groups:
    shift = cell.schedule.slice_at(view.now).shift
    if shift is not None:
        return cell.sums.shift(cell.schedule, shift, view)
    if cell.schedule.shifts_told or cell.born is None:
        return {}
    return cell.sums.hour(cell.schedule, view.now // HOUR, view)
