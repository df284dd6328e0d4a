"""What the overview says of a place: a tile for each place in it, and below each line its machines. Pure."""

from collections import Counter
from typing import Any

from uns.web.board import Board
from uns.web.measures import best, losses, summary
from uns.web.namespace import ancestors, snapshot_look
from uns.web.screen import UnknownPlace, View, Visit

LINE_DEPTH = 4
TILES_MAX = 200


def view(board: Board, visit: Visit) -> View:
    """A place above lines shows what is in it; one that holds one place only shows that one's parts. A line shows itself."""
    units = [cell.path for cell in board.units_of("")]
    places = list(dict.fromkeys(place for path in units for place in ancestors(path)[:LINE_DEPTH]))
    place = visit.place or (places[0] if places else "")
    if not place:
        return {"place": None}
    if place in units:
        place = place.rpartition("/")[0]
    if place not in places:
        raise UnknownPlace(place, places)
    depth = place.count("/") + 1
    inside = [one for one in places if one == place or one.startswith(f"{place}/")]
    shown = inside if depth == LINE_DEPTH else [one for one in inside if one.count("/") == depth]
    return {
        "place": {"path": place, "promise_s": board.promise_s, "target": board.oee_target},
        "self": tile(board, place),
        "tiles": [tile(board, one) for one in shown[:TILES_MAX]],
        "more": max(len(shown) - TILES_MAX, 0),
    }


def tile(board: Board, place: str) -> dict[str, Any]:
    """One place: how many machines are in which look, OEE of its window, what took most, alerts, and how old it is: the age
    of the machine that has been silent longest."""
    cells = board.units_of(place)
    kpi = best(board, place)
    alerts = board.open_alerts(place)
    taken = losses(kpi) if kpi is not None else []
    return {
        "path": place,
        "name": place.rpartition("/")[2],
        "line": place.count("/") + 1 == LINE_DEPTH,
        "looks": dict(Counter(snapshot_look(cell.current, board.now).key for cell in cells)),
        "machines": [
            {"path": cell.path, "name": cell.name, "look": snapshot_look(cell.current, board.now).key}
            for cell in (cells if place.count("/") + 1 == LINE_DEPTH else ())
        ],
        "at": min((cell.current.at for cell in cells if cell.current is not None), default=None),
        "kpi": summary(kpi),
        "top": taken[0] if taken else None,
        "alerts": len(alerts),
        "worst": alerts[0].severity if alerts else None,
    }
