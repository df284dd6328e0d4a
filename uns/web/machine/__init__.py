"""One machine: states, counters, tags, trends, conditions, alarms."""

from pathlib import Path

from uns.web.board import CLASSES, board_of
from uns.web.machine.view import view
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Machine",
    summary="one machine: states, counters, all tags, trends, conditions, alarms",
    order=40,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
)
