"""The screen of one line: machines, states, losses, stops, control charts, open alerts."""

from pathlib import Path

from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from uns.web.line.board import Board
from uns.web.line.view import view
from uns.web.screen import ScreenSpec


def picture(plant: Plant | None) -> Board:
    """The board of all lines of a plant."""
    if plant is None:
        return Board()
    return Board(
        order=tuple(str(path) for path in plant.cells()),
        definition=selected(plant),
        targets=plant.targets,
        units=plant.units,
        promise_s=plant.time.provisional_s,
    )


spec = ScreenSpec(
    title="Line",
    summary="one line: its machines, states, losses, stops, control charts and open alerts",
    order=20,
    classes=(
        MessageClass.CURRENT,
        MessageClass.STATE,
        MessageClass.DOWNTIME,
        MessageClass.OEE,
        MessageClass.QUALITY,
        MessageClass.ALERT,
    ),
    picture=picture,
    view=view,
    static=Path(__file__).parent / "static",
)
