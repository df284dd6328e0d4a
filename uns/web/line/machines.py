"""What is said of each machine of a line now. Pure: board in, words and numbers out."""

from typing import Any

from uns.web.board import Board, CellBoard
from uns.web.namespace import snapshot_look


def machine(board: Board, cell: CellBoard) -> dict[str, Any]:
    """One machine: look and state with their begin, when it was seen, order, counts of the shift, OEE with its factors.

    `at` is the time of the snapshot, from which a screen tells whether it may still show it as so now. `clock_off_us`: how
    far its clock is ahead of ours, where that is too far; a machine that is off so far looks as if it were silent.
    """
    said: dict[str, Any] = {"path": cell.path, "name": cell.name, "look": snapshot_look(cell.current, board.now).key}
    current = cell.current
    if current is None:
        return said | {"at": None}
    return said | {
        "at": current.at,
        "state": current.state,
        "mode": current.mode,
        "since": current.state_since,
        "seen": current.last_seen,
        "order": current.order,
        "product": current.product,
        "shift": current.shift,
        "good": current.good,
        "scrap": current.scrap,
        "availability": current.availability,
        "performance": current.performance,
        "quality": current.quality,
        "oee": current.oee,
        "coverage": current.coverage,
        "why_null": current.why_null,
        "alerts": current.open_alerts,
        "clock_off_us": board.clock_off_us(cell),
    }
