"""What is said of one machine. Pure."""

from typing import Any

from schemas.records import Condition
from uns.web.board import Board, CellBoard
from uns.web.line import charts
from uns.web.line.machines import machine
from uns.web.line.view import alert_part, stop_part
from uns.web.namespace import reading
from uns.web.screen import UnknownPlace, View, Visit

TRENDS_MAX = 8
"""Tags that are drawn together."""
POINTS_SHOWN = 800
"""Of a trend, about: as many as a screen has pixels."""
SPANS = {"10m": 600_000_000, "1h": charts.HOUR_US, "8h": 8 * charts.HOUR_US}
STOPS_SHOWN = 100


def view(board: Board, visit: Visit) -> View:
    """Options: `trend`: tags with commas between; `span`: 10m, 1h, 8h. Without a place: the first machine."""
    units = [cell.path for cell in board.units_of("")]
    if not units and not visit.place:
        return {"machine": None}
    path = next(
        (one for one in units if one == visit.place or one.startswith(f"{visit.place}/") or not visit.place), None
    )
    if path is None:
        raise UnknownPlace(visit.place, units)
    cell = board.cells[path]
    alerts = board.open_alerts(path)
    return {
        "machine": {**machine(board, cell), "promise_s": board.promise_s, "beside": board_beside(board, path)},
        "timeline": {"reach_us": charts.TIMELINE_US, "bands": charts.timeline(board, [cell])},
        "stops": [stop_part(stop) for stop in list(cell.stops)[-STOPS_SHOWN:]],
        "tags": tags(board, cell),
        "trend": trend(board, path, visit),
        "conditions": [_condition(one) for one in cell.conditions if one.state != "cleared" and not one.withdrawn],
        "alerts": {"more": 0, "list": [alert_part(alert) for alert in alerts]},
    }


def board_beside(board: Board, path: str) -> list[str]:
    """The machines of the same line."""
    return [cell.path for cell in board.cells_of(path.rpartition("/")[0])]


def tags(board: Board, cell: CellBoard) -> list[dict[str, Any]]:
    """Every tag of the newest snapshot, by name: value, unit, time, quality."""
    current = cell.current
    return [
        {"tag": tag.tag, "unit": board.units.get((cell.path, tag.tag)), **reading(tag)}
        for tag in sorted(() if current is None else current.tags, key=lambda tag: tag.tag)
    ]


def trend(board: Board, path: str, visit: Visit) -> dict[str, Any]:
    """Chosen tags over the chosen span, thinned out; to begin with the first characteristic, else the first number."""
    known = board.traces.tags(path)
    wanted = [tag for tag in visit.options.get("trend", "").split(",") if tag in known][:TRENDS_MAX]
    if not wanted:
        wanted = [tag for tag in known if tag in board.cells[path].points][:1] or known[:1]
    span = SPANS.get(visit.options.get("span", "1h"), charts.HOUR_US)
    end = board.now
    return {
        "known": known,
        "span": visit.options.get("span", "1h") if visit.options.get("span", "1h") in SPANS else "1h",
        "begin": end - span,
        "traces": [
            {
                "tag": tag,
                "unit": board.units.get((path, tag)),
                "points": board.traces.trace(path, tag, end - span, end, POINTS_SHOWN),
            }
            for tag in wanted
        ],
    }


def _condition(one: Condition) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "severity": one.severity,
        "state": one.state,
        "message": one.message.replace(one.path, one.path.rpartition("/")[2]),
        "since": one.started_at,
        "value": one.value,
        "limit": one.limit,
        "remaining_s": one.remaining_s,
        "remaining_low_s": one.remaining_low_s,
        "remaining_high_s": one.remaining_high_s,
    }
