"""The andon board: one line on a wall, readable from afar."""

from pathlib import Path

from uns.web.andon.view import view
from uns.web.board import CLASSES, board_of
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Andon",
    summary="one line on a wall: state, time in state, target and actual pieces, takt",
    order=30,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
    bare=True,
)
