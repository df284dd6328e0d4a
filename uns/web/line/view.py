"""What the screen of a line says: parts by how often they change. Pure."""

from typing import Any

from schemas.records import Alert, Downtime
from uns.web.board import Board, CellBoard
from uns.web.line import charts, production
from uns.web.line.machines import machine
from uns.web.places import line_of
from uns.web.screen import View, Visit

ALERTS_MAX = 50
PERIODS = {"shift": 0, "8h": 8 * charts.HOUR_US, "24h": 24 * charts.HOUR_US}
WINDOWS = ("shift", "hour", "order")


def view(board: Board, visit: Visit) -> View:
    """Options: `window` (shift, hour, order), `period` of the stops (shift, 8h, 24h), `chart` (machine · characteristic)."""
    line = line_of(visit.place, board.lines())
    if line is None:
        return {"line": None}
    cells = board.cells_of(line)
    window = visit.options.get("window", "shift")
    window = window if window in WINDOWS else "shift"
    shown = [(cell.name, found) for cell in cells if (found := board.window(cell, window)) is not None]
    begin = period(board, cells, visit.options.get("period", "shift"))
    alerts = board.open_alerts(line)
    return {
        "line": {
            "path": line,
            "lines": board.lines(),
            "promise_s": board.promise_s,
            "definition": board.definition.label,
        },
        "machines": [machine(board, cell) for cell in cells],
        "timeline": {"reach_us": charts.TIMELINE_US, "bands": charts.timeline(board, cells)},
        "stops": [stop_part(stop) for cell in cells for stop in cell.stops if (stop.ended_at or board.now) > begin],
        "losses": {"window": window, **charts.losses(shown, board.definition)},
        "pareto": charts.pareto((stop for cell in cells for stop in cell.stops), begin, _minute(board.now)),
        "control": control(board, cells, visit.options.get("chart")),
        "hours": {"target": board.oee_target, "list": production.hours(board, line)},
        "orders": production.orders(board, line),
        "bottleneck": production.bottleneck(board, line),
        "changeovers": production.changeovers(cells),
        "cycles": production.cycles(cells),
        "alerts": {
            "more": max(len(alerts) - ALERTS_MAX, 0),
            "list": [alert_part(alert) for alert in alerts[:ALERTS_MAX]],
        },
    }


def period(board: Board, cells: list[CellBoard], name: str) -> int:
    """When the period began that stops are counted from (µs): the running shift's begin, where one is known, or hours ago."""
    if (length := PERIODS.get(name, 0)) == 0:
        begun = [found.started_at for cell in cells if (found := board.window(cell, "shift")) is not None]
        running = [at for at in begun if board.now - at < PERIODS["24h"]]
        return max(running, default=_minute(board.now) - PERIODS["8h"])
    return _minute(board.now) - length


def _minute(now: int) -> int:
    """A whole minute: what is counted up to it changes once a minute, not with each record."""
    return now - now % charts.MINUTE_US + charts.MINUTE_US


def control(board: Board, cells: list[CellBoard], chosen: str | None) -> dict[str, Any]:
    """The names of the charts, and the chosen one; to begin with, the one with most to look at."""
    points = {f"{cell.name} · {name}": list(newest) for cell in cells for name, newest in sorted(cell.points.items())}
    if chosen not in points:
        chosen = max(points, key=lambda name: sum(bool(p.rules or p.beyond) for p in points[name]), default=None)
    drawn = charts.control_chart(points.get(chosen or "", []), board.targets, board.units)
    return {"names": list(points), "chosen": chosen, **drawn}


def stop_part(stop: Downtime) -> dict[str, Any]:
    return {
        "id": stop.natural_id,
        "path": stop.path,
        "begin": stop.started_at,
        "end": stop.ended_at,
        "whole_since": stop.stop_started_at,
        "kind": stop.kind,
        "state": stop.state,
        "code": stop.reason_code,
        "reason": stop.reason,
        "by": stop.reason_by,
        "category": stop.category,
        "order": stop.order,
        "status": stop.status,
        "revision": stop.revision,
    }


def alert_part(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.natural_id,
        "path": alert.path,
        "severity": alert.severity,
        "state": alert.state,
        "kind": alert.kind,
        # The place stands below the message already: the message needs the machine's name only.
        "message": alert.message.replace(alert.path, alert.path.rpartition("/")[2]),
        "since": alert.started_at,
        "by": alert.acknowledged_by,
    }
