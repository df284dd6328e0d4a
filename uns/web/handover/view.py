"""What the hand-over says of one shift of a line. Pure."""

from collections.abc import Iterator
from typing import Any

from schemas.records import Downtime, Note, Oee
from uns.web.board import Board, CellBoard
from uns.web.line import charts
from uns.web.line.view import stop_part
from uns.web.measures import expected
from uns.web.places import line_of
from uns.web.screen import View, Visit

SHIFTS_MAX = 12
"""The newest are offered."""
STOPS_MAX, UNEXPLAINED_MAX, NOTES_MAX, ALARMS_MAX = 5, 30, 50, 30
SHORT = ("micro_stop", "open")
"""Kinds of stops that nobody is asked a reason of."""


def view(board: Board, visit: Visit) -> View:
    """Option `shift`: its id; to begin with the newest that has begun."""
    line = line_of(visit.place, board.lines())
    if line is None:
        return {"line": None}
    cells = board.cells_of(line)
    shifts = _shifts(board, cells)
    head = {"path": line, "lines": board.lines(), "promise_s": board.promise_s, "target": board.oee_target}
    if not shifts:
        return {"line": head, "shift": None, "shifts": []}
    chosen = next((one for one in shifts if one[0] == visit.options.get("shift")), shifts[0])
    name, begin, end = chosen
    until = board.now if end is None else min(end, board.now)
    stops = [stop for cell in cells for stop in cell.stops if _within(stop, begin, until, board.now)]
    return {
        "line": head,
        "shift": {"id": name, "begin": begin, "end": end, "running": end is None or board.now < end},
        "shifts": [{"id": one, "begin": at} for one, at, _ in shifts],
        "made": [
            _made(window, _planned(board, cell, name))
            for cell in cells
            for window in _windows(cell)
            if window.window_name == name
        ],
        "stops": _top(stops, begin, until),
        "unexplained": [stop_part(stop) for stop in _unexplained(stops)][:UNEXPLAINED_MAX],
        "alarms": [
            {
                "id": of.natural_id,
                "path": of.path,
                "severity": of.severity,
                "message": of.message,
                "since": of.started_at,
            }
            for of in board.open_alerts(line)[:ALARMS_MAX]
        ],
        "notes": [_note(note) for note in board.book.of(line) if _told_in(note, begin, end)][:NOTES_MAX],
        "calls": [_note(note) for note in board.book.of(line, lambda one: one.kind == "call" and one.ended_at is None)],
        "signatures": {
            note.text: {"by": note.by, "at": note.started_at}
            for note in board.book.of(line, lambda one: one.kind == "signature" and one.about == name)
        },
    }


def _windows(cell: CellBoard) -> Iterator[Oee]:
    return (window for window in cell.windows if window.window == "shift" and window.window_name is not None)


def _shifts(board: Board, cells: list[CellBoard]) -> list[tuple[str, int, int | None]]:
    """(id, begin, end) of the shifts that have begun, the newest first; no end: its window is still open."""
    found: dict[str, tuple[str, int, int | None]] = {}
    for cell in cells:
        for window in _windows(cell):
            if window.started_at <= board.now:
                found[str(window.window_name)] = (str(window.window_name), window.started_at, window.ended_at)
    return sorted(found.values(), key=lambda one: -one[1])[:SHIFTS_MAX]


def _within(stop: Downtime, begin: int, until: int, now: int) -> bool:
    return not stop.withdrawn and stop.started_at < until and (stop.ended_at or now) > begin


def _planned(board: Board, cell: CellBoard, name: str) -> int | None:
    """Good pieces that the shift would have made at the target; None: without a target, or without a piece."""
    kpi = next((kpi for kpi in cell.kpis if kpi.window == "shift" and kpi.window_name == name), None)
    pieces = None if kpi is None else expected(kpi, board.definition, board.oee_target)
    return None if pieces is None else round(pieces)


def _made(window: Oee, planned: int | None) -> dict[str, Any]:
    return {
        "path": window.path,
        "planned": planned,
        "good": window.good,
        "scrap": window.scrap,
        "rework": window.rework,
        "oee": window.oee,
        "availability": window.availability,
        "performance": window.performance,
        "quality": window.quality,
        "coverage": window.coverage,
        "why_null": window.why_null,
        "status": window.status,
    }


def _top(stops: list[Downtime], begin: int, until: int) -> dict[str, Any]:
    pareto = charts.pareto(stops, begin, until)
    return {"bars": pareto["bars"][:STOPS_MAX], "total": pareto["total"], "waiting": pareto["waiting"]}


def _unexplained(stops: list[Downtime]) -> list[Downtime]:
    """The longest first; what merely waits for another machine needs no reason of its own."""
    bare = [
        stop
        for stop in stops
        if stop.reason_code is None and stop.kind not in SHORT and stop.state not in charts.WAITING
    ]
    return sorted(bare, key=lambda stop: stop.started_at - (stop.ended_at or 1 << 62))


def _told_in(note: Note, begin: int, end: int | None) -> bool:
    return note.kind != "signature" and begin <= note.started_at and (end is None or note.started_at < end)


def _note(note: Note) -> dict[str, Any]:
    return {
        "id": note.natural_id,
        "kind": note.kind,
        "path": note.path,
        "text": note.text,
        "by": note.by,
        "at": note.started_at,
        "ended_by": note.ended_by,
        "ended": note.ended_at,
    }
