"""Where the time of a window went. Pure: the newest Kpi record of a place in, steps, tree and ranking out."""

from typing import Any

from schemas.records import Kpi
from topology.kpi.definition import Definition
from uns.web.board import Board
from uns.web.measures import WINDOWS, best, summary
from uns.web.namespace import ancestors
from uns.web.screen import UnknownPlace, View, Visit

MINUTE_US = 60e6
WINDOWS_SHOWN = 24


def view(board: Board, visit: Visit) -> View:
    """Options: `window` (shift, day, hour, order); `at`: begin of a window (µs) in place of the newest."""
    known = list(dict.fromkeys(place for cell in board.units_of("") for place in ancestors(cell.path)))
    lines = board.lines()
    place = visit.place or (lines[0] if lines else "")
    if not place:
        return {"place": None}
    if place not in known:
        raise UnknownPlace(place, known)
    kind = visit.options.get("window", "shift")
    kind = kind if kind in WINDOWS else "shift"
    windows = [kpi for kpi in (board.cells[place].kpis if place in board.cells else ()) if kpi.window == kind]
    chosen = next((kpi for kpi in windows if str(kpi.started_at) == visit.options.get("at")), best(board, place, kind))
    beside = [one for one in known if one.rpartition("/")[0] == place]
    shown: View = {
        "place": {"path": place, "window": kind, "definition": board.definition.label, "target": board.oee_target},
        "windows": [{"begin": kpi.started_at, "name": kpi.window_name} for kpi in windows[-WINDOWS_SHOWN:]],
        "parts": [{"path": one, "kpi": summary(best(board, one, kind))} for one in beside],
        "formulas": formulas(board.definition),
        "window": summary(chosen),
    }
    if chosen is not None:
        shown |= {"waterfall": waterfall(chosen, board.definition), "pareto": pareto(chosen), "audit": chosen.id}
        shown["measured"] = {name: value for name, value in chosen.values.items() if value is not None}
        shown["rule"] = chosen.rule
    return shown


def waterfall(kpi: Kpi, definition: Definition) -> list[dict[str, Any]]:
    """From calendar time to valuable time, in minutes: each step is a level that is reached (`level`), or what is taken away on
    the way there (`loss`). The levels are sums, so what is taken away explains every minute; speed below zero means more
    pieces than the ideal cycle allows."""
    outside = {name for name, part in definition.elements.items() if part.loss == "outside"}
    elements = {name: us for name, us in kpi.element_us.items() if us}
    left = sum(elements.values())
    steps: list[dict[str, Any]] = [_step("level", "calendar", left, left)]
    for name in sorted(outside & elements.keys(), key=lambda one: -elements[one]):
        left -= elements[name]
        steps.append(_step("loss", f"outside.{name}", elements[name], left))
    steps.append(_step("level", "planned", left, left))
    for group, level in (("availability", "available"), ("performance", "effective"), ("quality", "valuable")):
        taken = {name: us for name, us in kpi.loss_us.items() if name.startswith(f"{group}.") and us}
        for name in sorted(taken, key=lambda one: -taken[one]):
            left -= taken[name]
            steps.append(_step("loss", name, taken[name], left))
        steps.append(_step("level", level, left, left))
    return steps


def _step(kind: str, name: str, us: float, left: float) -> dict[str, Any]:
    return {"kind": kind, "name": name, "minutes": round(us / MINUTE_US, 2), "left": round(left / MINUTE_US, 2)}


def pareto(kpi: Kpi) -> dict[str, Any]:
    """Stops of the window by reason. At places of several machines these are machine minutes: each machine's stop counts."""
    own = [stop for stop in kpi.stops if stop.stopped_us > 0]
    waiting = [stop for stop in own if stop.reason is None and stop.category == "material_flow"]
    ranked = sorted((stop for stop in own if stop not in waiting), key=lambda stop: -stop.stopped_us)
    total, reached, bars = sum(stop.stopped_us for stop in ranked), 0, []
    for stop in ranked:
        reached += stop.stopped_us
        bars.append(
            {
                "reason": stop.reason,
                "category": stop.category or "–",
                "minutes": round(stop.stopped_us / MINUTE_US, 2),
                "count": stop.count,
                "share": round(reached / total, 4),
            }
        )
    return {
        "bars": bars,
        "total": round(total / MINUTE_US, 2),
        "waiting": round(sum(stop.stopped_us for stop in waiting) / MINUTE_US, 2),
    }


def formulas(definition: Definition) -> dict[str, Any]:
    """KPI → its formula, and element → what it counts as, as the definition has them."""
    return {
        "kpis": {name: kpi.formula for name, kpi in definition.kpis.items()},
        "elements": {name: part.loss for name, part in definition.elements.items()},
        "totals": dict(definition.totals),
    }
