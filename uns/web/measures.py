"""What the windows of KPIs say, in the words that several screens use. Pure."""

from typing import Any

from schemas.records import Kpi
from topology.kpi.definition import Definition
from uns.web.board import Board

WINDOWS = ("shift", "day", "hour", "order")


def best(board: Board, place: str, wanted: str | None = None) -> Kpi | None:
    """The window of a place that is shown where nothing else was chosen: the shift, else the day, else the hour."""
    for kind in (wanted,) if wanted in WINDOWS else WINDOWS[:3]:
        if (kpi := board.kpi(place, kind)) is not None:
            return kpi
    return None


def summary(kpi: Kpi | None) -> dict[str, Any] | None:
    """A window's ratios and pieces, with how much of its time was seen."""
    if kpi is None:
        return None
    return {
        "window": kpi.window,
        "name": kpi.window_name,
        "begin": kpi.started_at,
        "end": kpi.ended_at,
        "status": kpi.status,
        "values": {name: kpi.values.get(name) for name in ("oee", "availability", "performance", "quality")},
        "good": sum(part.good for part in kpi.pieces),
        "scrap": sum(part.scrap for part in kpi.pieces),
        "coverage": kpi.coverage,
        "why_null": kpi.why_null,
    }


def expected(kpi: Kpi, definition: Definition, target: float | None) -> float | None:
    """Good pieces that the planned time so far would have made at the target OEE, at the ideal cycle of what was made. None:
    without a target, or without a piece, from which the cycle is known."""
    pieces = sum(part.good + part.scrap for part in kpi.pieces)
    if target is None or not pieces:
        return None
    ideal_us = sum(part.ideal_cycle_us * (part.good + part.scrap) for part in kpi.pieces) / pieces
    return target * planned_us(kpi, definition) / ideal_us if ideal_us else None


def planned_us(kpi: Kpi, definition: Definition) -> int:
    """Time of a window that counts (µs): all elements that are not outside."""
    parts = definition.elements
    return sum(us for name, us in kpi.element_us.items() if name in parts and parts[name].loss != "outside")


def losses(kpi: Kpi) -> list[dict[str, Any]]:
    """What took most of a window, the worst first: stops by reason, and losses that are no stops; in machine minutes."""
    found: list[dict[str, Any]] = [
        {"kind": "stop", "name": stop.reason, "category": stop.category, "minutes": stop.stopped_us / 60e6}
        for stop in kpi.stops
        if stop.reason is not None or stop.category != "material_flow"
    ]
    found += [
        {"kind": "loss", "name": name, "category": None, "minutes": us / 60e6}
        for name, us in kpi.loss_us.items()
        if name != "valuable" and not name.startswith("availability.")
    ]
    return sorted((one for one in found if one["minutes"] > 0), key=lambda one: -one["minutes"])
