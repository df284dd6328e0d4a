"""The screen of one line: machines, states, losses, stops, control charts, open alerts."""

from collections.abc import Callable

from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from uns.web.line.board import Board
from uns.web.screen import Context, ScreenSpec


def _picture(plant: Plant | None) -> Board:
    if plant is None:
        return Board()
    order = tuple(str(path) for path in plant.cells())
    return Board(order=order, definition=selected(plant), targets=plant.targets)


def _build(context: Context[Board]) -> Callable[[], None]:
    from uns.web.line.view import build  # NiceGUI is loaded by whoever draws

    return build(context)


spec = ScreenSpec(
    title="lines",
    summary="one line: its machines, states, losses, stops, control charts and open alerts",
    order=10,
    classes=(
        MessageClass.CURRENT,
        MessageClass.STATE,
        MessageClass.DOWNTIME,
        MessageClass.OEE,
        MessageClass.QUALITY,
        MessageClass.ALERT,
    ),
    picture=_picture,
    build=_build,
)
