"""The screen of one line: machines, states, losses, stops, control charts, open alerts."""

from pathlib import Path

from uns.web.board import CLASSES, board_of
from uns.web.line.view import view
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Line",
    summary="one line: its machines, states, losses, stops, control charts and open alerts",
    order=20,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
)
