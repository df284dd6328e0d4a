"""The overview: enterprise, sites, areas and lines as tiles, down to the machines."""

from pathlib import Path

from uns.web.board import CLASSES, board_of
from uns.web.overview.view import view
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Overview",
    summary="enterprise, sites, areas and lines: state, OEE against target, top loss, open alarms",
    order=10,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
)
