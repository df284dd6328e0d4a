"""The alarms: what stands and who has seen it, what is put aside, how the alarm system does, what there was."""

from pathlib import Path

from uns.web.alarms.view import view
from uns.web.board import CLASSES, board_of
from uns.web.screen import ScreenSpec

spec = ScreenSpec(
    title="Alarms",
    summary="alarms that stand, by priority: acknowledge, shelve; how the alarm system does; history",
    order=60,
    classes=CLASSES,
    picture=board_of,
    view=view,
    static=Path(__file__).parent / "static",
)
