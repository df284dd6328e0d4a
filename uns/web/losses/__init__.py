"""Losses: where the calendar time of a place went, what took it, and by which formula."""

from pathlib import Path

from uns.web.board import CLASSES, board_of
from uns.web.losses.view import view
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Losses",
    summary="where the time went: waterfall, loss tree, Pareto, and the formula behind each number",
    order=50,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
)
