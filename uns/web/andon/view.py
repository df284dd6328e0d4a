"""What the wall says of a line: its state, pieces against target, takt. Pure."""

from typing import Any

from uns.web.board import Board, CellBoard
from uns.web.measures import best, expected, summary
from uns.web.namespace import snapshot_look
from uns.web.places import line_of
from uns.web.screen import View, Visit
from uns.web.theme import (
    FAULT,
    HELD,
    IDLE,
    MAINTENANCE,
    NOT_OBSERVED,
    RUNNING,
    SETUP,
    STARTING,
    STARVED,
    STOPPED,
    UNKNOWN,
)

CAUSES = (FAULT, HELD, STOPPED, MAINTENANCE, SETUP, STARTING, IDLE, STARVED, UNKNOWN, NOT_OBSERVED)
"""What explains that the line makes nothing, the likeliest cause first."""


def view(board: Board, visit: Visit) -> View:
    """The line's state is that of its last machine, whose pieces are the line's; where that one does not run, the machine that
    most likely is why."""
    line = line_of(visit.place, board.lines())
    if line is None:
        return {"line": None}
    cells = board.cells_of(line)
    kpi = best(board, line)
    alerts = board.open_alerts(line)
    return {
        "line": {"path": line, "name": line.rpartition("/")[2], "promise_s": board.promise_s},
        "state": state(board, cells),
        "machines": [
            {"name": cell.name, "path": cell.path, "look": snapshot_look(cell.current, board.now).key} for cell in cells
        ],
        "at": min((cell.current.at for cell in cells if cell.current is not None), default=None),
        "pieces": None
        if kpi is None
        else {**(summary(kpi) or {}), "expected": expected(kpi, board.definition, board.oee_target)},
        "target": board.oee_target,
        "takt": takt(cells),
        "order": next(
            ({"order": cell.current.order, "product": cell.current.product} for cell in cells[-1:] if cell.current),
            None,
        ),
        "alerts": len(alerts),
        "worst": {"severity": alerts[0].severity, "message": alerts[0].message} if alerts else None,
    }


def state(board: Board, cells: list[CellBoard]) -> dict[str, Any] | None:
    """The machine that tells the line's state, with its look and since when (µs)."""
    if not cells:
        return None
    looks = {cell.path: snapshot_look(cell.current, board.now) for cell in cells}
    telling = cells[-1]
    if looks[telling.path] is not RUNNING:
        telling = min(
            cells, key=lambda cell: CAUSES.index(looks[cell.path]) if looks[cell.path] in CAUSES else len(CAUSES)
        )
    current = telling.current
    reason = next((stop.reason for stop in reversed(list(telling.stops)) if stop.ended_at is None), None)
    return {
        "path": telling.path,
        "machine": telling.name,
        "look": looks[telling.path].key,
        "state": None if current is None else current.state,
        "since": None if current is None else current.state_since,
        "reason": reason,
    }


def takt(cells: list[CellBoard]) -> dict[str, Any] | None:
    """Seconds from piece to piece at the last machine: the median of its newest hour that has cycles, and the ideal."""
    found = [
        cycle for cell in cells[-1:] for cycle in cell.cycles if cycle.median_us is not None and not cycle.withdrawn
    ]
    if not found or found[-1].median_us is None:
        return None
    ideal = found[-1].ideal_cycle_us
    return {
        "s": found[-1].median_us / 1e6,
        "ideal_s": None if ideal is None else ideal / 1e6,
        "hour": found[-1].started_at,
    }
