"""Snapshots: what a screen shows of a cell now. At most one per cell and tick, and one every provisional_s in any case."""

from processors.cell.cell import Cell
from processors.cell.view import View
from processors.derive import oee
from processors.timeline import sums
from processors.timeline.timeline import UNKNOWN
from processors.units import HOUR
from schemas.records import Current, CurrentTag, Derived, Inputs, State

KIND = "current"


def derive(cell: Cell, view: View, inputs: Inputs) -> list[Derived]:
    """The snapshot at this tick. Each is a record of its own; the compacted topic keeps the newest of a path.

    Pieces and OEE are those of the shift so far; where no shift has ever been told, those of the running hour.
    """
    ledger = cell.ledger
    begun = ledger.start_before("state", view.now + 1)
    state = ledger.get("state", begun) if begun is not None else None
    piece = cell.plan.piece(view.now)
    if piece.shift is not None:
        groups = sums.shift_sums(cell, piece.shift, view)
    elif cell.plan.shifts_told or cell.born is None:
        groups = {}
    else:
        groups = cell.windows.hour(cell.plan, view.now // HOUR, view.now, view.watermark)
    measured = oee.measures(groups, cell.plan, cell.type.ideal_cycle_s, cell.elements)
    order = cell.plan.order_at(view.now)
    alerts = sum(1 for kind, _ in ledger.lasting if kind.startswith("alert."))
    found = isinstance(state, State)
    return [
        Current(
            id=f"{ledger.natural_id(KIND, view.now)}:0",
            path=cell.path,
            started_at=view.now,
            ended_at=None,
            definition=ledger.definition,
            status="provisional",
            revision=0,
            inputs=inputs,
            at=view.now,
            state=state.state if isinstance(state, State) else UNKNOWN,
            mode=state.mode if isinstance(state, State) else UNKNOWN,
            state_since=state.started_at if found and state is not None else None,
            last_seen=cell.timeline.life.last_seen,
            order=order.id if order is not None else None,
            product=order.product if order is not None else None,
            shift=piece.shift,
            good=measured.totals.good,
            scrap=measured.totals.scrap,
            availability=measured.availability,
            performance=measured.performance,
            quality=measured.quality,
            oee=measured.oee,
            open_alerts=alerts,
            tags=tuple(
                CurrentTag(name, slot.newest.at, slot.newest.value, slot.newest.quality)
                for name, slot in sorted(cell.tags.items())
                if slot.newest is not None
            ),
        )
    ]
